//go:build linux

package boot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"signalbox.dev/signalbox/hack/cluster/holder"
	"signalbox.dev/signalbox/hack/cluster/network"
	"signalbox.dev/signalbox/hack/cluster/process"
)

// Check tries out what a cluster needs and leaves nothing behind: namespaces, links, packet filter rules, an overlay mount,
// a control group. It installs nothing: what needs a missing package is not tried as long as apt-get could install it.
func Check(ctx context.Context, options Options) error {
	if os.Geteuid() != 0 {
		return errNoRoot
	}
	missing := missingPackages()
	if len(missing) > 0 {
		if err := installable(ctx, missing); err != nil {
			return err
		}
	}
	steps := []func(context.Context, *state) error{tryOverlay, tryNetwork}
	outcome := "ok"
	if len(missing) > 0 {
		steps, outcome = []func(context.Context, *state) error{tryOverlay}, "ok (the first start installs: "+strings.Join(missing, " ")+")"
	}
	if err := tryNode(ctx, steps); err != nil {
		return fmt.Errorf("%w; %s", err, instead)
	}
	options.say("%s", outcome)
	return nil
}

func installable(ctx context.Context, packages []string) error {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("missing and not installable without apt-get: %s; %s", strings.Join(packages, ", "), instead)
	}
	// The lists of packages may be absent on a fresh machine, so only a package that is known to be unknown is a reason.
	lists, err := filepath.Glob("/var/lib/apt/lists/*_Packages*")
	if err != nil || len(lists) == 0 {
		return err
	}
	if err := apt(ctx, append([]string{"install", "--simulate", "--yes", "--no-install-recommends"}, packages...)...); err != nil {
		return fmt.Errorf("%w; %s", err, instead)
	}
	return nil
}

// tryNode sets up a node that ends with this process, as that of a cluster with a name of its own, and takes the steps there.
func tryNode(ctx context.Context, steps []func(context.Context, *state) error) (err error) {
	folder, err := os.MkdirTemp("", "signalbox-check-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	s := &state{Name: fmt.Sprintf("check-%d", os.Getpid()), folder: folder}
	defer func() { err = errors.Join(err, s.end(ctx), s.unlink(ctx), removeCgroups(ctx, s.Name)) }()
	if err := makeCgroups(nodeName(s.Name, 1)); err != nil {
		return err
	}
	settings := holder.Settings{Node: s.Name, Folder: folder, Bin: folder}
	err = holder.Launch(settings, holder.Attached, func(identity process.Identity) error {
		s.Nodes = []nodeRecord{{Name: s.Name, Holder: identity}}
		return nil
	})
	if err != nil {
		return err
	}
	for _, step := range steps {
		if err := step(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func tryOverlay(ctx context.Context, s *state) error {
	const script = "cd /var/lib && mkdir lower upper work merged && mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged"
	pid := s.Nodes[0].Holder.PID
	if _, err := run(ctx, "", "nsenter", fmt.Sprintf("--mount=/proc/%d/ns/mnt", pid), "--", "sh", "-c", script); err != nil {
		return fmt.Errorf("mounting an overlay: %w", err)
	}
	return nil
}

func tryNetwork(ctx context.Context, s *state) error {
	routes, err := run(ctx, "", "ip", "-4", "-oneline", "route", "show", "table", "all")
	if err != nil {
		return err
	}
	if s.Slot, err = network.FreeSlot(routes); err != nil {
		return err
	}
	if err := s.link(ctx); err != nil {
		return err
	}
	// The matches and targets that kube-proxy uses.
	const rules = `*nat
:SIGNALBOX-CHECK - [0:0]
-A SIGNALBOX-CHECK -p tcp -m comment --comment check -m statistic --mode random --probability 0.5 -j DNAT --to-destination 10.244.0.2:80
-A SIGNALBOX-CHECK -m conntrack --ctstate NEW -j MARK --set-xmark 0x4000/0x4000
-A SIGNALBOX-CHECK -j MASQUERADE --random-fully
COMMIT
`
	if err := runInside(ctx, s.Nodes[0].Holder, rules, "iptables-restore", "--noflush"); err != nil {
		return fmt.Errorf("setting packet filter rules: %w", err)
	}
	return nil
}
