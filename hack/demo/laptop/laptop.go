// Package laptop serves config/samples on this machine with `signalbox run` and a fake provider, without any cluster.
package laptop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"signalbox.dev/signalbox/hack/demo/scenario"
	"signalbox.dev/signalbox/hack/demo/shell"
	"signalbox.dev/signalbox/hack/demo/tier"
)

const (
	// requestsPort and metricsPort are those of `signalbox run`, if they are free.
	requestsPort = "8080"
	metricsPort  = "9090"
	patience     = 30 * time.Second
)

// Run serves until the context ends.
func Run(ctx context.Context, sh shell.Shell) (err error) {
	if err := tier.RemoveProcesses(ctx, sh); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tier.RemoveProcesses(context.WithoutCancel(ctx), sh)) }()
	endpoint, err := tier.StartProvider(ctx, sh)
	if err != nil {
		return err
	}
	samples := filepath.Join(sh.State, "samples")
	if err := copySamples(filepath.Join(sh.Root, "config", "samples"), samples, endpoint); err != nil {
		return err
	}
	requests, metrics := address(ctx, requestsPort), address(ctx, metricsPort)
	served, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- serve(served, sh, samples, requests, metrics) }()
	ready := make(chan error, 1)
	go func() { ready <- awaitReady(served, metrics) }()
	select {
	case err := <-ended:
		return err
	case err := <-ready:
		if err != nil && ctx.Err() == nil {
			stop()
			return errors.Join(err, <-ended)
		}
	}
	fmt.Fprintf(sh.Out, "\nThe manifests are copies of config/samples with the fake provider's address; edit them and they are read again:\n  %s\n", samples)
	fmt.Fprintf(sh.Out, "Ctrl-C ends it. In another terminal:\n\n%s\n\n", strings.Join(tier.Curl(requests), "\n"))
	return <-ended
}

// copySamples copies the manifests, with the fake provider's address in place of the one in a cluster.
func copySamples(from, to, endpoint string) error {
	files, err := fs.Glob(os.DirFS(from), "*.yaml")
	if err != nil {
		return fmt.Errorf("listing samples: %w", err)
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return fmt.Errorf("making the folder of manifests: %w", err)
	}
	for _, file := range files {
		// A kustomization is for kubectl.
		if file == "kustomization.yaml" {
			continue
		}
		content, err := os.ReadFile(filepath.Join(from, file))
		if err != nil {
			return fmt.Errorf("reading a sample: %w", err)
		}
		changed := strings.ReplaceAll(string(content), scenario.SampleEndpoint, endpoint)
		if err := os.WriteFile(filepath.Join(to, file), []byte(changed), 0o600); err != nil {
			return fmt.Errorf("writing a manifest: %w", err)
		}
	}
	return nil
}

// address is the usual one of loopback, or one with another port if somebody has it.
func address(ctx context.Context, port string) string {
	usual := net.JoinHostPort("127.0.0.1", port)
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", usual)
	if err != nil {
		if listener, err = config.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
			return usual
		}
	}
	defer listener.Close()
	return listener.Addr().String()
}

// serve runs `signalbox run` in the foreground, where it hears Ctrl-C too.
func serve(ctx context.Context, sh shell.Shell, samples, requests, metrics string) error {
	command := exec.CommandContext(ctx, sh.Program("signalbox"), "run", samples,
		"--addr", requests, "--metrics-addr", metrics, "--state-dir", filepath.Join(sh.State, "spent"))
	command.Dir = sh.Root
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = patience
	if err := command.Run(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("signalbox run: %w", err)
	}
	return nil
}

func awaitReady(ctx context.Context, metrics string) error {
	return shell.Until(ctx, patience, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+metrics+"/readyz", http.NoBody)
		if err != nil {
			return fmt.Errorf("asking for readiness: %w", err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return fmt.Errorf("asking for readiness: %w", err)
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("readiness is %s", answer.Status)
		}
		return nil
	})
}
