//go:build linux && cluster

package e2e

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/hack/cluster/boot"
	"signalbox.dev/signalbox/hack/cluster/network"
	"signalbox.dev/signalbox/hack/cluster/process"
)

// cluster runs the cluster program as its users do.
type cluster struct {
	bin, folder, peer string
	pods              int
}

// newCluster starts from nothing and ends with nothing, whatever the test does.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	bin, err := filepath.Abs("../../../bin")
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{bin: bin, folder: filepath.Join(boot.StateRoot, name), peer: filepath.Join(t.TempDir(), "peer")}
	c.mustRun(t, "down")
	t.Cleanup(func() {
		if output, err := c.run("down"); err != nil {
			t.Errorf("taking the cluster down: %v\n%s", err, output)
		}
	})
	return c
}

func (c *cluster) command(arguments ...string) *exec.Cmd {
	arguments = slices.Insert(slices.Clone(arguments), 1, "--name="+name)
	return exec.CommandContext(context.Background(), filepath.Join(c.bin, "cluster"), arguments...)
}

func (c *cluster) run(arguments ...string) (string, error) {
	output, err := c.command(arguments...).CombinedOutput()
	return string(output), err
}

func (c *cluster) mustRun(t *testing.T, arguments ...string) string {
	t.Helper()
	output, err := c.run(arguments...)
	if err != nil {
		t.Fatalf("cluster %v: %v\n%s", arguments, err, output)
	}
	return output
}

func (c *cluster) tryKubectl(arguments ...string) (string, error) {
	arguments = append([]string{"--kubeconfig=" + filepath.Join(c.bin, "kubeconfig-"+name)}, arguments...)
	output, err := exec.CommandContext(context.Background(), filepath.Join(c.bin, "kubectl"), arguments...).CombinedOutput()
	return string(output), err
}

func (c *cluster) kubectl(t *testing.T, arguments ...string) string {
	t.Helper()
	output, err := c.tryKubectl(arguments...)
	if err != nil {
		t.Fatalf("kubectl %v: %v\n%s", arguments, err, output)
	}
	return output
}

// deployServers builds the test's image and starts one server on each node.
func (c *cluster) deployServers(t *testing.T) {
	t.Helper()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", c.peer, "./peer")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the peer: %v\n%s", err, output)
	}
	archive := filepath.Join(t.TempDir(), "peer.tar")
	write := exec.CommandContext(t.Context(), filepath.Join(c.bin, "cluster"),
		"image", "--name="+image, "--entrypoint=/peer", "--output="+archive, c.peer)
	if output, err := write.CombinedOutput(); err != nil {
		t.Fatalf("writing the image: %v\n%s", err, output)
	}
	c.mustRun(t, "load", archive)
	manifest := filepath.Join(t.TempDir(), "pods.yaml")
	text := strings.NewReplacer("@IMAGE@", image, "@NODE1@", name+"-1", "@NODE2@", name+"-2").Replace(podsManifest)
	if err := os.WriteFile(manifest, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c.kubectl(t, "apply", "--filename="+manifest)
	c.kubectl(t, "wait", "--for=condition=Ready", "--timeout=120s", "pod/server-a", "pod/server-b")
}

// runPod runs the peer as a pod on a node and returns its output.
func (c *cluster) runPod(t *testing.T, node string, arguments ...string) string {
	t.Helper()
	return c.endPod(t, "Succeeded", node, arguments)
}

// failPod is runPod for a peer that must fail.
func (c *cluster) failPod(t *testing.T, node string, arguments ...string) string {
	t.Helper()
	return c.endPod(t, "Failed", node, arguments)
}

func (c *cluster) endPod(t *testing.T, phase, node string, arguments []string) string {
	t.Helper()
	c.pods++
	pod := "client-" + strconv.Itoa(c.pods)
	overrides := fmt.Sprintf(`{"spec":{"nodeName":%q}}`, node)
	c.kubectl(t, slices.Concat(
		[]string{"run", pod, "--image=" + image, "--image-pull-policy=Never", "--restart=Never", "--overrides=" + overrides, "--"}, arguments)...)
	if output, err := c.tryKubectl("wait", "--for=jsonpath={.status.phase}="+phase, "--timeout=60s", "pod/"+pod); err != nil {
		logs, _ := c.tryKubectl("logs", pod)
		t.Fatalf("pod %v on %s did not end as %s: %v\n%s\n%s", arguments, node, phase, err, output, logs)
	}
	return c.kubectl(t, "logs", pod)
}

