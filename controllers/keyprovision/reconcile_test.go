package keyprovision

import (
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/controllers/keyprovision/management"
)

func (w *world) credential() *v1alpha1.ProviderCredential {
	var c v1alpha1.ProviderCredential
	if err := w.client.Get(w.t.Context(), credentialName, &c); err != nil {
		return nil
	}
	return &c
}

// removeCredential has it deleted by the world's clock; the fake client knows the real one only.
func (w *world) removeCredential() {
	w.t.Helper()
	c := w.credential()
	now := metav1.NewTime(w.clock.Now())
	c.DeletionTimestamp = &now
	if err := w.tracker.Update(v1alpha1.SchemeGroupVersion().WithResource("providercredentials"), c, c.Namespace); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) remove(object client.Object) {
	w.t.Helper()
	if err := w.client.Delete(w.t.Context(), object); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) condition() metav1.Condition {
	condition, _ := w.reconciler.Standing.Provisioned(credentialName)
	return condition
}

// event is the next one, empty if there is none.
func (w *world) event() string {
	select {
	case text := <-w.events.Events:
		return text
	default:
		return ""
	}
}

// A credential that is deleted takes its keys with it, wherever the manager is killed, in the middle of a rotation too, and with a key of which nobody heard.
func TestDeletion(t *testing.T) {
	for _, age := range []time.Duration{time.Hour, every + time.Minute} {
		for cut := -1; cut < 12; cut++ {
			w := newWorld(t)
			w.provider.lag = 30 * time.Second
			w.run(age)
			w.cut = -1
			if cut >= 0 {
				w.cut = w.calls + cut
			}
			w.removeCredential()
			w.run(20 * time.Minute)
			if w.credential() != nil || len(w.provider.keys) != 0 {
				t.Fatalf("age %s, cut %d: left are %v, after %v", age, cut, w.provider.keys, w.passed)
			}
			if text := w.event(); text != "" {
				t.Errorf("age %s, cut %d: %s", age, cut, text)
			}
		}
	}
}

// A key whose answer was lost right before the deletion is waited for.
func TestDeletionWithLostAnswer(t *testing.T) {
	w := newWorld(t)
	w.provider.lag = 90 * time.Second
	w.provider.fault = func(call string) (bool, error) {
		if call == "make" {
			return true, &management.UnclearError{Problem: "the connection broke"}
		}
		return true, nil
	}
	w.run(10 * time.Second)
	if len(w.provider.keys) != 1 {
		t.Fatalf("%d keys are live, want the one whose answer was lost", len(w.provider.keys))
	}
	w.removeCredential()
	w.run(10 * time.Minute)
	if w.credential() != nil || len(w.provider.keys) != 0 {
		t.Errorf("left are %v", w.provider.keys)
	}
}

// Deletion is not held up for ever: not by a provider that fails, and not at all without a management key. What is left is told.
func TestDeletionGivenUp(t *testing.T) {
	cases := map[string]struct {
		change func(*world)
		during time.Duration
		want   bool
	}{
		"provider fails, not for long": {failing, 9 * time.Minute, false},
		"provider fails for long":      {failing, 21 * time.Minute, true},
		"management key gone, for a manager that never had it": {func(w *world) {
			w.restart()
			w.remove(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: credentialName.Namespace, Name: managementSecret}})
		}, time.Second, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.run(time.Hour)
			named := prefix(w.credential())
			tc.change(w)
			w.removeCredential()
			w.run(tc.during)
			if gone := w.credential() == nil; gone != tc.want {
				t.Fatalf("the credential is gone: %t, want %t", gone, tc.want)
			}
			text := w.event()
			if strings.Contains(text, named) != tc.want || strings.Contains(text, "sk-or") {
				t.Errorf("the event is %q", text)
			}
			if tc.want && !strings.Contains(text, "hash1") {
				t.Errorf("the event does not name the key: %q", text)
			}
		})
	}
}

func failing(w *world) {
	w.provider.fault = func(string) (bool, error) { return false, &management.UnclearError{Problem: "status 500"} }
}

