package keyprovision

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/controllers/keyprovision/management"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	keySecret        = "openrouter"
	managementSecret = "management"
	dataKey          = "api-key"
	every            = 2 * time.Hour
	overlap          = 10 * time.Minute
)

var (
	credentialName = types.NamespacedName{Namespace: "team-a", Name: "openrouter"}
	secretName     = types.NamespacedName{Namespace: "team-a", Name: keySecret}
)

// killed is what the manager ends with at a cut.
type killed struct{ at string }

// world is a cluster, a provider and a manager that is killed and started again.
type world struct {
	t          *testing.T
	clock      *clocktesting.FakeClock
	client     client.WithWatch
	tracker    clienttesting.ObjectTracker
	reconciler *Reconciler
	provider   *fakeKeys
	events     *events.FakeRecorder

	// calls counts what the manager does to the outside; it is killed at the cut, and lose has a call carried out without its answer.
	calls, cut int
	passed     []string
	// delivered is the table that the proxies have; nil for none.
	delivered *table.Table
	// emptySince is from when on there has been no key in the Secret; the proxies keep the last one for five seconds.
	emptySince time.Time
	// mostLive is the most keys that were live at a time.
	mostLive int
	// back is how far the cluster's clock was set back, which the provider's was not.
	back time.Duration
}

// fakeKeys is a management API in memory.
type fakeKeys struct {
	world *world
	// named tells its keys from those of another account.
	named string
	made  int
	keys  []liveKey
	// lag is how long a key that was made is not in the list, and linger how long one that was deleted still is.
	lag, linger time.Duration
	deleted     []liveKey
	// fault, if not nil, decides about a call: whether it is carried out, and its error.
	fault func(call string) (carriedOut bool, err error)
	// refuses are the values that the provider refuses in calls.
	refuses map[string]bool
}

type liveKey struct {
	management.Key
	value string
	at    time.Time
}

func newWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	w := &world{t: t, clock: clocktesting.NewFakeClock(time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)), cut: -1, events: events.NewFakeRecorder(100)}
	w.otherAccount("")
	scheme := controllertest.Scheme()
	// The usual tracker also keeps managed fields, which takes a hundred times as long.
	w.tracker = clienttesting.NewObjectTracker(scheme, serializer.NewCodecFactory(scheme).UniversalDecoder())
	// Reading from the tracker spares the fake client's detour over JSON, which takes longer than all the rest.
	w.client = fake.NewClientBuilder().WithScheme(scheme).WithObjectTracker(w.tracker).WithObjects(append([]client.Object{credential(), managementKey()}, objects...)...).
		WithStatusSubresource(&v1alpha1.ProviderCredential{}).WithInterceptorFuncs(interceptor.Funcs{Get: w.get}).Build()
	w.restart()
	return w
}

func (w *world) get(ctx context.Context, c client.WithWatch, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	resource := corev1.SchemeGroupVersion.WithResource("secrets")
	if _, isCredential := into.(*v1alpha1.ProviderCredential); isCredential {
		resource = v1alpha1.SchemeGroupVersion().WithResource("providercredentials")
	}
	found, err := w.tracker.Get(resource, key.Namespace, key.Name)
	if err != nil {
		return err
	}
	switch into := into.(type) {
	case *corev1.Secret:
		found.(*corev1.Secret).DeepCopyInto(into)
	case *metav1.PartialObjectMetadata:
		found.(*corev1.Secret).ObjectMeta.DeepCopyInto(&into.ObjectMeta)
	case *v1alpha1.ProviderCredential:
		found.(*v1alpha1.ProviderCredential).DeepCopyInto(into)
	default:
		return c.Get(ctx, key, into, options...)
	}
	return nil
}

// otherAccount has the management key be that of another account at the provider, without keys of ours. It returns the one before.
func (w *world) otherAccount(named string) *fakeKeys {
	before := w.provider
	w.provider = &fakeKeys{world: w, named: named, refuses: map[string]bool{}}
	return before
}

func credential() *v1alpha1.ProviderCredential {
	return controllertest.Credential(credentialName.Namespace, credentialName.Name, func(c *v1alpha1.ProviderCredential) {
		c.UID = "5a3f8f0e-0000-4000-8000-000000000001"
		c.Spec.Provider, c.Spec.Endpoint = v1alpha1.ProviderOpenRouter, ""
		c.Spec.Auth.Keys[0].SecretKeyRef = v1alpha1.SecretKeyReference{Name: keySecret, Key: dataKey}
		c.Spec.Rotation.Overlap = &metav1.Duration{Duration: overlap}
		c.Spec.Rotation.Provision = &v1alpha1.KeyProvision{
			Every:      &metav1.Duration{Duration: every},
			OpenRouter: &v1alpha1.OpenRouterProvision{ManagementKeyRef: v1alpha1.SecretKeyReference{Name: managementSecret, Key: dataKey}},
		}
	})
}

func managementKey() *corev1.Secret {
	return controllertest.KeySecret(credentialName.Namespace, managementSecret, "sk-or-management")
}

