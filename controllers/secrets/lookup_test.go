package secrets_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/controllers/secrets"
)

// credential refers to the Secret of that name.
func credential(secret string) v1alpha1.ProviderCredential {
	return *controllertest.Credential("team-a", "for-"+secret, func(c *v1alpha1.ProviderCredential) {
		c.Spec.Auth.Keys[0].SecretKeyRef.Name = secret
	})
}

func names(found []corev1.Secret) []string {
	var names []string
	for i := range found {
		names = append(names, found[i].Name)
	}
	return names
}

// world has a cache of labelled Secrets and an API server that counts what it is asked.
type world struct {
	lookup *secrets.Lookup
	clock  *testclock.FakeClock
	live   client.WithWatch
	asked  []string
	kinds  []string
	broken error
}

func newWorld(cached, stored []client.Object) *world {
	w := &world{clock: testclock.NewFakeClock(time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC))}
	cache := fake.NewClientBuilder().WithScheme(controllertest.Scheme()).WithObjects(cached...).Build()
	w.live = fake.NewClientBuilder().WithScheme(controllertest.Scheme()).WithObjects(stored...).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, next client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			w.asked = append(w.asked, key.Name)
			if _, only := object.(*metav1.PartialObjectMetadata); !only {
				w.kinds = append(w.kinds, "content")
			}
			if w.broken != nil {
				return w.broken
			}
			return next.Get(ctx, key, object, options...)
		},
	}).Build()
	w.lookup = secrets.NewLookup(cache, w.live, w.clock)
	return w
}

func TestReferenced(t *testing.T) {
	labelled := controllertest.KeySecret("team-a", "labelled", "sk-one")
	bare := controllertest.KeySecret("team-a", "bare", "sk-two", controllertest.Unlabelled)
	w := newWorld([]client.Object{labelled}, []client.Object{bare})
	keyless := credential("unused")
	keyless.Spec.Auth = v1alpha1.ProviderAuth{None: &v1alpha1.NoAuth{}}
	aws := credential("unused")
	aws.Spec.Auth = v1alpha1.ProviderAuth{AWS: &v1alpha1.AWSAuth{
		AccessKeyIDRef: &v1alpha1.SecretKeyReference{Name: "labelled"}, SecretAccessKeyRef: &v1alpha1.SecretKeyReference{Name: "half"},
	}}
	found, err := w.lookup.Referenced(t.Context(), "team-a", []v1alpha1.ProviderCredential{
		credential("labelled"), credential("labelled"), credential("bare"), credential("gone"), keyless, aws,
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{"labelled": names(found.Labelled), "unlabelled": found.Unlabelled, "missing": found.Missing, "asked": w.asked}
	want := map[string][]string{"labelled": {"labelled"}, "unlabelled": {"bare"}, "missing": {"gone", "half"}, "asked": {"bare", "gone", "half"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	if found.Complete() || found.Behind {
		t.Errorf("found %+v", found)
	}
	if len(w.kinds) > 0 {
		t.Error("the content of a Secret without label was read")
	}
}

func TestReferencedRemembersForAWhile(t *testing.T) {
	w := newWorld(nil, nil)
	ask := func() {
		t.Helper()
		if _, err := w.lookup.Referenced(t.Context(), "team-a", []v1alpha1.ProviderCredential{credential("gone")}); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	ask()
	if len(w.asked) != 1 {
		t.Errorf("asked %d times at once", len(w.asked))
	}
	w.clock.Step(secrets.RecheckAfter)
	ask()
	if len(w.asked) != 2 {
		t.Errorf("asked %d times in all", len(w.asked))
	}
}

func TestReferencedWaitsForACacheThatIsBehind(t *testing.T) {
	fresh := controllertest.KeySecret("team-a", "fresh", "sk-one")
	w := newWorld(nil, []client.Object{fresh})
	for range 2 {
		found, err := w.lookup.Referenced(t.Context(), "team-a", []v1alpha1.ProviderCredential{credential("fresh")})
		if err != nil || !found.Behind {
			t.Errorf("found %+v, %v", found, err)
		}
	}
	if len(w.asked) != 2 {
		t.Error("a state that ends in a moment is remembered")
	}
}

func TestReferencedTellsOutages(t *testing.T) {
	w := newWorld(nil, nil)
	w.broken = errors.New("away")
	_, err := w.lookup.Referenced(t.Context(), "team-a", []v1alpha1.ProviderCredential{credential("any")})
	if !errors.Is(err, w.broken) {
		t.Errorf("got %v", err)
	}
	w.broken = nil
	found, err := w.lookup.Referenced(t.Context(), "team-a", []v1alpha1.ProviderCredential{credential("any")})
	if err != nil || len(found.Missing) != 1 {
		t.Errorf("after the outage: %+v, %v", found, err)
	}
}
