//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"strconv"
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

// Bounds of the calls of a fleet's route.
const (
	fleetFirstToken = 3 * time.Second
	fleetAttempt    = 3 * time.Second
	fleetIdle       = 5 * time.Second
	fleetTotal      = 8 * time.Second
)

// fleet is a world with two providers and a route that tries one after the other.
type fleet struct {
	*world
	first, second *fakeprovider.Client
	loads         int // begun so far, for their names
}

// newFleet makes the world, its route "chat" with the edits, and waits until it serves.
func newFleet(ctx context.Context, edits ...func(*v1alpha1.ModelRoute)) *fleet {
	GinkgoHelper()
	f := &fleet{world: newWorld(ctx)}
	f.first = f.provider
	f.second = f.startProvider(ctx, "second")
	f.createSecret(ctx, "second", v1alpha1.LabelProviderKey, map[string]string{"api-key": providerKey})
	create(ctx, f.credentialOf("second"))
	route := f.route("chat", append([]func(*v1alpha1.ModelRoute){f.targets}, edits...)...)
	create(ctx, route)
	eventuallyCondition(ctx, route, v1alpha1.ConditionReady, metav1.ConditionTrue)
	f.eventuallyServed(ctx)
	return f
}

// credentialOf is a credential for the provider, Service and Secret of that name.
func (w *world) credentialOf(name string) *v1alpha1.ProviderCredential {
	credential := w.credential(name)
	credential.Spec.Endpoint = "http://" + name + "." + w.namespace + ":9900/v1"
	credential.Spec.Auth.Keys[0].SecretKeyRef.Name = name
	return credential
}

// targets makes the route call the first provider, then the second.
func (f *fleet) targets(r *v1alpha1.ModelRoute) {
	second := int32(1)
	r.Spec.Targets = []v1alpha1.RouteTarget{
		{Name: "first", CredentialRef: v1alpha1.LocalReference{Name: "provider"}, Model: largeModel},
		{Name: "second", CredentialRef: v1alpha1.LocalReference{Name: "second"}, Model: largeModel, Priority: &second},
	}
	r.Spec.Timeouts = v1alpha1.RouteTimeouts{
		FirstToken: metav1.Duration{Duration: fleetFirstToken}, Attempt: metav1.Duration{Duration: fleetAttempt},
		Idle: metav1.Duration{Duration: fleetIdle}, Total: metav1.Duration{Duration: fleetTotal},
	}
}

// kill ends the first provider's process without a word.
func (f *fleet) kill(ctx context.Context) {
	GinkgoHelper()
	pod := &corev1.Pod{ObjectMeta: f.meta("provider")}
	Expect(api.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed())
	eventuallyGone(ctx, pod)
}

// revive starts the first provider again.
func (f *fleet) revive(ctx context.Context) {
	GinkgoHelper()
	f.first = f.startProviderPod(ctx, "provider", "provider")
	f.provider = f.first
}

// heal makes both providers answer as if nothing had been.
func (f *fleet) heal(ctx context.Context) {
	GinkgoHelper()
	for _, provider := range []*fakeprovider.Client{f.first, f.second} {
		Expect(provider.ClearFaults(ctx)).To(Succeed())
		Expect(provider.PatchSettings(ctx, map[string]any{
			"firstTokenDelay": "0s", "keys": []fakeprovider.Key{{Value: providerKey}}, "withdrawn": nil, "quota": nil,
		})).To(Succeed())
	}
}

// fault makes something go wrong at the first provider until it is healed.
func (f *fleet) fault(ctx context.Context, faults ...fakeprovider.Fault) {
	GinkgoHelper()
	for i := range faults {
		faults[i].Match.Endpoint = "chat/completions"
		if faults[i].Times == 0 {
			faults[i].Times = -1
		}
	}
	Expect(f.first.AddFaults(ctx, faults...)).To(Succeed())
}

func counters(ctx context.Context, g Gomega, provider *fakeprovider.Client) fakeprovider.Counters {
	GinkgoHelper()
	found, err := provider.Counters(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	return found
}

// done is how many calls the provider has answered well.
func done(ctx context.Context, g Gomega, provider *fakeprovider.Client) int64 {
	GinkgoHelper()
	return counters(ctx, g, provider).ByPath["/v1/chat/completions"].Done
}

// eventuallyServes waits until the provider has answered so many calls more, and returns how long that took.
func eventuallyServes(ctx context.Context, provider *fakeprovider.Client, calls int64, patience time.Duration) time.Duration {
	GinkgoHelper()
	begun, before := time.Now(), done(ctx, Default, provider)
	Eventually(ctx, func(g Gomega) {
		g.Expect(done(ctx, g, provider) - before).To(BeNumerically(">=", calls))
	}).WithTimeout(patience).WithPolling(50 * time.Millisecond).Should(Succeed())
	return time.Since(begun)
}

// pass lets time pass in which nothing is looked at.
func pass(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// loads are a load of plain answers and one of streams, 50 connections and 100 requests a second together.
type loads struct {
	plain, streamed *load
}

// loadName is a name that no other load of the fleet has.
func (f *fleet) loadName() string {
	f.loads++
	return fmt.Sprintf("load-%d", f.loads)
}

func (f *fleet) startLoads(ctx context.Context, duration time.Duration) loads {
	GinkgoHelper()
	half := []string{"--connections", "25", "--rate", "50"}
	return loads{
		plain:    f.startLoad(ctx, f.loadName(), duration, half...),
		streamed: f.startLoad(ctx, f.loadName(), duration, append(half, "--stream")...),
	}
}

// finish waits for both to end and returns the sum.
func (l loads) finish(ctx context.Context) loadSummary {
	GinkgoHelper()
	sum, streamed := l.plain.finish(ctx, 2*time.Minute), l.streamed.finish(ctx, 2*time.Minute)
	sum.Attempts += streamed.Attempts
	sum.OK += streamed.OK
	sum.Failed += streamed.Failed
	sum.Connections += streamed.Connections
	sum.Broken += streamed.Broken
	sum.LongestMillis = max(sum.LongestMillis, streamed.LongestMillis)
	for _, maps := range []struct{ into, from map[string]int }{
		{sum.Statuses, streamed.Statuses}, {sum.Targets, streamed.Targets},
	} {
		add(maps.into, maps.from)
	}
	if sum.Failures == nil {
		sum.Failures = map[string]int{}
	}
	add(sum.Failures, streamed.Failures)
	return sum
}

func add(into, from map[string]int) {
	for name := range maps.Keys(from) {
		into[name] += from[name]
	}
}

// scrape reads the metrics of the namespace's proxies.
func (w *world) scrape(ctx context.Context) []string {
	GinkgoHelper()
	var texts []string
	for _, pod := range proxyPods(ctx, Default, w.namespace) {
		text, err := fetch(ctx, "http://"+pod.Status.PodIP+":9090/metrics")
		Expect(err).NotTo(HaveOccurred())
		texts = append(texts, text)
	}
	return texts
}

// residentBytes sums the memory of the namespace's proxies as they report it themselves.
func (w *world) residentBytes(ctx context.Context) int64 {
	GinkgoHelper()
	var sum int64
	for _, text := range w.scrape(ctx) {
		_, after, found := strings.Cut(text, "\nprocess_resident_memory_bytes ")
		Expect(found).To(BeTrue(), "a proxy does not tell its memory")
		number, _, _ := strings.Cut(after, "\n")
		bytes, err := strconv.ParseFloat(number, 64)
		Expect(err).NotTo(HaveOccurred())
		sum += int64(bytes)
	}
	return sum
}
