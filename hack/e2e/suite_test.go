//go:build e2e

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"signalbox.dev/signalbox/api/v1alpha1"
)

const (
	systemNamespace = "signalbox-system"
	productImage    = "signalbox.local/signalbox:e2e"
	providerImage   = "signalbox.local/fakeprovider:e2e"
	appImage        = "signalbox.local/testapp:e2e"
)

// root is the repository's folder; the suite runs in hack/e2e.
func root() string { return filepath.Join("..", "..") }

func binary(name string) string { return filepath.Join(root(), "bin", name) }

// full tells whether the long versions are run.
func full() bool { return os.Getenv("E2E_FULL") == "1" }

// api reads and writes objects, and kube what is no object.
var (
	api  client.Client
	kube *kubernetes.Clientset
)

func TestE2E(t *testing.T) {
	RegisterFailHandler(Fail)
	EnforceDefaultTimeoutsWhenUsingContexts()
	// When the API server was away, the cluster's DNS watches it again only after a pause, and remembers for half a minute what it did not know.
	SetDefaultEventuallyTimeout(150 * time.Second)
	SetDefaultEventuallyPollingInterval(200 * time.Millisecond)
	SetDefaultConsistentlyPollingInterval(200 * time.Millisecond)
	RunSpecs(t, "Signalbox on a real cluster")
}

var _ = BeforeSuite(func(ctx context.Context) {
	log.SetLogger(GinkgoLogr)
	scheme := runtime.NewScheme()
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	settings, err := config.GetConfig()
	Expect(err).NotTo(HaveOccurred())
	settings.QPS = -1
	api, err = client.New(settings, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	kube, err = kubernetes.NewForConfig(settings)
	Expect(err).NotTo(HaveOccurred())
	create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: systemNamespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}})
	installChart(ctx, chartPath())
})

var _ = ReportAfterEach(func(ctx SpecContext, report SpecReport) {
	if report.Failed() {
		printState(ctx)
	}
})