// Without provision the keys stay, and the credential can go.
func TestProvisionRemoved(t *testing.T) {
	w := newWorld(t)
	w.run(time.Hour)
	c := w.credential()
	c.Spec.Rotation.Provision = nil
	if err := w.client.Update(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	w.run(time.Hour)
	if len(w.provider.keys) != 1 || len(w.credential().Finalizers) != 0 {
		t.Errorf("live are %v, finalizers %v", w.provider.keys, w.credential().Finalizers)
	}
}

// A key that the provider refuses is taken back after a while, and the one before it is what is in the Secret again; the next tries come later and later.
func TestRefusedKey(t *testing.T) {
	w := newWorld(t)
	w.run(time.Hour)
	for i := 2; i < 20; i++ {
		w.provider.refuses["sk-or-v1-"+string(rune('0'+i/10))+string(rune('0'+i%10))] = true
		w.provider.refuses["sk-or-v1-"+string(rune('0'+i))] = true
	}
	w.run(every + 32*time.Minute)
	w.settled()
	if got := string(w.secret().Data[dataKey]); got != "sk-or-v1-1" {
		t.Errorf("in the Secret is %q, want the key that is not refused", got)
	}
	if condition := w.condition(); condition.Status != metav1.ConditionFalse || condition.Reason != v1alpha1.ReasonProvisionFailed {
		t.Errorf("the condition is %v", condition)
	}
	made := w.provider.made
	w.run(4 * time.Hour)
	if more := w.provider.made - made; more < 1 || more > 3 {
		t.Errorf("%d keys were made in four hours of refusals, want 1 to 3", more)
	}
	if len(w.provider.keys) > 2 {
		t.Errorf("live are %v", w.provider.keys)
	}
}

// A key that the proxies still use is not deleted, however late it is.
func TestKeyInUseStays(t *testing.T) {
	w := newWorld(t)
	w.run(time.Hour)
	w.clock.Step(every)
	for range 200 {
		// The new key is never tried: the one before it leads on.
		w.clock.Step(min(max(w.reconcile(), time.Second), time.Minute))
	}
	if len(w.provider.keys) != 2 || w.provider.keys[0].value != "sk-or-v1-1" {
		t.Errorf("live are %v, want the key that leads among them", w.provider.keys)
	}
	w.run(time.Hour)
	w.settled()
}

// A key that somebody stored stays until the next one is due, and what was made for it before is deleted.
func TestForeignKey(t *testing.T) {
	w := newWorld(t)
	w.run(30 * time.Minute)
	w.edit(func(s *corev1.Secret) { s.Data[dataKey] = []byte("by-hand\n") })
	w.run(45 * time.Minute)
	if len(w.provider.keys) != 0 || string(w.secret().Data[dataKey]) != "by-hand\n" {
		t.Errorf("live are %v, in the Secret is %q", w.provider.keys, w.secret().Data[dataKey])
	}
	if condition := w.condition(); condition.Status != metav1.ConditionFalse || !strings.Contains(condition.Message, "did not make") {
		t.Errorf("the condition is %v", condition)
	}
	w.run(every)
	w.settled()
}

// Somebody who replaces the Secret without its annotations does not have the key in use deleted.
func TestStrippedAnnotations(t *testing.T) {
	w := newWorld(t)
	w.run(time.Hour)
	w.edit(func(s *corev1.Secret) { s.Annotations = nil })
	w.run(5 * time.Minute)
	if len(w.provider.keys) != 2 || w.provider.keys[0].value != "sk-or-v1-1" {
		t.Errorf("live are %v, want the key in use and a new one", w.provider.keys)
	}
	w.run(time.Hour)
	w.settled()
}

// A Secret that was there before gives its key to the rotation, and one that is not labelled is left alone.
func TestSecretThatExists(t *testing.T) {
	w := newWorld(t, controllertest.KeySecret(credentialName.Namespace, keySecret, "by-hand"))
	w.run(5 * time.Minute)
	if got := string(w.secret().Data[dataKey+v1alpha1.PreviousKeySuffix]); got != "by-hand" {
		t.Errorf("the key before is %q, want it kept for the overlap", got)
	}
	w.run(time.Hour)
	w.settled()
	if len(w.secret().OwnerReferences) != 0 {
		t.Error("a Secret that was there before would go with the credential")
	}
	unlabelled := newWorld(t, controllertest.KeySecret(credentialName.Namespace, keySecret, "by-hand", controllertest.Unlabelled))
	unlabelled.run(time.Hour)
	if condition := unlabelled.condition(); unlabelled.provider.made != 0 || !strings.Contains(condition.Message, "kubectl label secret -n team-a openrouter") {
		t.Errorf("%d keys were made; the condition is %v", unlabelled.provider.made, condition)
	}
}

// A Secret that another credential's keys are written to is left alone.
func TestSharedSecret(t *testing.T) {
	other := credential()
	other.Name, other.UID = "other", "5a3f8f0e-0000-4000-8000-000000000002"
	taken := controllertest.KeySecret(credentialName.Namespace, keySecret, "others", func(s *corev1.Secret) {
		s.Annotations = map[string]string{v1alpha1.AnnotationProvisionedFor: string(other.UID), v1alpha1.AnnotationProvisionedID: "hash9"}
	})
	w := newWorld(t, other, taken)
	w.run(time.Hour)
	if condition := w.condition(); w.provider.made != 0 || !strings.Contains(condition.Message, "a Secret of its own") {
		t.Errorf("%d keys were made; the condition is %v", w.provider.made, condition)
	}
}

// A provider that refuses the management key, or wants to be left alone, is asked more and more seldom, and the condition says what to do, without a key.
func TestManagementRefused(t *testing.T) {
	w := newWorld(t)
	calls := 0
	w.provider.fault = func(string) (bool, error) {
		calls++
		return false, &management.RefusedError{Status: http.StatusUnauthorized}
	}
	w.run(time.Hour)
	if calls < 5 || calls > 20 {
		t.Errorf("%d calls in an hour, want 5 to 20", calls)
	}
	condition := w.condition()
	if condition.Status != metav1.ConditionFalse || condition.Reason != v1alpha1.ReasonProvisionFailed || !strings.Contains(condition.Message, "401") || strings.Contains(condition.Message, "sk-or") {
		t.Errorf("the condition is %v", condition)
	}
	// Another management key is tried at once.
	w.provider.fault = nil
	secret := &corev1.Secret{}
	if err := w.client.Get(t.Context(), client.ObjectKey{Namespace: credentialName.Namespace, Name: managementSecret}, secret); err != nil {
		t.Fatal(err)
	}
	secret.Data[dataKey] = []byte("sk-or-another")
	if err := w.client.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	w.run(time.Second)
	w.settled()
}
