//go:build e2e

package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/hack/fakeprovider"
)

const (
	// overlap is how long the previous key stays usable in these specs.
	overlap = 5 * time.Second
	// inTransit is how long after it was sent a request may come to the provider on a busy machine.
	inTransit = 500 * time.Millisecond
	// chatEndpoint is what the provider calls chat completions.
	chatEndpoint = "chat/completions"
)

func fingerprint(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])[:12]
}

// turn is one change of the key.
type turn struct {
	value string
	// bad tells that the provider does not know it.
	bad bool
	// until is when its overlap ended; zero for one that never led, and for the last one.
	until time.Time
}

// rotor is a world whose key changes again and again under load.
type rotor struct {
	*world
	turns []turn
}

// editCredential changes the credential's spec.
func (w *world) editCredential(ctx context.Context, edit func(*v1alpha1.ProviderCredentialSpec)) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		credential := w.credential("provider")
		g.Expect(api.Get(ctx, client.ObjectKeyFromObject(credential), credential)).To(Succeed())
		edit(&credential.Spec)
		g.Expect(api.Update(ctx, credential)).To(Succeed())
	}).Should(Succeed())
}

// accept has the provider take these keys and no others.
func (w *world) accept(ctx context.Context, keys ...string) {
	GinkgoHelper()
	known := make([]fakeprovider.Key, len(keys))
	for i, key := range keys {
		known[i].Value = key
	}
	w.configure(ctx, map[string]any{"keys": known})
}

// good are the keys that the provider is to take.
func (r *rotor) good() []string {
	keys := []string{providerKey}
	for _, t := range r.turns {
		if !t.bad {
			keys = append(keys, t.value)
		}
	}
	return keys
}

// keyStates are what status says of the credential's keys.
func (w *world) keyStates(ctx context.Context, g Gomega) []v1alpha1.ProviderKeyStatus {
	credential := w.credential("provider")
	g.Expect(api.Get(ctx, client.ObjectKeyFromObject(credential), credential)).To(Succeed())
	return credential.Status.Keys
}

// keyIn waits until the key with the value is in a state, and returns what status says of it.
func (w *world) keyIn(ctx context.Context, value string, states ...v1alpha1.ProviderKeyState) v1alpha1.ProviderKeyStatus {
	GinkgoHelper()
	var found v1alpha1.ProviderKeyStatus
	Eventually(ctx, func(g Gomega) {
		keys := w.keyStates(ctx, g)
		at := slices.IndexFunc(keys, func(k v1alpha1.ProviderKeyStatus) bool { return k.Fingerprint == fingerprint(value) })
		g.Expect(at).To(BeNumerically(">=", 0), "no key %s among %v", fingerprint(value), keys)
		g.Expect(keys[at].State).To(BeElementOf(states), "%v", keys)
		found = keys[at]
	}).WithTimeout(40 * time.Second).Should(Succeed())
	return found
}

