package keyprovision

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/apiserver"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/proxy/provider/registry"
)

// A management key of another account does not see the key that was made before. That is told while it can be put right, and once more when the key is forgotten; the keys go on
// being made on schedule, in the other account.
func TestManagementKeyOfAnotherAccount(t *testing.T) {
	w := newWorld(t)
	w.run(time.Hour)
	named := prefix(w.credential())
	before := w.otherAccount("other")
	w.restart()
	w.run(20 * time.Minute)
	w.expectUnseen("hash1", named)
	if w.provider.made != 0 {
		t.Fatalf("%d keys were made before one was due", w.provider.made)
	}
	w.run(45 * time.Minute)
	w.expectUnseen("hash1", named)
	if text := w.event(); text != "" {
		t.Errorf("told before the key was forgotten: %q", text)
	}
	w.run(30 * time.Minute)
	w.settled()
	if text := w.event(); !strings.Contains(text, "hash1") || !strings.Contains(text, named) || strings.Contains(text, "sk-or") {
		t.Errorf("the event is %q", text)
	}
	if condition := w.condition(); condition.Status != metav1.ConditionTrue {
		t.Errorf("the condition is %v", condition)
	}
	w.run(4 * every)
	if text := w.event(); text != "" || w.provider.made > 6 {
		t.Errorf("%d keys were made; the event is %q", w.provider.made, text)
	}
	if len(before.keys) != 1 {
		t.Errorf("in the other account are %v", before.keys)
	}
}

func (w *world) expectUnseen(id, named string) {
	w.t.Helper()
	condition := w.condition()
	for _, part := range []string{id, named, "another account"} {
		if condition.Status != metav1.ConditionFalse || !strings.Contains(condition.Message, part) {
			w.t.Errorf("the condition is %v, want %q in it", condition, part)
		}
	}
}

// With the management key of the right account again all is well.
func TestManagementKeyOfItsAccountAgain(t *testing.T) {
	w := newWorld(t)
	w.run(time.Hour)
	before := w.otherAccount("other")
	w.restart()
	w.run(5 * time.Minute)
	w.provider = before
	w.run(recheck + time.Minute)
	if condition := w.condition(); condition.Status != metav1.ConditionTrue || condition.Reason != v1alpha1.ReasonProvisioned {
		t.Errorf("the condition is %v", condition)
	}
	if text := w.event(); text != "" {
		t.Error(text)
	}
}

// A credential that is deleted with the management key of another account says which keys it leaves behind.
func TestDeletionInAnotherAccount(t *testing.T) {
	w := newWorld(t)
	w.run(time.Hour)
	named := prefix(w.credential())
	w.otherAccount("other")
	w.removeCredential()
	w.run(10 * time.Minute)
	if w.credential() != nil {
		t.Error("the credential was not let go")
	}
	if text := w.event(); !strings.Contains(text, "hash1") || !strings.Contains(text, named) {
		t.Errorf("the event is %q", text)
	}
}

// Where the Secret of the management key goes before the credential, as with a namespace, its keys are deleted nevertheless, in whatever order the others go.
func TestNamespaceGoes(t *testing.T) {
	for _, secretToo := range []bool{false, true} {
		w := newWorld(t)
		w.run(every + time.Minute)
		w.remove(managementKey())
		if secretToo {
			w.remove(w.secret())
		}
		w.removeCredential()
		w.run(time.Minute)
		if w.credential() != nil || len(w.provider.keys) != 0 {
			t.Errorf("Secret too %t: left are %v", secretToo, w.provider.keys)
		}
		if text := w.event(); text != "" {
			t.Error(text)
		}
	}
}

// The management key that is remembered serves for nothing but deletion.
func TestManagementKeyTakenAway(t *testing.T) {
	w := newWorld(t)
	w.run(time.Hour)
	w.remove(managementKey())
	w.run(2 * every)
	if condition := w.condition(); w.provider.made != 1 || condition.Status != metav1.ConditionFalse || !strings.Contains(condition.Message, managementSecret) {
		t.Errorf("%d keys were made; the condition is %v", w.provider.made, condition)
	}
}

