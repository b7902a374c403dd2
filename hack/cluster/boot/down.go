//go:build linux

package boot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"signalbox.dev/signalbox/hack/cluster/component"
	"signalbox.dev/signalbox/hack/cluster/network"
)

// goodbye bounds the wait for the kernel to end a node's processes and to let go of its control groups.
const goodbye = 60 * time.Second

// Down removes the cluster, whole or in part, and everything it left on the machine. Without a cluster it does nothing.
func Down(ctx context.Context, options Options) error {
	options, err := options.complete()
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errNoRoot
	}
	if _, err := os.Stat(options.folder()); errors.Is(err, fs.ErrNotExist) {
		options.say("cluster %s is not up", options.Name)
		return nil
	}
	unlock, err := lock(options.say)
	if err != nil {
		return err
	}
	defer unlock()
	if err := remove(ctx, options); err != nil {
		return err
	}
	options.say("cluster %s is down", options.Name)
	return nil
}

// remove goes on after an error, so that one thing that cannot be removed does not keep the rest.
func remove(ctx context.Context, options Options) error {
	ctx, cancel := context.WithTimeout(ctx, goodbye)
	defer cancel()
	s, err := load(options.folder())
	if err != nil {
		return err
	}
	if s == nil {
		s = &state{Name: options.Name, folder: options.folder()}
	}
	if err := s.end(ctx); err != nil {
		return err
	}
	problems := []error{removeCgroups(ctx, options.Name), s.unlink(ctx)}
	if s.Kubeconfig != "" {
		problems = append(problems, removeKubeconfig(s.Kubeconfig))
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	// Last, for it holds what a repeated attempt must know.
	if err := os.RemoveAll(s.folder); err != nil {
		return fmt.Errorf("removing the cluster's folder: %w", err)
	}
	return nil
}

// end kills the holders, and with them every process of the nodes, and waits until they are gone.
func (s *state) end(ctx context.Context) error {
	for _, node := range s.Nodes {
		if err := node.Holder.Kill(); err != nil {
			return err
		}
	}
	for _, node := range s.Nodes {
		err := poll(ctx, func() error {
			if node.Holder.Alive() {
				return fmt.Errorf("node %s does not end", node.Name)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// unlink removes the host's end of the link at once; the kernel would do it a little later, with the namespace.
func (s *state) unlink(ctx context.Context) error {
	link := network.Plan{Cluster: s.Name}.HostLink()
	return poll(ctx, func() error {
		if _, err := os.Stat(filepath.Join("/sys/class/net", link)); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		_, err := run(ctx, "", "ip", "link", "delete", link)
		return err
	})
}

// foreign says whether there is a file of this name that was not made here, for instance the user's own kubeconfig.
func foreign(kubeconfig string) (bool, error) {
	text, err := os.ReadFile(kubeconfig)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	return !strings.HasPrefix(string(text), component.KubeconfigMark), nil
}

func removeKubeconfig(name string) error {
	if kept, err := foreign(name); err != nil || kept {
		return err
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the kubeconfig: %w", err)
	}
	return nil
}

// poll repeats check until it succeeds or the context ends, whose error then accompanies the last one.
func poll(ctx context.Context, check func() error) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		problem := check()
		if problem == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", problem, ctx.Err())
		case <-ticker.C:
		}
	}
}
