package manager

import (
	"net/http"
	"net/http/httptest"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/proxy/table"
)

var _ = Describe("a manager that probes", Ordered, func() {
	BeforeAll(func() { startManager(cluster.Config, configuration) })

	It("learns what a provider lists, and says that a target's model is not there", func(ctx SpecContext) {
		lists := make(chan string, 1)
		lists <- `{"data":[{"id":"upstream-model","context_window":8192}]}`
		provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			list := <-lists
			lists <- list
			_, _ = w.Write([]byte(list))
		}))
		DeferCleanup(provider.Close)
		namespace := newNamespace(ctx)
		create(ctx, controllertest.KeySecret(namespace, "provider-key", "sk-one"),
			controllertest.Credential(namespace, "provider", func(credential *v1alpha1.ProviderCredential) {
				credential.Spec.Endpoint = provider.URL
				// The shortest that is allowed.
				credential.Spec.Probe.Interval = metav1.Duration{Duration: 10 * time.Second}
			}),
			controllertest.Route(namespace, "chat"))
		target := func(g Gomega) table.Target {
			newest, err := delivered(ctx, namespace)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(newest.Routes).To(HaveLen(1))
			return newest.Routes[0].Targets[0]
		}
		Eventually(func(g Gomega) {
			g.Expect(target(g).Declared.ContextTokens).To(Equal(int64(8192)))
		}, patience, glance).Should(Succeed())

		By("withdrawing the model")
		<-lists
		lists <- `{"data":[{"id":"another-model"}]}`
		Eventually(func(g Gomega) { g.Expect(target(g).Unlisted).To(BeTrue()) }, patience, glance).Should(Succeed())
	})
})
