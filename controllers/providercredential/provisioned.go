package providercredential

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// Provisions tell how the making of keys at providers stands.
type Provisions interface {
	// Provisioned is the condition of that type; ok is false while it is not known.
	Provisioned(credential types.NamespacedName) (condition metav1.Condition, ok bool)
}

// setProvisioned puts in the condition Provisioned of a credential whose keys are made, and takes away that of another. While it is not known what an earlier process
// wrote stays.
func (in *input) setProvisioned(conditions *[]metav1.Condition) []metav1.Condition {
	if in.credential.Spec.Rotation.Provision == nil {
		meta.RemoveStatusCondition(conditions, v1alpha1.ConditionProvisioned)
		return nil
	}
	if in.provisioned != nil {
		return []metav1.Condition{*in.provisioned}
	}
	if meta.FindStatusCondition(*conditions, v1alpha1.ConditionProvisioned) != nil {
		return nil
	}
	return []metav1.Condition{{
		Type: v1alpha1.ConditionProvisioned, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonPending, Message: "the provider's management API has not been asked yet",
	}}
}
