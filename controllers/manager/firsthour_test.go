package manager

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/controllertest"
)

// beginning is a namespace in which somebody makes his first objects.
type beginning struct {
	namespace string
	objects   map[string]client.Object
}

func newBeginning(ctx context.Context) *beginning {
	GinkgoHelper()
	namespace := newNamespace(ctx)
	provider := &keyProvider{good: map[string]bool{}}
	server := httptest.NewServer(provider)
	DeferCleanup(server.Close)
	provider.takes("sk-one")
	at := func(credential *v1alpha1.ProviderCredential) { credential.Spec.Endpoint = server.URL }
	return &beginning{namespace: namespace, objects: map[string]client.Object{
		"secret":     controllertest.KeySecret(namespace, "provider-key", "sk-one"),
		"credential": controllertest.Credential(namespace, "provider", at),
		"route":      controllertest.Route(namespace, "chat"),
		"budget": &v1alpha1.SpendBudget{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "monthly"},
			Spec: v1alpha1.SpendBudgetSpec{
				Limit: v1alpha1.SpendLimit{Amount: "1.00"}, Window: v1alpha1.BudgetWindow{Period: v1alpha1.PeriodMonth}, Enforcement: v1alpha1.EnforcementSoft,
			},
		},
	}}
}

// state reads a condition of an object as "status reason: message".
func (b *beginning) state(ctx context.Context, object, kind string) func() string {
	switch object {
	case "route":
		return condition(ctx, b.namespace, "chat", kind)
	case "credential":
		return credentialCondition(ctx, b.namespace, kind)
	}
	return func() string {
		var found v1alpha1.SpendBudget
		if err := cluster.Client.Get(ctx, types.NamespacedName{Namespace: b.namespace, Name: "monthly"}, &found); err != nil {
			return err.Error()
		}
		return describe(found.Status.Conditions, kind)
	}
}

// finish starts a proxy that takes every table, and waits until all objects are Ready and the last of the events is there.
func (b *beginning) finish(ctx context.Context) *proxyPod {
	GinkgoHelper()
	Eventually(func() error { _, err := delivered(ctx, b.namespace); return err }, patience, glance).Should(Succeed())
	proxy := startProxy(ctx, b.namespace)
	Eventually(func(g Gomega) {
		proxy.take(ctx)
		for _, object := range []string{"route", "credential", "budget"} {
			g.Expect(b.state(ctx, object, v1alpha1.ConditionReady)()).To(HavePrefix("True"))
		}
		told := b.events(ctx, corev1.EventTypeNormal)
		g.Expect(told).To(ContainElements("ModelRoute Ready", "ProviderCredential Ready", "SpendBudget Ready"))
	}, patience, glance).Should(Succeed())
	return proxy
}

// notes lists all events about our kinds as "type kind/name reason", with how often each was told.
func (b *beginning) notes(ctx context.Context) []string {
	GinkgoHelper()
	var found eventsv1.EventList
	Expect(cluster.Client.List(ctx, &found, client.InNamespace(b.namespace))).To(Succeed())
	var list []string
	for i := range found.Items {
		event := &found.Items[i]
		if event.Regarding.APIVersion != v1alpha1.SchemeGroupVersion().String() {
			continue
		}
		note := event.Type + " " + event.Regarding.Kind + "/" + event.Regarding.Name + " " + event.Reason
		if event.Series != nil {
			note += fmt.Sprintf(" x%d", event.Series.Count)
		}
		list = append(list, note)
	}
	return list
}

// events lists those of a type about our kinds as "kind reason".
func (b *beginning) events(ctx context.Context, kind string) []string {
	GinkgoHelper()
	var found corev1.EventList
	Expect(cluster.Client.List(ctx, &found, client.InNamespace(b.namespace))).To(Succeed())
	var list []string
	for i := range found.Items {
		about := found.Items[i].InvolvedObject
		if found.Items[i].Type == kind && about.APIVersion == v1alpha1.SchemeGroupVersion().String() {
			list = append(list, about.Kind+" "+found.Items[i].Reason)
		}
	}
	slices.Sort(list)
	return list
}

