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
)

// calledRoute makes a route of a world whose only target is the route "chat" of another one.
func (w *world) calledRoute(name string, of *world) *v1alpha1.ModelRoute {
	return w.route(name, func(r *v1alpha1.ModelRoute) {
		r.Spec.Targets = []v1alpha1.RouteTarget{{
			Name: "platform", RouteRef: &v1alpha1.RouteReference{Namespace: of.namespace, Name: "chat"}, Model: "chat",
		}}
	})
}

var _ = Describe("routes of other namespaces", Serial, func() {
	It("serve a team with the platform's keys, as far as access and the budgets of both let it", func(ctx context.Context) {
		platform, team := newWorld(ctx), newWorld(ctx)
		offered := platform.route("chat", func(r *v1alpha1.ModelRoute) { r.Spec.Access = &v1alpha1.RouteAccess{} })
		create(ctx, offered)
		eventuallyCondition(ctx, offered, v1alpha1.ConditionReady, metav1.ConditionTrue)
		called := team.calledRoute("chat", platform)
		budgets := []*v1alpha1.SpendBudget{budgetOf(platform, "100"), budgetOf(team, "100")}
		create(ctx, called, budgets[0], budgets[1])
		refused := eventuallyCondition(ctx, called, v1alpha1.ConditionResolvedRefs, metav1.ConditionFalse)
		Expect(refused.Reason).To(Equal(v1alpha1.ReasonRefNotPermitted))
		Expect(refused.Message).To(ContainSubstring(platform.namespace))

		Eventually(ctx, func(g Gomega) {
			g.Expect(api.Get(ctx, client.ObjectKeyFromObject(offered), offered)).To(Succeed())
			offered.Spec.Access.Allow = []v1alpha1.AccessRule{{ServiceAccount: &v1alpha1.ServiceAccountReference{Namespace: team.namespace, Name: v1alpha1.ProxyName}}}
			g.Expect(api.Update(ctx, offered)).To(Succeed())
		}).Should(Succeed())
		eventuallyCondition(ctx, called, v1alpha1.ConditionReady, metav1.ConditionTrue)
		team.eventuallyServed(ctx)
		before, err := platform.provider.Counters(ctx)
		Expect(err).NotTo(HaveOccurred())
		answer := team.chat(ctx, "app", withToken(), "--stream")
		Expect(answer.Status).To(Equal(http.StatusOK), string(answer.Error))
		Expect(answer.Text).NotTo(BeEmpty())
		after, err := platform.provider.Counters(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(after.Total.Requests).To(BeNumerically(">", before.Total.Requests))
		expectClean(team.startLoad(ctx, "load", 10*time.Second, "--stream").finish(ctx, time.Minute))

		By("booking every call in both namespaces, to the nano-dollar")
		Eventually(ctx, func(g Gomega) {
			for _, budget := range budgets {
				g.Expect(api.Get(ctx, client.ObjectKeyFromObject(budget), budget)).To(Succeed())
				g.Expect(budget.Status.Spent).NotTo(BeEmpty())
			}
			g.Expect(budgets[0].Status.Spent).To(Equal(budgets[1].Status.Spent))
		}).Should(Succeed())
	})
})

// budgetOf counts what a world spends, and refuses nothing.
func budgetOf(w *world, amount v1alpha1.USDAmount) *v1alpha1.SpendBudget {
	return &v1alpha1.SpendBudget{ObjectMeta: w.meta("all"), Spec: v1alpha1.SpendBudgetSpec{
		Limit: v1alpha1.SpendLimit{Amount: amount}, Window: v1alpha1.BudgetWindow{Period: v1alpha1.PeriodTotal}, Enforcement: v1alpha1.EnforcementObserve,
	}}
}
