//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/hack/fakeprovider"
	"signalbox.dev/signalbox/proxy/meter"
)

func expectClean(summary loadSummary) {
	GinkgoHelper()
	Expect(summary.Connections).To(BeNumerically(">=", 50))
	Expect(summary.Attempts).To(BeNumerically(">=", 1000))
	Expect(summary.Failed).To(BeZero(), "%v", summary.Failures)
}

func managerPods(ctx context.Context) *corev1.PodList {
	GinkgoHelper()
	pods := &corev1.PodList{}
	Expect(api.List(ctx, pods, client.InNamespace(systemNamespace), client.MatchingLabels{"app.kubernetes.io/name": "signalbox-manager"})).To(Succeed())
	return pods
}

// eventuallyKey waits until the provider has seen a request with the key and returns when the first one came.
func eventuallyKey(ctx context.Context, w *world, key string) time.Time {
	GinkgoHelper()
	var seen time.Time
	Eventually(ctx, func(g Gomega) {
		records, err := w.provider.Requests(ctx, 1000)
		g.Expect(err).NotTo(HaveOccurred())
		for _, record := range records {
			if record.Key == key && record.Method == http.MethodPost && (seen.IsZero() || record.Time.Before(seen)) {
				seen = record.Time
			}
		}
		g.Expect(seen).NotTo(BeZero(), "no request with the new key yet")
	}).WithPolling(50 * time.Millisecond).Should(Succeed())
	return seen
}

var _ = Describe("a bad day", Serial, func() {
	var w *world

	BeforeEach(func(ctx context.Context) {
		w = newWorld(ctx)
		route := w.route("chat")
		create(ctx, route)
		eventuallyCondition(ctx, route, v1alpha1.ConditionReady, metav1.ConditionTrue)
		w.eventuallyServed(ctx)
	})

	It("changes a provider key under load without a failed request, in use within two seconds", func(ctx context.Context) {
		const next = "sk-e2e-provider-key-2"
		w.configure(ctx, map[string]any{"keys": []fakeprovider.Key{{Value: providerKey}, {Value: next}}})
		running := w.startLoad(ctx, "load", 10*time.Second)
		secret := &corev1.Secret{}
		Expect(api.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: "provider"}, secret)).To(Succeed())
		secret.Data["api-key"] = []byte(next)
		changed := time.Now()
		Expect(api.Update(ctx, secret)).To(Succeed())
		Expect(eventuallyKey(ctx, w, next)).To(BeTemporally("<", changed.Add(2*time.Second)))
		expectClean(running.finish(ctx, time.Minute))
	})

	It("serves on while the managers are deleted", func(ctx context.Context) {
		running := w.startLoad(ctx, "load", 10*time.Second)
		for _, pod := range managerPods(ctx).Items {
			Expect(api.Delete(ctx, &pod, client.GracePeriodSeconds(0))).To(Succeed())
		}
		expectClean(running.finish(ctx, time.Minute))
		after := w.route("after")
		create(ctx, after)
		eventuallyCondition(ctx, after, v1alpha1.ConditionReady, metav1.ConditionTrue)
	})

	It("serves on while the API server is away, and status catches up", func(ctx context.Context) {
		away := 20 * time.Second
		if full() {
			away = 60 * time.Second
		}
		budget := &v1alpha1.SpendBudget{ObjectMeta: w.meta("team"), Spec: v1alpha1.SpendBudgetSpec{
			Limit: v1alpha1.SpendLimit{Amount: "100"}, Window: v1alpha1.BudgetWindow{Period: v1alpha1.PeriodTotal},
		}}
		create(ctx, budget)
		eventuallyCondition(ctx, budget, v1alpha1.ConditionEnforced, metav1.ConditionTrue)
		running := w.startLoad(ctx, "load", away+10*time.Second)
		cluster(ctx, "stop", "kube-apiserver")
		stopped := time.NewTimer(away)
		<-stopped.C
		cluster(ctx, "start", "kube-apiserver")
		expectClean(running.finish(ctx, 2*away+time.Minute))
		want := reportedCost(ctx, w)
		Eventually(ctx, func(g Gomega) {
			g.Expect(api.Get(ctx, client.ObjectKeyFromObject(budget), budget)).To(Succeed())
			g.Expect(budget.Status.Spent).To(Equal(meter.FormatUSD(want)))
		}).Should(Succeed())
		eventuallyCondition(ctx, w.route("chat"), v1alpha1.ConditionReady, metav1.ConditionTrue)
	})

	It("rolls the proxies out under streaming load without cutting a stream", func(ctx context.Context) {
		w.configure(ctx, map[string]any{"tokensPerSecond": 10, "completionTokens": 30})
		running := w.startLoad(ctx, "load", 15*time.Second, "--stream", "--connections", "400", "--max-tokens", "30")
		kubectl(ctx, "rollout", "restart", "-n", w.namespace, "deployment/signalbox")
		kubectl(ctx, "rollout", "status", "-n", w.namespace, "deployment/signalbox", "--timeout=60s")
		expectClean(running.finish(ctx, time.Minute))
	})

	It("removes the proxy with the last route, and leaves what it does not own", func(ctx context.Context) {
		foreign := &corev1.ConfigMap{ObjectMeta: w.meta("foreign"), Data: map[string]string{"a": "b"}}
		create(ctx, foreign)
		Expect(api.Delete(ctx, w.route("chat"))).To(Succeed())
		for _, object := range []client.Object{&appsv1.Deployment{}, &corev1.Service{}, &corev1.ServiceAccount{}} {
			object.SetNamespace(w.namespace)
			object.SetName(v1alpha1.ProxyName)
			eventuallyGone(ctx, object)
		}
		table := &corev1.Secret{ObjectMeta: w.meta("signalbox-table")}
		eventuallyGone(ctx, table)
		Expect(api.Get(ctx, client.ObjectKeyFromObject(foreign), foreign)).To(Succeed())
		eventuallyCondition(ctx, w.credential("provider"), v1alpha1.ConditionHealthy, metav1.ConditionTrue)
	})

	It("is upgraded and uninstalled by Helm under load, and leaves the users' objects and their proxies", func(ctx context.Context) {
		running := w.startLoad(ctx, "load", 20*time.Second)
		installChart(ctx, chartPath(), "--set", "manager.logLevel=debug")
		helm(ctx, "uninstall", "signalbox", "--namespace", systemNamespace, "--wait", "--timeout", "60s")
		DeferCleanup(func(ctx context.Context) { installChart(ctx, chartPath()) })
		expectClean(running.finish(ctx, time.Minute))
		route := w.route("chat")
		Expect(api.Get(ctx, client.ObjectKeyFromObject(route), route)).To(Succeed())
		Expect(managerPods(ctx).Items).To(BeEmpty())
		left := kubectl(ctx, "get", "clusterroles,clusterrolebindings", "-l", "app.kubernetes.io/part-of=signalbox", "-o", "name")
		Expect(left).To(BeEmpty())
		installChart(ctx, chartPath())
		second := w.route("second")
		create(ctx, second)
		eventuallyCondition(ctx, second, v1alpha1.ConditionReady, metav1.ConditionTrue)
	})
})
