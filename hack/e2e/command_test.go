//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// output runs a command and returns what it wrote to standard output.
func output(ctx context.Context, name string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, name, args...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %v: %w\n%s%s", filepath.Base(name), args, err, stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}

func kubectl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	text, err := output(ctx, binary("kubectl"), args...)
	Expect(err).NotTo(HaveOccurred())
	return text
}

// signalbox runs the program, which finds the cluster as kubectl does.
func signalbox(ctx context.Context, args ...string) string {
	GinkgoHelper()
	text, err := output(ctx, binary("signalbox"), args...)
	Expect(err).NotTo(HaveOccurred())
	return text
}

func helm(ctx context.Context, args ...string) string {
	GinkgoHelper()
	text, err := output(ctx, binary("helm"), args...)
	Expect(err).NotTo(HaveOccurred())
	return text
}

func cluster(ctx context.Context, args ...string) string {
	GinkgoHelper()
	at := []string{args[0], "--name", os.Getenv("E2E_CLUSTER"), "--kubeconfig", os.Getenv("KUBECONFIG")}
	text, err := output(ctx, binary("cluster"), append(at, args[1:]...)...)
	Expect(err).NotTo(HaveOccurred())
	return text
}

func chartPath() string { return filepath.Join(root(), "charts", "signalbox") }

// chartValues are the values of every installation here; a short drain keeps the suite short.
func chartValues() []string {
	return []string{
		"--set", "image.repository=signalbox.local/signalbox", "--set", "image.tag=e2e",
		"--set", "manager.replicas=2", "--set", "proxy.drainDelay=2s", "--set", "proxy.drainLimit=60s",
	}
}

func installChart(ctx context.Context, chart string, extra ...string) {
	GinkgoHelper()
	args := append([]string{"upgrade", "--install", "signalbox", chart, "--namespace", systemNamespace, "--create-namespace", "--wait", "--timeout", "120s"}, chartValues()...)
	helm(ctx, append(args, extra...)...)
}

// printState prints what a person would look at first; secrets are in none of it.
func printState(ctx context.Context) {
	for _, args := range [][]string{
		{"get", "signalbox,pods", "-A", "-o", "wide"},
		{"describe", "signalbox", "-A"},
		{"logs", "-n", systemNamespace, "-l", "app.kubernetes.io/name=signalbox-manager", "--tail=25", "--prefix"},
		{"get", "events", "-A", "--field-selector", "type=Warning", "--sort-by=.lastTimestamp"},
	} {
		text, err := output(ctx, binary("kubectl"), args...)
		GinkgoWriter.Printf("--- kubectl %v\n%s\n", args, text)
		if err != nil {
			GinkgoWriter.Println(err)
		}
	}
}