// restart starts a manager that remembers nothing.
func (w *world) restart() {
	cutting := interceptor.NewClient(w.client, interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			return w.outside(fmt.Sprintf("patch %T", object), func() error { return c.Patch(ctx, object, patch, options...) })
		},
		Create: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.CreateOption) error {
			return w.outside(fmt.Sprintf("create %T", object), func() error { return c.Create(ctx, object, options...) })
		},
	})
	w.reconciler = &Reconciler{
		Client: cutting, Live: w.client, Keys: controllertest.Labelled{Reader: w.client, Label: v1alpha1.LabelProviderKey, Value: "true"}, Tables: w,
		Open: func(*v1alpha1.ProviderCredential, string) (management.Keys, func(), error) {
			return w.provider, func() {}, nil
		},
		Standing: NewStanding(), Events: w.events, Clock: w.clock, Attempts: NewAttempts(),
	}
}

// outside does something outside of the manager, which can be killed before it and after it.
func (w *world) outside(call string, do func() error) error {
	w.hit("before " + call)
	err := do()
	w.observe()
	w.hit("after " + call)
	return err
}

func (w *world) hit(point string) {
	if w.calls == w.cut {
		w.calls++
		panic(killed{point})
	}
	w.passed = append(w.passed, point)
	w.calls++
}

// observe checks what has to hold at every moment.
func (w *world) observe() {
	w.mostLive = max(w.mostLive, len(w.provider.keys))
	if len(w.provider.keys) > 2 {
		w.t.Fatalf("%d keys are live: %v, after %v", len(w.provider.keys), w.provider.keys, w.passed)
	}
}

// Table returns what the proxies have.
func (w *world) Table(context.Context, string) (*table.Table, *corev1.Secret, error) {
	return w.delivered, nil, nil
}

func (p *fakeKeys) now() time.Time { return p.world.clock.Now().Add(p.world.back) }

// setBack sets the clock of the cluster back.
func (w *world) setBack(by time.Duration) {
	w.clock.Step(-by)
	w.back += by
}

// List leaves out what was made too lately.
func (p *fakeKeys) List(_ context.Context, prefix string) (keys []management.Key, err error) {
	err = p.call("list", func() {
		for _, key := range p.keys {
			if strings.HasPrefix(key.Name, prefix) && p.now().Sub(key.at) >= p.lag {
				keys = append(keys, key.Key)
			}
		}
		for _, key := range p.deleted {
			if strings.HasPrefix(key.Name, prefix) && p.now().Sub(key.at) < p.linger {
				keys = append(keys, key.Key)
			}
		}
	})
	return keys, err
}

// Create makes a key, in time.
func (p *fakeKeys) Create(ctx context.Context, name string) (made management.Made, err error) {
	if ctx.Err() != nil {
		return made, &management.UnclearError{Problem: "no answer in time"}
	}
	err = p.call("make", func() { made = p.carryOut(name) })
	return made, err
}

// carryOut makes a key.
func (p *fakeKeys) carryOut(name string) management.Made {
	p.made++
	made := management.Made{ID: fmt.Sprintf("%shash%d", p.named, p.made), Value: fmt.Sprintf("sk-or-v1-%s%d", p.named, p.made)}
	p.keys = append(p.keys, liveKey{Key: management.Key{ID: made.ID, Name: name}, value: made.Value, at: p.now()})
	return made
}

// Delete removes a key, in time.
func (p *fakeKeys) Delete(ctx context.Context, id string) error {
	if ctx.Err() != nil {
		return &management.UnclearError{Problem: "no answer in time"}
	}
	return p.call("delete", func() {
		for i, key := range p.keys {
			if key.ID == id {
				p.world.unused(key)
				p.keys = append(p.keys[:i:i], p.keys[i+1:]...)
				key.at = p.now()
				p.deleted = append(p.deleted, key)
				return
			}
		}
	})
}

// unused checks that no proxy has a key.
func (w *world) unused(key liveKey) {
	if w.delivered == nil || len(w.delivered.Credentials) == 0 {
		return
	}
	for _, used := range w.delivered.Credentials[0].Keys {
		if used.Fingerprint == fingerprint(key.value) {
			w.t.Fatalf("the key %s is deleted while proxies use it, after %v", key.ID, w.passed)
		}
	}
}

func (p *fakeKeys) call(name string, do func()) error {
	return p.world.outside(name, func() error {
		carriedOut, err := true, error(nil)
		if p.fault != nil {
			carriedOut, err = p.fault(name)
		}
		if carriedOut {
			do()
		}
		return err
	})
}

// reconcile runs one reconciliation; a manager that is killed is started again. It returns after how long the next one is asked for.
func (w *world) reconcile() (after time.Duration) {
	defer func() {
		switch stopped := recover().(type) {
		case nil:
		case killed:
			w.passed = append(w.passed, "KILLED "+stopped.at)
			w.restart()
			after = time.Millisecond
		default:
			panic(stopped)
		}
	}()
	result, err := w.reconciler.Reconcile(logr.NewContext(w.t.Context(), logr.Discard()), reconcile.Request{NamespacedName: credentialName})
	if err != nil && !apierrors.IsConflict(err) {
		w.t.Fatalf("reconciling: %v, after %v", err, w.passed)
	}
	if err != nil {
		return time.Millisecond
	}
	return result.RequeueAfter
}

