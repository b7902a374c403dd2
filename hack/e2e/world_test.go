//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/hack/fakeprovider"
)

const (
	largeModel  = "llama-3.3-70b-versatile"
	smallModel  = "llama-3.1-8b-instant"
	providerKey = "sk-e2e-provider-key-1"
	accessKey   = "sk-e2e-access-key"
	tokenPath   = "/var/run/secrets/signalbox/token"
)

var worldCount atomic.Int64

// world is one namespace with a fake provider, a credential and an app pod.
type world struct {
	namespace string
	provider  *fakeprovider.Client
}

// newWorld makes a namespace whose app pod carries a projected token for its proxy, and whose provider takes providerKey only. No route yet.
func newWorld(ctx context.Context) *world {
	GinkgoHelper()
	w := &world{namespace: fmt.Sprintf("e2e-%d-%d", GinkgoRandomSeed(), worldCount.Add(1))}
	create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}})
	DeferCleanup(func(ctx context.Context) {
		Expect(client.IgnoreNotFound(api.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}))).To(Succeed())
	})
	DeferCleanup(func(ctx context.Context) { expectNoLeaks(ctx, w.namespace) })
	// Pods are refused until the controller manager has made it.
	Eventually(ctx, func(g Gomega) {
		g.Expect(api.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: "default"}, &corev1.ServiceAccount{})).To(Succeed())
	}).Should(Succeed())
	create(ctx, &corev1.ServiceAccount{ObjectMeta: w.meta("app")}, &corev1.ServiceAccount{ObjectMeta: w.meta("stranger")})
	w.provider = w.startProvider(ctx, "provider")
	w.startApp(ctx, "app", "app")
	w.createSecret(ctx, "provider", v1alpha1.LabelProviderKey, map[string]string{"api-key": providerKey})
	w.createSecret(ctx, "laptop", v1alpha1.LabelAccessKey, map[string]string{v1alpha1.AccessKeySecretKey: accessKey})
	create(ctx, w.credential("provider"))
	return w
}

// configure changes single settings of the provider.
func (w *world) configure(ctx context.Context, settings map[string]any) {
	GinkgoHelper()
	Expect(w.provider.PatchSettings(ctx, settings)).To(Succeed())
}

func (w *world) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: w.namespace}
}

func create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		Expect(api.Create(ctx, object)).To(Succeed())
	}
}

func (w *world) createSecret(ctx context.Context, name, label string, data map[string]string) {
	GinkgoHelper()
	remember(slices.Collect(maps.Values(data))...)
	create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.namespace, Labels: map[string]string{label: "true"}}, StringData: data})
}

func (w *world) credential(name string) *v1alpha1.ProviderCredential {
	return &v1alpha1.ProviderCredential{
		ObjectMeta: w.meta(name),
		Spec: v1alpha1.ProviderCredentialSpec{
			Provider: v1alpha1.ProviderOpenAICompatible,
			Endpoint: "http://provider." + w.namespace + ":9900/v1",
			Auth: v1alpha1.ProviderAuth{Keys: []v1alpha1.ProviderKey{{
				Name: "main", SecretKeyRef: v1alpha1.SecretKeyReference{Name: "provider", Key: "api-key"},
			}}},
			Prices: []v1alpha1.ModelPrice{
				{Model: largeModel, TokenPrices: v1alpha1.TokenPrices{Input: "0.59", Output: "0.79"}},
				{Model: smallModel, TokenPrices: v1alpha1.TokenPrices{Input: "0.05", Output: "0.08"}},
			},
		},
	}
}

// route is "chat" with the large model first and the small one as its fallback; edits change it.
func (w *world) route(name string, edits ...func(*v1alpha1.ModelRoute)) *v1alpha1.ModelRoute {
	second := int32(1)
	route := &v1alpha1.ModelRoute{
		ObjectMeta: w.meta(name),
		Spec: v1alpha1.ModelRouteSpec{
			Models: []v1alpha1.ModelPattern{v1alpha1.ModelPattern(name)},
			Targets: []v1alpha1.RouteTarget{
				{Name: "large", CredentialRef: v1alpha1.LocalReference{Name: "provider"}, Model: largeModel},
				{Name: "small", CredentialRef: v1alpha1.LocalReference{Name: "provider"}, Model: smallModel, Priority: &second},
			},
		},
	}
	for _, edit := range edits {
		edit(route)
	}
	return route
}

