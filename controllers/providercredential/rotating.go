package providercredential

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
)

// expiringPart is the part of a key's greatest age, one in so many, that is left when the status begins to tell.
const expiringPart = 5

// Notable are the reasons of a ProviderCredential's conditions that are an event in every status, with the event's type.
func Notable() map[string]string {
	return map[string]string{
		v1alpha1.ReasonCheckingKey: corev1.EventTypeNormal,
		v1alpha1.ReasonCanary:      corev1.EventTypeNormal,
		v1alpha1.ReasonOverlap:     corev1.EventTypeNormal,
		v1alpha1.ReasonSettled:     corev1.EventTypeNormal,
		v1alpha1.ReasonKeyExpiring: corev1.EventTypeWarning,
	}
}

// rotating tells whether a key is being replaced. What needs somebody's hand comes before what ends by itself, and what is under way before both.
func (in *input) rotating() metav1.Condition {
	stages := []struct {
		status metav1.ConditionStatus
		reason string
		shows  func(compile.KeyReport) bool
		tell   func(compile.KeyReport) string
	}{
		{metav1.ConditionTrue, v1alpha1.ReasonCheckingKey, waitsFor(v1alpha1.ReasonCheckingKey), func(k compile.KeyReport) string { return k.Message }},
		{metav1.ConditionTrue, v1alpha1.ReasonCanary, inState(v1alpha1.KeyCanary), func(k compile.KeyReport) string {
			return "it gets a share of the calls until " + k.Until.Format(time.RFC3339)
		}},
		{metav1.ConditionFalse, v1alpha1.ReasonKeyRejected, waitsFor(v1alpha1.ReasonKeyRejected), func(k compile.KeyReport) string {
			return "it does not lead, and the key before it stays in use: " + k.Message + "; store a key that the provider takes"
		}},
		{metav1.ConditionFalse, v1alpha1.ReasonKeyHeld, waitsFor(v1alpha1.ReasonKeyHeld), func(k compile.KeyReport) string {
			return k.Message + "; set spec.rotation.whenUnknown to Lead to use it"
		}},
		{metav1.ConditionTrue, v1alpha1.ReasonOverlap, inState(v1alpha1.KeyPrevious), func(k compile.KeyReport) string {
			return "it was replaced and can be used until " + k.Until.Format(time.RFC3339)
		}},
	}
	for _, stage := range stages {
		var told []string
		for _, key := range in.keys {
			if stage.shows(key) {
				told = append(told, fmt.Sprintf("key %q with fingerprint %s: %s", key.Name, key.Fingerprint, stage.tell(key)))
			}
		}
		if len(told) > 0 {
			return metav1.Condition{Type: v1alpha1.ConditionRotating, Status: stage.status, Reason: stage.reason, Message: strings.Join(told, "; ")}
		}
	}
	return metav1.Condition{
		Type: v1alpha1.ConditionRotating, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonSettled, Message: "no key is being replaced",
	}
}

func waitsFor(reason string) func(compile.KeyReport) bool {
	return func(k compile.KeyReport) bool { return k.Reason == reason }
}

func inState(state v1alpha1.ProviderKeyState) func(compile.KeyReport) bool {
	return func(k compile.KeyReport) bool { return k.State == state }
}

// maxAge is how old a key may become; 0 for no bound.
func (in *input) maxAge() time.Duration {
	if in.credential.Spec.Rotation.MaxAge == nil {
		return 0
	}
	return max(0, in.credential.Spec.Rotation.MaxAge.Duration)
}

// aging are the values whose age counts: those that lead.
func (in *input) aging() []compile.KeyReport {
	var keys []compile.KeyReport
	for _, key := range in.keys {
		if leads(key.State) && key.Reason == "" && !key.FirstSeen.IsZero() {
			keys = append(keys, key)
		}
	}
	return keys
}

// keyFresh tells whether all keys are younger than they may become.
func (in *input) keyFresh() metav1.Condition {
	age := in.maxAge()
	var expired, expiring []string
	for _, key := range in.aging() {
		end := key.FirstSeen.Add(age)
		switch {
		case !in.now.Before(end):
			expired = append(expired, fmt.Sprintf("key %q reached its greatest age of %s at %s", key.Name, age, end.UTC().Format(time.RFC3339)))
		case !in.now.Before(warnAt(end, age)):
			expiring = append(expiring, fmt.Sprintf("key %q reaches its greatest age of %s at %s", key.Name, age, end.UTC().Format(time.RFC3339)))
		}
	}
	condition := metav1.Condition{Type: v1alpha1.ConditionKeyFresh, Status: metav1.ConditionTrue}
	switch {
	case len(expired) > 0:
		condition.Status, condition.Reason = metav1.ConditionFalse, v1alpha1.ReasonKeyExpired
		condition.Message = strings.Join(append(expired, expiring...), "; ") + "; it goes on being used: store a new one"
	case len(expiring) > 0:
		condition.Reason, condition.Message = v1alpha1.ReasonKeyExpiring, strings.Join(expiring, "; ")+"; store a new one"
	default:
		condition.Reason, condition.Message = v1alpha1.ReasonWithinMaxAge, "no key is near its greatest age"
	}
	return condition
}

// warnAt is when a fifth of a key's greatest age is left.
func warnAt(end time.Time, age time.Duration) time.Time { return end.Add(-age / expiringPart) }

// moments are when the status changes by itself: a role of a value ends, or a key grows old.
func (in *input) moments() []time.Time {
	var times []time.Time
	add := func(t time.Time) {
		if t.After(in.now) {
			times = append(times, t)
		}
	}
	for _, key := range in.keys {
		add(key.Until)
	}
	if age := in.maxAge(); age > 0 {
		for _, key := range in.aging() {
			end := key.FirstSeen.Add(age)
			add(warnAt(end, age))
			add(end)
		}
	}
	return times
}