// run lets time pass as the manager asks for it. The proxies and the probes follow at once.
func (w *world) run(during time.Duration) {
	end := w.clock.Now().Add(during)
	for range 5000 {
		w.follow()
		after := w.reconcile()
		w.observe()
		if after == 0 {
			after = during
		}
		if w.clock.Now().Add(after).After(end) {
			w.clock.SetTime(end)
			w.follow()
			return
		}
		w.clock.Step(after)
	}
	w.t.Fatalf("no rest after %v, with %v", w.passed[len(w.passed)-20:], w.secret())
}

// secret reads the Secret of the key, nil if there is none.
func (w *world) secret() *corev1.Secret {
	var secret corev1.Secret
	if err := w.client.Get(w.t.Context(), secretName, &secret); err != nil {
		return nil
	}
	return &secret
}

// edit changes the Secret as a person does.
func (w *world) edit(change func(*corev1.Secret)) {
	secret := w.secret()
	if secret == nil {
		return
	}
	change(secret)
	if err := w.client.Update(w.t.Context(), secret); err != nil {
		w.t.Fatal(err)
	}
}

// follow does what the rotation does: a key that the provider takes leads, the one before it stays for the overlap; one that it refuses is said to be so.
func (w *world) follow() {
	var c v1alpha1.ProviderCredential
	if err := w.client.Get(w.t.Context(), credentialName, &c); err != nil || !c.DeletionTimestamp.IsZero() {
		w.delivered = &table.Table{}
		return
	}
	value := ""
	if secret := w.secret(); secret != nil {
		value = string(secret.Data[dataKey])
	}
	lead := w.lead()
	if value == "" {
		w.empty()
		w.setRejected(&c, "")
		return
	}
	w.emptySince = time.Time{}
	switch {
	case w.provider.refuses[value]:
		w.setRejected(&c, fingerprint(value))
		return
	case lead == nil || lead.Fingerprint != fingerprint(value):
		w.deliver(value, lead)
	default:
		w.expire()
	}
	w.setRejected(&c, "")
}

// empty has the proxies drop the keys of a Secret that has none, after five seconds.
func (w *world) empty() {
	if w.emptySince.IsZero() {
		w.emptySince = w.clock.Now()
	}
	if w.clock.Since(w.emptySince) >= 5*time.Second {
		w.delivered = &table.Table{}
	}
}

func (w *world) lead() *table.Key {
	if w.delivered == nil || len(w.delivered.Credentials) == 0 {
		return nil
	}
	return &w.delivered.Credentials[0].Keys[0]
}

func (w *world) deliver(value string, before *table.Key) {
	keys := []table.Key{{Name: "primary", Value: value, Fingerprint: fingerprint(value)}}
	if before != nil {
		previous := *before
		previous.Role, previous.Until = table.Previous, w.clock.Now().Add(overlap)
		keys = append(keys, previous)
	}
	w.delivered = &table.Table{Credentials: []table.Credential{{Object: table.Object{Name: credentialName.Name}, Keys: keys}}}
}

func (w *world) expire() {
	entry := &w.delivered.Credentials[0]
	var kept []table.Key
	for _, key := range entry.Keys {
		if key.Until.IsZero() || key.Until.After(w.clock.Now()) {
			kept = append(kept, key)
		}
	}
	entry.Keys = kept
}

func (w *world) setRejected(c *v1alpha1.ProviderCredential, rejected string) {
	for _, key := range c.Status.Keys {
		if key.Fingerprint == rejected {
			return
		}
	}
	if rejected == "" && len(c.Status.Keys) == 0 {
		return
	}
	c.Status.Keys = nil
	if rejected != "" {
		c.Status.Keys = []v1alpha1.ProviderKeyStatus{{Name: "primary", Fingerprint: rejected, State: v1alpha1.KeyRejected, Since: metav1.NewTime(w.clock.Now())}}
	}
	if err := w.client.Status().Update(w.t.Context(), c); err != nil {
		w.t.Fatal(err)
	}
}

// settled checks what has to hold once all is quiet: one key is live, and it is the one in the Secret.
func (w *world) settled() {
	w.t.Helper()
	secret := w.secret()
	if secret == nil {
		w.t.Fatalf("there is no Secret, after %v", w.passed)
	}
	if len(w.provider.keys) != 1 || w.provider.keys[0].value != string(secret.Data[dataKey]) {
		w.t.Fatalf("live are %v, in the Secret is %s %v, after %v", w.provider.keys, secret.Data[dataKey], secret.Annotations, w.passed)
	}
	if _, kept := secret.Data[dataKey+v1alpha1.PreviousKeySuffix]; kept {
		w.t.Errorf("the previous key is still in the Secret")
	}
	if secret.Annotations[v1alpha1.AnnotationProvisionIntent] != "" {
		w.t.Errorf("an intent is left: %v", secret.Annotations)
	}
}

// seeded is a source of chance that a failure can be repeated with.
func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }
