//go:build linux

package holder

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// programs starts programs and collects every process that ends, also those that others left behind.
type programs struct {
	logs string

	mu     sync.Mutex
	byName map[string]*running
}

type running struct {
	Program
	ended chan struct{}
}

func newPrograms(logs string) *programs {
	return &programs{logs: logs, byName: map[string]*running{}}
}

func (p *programs) start(name string, command []string) error {
	if name == "" || len(command) == 0 || name != filepath.Base(name) {
		return fmt.Errorf("starting a program needs a plain name and a command")
	}
	// Held over the fork, so that a program which ends at once is collected only after it was written down.
	p.mu.Lock()
	defer p.mu.Unlock()
	if old, found := p.byName[name]; found && old.Running {
		return fmt.Errorf("%s runs already", name)
	}
	log, err := os.OpenFile(filepath.Join(p.logs, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the log of %s: %w", name, err)
	}
	defer func() { _ = log.Close() }()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return fmt.Errorf("opening the input of %s: %w", name, err)
	}
	defer func() { _ = null.Close() }()
	pid, err := syscall.ForkExec(command[0], command, &syscall.ProcAttr{
		Dir: "/", Env: os.Environ(), Files: []uintptr{null.Fd(), log.Fd(), log.Fd()}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	p.byName[name] = &running{Program: Program{Name: name, PID: pid, Running: true}, ended: make(chan struct{})}
	return nil
}

func (p *programs) stop(name string, grace time.Duration) error {
	ended, err := p.signal(name, syscall.SIGTERM)
	if err != nil {
		return err
	}
	patience := time.NewTimer(grace)
	defer patience.Stop()
	select {
	case <-ended:
		return nil
	case <-patience.C:
	}
	if ended, err = p.signal(name, syscall.SIGKILL); err != nil {
		return err
	}
	<-ended
	return nil
}

// signal holds the lock, under which a running program is not collected, so its number is its own.
func (p *programs) signal(name string, number syscall.Signal) (<-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	program, found := p.byName[name]
	if !found {
		return nil, fmt.Errorf("%s was never started", name)
	}
	if !program.Running {
		return program.ended, nil
	}
	program.Stopped = true
	if err := syscall.Kill(program.PID, number); err != nil {
		return nil, fmt.Errorf("signalling %s: %w", name, err)
	}
	return program.ended, nil
}

func (p *programs) list() []Program {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]Program, 0, len(p.byName))
	for _, program := range p.byName {
		list = append(list, program.Program)
	}
	slices.SortFunc(list, func(a, b Program) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// collect waits for every child of this process until the context ends. As process 1 of the node it inherits those that
// others leave. It must be told of deaths from before the first start, and be the only one of the process.
func (p *programs) collect(ctx context.Context, died <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-died:
		}
		for p.collectOne() {
			continue
		}
	}
}

// deaths returns a channel that tells when children have died, maybe several at once.
func deaths() <-chan os.Signal {
	died := make(chan os.Signal, 1)
	signal.Notify(died, syscall.SIGCHLD)
	return died
}

func (p *programs) collectOne() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
	if err != nil || pid <= 0 {
		return false
	}
	for _, program := range p.byName {
		if program.PID == pid && program.Running {
			program.Running = false
			program.Ending = ending(status)
			close(program.ended)
		}
	}
	return true
}

func ending(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "signal: " + status.Signal().String()
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}
