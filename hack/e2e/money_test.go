//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/hack/fakeprovider"
	"signalbox.dev/signalbox/proxy/meter"
)

// The prices of the calls that a Hard budget pays for, in nano-dollars a token. They are whole, so that no rounding hides a difference.
const (
	hardInput  = 1_000
	hardCached = 500
	hardOutput = 2_000
)

// treasury is a world whose route is paid for by a Hard budget.
type treasury struct {
	*world
	budget *v1alpha1.SpendBudget
	limit  int64 // in nano-dollars
}

// newTreasury makes a world with a Hard budget of so many US dollars and a route of one target, and waits until both are in force on as many proxies.
func newTreasury(ctx context.Context, amount string, replicas int) *treasury {
	GinkgoHelper()
	return newTreasuryWith(ctx, amount, replicas, nil)
}

// newTreasuryWith is newTreasury with more of the chart's values, and a budget that edits change.
func newTreasuryWith(ctx context.Context, amount string, replicas int, values []string, edits ...func(*v1alpha1.SpendBudget)) *treasury {
	GinkgoHelper()
	limit, err := meter.ParseUSD(amount)
	Expect(err).NotTo(HaveOccurred())
	t := &treasury{world: newWorld(ctx), limit: limit}
	cached := int64(5)
	t.configure(ctx, map[string]any{"completionTokens": 80, "tokensPerSecond": 200, "usage": fakeprovider.UsageOverride{CachedTokens: &cached}})
	Eventually(ctx, func(g Gomega) {
		credential := t.credential("provider")
		g.Expect(api.Get(ctx, client.ObjectKeyFromObject(credential), credential)).To(Succeed())
		credential.Spec.Prices = []v1alpha1.ModelPrice{{Model: largeModel, TokenPrices: v1alpha1.TokenPrices{Input: "1", CachedInput: "0.5", Output: "2"}}}
		g.Expect(api.Update(ctx, credential)).To(Succeed())
	}).Should(Succeed())
	t.budget = &v1alpha1.SpendBudget{ObjectMeta: t.meta("team"), Spec: v1alpha1.SpendBudgetSpec{
		Limit: v1alpha1.SpendLimit{Amount: v1alpha1.USDAmount(amount)}, Window: v1alpha1.BudgetWindow{Period: v1alpha1.PeriodTotal},
		Enforcement: v1alpha1.EnforcementHard,
	}}
	for _, edit := range edits {
		edit(t.budget)
	}
	t.scaleTo(ctx, replicas, values)
	route := t.route("chat", func(r *v1alpha1.ModelRoute) {
		r.Spec.Targets = r.Spec.Targets[:1]
		context, output := int64(4096), int64(512)
		r.Spec.Targets[0].Declares = &v1alpha1.TargetDeclaration{ContextTokens: &context, MaxOutputTokens: &output}
	})
	create(ctx, t.budget, route)
	eventuallyCondition(ctx, route, v1alpha1.ConditionReady, metav1.ConditionTrue)
	eventuallyCondition(ctx, t.budget, v1alpha1.ConditionEnforced, metav1.ConditionTrue)
	Eventually(ctx, func(g Gomega) { g.Expect(t.readyProxies(ctx, g)).To(HaveLen(replicas)) }).Should(Succeed())
	t.eventuallyServed(ctx)
	return t
}

// scaleTo has the namespace's proxies begin with so many replicas, which kubectl may change later.
func (t *treasury) scaleTo(ctx context.Context, replicas int, values []string) {
	GinkgoHelper()
	override := fmt.Sprintf(`namespaces={%q:{"resources":{"requests":{"cpu":"10m","memory":"64Mi"}},"autoscaling":{"minReplicas":%d,"maxReplicas":10,"targetCPUPercent":100}}}`, t.namespace, replicas)
	installChart(ctx, chartPath(), append([]string{"--set-json", override}, values...)...)
	DeferCleanup(func(ctx context.Context) { installChart(ctx, chartPath()) })
}

func (t *treasury) readyProxies(ctx context.Context, g Gomega) []corev1.Pod {
	return slices.DeleteFunc(proxyPods(ctx, g, t.namespace), func(pod corev1.Pod) bool { return !podReady(&pod) || !pod.DeletionTimestamp.IsZero() })
}

// costOf is what tokens cost, in nano-dollars.
func costOf(u fakeprovider.Usage) int64 {
	return (u.PromptTokens-u.CachedTokens)*hardInput + u.CachedTokens*hardCached + u.CompletionTokens*hardOutput
}

