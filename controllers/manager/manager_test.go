package manager

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/proxy/control"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	patience = 30 * time.Second
	glance   = 20 * time.Millisecond
)

const configuration = `
proxy:
  image: registry.example/signalbox:test
  replicas: 1
endpoints:
  allowCIDRs: [127.0.0.0/8]
`

// startManager runs a whole manager until stop is called or the test ends.
func startManager(as *rest.Config, yaml string, changes ...func(*Options)) (stop func()) {
	GinkgoHelper()
	parsed, err := platform.Parse([]byte(yaml))
	Expect(err).NotTo(HaveOccurred())
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(GinkgoWriter, nil)))
	unnamed := true
	options := Options{
		Config: parsed, Namespace: "default", MetricsAddr: "0", HealthAddr: "0", Controller: config.Controller{SkipNameValidation: &unnamed},
	}
	for _, change := range changes {
		change(&options)
	}
	mgr, err := New(as, options)
	Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		Expect(<-ended).To(Succeed())
	})
	DeferCleanup(stop)
	return stop
}

func create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		Expect(cluster.Client.Create(ctx, object)).To(Succeed())
	}
}

func newNamespace(ctx context.Context) string {
	GinkgoHelper()
	namespace, err := cluster.NewNamespace(ctx)
	Expect(err).NotTo(HaveOccurred())
	return namespace
}

// delivered reads the table of a namespace.
func delivered(ctx context.Context, namespace string) (*table.Table, error) {
	var secret corev1.Secret
	if err := cluster.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: platform.TableSecret}, &secret); err != nil {
		return nil, err
	}
	return table.Decode(secret.Data[platform.TableKey])
}

// condition reads a condition of a route as "status reason: message".
func condition(ctx context.Context, namespace, route, kind string) func() string {
	return func() string {
		var found v1alpha1.ModelRoute
		if err := cluster.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: route}, &found); err != nil {
			return err.Error()
		}
		return describe(found.Status.Conditions, kind)
	}
}

// credentialCondition is condition for the ProviderCredential "provider".
func credentialCondition(ctx context.Context, namespace, kind string) func() string {
	return func() string {
		var found v1alpha1.ProviderCredential
		if err := cluster.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: "provider"}, &found); err != nil {
			return err.Error()
		}
		return describe(found.Status.Conditions, kind)
	}
}

func describe(conditions []metav1.Condition, kind string) string {
	found := meta.FindStatusCondition(conditions, kind)
	if found == nil {
		return "absent"
	}
	return string(found.Status) + " " + found.Reason + ": " + found.Message
}

// proxyPod stands for a proxy: a Pod object that says it is ready, and a control port that serves the table which it is given.
type proxyPod struct {
	namespace string
	server    *control.Server
}

// startProxy makes the Pod and serves its control port until the test ends.
func startProxy(ctx context.Context, namespace string) *proxyPod {
	GinkgoHelper()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	port := listener.Addr().(*net.TCPAddr).Port
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "signalbox-", Labels: platform.ProxyLabels()},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: platform.ProxyContainer, Image: "none", Ports: []corev1.ContainerPort{{Name: platform.ControlPortName, ContainerPort: int32(port)}},
		}}},
	}
	create(ctx, pod)
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: "127.0.0.1", PodIPs: []corev1.PodIP{{IP: "127.0.0.1"}},
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
	}
	Expect(cluster.Client.Status().Update(ctx, pod)).To(Succeed())
	server := control.NewServer(control.Options{
		Pod: pod.Name, PodUID: string(pod.UID), Stats: func() control.Stats { return control.Stats{} }, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	serving, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { _ = server.Serve(serving, listener) })
	DeferCleanup(func() {
		cancel()
		done.Wait()
	})
	return &proxyPod{namespace: namespace, server: server}
}

// take has the proxy serve the newest table.
func (p *proxyPod) take(ctx context.Context) {
	GinkgoHelper()
	newest, err := delivered(ctx, p.namespace)
	Expect(err).NotTo(HaveOccurred())
	Expect(p.server.Use(newest)).To(Succeed())
}

// unvalidated has new keys lead at once: there is no provider behind these credentials that could be asked.
func unvalidated(c *v1alpha1.ProviderCredential) {
	c.Spec.Rotation.Validate = v1alpha1.ValidateNone
}

