package keyprovision

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/keyprovision/management"
)

// A manager whose cache is behind makes no key for a credential that another one has let go: nobody would be left to delete it.
func TestLetGoBehindTheCache(t *testing.T) {
	w := newWorld(t)
	w.reconcile()
	stale := w.credential()
	if len(stale.Finalizers) != 1 {
		t.Fatalf("the finalizers are %v, want one", stale.Finalizers)
	}
	w.removeCredential()
	w.run(time.Minute)
	if w.credential() != nil {
		t.Fatal("the credential was not let go")
	}
	w.restart()
	w.reconciler.Client = interceptor.NewClient(w.reconciler.Client.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
			if credential, ok := into.(*v1alpha1.ProviderCredential); ok {
				stale.DeepCopyInto(credential)
				return nil
			}
			return c.Get(ctx, key, into, options...)
		},
	})
	w.reconcile()
	// It waits first, for it does not know what the one before it did.
	w.clock.Step(settle)
	w.reconcile()
	if w.provider.made != 0 {
		t.Errorf("%d keys were made for a credential that is gone", w.provider.made)
	}
	if intent := w.secret().Annotations[v1alpha1.AnnotationProvisionIntent]; intent != "" {
		t.Errorf("an intent is left: %s", intent)
	}
}

// Whoever spoils some of the annotations does not have a key in use deleted, nor a rotation stuck.
func TestSpoiltAnnotations(t *testing.T) {
	cases := map[string]map[string]string{
		"id taken away":       {v1alpha1.AnnotationProvisionedID: ""},
		"id of nothing":       {v1alpha1.AnnotationProvisionedID: "nothing"},
		"id that is none":     {v1alpha1.AnnotationProvisionedID: "../keys"},
		"id and time":         {v1alpha1.AnnotationProvisionedID: "", v1alpha1.AnnotationProvisionedAt: ""},
		"fingerprint":         {v1alpha1.AnnotationProvisionedFingerprint: ""},
		"fingerprint of none": {v1alpha1.AnnotationProvisionedFingerprint: "nothing"},
		"owner taken away":    {v1alpha1.AnnotationProvisionedFor: ""},
		"time that is none":   {v1alpha1.AnnotationProvisionedAt: "yesterday"},
		"retry that is none":  {v1alpha1.AnnotationProvisionRetry: "many"},
		"intent out of reach": {v1alpha1.AnnotationProvisionIntent: "signalbox-x 2999-01-01T00:00:00Z"},
	}
	for name, changes := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.run(time.Hour)
			w.edit(func(s *corev1.Secret) { maps.Copy(s.Annotations, changes) })
			// Long enough for the provider's list to be looked at again.
			w.run(recheck + 5*time.Minute)
			inUse := func(key liveKey) bool { return key.value == string(w.secret().Data[dataKey]) }
			if !slices.ContainsFunc(w.provider.keys, inUse) {
				t.Errorf("live are %v, want the key in use among them", w.provider.keys)
			}
			w.run(every + 30*time.Minute)
			w.settled()
		})
	}
}

// The key before the one in the Secret is known by its id also if nobody can tell until when.
func TestSpoiltRetirement(t *testing.T) {
	w := newWorld(t)
	w.run(every + time.Minute)
	w.edit(func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationRetiringAfter] = "soon" })
	w.run(2 * time.Minute)
	if len(w.provider.keys) != 2 {
		t.Errorf("live are %v, want the one that proxies may still use too", w.provider.keys)
	}
	w.run(30 * time.Minute)
	w.settled()
}

// Annotations that are stripped in the middle of a rotation take neither key from the proxies, and the rotation comes to its end.
func TestStrippedInOverlap(t *testing.T) {
	w := newWorld(t)
	w.run(every + time.Minute)
	w.edit(func(s *corev1.Secret) { s.Annotations = nil })
	w.run(5 * time.Minute)
	if len(w.provider.keys) != 2 {
		t.Errorf("live are %v, want both", w.provider.keys)
	}
	w.run(time.Hour)
	w.settled()
}

