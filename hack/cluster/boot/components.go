//go:build linux

package boot

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"signalbox.dev/signalbox/hack/cluster/component"
)

// stopGrace is how long a stopped component may take to end by itself.
const stopGrace = 5 * time.Second

// Stop stops a component of a node, whose number counts from 1, and returns once it is gone.
func Stop(options Options, name string, number int) error {
	s, err := openedWith(options, number)
	if err != nil {
		return err
	}
	if err := s.client(number).Stop(name, stopGrace); err != nil {
		return err
	}
	options.say("%s on %s is stopped", name, s.Nodes[number-1].Name)
	return nil
}

// Start starts a stopped component of a node again, and for the API server waits until it is ready and pods on every node reach it.
func Start(ctx context.Context, options Options, name string, number int) error {
	s, err := openedWith(options, number)
	if err != nil {
		return err
	}
	for _, c := range s.components(number) {
		if c.Name != name {
			continue
		}
		if err := s.startAll(number, c); err != nil {
			return err
		}
		if name == component.APIServer {
			if err := s.awaitAPI(ctx); err != nil {
				return err
			}
		}
		options.say("%s on %s is started", name, s.Nodes[number-1].Name)
		return nil
	}
	return fmt.Errorf("node %d has no component %q", number, name)
}

// awaitAPI waits until the API server is ready, and reached at its Service. An API server that ends leaves the Service, and kube-proxy, which pauses ever longer
// between its attempts to reach it, hears of its return up to half a minute later.
func (s *state) awaitAPI(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := s.await(ctx, component.APIServer, 1, s.apiReady); err != nil {
		return err
	}
	for number := 1; number <= len(s.Nodes); number++ {
		if err := s.await(ctx, component.KubeProxy, number, func(ctx context.Context) error { return s.apiServed(ctx, number) }); err != nil {
			return err
		}
	}
	return nil
}

func openedWith(options Options, number int) (*state, error) {
	s, err := opened(options)
	if err != nil {
		return nil, err
	}
	if number < 1 || number > len(s.Nodes) {
		return nil, fmt.Errorf("the cluster has no node %d", number)
	}
	return s, nil
}

// components lists all components of a node in the order of their start.
func (s *state) components(number int) []component.Component {
	node := s.node(number)
	own := []component.Component{node.Runtime(), node.Agent(), node.ServiceProxy()}
	if number > 1 {
		return own
	}
	return append([]component.Component{node.Store(), node.API(), node.Controllers(), node.Placement()}, own...)
}

// Status prints every component with its process number on this machine, and fails when the cluster is not healthy.
func Status(ctx context.Context, options Options) error {
	s, err := opened(options)
	if err != nil {
		return err
	}
	options.say("%-16s %-24s %8s  %s", "NODE", "COMPONENT", "PID", "STATE")
	for index, node := range s.Nodes {
		numbers, err := node.Holder.InsideNumbers()
		if err != nil {
			return err
		}
		options.say("%-16s %-24s %8d  %s", node.Name, "holder", node.Holder.PID, "running")
		programs, err := s.client(index + 1).List()
		if err != nil {
			return err
		}
		for _, program := range programs {
			state := "running"
			if !program.Running {
				state = "ended: " + program.Ending
			}
			options.say("%-16s %-24s %8d  %s", node.Name, program.Name, numbers[program.PID], state)
		}
	}
	if err := s.healthy(ctx); err != nil {
		return err
	}
	options.say("healthy; KUBECONFIG=%s", s.Kubeconfig)
	return nil
}

// Folder prints the folder of this machine that a node has as its /var/lib; the keys of the control plane are below kubernetes/pki.
func Folder(options Options, number int) error {
	s, err := openedWith(options, number)
	if err != nil {
		return err
	}
	options.say("%s", filepath.Join(s.nodeFolder(number), "lib"))
	return nil
}

// Exec replaces this program by the given one, in the network namespace of a node and with the cluster's kubeconfig. It
// returns only errors.
func Exec(options Options, number int, command []string) error {
	s, err := openedWith(options, number)
	if err != nil {
		return err
	}
	enter, err := find("nsenter")
	if err != nil {
		return err
	}
	path := s.Bin + string(filepath.ListSeparator) + os.Getenv("PATH")
	environment := append(os.Environ(), "KUBECONFIG="+s.Kubeconfig, "PATH="+path)
	arguments := append([]string{enter, networkOf(s.Nodes[number-1].Holder), "--"}, command...)
	if err := syscall.Exec(enter, arguments, environment); err != nil {
		return fmt.Errorf("running %s in the node's network: %w", command[0], err)
	}
	return nil
}
