// Package target starts the processes that are measured and takes their figures.
package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"signalbox.dev/signalbox/hack/bench/load"
	"signalbox.dev/signalbox/hack/bench/proc"
)

const (
	readyWithin = 60 * time.Second
	stopWithin  = 15 * time.Second
	pollEvery   = 20 * time.Millisecond
)

// Target is a running proxy, or the upstream itself when it has no process.
type Target struct {
	// Name in the report.
	Name string
	// PlainAddr and StreamAddr are host:port for plain and for streamed requests.
	PlainAddr, StreamAddr string
	// Key is the bearer token that requests bring.
	Key string

	process *exec.Cmd
	ended   chan struct{}
	log     string
}

// Command is how to start a target.
type Command struct {
	// Args is the program and its arguments.
	Args []string
	// CPU is the only processor that it may use, -1 for any.
	CPU int
	// Log is the file that takes its output.
	Log string
}

// Start runs the target's command. The process ends with Stop.
func (t *Target) Start(command Command) error {
	args := command.Args
	if command.CPU >= 0 {
		args = append([]string{"taskset", "-c", strconv.Itoa(command.CPU)}, args...)
	}
	log, err := os.OpenFile(filepath.Clean(command.Log), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("opening the log of %s: %w", t.Name, err)
	}
	//nolint:noctx // the command is the user's own, and it is stopped with a signal that lets it finish
	t.process = exec.Command(args[0], args[1:]...)
	t.process.Stdout, t.process.Stderr = log, log
	t.log, t.ended = command.Log, make(chan struct{})
	if err := t.process.Start(); err != nil {
		return errors.Join(fmt.Errorf("starting %s: %w", t.Name, err), log.Close())
	}
	go func() {
		_ = t.process.Wait() // how it ended is told by whoever misses it
		_ = log.Close()
		close(t.ended)
	}()
	return nil
}

// WaitReady sends the request until it is answered with 200, the process ends, or a minute has passed.
func (t *Target) WaitReady(ctx context.Context, request []byte) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	var last error
	for {
		if last = try(ctx, t.PlainAddr, request); last == nil {
			return nil
		}
		select {
		case <-t.ended:
			return fmt.Errorf("%s ended before it answered; its output ends with:\n%s", t.Name, t.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer (%w); its output ends with:\n%s", t.Name, last, t.tail())
		case <-time.After(pollEvery):
		}
	}
}

func try(ctx context.Context, addr string, request []byte) error {
	conn, err := load.Dial(ctx, addr)
	if err != nil {
		return err
	}
	_, err = conn.Do(request, nil)
	return errors.Join(err, conn.Close())
}

// tail is the end of the process's output.
func (t *Target) tail() string {
	data, err := os.ReadFile(filepath.Clean(t.log))
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-2000):])
}

// Usage is what the process and its children have used so far. Without a process it is zero.
func (t *Target) Usage() (proc.Usage, error) {
	if t.process == nil {
		return proc.Usage{}, nil
	}
	return proc.Tree(strconv.Itoa(t.process.Process.Pid), "/proc")
}

// Stop ends the process: politely, and after 15 seconds by force.
func (t *Target) Stop() error {
	if t.process == nil || t.process.Process == nil {
		return nil
	}
	if err := t.process.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping %s: %w", t.Name, err)
	}
	select {
	case <-t.ended:
		return nil
	case <-time.After(stopWithin):
	}
	if err := t.process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("killing %s: %w", t.Name, err)
	}
	<-t.ended
	return nil
}