// A Secret that the API server lets nobody write is told of in words. Where it takes the intent and not the key, keys are not made and deleted without end.
func TestSecretNotToBeWritten(t *testing.T) {
	refusals := map[string]error{
		"Forbidden": apierrors.NewForbidden(corev1.Resource("secrets"), keySecret, errors.New("admission webhook: sk-or-v1-2 is not allowed")),
		"Invalid":   apierrors.NewInvalid(corev1.SchemeGroupVersion.WithKind("Secret").GroupKind(), keySecret, nil),
	}
	for reason, refusal := range refusals {
		for _, dataOnly := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, data only %t", reason, dataOnly), func(t *testing.T) {
				w := newWorld(t, controllertest.KeySecret(credentialName.Namespace, keySecret, "by-hand"))
				w.refuseWrites(refusal, func(s *corev1.Secret) bool { return !dataOnly || string(s.Data[dataKey]) != "by-hand" })
				w.run(time.Second)
				if condition := w.condition(); condition.Status != metav1.ConditionFalse || !strings.Contains(condition.Message, "admission policy") || strings.Contains(condition.Message, "sk-or") {
					t.Errorf("the condition is %v", condition)
				}
				w.run(2 * time.Hour)
				if !dataOnly && w.provider.made != 0 || w.provider.made > burst+60 {
					t.Errorf("%d keys were made", w.provider.made)
				}
				w.restart()
				w.run(time.Hour)
				w.settled()
			})
		}
	}
}

// refuseWrites has the API server refuse patches of the Secret.
func (w *world) refuseWrites(refusal error, refused func(*corev1.Secret) bool) {
	w.reconciler.Client = interceptor.NewClient(w.reconciler.Client.(client.WithWatch), interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			if secret, isSecret := object.(*corev1.Secret); isSecret && refused(secret) {
				return refusal
			}
			return c.Patch(ctx, object, patch, options...)
		},
	})
}

// What is told of a problem says what it means for now.
func TestMeanwhile(t *testing.T) {
	cases := map[string]struct {
		change func(*world)
		want   string
	}{
		"no key yet":    {func(*world) {}, "There is no key yet"},
		"key in use":    {func(w *world) { w.haveStatus() }, "The key in the Secret goes on being used"},
		"being deleted": {func(w *world) { w.removeCredential() }, "until 2026-11-23T05:10:00Z"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.run(time.Hour)
			failing(w)
			tc.change(w)
			w.restart()
			w.reconcile()
			if condition := w.condition(); !strings.Contains(condition.Message, tc.want) {
				t.Errorf("the condition is %v, want %q in it", condition, tc.want)
			}
		})
	}
}

// haveStatus has the status show the key in use.
func (w *world) haveStatus() {
	c := w.credential()
	c.Status.Keys = []v1alpha1.ProviderKeyStatus{{Name: "primary", Fingerprint: "f1", State: v1alpha1.KeyActive}}
	if err := w.client.Status().Update(w.t.Context(), c); err != nil {
		w.t.Fatal(err)
	}
}

// A manager that has just started waits to be told what may be called, and tells nobody of a failure.
func TestNothingKnownYet(t *testing.T) {
	w := newWorld(t)
	w.reconcile()
	opener := Opener{Facts: unasked{}, Providers: registry.Default()}
	w.reconciler.Open = opener.Open
	if after := w.reconcile(); after != time.Second || w.condition() != (metav1.Condition{}) {
		t.Errorf("it waits for %s; the condition is %v", after, w.condition())
	}
}

// unasked is an API server that has not answered yet.
type unasked struct{}

func (unasked) Facts() (apiserver.Facts, bool) { return apiserver.Facts{}, false }
