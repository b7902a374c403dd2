//go:build linux && cluster

// Package e2e brings real clusters up, breaks them, takes them down, and looks for what they left behind. It needs root
// and the programs that make builds: run it with make cluster-test.
package e2e

import (
	_ "embed"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/hack/cluster/process"
)

// name keeps the test away from the cluster that its user works with.
const name = "selftest"

const image = "signalbox.local/peer:1"

//go:embed pods.yaml
var podsManifest string

func TestTwoNodesCarryPodsServicesAndNames(t *testing.T) {
	c := newCluster(t)
	before := takeTraces(t)
	c.mustRun(t, "up", "--nodes=2")
	if output := c.mustRun(t, "up", "--nodes=2"); !strings.Contains(output, "kept") {
		t.Errorf("a healthy cluster was not kept:\n%s", output)
	}
	c.deployServers(t)

	t.Run("a Service spreads over both nodes, by name, from either", func(t *testing.T) {
		for _, node := range []string{name + "-1", name + "-2"} {
			c.runPod(t, node, "get", "http://server.default.svc.cluster.local/", "server-a", "server-b")
			c.runPod(t, node, "get", "http://server/", "server-a", "server-b")
		}
	})
	t.Run("a pod reaches each pod by address", func(t *testing.T) {
		for _, server := range []string{"server-a", "server-b"} {
			address := c.kubectl(t, "get", "pod", server, "--output=jsonpath={.status.podIP}")
			for _, node := range []string{name + "-1", name + "-2"} {
				c.runPod(t, node, "get", "http://"+address+":8080/", server)
			}
		}
	})
	t.Run("a pod's own token opens the API server's token keys", func(t *testing.T) {
		if output := c.runPod(t, name+"-2", "keys"); !strings.Contains(output, `"kty":"RSA"`) {
			t.Errorf("no key in %q", output)
		}
	})
	t.Run("nothing outside can be reached", func(t *testing.T) {
		for _, url := range []string{"http://192.0.2.1/", "http://198.51.100.7/", "http://example.com/"} {
			output := c.failPod(t, name+"-1", "get", url)
			if !strings.Contains(output, "unreachable") && !strings.Contains(output, "no such host") && !strings.Contains(output, "no route") {
				t.Errorf("calling %s ended otherwise: %s", url, output)
			}
		}
	})
	t.Run("traffic goes on while the API server is away", c.testAPIServerAway)
	c.downWithoutTraces(t, before)
	c.mustRun(t, "down")
}

// testAPIServerAway also takes a kubelet away, which must not be mistaken for a crash while the API server comes back.
func (c *cluster) testAPIServerAway(t *testing.T) {
	address := c.kubectl(t, "get", "service", "server", "--output=jsonpath={.spec.clusterIP}")
	c.mustRun(t, "stop", "--node=2", "kubelet")
	c.mustRun(t, "stop-apiserver")
	if _, err := c.tryKubectl("get", "nodes"); err == nil {
		t.Error("the API server answers although it was stopped")
	}
	for _, node := range []string{"1", "2"} {
		c.mustRun(t, "exec", "--node="+node, "--", c.peer, "get", "http://"+address+"/", "server-a", "server-b")
	}
	c.mustRun(t, "start-apiserver")
	c.kubectl(t, "get", "nodes")
	if output, err := c.run("status"); err == nil {
		t.Errorf("the cluster counts as healthy without a kubelet:\n%s", output)
	}
	c.mustRun(t, "start", "--node=2", "kubelet")
	c.mustRun(t, "status")
}

func TestDownAfterKills(t *testing.T) {
	c := newCluster(t)
	before := takeTraces(t)
	c.mustRun(t, "up")
	var victims []int
	for _, component := range []string{"containerd", "kubelet", "kube-apiserver"} {
		victims = append(victims, c.pid(t, component))
	}
	for _, victim := range victims {
		kill(t, victim)
	}
	if output, err := c.run("status"); err == nil {
		t.Errorf("the cluster counts as healthy without its components:\n%s", output)
	}
	c.downWithoutTraces(t, before)
}

func TestUpReplacesBrokenCluster(t *testing.T) {
	c := newCluster(t)
	before := takeTraces(t)
	c.mustRun(t, "up")
	kill(t, c.pid(t, "holder"))
	output := c.mustRun(t, "up")
	if !strings.Contains(output, "replacing") {
		t.Errorf("the broken cluster was replaced without a word:\n%s", output)
	}
	c.kubectl(t, "get", "--raw=/readyz")
	c.downWithoutTraces(t, before)
}

// Each stage is the name of a file that Up makes at a different point of its work.
func TestDownAfterInterruptedUp(t *testing.T) {
	stages := map[string]string{
		"after its first state":      "state.json",
		"with a namespace":           "node-1/control.sock",
		"with the API server coming": "node-1/log/kube-apiserver.log",
		"with the node coming":       "node-1/log/kubelet.log",
	}
	for stage, file := range stages {
		t.Run(stage, func(t *testing.T) {
			c := newCluster(t)
			before := takeTraces(t)
			up := c.command("up")
			if err := up.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, func() bool {
				_, err := os.Stat(filepath.Join(c.folder, file))
				return err == nil
			})
			kill(t, up.Process.Pid)
			_ = up.Wait()
			c.downWithoutTraces(t, before)
		})
	}
}

func TestCheckLeavesNothing(t *testing.T) {
	c := newCluster(t)
	before := takeTraces(t)
	if output := c.mustRun(t, "check"); output != "ok\n" {
		t.Errorf("check says %q", output)
	}
	if diff := cmp.Diff(before, takeTraces(t)); diff != "" {
		t.Errorf("check left something behind (-before +after):\n%s", diff)
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	victim, err := process.Identify(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("killing %d: %v", pid, err)
	}
	eventually(t, func() bool { return !victim.Alive() })
}

func eventually(t *testing.T, check func() bool) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !check() {
		select {
		case <-deadline:
			t.Fatal("did not come about in two minutes")
		case <-ticker.C:
		}
	}
}
