package proxydeployment

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

// calling makes a route's only target call a route of another namespace.
func calling(namespace, name string) func(*v1alpha1.ModelRoute) {
	return func(route *v1alpha1.ModelRoute) {
		route.Spec.Targets = []v1alpha1.RouteTarget{{
			Name: "out", RouteRef: &v1alpha1.RouteReference{Namespace: namespace, Name: name}, Model: name + "-model",
		}}
	}
}

// admitting lets the proxy of a namespace call a route.
func admitting(namespace string) func(*v1alpha1.ModelRoute) {
	return func(route *v1alpha1.ModelRoute) {
		route.Spec.Access = &v1alpha1.RouteAccess{Allow: []v1alpha1.AccessRule{
			{ServiceAccount: &v1alpha1.ServiceAccountReference{Namespace: namespace, Name: v1alpha1.ProxyName}},
		}}
	}
}

func priced(route *v1alpha1.ModelRoute) {
	route.Spec.Targets[0].Prices = &v1alpha1.TokenPrices{Input: "2", Output: "3"}
}

// settle reconciles namespaces in turn until none of them writes anything, and returns how many rounds that took.
func settle(ctx context.Context, worlds ...*world) int {
	GinkgoHelper()
	for round := range 10 {
		before := 0
		for _, w := range worlds {
			before += w.writes
		}
		after := 0
		for _, w := range worlds {
			w.reconcile(ctx)
			after += w.writes
		}
		if before == after {
			return round
		}
	}
	Fail("the namespaces write because of each other for ever")
	return 0
}

// target is the first target of a route as the table has it.
func (w *world) target(ctx context.Context, route string) table.Target {
	GinkgoHelper()
	entries := w.table(ctx).Routes
	for i := range entries {
		if entries[i].Name == route {
			return entries[i].Targets[0]
		}
	}
	Fail("the table has no route " + route)
	return table.Target{}
}

func (w *world) credentialNames(ctx context.Context) []string {
	GinkgoHelper()
	var names []string
	for _, credential := range w.table(ctx).Credentials {
		names = append(names, credential.Name)
	}
	return names
}

var _ = Describe("Routes of other namespaces", func() {
	It("are called once they exist and admit, at the prices that their namespace's table has", func(ctx SpecContext) {
		near, far := newWorld(ctx), newWorld(ctx)
		near.create(ctx, controllertest.Route(near.namespace, "chat", calling(far.namespace, "llama")))
		near.reconcile(ctx)
		Expect(near.target(ctx, "chat").Excluded).To(ContainSubstring("does not exist"))

		closed := controllertest.Route(far.namespace, "llama", priced)
		far.create(ctx, controllertest.KeySecret(far.namespace, "provider-key", "sk-one"), controllertest.Credential(far.namespace, "provider"), closed)
		near.reconcile(ctx)
		Expect(near.target(ctx, "chat").Excluded).To(ContainSubstring("does not admit the proxy of this namespace"))
		Expect(near.credentialNames(ctx)).To(BeEmpty())

		admitting(near.namespace)(closed)
		Expect(cluster.Client.Update(ctx, closed)).To(Succeed())
		near.reconcile(ctx)
		called := near.target(ctx, "chat")
		Expect(called.Excluded).To(BeEmpty())
		Expect(called.Prices).To(BeNil(), "its namespace has no table yet")
		Expect(near.credentialNames(ctx)).To(ConsistOf("route:" + far.namespace))

		far.reconcile(ctx)
		near.reconcile(ctx)
		Expect(near.target(ctx, "chat").Prices.Input).To(Equal(int64(2_000_000_000)))
		Expect(near.target(ctx, "chat").Prices.Output).To(Equal(int64(3_000_000_000)))

		var role rbacv1.Role
		Expect(near.get(ctx, v1alpha1.ProxyName, &role)).To(Succeed())
		Expect(role.Rules).To(ContainElement(HaveField("Resources", ConsistOf("serviceaccounts/token"))))
	})

	It("of two namespaces that call each other come to rest", func(ctx SpecContext) {
		a, b := newWorld(ctx), newWorld(ctx)
		for _, pair := range [][2]*world{{a, b}, {b, a}} {
			own, other := pair[0], pair[1]
			own.create(ctx, controllertest.KeySecret(own.namespace, "provider-key", "sk-one"), controllertest.Credential(own.namespace, "provider"),
				controllertest.Route(own.namespace, "served", priced, admitting(other.namespace)),
				controllertest.Route(own.namespace, "relayed", calling(other.namespace, "served")))
		}
		Expect(settle(ctx, a, b)).To(BeNumerically("<=", 3))
		for _, w := range []*world{a, b} {
			Expect(w.target(ctx, "relayed").Excluded).To(BeEmpty())
			Expect(w.target(ctx, "relayed").Prices.Output).To(Equal(int64(3_000_000_000)))
		}
	})

	It("in a loop are left out on both sides, and come to rest", func(ctx SpecContext) {
		a, b := newWorld(ctx), newWorld(ctx)
		a.create(ctx, controllertest.Route(a.namespace, "ring", calling(b.namespace, "ring"), admitting(b.namespace)))
		b.create(ctx, controllertest.Route(b.namespace, "ring", calling(a.namespace, "ring"), admitting(a.namespace)))
		Expect(settle(ctx, a, b)).To(BeNumerically("<=", 3))
		for _, w := range []*world{a, b} {
			Expect(w.target(ctx, "ring").Excluded).To(ContainSubstring("a call would come back to this route"))
		}
	})

	It("that nobody watches are not known", func(ctx SpecContext) {
		near, far := newWorld(ctx), newWorld(ctx)
		far.create(ctx, controllertest.Route(far.namespace, "llama", admitting(near.namespace)))
		near.create(ctx, controllertest.Route(near.namespace, "chat", calling(far.namespace, "llama")))
		config := *near.reconciler.Config
		config.WatchNamespaces = []string{near.namespace}
		near.reconciler.Config = &config
		near.reconcile(ctx)
		report, err := near.reconciler.Tables.Report(ctx, near.namespace)
		Expect(err).NotTo(HaveOccurred())
		found, ok := report.Object(compile.KindModelRoute, "chat")
		Expect(ok).To(BeTrue())
		Expect(found.Findings).To(ConsistOf(SatisfyAll(
			HaveField("Reason", v1alpha1.ReasonBackendNotFound), HaveField("Message", ContainSubstring("does not watch that namespace")),
		)))
	})

	It("have those compiled again who call them, by way of others too, and pay by their table", func(ctx SpecContext) {
		a, b, c, d := newWorld(ctx), newWorld(ctx), newWorld(ctx), newWorld(ctx)
		last := controllertest.Route(c.namespace, "last")
		a.create(ctx, controllertest.Route(a.namespace, "first", calling(b.namespace, "second")))
		b.create(ctx, controllertest.Route(b.namespace, "second", calling(c.namespace, "last")))
		c.create(ctx, last)
		d.create(ctx, controllertest.Route(d.namespace, "apart"))
		Expect(c.reconciler.requestCallers(ctx, last)).To(ConsistOf(requestFor(a.namespace), requestFor(b.namespace)))
		table := controllertest.KeySecret(c.namespace, platform.TableSecret, "x")
		Expect(c.reconciler.requestPayers(ctx, table)).To(Equal([]reconcile.Request{requestFor(b.namespace)}))
		Expect(c.reconciler.requestPayers(ctx, controllertest.KeySecret(c.namespace, "another", "x"))).To(BeEmpty())
	})
})
