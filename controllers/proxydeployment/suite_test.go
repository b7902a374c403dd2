package proxydeployment

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"signalbox.dev/signalbox/controllers/controllertest"
)

var cluster *controllertest.Cluster

func TestProxyDeployment(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "proxydeployment")
}

var _ = BeforeSuite(func() {
	var err error
	cluster, err = controllertest.Start()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(cluster.Stop()).To(Succeed()) })
})
