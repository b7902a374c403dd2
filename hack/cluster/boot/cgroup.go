//go:build linux

package boot

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"signalbox.dev/signalbox/hack/cluster/component"
	"signalbox.dev/signalbox/hack/cluster/network"
)

// makeCgroups makes the control groups below which kubelet puts the node's pods, in every hierarchy.
func makeCgroups(node string) error {
	roots, err := cgroupRoots()
	if err != nil {
		return err
	}
	if len(roots) == 0 {
		return errors.New("no control groups are mounted")
	}
	for _, root := range roots {
		if err := enableControllers(root); err != nil {
			return err
		}
		if err := os.Mkdir(filepath.Join(root, component.CgroupRoot(node)), 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("making a control group: %w", err)
		}
	}
	return nil
}

// enableControllers hands the controllers that kubelet asks for down from the root of a version 2 hierarchy. Version 1 knows
// no such step.
func enableControllers(root string) error {
	text, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listing controllers: %w", err)
	}
	for _, controller := range strings.Fields(string(text)) {
		if !slices.Contains([]string{"cpu", "cpuset", "memory", "io", "pids", "hugetlb"}, controller) {
			continue
		}
		if err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+"+controller), 0o600); err != nil {
			return fmt.Errorf("enabling the controller %s: %w", controller, err)
		}
	}
	return nil
}

// removeCgroups removes the control groups of the cluster's nodes from every hierarchy. They are empty by now, but the
// kernel may take a moment to notice.
func removeCgroups(ctx context.Context, cluster string) error {
	roots, err := cgroupRoots()
	if err != nil {
		return err
	}
	for _, root := range roots {
		for number := 1; number <= network.MaxNodes; number++ {
			group := filepath.Join(root, component.CgroupRoot(nodeName(cluster, number)))
			if err := poll(ctx, func() error { return removeTree(group) }); err != nil {
				return fmt.Errorf("removing the control group %s: %w", group, err)
			}
		}
	}
	return nil
}

// removeTree removes a control group and those below it, deepest first. Their files are the kernel's and need no removal.
func removeTree(group string) error {
	var groups []string
	err := filepath.WalkDir(group, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			groups = append(groups, path)
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, path := range slices.Backward(groups) {
		if err := syscall.Rmdir(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// cgroupRoots lists the mount points of every control group hierarchy, of either version.
func cgroupRoots() ([]string, error) {
	mounts, err := os.Open("/proc/self/mounts")
	if err != nil {
		return nil, fmt.Errorf("listing mounts: %w", err)
	}
	defer func() { _ = mounts.Close() }()
	var roots []string
	scanner := bufio.NewScanner(mounts)
	for scanner.Scan() {
		fields := strings.Fields(scanner.Text())
		if len(fields) > 2 && (fields[2] == "cgroup" || fields[2] == "cgroup2") {
			roots = append(roots, fields[1])
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("listing mounts: %w", err)
	}
	return roots, nil
}
