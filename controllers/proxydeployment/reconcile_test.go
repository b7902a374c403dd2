package proxydeployment

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/apiserver"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/controllers/report"
	"signalbox.dev/signalbox/controllers/retry"
	"signalbox.dev/signalbox/controllers/secrets"
	"signalbox.dev/signalbox/controllers/selfsigned"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/table"
)

// knownFacts are facts that do not change.
type knownFacts struct {
	facts apiserver.Facts
	known bool
}

func (k knownFacts) Facts() (apiserver.Facts, bool) { return k.facts, k.known }

// fixedProbes are what probes found, by namespace and credential.
type fixedProbes struct {
	lists    map[string]map[string]provider.ModelList
	verdicts map[string]map[string]compile.KeyVerdict
}

func (p fixedProbes) Lists(namespace string) map[string]provider.ModelList { return p.lists[namespace] }

func (p fixedProbes) Verdicts(string) map[string]map[string]compile.KeyVerdict {
	if p.verdicts == nil {
		return map[string]map[string]compile.KeyVerdict{}
	}
	return p.verdicts
}

// world is one namespace and a reconciler that reads without caches.
type world struct {
	namespace  string
	clock      *testclock.FakeClock
	reconciler *Reconciler
	// writes counts applies and deletions.
	writes int
	// order lists what was applied, by kind.
	order []string
	// events are those that were emitted.
	events *events.FakeRecorder
	// beforeApply, if set, is called before each apply.
	beforeApply func()
}

func newWorld(ctx context.Context) *world {
	GinkgoHelper()
	namespace, err := cluster.NewNamespace(ctx)
	Expect(err).NotTo(HaveOccurred())
	parsed, err := platform.Parse([]byte(testConfig))
	Expect(err).NotTo(HaveOccurred())
	w := &world{namespace: namespace, clock: testclock.NewFakeClock(time.Now()), events: events.NewFakeRecorder(10)}
	direct, err := client.NewWithWatch(cluster.Config, client.Options{Scheme: controllertest.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	counting := interceptor.NewClient(direct, interceptor.Funcs{
		Apply: func(ctx context.Context, next client.WithWatch, object runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			w.writes++
			w.order = append(w.order, object.(interface{ GetKind() string }).GetKind())
			if w.beforeApply != nil {
				w.beforeApply()
			}
			return next.Apply(ctx, object, options...)
		},
		Delete: func(ctx context.Context, next client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			w.writes++
			return next.Delete(ctx, object, options...)
		},
	})
	labelled := func(label, value string) client.Reader {
		return controllertest.Labelled{Reader: direct, Label: label, Value: value}
	}
	w.reconciler = &Reconciler{
		Client: counting, Live: direct, AccessKeys: labelled(v1alpha1.LabelAccessKey, "true"),
		Lookup: secrets.NewLookup(labelled(v1alpha1.LabelProviderKey, "true"), direct, w.clock),
		Tables: report.NewReader(labelled(v1alpha1.LabelManagedBy, v1alpha1.ManagedByValue)),
		Facts:  knownFacts{facts: apiserver.Facts{Issuer: "https://issuer", JWKS: []byte("{}")}, known: true},
		Config: parsed, Events: w.events, Clock: w.clock, Pace: NewPace(),
	}
	return w
}

func (w *world) create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		Expect(cluster.Client.Create(ctx, object)).To(Succeed())
	}
}

// populate makes a working route.
func (w *world) populate(ctx context.Context) *v1alpha1.ModelRoute {
	GinkgoHelper()
	route := controllertest.Route(w.namespace, "chat")
	w.create(ctx, controllertest.KeySecret(w.namespace, "provider-key", "sk-one"), controllertest.Credential(w.namespace, "provider"), route)
	return route
}

// reconcile does so a second later, when no table has to wait its turn.
func (w *world) reconcile(ctx context.Context) reconcile.Result {
	GinkgoHelper()
	w.clock.Step(time.Second)
	result, err := w.reconciler.Reconcile(ctx, requestFor(w.namespace))
	Expect(err).NotTo(HaveOccurred())
	return result
}

func (w *world) get(ctx context.Context, name string, object client.Object) error {
	return cluster.Client.Get(ctx, types.NamespacedName{Namespace: w.namespace, Name: name}, object)
}

