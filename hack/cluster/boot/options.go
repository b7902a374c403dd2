//go:build linux

// Package boot brings a cluster up on this machine, keeps its state, and takes it down again without a trace.
package boot

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"

	"signalbox.dev/signalbox/hack/cluster/network"
)

// StateRoot is the folder in which each cluster has a folder of its name.
const StateRoot = "/var/lib/signalbox-cluster"

// DefaultName is the name of the cluster that make targets use.
const DefaultName = "signalbox"

// Options say which cluster to work on and with what.
type Options struct {
	// Name of the cluster: a small letter, then up to 19 small letters, digits and dashes.
	Name string
	// Nodes is 1 or 2. Only Up reads it.
	Nodes int
	// Bin is the folder with the Kubernetes programs, coredns and pause.
	Bin string
	// Kubeconfig is the file that Up writes and Down removes. Empty is kubeconfig in Bin, with -NAME for other names than
	// the default.
	Kubeconfig string
	// Out receives progress.
	Out io.Writer
}

func (o Options) complete() (Options, error) {
	if !regexp.MustCompile(`^[a-z][a-z0-9-]{0,19}$`).MatchString(o.Name) {
		return o, fmt.Errorf("cluster name %q is not a small letter followed by up to 19 small letters, digits and dashes", o.Name)
	}
	if o.Nodes < 1 || o.Nodes > network.MaxNodes {
		return o, fmt.Errorf("a cluster has 1 to %d nodes, not %d", network.MaxNodes, o.Nodes)
	}
	bin, err := filepath.Abs(o.Bin)
	if err != nil {
		return o, fmt.Errorf("finding the programs' folder: %w", err)
	}
	o.Bin = bin
	if o.Kubeconfig == "" {
		o.Kubeconfig = filepath.Join(bin, "kubeconfig")
		if o.Name != DefaultName {
			o.Kubeconfig += "-" + o.Name
		}
	}
	if o.Kubeconfig, err = filepath.Abs(o.Kubeconfig); err != nil {
		return o, fmt.Errorf("finding the kubeconfig: %w", err)
	}
	return o, nil
}

func (o Options) folder() string { return filepath.Join(StateRoot, o.Name) }

func (o Options) say(format string, arguments ...any) {
	_, _ = fmt.Fprintf(o.Out, format+"\n", arguments...)
}

// errDown is what work on a running cluster ends with when there is none.
var errDown = errors.New("the cluster is not up; start it with: make cluster-up")
