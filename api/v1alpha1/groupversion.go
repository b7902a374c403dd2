package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of all Signalbox kinds.
const GroupName = "signalbox.dev"

// SchemeGroupVersion is the group and version of the kinds in this package.
func SchemeGroupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}
}

// AddToScheme registers the kinds of this package with a scheme.
func AddToScheme(scheme *runtime.Scheme) error {
	gv := SchemeGroupVersion()
	scheme.AddKnownTypes(gv,
		&ModelRoute{}, &ModelRouteList{},
		&ProviderCredential{}, &ProviderCredentialList{},
		&SpendBudget{}, &SpendBudgetList{},
	)
	metav1.AddToGroupVersion(scheme, gv)
	return nil
}
