// Package status is the one way in which controllers write a status: conditions with their generation, one patch that is left out when nothing changed,
// and events for the conditions that did change.
package status

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// maxMessage is the longest message that the API takes in a condition.
const maxMessage = 32768

// Set puts conditions into a list. Each gets the generation it was observed for; its LastTransitionTime moves to now only where its status changed.
func Set(conditions *[]metav1.Condition, generation int64, now time.Time, want ...metav1.Condition) {
	for _, condition := range want {
		condition.ObservedGeneration = generation
		condition.LastTransitionTime = metav1.NewTime(now)
		condition.Message = truncate(condition.Message, maxMessage)
		meta.SetStatusCondition(conditions, condition)
	}
}

// truncate cuts a text at a rune's boundary.
func truncate(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	cut := 0
	for i := range text {
		if i > limit {
			break
		}
		cut = i
	}
	return text[:cut]
}

// conditionsOf returns the conditions of an object of one of our kinds, nil for others.
func conditionsOf(object client.Object) []metav1.Condition {
	switch object := object.(type) {
	case *v1alpha1.ModelRoute:
		return object.Status.Conditions
	case *v1alpha1.ProviderCredential:
		return object.Status.Conditions
	case *v1alpha1.SpendBudget:
		return object.Status.Conditions
	default:
		return nil
	}
}
