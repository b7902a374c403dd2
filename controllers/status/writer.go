package status

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// action is what the events say was being done; the new events API wants one.
const action = "Reconcile"

// maxNote is the longest text that the API takes in an event.
const maxNote = 1024

// Writer writes statuses and emits events. Each controller has its own.
type Writer struct {
	// Client writes.
	Client client.Client
	// Events takes the events.
	Events events.EventRecorder
	// Adverse are the condition types whose True is the bad state, such as Exceeded.
	Adverse []string
	// Notable are reasons that are an event in every status, with the event's type. A Normal one is none of an object that is new.
	Notable map[string]string
	// Cause names the condition type that a bad condition of an object is only a consequence of, empty for none; nil for none of any. The event of the cause
	// is the only one of a write that makes both.
	Cause func(object client.Object, condition metav1.Condition) string
}

// Patch writes the status of after, which is a copy of before with another status, and tells whether it had to. The patch carries the resource version
// of before, so a status is never computed from one object and written over another; such a conflict is the error. Once written, each condition that
// came into its bad state, or changed its reason there, is a Warning event, and Ready becoming true a Normal one.
func (w Writer) Patch(ctx context.Context, before, after client.Object) (bool, error) {
	if equality.Semantic.DeepEqual(before, after) {
		return false, nil
	}
	old := slices.Clone(conditionsOf(before))
	wanted := slices.Clone(conditionsOf(after))
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := w.Client.Status().Patch(ctx, after, patch); err != nil {
		return false, fmt.Errorf("writing status of %s/%s: %w", after.GetNamespace(), after.GetName(), err)
	}
	for _, condition := range wanted {
		if kind := w.due(old, condition); kind != "" && !repeats(condition, wanted) && !w.follows(after, old, wanted, condition) {
			w.emit(after, kind, condition)
		}
	}
	return true, nil
}

// follows tells whether a condition is a consequence of another one whose event is due as well.
func (w Writer) follows(object client.Object, old, wanted []metav1.Condition, condition metav1.Condition) bool {
	if w.Cause == nil {
		return false
	}
	cause := meta.FindStatusCondition(wanted, w.Cause(object, condition))
	return cause != nil && w.due(old, *cause) == corev1.EventTypeWarning
}

// repeats tells whether a condition is a summary that only says again what another one says.
func repeats(condition metav1.Condition, all []metav1.Condition) bool {
	return condition.Type == v1alpha1.ConditionReady && condition.Status == metav1.ConditionFalse &&
		slices.ContainsFunc(all, func(other metav1.Condition) bool {
			return other.Type != condition.Type && other.Status == condition.Status && other.Reason == condition.Reason
		})
}

// due is the kind of the event that a condition makes; empty for none, as where neither status nor reason changed.
func (w Writer) due(before []metav1.Condition, condition metav1.Condition) string {
	old := meta.FindStatusCondition(before, condition.Type)
	if old != nil && old.Status == condition.Status && old.Reason == condition.Reason {
		return ""
	}
	return w.kind(old, condition)
}

// kind is that of the event that a new condition makes; empty for none.
func (w Writer) kind(old *metav1.Condition, condition metav1.Condition) string {
	if kind, notable := w.Notable[condition.Reason]; notable {
		if old == nil && kind != corev1.EventTypeWarning {
			return ""
		}
		return kind
	}
	bad := metav1.ConditionFalse
	if slices.Contains(w.Adverse, condition.Type) {
		bad = metav1.ConditionTrue
	}
	changed := old == nil || old.Status != condition.Status
	switch {
	case condition.Status == bad && condition.Reason != v1alpha1.ReasonPending:
		return corev1.EventTypeWarning
	case condition.Type == v1alpha1.ConditionReady && condition.Status == metav1.ConditionTrue && changed:
		return corev1.EventTypeNormal
	}
	return ""
}

func (w Writer) emit(object client.Object, kind string, condition metav1.Condition) {
	w.Tell(object, kind, condition.Reason, condition.Type+": "+condition.Message)
}

// Tell emits an event of a kind, Normal or Warning, that no condition makes.
func (w Writer) Tell(object client.Object, kind, reason, note string) {
	w.Events.Eventf(object, nil, kind, reason, action, "%s", truncate(note, maxNote))
}
