//go:build linux

package holder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// kernelSettings are those of the whole machine that kubelet would write at its start. It is shown files that already hold
// what it wants, so it leaves the machine's own alone.
func kernelSettings() map[string]string {
	return map[string]string{
		"vm/overcommit_memory":      "1",
		"vm/panic_on_oom":           "0",
		"kernel/panic":              "10",
		"kernel/panic_on_oops":      "1",
		"kernel/keys/root_maxkeys":  "1000000",
		"kernel/keys/root_maxbytes": "25000000",
	}
}

type mount struct {
	source, target, kind string
	flags                uintptr
	data                 string
}

// prepare turns the copy of the machine's mounts into the node's: its own /proc, /run, /var/lib and /var/log.
func prepare(settings Settings) error {
	if err := syscall.Sethostname([]byte(settings.Node)); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	lib, log := filepath.Join(settings.Folder, "lib"), filepath.Join(settings.Folder, "log")
	bin := filepath.Join(lib, filepath.Base(BinFolder))
	for _, folder := range []string{lib, log, bin} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return fmt.Errorf("making the node's folders: %w", err)
		}
	}
	err := mountAll([]mount{
		{source: "none", target: "/", flags: syscall.MS_REC | syscall.MS_PRIVATE},
		{source: "proc", target: "/proc", kind: "proc", flags: syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC},
		{source: settings.Bin, target: bin, flags: syscall.MS_BIND},
		{source: log, target: "/var/log", flags: syscall.MS_BIND},
		{source: lib, target: "/var/lib", flags: syscall.MS_BIND | syscall.MS_REC},
		{source: "tmpfs", target: "/run", kind: "tmpfs", flags: syscall.MS_NOSUID | syscall.MS_NODEV, data: "mode=755"},
	})
	if err != nil {
		return err
	}
	if err := coverKernelSettings(); err != nil {
		return err
	}
	if err := writeNetworkSettings(); err != nil {
		return err
	}
	// kubelet hands mounts on to containers only when they are shared.
	return mountAll([]mount{{source: "none", target: "/", flags: syscall.MS_REC | syscall.MS_SHARED}})
}

func mountAll(mounts []mount) error {
	for _, m := range mounts {
		if err := syscall.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mounting %s on %s: %w", m.source, m.target, err)
		}
	}
	return nil
}

func coverKernelSettings() error {
	const folder = "/run/kernel-settings"
	if err := os.Mkdir(folder, 0o750); err != nil {
		return fmt.Errorf("making the folder for kernel settings: %w", err)
	}
	for name, value := range kernelSettings() {
		target := filepath.Join("/proc/sys", name)
		if _, err := os.Stat(target); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		source := filepath.Join(folder, strings.ReplaceAll(name, "/", "."))
		if err := os.WriteFile(source, []byte(value+"\n"), 0o600); err != nil {
			return fmt.Errorf("writing a kernel setting: %w", err)
		}
		if err := mountAll([]mount{{source: source, target: target, flags: syscall.MS_BIND}}); err != nil {
			return err
		}
	}
	return nil
}

// writeNetworkSettings changes settings of the node's own network namespace only.
func writeNetworkSettings() error {
	for name, value := range map[string]string{
		"ip_forward":             "1",
		"conf/all/rp_filter":     "0",
		"conf/default/rp_filter": "0",
	} {
		if err := os.WriteFile(filepath.Join("/proc/sys/net/ipv4", name), []byte(value), 0o600); err != nil {
			return fmt.Errorf("setting %s for the node: %w", name, err)
		}
	}
	return nil
}
