//go:build linux

package boot

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"signalbox.dev/signalbox/hack/cluster/component"
)

// boot starts the components in the order of their needs, each step proven before the next.
func (s *state) boot(ctx context.Context, progress func(string)) error {
	if err := s.writeFiles(); err != nil {
		return err
	}
	if err := s.startControlPlane(ctx, progress); err != nil {
		return err
	}
	for number := range s.Nodes {
		if err := s.startNode(ctx, number+1); err != nil {
			return err
		}
		progress("containerd, kubelet and kube-proxy of " + s.Nodes[number].Name)
	}
	if err := s.installAddons(ctx); err != nil {
		return err
	}
	if err := s.await(ctx, component.Kubelet, 1, s.ready); err != nil {
		return err
	}
	progress("nodes, cluster DNS and controllers ready")
	return nil
}

func (s *state) startControlPlane(ctx context.Context, progress func(string)) error {
	first := s.node(1)
	if err := s.startAll(1, first.Store(), first.API()); err != nil {
		return err
	}
	if err := s.await(ctx, component.APIServer, 1, s.apiReady); err != nil {
		return err
	}
	progress("etcd and kube-apiserver ready")
	if err := s.startAll(1, first.Controllers(), first.Placement()); err != nil {
		return err
	}
	for _, waiting := range []struct{ name, port string }{
		{component.ControllerManager, component.ControllerManagerPort},
		{component.Scheduler, component.SchedulerPort},
	} {
		err := s.await(ctx, waiting.name, 1, func(ctx context.Context) error { return s.secureHealth(ctx, waiting.port) })
		if err != nil {
			return err
		}
	}
	progress("kube-controller-manager and kube-scheduler ready")
	return nil
}

func (s *state) startNode(ctx context.Context, number int) error {
	node := s.node(number)
	if err := makeCgroups(node.Name); err != nil {
		return err
	}
	if err := s.startAll(number, node.Runtime()); err != nil {
		return err
	}
	err := s.await(ctx, component.Containerd, number, func(ctx context.Context) error { return s.containerdReady(ctx, number) })
	if err != nil {
		return err
	}
	if err := s.loadSystemImages(ctx, number); err != nil {
		return err
	}
	if err := s.startAll(number, node.Agent(), node.ServiceProxy()); err != nil {
		return err
	}
	for _, waiting := range []struct{ name, port string }{
		{component.Kubelet, component.KubeletHealthPort},
		{component.KubeProxy, component.KubeProxyHealthPort},
	} {
		err := s.await(ctx, waiting.name, number, func(ctx context.Context) error { return s.plainHealth(ctx, number, waiting.port) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *state) startAll(number int, components ...component.Component) error {
	for _, c := range components {
		if err := s.client(number).Start(c.Name, c.Command); err != nil {
			return err
		}
	}
	return nil
}

// await asks until check says yes. It gives up at once when a program of the cluster has ended, and with the context; the
// error then carries the last lines of the log to read.
func (s *state) await(ctx context.Context, guilty string, number int, check func(context.Context) error) error {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		problem := check(ctx)
		if problem == nil {
			return nil
		}
		if name, node, ended := s.ended(); ended != nil {
			return fmt.Errorf("%w\n%s", ended, s.logTail(node, name))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s on %s: %w (%w)\n%s", guilty, nodeName(s.Name, number), problem, ctx.Err(), s.logTail(number, guilty))
		case <-ticker.C:
		}
	}
}

// ended finds a program that ended although nobody stopped it.
func (s *state) ended() (name string, number int, err error) {
	for index, node := range s.Nodes {
		if !node.Holder.Alive() {
			return "", index + 1, fmt.Errorf("node %s is gone", node.Name)
		}
		programs, err := s.client(index + 1).List()
		if err != nil {
			return "", index + 1, err
		}
		for _, program := range programs {
			if !program.Running && !program.Stopped {
				return program.Name, index + 1, fmt.Errorf("%s on %s has ended: %s", program.Name, node.Name, program.Ending)
			}
		}
	}
	return "", 0, nil
}

func (s *state) logTail(number int, name string) string {
	file := filepath.Join(s.nodeFolder(number), "log", name+".log")
	if name == "" {
		file = filepath.Join(s.nodeFolder(number), "holder.log")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return "last lines of " + file + ":\n" + tail(string(text), 15)
}
