//go:build linux

package boot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"signalbox.dev/signalbox/hack/cluster/component"
	"signalbox.dev/signalbox/hack/cluster/holder"
	"signalbox.dev/signalbox/hack/cluster/network"
	"signalbox.dev/signalbox/hack/cluster/process"
)

// patience bounds the whole of Up, installation of packages excepted. A cluster takes seconds on an idle machine.
const patience = 5 * time.Minute

// Up brings the cluster up. A healthy one with the right number of nodes is kept; any other is replaced.
func Up(ctx context.Context, options Options) error {
	options, err := options.complete()
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errNoRoot
	}
	if err := checkPrograms(options.Bin); err != nil {
		return err
	}
	if other, err := foreign(options.Kubeconfig); err != nil || other {
		return errors.Join(err, fmt.Errorf("%s was not made for a local cluster and is left alone; name another file with --kubeconfig", options.Kubeconfig))
	}
	unlock, err := lock(options.say)
	if err != nil {
		return err
	}
	defer unlock()
	if err := Install(ctx, options, nil); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	kept, err := keepOrClear(ctx, options)
	if err != nil || kept {
		return err
	}
	return start(ctx, options)
}

// keepOrClear says whether there is a healthy cluster to keep, and removes what there is of any other.
func keepOrClear(ctx context.Context, options Options) (kept bool, err error) {
	if _, err := os.Stat(options.folder()); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	problem := diagnose(ctx, options)
	if problem == nil {
		options.say("cluster %s is up already and healthy: kept", options.Name)
		return true, nil
	}
	options.say("replacing cluster %s: %v", options.Name, problem)
	return false, remove(ctx, options)
}

func start(ctx context.Context, options Options) error {
	began := time.Now()
	s, err := newState(ctx, options)
	if err != nil {
		return err
	}
	options.say("starting cluster %s with %d node(s); logs are in %s", s.Name, options.Nodes, s.folder)
	if err := s.launch(ctx, options); err != nil {
		return fmt.Errorf("setting up the nodes: %w", err)
	}
	if err := s.boot(ctx, func(what string) { options.say("%6.1fs  %s", time.Since(began).Seconds(), what) }); err != nil {
		return fmt.Errorf("%w\nThe logs stay in %s until: make cluster-down", err, s.folder)
	}
	options.say("cluster %s is up. Use it with: export KUBECONFIG=%s", s.Name, s.Kubeconfig)
	return nil
}

func newState(ctx context.Context, options Options) (*state, error) {
	containerd, err := find("containerd")
	if err != nil {
		return nil, err
	}
	plugins, err := pluginFolder()
	if err != nil {
		return nil, err
	}
	routes, err := run(ctx, "", "ip", "-4", "-oneline", "route", "show", "table", "all")
	if err != nil {
		return nil, err
	}
	slot, err := network.FreeSlot(routes)
	if err != nil {
		return nil, err
	}
	s := &state{
		Name: options.Name, Slot: slot, Kubeconfig: options.Kubeconfig, Bin: options.Bin,
		Containerd: containerd, Plugins: plugins, folder: options.folder(),
	}
	if err := os.Mkdir(s.folder, 0o700); err != nil {
		return nil, fmt.Errorf("making the cluster's folder: %w", err)
	}
	return s, s.save()
}

// launch starts each node's holder and links the nodes.
func (s *state) launch(ctx context.Context, options Options) error {
	for number := 1; number <= options.Nodes; number++ {
		folder := s.nodeFolder(number)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return fmt.Errorf("making the node's folder: %w", err)
		}
		settings := holder.Settings{Node: nodeName(s.Name, number), Folder: folder, Bin: s.Bin}
		err := holder.Launch(settings, holder.Detached, func(identity process.Identity) error {
			s.Nodes = append(s.Nodes, nodeRecord{Name: settings.Node, Holder: identity})
			return s.save()
		})
		if err != nil {
			return err
		}
	}
	return s.link(ctx)
}

func (s *state) link(ctx context.Context) error {
	plan, first := s.plan(), s.Nodes[0].Holder
	// A crash long ago may have left the interface of a namespace that the kernel is still taking apart.
	_, _ = run(ctx, "", "ip", "link", "delete", plan.HostLink())
	if _, err := run(ctx, plan.Host(len(s.Nodes), first.PID), "ip", "-batch", "-"); err != nil {
		return fmt.Errorf("linking the host: %w", err)
	}
	if err := runInside(ctx, first, plan.First(), "ip", "-batch", "-"); err != nil {
		return fmt.Errorf("linking node 1: %w", err)
	}
	if len(s.Nodes) == 1 {
		return nil
	}
	second := s.Nodes[1].Holder
	if err := runInside(ctx, first, plan.Join(second.PID), "ip", "-batch", "-"); err != nil {
		return fmt.Errorf("linking node 1 to node 2: %w", err)
	}
	if err := runInside(ctx, second, plan.Second(), "ip", "-batch", "-"); err != nil {
		return fmt.Errorf("linking node 2: %w", err)
	}
	return nil
}

// writeFiles writes everything that the nodes read, and the administrator's kubeconfig.
func (s *state) writeFiles() error {
	credentials, err := component.NewCredentials(s.Name, time.Now())
	if err != nil {
		return err
	}
	for number := range s.Nodes {
		node := s.node(number + 1)
		files, err := node.Files()
		if err != nil {
			return err
		}
		more, err := credentials.NodeFiles(node)
		if err != nil {
			return err
		}
		files = append(files, more...)
		if node.Number == 1 {
			if more, err = credentials.ControlPlaneFiles(node); err != nil {
				return err
			}
			files = append(files, more...)
		}
		if err := s.writeNodeFiles(node.Number, files); err != nil {
			return err
		}
	}
	kubeconfig := component.Kubeconfig(s.Name, s.node(1).Server(), credentials.Authority(), credentials.Admin)
	if err := writePrivate(s.Kubeconfig, kubeconfig); err != nil {
		return fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return nil
}

func (s *state) writeNodeFiles(number int, files []component.File) error {
	for _, file := range files {
		relative, err := filepath.Rel("/var/lib", file.Path)
		if err != nil {
			return fmt.Errorf("placing %s: %w", file.Path, err)
		}
		target := filepath.Join(s.nodeFolder(number), "lib", relative)
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return fmt.Errorf("making a folder for %s: %w", file.Path, err)
		}
		if err := writePrivate(target, file.Content); err != nil {
			return fmt.Errorf("writing %s: %w", file.Path, err)
		}
	}
	return nil
}

// writePrivate never writes through an existing file, whose permissions might let others read along.
func writePrivate(name string, content []byte) error {
	if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.WriteFile(name, content, fs.FileMode(0o600))
}
