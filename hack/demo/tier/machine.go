package tier

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"

	"signalbox.dev/signalbox/hack/demo/manifests"
	"signalbox.dev/signalbox/hack/demo/shell"
)

const (
	clusterName = "signalbox-demo"
	// clusterRoot is where clusters of this machine keep what they need.
	clusterRoot = "/var/lib/signalbox-cluster"
	imageTag    = "demo"
	registry    = "signalbox.local/"
)

// Machine is a whole cluster on this machine: control plane, kubelet, containerd, DNS.
type Machine struct {
	pods
}

// NewMachine returns the tier that boots a cluster.
func NewMachine(sh shell.Shell) *Machine {
	sh.Kubeconfig = filepath.Join(sh.Root, "bin", "kubeconfig-"+clusterName)
	return &Machine{pods: pods{shell: sh, images: imagesAt(registry, "IfNotPresent")}}
}

func imagesAt(prefix, pullPolicy string) manifests.Images {
	return manifests.Images{Provider: prefix + "fakeprovider:" + imageTag, App: prefix + "testapp:" + imageTag, PullPolicy: pullPolicy}
}

// archives are the images that `make demo-images` builds.
func archives(root string) []string {
	folder := filepath.Join(root, "bin", "demo-images")
	return []string{filepath.Join(folder, "signalbox.tar"), filepath.Join(folder, "fakeprovider.tar"), filepath.Join(folder, "testapp.tar")}
}

// Title names the tier.
func (m *Machine) Title() string {
	return "(a) a real cluster on this machine: etcd, kube-apiserver, controller-manager, scheduler, kubelet on containerd, kube-proxy, CoreDNS"
}

// Shell runs programs against the cluster.
func (m *Machine) Shell() shell.Shell { return m.shell }

// Prepare builds, boots and loads. A cluster that does not boot is a BootError.
func (m *Machine) Prepare(ctx context.Context, progress *shell.Progress) error {
	err := progress.Step("building Kubernetes, unless it is there (about seven minutes the first time)", func() error {
		return m.shell.Show(ctx, "make", "--silent", "demo-kubernetes", "bin/helm")
	})
	if err != nil {
		return err
	}
	err = progress.Step("building signalbox and images", func() error {
		return m.shell.Show(ctx, progressScript, "images", "make", "--silent", "build", "demo-images")
	})
	if err != nil {
		return err
	}
	err = progress.Step("booting the cluster", func() error {
		return m.shell.Show(ctx, "cluster", "up", "--name", clusterName, "--kubeconfig", m.shell.Kubeconfig)
	})
	if err != nil && ctx.Err() == nil {
		return &BootError{Err: err}
	}
	if err != nil {
		return err
	}
	return progress.Step("loading images", func() error {
		load := append([]string{"load", "--name", clusterName, "--kubeconfig", m.shell.Kubeconfig}, archives(m.shell.Root)...)
		return m.shell.Show(ctx, "cluster", load...)
	})
}

// BootError says that this machine cannot run a cluster after all.
type BootError struct{ Err error }

func (e *BootError) Error() string { return "booting a cluster: " + e.Err.Error() }

// Unwrap returns why.
func (e *BootError) Unwrap() error { return e.Err }

// ChartValues name the image that was loaded.
func (m *Machine) ChartValues() []string {
	return []string{"--set", "image.repository=" + registry + "signalbox", "--set", "image.tag=" + imageTag}
}

// Next are lines to try.
func (m *Machine) Next(context.Context) ([]string, error) { return m.tryLines(), nil }

// Closing is empty: nothing has to be added.
func (m *Machine) Closing() string { return "" }

// RemoveMachine takes the cluster down, if there is one.
func RemoveMachine(ctx context.Context, sh shell.Shell) error {
	if runtime.GOOS != "linux" {
		return nil
	}
	switch _, err := os.Stat(filepath.Join(clusterRoot, clusterName)); {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, os.ErrPermission) && os.Geteuid() != 0:
		// The folder of clusters is root's; who is not root made none.
		return nil
	default:
		kubeconfig := filepath.Join(sh.Root, "bin", "kubeconfig-"+clusterName)
		return sh.Show(ctx, "cluster", "down", "--name", clusterName, "--kubeconfig", kubeconfig)
	}
}