func restricted() *corev1.SecurityContext {
	no, yes := false, true
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: &no, RunAsNonRoot: &yes,
		Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

// startProvider starts a fake provider behind a Service of its name and returns what controls it.
func (w *world) startProvider(ctx context.Context, name string) *fakeprovider.Client {
	GinkgoHelper()
	create(ctx, &corev1.Service{
		ObjectMeta: w.meta(name),
		Spec:       corev1.ServiceSpec{Selector: providerLabels(name), Ports: []corev1.ServicePort{{Port: 9900}}},
	})
	return w.startProviderPod(ctx, name, name)
}

func providerLabels(service string) map[string]string { return map[string]string{"provider": service} }

// startProviderPod starts one pod for the Service of a provider.
func (w *world) startProviderPod(ctx context.Context, name, service string) *fakeprovider.Client {
	GinkgoHelper()
	create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.namespace, Labels: providerLabels(service)},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "provider", Image: providerImage, ImagePullPolicy: corev1.PullNever, SecurityContext: restricted(),
			Args: []string{"--addr", ":9900", "--control-addr", ":9901"},
			ReadinessProbe: &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{
				HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(9901)},
			}},
		}}},
	})
	provider := fakeprovider.NewClient("http://"+w.podAddress(ctx, name)+":9901", http.DefaultClient)
	Expect(provider.PatchSettings(ctx, map[string]any{"models": []string{"*"}, "keys": []fakeprovider.Key{{Value: providerKey}}, "completionTokens": 12})).To(Succeed())
	return provider
}

// losePackets drops what other pods send to a pod, without a word to them, until the returned function is called or the spec ends.
func (w *world) losePackets(ctx context.Context, pod string) (end func(context.Context)) {
	GinkgoHelper()
	rule := []string{"FORWARD", "--destination", w.podAddress(ctx, pod), "--jump", "DROP"}
	lost := true
	change := func(ctx context.Context, how string) {
		_, err := output(ctx, "iptables", append([]string{"--wait", how}, rule...)...)
		Expect(err).NotTo(HaveOccurred())
	}
	change(ctx, "--insert")
	end = func(ctx context.Context) {
		if lost {
			lost = false
			change(ctx, "--delete")
		}
	}
	DeferCleanup(end)
	return end
}

// startApp starts a pod that waits; calls are made by running testapp inside it.
func (w *world) startApp(ctx context.Context, name, serviceAccount string, args ...string) {
	GinkgoHelper()
	if len(args) == 0 {
		args = []string{"wait"}
	}
	lifetime := int64(3600)
	create(ctx, &corev1.Pod{
		ObjectMeta: w.meta(name),
		Spec: corev1.PodSpec{
			ServiceAccountName: serviceAccount,
			RestartPolicy:      corev1.RestartPolicyNever,
			Containers: []corev1.Container{{
				Name: "app", Image: appImage, ImagePullPolicy: corev1.PullNever, SecurityContext: restricted(), Args: args,
				VolumeMounts: []corev1.VolumeMount{{Name: "token", MountPath: "/var/run/secrets/signalbox"}},
			}},
			Volumes: []corev1.Volume{{Name: "token", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
				Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
					Audience: "signalbox." + w.namespace, ExpirationSeconds: &lifetime, Path: "token",
				}}},
			}}}},
		},
	})
	w.podAddress(ctx, name)
}

// podAddress waits until the pod is ready and returns its address.
func (w *world) podAddress(ctx context.Context, name string) string {
	GinkgoHelper()
	pod := &corev1.Pod{}
	Eventually(ctx, func(g Gomega) {
		g.Expect(api.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: name}, pod)).To(Succeed())
		g.Expect(podReady(pod)).To(BeTrue(), "pod %s: %s", name, pod.Status.Phase)
	}).Should(Succeed())
	return pod.Status.PodIP
}

func podReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// eventuallyCondition waits for a condition of an object to have the status and returns it.
func eventuallyCondition(ctx context.Context, object client.Object, conditionType string, want metav1.ConditionStatus) metav1.Condition {
	GinkgoHelper()
	var found metav1.Condition
	Eventually(ctx, func(g Gomega) {
		g.Expect(api.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
		condition := meta.FindStatusCondition(conditions(object), conditionType)
		g.Expect(condition).NotTo(BeNil(), "%s has no condition %s", object.GetName(), conditionType)
		g.Expect(condition.Status).To(Equal(want), "%s: %s: %s", condition.Type, condition.Reason, condition.Message)
		g.Expect(condition.ObservedGeneration).To(Equal(object.GetGeneration()))
		found = *condition
	}).Should(Succeed())
	return found
}

func conditions(object client.Object) []metav1.Condition {
	switch o := object.(type) {
	case *v1alpha1.ModelRoute:
		return o.Status.Conditions
	case *v1alpha1.ProviderCredential:
		return o.Status.Conditions
	case *v1alpha1.SpendBudget:
		return o.Status.Conditions
	}
	return nil
}

// report is what testapp chat prints.
type report struct {
	Text     string              `json:"text"`
	Chunks   int                 `json:"chunks"`
	CostUSD  json.Number         `json:"costUSD"`
	Finish   string              `json:"finish"`
	Status   int                 `json:"status"`
	Error    json.RawMessage     `json:"error"`
	Headers  map[string][]string `json:"headers"`
	Attempts int                 `json:"attempts"`
}

func withToken() []string { return []string{"--token-file", tokenPath} }

func withKey(key string) []string { return []string{"--key", key} }

// chat makes one call with OpenAI's SDK from a pod, through DNS.
func (w *world) chat(ctx context.Context, pod string, credentials []string, args ...string) report {
	GinkgoHelper()
	command := append([]string{"exec", "-n", w.namespace, pod, "--", "/testapp", "chat"}, append(credentials, args...)...)
	var result report
	Expect(json.Unmarshal([]byte(kubectl(ctx, command...)), &result)).To(Succeed())
	remember(result.Text)
	return result
}

// eventuallyServed waits until a call through the Service is answered: kube-proxy learns of ready pods a moment after the manager does, and a load without
// retries must not begin before.
func (w *world) eventuallyServed(ctx context.Context) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		answer, err := output(ctx, binary("kubectl"), "exec", "-n", w.namespace, "app", "--", "/testapp", "get", "--token-file", tokenPath)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(answer).To(ContainSubstring(`"status":200`))
	}).Should(Succeed())
}

// loadSummary is what testapp load prints.
type loadSummary struct {
	Attempts, OK, Failed, Connections, Late int
	Broken                                  int // after the first token of a stream
	LongestMillis                           int64
	Statuses, Failures, Targets             map[string]int
}

// load is a pod that sends requests at a fixed rate, 50 connections and 100 requests a second unless args say otherwise.
type load struct {
	w    *world
	name string
}

func (w *world) startLoad(ctx context.Context, name string, duration time.Duration, args ...string) *load {
	GinkgoHelper()
	command := append([]string{"load", "--token-file", tokenPath, "--duration", duration.String()}, args...)
	w.startApp(ctx, name, "app", command...)
	// A load whose spec has failed must not go on into the next one.
	DeferCleanup(func(ctx context.Context) {
		pod := &corev1.Pod{ObjectMeta: w.meta(name)}
		Expect(client.IgnoreNotFound(api.Delete(ctx, pod, client.GracePeriodSeconds(0)))).To(Succeed())
	})
	return &load{w: w, name: name}
}

// finish waits for the load to end, prints its counts and returns them.
func (l *load) finish(ctx context.Context, patience time.Duration) loadSummary {
	GinkgoHelper()
	var summary loadSummary
	logs := l.output(ctx, patience)
	Expect(json.Unmarshal([]byte(logs), &summary)).To(Succeed(), logs)
	return summary
}

// output waits for the load to end and returns what it printed.
func (l *load) output(ctx context.Context, patience time.Duration) string {
	GinkgoHelper()
	pod := &corev1.Pod{}
	Eventually(ctx, func(g Gomega) {
		g.Expect(api.Get(ctx, client.ObjectKey{Namespace: l.w.namespace, Name: l.name}, pod)).To(Succeed())
		g.Expect(pod.Status.Phase).To(BeElementOf(corev1.PodSucceeded, corev1.PodFailed))
	}).WithTimeout(patience).Should(Succeed())
	logs := strings.TrimSpace(kubectl(ctx, "logs", "-n", l.w.namespace, l.name))
	AddReportEntry("load "+l.name, logs, ReportEntryVisibilityAlways)
	return logs
}

// proxyPods are all proxies of a namespace.
func proxyPods(ctx context.Context, g Gomega, namespace string) []corev1.Pod {
	GinkgoHelper()
	pods := &corev1.PodList{}
	g.Expect(api.List(ctx, pods, client.InNamespace(namespace), client.MatchingLabels{"app.kubernetes.io/name": "signalbox-proxy"})).To(Succeed())
	return pods.Items
}

// eventuallyGone waits until an object does not exist.
func eventuallyGone(ctx context.Context, object client.Object) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		err := api.Get(ctx, client.ObjectKeyFromObject(object), object)
		g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%T %s: %v", object, object.GetName(), err)
	}).Should(Succeed())
}