// store writes a value of the key in one of the ways in which Secrets are written.
func (r *rotor) store(ctx context.Context, number int, value string) {
	GinkgoHelper()
	secret := &corev1.Secret{ObjectMeta: r.meta("provider")}
	set := func(text string) {
		Eventually(ctx, func(g Gomega) {
			g.Expect(api.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(Succeed())
			secret.Data = map[string][]byte{"api-key": []byte(text)}
			g.Expect(api.Update(ctx, secret)).To(Succeed())
		}).Should(Succeed())
	}
	switch number % 4 {
	case 0: // As an editor does.
		set(value + "\n")
	case 1: // Twice within a second: the first value is never to be sent.
		set(value + "-passing")
		set(value)
	case 2: // As kubectl replace --force does.
		Expect(api.Delete(ctx, secret)).To(Succeed())
		r.createSecret(ctx, "provider", v1alpha1.LabelProviderKey, map[string]string{"api-key": value})
	case 3:
		kubectl(ctx, "patch", "secret", "provider", "-n", r.namespace, "--type=merge", "-p", fmt.Sprintf(`{"stringData":{"api-key":%q}}`, value))
	}
}

// turnKey changes the key once and waits until it leads, or is known to be refused.
func (r *rotor) turnKey(ctx context.Context, number int) {
	GinkgoHelper()
	next := turn{value: fmt.Sprintf("sk-e2e-rotation-%03d", number), bad: number%10 == 9}
	leading := slices.DeleteFunc(slices.Clone(r.turns), func(t turn) bool { return t.bad })
	r.turns = append(r.turns, next)
	r.accept(ctx, r.good()...)
	r.store(ctx, number, next.value)
	if next.bad {
		rejected := r.keyIn(ctx, next.value, v1alpha1.KeyRejected)
		Expect(rejected.Message).NotTo(BeEmpty())
		rotating := eventuallyCondition(ctx, r.credential("provider"), v1alpha1.ConditionRotating, metav1.ConditionFalse)
		Expect(rotating.Reason).To(Equal(v1alpha1.ReasonKeyRejected))
		return
	}
	r.keyIn(ctx, next.value, v1alpha1.KeyActive)
	if len(leading) == 0 {
		return
	}
	previous := leading[len(leading)-1].value
	at := slices.IndexFunc(r.turns, func(t turn) bool { return t.value == previous })
	r.turns[at].until = r.keyIn(ctx, previous, v1alpha1.KeyPrevious).Until.Time
	Expect(r.turns[at].until).NotTo(BeZero())
}

// sent are the times of calls by the key that they came with.
func (w *world) sent(ctx context.Context) map[string][]time.Time {
	GinkgoHelper()
	arrivals, err := w.provider.Arrivals(ctx)
	Expect(err).NotTo(HaveOccurred())
	byKey := map[string][]time.Time{}
	for _, arrival := range arrivals {
		if arrival.Endpoint == chatEndpoint {
			byKey[arrival.Key] = append(byKey[arrival.Key], arrival.Time)
		}
	}
	return byKey
}

var _ = Describe("keys of providers", Serial, func() {
	It("rotates under constant load without a failed request, never sends a bad key, nor an old one after its overlap", func(ctx context.Context) {
		rotations, duration := 20, 100*time.Second
		if full() {
			rotations, duration = 100, 9*time.Minute
		}
		r := &rotor{world: newWorld(ctx)}
		r.editCredential(ctx, func(spec *v1alpha1.ProviderCredentialSpec) {
			spec.Rotation.Overlap = &metav1.Duration{Duration: overlap}
		})
		route := r.route("chat", func(m *v1alpha1.ModelRoute) {
			m.Spec.Targets = m.Spec.Targets[:1]
			one := int32(1)
			m.Spec.Fallback.MaxAttempts = &one
		})
		create(ctx, route)
		eventuallyCondition(ctx, route, v1alpha1.ConditionReady, metav1.ConditionTrue)
		r.eventuallyServed(ctx)
		running := r.startLoad(ctx, "load", duration, "--stream")
		for number := range rotations {
			r.turnKey(ctx, number)
		}
		pod := &corev1.Pod{}
		Expect(api.Get(ctx, client.ObjectKey{Namespace: r.namespace, Name: "load"}, pod)).To(Succeed())
		Expect(pod.Status.Phase).To(Equal(corev1.PodRunning), "the load ended before the last rotation")
		expectClean(running.finish(ctx, duration+time.Minute))
		r.expectSent(ctx)
	})

	It("lets several keys share the load, and no client sees one of them die or come back", func(ctx context.Context) {
		w := newWorld(ctx)
		names := []string{"one", "two", "three", "four"}
		values := map[string]string{}
		var keys []v1alpha1.ProviderKey
		for _, name := range names {
			values[name] = "sk-e2e-pool-" + name
			keys = append(keys, v1alpha1.ProviderKey{Name: name, SecretKeyRef: v1alpha1.SecretKeyReference{Name: "pool", Key: name}})
		}
		w.createSecret(ctx, "pool", v1alpha1.LabelProviderKey, values)
		w.acceptPool(ctx, values, nil)
		w.editCredential(ctx, func(spec *v1alpha1.ProviderCredentialSpec) {
			spec.Auth.Keys, spec.Auth.KeyPolicy = keys, v1alpha1.KeysShare
		})
		route := w.route("chat", func(m *v1alpha1.ModelRoute) {
			m.Spec.Targets = m.Spec.Targets[:1]
			one := int32(1)
			m.Spec.Fallback.MaxAttempts = &one
		})
		create(ctx, route)
		eventuallyCondition(ctx, route, v1alpha1.ConditionReady, metav1.ConditionTrue)
		w.eventuallyServed(ctx)
		running := w.startLoad(ctx, "load", 75*time.Second)
		for _, dead := range []map[string]int{
			{"one": 401}, {"one": 401, "two": 429}, {"two": 429, "three": 402}, {"one": 401, "two": 401, "three": 401}, {},
		} {
			w.acceptPool(ctx, values, dead)
			w.passes(ctx, 400)
		}
		// That a key is good again is found out when its time alone is over.
		w.keyIn(ctx, values["one"], v1alpha1.KeyActive)
		w.acceptPool(ctx, values, map[string]int{"four": 401})
		w.passes(ctx, 400)
		w.acceptPool(ctx, values, nil)
		expectClean(running.finish(ctx, 2*time.Minute))
		sent := w.sent(ctx)
		for _, name := range names {
			Expect(len(sent[values[name]])).To(BeNumerically(">", 100), "key %s carried no load", name)
		}
		for _, name := range names {
			w.keyIn(ctx, values[name], v1alpha1.KeyActive)
		}
	})
})

// expectSent compares what the provider saw with what the turns allow.
func (r *rotor) expectSent(ctx context.Context) {
	GinkgoHelper()
	sent := r.sent(ctx)
	var last string
	for _, t := range r.turns {
		Expect(sent[t.value+"-passing"]).To(BeEmpty(), "a value that was replaced within a second was sent")
		calls := sent[t.value]
		if t.bad {
			Expect(calls).To(BeEmpty(), "%s was sent although the provider refuses it", t.value)
			continue
		}
		Expect(calls).NotTo(BeEmpty(), "%s was never used", t.value)
		last = t.value
		if !t.until.IsZero() {
			Expect(slices.MaxFunc(calls, time.Time.Compare)).To(BeTemporally("<=", t.until, inTransit), "%s was sent after its overlap", t.value)
		}
	}
	Expect(sent).To(HaveKey(last))
	known := append(r.good(), "")
	for key := range sent {
		Expect(known).To(ContainElement(key), "a key was sent that nobody stored")
	}
	AddReportEntry("rotations", fmt.Sprintf("%d turns, %d keys seen by the provider", len(r.turns), len(sent)), ReportEntryVisibilityAlways)
}

// acceptPool has the provider refuse the dead keys with their status, and take the others.
func (w *world) acceptPool(ctx context.Context, values map[string]string, dead map[string]int) {
	GinkgoHelper()
	var known []fakeprovider.Key
	for name, value := range values {
		known = append(known, fakeprovider.Key{Value: value, Status: dead[name]})
	}
	slices.SortFunc(known, func(a, b fakeprovider.Key) int { return strings.Compare(a.Value, b.Value) })
	w.configure(ctx, map[string]any{"keys": known})
}

// passes waits until the provider got so many more calls.
func (w *world) passes(ctx context.Context, calls int64) {
	GinkgoHelper()
	before, err := w.provider.Counters(ctx)
	Expect(err).NotTo(HaveOccurred())
	Eventually(ctx, func(g Gomega) {
		now, err := w.provider.Counters(ctx)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(now.Total.Requests - before.Total.Requests).To(BeNumerically(">=", calls))
	}).Should(Succeed())
}
