package world

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience bounds how long a program may take to start, and to end.
const patience = 30 * time.Second

// Program is a server in a process of its own.
type Program struct {
	command *exec.Cmd
	log     *os.File
	ended   chan error
	found   []string

	mu    sync.Mutex
	lines []string
}

// start runs a program until Stop, and waits until it prints a line that matches. Its output goes to a file.
func start(ctx context.Context, logFile string, ready *regexp.Regexp, name string, args ...string) (*Program, error) {
	log, err := os.Create(logFile)
	if err != nil {
		return nil, fmt.Errorf("making the log of %s: %w", name, err)
	}
	p := &Program{command: exec.CommandContext(ctx, name, args...), log: log, ended: make(chan error, 1)}
	p.command.Cancel = func() error { return p.command.Process.Signal(syscall.SIGTERM) }
	p.command.WaitDelay = patience
	p.command.Stderr = log
	stdout, err := p.command.StdoutPipe()
	if err == nil {
		err = p.command.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", name, err), log.Close())
	}
	matched := make(chan []string, 1)
	go p.read(stdout, ready, matched)
	select {
	case p.found = <-matched:
		return p, nil
	case err := <-p.ended:
		p.ended <- err
		return nil, errors.Join(fmt.Errorf("%s ended at once, see %s", name, logFile), err)
	case <-time.After(patience):
		return nil, errors.Join(fmt.Errorf("%s does not get ready, see %s", name, logFile), p.Stop())
	}
}

// read copies the output and looks for the line, until the program ends.
func (p *Program) read(stdout io.Reader, ready *regexp.Regexp, matched chan<- []string) {
	scanner := bufio.NewScanner(stdout)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		fmt.Fprintln(p.log, scanner.Text())
		p.mu.Lock()
		p.lines = append(p.lines, scanner.Text())
		p.mu.Unlock()
		if found := ready.FindStringSubmatch(scanner.Text()); found != nil && matched != nil {
			matched <- found
			matched = nil
		}
	}
	p.ended <- errors.Join(scanner.Err(), p.command.Wait())
}

// Output is what the program has printed so far.
func (p *Program) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// Stop asks the program to end and waits for it.
func (p *Program) Stop() error {
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("ending %s: %w", p.command.Path, err)
	}
	err := <-p.ended
	p.ended <- err
	var exit *exec.ExitError
	if errors.As(err, &exit) && !exit.Exited() {
		err = nil // it ended by the signal
	}
	return errors.Join(err, p.log.Close())
}
