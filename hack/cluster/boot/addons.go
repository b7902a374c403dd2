//go:build linux

package boot

import (
	"context"
	_ "embed"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/hack/cluster/network"
)

//go:embed coredns.yaml
var dnsManifest string

// installAddons installs the cluster's name service, with one replica a node.
func (s *state) installAddons(ctx context.Context) error {
	manifest := strings.NewReplacer(
		"@IMAGE@", DNSImage, "@ADDRESS@", network.DNSService, "@REPLICAS@", strconv.Itoa(len(s.Nodes)),
	).Replace(dnsManifest)
	command := exec.CommandContext(ctx, filepath.Join(s.Bin, "kubectl"), "--kubeconfig="+s.Kubeconfig, "apply", "--filename=-")
	command.Stdin = strings.NewReader(manifest)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("installing the cluster's name service: %w: %s", err, tail(string(output), 5))
	}
	return nil
}