// served is what the provider charges for all that it did, and what it told its clients, in nano-dollars. Calls that are still open are not in it.
func (t *treasury) served(ctx context.Context) (billed, reported int64) {
	GinkgoHelper()
	counters, err := t.provider.Counters(ctx)
	Expect(err).NotTo(HaveOccurred())
	return costOf(counters.Total.Billed), costOf(counters.Total.Reported)
}

// books are what status says, in nano-dollars.
type books struct{ spent, reserved, lost int64 }

func (t *treasury) books(ctx context.Context, g Gomega) books {
	budget := &v1alpha1.SpendBudget{}
	g.Expect(api.Get(ctx, client.ObjectKeyFromObject(t.budget), budget)).To(Succeed())
	read := func(text string) int64 {
		if text == "" {
			return 0
		}
		nano, err := meter.ParseUSD(text)
		g.Expect(err).NotTo(HaveOccurred())
		return nano
	}
	return books{spent: read(budget.Status.Spent), reserved: read(budget.Status.Reserved), lost: read(budget.Status.Lost)}
}

// hammered is what testapp hammer prints.
type hammered struct {
	Attempts, Slow, Final int
	CostNano              int64
	Outcomes              map[string]int
}

// startHammer starts 200 clients that spend as fast as they can.
func (t *treasury) startHammer(ctx context.Context, name string, duration time.Duration, args ...string) *load {
	GinkgoHelper()
	t.startApp(ctx, name, "app", append([]string{"hammer", "--token-file", tokenPath, "--duration", duration.String()}, args...)...)
	DeferCleanup(func(ctx context.Context) {
		pod := &corev1.Pod{ObjectMeta: t.meta(name)}
		Expect(client.IgnoreNotFound(api.Delete(ctx, pod, client.GracePeriodSeconds(0)))).To(Succeed())
	})
	return &load{w: t.world, name: name}
}

// hammered waits for the hammer to end.
func (l *load) hammered(ctx context.Context, patience time.Duration) hammered {
	GinkgoHelper()
	var sum hammered
	Expect(json.Unmarshal([]byte(l.output(ctx, patience)), &sum)).To(Succeed())
	return sum
}

// killContainer kills the process of a proxy's container with SIGKILL; its pod and what is on its disk stay.
func killContainer(pod *corev1.Pod) error { return signalContainer(pod, syscall.SIGKILL) }

// signalContainer sends a signal to the process of a proxy's container.
func signalContainer(pod *corev1.Pod, signal syscall.Signal) error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		number, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		environment, err := os.ReadFile("/proc/" + entry.Name() + "/environ")
		if err == nil && strings.Contains(string(environment), "POD_UID="+string(pod.UID)) {
			return syscall.Kill(number, signal)
		}
	}
	return fmt.Errorf("no process of pod %s found", pod.Name)
}

