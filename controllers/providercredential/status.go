package providercredential

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/status"
)

// makeStatus builds the whole status, and finds in.health for it. It is pure.
func makeStatus(in *input) v1alpha1.ProviderCredentialStatus {
	in.assess()
	built := v1alpha1.ProviderCredentialStatus{
		Conditions:         slices.Clone(in.credential.Status.Conditions),
		ObservedGeneration: in.credential.Generation,
		Endpoint:           in.credential.Spec.Endpoint,
		Health:             in.healthStatus(),
	}
	if in.entry != nil {
		built.Endpoint = in.entry.Endpoint
	}
	resolved, keyValid, healthy := in.resolvedRefs(), in.keyValid(), in.healthy()
	built.Keys, built.UsableKeys = in.keyStatuses(), in.usableKeys()
	conditions := []metav1.Condition{in.ready(resolved, keyValid, healthy), resolved, keyValid, healthy, in.rotating()}
	conditions = append(conditions, in.setProvisioned(&built.Conditions)...)
	if in.maxAge() > 0 {
		conditions = append(conditions, in.keyFresh())
	} else {
		meta.RemoveStatusCondition(&built.Conditions, v1alpha1.ConditionKeyFresh)
	}
	status.Set(&built.Conditions, in.credential.Generation, in.now, conditions...)
	return built
}

// finding turns the findings of one condition type into a false condition. All of them are told; the first one gives the reason.
func (in *input) finding(condition string) (metav1.Condition, bool) {
	var reason string
	var messages []string
	for _, finding := range in.report.Findings {
		if finding.Condition != condition {
			continue
		}
		if reason == "" {
			reason = finding.Reason
		}
		messages = append(messages, finding.Message)
	}
	found := metav1.Condition{Type: condition, Status: metav1.ConditionFalse, Reason: reason, Message: strings.Join(messages, "; ")}
	return found, reason != ""
}

func (in *input) resolvedRefs() metav1.Condition {
	if found, bad := in.finding(v1alpha1.ConditionResolvedRefs); bad {
		return found
	}
	return metav1.Condition{
		Type: v1alpha1.ConditionResolvedRefs, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonResolvedRefs, Message: "all references resolve",
	}
}

// current is the last outcome, if it speaks of what is configured now.
func (in *input) current() *Outcome {
	if !in.usable() {
		return nil
	}
	return in.outcome(in.subject())
}

// outcome is the last outcome about a subject; nil if there was none.
func (in *input) outcome(subject Subject) *Outcome {
	found, known := in.outcomes[subject.Fingerprint]
	if !known || found.Subject != subject {
		return nil
	}
	return &found
}

// carried is a condition that an earlier process wrote and that still speaks of what is configured now; nil if there is none.
func (in *input) carried(kind string) *metav1.Condition {
	if !in.usable() || !in.remembered(in.subject()) {
		return nil
	}
	return meta.FindStatusCondition(in.credential.Status.Conditions, kind)
}

// unknown is the state of what cannot be told: nobody asked, or there is nothing to ask with.
func (in *input) unknown(kind string) metav1.Condition {
	if old := in.carried(kind); old != nil {
		return *old
	}
	message := "the provider has not been asked yet"
	if !in.usable() {
		message = "the provider cannot be asked; ResolvedRefs and Ready say why"
	}
	return metav1.Condition{Type: kind, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonPending, Message: message}
}

// ready sums up: a finding of its own, then the first condition that is false, then one that is still to come. A provider that may not be probed, or
// whose answer tells nothing, can still be called.
func (in *input) ready(conditions ...metav1.Condition) metav1.Condition {
	if found, bad := in.finding(v1alpha1.ConditionReady); bad {
		return found
	}
	for _, condition := range conditions {
		if condition.Status == metav1.ConditionFalse {
			return metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: condition.Reason, Message: condition.Message}
		}
	}
	for _, condition := range conditions {
		if condition.Reason == v1alpha1.ReasonPending {
			return metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionUnknown, Reason: condition.Reason, Message: condition.Message}
		}
	}
	return metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady, Message: "the credential can be used"}
}
