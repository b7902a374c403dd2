//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/hack/fakeprovider"
)

// leastPause is the shortest time between two writes of one status, less what a busy machine takes to tell of one.
const leastPause = 5*time.Second - 500*time.Millisecond

// follows is within which time a status says what happens. A machine that does something else meanwhile gets twice as long.
func follows() time.Duration {
	if full() {
		return 10 * time.Second
	}
	return 20 * time.Second
}

// writes are the times at which a credential was written.
type writes struct {
	mutex sync.Mutex
	times []time.Time
}

// watchWrites notes every write of the credential until the spec ends.
func (w *world) watchWrites(ctx context.Context) *writes {
	GinkgoHelper()
	settings, err := config.GetConfig()
	Expect(err).NotTo(HaveOccurred())
	watching, err := client.NewWithWatch(settings, client.Options{Scheme: api.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	stream, err := watching.Watch(ctx, &v1alpha1.ProviderCredentialList{}, client.InNamespace(w.namespace), client.MatchingFields{"metadata.name": "provider"})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(stream.Stop)
	noted := &writes{}
	go func() {
		for event := range stream.ResultChan() {
			if event.Type == watch.Modified {
				noted.mutex.Lock()
				noted.times = append(noted.times, time.Now())
				noted.mutex.Unlock()
			}
		}
	}()
	return noted
}

// expectPaced looks at the pauses between the writes.
func (n *writes) expectPaced() {
	GinkgoHelper()
	n.mutex.Lock()
	defer n.mutex.Unlock()
	for i := 1; i < len(n.times); i++ {
		Expect(n.times[i].Sub(n.times[i-1])).To(BeNumerically(">=", leastPause), "write %d of %d came too soon", i+1, len(n.times))
	}
	AddReportEntry("writes", fmt.Sprintf("%d writes of the status", len(n.times)), ReportEntryVisibilityAlways)
}

// eventuallyHealth waits until the credential's state is one of those, and tells how long that took.
func (w *world) eventuallyHealth(ctx context.Context, what string, state v1alpha1.HealthState, reasons ...string) {
	GinkgoHelper()
	began := time.Now()
	Eventually(ctx, func(g Gomega) {
		credential := w.credential("provider")
		g.Expect(api.Get(ctx, client.ObjectKeyFromObject(credential), credential)).To(Succeed())
		g.Expect(credential.Status.Health).NotTo(BeNil())
		g.Expect(credential.Status.Health.State).To(Equal(state), "%s: %+v", what, credential.Status.Health)
		if len(reasons) > 0 {
			g.Expect(credential.Status.Health.Reason).To(BeElementOf(reasons))
		}
	}).WithTimeout(follows()).Should(Succeed())
	AddReportEntry("health", fmt.Sprintf("%s: %s after %v", what, state, time.Since(began).Round(100*time.Millisecond)), ReportEntryVisibilityAlways)
}

var _ = Describe("health in status", Serial, func() {
	It("follows a provider that is slow, failing, rate-limited, unreachable, and well again", func(ctx context.Context) {
		w := newWorld(ctx)
		w.editCredential(ctx, func(spec *v1alpha1.ProviderCredentialSpec) {
			spec.Probe.SlowAfter = metav1.Duration{Duration: 400 * time.Millisecond}
			spec.Probe.Interval = metav1.Duration{Duration: time.Minute}
		})
		route := w.route("chat")
		create(ctx, route)
		eventuallyCondition(ctx, route, v1alpha1.ConditionReady, metav1.ConditionTrue)
		w.eventuallyServed(ctx)
		w.startApp(ctx, "load", "app", "load", "--token-file", tokenPath, "--duration", "5m", "--stream")
		w.eventuallyHealth(ctx, "at first", v1alpha1.HealthHealthy)
		noted := w.watchWrites(ctx)
		well := func() {
			w.configure(ctx, map[string]any{"firstTokenDelay": "0s", "keys": []fakeprovider.Key{{Value: providerKey}}})
			Expect(w.provider.ClearFaults(ctx)).To(Succeed())
			w.eventuallyHealth(ctx, "well again", v1alpha1.HealthHealthy)
		}

		w.configure(ctx, map[string]any{"firstTokenDelay": "900ms"})
		w.eventuallyHealth(ctx, "slow", v1alpha1.HealthDegraded, v1alpha1.ReasonSlow)
		well()
		Expect(w.provider.AddFaults(ctx, fakeprovider.Fault{Kind: fakeprovider.FaultStatus, Status: 500, Times: -1})).To(Succeed())
		w.eventuallyHealth(ctx, "failing", v1alpha1.HealthDown)
		well()
		w.configure(ctx, map[string]any{"keys": []fakeprovider.Key{{Value: providerKey, Status: 429}}})
		w.eventuallyHealth(ctx, "rate-limited", v1alpha1.HealthRateLimited)
		well()
		pod := &corev1.Pod{ObjectMeta: w.meta("provider")}
		Expect(api.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed())
		w.eventuallyHealth(ctx, "unreachable", v1alpha1.HealthDown, v1alpha1.ReasonUnreachable)
		Expect(kubectl(ctx, "get", "pcred", "-n", w.namespace)).To(ContainSubstring("Down"))
		eventuallyGone(ctx, pod)
		w.provider = w.startProviderPod(ctx, "provider", "provider")
		well()
		found := w.losePackets(ctx, "provider")
		w.eventuallyHealth(ctx, "packets lost", v1alpha1.HealthDown)
		found(ctx)
		well()
		noted.expectPaced()
	})
})
