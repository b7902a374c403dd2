//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/hack/fakeprovider"
)

// recovery is how soon a provider that is well again has to get calls.
const recovery = 15 * time.Second

// trouble is something that befalls the first provider, and how it ends.
type trouble struct {
	begin, end func(context.Context, *fleet)
}

// expectNoneLost is expectNoFailures for a provider that dies: a stream of which the client has a part when that happens cannot be begun anew elsewhere.
func expectNoneLost(sum loadSummary) {
	GinkgoHelper()
	Expect(sum.Broken).To(BeNumerically("<=", 5), "%v", sum.Failures)
	sum.Failed -= sum.Broken
	expectNoFailures(sum)
}

// suffer lets the first provider have its trouble under load, and returns what clients saw of it. The provider must get calls again once it is over.
func (f *fleet) suffer(ctx context.Context, t trouble) loadSummary {
	GinkgoHelper()
	before, held := 3*time.Second, 6*time.Second
	if full() {
		held = 30 * time.Second
	}
	running := f.startLoads(ctx, before+held+10*time.Second)
	eventuallyServes(ctx, f.first, 100, time.Minute)
	t.begin(ctx, f)
	pass(ctx, held)
	t.end(ctx, f)
	took := eventuallyServes(ctx, f.first, 50, recovery)
	AddReportEntry("recovery", fmt.Sprintf("50 calls at the first provider after %s", took.Round(time.Millisecond)), ReportEntryVisibilityAlways)
	return running.finish(ctx)
}

func expectNoFailures(sum loadSummary) {
	GinkgoHelper()
	Expect(sum.Connections).To(BeNumerically(">=", 50))
	Expect(sum.Attempts).To(BeNumerically(">=", 1000))
	Expect(sum.Failed).To(BeZero(), "%v", sum.Failures)
	Expect(sum.LongestMillis).To(BeNumerically("<=", fleetTotal.Milliseconds()))
}

func healed(ctx context.Context, f *fleet) { f.heal(ctx) }