// A key of a person's that the provider refuses has nothing to be rolled back to, and does not keep the one before it for ever.
func TestNothingToRollBackTo(t *testing.T) {
	now := time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)
	in := input{now: now, every: every, overlap: overlap, refusedSince: now.Add(-time.Hour), secret: content{value: "by-hand", state: state{
		owner: "uid", current: ref{at: now.Add(-time.Hour)}, retiring: &ref{id: "hash1", fingerprint: "f1"}, retiringAfter: now.Add(-time.Minute),
	}}}
	planned := makePlan(in)
	if planned.action != write || planned.content.state.retiring != nil {
		t.Errorf("the step is %v with %v, want the key before forgotten", planned.action, planned.content.state)
	}
	in.inUse = []string{"f1"}
	if planned := makePlan(in); planned.action != wait {
		t.Errorf("the step is %v, want to wait while proxies use the key before", planned.action)
	}
}

// A person who writes the key before back into the Secret is followed: it is the one in use, and the one that was made after it goes.
func TestTakenBackByHand(t *testing.T) {
	w := newWorld(t)
	w.run(every + time.Minute)
	w.edit(func(s *corev1.Secret) { s.Data[dataKey] = s.Data[dataKey+v1alpha1.PreviousKeySuffix] })
	w.run(2 * time.Minute)
	if id := w.secret().Annotations[v1alpha1.AnnotationProvisionedID]; id != "hash1" || len(w.provider.keys) != 2 {
		t.Errorf("in the Secret is %s, live are %v", id, w.provider.keys)
	}
}

// What a person writes while a key is made is not written over; the key is deleted.
func TestEditedWhileMaking(t *testing.T) {
	w := newWorld(t)
	w.run(every - time.Minute)
	w.provider.fault = func(call string) (bool, error) {
		if call == "make" {
			w.edit(func(s *corev1.Secret) { s.Data[dataKey] = []byte("by-hand") })
			w.provider.fault = nil
		}
		return true, nil
	}
	w.run(2 * time.Minute)
	if w.provider.made < 2 || string(w.secret().Data[dataKey]) == "sk-or-v1-2" {
		t.Errorf("%d keys were made, in the Secret is %s", w.provider.made, w.secret().Data[dataKey])
	}
	if before := string(w.secret().Data[dataKey+v1alpha1.PreviousKeySuffix]); string(w.secret().Data[dataKey]) != "by-hand" && before != "by-hand" {
		t.Errorf("what was written by hand is gone; the key before is %q", before)
	}
}

// A refusal leaves no doubt, so the next try does not wait for a key to turn up.
func TestRefusalLeavesNoDoubt(t *testing.T) {
	w := newWorld(t)
	w.provider.fault = func(call string) (bool, error) {
		if call != "make" {
			return true, nil
		}
		w.provider.fault = nil
		return false, &management.RefusedError{Status: 409}
	}
	w.run(30 * time.Second)
	w.settled()
}

// A key is deleted a minute after the overlap, for proxies whose clocks are late, and not before.
func TestMarginAfterOverlap(t *testing.T) {
	w := newWorld(t)
	w.run(every + overlap + 30*time.Second)
	if len(w.provider.keys) != 2 {
		t.Errorf("live are %v, want both", w.provider.keys)
	}
	w.run(time.Minute)
	w.settled()
}

// A key that the list does not show yet is nothing to complain of.
func TestYoungKeyUnlisted(t *testing.T) {
	w := newWorld(t)
	w.provider.lag = 90 * time.Second
	w.run(5 * time.Second)
	if condition := w.condition(); condition.Status != "True" {
		t.Errorf("the condition is %v", condition)
	}
}

// Somebody who puts older annotations back, beside the key as it is now, does not have that key deleted, whenever they do it: it is probably the one that is not known.
func TestOlderAnnotations(t *testing.T) {
	cases := map[string]struct {
		at      time.Duration
		lag     time.Duration
		restart bool
	}{
		"in the overlap":           {time.Minute, 0, false},
		"later":                    {time.Hour, 0, false},
		"before the list shows it": {5 * time.Second, 90 * time.Second, false},
		"before the list shows it, and are killed": {5 * time.Second, 90 * time.Second, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.provider.lag = tc.lag
			w.run(time.Hour)
			older := w.secret().Annotations
			w.run(every - time.Hour + tc.at)
			w.edit(func(s *corev1.Secret) { s.Annotations = older })
			if tc.restart {
				w.restart()
			}
			w.run(time.Hour)
			w.run(every)
			w.settled()
		})
	}
}
