package spendbudget

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/broadcast"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/controllers/report"
	"signalbox.dev/signalbox/controllers/retry"
	"signalbox.dev/signalbox/controllers/status"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/ledger/kubernetes"
	"signalbox.dev/signalbox/proxy/usage"
)

const (
	day      = 24 * time.Hour
	dollar   = 1_000_000_000
	patience = 60 * time.Second
	glance   = 20 * time.Millisecond
)

var _ = Describe("A SpendBudget", func() {
	It("gets a ledger that does not belong to it, and a status", func(ctx context.Context) {
		w := newWorld(ctx)
		w.add(ctx)
		Expect(w.reconcile(ctx).RequeueAfter).To(Equal(time.Hour))
		object, err := w.ledger(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(kubernetes.Budget(object.Labels)).To(Equal("daily"))
		Expect(object.OwnerReferences).To(BeEmpty())

		budget := w.budget(ctx)
		Expect(budget.Status.ObservedGeneration).To(Equal(budget.Generation))
		Expect(budget.Status.Spent).To(Equal("0"))
		Expect(budget.Status.Remaining).To(Equal("10"))
		Expect(*budget.Status.Percent).To(BeZero())
		Expect(budget.Status.Window.End.UTC()).To(Equal(time.Date(2026, time.November, 23, 0, 0, 0, 0, time.UTC)))

		By("reconciling again, which writes nothing")
		w.clock.SetTime(now().Add(time.Minute))
		w.reconcile(ctx)
		Expect(w.budget(ctx).ResourceVersion).To(Equal(budget.ResourceVersion))
		again, err := w.ledger(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(again.ResourceVersion).To(Equal(object.ResourceVersion))
	})

	It("follows the report and what the proxies acknowledged", func(ctx context.Context) {
		w := newWorld(ctx)
		w.add(ctx)
		w.reconcile(ctx)
		Expect(w.condition(ctx, v1alpha1.ConditionEnforced)).To(Equal("False/NoProxy"))
		w.deliver(ctx, func(r *compile.ObjectReport) { r.Name = "other" })
		w.reconcile(ctx)
		Expect(w.condition(ctx, v1alpha1.ConditionEnforced)).To(Equal("False/Pending"))
		w.deliver(ctx)
		w.fleet.ready.Store(2)
		w.fleet.behind.Store(1)
		w.reconcile(ctx)
		Expect(w.condition(ctx, v1alpha1.ConditionEnforced)).To(Equal("False/Pending"))
		w.fleet.behind.Store(0)
		w.reconcile(ctx)
		Expect(w.condition(ctx, v1alpha1.ConditionEnforced)).To(Equal("True/Enforced"))
		Expect(w.condition(ctx, v1alpha1.ConditionReady)).To(Equal("True/Ready"))
		w.fleet.ready.Store(0)
		w.reconcile(ctx)
		Expect(w.condition(ctx, v1alpha1.ConditionReady)).To(Equal("False/NoReadyProxy"))
	})

	It("takes no report of an object of the same name that is gone", func(ctx context.Context) {
		w := newWorld(ctx)
		w.add(ctx)
		w.deliver(ctx, func(r *compile.ObjectReport) { r.UID = "another" })
		w.reconcile(ctx)
		Expect(w.condition(ctx, v1alpha1.ConditionEnforced)).To(Equal("False/Pending"))
	})

	It("warns once for each action and at the limit, and starts afresh with the next window", func(ctx context.Context) {
		w := newWorld(ctx)
		w.add(ctx)
		w.deliver(ctx)
		w.reconcile(ctx)
		Expect(w.emitted()).To(ConsistOf(HavePrefix("Normal Ready")))

		for _, step := range []struct {
			spent              int64
			nearLimit, exceeds string
			events             []any
		}{
			{5 * dollar, "False/WithinLimit", "False/WithinLimit", nil},
			{8 * dollar, "True/ThresholdReached", "False/WithinLimit", []any{ContainSubstring("80 percent")}},
			{8*dollar + 1, "True/ThresholdReached", "False/WithinLimit", nil},
			{9 * dollar, "True/ThresholdReached", "False/WithinLimit", []any{ContainSubstring("90 percent")}},
			{10 * dollar, "True/ThresholdReached", "True/LimitReached", []any{ContainSubstring("Warning LimitReached")}},
			{11 * dollar, "True/ThresholdReached", "True/LimitReached", nil},
		} {
			w.clock.SetTime(w.clock.Now().Add(driftInterval))
			w.spend(ctx, step.spent, step.spent)
			w.reconcile(ctx)
			Expect(w.condition(ctx, v1alpha1.ConditionNearLimit)).To(Equal(step.nearLimit))
			Expect(w.condition(ctx, v1alpha1.ConditionExceeded)).To(Equal(step.exceeds))
			Expect(w.emitted()).To(ConsistOf(step.events...))
		}
		Expect(w.budget(ctx).Status.Spent).To(Equal("11"))
		Expect(w.budget(ctx).Status.Remaining).To(Equal("0"))
		Expect(*w.budget(ctx).Status.Percent).To(Equal(int64(110)))
		Expect(w.condition(ctx, v1alpha1.ConditionReady)).To(Equal("True/Ready"))

		w.clock.SetTime(now().Truncate(day).Add(day - time.Second))
		Expect(w.reconcile(ctx).RequeueAfter).To(Equal(time.Second))
		w.clock.SetTime(now().Truncate(day).Add(day))
		w.reconcile(ctx)
		Expect(w.budget(ctx).Status.Spent).To(Equal("0"))
		Expect(w.condition(ctx, v1alpha1.ConditionNearLimit)).To(Equal("False/WithinLimit"))
		Expect(w.condition(ctx, v1alpha1.ConditionExceeded)).To(Equal("False/WithinLimit"))
		Expect(w.emitted()).To(BeEmpty())
	})

	It("lets numbers wait and conditions not", func(ctx context.Context) {
		w := newWorld(ctx)
		w.add(ctx)
		w.deliver(ctx)
		w.reconcile(ctx)
		w.spend(ctx, 1, 1)
		Expect(w.reconcile(ctx).RequeueAfter).To(Equal(driftInterval))
		w.clock.SetTime(now().Add(driftInterval - time.Millisecond))
		Expect(w.reconcile(ctx).RequeueAfter).To(Equal(time.Millisecond))
		Expect(w.budget(ctx).Status.Spent).To(Equal("0"))
		w.clock.SetTime(now().Add(driftInterval))
		w.reconcile(ctx)
		Expect(w.budget(ctx).Status.Spent).To(Equal("0.000000001"))

		w.spend(ctx, 10*dollar, 2)
		w.reconcile(ctx)
		Expect(w.budget(ctx).Status.Spent).To(Equal("10"))
		Expect(w.condition(ctx, v1alpha1.ConditionExceeded)).To(Equal("True/LimitReached"))
	})

	It("is refilled by another resetID and by a raised limit", func(ctx context.Context) {
		w := newWorld(ctx)
		w.add(ctx)
		w.reconcile(ctx)
		w.spend(ctx, 10*dollar, 1)
		w.reconcile(ctx)
		Expect(w.condition(ctx, v1alpha1.ConditionExceeded)).To(Equal("True/LimitReached"))
		budget := w.budget(ctx)
		budget.Spec.Limit.Amount = "20"
		Expect(cluster.Client.Update(ctx, budget)).To(Succeed())
		w.reconcile(ctx)
		Expect(w.condition(ctx, v1alpha1.ConditionExceeded)).To(Equal("False/WithinLimit"))
		Expect(w.budget(ctx).Status.Spent).To(Equal("10"))
		budget = w.budget(ctx)
		budget.Spec.Window.ResetID = "ticket-1"
		Expect(cluster.Client.Update(ctx, budget)).To(Succeed())
		w.reconcile(ctx)
		Expect(w.budget(ctx).Status.Spent).To(Equal("0"))
	})

	It("does not take over a ConfigMap that was not made for it", func(ctx context.Context) {
		for name, labels := range map[string]map[string]string{
			"of somebody else":  {"app": "other"},
			"of another budget": kubernetes.Labels("weekly"),
			"without labels":    nil,
		} {
			By(name)
			w := newWorld(ctx)
			w.add(ctx)
			foreign := &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: ledger.Name("daily"), Labels: labels}, Data: map[string]string{"theirs": "1"},
			}
			Expect(cluster.Client.Create(ctx, foreign)).To(Succeed())
			Expect(w.reconcile(ctx).RequeueAfter).To(Equal(recheckForeign))
			Expect(w.condition(ctx, v1alpha1.ConditionReady)).To(Equal("False/Conflict"))
			Expect(w.emitted()).To(ContainElement(HavePrefix("Warning Conflict")))
			after, err := w.ledger(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(after.ResourceVersion).To(Equal(foreign.ResourceVersion))

			Expect(cluster.Client.Delete(ctx, foreign)).To(Succeed())
			w.reconcile(ctx)
			Expect(w.condition(ctx, v1alpha1.ConditionEnforced)).To(Equal("False/NoProxy"))
			made, err := w.ledger(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(kubernetes.Owned(made.Labels)).To(BeTrue())
		}
	})

	It("says that its ledger cannot be read, and leaves it alone", func(ctx context.Context) {
		w := newWorld(ctx)
		w.add(ctx)
		w.reconcile(ctx)
		object, err := w.ledger(ctx)
		Expect(err).NotTo(HaveOccurred())
		object.Data = map[string]string{ledger.DataKey: "spent: 5"}
		Expect(cluster.Client.Update(ctx, object)).To(Succeed())
		w.reconcile(ctx)
		Expect(w.condition(ctx, v1alpha1.ConditionReady)).To(Equal("False/LedgerUnavailable"))
		Expect(w.condition(ctx, v1alpha1.ConditionExceeded)).To(Equal("Unknown/LedgerUnavailable"))
		Expect(w.budget(ctx).Status.Spent).To(BeEmpty())
		after, err := w.ledger(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(after.ResourceVersion).To(Equal(object.ResourceVersion))
	})

	It("is not refilled by deleting and making it again within the window", func(ctx context.Context) {
		w := newWorld(ctx)
		budget := w.add(ctx)
		w.reconcile(ctx)
		w.spend(ctx, 10*dollar, 1)
		Expect(cluster.Client.Delete(ctx, budget)).To(Succeed())
		Expect(w.reconcile(ctx).RequeueAfter).To(Equal(time.Hour))
		_, err := w.ledger(ctx)
		Expect(err).NotTo(HaveOccurred())
		w.add(ctx)
		w.reconcile(ctx)
		Expect(w.condition(ctx, v1alpha1.ConditionExceeded)).To(Equal("True/LimitReached"))
	})

	It("leaves a ledger that goes when its window ends", func(ctx context.Context) {
		w := newWorld(ctx)
		budget := w.add(ctx)
		w.reconcile(ctx)
		w.spend(ctx, dollar, 1)
		Expect(cluster.Client.Delete(ctx, budget)).To(Succeed())
		w.clock.SetTime(now().Truncate(day).Add(day - time.Minute))
		Expect(w.reconcile(ctx).RequeueAfter).To(Equal(time.Minute))
		w.clock.SetTime(now().Truncate(day).Add(day))
		Expect(w.reconcile(ctx)).To(Equal(reconcile.Result{}))
		_, err := w.ledger(ctx)
		Expect(apierrors.IsNotFound(err)).To(BeTrue())
		Expect(w.reconcile(ctx)).To(Equal(reconcile.Result{}))
	})

	It("folds the entries of pods that are gone", func(ctx context.Context) {
		w := newWorld(ctx)
		w.add(ctx)
		w.reconcile(ctx)
		stored, err := w.store.Load(ctx, ledger.Name("daily"))
		Expect(err).NotTo(HaveOccurred())
		window, err := ledger.NewWindow("Day", "Europe/Lisbon", now())
		Expect(err).NotTo(HaveOccurred())
		for i := range ledger.MaxGoneOwners + 5 {
			stored.Record.Put(ledger.Key{Period: "Day", TimeZone: "Europe/Lisbon", Start: window.Start}, window.End,
				ledger.Owner(fmt.Sprintf("pod-%d/1", i)), ledger.Entry{Totals: ledger.Totals{Spent: 3, Requests: 1}, Seq: 1, Updated: now()})
		}
		_, err = w.store.Save(ctx, ledger.Name("daily"), stored)
		Expect(err).NotTo(HaveOccurred())
		w.reconcile(ctx)
		folded, err := w.store.Load(ctx, ledger.Name("daily"))
		Expect(err).NotTo(HaveOccurred())
		Expect(folded.Record.Windows[0].Owners).To(HaveLen(ledger.MaxGoneOwners))
		Expect(folded.Record.Windows[0].Total().Spent).To(Equal(int64(3 * (ledger.MaxGoneOwners + 5))))
	})

	It("marks what pods held that are gone, and says so once", func(ctx context.Context) {
		w := newWorld(ctx)
		w.add(ctx)
		w.reconcile(ctx)
		living, other := w.pod(ctx, "living"), w.pod(ctx, "other")
		w.enter(ctx, ledger.Owner(living.UID+"/1"), ledger.Entry{Totals: ledger.Totals{Spent: dollar, Requests: 1}, Allowance: 2 * dollar, Seq: 1})
		w.enter(ctx, ledger.Owner(other.UID+"/1"), ledger.Entry{Totals: ledger.Totals{Spent: dollar, Requests: 1}, Allowance: 3 * dollar, Seq: 1})
		w.clock.SetTime(now().Add(driftInterval))
		w.reconcile(ctx)
		w.emitted()
		Expect(w.budget(ctx).Status.Reserved).To(Equal("3"))
		Expect(w.usage.records).To(BeEmpty())

		By("ending one pod for good, and deleting it later")
		other.Status.Phase = corev1.PodFailed
		Expect(cluster.Client.Status().Update(ctx, other)).To(Succeed())
		w.clock.SetTime(now().Add(2 * driftInterval))
		w.reconcile(ctx)
		Expect(w.usage.records).To(HaveLen(1))
		record := w.usage.records[0]
		Expect(record.Cost).To(Equal(int64(2 * dollar)))
		Expect(record.Pod).To(Equal(string(other.UID)))
		Expect(record.Namespace).To(Equal(w.namespace))
		Expect(record.Outcome).To(Equal(usage.Lost))
		Expect(record.Budgets).To(Equal([]string{"daily"}))
		Expect(w.emitted()).To(ConsistOf(And(
			HavePrefix("Warning LostSlice"), ContainSubstring(string(other.UID)+"/1"), ContainSubstring("2 USD"), ContainSubstring("signalbox ledger release"))))
		Expect(cluster.Client.Delete(ctx, other, client.GracePeriodSeconds(0))).To(Succeed())
		w.clock.SetTime(now().Add(3 * driftInterval))
		w.reconcile(ctx)
		status := w.budget(ctx).Status
		Expect([]string{status.Spent, status.Reserved, status.Lost, status.Remaining}).To(Equal([]string{"2", "1", "2", "6"}))
		Expect(w.usage.records).To(HaveLen(1))
		Expect(w.emitted()).To(BeEmpty())
	})

	It("gives nobody up whom only the cache does not know", func(ctx context.Context) {
		w := newWorld(ctx)
		w.add(ctx)
		w.reconcile(ctx)
		w.reconciler.Client = cached{Client: cluster.Client, withoutPods: true}
		young := w.pod(ctx, "young")
		w.enter(ctx, ledger.Owner(young.UID+"/1"), ledger.Entry{Allowance: dollar, Seq: 1})
		before, err := w.ledger(ctx)
		Expect(err).NotTo(HaveOccurred())
		w.reconcile(ctx)
		after, err := w.ledger(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(after.ResourceVersion).To(Equal(before.ResourceVersion))
		Expect(w.usage.records).To(BeEmpty())
	})

	It("says nothing of a slice whose owner wrote first", func(ctx context.Context) {
		w := newWorld(ctx)
		w.add(ctx)
		w.reconcile(ctx)
		w.enter(ctx, "gone/1", ledger.Entry{Allowance: dollar, Seq: 1})
		w.reconciler.Client = cached{Client: cluster.Client, beforeUpdate: func() {
			w.enter(ctx, "gone/1", ledger.Entry{Totals: ledger.Totals{Spent: dollar / 2, Requests: 1}, Allowance: dollar, Seq: 2})
		}}
		Expect(w.reconcile(ctx).RequeueAfter).To(Equal(retry.Soon))
		Expect(w.usage.records).To(BeEmpty())
		w.reconciler.Client = cached{Client: cluster.Client}
		w.reconcile(ctx)
		Expect(w.usage.records).To(HaveLen(1))
		Expect(w.usage.records[0].Cost).To(Equal(int64(dollar / 2)))
	})

	It("tells when calls are sent elsewhere and slowed down", func(ctx context.Context) {
		w := newWorld(ctx)
		w.add(ctx, func(b *v1alpha1.SpendBudget) {
			b.Spec.Actions = []v1alpha1.BudgetAction{
				{AtPercent: 50, Do: v1alpha1.ActionReroute, Route: "cheap"}, {AtPercent: 70, Do: v1alpha1.ActionThrottle, RequestsPerMinute: new(int32(6))},
			}
		})
		w.deliver(ctx)
		w.reconcile(ctx)
		w.emitted()
		for _, step := range []struct {
			spent  int64
			events []any
		}{
			{4 * dollar, nil},
			{5 * dollar, []any{HavePrefix("Warning ThresholdReached"), And(HavePrefix("Warning Rerouted"), ContainSubstring(`calls go to route "cheap"`))}},
			{6 * dollar, nil},
			{7 * dollar, []any{And(HavePrefix("Warning Throttled"), ContainSubstring("at most 6 calls a minute"))}},
			{8 * dollar, nil},
		} {
			w.spend(ctx, step.spent, step.spent)
			w.clock.SetTime(w.clock.Now().Add(driftInterval))
			w.reconcile(ctx)
			Expect(w.emitted()).To(ConsistOf(step.events...))
		}
	})

	It("names what spends most while numbers wait", func(ctx context.Context) {
		w := newWorld(ctx)
		w.add(ctx)
		w.deliver(ctx)
		w.reconcile(ctx)
		w.enter(ctx, "pod/1", ledger.Entry{Totals: ledger.Totals{Spent: 3, Requests: 2}, Seq: 1, Routes: ledger.Breakdown{"chat": 3}, Callers: ledger.Breakdown{"accesskey:ci": 3}})
		Expect(w.reconcile(ctx).RequeueAfter).To(BeNumerically(">", 0))
		Expect(w.budget(ctx).Status.TopRoutes).To(BeEmpty())
		w.clock.SetTime(now().Add(driftInterval))
		w.reconcile(ctx)
		Expect(w.budget(ctx).Status.TopRoutes).To(Equal([]v1alpha1.BudgetShare{{Name: "chat", Spent: "0.000000003"}}))
		Expect(w.budget(ctx).Status.TopCallers).To(Equal([]v1alpha1.BudgetShare{{Name: "accesskey:ci", Spent: "0.000000003"}}))
	})

	It("is no error in a namespace that is being deleted", func(ctx context.Context) {
		w := newWorld(ctx)
		w.add(ctx)
		Expect(cluster.Client.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})).To(Succeed())
		Expect(w.reconcile(ctx)).To(Equal(reconcile.Result{}))
	})

	It("is kept up to date by watches", func(ctx context.Context) {
		w := newWorld(ctx)
		fleet := startController(w)
		w.add(ctx)
		Eventually(func() error { _, err := w.ledger(ctx); return err }, patience, glance).Should(Succeed())
		Eventually(func() string { return w.budget(ctx).Status.Remaining }, patience, glance).Should(Equal("10"))
		pod := w.pod(ctx, "held")
		w.enter(ctx, ledger.Owner(pod.UID+"/1"), ledger.Entry{Totals: ledger.Totals{Spent: 9 * dollar, Requests: 1}, Allowance: 10 * dollar, Seq: 1})
		Eventually(func() string { return w.budget(ctx).Status.Spent }, patience, glance).Should(Equal("9"))
		Expect(w.budget(ctx).Status.Lost).To(Equal("0"))
		Expect(cluster.Client.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed())
		w.clock.SetTime(now().Add(driftInterval))
		Eventually(func() string { return w.budget(ctx).Status.Lost }, patience, glance).Should(Equal("1"))
		Expect(w.condition(ctx, v1alpha1.ConditionReady)).To(Equal("False/NoProxy"))
		w.fleet.behind.Store(1)
		w.deliver(ctx)
		Eventually(func() string { return w.condition(ctx, v1alpha1.ConditionReady) }, patience, glance).Should(Equal("False/Pending"))
		w.fleet.behind.Store(0)
		fleet.Send(w.namespace)
		Eventually(func() string { return w.condition(ctx, v1alpha1.ConditionReady) }, patience, glance).Should(Equal("True/Ready"))
		object, err := w.ledger(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(cluster.Client.Delete(ctx, object)).To(Succeed())
		Eventually(func() string { return w.budget(ctx).Status.Spent }, patience, glance).Should(Equal("0"))
		_, err = w.ledger(ctx)
		Expect(err).NotTo(HaveOccurred())
	})
})

// startController runs the reconciler with its watches until the test ends. A namespace that is sent has a change in its fleet.
func startController(w *world) *broadcast.Broadcaster[string] {
	GinkgoHelper()
	unnamed := true
	mgr, err := ctrl.NewManager(cluster.Config, ctrl.Options{
		Scheme: controllertest.Scheme(), Metrics: metricsserver.Options{BindAddress: "0"}, Controller: config.Controller{SkipNameValidation: &unnamed},
	})
	Expect(err).NotTo(HaveOccurred())
	reconciler := &Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Reports: report.NewReader(mgr.GetCache()), Fleet: w.fleet, Usage: w.usage,
		Status: status.Writer{Client: mgr.GetClient(), Events: w.events, Adverse: Adverse()}, Clock: w.clock,
	}
	fleet := &broadcast.Broadcaster[string]{}
	Expect(reconciler.SetupWithManager(mgr, mgr.GetCache(), fleet.Source)).To(Succeed())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	DeferCleanup(func() {
		cancel()
		Expect(<-ended).To(Succeed())
	})
	return fleet
}