// Objects may be made in any order; what is told is what is missing, once, and not what follows from it or is under way.
var _ = Describe("the first objects of a namespace", Ordered, func() {
	BeforeAll(func() { startManager(cluster.Config, configuration) })

	// step makes an object and waits until a condition says what is wanted.
	type step struct{ object, about, kind, says string }
	DescribeTable("made one after the other", func(ctx SpecContext, steps []step, want []string) {
		b := newBeginning(ctx)
		for _, one := range steps {
			create(ctx, b.objects[one.object])
			if one.about != "" {
				Eventually(b.state(ctx, one.about, one.kind), patience, glance).Should(HavePrefix(one.says))
			}
		}
		b.finish(ctx)
		Expect(b.events(ctx, corev1.EventTypeWarning)).To(Equal(want))
	},
		Entry("from the key to the budget", []step{
			{object: "secret"},
			{"credential", "credential", "Ready", "True"},
			{"route", "route", "Programmed", "False Pending: the proxies are starting"},
			{"budget", "budget", "Enforced", "False Pending: the proxies are starting"},
		}, nil),
		Entry("the budget first", []step{
			{"budget", "budget", "Enforced", "False NoProxy"},
			{object: "secret"},
			{"credential", "credential", "Ready", "True"},
			{"route", "budget", "Enforced", "False Pending: the proxies are starting"},
		}, nil),
		Entry("the credential before its Secret", []step{
			{"credential", "credential", "ResolvedRefs", "False SecretNotFound"},
			{"secret", "credential", "Ready", "True"},
			{object: "route"}, {object: "budget"},
		}, []string{"ProviderCredential SecretNotFound"}),
		Entry("the route before its credential", []step{
			{"route", "route", "ResolvedRefs", "False BackendNotFound"},
			{object: "secret"},
			{"credential", "route", "ResolvedRefs", "True"},
			{object: "budget"},
		}, []string{"ModelRoute BackendNotFound"}),
		Entry("each before what it needs", []step{
			{"budget", "budget", "Enforced", "False NoProxy"},
			{"route", "route", "ResolvedRefs", "False BackendNotFound"},
			{"credential", "route", "ResolvedRefs", "False BackendUnusable"},
			{"secret", "route", "ResolvedRefs", "True"},
		}, []string{"ModelRoute BackendNotFound", "ModelRoute BackendUnusable", "ProviderCredential SecretNotFound"}),
	)

	DescribeTable("made all at once", func(ctx SpecContext, order string) {
		b := newBeginning(ctx)
		for object := range strings.FieldsSeq(order) {
			create(ctx, b.objects[object])
		}
		b.finish(ctx)
		// Whether something is seen to be missing for a moment is a matter of luck.
		missing := []string{"ModelRoute BackendNotFound", "ModelRoute BackendUnusable", "ProviderCredential SecretNotFound"}
		for _, told := range b.events(ctx, corev1.EventTypeWarning) {
			Expect(missing).To(ContainElement(told))
		}
	},
		Entry("in the order of the README", "secret credential route budget"),
		Entry("in the opposite order", "budget route credential secret"),
	)
})

var _ = Describe("a manager that starts anew", func() {
	It("tells of nothing where nothing changed", func(ctx SpecContext) {
		stop := startManager(cluster.Config, configuration)
		b := newBeginning(ctx)
		for _, object := range []string{"secret", "credential", "route", "budget"} {
			create(ctx, b.objects[object])
		}
		proxy := b.finish(ctx)
		before := b.notes(ctx)
		stop()
		startManager(cluster.Config, configuration)

		create(ctx, controllertest.Route(b.namespace, "another"))
		Eventually(func(g Gomega) {
			proxy.take(ctx)
			g.Expect(b.notes(ctx)).To(ContainElement("Normal ModelRoute/another Ready"))
		}, patience, glance).Should(Succeed())
		Expect(b.notes(ctx)).To(ConsistOf(append(before, "Normal ModelRoute/another Ready")))
	})
})
