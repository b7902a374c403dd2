package inject

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	testclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/controllers/selfsigned"
)

const patience = 30 * time.Second

// world is an API server whose webhook is a manager of the test.
type world struct {
	t         *testing.T
	client    client.Client
	keeper    *Keeper
	clock     *testclock.FakeClock
	namespace string
	// url is where the webhook answers, and health the address of the manager's probes.
	url, health string
	// ticks counts the calls of tick.
	ticks int
}

// tick has the keeper look again, now and then: the API server has the true time, from which the keeper's must not go far.
func (w *world) tick() {
	if w.ticks++; w.ticks%10 == 1 {
		w.clock.Step(lookEvery)
	}
}

// freeAddress is an address that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	var listening net.ListenConfig
	listener, err := listening.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// ready is the status of the manager's readiness probe; 0 while nobody answers.
func (w *world) ready() int {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, "http://"+w.health+"/readyz", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func newWorld(t *testing.T) *world {
	t.Helper()
	cluster, err := controllertest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Stop() })
	config := cluster.Config
	// The API server has the true time, so that the renewal must be due now and not later.
	w := &world{t: t, clock: testclock.NewFakeClock(time.Now().Add(selfsigned.RenewBefore - selfsigned.Lifetime))}
	if w.client, err = client.New(config, client.Options{Scheme: controllertest.Scheme()}); err != nil {
		t.Fatal(err)
	}
	if w.namespace, err = cluster.NewNamespace(t.Context()); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	w.url, w.health = "https://"+address+Path, freeAddress(t)
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: controllertest.Scheme(), Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: w.health,
	})
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	limited := w.limited(cluster)
	w.keeper = &Keeper{Client: limited, Live: limited, Namespace: "default", Host: "127.0.0.1", Clock: w.clock}
	if err := Add(mgr, NewServer("127.0.0.1", number, w.keeper), parseConfig(t, "{proxy: {image: a}}"), w.keeper); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return w
}

// limited is a client with no more rights than the chart gives for the webhook.
func (w *world) limited(cluster *controllertest.Cluster) client.Client {
	w.t.Helper()
	const user = "keeper"
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}}
	home, everywhere := metav1.ObjectMeta{Namespace: "default", Name: user}, metav1.ObjectMeta{Name: user}
	for _, object := range []client.Object{
		&rbacv1.Role{ObjectMeta: home, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{Name}, Verbs: []string{"get", "update"}},
		}},
		&rbacv1.RoleBinding{ObjectMeta: home, Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user}},
		&rbacv1.ClusterRole{ObjectMeta: everywhere, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{admissionregistrationv1.GroupName}, Resources: []string{"mutatingwebhookconfigurations"},
			ResourceNames: []string{ConfigurationName}, Verbs: []string{"get", "patch"},
		}}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: everywhere, Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user}},
	} {
		if err := w.client.Create(w.t.Context(), object); err != nil {
			w.t.Fatal(err)
		}
	}
	config, err := cluster.User(user)
	if err != nil {
		w.t.Fatal(err)
	}
	made, err := client.New(config, client.Options{Scheme: controllertest.Scheme()})
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

// install makes the configuration and the Secret as the chart has them, but for the address.
func (w *world) install() {
	w.t.Helper()
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: ConfigurationName},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "inject.signalbox.dev", AdmissionReviewVersions: []string{"v1"}, ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &w.url},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
			ObjectSelector: &metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.LabelInject: "true"}},
			FailurePolicy:  ptr.To(admissionregistrationv1.Ignore), SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone), TimeoutSeconds: ptr.To[int32](5),
		}},
	}
	empty := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: Name}, Type: corev1.SecretTypeOpaque}
	for _, object := range []client.Object{configuration, empty} {
		if err := w.client.Create(w.t.Context(), object); err != nil {
			w.t.Fatal(err)
		}
	}
}

// await polls until something holds.
func (w *world) await(what string, holds func() bool) {
	w.t.Helper()
	late := time.After(patience)
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for !holds() {
		select {
		case <-look.C:
		case <-late:
			w.t.Fatalf("%s does not come", what)
		}
	}
}

// create makes a pod and returns it as it is stored.
func (w *world) create(change func(*corev1.Pod)) *corev1.Pod {
	w.t.Helper()
	pod := newPod(change, func(p *corev1.Pod) {
		p.Namespace, p.Name, p.GenerateName, p.Spec.ServiceAccountName = w.namespace, "", "app-", "default"
	})
	if err := w.client.Create(w.t.Context(), pod); err != nil {
		w.t.Fatal(err)
	}
	return pod
}

func (w *world) bundle() []byte {
	w.t.Helper()
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := w.client.Get(w.t.Context(), types.NamespacedName{Name: ConfigurationName}, configuration); err != nil {
		w.t.Fatal(err)
	}
	return configuration.Webhooks[0].ClientConfig.CABundle
}