func (w *world) table(ctx context.Context) *table.Table {
	GinkgoHelper()
	var secret corev1.Secret
	Expect(w.get(ctx, platform.TableSecret, &secret)).To(Succeed())
	decoded, err := table.Decode(secret.Data[platform.TableKey])
	Expect(err).NotTo(HaveOccurred())
	Expect(secret.Annotations).To(HaveKeyWithValue(platform.AnnotationRevision, decoded.Revision))
	return decoded
}

const testConfig = "proxy: {image: 'registry.example/signalbox:test', replicas: 3}"

var _ = Describe("Reconcile", func() {
	It("makes a proxy, and writes nothing when nothing changed", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.populate(ctx)
		Expect(w.reconcile(ctx).RequeueAfter).To(Equal(longest))
		Expect(w.writes).To(Equal(9))
		Expect(w.table(ctx).Routes).To(HaveLen(1))
		var deployment appsv1.Deployment
		Expect(w.get(ctx, v1alpha1.ProxyName, &deployment)).To(Succeed())
		Expect(*deployment.Spec.Replicas).To(Equal(int32(3)))
		w.reconcile(ctx)
		Expect(w.writes).To(Equal(9), "the second time everything is in force")
	})

	It("puts what providers list into the table, and keeps it while nobody knows the list", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.populate(ctx)
		w.reconcile(ctx)
		Expect(w.table(ctx).Routes[0].Targets[0].Unlisted).To(BeFalse())
		account := provider.Account{Endpoint: "http://model-server." + w.namespace + ":8000/v1"}
		w.reconciler.Probes = fixedProbes{lists: map[string]map[string]provider.ModelList{w.namespace: {"provider": {
			Provider: "OpenAICompatible", Account: account, Models: []provider.ListedModel{{ID: "another-model"}}, Complete: true,
		}}}}
		w.reconcile(ctx)
		Expect(w.table(ctx).Routes[0].Targets[0].Unlisted).To(BeTrue())
		writes := w.writes
		w.reconciler.Probes = fixedProbes{}
		w.reconcile(ctx)
		Expect(w.table(ctx).Routes[0].Targets[0].Unlisted).To(BeTrue())
		Expect(w.writes).To(Equal(writes), "a manager that was restarted changes nothing")
	})

	It("does nothing for a namespace without routes", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.create(ctx, controllertest.Credential(w.namespace, "provider"))
		Expect(w.reconcile(ctx)).To(Equal(reconcile.Result{}))
		Expect(w.writes).To(BeZero())
	})

	It("waits until the API server's addresses are known", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.populate(ctx)
		w.reconciler.Facts = knownFacts{}
		Expect(w.reconcile(ctx).RequeueAfter).To(Equal(time.Second))
		Expect(w.writes).To(BeZero())
	})

	It("keeps salt, certificate and unchanged sequence over changes", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.populate(ctx)
		w.reconcile(ctx)
		first := w.table(ctx)
		w.create(ctx, controllertest.Route(w.namespace, "second"))
		w.reconcile(ctx)
		second := w.table(ctx)
		Expect(second.AccessKeySalt).To(Equal(first.AccessKeySalt))
		Expect(second.Control).To(Equal(first.Control))
		Expect(second.Sequence).To(Equal(first.Sequence + 1))
		Expect(second.Routes[0].Since).To(Equal(first.Sequence))
		Expect(second.Routes[1].Since).To(Equal(second.Sequence))
	})

	It("renews the certificate and keeps accepting the one before it", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.populate(ctx)
		w.reconcile(ctx)
		first := w.table(ctx)
		w.clock.Step(selfsigned.Lifetime - selfsigned.RenewBefore + time.Minute)
		w.reconcile(ctx)
		second := w.table(ctx)
		Expect(second.Control.CertificatePEM).NotTo(Equal(first.Control.CertificatePEM))
		Expect(second.Control.PreviousPEM).To(Equal(first.Control.CertificatePEM))
		Expect(second.Control.PreviousKeyPEM).To(Equal(first.Control.PrivateKeyPEM))
		Expect(second.Control.NotAfter).To(BeTemporally(">", first.Control.NotAfter))
		Expect(w.reconcile(ctx).RequeueAfter).To(Equal(longest))
		Expect(w.table(ctx).Sequence).To(Equal(second.Sequence))
	})

	It("does not write a table over one that it has not seen", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.populate(ctx)
		w.reconcile(ctx)
		w.create(ctx, controllertest.Route(w.namespace, "second"))
		w.beforeApply = func() {
			var secret corev1.Secret
			Expect(w.get(ctx, platform.TableSecret, &secret)).To(Succeed())
			secret.Annotations["somebody"] = "else"
			Expect(cluster.Client.Update(ctx, &secret)).To(Succeed())
			w.beforeApply = nil
		}
		Expect(w.reconcile(ctx).RequeueAfter).To(Equal(retry.Soon))
		Expect(w.table(ctx).Routes).To(HaveLen(1))
		w.reconcile(ctx)
		Expect(w.table(ctx).Routes).To(HaveLen(2))
	})

	It("does not take over an object that appears in the moment of its own write", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.populate(ctx)
		theirs := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: v1alpha1.ProxyName},
			Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "theirs"}, Ports: []corev1.ServicePort{{Port: 80, Name: "theirs"}}},
		}
		w.beforeApply = func() {
			w.create(ctx, theirs)
			w.beforeApply = nil
		}
		_, err := w.reconciler.Reconcile(ctx, requestFor(w.namespace))
		Expect(err).NotTo(HaveOccurred())
		var service corev1.Service
		Expect(w.get(ctx, v1alpha1.ProxyName, &service)).To(Succeed())
		Expect(service.Labels).To(BeEmpty())
		Expect(service.Spec.Selector).To(Equal(map[string]string{"app": "theirs"}))
	})

	It("does not take over an object either that differs in nothing from its own", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.populate(ctx)
		w.beforeApply = func() {
			w.create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: v1alpha1.ProxyName}})
			w.beforeApply = nil
		}
		Expect(w.reconcile(ctx).RequeueAfter).To(Equal(retry.Soon))
		var theirs corev1.ServiceAccount
		Expect(w.get(ctx, v1alpha1.ProxyName, &theirs)).To(Succeed())
		Expect(theirs.Labels).To(BeEmpty())
	})

	It("leaves the replicas to the autoscaler, through the change too", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.populate(ctx)
		w.reconcile(ctx)
		withAutoscaler, err := platform.Parse([]byte("proxy: {image: 'registry.example/signalbox:test', autoscaling: {minReplicas: 2, maxReplicas: 9}}"))
		Expect(err).NotTo(HaveOccurred())
		w.reconciler.Config = withAutoscaler
		w.reconcile(ctx)
		var deployment appsv1.Deployment
		Expect(w.get(ctx, v1alpha1.ProxyName, &deployment)).To(Succeed())
		Expect(*deployment.Spec.Replicas).To(Equal(int32(3)), "switching the autoscaler on does not restart from one")

		scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 7}}
		Expect(cluster.Client.SubResource("scale").Update(ctx, &deployment, client.WithSubResourceBody(scale))).To(Succeed())
		withAutoscaler.Proxy.Image = "registry.example/signalbox:next"
		w.reconcile(ctx)
		Expect(w.get(ctx, v1alpha1.ProxyName, &deployment)).To(Succeed())
		Expect(*deployment.Spec.Replicas).To(Equal(int32(7)))
		Expect(deployment.Spec.Template.Spec.Containers[0].Image).To(Equal("registry.example/signalbox:next"))
	})

	It("lets the proxies read a new budget's ledger before the table names it", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.populate(ctx)
		w.reconcile(ctx)
		w.create(ctx, &v1alpha1.SpendBudget{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "daily"},
			Spec:       v1alpha1.SpendBudgetSpec{Limit: v1alpha1.SpendLimit{Amount: "1"}, Window: v1alpha1.BudgetWindow{Period: v1alpha1.PeriodDay}},
		})
		w.order = nil
		w.reconcile(ctx)
		Expect(w.order).To(Equal([]string{"Role", "Secret"}))
	})

	It("says on an access-key Secret what is wrong with it, once", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.populate(ctx)
		w.create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "ci", Labels: map[string]string{v1alpha1.LabelAccessKey: "true"}},
			Data:       map[string][]byte{"kay": []byte("sk-very-secret")},
		})
		w.reconcile(ctx)
		Expect(w.events.Events).To(Receive(Equal(`Warning InvalidKey this access key opens nothing: an access-key Secret holds its key under "key"`)))
		w.create(ctx, controllertest.Route(w.namespace, "second"))
		w.reconcile(ctx)
		Expect(w.table(ctx).Routes).To(HaveLen(2))
		Expect(w.events.Events).NotTo(Receive())
	})

	It("takes an access key out when its deletion begins, though a finalizer keeps its Secret", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.populate(ctx)
		key := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: w.namespace, Name: "ci", Labels: map[string]string{v1alpha1.LabelAccessKey: "true"}, Finalizers: []string{"example.com/keeper"},
			},
			Data: map[string][]byte{v1alpha1.AccessKeySecretKey: []byte("sb-ci")},
		}
		w.create(ctx, key)
		w.reconcile(ctx)
		Expect(w.table(ctx).AccessKeys).To(HaveLen(1))
		Expect(cluster.Client.Delete(ctx, key)).To(Succeed())
		w.reconcile(ctx)
		Expect(w.table(ctx).AccessKeys).To(BeEmpty())
	})

	It("keeps the key in use when a credential is led to a Secret whose value cannot be a key", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.populate(ctx)
		w.reconcile(ctx)
		before := w.table(ctx)
		w.create(ctx, controllertest.KeySecret(w.namespace, "next-key", "has a\ttab"))
		var credential v1alpha1.ProviderCredential
		Expect(w.get(ctx, "provider", &credential)).To(Succeed())
		credential.Spec.Auth.Keys[0].SecretKeyRef.Name = "next-key"
		Expect(cluster.Client.Update(ctx, &credential)).To(Succeed())
		w.reconcile(ctx)
		Expect(w.table(ctx).Credentials[0].Keys).To(Equal(before.Credentials[0].Keys))
	})

	It("removes all that it made and nothing else", func(ctx SpecContext) {
		w := newWorld(ctx)
		route := w.populate(ctx)
		ledger := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "signalbox-ledger-daily", Labels: map[string]string{
			v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue, v1alpha1.LabelComponent: v1alpha1.ComponentLedger,
		}}}
		w.create(ctx, ledger)
		w.reconcile(ctx)
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "draining", Labels: platform.ProxyLabels()},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: platform.ProxyContainer, Image: "none"}}},
		}
		w.create(ctx, pod)
		Expect(cluster.Client.Delete(ctx, route)).To(Succeed())
		for range 2 {
			Expect(w.reconcile(ctx).RequeueAfter).To(Equal(drainRecheck))
			Expect(w.get(ctx, v1alpha1.ProxyName, &rbacv1.Role{})).To(Succeed(), "a proxy that drains writes what it spent")
			Expect(apierrors.IsNotFound(w.get(ctx, v1alpha1.ProxyName, &appsv1.Deployment{}))).To(BeTrue())
		}
		Expect(cluster.Client.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed())
		Expect(w.reconcile(ctx)).To(Equal(reconcile.Result{}))
		ours := client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue, v1alpha1.LabelComponent: v1alpha1.ComponentProxy}
		for _, kind := range kinds() {
			list := kind.list()
			Expect(cluster.Client.List(ctx, list, client.InNamespace(w.namespace), ours)).To(Succeed())
			Expect(meta.LenList(list)).To(BeZero(), kind.gvk.Kind)
		}
		Expect(apierrors.IsNotFound(w.get(ctx, platform.TableSecret, &corev1.Secret{}))).To(BeTrue())
		Expect(w.get(ctx, ledger.Name, &corev1.ConfigMap{})).To(Succeed())
		Expect(w.get(ctx, "provider-key", &corev1.Secret{})).To(Succeed())
		written := w.writes
		w.reconcile(ctx)
		Expect(w.writes).To(Equal(written))
	})

	It("keeps the good routes' entries and the last good one of a route that broke", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.populate(ctx)
		w.reconcile(ctx)
		before := w.table(ctx)
		secret := &corev1.Secret{}
		Expect(w.get(ctx, "provider-key", secret)).To(Succeed())
		secret.Data["api-key"] = []byte("has a\ttab")
		Expect(cluster.Client.Update(ctx, secret)).To(Succeed())
		w.reconcile(ctx)
		after := w.table(ctx)
		Expect(after.Credentials[0].Keys).To(Equal(before.Credentials[0].Keys))
		Expect(after.Routes).To(Equal(before.Routes))
	})

	It("does nothing in a namespace that is going away", func(ctx SpecContext) {
		w := newWorld(ctx)
		w.populate(ctx)
		var namespace corev1.Namespace
		Expect(cluster.Client.Get(ctx, types.NamespacedName{Name: w.namespace}, &namespace)).To(Succeed())
		Expect(cluster.Client.Delete(ctx, &namespace)).To(Succeed())
		w.reconcile(ctx)
		Expect(w.writes).To(BeZero())
	})
})
