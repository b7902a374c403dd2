//go:build linux

package boot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// tool is a program that a cluster needs from the machine, and the Debian package that brings it.
type tool struct{ file, pack string }

func tools() []tool {
	return []tool{
		{"containerd", "containerd"},
		{"ctr", "containerd"},
		{"runc", "runc"},
		{"iptables", "iptables"},
		{"ip", "iproute2"},
		{"nsenter", "util-linux"},
	}
}

const pluginPackage = "containernetworking-plugins"

// errNoRoot and its like say what to do instead, for they end up before a person who wanted a cluster.
var errNoRoot = errors.New("a local cluster needs root, for network namespaces and containers; " + instead)

const instead = "use `make run` (no cluster), `make demo` (runs the proxies as processes), or any cluster with `DEMO_KUBECONFIG=FILE make demo`"

// Install installs the Debian packages that the cluster needs and that are missing, and those of the given programs.
func Install(ctx context.Context, options Options, extra []string) error {
	missing := missingPackages()
	for _, name := range extra {
		if _, err := find(name); err != nil {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if os.Geteuid() != 0 {
		return errNoRoot
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("these programs' packages are missing and there is no apt-get to install them: %s; %s", strings.Join(missing, ", "), instead)
	}
	options.say("installing Debian packages: %s", strings.Join(missing, " "))
	install := append([]string{"install", "--yes", "--no-install-recommends"}, missing...)
	if err := apt(ctx, install...); err == nil {
		return nil
	}
	// Most likely the lists of packages are old or were never fetched.
	if err := apt(ctx, "update"); err != nil {
		return err
	}
	return apt(ctx, install...)
}

func apt(ctx context.Context, arguments ...string) error {
	command := exec.CommandContext(ctx, "apt-get", arguments...)
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("running apt-get %s: %w: %s", arguments[0], err, tail(string(output), 5))
	}
	return nil
}

func missingPackages() []string {
	var missing []string
	for _, tool := range tools() {
		if _, err := find(tool.file); err != nil && !slices.Contains(missing, tool.pack) {
			missing = append(missing, tool.pack)
		}
	}
	if _, err := pluginFolder(); err != nil {
		missing = append(missing, pluginPackage)
	}
	return missing
}

// find looks also where an ordinary PATH does not lead.
func find(name string) (string, error) {
	if file, err := exec.LookPath(name); err == nil {
		return file, nil
	}
	for _, folder := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
		if file, err := exec.LookPath(filepath.Join(folder, name)); err == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("program %s not found", name)
}

func pluginFolder() (string, error) {
	for _, folder := range []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"} {
		if _, err := os.Stat(filepath.Join(folder, "ptp")); err == nil {
			return folder, nil
		}
	}
	return "", errors.New("CNI plugins not found")
}

// programs lists what must be in the folder of programs, which make builds.
func programs() []string {
	return []string{
		"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl", "coredns", "pause",
	}
}

func checkPrograms(bin string) error {
	for _, name := range programs() {
		if _, err := os.Stat(filepath.Join(bin, name)); err != nil {
			return fmt.Errorf("%s is not built yet; run: make kube-binaries bin/coredns bin/pause: %w", name, err)
		}
	}
	return nil
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
