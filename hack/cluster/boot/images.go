//go:build linux

package boot

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"signalbox.dev/signalbox/hack/cluster/archive"
	"signalbox.dev/signalbox/hack/cluster/component"
)

// DNSImage is the image of the cluster's name service.
const DNSImage = "signalbox.local/coredns:1"

// ctr runs containerd's client on a node's containerd, which is reached through the holder's view of the file system.
func (s *state) ctr(ctx context.Context, number int, arguments ...string) (string, error) {
	socket := fmt.Sprintf("/proc/%d/root%s", s.Nodes[number-1].Holder.PID, component.ContainerdSocket)
	return run(ctx, "", "ctr", append([]string{"--address", socket, "--namespace", "k8s.io"}, arguments...)...)
}

func (s *state) loadSystemImages(ctx context.Context, number int) error {
	for _, image := range []archive.Image{
		{Name: component.PauseImage, Entrypoint: []string{"/pause"}, User: "65535"},
		{Name: DNSImage, Entrypoint: []string{"/coredns"}},
	} {
		image.Architecture = runtime.GOARCH
		image.Files = []archive.File{{Source: filepath.Join(s.Bin, filepath.Base(image.Entrypoint[0])), Target: image.Entrypoint[0]}}
		file := filepath.Join(s.folder, "image.tar")
		if err := archive.WriteFile(file, image); err != nil {
			return err
		}
		if _, err := s.ctr(ctx, number, "images", "import", file); err != nil {
			return fmt.Errorf("loading %s: %w", image.Name, err)
		}
		if err := os.Remove(file); err != nil {
			return fmt.Errorf("removing an image's archive: %w", err)
		}
	}
	return nil
}

// Load brings image archives to every node.
func Load(ctx context.Context, options Options, archives []string) error {
	s, err := opened(options)
	if err != nil {
		return err
	}
	for _, file := range archives {
		for number := range s.Nodes {
			output, err := s.ctr(ctx, number+1, "images", "import", file)
			if err != nil {
				return fmt.Errorf("loading %s: %w", file, err)
			}
			options.say("%s: %s", s.Nodes[number].Name, tail(output, 1))
		}
	}
	return nil
}

// opened returns the state of a cluster whose nodes are alive.
func opened(options Options) (*state, error) {
	if os.Geteuid() != 0 {
		return nil, errNoRoot
	}
	options, err := options.complete()
	if err != nil {
		return nil, err
	}
	s, err := load(options.folder())
	if err != nil {
		return nil, err
	}
	if s == nil || len(s.Nodes) == 0 {
		return nil, errDown
	}
	for _, node := range s.Nodes {
		if !node.Holder.Alive() {
			return nil, fmt.Errorf("node %s is gone; replace the cluster with: make cluster-up", node.Name)
		}
	}
	return s, nil
}
