package manager

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"signalbox.dev/signalbox/controllers/controllertest"
)

var cluster *controllertest.Cluster

func TestManager(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "manager")
}

var _ = BeforeSuite(func() {
	var err error
	cluster, err = controllertest.Start()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(cluster.Stop()).To(Succeed()) })
})
