//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/hack/fakeprovider"
)

// conversation is what testapp converse prints of each session.
type conversation struct {
	Session  string
	Targets  []string
	Failures []string
}

// converse holds conversations of ten turns from the app pod, and prints what came of them.
func (w *world) converse(ctx context.Context, args ...string) []conversation {
	GinkgoHelper()
	command := append([]string{"exec", "-n", w.namespace, "app", "--", "/testapp", "converse", "--turns", "10"}, append(withToken(), args...)...)
	var held []conversation
	Expect(json.Unmarshal([]byte(kubectl(ctx, command...)), &held)).To(Succeed())
	return held
}

var _ = Describe("affinity", Ordered, Serial, func() {
	var f *fleet

	BeforeAll(func(ctx context.Context) {
		f = newFleet(ctx, func(r *v1alpha1.ModelRoute) {
			r.Spec.Targets[1].Priority = nil
			r.Spec.Affinity = &v1alpha1.RouteAffinity{By: v1alpha1.AffinitySession}
		})
	})

	It("keeps ten-turn conversations on their target while the proxies are replaced", func(ctx context.Context) {
		restarted := make(chan struct{})
		go func() {
			defer GinkgoRecover()
			defer close(restarted)
			pass(ctx, 2*time.Second)
			kubectl(ctx, "rollout", "restart", "-n", f.namespace, "deployment/signalbox")
			kubectl(ctx, "rollout", "status", "-n", f.namespace, "deployment/signalbox", "--timeout=90s")
		}()
		held := f.converse(ctx, "--sessions", "20", "--pause", "1500ms")
		<-restarted
		used := map[string]int{}
		for _, c := range held {
			Expect(c.Failures).To(BeEmpty(), c.Session)
			Expect(slices.Compact(slices.Clone(c.Targets))).To(HaveLen(1), "%s went to %v", c.Session, c.Targets)
			used[c.Targets[0]]++
		}
		AddReportEntry("conversations by target", fmt.Sprint(used), ReportEntryVisibilityAlways)
		Expect(used).To(HaveLen(2), "all conversations went to one target")
	})
})

var _ = Describe("a model server of several pods", Serial, func() {
	It("gets the turns of a conversation at one pod, and conversations at all", func(ctx context.Context) {
		w := newWorld(ctx)
		pods := w.startHeadless(ctx, "farm", 3)
		w.createSecret(ctx, "farm", v1alpha1.LabelProviderKey, map[string]string{"api-key": providerKey})
		create(ctx, w.credentialOf("farm"))
		route := w.route("chat", func(r *v1alpha1.ModelRoute) {
			r.Spec.Targets = []v1alpha1.RouteTarget{{Name: "farm", CredentialRef: v1alpha1.LocalReference{Name: "farm"}, Model: largeModel}}
			r.Spec.Affinity = &v1alpha1.RouteAffinity{By: v1alpha1.AffinitySession}
		})
		create(ctx, route)
		eventuallyCondition(ctx, route, v1alpha1.ConditionReady, metav1.ConditionTrue)
		w.eventuallyServed(ctx)
		held := w.converse(ctx, "--sessions", "20", "--pause", "200ms")
		where := map[string][]int{}
		for i, pod := range pods {
			records, err := pod.Requests(ctx, 1000)
			Expect(err).NotTo(HaveOccurred())
			for _, c := range held {
				for _, record := range records {
					if strings.Contains(record.Body, "You know "+c.Session+".") && !slices.Contains(where[c.Session], i) {
						where[c.Session] = append(where[c.Session], i)
					}
				}
			}
		}
		AddReportEntry("pods by conversation", fmt.Sprint(where), ReportEntryVisibilityAlways)
		used := map[int]bool{}
		for _, c := range held {
			Expect(c.Failures).To(BeEmpty(), c.Session)
			Expect(where[c.Session]).To(HaveLen(1), c.Session)
			used[where[c.Session][0]] = true
		}
		Expect(used).To(HaveLen(len(pods)), "some pods got nothing")
	})
})

// startHeadless starts several pods of a provider behind a headless Service.
func (w *world) startHeadless(ctx context.Context, name string, replicas int) []*fakeprovider.Client {
	GinkgoHelper()
	create(ctx, &corev1.Service{
		ObjectMeta: w.meta(name),
		Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone, Selector: providerLabels(name), Ports: []corev1.ServicePort{{Port: 9900}},
		},
	})
	var pods []*fakeprovider.Client
	for i := range replicas {
		pods = append(pods, w.startProviderPod(ctx, fmt.Sprintf("%s-%d", name, i), name))
	}
	return pods
}

var _ = Describe("limits", Serial, func() {
	It("admits no more than the limit in any minute while proxies come and go", func(ctx context.Context) {
		const perMinute = 600
		steps, rate := 8*time.Second, "100"
		if full() {
			steps, rate = time.Minute, "60"
		}
		w := newWorld(ctx)
		w.scaleByHand(ctx)
		w.configure(ctx, map[string]any{"completionTokens": 1})
		limit := int64(perMinute)
		route := w.route("chat", func(r *v1alpha1.ModelRoute) {
			r.Spec.Limits = []v1alpha1.RouteLimit{{Per: v1alpha1.LimitPerRoute, RequestsPerMinute: &limit}}
		})
		create(ctx, route)
		eventuallyCondition(ctx, route, v1alpha1.ConditionReady, metav1.ConditionTrue)
		w.eventuallyServed(ctx)
		running := w.startLoad(ctx, "load", 4*steps, "--rate", rate)
		for _, replicas := range []string{"4", "2"} {
			pass(ctx, steps)
			kubectl(ctx, "scale", "-n", w.namespace, "deployment/signalbox", "--replicas", replicas)
			kubectl(ctx, "rollout", "status", "-n", w.namespace, "deployment/signalbox", "--timeout=60s")
		}
		sum := running.finish(ctx, 4*steps+time.Minute)
		Expect(sum.Statuses["200"]+sum.Statuses["429"]).To(Equal(sum.Attempts), "%v", sum.Failures)
		Expect(sum.Statuses["429"]).To(BeNumerically(">", 0), "the load was no overload")
		most := mostInAMinute(ctx, w.provider)
		AddReportEntry("admitted", fmt.Sprintf("%d at most in a minute, of %d allowed and %d offered", most, perMinute, sum.Attempts), ReportEntryVisibilityAlways)
		Expect(most).To(BeNumerically("<=", perMinute*102/100))
		Expect(most).To(BeNumerically(">=", perMinute/2))
	})
})

// scaleByHand lets the number of the namespace's proxies be changed with kubectl, one at first.
func (w *world) scaleByHand(ctx context.Context) {
	GinkgoHelper()
	override := fmt.Sprintf(`namespaces={%q:{"autoscaling":{"minReplicas":1,"maxReplicas":4,"targetCPUPercent":100}}}`, w.namespace)
	installChart(ctx, chartPath(), "--set-json", override)
	DeferCleanup(func(ctx context.Context) { installChart(ctx, chartPath()) })
}

// mostInAMinute is the largest number of calls that the provider received in any minute.
func mostInAMinute(ctx context.Context, provider *fakeprovider.Client) int {
	GinkgoHelper()
	arrivals, err := provider.Arrivals(ctx)
	Expect(err).NotTo(HaveOccurred())
	calls := slices.DeleteFunc(arrivals, func(a fakeprovider.Arrival) bool { return a.Endpoint != "chat/completions" })
	most, first := 0, 0
	for last := range calls {
		for calls[last].Time.Sub(calls[first].Time) > time.Minute {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}