var _ = Describe("a Hard budget", Serial, func() {
	It("is never exceeded, whatever is killed, and its ledger is what was served", func(ctx context.Context) {
		replicas, clients, duration, away := 4, "100", 50*time.Second, 5*time.Second
		amount := "0.50"
		if full() {
			replicas, clients, duration, away = 8, "200", 3*time.Minute, 20*time.Second
			amount = "1.00"
		}
		t := newTreasury(ctx, amount, replicas)
		hammer := t.startHammer(ctx, "hammer", duration, "--clients", clients)
		watching, stopWatching := context.WithCancel(ctx)
		highest := t.watchServed(watching)
		phase := duration / 10
		for step := range 6 {
			pass(ctx, phase)
			switch step {
			case 0, 3:
				t.killOne(ctx)
			case 1:
				Expect(api.Delete(ctx, &t.readyProxies(ctx, Default)[0], client.GracePeriodSeconds(0))).To(Succeed())
			case 2, 4:
				cluster(ctx, "stop", "kube-apiserver")
				pass(ctx, away)
				cluster(ctx, "start", "kube-apiserver")
				Eventually(ctx, func(g Gomega) { t.readyProxies(ctx, g) }).Should(Succeed())
			case 5:
				t.scaleDeployment(ctx, replicas/2)
				t.scaleDeployment(ctx, replicas)
			}
		}
		sum := hammer.hammered(ctx, duration+3*time.Minute)
		stopWatching()
		Expect(<-highest).To(BeNumerically("<=", t.limit))
		t.expectExactBooks(ctx, sum)

		By("refusing everybody once nothing fits")
		t.startHammer(ctx, "rest", 10*time.Second, "--clients", "4", "--words", "1", "--max-tokens", "1", "--aborts", "0").hammered(ctx, time.Minute)
		after := t.startHammer(ctx, "after", 5*time.Second, "--clients", clients).hammered(ctx, time.Minute)
		Expect(after.Outcomes).To(HaveLen(1), "%v", after.Outcomes)
		Expect(after.Outcomes[spentOutcome]).To(Equal(after.Attempts))
		billed, _ := t.served(ctx)
		Expect(billed).To(BeNumerically("<=", t.limit))
	})

	It("has in its ledger what was served, to the nano-dollar, while proxies and the API server come and go", func(ctx context.Context) {
		replicas, duration, away := 3, 25*time.Second, 5*time.Second
		if full() {
			replicas, duration, away = 8, 2*time.Minute, 20*time.Second
		}
		t := newTreasury(ctx, "100", replicas)
		hammer := t.startHammer(ctx, "hammer", duration, "--clients", "60", "--aborts", "0")
		pass(ctx, duration/5)
		cluster(ctx, "stop", "kube-apiserver")
		pass(ctx, away)
		cluster(ctx, "start", "kube-apiserver")
		Eventually(ctx, func(g Gomega) { t.readyProxies(ctx, g) }).Should(Succeed())
		t.scaleDeployment(ctx, replicas+1)
		t.scaleDeployment(ctx, replicas)
		sum := hammer.hammered(ctx, duration+2*time.Minute)
		settled := t.eventuallySettled(ctx)
		billed, reported := t.served(ctx)
		AddReportEntry("books", fmt.Sprintf("served %d; spent %d, lost %d; clients saw %d; %v", billed, settled.spent, settled.lost, sum.CostNano, sum.Outcomes), ReportEntryVisibilityAlways)
		Expect(sum.Outcomes["whole"]).To(Equal(sum.Attempts), "%v", sum.Outcomes)
		Expect(reported).To(Equal(billed))
		Expect(settled).To(Equal(books{spent: billed, reserved: settled.reserved}))
		Expect(sum.CostNano).To(Equal(billed))
	})

	It("lets small calls pass while large ones are refused, and takes back what other proxies hold", func(ctx context.Context) {
		replicas := 4
		if full() {
			replicas = 8
		}
		t := newTreasury(ctx, "0.10", replicas)
		// All replicas take slices.
		t.startHammer(ctx, "warm", 4*time.Second, "--clients", "16", "--words", "20", "--max-tokens", "10", "--aborts", "0").hammered(ctx, time.Minute)
		large := t.startHammer(ctx, "large", 20*time.Second, "--clients", "8", "--max-tokens", "512", "--words", "400", "--aborts", "0").hammered(ctx, time.Minute)
		Expect(large.Outcomes[spentOutcome]).To(BeNumerically(">", 0))
		before := t.eventuallySettled(ctx)
		small := t.startHammer(ctx, "small", 20*time.Second, "--clients", "8", "--max-tokens", "1", "--words", "1", "--aborts", "0").hammered(ctx, time.Minute)
		AddReportEntry("near the limit", fmt.Sprintf("%d nano-dollars were left for small calls; %v", t.limit-before.spent, small.Outcomes), ReportEntryVisibilityAlways)
		Expect(small.Outcomes["whole"]).To(BeNumerically(">", 0))
		end := t.eventuallySettled(ctx)
		Expect(end.spent).To(BeNumerically(">", before.spent))
		Expect(end.spent).To(BeNumerically("<=", t.limit))
		// The smallest call is bounded by its prompt, some 350 tokens, and one token of an answer.
		Expect(end.spent+end.lost).To(BeNumerically(">", t.limit-500*hardInput), "what is left would have been enough for another call")
	})

	It("follows a changed limit within a second both ways, and is not refilled by being made again", func(ctx context.Context) {
		t := newTreasury(ctx, "0.01", 2)
		t.eventuallyAnswers(ctx, http.StatusOK)
		spent := t.eventuallySettled(ctx).spent
		Expect(spent).To(BeNumerically(">", 0))
		t.changeLimit(ctx, "0.000001")
		t.eventuallyAnswers(ctx, http.StatusPaymentRequired)
		t.changeLimit(ctx, "0.02")
		t.eventuallyAnswers(ctx, http.StatusOK)

		By("deleting and making it again")
		spent = t.eventuallySettled(ctx).spent
		again := &v1alpha1.SpendBudget{ObjectMeta: t.meta("team"), Spec: *t.budget.Spec.DeepCopy()}
		Expect(api.Delete(ctx, t.budget)).To(Succeed())
		eventuallyGone(ctx, &v1alpha1.SpendBudget{ObjectMeta: t.meta("team")})
		again.Spec.Limit.Amount = v1alpha1.USDAmount(meter.FormatUSD(spent))
		create(ctx, again)
		t.budget = again
		eventuallyCondition(ctx, again, v1alpha1.ConditionEnforced, metav1.ConditionTrue)
		t.eventuallyAnswers(ctx, http.StatusPaymentRequired)
		Expect(t.eventuallySettled(ctx).spent).To(Equal(spent))
	})
})

