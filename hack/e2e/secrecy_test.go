//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// secrets are all secrets that the suite used so far, prompts and what models answered among them.
var secrets = struct {
	sync.Mutex
	known map[string]bool
}{known: map[string]bool{
	tokenBegins: true, chatPrompt: true, loadPrompt: true,
}}

// What every ServiceAccount token of this cluster begins with, and what testapp says to models.
const (
	tokenBegins = "eyJhbGciOiJSUzI1NiIs"
	chatPrompt  = "Say hello."
	loadPrompt  = "a private load of words"
)

// shortest is the length from which on a secret is looked for; shorter ones stand in texts by chance.
const shortest = 8

// remember has every later look for leaks look for these.
func remember(values ...string) {
	secrets.Lock()
	defer secrets.Unlock()
	for _, value := range values {
		if value = strings.TrimSpace(value); len(value) >= shortest {
			secrets.known[value] = true
		}
	}
}

// leaks are the places of a text in which a secret stands, told by the secret's first letters.
func leaks(place, text string) []string {
	secrets.Lock()
	defer secrets.Unlock()
	var found []string
	for secret := range secrets.known {
		if at := strings.Index(text, secret); at >= 0 {
			found = append(found, fmt.Sprintf("%s: %s... (%d bytes) in ...%q...", place, secret[:4], len(secret), around(text, at)))
		}
	}
	return found
}

// around is what stands before a place of a text.
func around(text string, at int) string { return text[max(0, at-120):at] }

// kept is a text that anybody with a view of the cluster can read.
type kept struct{ place, text string }

// everything is what a world and the manager wrote down: logs of all containers of ours and those before their last restart, events, objects and their
// statuses, metrics, and Secrets and ConfigMaps beside the table.
func everything(ctx context.Context, namespace string) []kept {
	GinkgoHelper()
	var all []kept
	add := func(place string, args ...string) {
		// A container that was not restarted has no logs of before.
		text, err := output(ctx, binary("kubectl"), args...)
		if err == nil {
			all = append(all, kept{place, text})
		}
	}
	pods := &corev1.PodList{}
	Expect(api.List(ctx, pods, client.HasLabels{"app.kubernetes.io/name"})).To(Succeed())
	for i := range pods.Items {
		if pod := &pods.Items[i]; pod.Namespace == namespace || pod.Namespace == systemNamespace {
			all = append(all, said(ctx, pod)...)
		}
	}
	for _, scope := range []string{namespace, systemNamespace} {
		add("objects of "+scope, "get", "signalbox,configmaps,deployments,services,roles,rolebindings,leases,events.v1.events.k8s.io", "-n", scope, "-o", "yaml")
	}
	add("description of "+namespace, "describe", "signalbox", "-n", namespace)
	return append(all, neighbours(ctx, namespace)...)
}

// said is a pod of ours, what it wrote to its log, before its last restart too, and what its metrics say. What there is not has nothing in it.
func said(ctx context.Context, pod *corev1.Pod) []kept {
	GinkgoHelper()
	object, err := json.Marshal(pod)
	Expect(err).NotTo(HaveOccurred())
	all := []kept{{"pod " + pod.Name, string(object)}}
	for _, container := range pod.Spec.Containers {
		for _, before := range []bool{false, true} {
			log, err := kube.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Container: container.Name, Previous: before}).DoRaw(ctx)
			if err == nil {
				all = append(all, kept{fmt.Sprintf("log of %s, before its restart: %t", pod.Name, before), string(log)})
			}
		}
		for _, port := range container.Ports {
			if port.Name != "metrics" {
				continue
			}
			if text, err := fetch(ctx, fmt.Sprintf("http://%s:%d/metrics", pod.Status.PodIP, port.ContainerPort)); err == nil {
				all = append(all, kept{"metrics of " + pod.Name, text})
			}
		}
	}
	return all
}

// fetch is what an address answers.
func fetch(ctx context.Context, address string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close() // it was read in full, or not
	return string(text), err
}

// neighbours are the Secrets that Signalbox made, but for the table, which holds keys, for that is its purpose.
func neighbours(ctx context.Context, namespace string) []kept {
	GinkgoHelper()
	made := &corev1.SecretList{}
	Expect(api.List(ctx, made, client.InNamespace(namespace), client.MatchingLabels{"app.kubernetes.io/managed-by": "signalbox"})).To(Succeed())
	var all []kept
	for i := range made.Items {
		for name, data := range made.Items[i].Data {
			if name != "table" {
				all = append(all, kept{"Secret " + made.Items[i].Name + ", " + name, plain(data)})
			}
		}
	}
	return all
}

// plain is what compressed data holds, and all other data as it is.
func plain(data []byte) string {
	GinkgoHelper()
	reader, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return string(data)
	}
	text, err := io.ReadAll(reader)
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

// expectNoLeaks looks for every secret that was used in everything that was written down.
func expectNoLeaks(ctx context.Context, namespace string) {
	GinkgoHelper()
	var found []string
	looked := 0
	for _, text := range everything(ctx, namespace) {
		looked += len(text.text)
		found = append(found, leaks(text.place, text.text)...)
	}
	secrets.Lock()
	count := len(secrets.known)
	secrets.Unlock()
	Expect(looked).To(BeNumerically(">", 10_000), "there was nothing to look at")
	AddReportEntry("secrets", fmt.Sprintf("%d secrets, prompts and answers looked for in %d bytes", count, looked))
	Expect(found).To(BeEmpty())
}

var _ = Describe("secrets", func() {
	It("stand in nothing that is written down, goroutine dumps included", func(ctx context.Context) {
		w := newWorld(ctx)
		route := w.route("chat")
		create(ctx, route)
		eventuallyCondition(ctx, route, v1alpha1.ConditionReady, metav1.ConditionTrue)
		w.eventuallyServed(ctx)
		remember("sb-e2e-wrong-access-key")
		for _, credentials := range [][]string{withToken(), withKey(accessKey), withKey("sb-e2e-wrong-access-key")} {
			w.chat(ctx, "app", credentials)
			w.chat(ctx, "app", credentials, "--stream", "--prompt", "a most private prompt")
		}
		remember("a most private prompt")
		running := w.startLoad(ctx, "load", 10*time.Second, "--stream")
		w.passes(ctx, 100)
		pods := proxyPods(ctx, Default, w.namespace)
		Expect(pods).NotTo(BeEmpty())
		Expect(signalContainer(&pods[0], syscall.SIGQUIT)).To(Succeed())
		Eventually(ctx, func(g Gomega) {
			log, err := output(ctx, binary("kubectl"), "logs", "-n", w.namespace, pods[0].Name, "--previous")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(log).To(ContainSubstring("goroutine "))
		}).Should(Succeed())
		running.finish(ctx, time.Minute)
		expectNoLeaks(ctx, w.namespace)
	})
})