var _ = Describe("a manager", Ordered, func() {
	BeforeAll(func() { startManager(cluster.Config, configuration) })

	It("delivers a table, and calls a route Programmed only once the proxy serves it", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		create(ctx, controllertest.KeySecret(namespace, "provider-key", "sk-one"), controllertest.Credential(namespace, "provider", unvalidated),
			controllertest.Route(namespace, "chat"))

		Eventually(func(g Gomega) {
			newest, err := delivered(ctx, namespace)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(newest.Routes).To(HaveLen(1))
			g.Expect(newest.Credentials).To(HaveLen(1))
			g.Expect(newest.Credentials[0].Keys).To(HaveLen(1))
			g.Expect(newest.Credentials[0].Keys[0].Value).To(Equal("sk-one"))
			g.Expect(newest.Issuers).To(HaveLen(1))
			g.Expect(newest.Issuers[0].Audience).To(Equal("signalbox." + namespace))
			g.Expect(newest.Endpoints.DenyCIDRs).NotTo(BeEmpty())
		}, patience, glance).Should(Succeed())
		Eventually(condition(ctx, namespace, "chat", "Accepted"), patience, glance).Should(HavePrefix("True Accepted"))
		Expect(condition(ctx, namespace, "chat", "Programmed")()).To(HavePrefix("False Pending: the proxies are starting"))

		proxy := startProxy(ctx, namespace)
		Eventually(condition(ctx, namespace, "chat", "Programmed"), patience, glance).Should(HavePrefix("False Pending"))
		proxy.take(ctx)
		Eventually(condition(ctx, namespace, "chat", "Programmed"), patience, glance).Should(HavePrefix("True Programmed"))

		By("changing the key: the proxy is behind, but the route's own generation stays in force")
		var secret corev1.Secret
		Expect(cluster.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: "provider-key"}, &secret)).To(Succeed())
		secret.Data["api-key"] = []byte("sk-two")
		Expect(cluster.Client.Update(ctx, &secret)).To(Succeed())
		Eventually(func(g Gomega) {
			newest, err := delivered(ctx, namespace)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(newest.Credentials[0].Keys[0].Value).To(Equal("sk-two"))
		}, patience, glance).Should(Succeed())
		Expect(condition(ctx, namespace, "chat", "Programmed")()).To(HavePrefix("True Programmed"))

		By("changing the route: it is Programmed again only when the proxy has the new table")
		var route v1alpha1.ModelRoute
		Expect(cluster.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: "chat"}, &route)).To(Succeed())
		// A patch, for the manager writes statuses meanwhile.
		before := route.DeepCopy()
		route.Spec.Targets[0].Model = "another-model"
		Expect(cluster.Client.Patch(ctx, &route, client.MergeFrom(before))).To(Succeed())
		Eventually(condition(ctx, namespace, "chat", "Programmed"), patience, glance).Should(HavePrefix("False Pending: 1 of 1 ready proxies"))
		proxy.take(ctx)
		Eventually(condition(ctx, namespace, "chat", "Programmed"), patience, glance).Should(HavePrefix("True Programmed"))
	})

	It("names the command that labels a Secret, and reads the Secret once it is labelled", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		secret := controllertest.KeySecret(namespace, "provider-key", "sk-one", controllertest.Unlabelled)
		create(ctx, secret, controllertest.Credential(namespace, "provider"), controllertest.Route(namespace, "chat"))

		command := "kubectl label secret provider-key -n " + namespace + " " + v1alpha1.LabelProviderKey + "=true"
		Eventually(credentialCondition(ctx, namespace, "ResolvedRefs"), patience, glance).Should(
			And(HavePrefix("False SecretNotLabelled"), ContainSubstring(command)))
		Eventually(condition(ctx, namespace, "chat", "ResolvedRefs"), patience, glance).Should(HavePrefix("False BackendUnusable"))

		secret.Labels = map[string]string{v1alpha1.LabelProviderKey: "true"}
		Expect(cluster.Client.Update(ctx, secret)).To(Succeed())
		Eventually(credentialCondition(ctx, namespace, "ResolvedRefs"), patience, glance).Should(HavePrefix("True"))
		Eventually(condition(ctx, namespace, "chat", "ResolvedRefs"), patience, glance).Should(HavePrefix("True"))
	})

	It("leaves somebody else's objects alone and says which are in the way", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		foreign := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: v1alpha1.ProxyName},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 1234}}},
		}
		create(ctx, foreign, controllertest.KeySecret(namespace, "provider-key", "sk-one"), controllertest.Credential(namespace, "provider"),
			controllertest.Route(namespace, "chat"))
		Eventually(condition(ctx, namespace, "chat", "Programmed"), patience, glance).Should(
			And(HavePrefix("False Conflict"), ContainSubstring(`Service "signalbox"`)))
		var service corev1.Service
		Expect(cluster.Client.Get(ctx, client.ObjectKeyFromObject(foreign), &service)).To(Succeed())
		Expect(service.Labels).To(BeEmpty())
		Expect(service.Spec.Ports[0].Port).To(Equal(int32(1234)))
		Expect(service.ResourceVersion).To(Equal(foreign.ResourceVersion))
	})

	It("says so when the table's own name is taken", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: platform.TableSecret}, Data: map[string][]byte{"theirs": []byte("x")}}
		create(ctx, foreign, controllertest.Credential(namespace, "provider"), controllertest.Route(namespace, "chat"))
		Eventually(condition(ctx, namespace, "chat", "Programmed"), patience, glance).Should(
			And(HavePrefix("False Conflict"), ContainSubstring(platform.TableSecret)))
		var secret corev1.Secret
		Expect(cluster.Client.Get(ctx, client.ObjectKeyFromObject(foreign), &secret)).To(Succeed())
		Expect(secret.ResourceVersion).To(Equal(foreign.ResourceVersion))
	})

	It("tells a broken route what is wrong and leaves the good one beside it as it is", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		create(ctx, controllertest.KeySecret(namespace, "provider-key", "sk-one"), controllertest.Credential(namespace, "provider", unvalidated),
			controllertest.Route(namespace, "good"))
		var before *table.Table
		Eventually(func() (err error) { before, err = delivered(ctx, namespace); return err }, patience, glance).Should(Succeed())
		create(ctx, controllertest.Route(namespace, "younger", func(route *v1alpha1.ModelRoute) { route.Spec.Models = []v1alpha1.ModelPattern{"good-model"} }),
			controllertest.Route(namespace, "astray", func(route *v1alpha1.ModelRoute) { route.Spec.Targets[0].CredentialRef.Name = "nowhere" }))
		Eventually(condition(ctx, namespace, "younger", "Accepted"), patience, glance).Should(And(HavePrefix("False ModelConflict"), ContainSubstring("good")))
		Eventually(condition(ctx, namespace, "astray", "ResolvedRefs"), patience, glance).Should(HavePrefix("False BackendNotFound"))
		after, err := delivered(ctx, namespace)
		Expect(err).NotTo(HaveOccurred())
		for _, route := range after.Routes {
			if route.Name == "good" {
				Expect(route).To(Equal(before.Routes[0]))
			}
		}
		Expect(condition(ctx, namespace, "good", "Accepted")()).To(HavePrefix("True"))
	})

	It("removes the proxy with the last route", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		route := controllertest.Route(namespace, "chat")
		create(ctx, controllertest.KeySecret(namespace, "provider-key", "sk-one"), controllertest.Credential(namespace, "provider", unvalidated), route)
		proxy := types.NamespacedName{Namespace: namespace, Name: v1alpha1.ProxyName}
		Eventually(func() error { return cluster.Client.Get(ctx, proxy, &appsv1.Deployment{}) }, patience, glance).Should(Succeed())
		Expect(cluster.Client.Delete(ctx, route)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(apierrors.IsNotFound(cluster.Client.Get(ctx, proxy, &appsv1.Deployment{}))).To(BeTrue())
			g.Expect(apierrors.IsNotFound(cluster.Client.Get(ctx, proxy, &corev1.Service{}))).To(BeTrue())
			g.Expect(apierrors.IsNotFound(cluster.Client.Get(ctx, proxy, &corev1.ServiceAccount{}))).To(BeTrue())
			_, err := delivered(ctx, namespace)
			g.Expect(apierrors.IsNotFound(err)).To(BeTrue())
		}, patience, glance).Should(Succeed())
		var theirs corev1.Secret
		Expect(cluster.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: "provider-key"}, &theirs)).To(Succeed())
	})

	It("puts back what somebody changed, and removes what is no longer wanted", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		create(ctx, controllertest.KeySecret(namespace, "provider-key", "sk-one"), controllertest.Credential(namespace, "provider", unvalidated),
			controllertest.Route(namespace, "chat"))
		proxy := types.NamespacedName{Namespace: namespace, Name: v1alpha1.ProxyName}
		var deployment appsv1.Deployment
		Eventually(func() error { return cluster.Client.Get(ctx, proxy, &deployment) }, patience, glance).Should(Succeed())
		before := deployment.DeepCopy()
		deployment.Spec.Template.Spec.Containers[0].Image = "registry.example/other:1"
		Expect(cluster.Client.Patch(ctx, &deployment, client.MergeFrom(before))).To(Succeed())
		stray := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "stray", Labels: platform.ProxyLabels()},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 1}}},
		}
		create(ctx, stray)
		Eventually(func(g Gomega) {
			g.Expect(cluster.Client.Get(ctx, proxy, &deployment)).To(Succeed())
			g.Expect(deployment.Spec.Template.Spec.Containers[0].Image).To(Equal("registry.example/signalbox:test"))
			g.Expect(apierrors.IsNotFound(cluster.Client.Get(ctx, client.ObjectKeyFromObject(stray), &corev1.Service{}))).To(BeTrue())
		}, patience, glance).Should(Succeed())
	})

	It("emits events for conditions that became bad, and shows no key anywhere but in the table", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		create(ctx, controllertest.KeySecret(namespace, "provider-key", "sk-very-secret"), controllertest.Credential(namespace, "provider"),
			controllertest.Route(namespace, "chat", func(route *v1alpha1.ModelRoute) { route.Spec.Targets[0].CredentialRef.Name = "nowhere" }))
		Eventually(func() (string, error) {
			var found corev1.EventList
			err := cluster.Client.List(ctx, &found, client.InNamespace(namespace))
			var notes []string
			for i := range found.Items {
				notes = append(notes, found.Items[i].Reason+" "+found.Items[i].Message)
			}
			return strings.Join(notes, "\n"), err
		}, patience, glance).Should(And(ContainSubstring("BackendNotFound ResolvedRefs"), Not(ContainSubstring("sk-very-secret"))))
		var credential v1alpha1.ProviderCredential
		Expect(cluster.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: "provider"}, &credential)).To(Succeed())
		Expect(credential.Status.Keys).To(HaveLen(1))
		Expect(credential.Status.Keys[0].Fingerprint).To(HaveLen(12))
	})
})
