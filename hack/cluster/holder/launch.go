//go:build linux

package holder

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"signalbox.dev/signalbox/hack/cluster/process"
)

// Subcommand is the argument that makes this program a holder.
const Subcommand = "hold"

// Lifetime says how long a holder lives.
type Lifetime string

const (
	// Detached holders live until they are killed.
	Detached Lifetime = "Detached"
	// Attached holders end with the process that launched them.
	Attached Lifetime = "Attached"
)

// Launch starts a holder in new namespaces and returns once its node is set up. Before the holder does anything, record is
// called with its identity; when record fails, or this process dies, the holder ends by itself.
func Launch(settings Settings, lifetime Lifetime, record func(process.Identity) error) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(settings.Folder, "holder.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the holder's log: %w", err)
	}
	defer func() { _ = log.Close() }()
	attributes := &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS,
	}
	if lifetime == Attached {
		// The signal comes when the starting thread ends, so this goroutine keeps it.
		runtime.LockOSThread()
		attributes.Pdeathsig = syscall.SIGKILL
	}
	command := &exec.Cmd{Path: self, Args: []string{self, Subcommand}, Dir: "/", Env: nodeEnvironment(), Stderr: log, SysProcAttr: attributes}
	in, err := command.StdinPipe()
	if err != nil {
		return fmt.Errorf("making the holder's input: %w", err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return fmt.Errorf("making the holder's output: %w", err)
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("starting a process in new namespaces: %w", err)
	}
	// Collects the holder should it end while this program still runs.
	defer func() { go func() { _ = command.Wait() }() }()
	defer func() { _ = in.Close() }()
	identity, err := process.Identify(command.Process.Pid)
	if err != nil {
		return err
	}
	if err := record(identity); err != nil {
		return err
	}
	if err := json.NewEncoder(in).Encode(settings); err != nil {
		return fmt.Errorf("giving the holder its settings: %w", err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		return errors.Join(errors.New("the node's holder ended: "+lastLine(log.Name())), err)
	}
	return nil
}

func nodeEnvironment() []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C"}
}

func lastLine(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}
