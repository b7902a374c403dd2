// Package background runs programs that outlive the demo and finds them again, after a crash too. Each program holds a lock on a file that names its
// process, so a process number that meanwhile belongs to somebody else is never mistaken for it. It works on Linux and macOS alike.
package background

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	suffix = ".pid"
	// lookPause is the time between two looks whether a program has ended.
	lookPause = 20 * time.Millisecond
)

// Folder keeps the files of programs.
type Folder struct {
	// Path of the folder; it is made when needed.
	Path string
}

// Program is what to run.
type Program struct {
	// Name is unique in the folder.
	Name string
	// Command is the program's path and its arguments.
	Command []string
	// Environment is all of it.
	Environment []string
	// Log takes what the program prints, after what is there.
	Log string
}

// Process is a program that runs.
type Process struct {
	// Ended is closed once the program has ended, as long as this process lives.
	Ended <-chan struct{}
	path  string
	child *os.Process
}

// Start starts a program in a session of its own, where no Ctrl-C reaches it.
func (f Folder) Start(program Program) (*Process, error) {
	if err := os.MkdirAll(f.Path, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of programs: %w", err)
	}
	path := filepath.Join(f.Path, program.Name+suffix)
	lock, err := os.OpenFile(filepath.Clean(path), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the file of %s: %w", program.Name, err)
	}
	// The program has its own copy from then on, and the lock lasts as long as the copy does.
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("%s runs already: %w", program.Name, err)
	}
	if err := lock.Truncate(0); err != nil {
		return nil, fmt.Errorf("emptying the file of %s: %w", program.Name, err)
	}
	command, err := launch(program, lock)
	if err != nil {
		return nil, err
	}
	if _, err := lock.WriteString(strconv.Itoa(command.Process.Pid)); err != nil {
		return nil, errors.Join(fmt.Errorf("noting the process of %s: %w", program.Name, err), command.Process.Kill())
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		// How it ended is in its log.
		_ = command.Wait()
	}()
	return &Process{Ended: ended, path: path, child: command.Process}, nil
}

func launch(program Program, lock *os.File) (*exec.Cmd, error) {
	if err := os.MkdirAll(filepath.Dir(program.Log), 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of logs: %w", err)
	}
	log, err := os.OpenFile(filepath.Clean(program.Log), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", program.Name, err)
	}
	defer log.Close()
	// No context of this process ends it: it outlives the process.
	command := exec.CommandContext(context.Background(), program.Command[0], program.Command[1:]...)
	command.Env = program.Environment
	command.Stdout, command.Stderr = log, log
	command.ExtraFiles = []*os.File{lock}
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", program.Name, err)
	}
	return command, nil
}

// Running tells whether the program has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.Ended:
		return false
	default:
		return true
	}
}

// Stop asks the program to end and kills it after a grace period.
func (p *Process) Stop(ctx context.Context, grace time.Duration) error {
	return stop(ctx, p.path, grace)
}

// Names lists the programs of the folder, those that ended included.
func (f Folder) Names() ([]string, error) {
	entries, err := os.ReadDir(f.Path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the folder of programs: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if name, found := strings.CutSuffix(entry.Name(), suffix); found {
			names = append(names, name)
		}
	}
	return names, nil
}

// Stop asks a program to end and kills it after a grace period. One that has ended, or never was, is no error.
func (f Folder) Stop(ctx context.Context, name string, grace time.Duration) error {
	return stop(ctx, filepath.Join(f.Path, name+suffix), grace)
}

// StopAll stops the program first, then at the same time all that last does not name, then those of last in their order. It goes on after an error.
func (f Folder) StopAll(ctx context.Context, grace time.Duration, first string, last ...string) error {
	problems := []error{f.Stop(ctx, first, grace)}
	names, err := f.Names()
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(last, name) })
	stopped := make(chan error, len(names))
	for _, name := range names {
		go func() { stopped <- f.Stop(ctx, name, grace) }()
	}
	for range names {
		problems = append(problems, <-stopped)
	}
	for _, name := range last {
		problems = append(problems, f.Stop(ctx, name, grace))
	}
	return errors.Join(problems...)
}

func stop(ctx context.Context, path string, grace time.Duration) error {
	lock, err := os.Open(filepath.Clean(path))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening the file of a program: %w", err)
	}
	defer lock.Close()
	if ended(lock) {
		return os.Remove(path)
	}
	text, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return fmt.Errorf("reading the process of a program: %w", err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil || pid <= 1 {
		return fmt.Errorf("%s names no process, yet one holds it: end it by hand", path)
	}
	for _, way := range []struct {
		signal   syscall.Signal
		patience time.Duration
	}{{syscall.SIGTERM, grace}, {syscall.SIGKILL, 10 * time.Second}} {
		if err := syscall.Kill(pid, way.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("ending process %d: %w", pid, err)
		}
		if waitFor(ctx, lock, way.patience) {
			return os.Remove(path)
		}
	}
	return fmt.Errorf("process %d does not end", pid)
}

// ended tells whether nobody holds the lock any more.
func ended(lock *os.File) bool {
	return syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

func waitFor(ctx context.Context, lock *os.File, patience time.Duration) bool {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	pause := time.NewTicker(lookPause)
	defer pause.Stop()
	for {
		if ended(lock) {
			return true
		}
		select {
		case <-limited.Done():
			return false
		case <-pause.C:
		}
	}
}
