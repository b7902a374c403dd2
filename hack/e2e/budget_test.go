//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/meter"
)

// reportedCost is what the provider's own counts come to at the credential's prices, in nano-dollars. Every price used here is a whole number of
// nano-dollars a token, so that no rounding hides a difference.
func reportedCost(ctx context.Context, w *world) int64 {
	GinkgoHelper()
	counters, err := w.provider.Counters(ctx)
	Expect(err).NotTo(HaveOccurred())
	large, small := counters.ByModel[largeModel].Reported, counters.ByModel[smallModel].Reported
	return large.PromptTokens*590 + large.CompletionTokens*790 + small.PromptTokens*50 + small.CompletionTokens*80
}

var _ = Describe("a Soft budget", func() {
	It("refuses calls once it is spent, and agrees with the provider to the last nano-dollar", func(ctx context.Context) {
		w := newWorld(ctx)
		budget := &v1alpha1.SpendBudget{
			ObjectMeta: w.meta("team"),
			Spec: v1alpha1.SpendBudgetSpec{
				Limit:   v1alpha1.SpendLimit{Amount: "0.01"},
				Window:  v1alpha1.BudgetWindow{Period: v1alpha1.PeriodMonth, TimeZone: "Europe/Lisbon"},
				Actions: []v1alpha1.BudgetAction{{AtPercent: 50, Do: v1alpha1.ActionNotify}},
			},
		}
		route := w.route("chat")
		create(ctx, budget, route)
		eventuallyCondition(ctx, route, v1alpha1.ConditionReady, metav1.ConditionTrue)
		eventuallyCondition(ctx, budget, v1alpha1.ConditionEnforced, metav1.ConditionTrue)
		w.eventuallyServed(ctx)

		By("spending it under load, streamed and not")
		plain := w.startLoad(ctx, "load-plain", 8*time.Second)
		streamed := w.startLoad(ctx, "load-streamed", 8*time.Second, "--stream")
		sum := plain.finish(ctx, time.Minute)
		sumStreamed := streamed.finish(ctx, time.Minute)
		Expect(sum.OK + sumStreamed.OK).To(BeNumerically(">", 0))
		Expect(sum.Statuses["402"] + sumStreamed.Statuses["402"]).To(BeNumerically(">", 0))
		Expect(sum.Attempts).To(Equal(sum.Statuses["200"]+sum.Statuses["402"]), "%v", sum.Failures)
		Expect(sumStreamed.Attempts).To(Equal(sumStreamed.Statuses["200"]+sumStreamed.Statuses["402"]), "%v", sumStreamed.Failures)

		By("comparing status with what the provider reported")
		eventuallyCondition(ctx, budget, v1alpha1.ConditionExceeded, metav1.ConditionTrue)
		eventuallyCondition(ctx, budget, v1alpha1.ConditionNearLimit, metav1.ConditionTrue)
		want := reportedCost(ctx, w)
		Expect(want).To(BeNumerically(">=", 10_000_000))
		Eventually(ctx, func(g Gomega) {
			g.Expect(api.Get(ctx, client.ObjectKeyFromObject(budget), budget)).To(Succeed())
			g.Expect(budget.Status.Spent).To(Equal(meter.FormatUSD(want)))
			g.Expect(budget.Status.Remaining).To(Equal("0"))
			g.Expect(budget.Status.Requests).To(BeEquivalentTo(sum.OK + sumStreamed.OK))
		}).Should(Succeed())

		By("refusing with what the caller needs to know")
		answer := w.chat(ctx, "app", withToken(), "--stream")
		Expect(answer.Status).To(Equal(http.StatusPaymentRequired))
		Expect(errorCode(answer.Error)).To(Equal("budget_exceeded"))
		Expect(string(answer.Error)).To(ContainSubstring("team"))
		Expect(string(answer.Error)).To(ContainSubstring("0.01"))
		Expect(string(answer.Error)).To(ContainSubstring(budget.Status.Window.End.UTC().Format("2006-01-02T15:04:05")))

		By("letting calls through again after a reset")
		Expect(api.Get(ctx, client.ObjectKeyFromObject(budget), budget)).To(Succeed())
		budget.Spec.Window.ResetID = "again"
		Expect(api.Update(ctx, budget)).To(Succeed())
		Eventually(ctx, func(g Gomega) {
			g.Expect(w.chat(ctx, "app", withToken()).Status).To(Equal(http.StatusOK))
		}).Should(Succeed())
	})
})
