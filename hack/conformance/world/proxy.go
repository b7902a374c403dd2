package world

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// Proxy is a running `signalbox run`.
type Proxy struct {
	*Program
	// Base is its address, without a path.
	Base string
	// State is the folder of its ledgers.
	State string
}

// StartProxy serves manifests.
func StartProxy(ctx context.Context, program, logs, manifests string) (*Proxy, error) {
	file, state := filepath.Join(logs, "manifests.yaml"), filepath.Join(logs, "state")
	if err := os.WriteFile(file, []byte(manifests), 0o600); err != nil {
		return nil, fmt.Errorf("writing the manifests: %w", err)
	}
	if err := os.RemoveAll(state); err != nil {
		return nil, fmt.Errorf("removing the ledgers of the last run: %w", err)
	}
	ready := regexp.MustCompile(`on (http://127\.0\.0\.1:\d+)/v1`)
	p, err := start(ctx, filepath.Join(logs, "signalbox.log"), ready, program, "run", file, "--addr", "127.0.0.1:0", "--metrics-addr", "", "--state-dir", state)
	if err != nil {
		return nil, err
	}
	return &Proxy{Program: p, Base: p.found[1], State: state}, nil
}