func injected(pod *corev1.Pod) bool {
	for i := range pod.Spec.Volumes {
		if pod.Spec.Volumes[i].Name == volumeName {
			return true
		}
	}
	return false
}

func TestWebhook(t *testing.T) {
	w := newWorld(t)
	w.await("an answer of the probe", func() bool { return w.ready() != 0 })
	if status := w.ready(); status != http.StatusInternalServerError {
		t.Errorf("without a certificate that the API server trusts the probe says %d", status)
	}
	w.install()
	w.await("readiness", func() bool {
		w.tick()
		return w.ready() == http.StatusOK
	})
	w.await("an injected pod", func() bool { return injected(w.create(func(*corev1.Pod) {})) })
	if injected(w.create(func(p *corev1.Pod) { p.Labels = nil })) {
		t.Error("a pod without the label has a token")
	}
	full := w.create(func(p *corev1.Pod) {
		p.Annotations = map[string]string{v1alpha1.AnnotationInjectNamespace: "ai-platform"}
		p.Spec.InitContainers = []corev1.Container{{Name: "init", Image: "a"}}
		p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: envBaseURL, Value: "https://own"}}
	})
	source := full.Spec.Volumes[len(full.Spec.Volumes)-1].Projected
	if source == nil || source.Sources[0].ServiceAccountToken.Audience != "signalbox.ai-platform" {
		t.Errorf("the volumes are %v", full.Spec.Volumes)
	}
	if full.Spec.Containers[0].Env[0].Value != "https://own" || full.Spec.InitContainers[0].Env[0].Value != "http://signalbox.ai-platform/v1" {
		t.Errorf("the containers are %v and %v", full.Spec.InitContainers, full.Spec.Containers)
	}
	before := w.bundle()
	w.clock.Step(selfsigned.Lifetime - selfsigned.RenewBefore + time.Minute)
	w.await("a renewed certificate", func() bool { return !bytes.Equal(before, w.bundle()) })
	if !bytes.HasSuffix(w.bundle(), before) {
		t.Error("the certificate before is not trusted any more")
	}
	w.await("a pod injected after the renewal", func() bool { return injected(w.create(func(*corev1.Pod) {})) })
	w.repairs()
	w.races()
}

// repairs breaks what the keeper keeps, and waits for it to be whole again.
func (w *world) repairs() {
	w.t.Helper()
	secret := &corev1.Secret{}
	name := types.NamespacedName{Namespace: "default", Name: Name}
	if err := w.client.Get(w.t.Context(), name, secret); err != nil {
		w.t.Fatal(err)
	}
	secret.Data = map[string][]byte{corev1.TLSCertKey: []byte("x"), corev1.TLSPrivateKeyKey: []byte("y")}
	if err := w.client.Update(w.t.Context(), secret); err != nil {
		w.t.Fatal(err)
	}
	w.await("the mended Secret", func() bool {
		w.tick()
		if err := w.client.Get(w.t.Context(), name, secret); err != nil {
			return false
		}
		_, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
		return err == nil
	})
	w.await("a pod injected after the repair", func() bool {
		w.tick()
		return injected(w.create(func(*corev1.Pod) {}))
	})
}

// racer is the client of a replica that is always second: another one has written just before its first writes.
type racer struct {
	client.Client
	beforeUpdate, beforePatch func()
}

func (r *racer) Update(ctx context.Context, object client.Object, options ...client.UpdateOption) error {
	r.beforeUpdate()
	return r.Client.Update(ctx, object, options...)
}

func (r *racer) Patch(ctx context.Context, object client.Object, patch client.Patch, options ...client.PatchOption) error {
	r.beforePatch()
	return r.Client.Patch(ctx, object, patch, options...)
}

// races has a replica make the certificate while another one does, and wants it to have one at once.
func (w *world) races() {
	w.t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: Name}}
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: ConfigurationName}}
	touch := func(object client.Object) func() {
		return sync.OnceFunc(func() {
			patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"touched":"true"}}}`))
			if err := w.client.Patch(w.t.Context(), object, patch); err != nil {
				w.t.Error(err)
			}
		})
	}
	empty := client.RawPatch(types.MergePatchType, []byte(`{"data":null}`))
	if err := w.client.Patch(w.t.Context(), secret, empty); err != nil {
		w.t.Fatal(err)
	}
	second := &Keeper{
		Client: &racer{Client: w.client, beforeUpdate: touch(secret), beforePatch: touch(configuration)}, Live: w.client,
		Namespace: "default", Host: "127.0.0.1", Clock: w.clock,
	}
	if err := second.look(w.t.Context()); err != nil {
		w.t.Errorf("the second replica: %v", err)
	}
	if _, err := second.certificate(nil); err != nil {
		w.t.Errorf("the second replica: %v", err)
	}
	if secret.Labels["touched"] == "" || configuration.Labels["touched"] == "" {
		w.t.Error("the other replica has written nothing")
	}
}
