//go:build !linux

package main

import (
	"context"
	"errors"
	"runtime"
)

// runCommand explains that a node needs Linux.
func runCommand(context.Context, string, []string) error {
	return errors.New("a local cluster needs Linux namespaces, and this is " + runtime.GOOS +
		"; use `make run` (no cluster), `make demo` (runs the proxies as processes), or any cluster with `DEMO_KUBECONFIG=FILE make demo`")
}