// pid finds a component's process number in the status table.
func (c *cluster) pid(t *testing.T, component string) int {
	t.Helper()
	for line := range strings.Lines(c.mustRun(t, "status")) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[1] == component {
			pid, err := strconv.Atoi(fields[2])
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatalf("no %s in the status", component)
	return 0
}

// traces are the places of the machine where a cluster might leave something.
type traces struct {
	Links, Mounts, Groups, Folders, Namespaces []string
	Rules, Settings                            string
}

func takeTraces(t *testing.T) traces {
	t.Helper()
	var found traces
	link := network.Plan{Cluster: name}.HostLink()
	for line := range strings.Lines(output(t, "ip", "-oneline", "link")) {
		if strings.Contains(line, link) || strings.Contains(line, "svc0") {
			found.Links = append(found.Links, line)
		}
	}
	found.Mounts = mounts(t)
	found.Groups = groups(t)
	for _, folder := range []string{
		filepath.Join(boot.StateRoot, name), "/var/lib/kubelet", "/var/lib/cni", "/var/lib/containerd", "/var/lib/etcd", "/var/log/pods",
		"/var/log/containers", "/run/containerd", "/run/kubernetes", "/run/runc", "/opt/containerd", "/usr/libexec/kubernetes", "/etc/kubernetes",
	} {
		if _, err := os.Stat(folder); err == nil {
			found.Folders = append(found.Folders, folder)
		}
	}
	found.Namespaces = strings.Fields(output(t, "ip", "netns", "list"))
	for line := range strings.Lines(output(t, "iptables-save")) {
		if !strings.HasPrefix(line, "#") {
			found.Rules += line
		}
	}
	for _, setting := range []string{"vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward"} {
		found.Settings += setting + " " + read(t, "/proc/sys/"+setting)
	}
	return found
}

func mounts(t *testing.T) []string {
	t.Helper()
	var found []string
	for line := range strings.Lines(read(t, "/proc/self/mounts")) {
		if strings.Contains(line, name) || strings.Contains(line, "containerd") || strings.Contains(line, "/run/netns") {
			found = append(found, line)
		}
	}
	return found
}

func groups(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && (strings.Contains(entry.Name(), name) || entry.Name() == "k8s.io" || strings.Contains(entry.Name(), "-check-")) {
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// downWithoutTraces takes the cluster down and looks for processes and other things that it left.
func (c *cluster) downWithoutTraces(t *testing.T, before traces) {
	t.Helper()
	members := c.processes(t)
	c.mustRun(t, "down")
	for _, member := range members {
		if member.Alive() {
			t.Errorf("process %d of the cluster is still there:\n%s", member.PID, read(t, fmt.Sprintf("/proc/%d/status", member.PID)))
		}
	}
	if diff := cmp.Diff(before, takeTraces(t)); diff != "" {
		t.Errorf("the cluster left something behind (-before +after):\n%s", diff)
	}
	if _, err := os.Stat(filepath.Join(c.bin, "kubeconfig-"+name)); err == nil {
		t.Error("the kubeconfig is still there")
	}
}

// processes finds those whose root folder or arguments are the cluster's: the components, and by their process namespace
// the shims and containers.
func (c *cluster) processes(t *testing.T) []process.Identity {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var members []process.Identity
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		mounts, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "mounts"))
		cgroup, other := os.ReadFile(filepath.Join("/proc", entry.Name(), "cgroup"))
		if err != nil || other != nil {
			continue
		}
		identity, err := process.Identify(pid)
		if err == nil && (strings.Contains(string(mounts), " /var/lib/signalbox-bin ") && c.owns(pid) || strings.Contains(string(cgroup), "signalbox-cluster-"+name)) {
			members = append(members, identity)
		}
	}
	return members
}

// owns says whether a process sees this cluster's folder as its /var/lib.
func (c *cluster) owns(pid int) bool {
	own, err := os.Stat(filepath.Join(c.folder, "node-1", "lib"))
	if err != nil {
		return false
	}
	seen, err := os.Stat(fmt.Sprintf("/proc/%d/root/var/lib", pid))
	return err == nil && os.SameFile(own, seen)
}

func output(t *testing.T, command ...string) string {
	t.Helper()
	text, err := exec.CommandContext(t.Context(), command[0], command[1:]...).Output()
	if err != nil {
		t.Fatalf("%v: %v", command, err)
	}
	return string(text)
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
