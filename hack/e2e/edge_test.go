//go:build e2e

package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// newCertificate makes a self-signed certificate for the proxy of a namespace, in the shape in which cert-manager stores one.
func newCertificate(namespace string, serial int64) map[string][]byte {
	GinkgoHelper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: []string{"signalbox", "signalbox." + namespace}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	Expect(err).NotTo(HaveOccurred())
	private, err := x509.MarshalPKCS8PrivateKey(key)
	Expect(err).NotTo(HaveOccurred())
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return map[string][]byte{"tls.crt": certificate, "tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), "ca.crt": certificate}
}

// serialOver calls the Service over TLS and returns the serial number of its certificate.
func (w *world) serialOver(ctx context.Context, g Gomega, authority []byte) int64 {
	service := &corev1.Service{}
	g.Expect(api.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: v1alpha1.ProxyName}, service)).To(Succeed())
	pool := x509.NewCertPool()
	g.Expect(pool.AppendCertsFromPEM(authority)).To(BeTrue())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "signalbox." + w.namespace, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+service.Spec.ClusterIP+"/v1/models", http.NoBody)
	g.Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Authorization", "Bearer "+accessKey)
	answer, err := (&http.Client{Transport: transport}).Do(request)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(answer.Body.Close()).To(Succeed())
	g.Expect(answer.StatusCode).To(Equal(http.StatusOK))
	return answer.TLS.PeerCertificates[0].SerialNumber.Int64()
}

var _ = Describe("the edge", Serial, func() {
	It("speaks TLS with the platform's certificate, and takes up a renewed one without a restart or a failed request", func(ctx context.Context) {
		w := newWorld(ctx)
		certificate := newCertificate(w.namespace, 1)
		secret := &corev1.Secret{ObjectMeta: w.meta("proxy-tls"), Type: corev1.SecretTypeTLS, Data: certificate}
		create(ctx, secret)
		installChart(ctx, chartPath(), "--set-json", fmt.Sprintf(`namespaces={%q:{"tls":{"secretName":"proxy-tls"}}}`, w.namespace))
		DeferCleanup(func(ctx context.Context) { installChart(ctx, chartPath()) })
		route := w.route("chat")
		create(ctx, route)
		eventuallyCondition(ctx, route, v1alpha1.ConditionReady, metav1.ConditionTrue)
		w.eventuallyServed(ctx)
		Eventually(ctx, func(g Gomega) { g.Expect(w.serialOver(ctx, g, certificate["ca.crt"])).To(Equal(int64(1))) }).Should(Succeed())
		restarts := w.restarts(ctx)
		running := w.startLoad(ctx, "load", 20*time.Second)
		renewed := newCertificate(w.namespace, 2)
		Eventually(ctx, func(g Gomega) {
			g.Expect(api.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(Succeed())
			secret.Data = renewed
			g.Expect(api.Update(ctx, secret)).To(Succeed())
		}).Should(Succeed())
		// The kubelet brings a changed Secret to a pod within about a minute.
		Eventually(ctx, func(g Gomega) { g.Expect(w.serialOver(ctx, g, renewed["ca.crt"])).To(Equal(int64(2))) }).WithTimeout(4 * time.Minute).Should(Succeed())
		expectClean(running.finish(ctx, time.Minute))
		Expect(w.restarts(ctx)).To(Equal(restarts))
	})

	It("gives pods that ask for it a token for the proxy and its address", func(ctx context.Context) {
		w := newWorld(ctx)
		installChart(ctx, chartPath(), "--set", "webhook.enabled=true")
		DeferCleanup(func(ctx context.Context) { installChart(ctx, chartPath()) })
		route := w.route("chat")
		create(ctx, route)
		eventuallyCondition(ctx, route, v1alpha1.ConditionReady, metav1.ConditionTrue)
		w.eventuallyServed(ctx)
		Eventually(ctx, func(g Gomega) {
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Name: "asks", Namespace: w.namespace, Labels: map[string]string{v1alpha1.LabelInject: "true"}},
				Spec: corev1.PodSpec{ServiceAccountName: "app", Containers: []corev1.Container{{
					Name: "app", Image: appImage, ImagePullPolicy: corev1.PullNever, SecurityContext: restricted(), Args: []string{"wait"},
				}}},
			}
			dry := pod.DeepCopy()
			g.Expect(api.Create(ctx, dry, client.DryRunAll)).To(Succeed())
			g.Expect(environment(dry)).To(HaveKeyWithValue("OPENAI_BASE_URL", HavePrefix("http://signalbox")))
			g.Expect(api.Create(ctx, pod)).To(Succeed())
		}).Should(Succeed())
		w.podAddress(ctx, "asks")
		answer := w.chat(ctx, "asks", withToken())
		Expect(answer.Status).To(Equal(http.StatusOK), string(answer.Error))
	})
})

// environment are the variables of a pod's first container.
func environment(pod *corev1.Pod) map[string]string {
	variables := map[string]string{}
	for _, variable := range pod.Spec.Containers[0].Env {
		variables[variable.Name] = variable.Value
	}
	return variables
}

// restarts counts those of the namespace's proxies, by pod.
func (w *world) restarts(ctx context.Context) map[string]int32 {
	GinkgoHelper()
	counts := map[string]int32{}
	for _, pod := range proxyPods(ctx, Default, w.namespace) {
		for _, container := range pod.Status.ContainerStatuses {
			counts[pod.Name] += container.RestartCount
		}
	}
	return counts
}