// spentOutcome is how testapp hammer calls the refusal of a spent budget.
const spentOutcome = "402 budget_exceeded"

// watchServed polls what the provider charges until the context ends, and then tells the highest sum.
func (t *treasury) watchServed(ctx context.Context) <-chan int64 {
	highest := make(chan int64, 1)
	go func() {
		defer GinkgoRecover()
		most := int64(0)
		look := time.NewTicker(500 * time.Millisecond)
		defer look.Stop()
		for {
			select {
			case <-ctx.Done():
				highest <- most
				return
			case <-look.C:
			}
			if counters, err := t.provider.Counters(ctx); err == nil {
				most = max(most, costOf(counters.Total.Billed))
			}
		}
	}()
	return highest
}

// killOne kills the container of one proxy.
func (t *treasury) killOne(ctx context.Context) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		pods := t.readyProxies(ctx, g)
		g.Expect(pods).NotTo(BeEmpty())
		g.Expect(killContainer(&pods[0])).To(Succeed())
	}).Should(Succeed())
}

func (t *treasury) scaleDeployment(ctx context.Context, replicas int) {
	GinkgoHelper()
	kubectl(ctx, "scale", "-n", t.namespace, "deployment/signalbox", "--replicas", strconv.Itoa(replicas))
	kubectl(ctx, "rollout", "status", "-n", t.namespace, "deployment/signalbox", "--timeout=60s")
}

// eventuallySettled waits until the books hold at least what the provider charges and do not change any more. The manager may have to find back to an API server
// that was away before its status says anything new.
func (t *treasury) eventuallySettled(ctx context.Context) books {
	GinkgoHelper()
	var last books
	since := time.Now()
	Eventually(ctx, func(g Gomega) {
		now := t.books(ctx, g)
		if now.spent != last.spent || now.lost != last.lost {
			last, since = now, time.Now()
		}
		billed, _ := t.served(ctx)
		g.Expect(now.spent+now.lost).To(BeNumerically(">=", billed), "the books lack what was served")
		g.Expect(time.Since(since)).To(BeNumerically(">", 5*time.Second), "the books still change: %+v", now)
	}).Should(Succeed())
	return last
}

// expectExactBooks compares status with what the provider served: calls that it answered whole are in the books to the nano-dollar, what was cut is there at its
// bound, and what died with a pod is named as lost.
func (t *treasury) expectExactBooks(ctx context.Context, sum hammered) {
	GinkgoHelper()
	settled := t.eventuallySettled(ctx)
	billed, reported := t.served(ctx)
	AddReportEntry("books", fmt.Sprintf("limit %d; served %d, of which %d were reported whole; spent %d, lost %d; clients saw %d; %v",
		t.limit, billed, reported, settled.spent, settled.lost, sum.CostNano, sum.Outcomes), ReportEntryVisibilityAlways)
	Expect(billed).To(BeNumerically("<=", t.limit))
	Expect(settled.spent + settled.lost).To(BeNumerically("<=", t.limit))
	Expect(billed).To(BeNumerically("<=", settled.spent+settled.lost))
	Expect(sum.CostNano).To(BeNumerically("<=", settled.spent))
	Expect(settled.spent).To(BeNumerically(">=", (t.limit-settled.lost)*97/100))
	// Each call is one of the outcomes, and none failed for another reason than a proxy that was killed under it.
	Expect(sum.Outcomes["without cost"]).To(BeZero())
	Expect(sum.Final).To(BeNumerically(">", 0))
}

func (t *treasury) changeLimit(ctx context.Context, amount string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		g.Expect(api.Get(ctx, client.ObjectKeyFromObject(t.budget), t.budget)).To(Succeed())
		t.budget.Spec.Limit.Amount = v1alpha1.USDAmount(amount)
		g.Expect(api.Update(ctx, t.budget)).To(Succeed())
	}).Should(Succeed())
}

// eventuallyAnswers waits until a call is answered with the status, which a changed limit takes about a second for.
func (t *treasury) eventuallyAnswers(ctx context.Context, status int) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		g.Expect(t.chat(ctx, "app", withToken(), "--max-tokens", "5").Status).To(Equal(status))
	}).Should(Succeed())
}