var _ = Describe("providers on a bad day", Ordered, ContinueOnFailure, Serial, func() {
	var f *fleet

	BeforeAll(func(ctx context.Context) { f = newFleet(ctx) })

	// A spec that failed leaves the providers to the next one as good as new.
	AfterEach(func(ctx context.Context) {
		f.heal(ctx)
		f.changeKey(ctx, providerKey)
	})

	It("costs no client a call while another provider is well when the first one is killed", func(ctx context.Context) {
		expectNoneLost(f.suffer(ctx, trouble{
			begin: func(ctx context.Context, f *fleet) { f.kill(ctx) },
			end:   func(ctx context.Context, f *fleet) { f.revive(ctx) },
		}))
	})

	It("costs no client a call while another provider is well when the packets to the first one get lost", func(ctx context.Context) {
		var found func(context.Context)
		expectNoFailures(f.suffer(ctx, trouble{
			begin: func(ctx context.Context, f *fleet) { found = f.losePackets(ctx, "provider") },
			end:   func(ctx context.Context, _ *fleet) { found(ctx) },
		}))
	})

	DescribeTable("costs no client a call while another provider is well",
		func(ctx context.Context, t trouble) { expectNoFailures(f.suffer(ctx, t)) },
		Entry("when it is slow to the first token", trouble{
			begin: func(ctx context.Context, f *fleet) { f.configure(ctx, map[string]any{"firstTokenDelay": "30s"}) },
			end:   healed,
		}),
		Entry("when it sends nothing at all", trouble{
			begin: func(ctx context.Context, f *fleet) { f.fault(ctx, fakeprovider.Fault{Kind: fakeprovider.FaultHang}) },
			end:   healed,
		}),
		Entry("when 30 % of its answers are errors", trouble{
			begin: func(ctx context.Context, f *fleet) {
				f.fault(ctx, fakeprovider.Fault{Kind: fakeprovider.FaultStatus, Status: 500, Permille: 300, Seed: 1})
			},
			end: healed,
		}),
		Entry("when it breaks answers before the first token", trouble{
			begin: func(ctx context.Context, f *fleet) {
				f.fault(ctx,
					fakeprovider.Fault{Kind: fakeprovider.FaultCloseMidBody, AfterEvents: 1, Permille: 150, Seed: 1},
					fakeprovider.Fault{Kind: fakeprovider.FaultErrorEvent, Status: 503, Permille: 150, Seed: 2},
					fakeprovider.Fault{Kind: fakeprovider.FaultReset, Permille: 150, Seed: 3},
				)
			},
			end: healed,
		}),
		Entry("when it answers half of the calls with 429 and a time to come back", trouble{
			begin: func(ctx context.Context, f *fleet) {
				f.fault(ctx, fakeprovider.Fault{Kind: fakeprovider.FaultStatus, Status: 429, Permille: 500, Seed: 1, Headers: map[string]string{"Retry-After": "2"}})
			},
			end: healed,
		}),
		Entry("when its key is revoked", trouble{
			begin: func(ctx context.Context, f *fleet) {
				f.configure(ctx, map[string]any{"keys": []fakeprovider.Key{{Value: providerKey, Status: 401}}})
			},
			end: func(ctx context.Context, f *fleet) {
				const next = "sk-e2e-provider-key-3"
				f.configure(ctx, map[string]any{"keys": []fakeprovider.Key{{Value: providerKey, Status: 401}, {Value: next}}})
				f.changeKey(ctx, next)
			},
		}),
	)

	It("counts streams that break after their first token as broken, and no other", func(ctx context.Context) {
		DeferCleanup(func(ctx context.Context) { f.heal(ctx) })
		before := counters(ctx, Default, f.first).Total.Broken
		running := f.startLoad(ctx, f.loadName(), 15*time.Second, "--stream")
		eventuallyServes(ctx, f.first, 100, time.Minute)
		f.fault(ctx, fakeprovider.Fault{Kind: fakeprovider.FaultCloseMidBody, AfterEvents: 5, Times: 40, Permille: 100, Seed: 4})
		sum := running.finish(ctx, time.Minute)
		Expect(sum.Connections).To(BeNumerically(">=", 50))
		Expect(sum.Attempts).To(BeNumerically(">=", 1000))
		Expect(counters(ctx, Default, f.first).Total.Broken - before).To(BeNumerically(">", 0))
		Expect(sum.Broken).To(BeEquivalentTo(counters(ctx, Default, f.first).Total.Broken-before), "%v", sum.Failures)
		Expect(sum.Failed).To(Equal(sum.Broken), "%v", sum.Failures)
	})

	It("keeps to a provider's limit by itself, and loses no call to 429s", func(ctx context.Context) {
		const quota = 100
		before := counters(ctx, Default, f.first)
		sum := f.suffer(ctx, trouble{
			begin: func(ctx context.Context, f *fleet) {
				f.configure(ctx, map[string]any{"quota": fakeprovider.Quota{Requests: quota, Per: fakeprovider.Duration(10 * time.Second)}})
			},
			end: healed,
		})
		expectNoFailures(sum)
		refused := counters(ctx, Default, f.first).ByStatus["429"] - before.ByStatus["429"]
		AddReportEntry("429s", fmt.Sprintf("%d of %d calls met one", refused, sum.Attempts), ReportEntryVisibilityAlways)
		Expect(refused).To(BeNumerically("<=", quota/2))
	})

	It("moves on to a model's successor when the provider withdraws it, and says so", func(ctx context.Context) {
		route := f.route("chat")
		Expect(api.Get(ctx, client.ObjectKeyFromObject(route), route)).To(Succeed())
		route.Spec.Targets[0].Successor = smallModel
		Expect(api.Update(ctx, route)).To(Succeed())
		eventuallyCondition(ctx, route, v1alpha1.ConditionProgrammed, metav1.ConditionTrue)
		DeferCleanup(func(ctx context.Context) { f.heal(ctx) })
		running := f.startLoads(ctx, 15*time.Second)
		eventuallyServes(ctx, f.first, 100, time.Minute)
		f.configure(ctx, map[string]any{"withdrawn": []string{largeModel}})
		before := counters(ctx, Default, f.first).ByModel[smallModel].Done
		Eventually(ctx, func(g Gomega) {
			g.Expect(counters(ctx, g, f.first).ByModel[smallModel].Done - before).To(BeNumerically(">=", 100))
		}).WithTimeout(recovery).Should(Succeed())
		expectNoFailures(running.finish(ctx))
		condition := eventuallyCondition(ctx, route, v1alpha1.ConditionModelsAvailable, metav1.ConditionFalse)
		Expect(condition.Message).To(ContainSubstring(largeModel))
		Expect(f.scrape(ctx)).To(ContainElement(MatchRegexp(`(?m)^signalbox_target_model_withdrawn\{.*target="first".*\} 1$`)))
	})

	It("answers fast in a total outage, keeps its memory, and serves at once when it is over", func(ctx context.Context) {
		warm := f.startLoads(ctx, 3*time.Second)
		expectAnswered(warm.finish(ctx))
		before := f.residentBytes(ctx)
		held := 10 * time.Second
		if full() {
			held = time.Minute
		}
		running := f.startLoads(ctx, held)
		eventuallyServes(ctx, f.first, 50, time.Minute)
		f.fault(ctx, fakeprovider.Fault{Kind: fakeprovider.FaultHang})
		Expect(f.second.AddFaults(ctx, fakeprovider.Fault{Kind: fakeprovider.FaultStatus, Status: 503, Times: -1})).To(Succeed())
		DeferCleanup(func(ctx context.Context) { f.heal(ctx) })
		sum := running.finish(ctx)
		Expect(sum.LongestMillis).To(BeNumerically("<=", (fleetTotal + time.Second).Milliseconds()))
		Expect(sum.Statuses["502"]+sum.Statuses["503"]+sum.Statuses["504"]).To(Equal(sum.Failed), "%v", sum.Failures)
		Expect(sum.Statuses["503"]).To(BeNumerically(">", sum.Failed/2), "calls still went to providers that were known to be down")
		Expect(sum.Failed).To(BeNumerically(">", 0))
		after := f.residentBytes(ctx)
		AddReportEntry("memory of the proxies", fmt.Sprintf("%d MiB before the outage, %d MiB after it", before>>20, after>>20), ReportEntryVisibilityAlways)
		Expect(after).To(BeNumerically("<", before+48<<20))
		f.heal(ctx)
		healthy := f.startLoads(ctx, 8*time.Second)
		eventuallyServes(ctx, f.first, 100, time.Minute)
		healthy.finish(ctx)
		expectAnswered(f.startShort(ctx))
	})
})

// expectAnswered wants no failures of a load that may be short.
func expectAnswered(sum loadSummary) {
	GinkgoHelper()
	Expect(sum.Attempts).To(BeNumerically(">", 0))
	Expect(sum.Failed).To(BeZero(), "%v", sum.Failures)
}

// startShort is a load of a few seconds, and what came of it.
func (f *fleet) startShort(ctx context.Context) loadSummary {
	GinkgoHelper()
	return f.startLoads(ctx, 3*time.Second).finish(ctx)
}

// changeKey replaces the key in the first provider's Secret.
func (f *fleet) changeKey(ctx context.Context, key string) {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(api.Get(ctx, client.ObjectKey{Namespace: f.namespace, Name: "provider"}, secret)).To(Succeed())
	secret.Data["api-key"] = []byte(key)
	Expect(api.Update(ctx, secret)).To(Succeed())
}
