// Package shell runs the programs that the demo is made of: those of bin/ and those of the machine.
package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// farewell is how long a program has to end by itself once the demo is stopped.
const farewell = 20 * time.Second

// Shell runs programs in the repository's folder.
type Shell struct {
	// Root is the repository's folder; programs in its bin folder come before those of the machine.
	Root string
	// State is the demo's own folder, where Helm and kubectl keep their files instead of the user's home.
	State string
	// Kubeconfig is the cluster's. No program sees the user's own.
	Kubeconfig string
	// Out receives what programs print while they run.
	Out io.Writer
	// Variables are added to the environment, as NAME=value.
	Variables []string
}

// Program returns the path of a program of bin/, or the name itself for one of the machine.
func (s Shell) Program(name string) string {
	built := filepath.Join(s.Root, "bin", name)
	if info, err := os.Stat(built); err == nil && !info.IsDir() {
		return built
	}
	return name
}

// Show runs a program and passes on, indented, what it prints.
func (s Shell) Show(ctx context.Context, name string, args ...string) error {
	out := &indenter{to: s.Out}
	command := s.command(ctx, name, args)
	command.Stdout, command.Stderr = out, out
	return s.run(command, name, args, out)
}

// Read runs a program and returns its standard output without surrounding space; its standard error is part of the error.
func (s Shell) Read(ctx context.Context, name string, args ...string) (string, error) {
	return s.ReadWhile(ctx, nil, name, args...)
}

// ReadWhile is Read for a program whose standard error is for the viewer, as it comes.
func (s Shell) ReadWhile(ctx context.Context, progress io.Writer, name string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	command := s.command(ctx, name, args)
	command.Stdout, command.Stderr = &stdout, &stderr
	if progress != nil {
		command.Stderr = progress
	}
	err := s.run(command, name, args, &stderr)
	return strings.TrimSpace(stdout.String()), err
}

// Feed runs a program with an input and shows what it prints.
func (s Shell) Feed(ctx context.Context, input, name string, args ...string) error {
	out := &indenter{to: s.Out}
	command := s.command(ctx, name, args)
	command.Stdin = strings.NewReader(input)
	command.Stdout, command.Stderr = out, out
	return s.run(command, name, args, out)
}

func (s Shell) command(ctx context.Context, name string, args []string) *exec.Cmd {
	command := exec.CommandContext(ctx, s.Program(name), args...)
	command.Dir = s.Root
	command.Env = s.environment()
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = farewell
	return command
}

// environment is the user's, without what would lead programs to the user's own clusters and files, and without the flags of an outer make.
func (s Shell) environment() []string {
	own := map[string]bool{"KUBECONFIG": true, "MAKEFLAGS": true, "MFLAGS": true, "MAKELEVEL": true, "MAKEOVERRIDES": true}
	var list []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if !own[name] && !strings.HasPrefix(name, "HELM_") {
			list = append(list, variable)
		}
	}
	helm := filepath.Join(s.State, "helm")
	list = append(list,
		"KUBECONFIG="+s.Kubeconfig, "KUBECACHEDIR="+filepath.Join(s.State, "kubectl"),
		"HELM_CACHE_HOME="+helm, "HELM_CONFIG_HOME="+helm, "HELM_DATA_HOME="+helm)
	return append(list, s.Variables...)
}

// run names the program in the error, with the last lines that it wrote to printed.
func (s Shell) run(command *exec.Cmd, name string, args []string, printed fmt.Stringer) error {
	err := command.Run()
	if err == nil {
		return nil
	}
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%s is not installed", name)
	}
	text := lastLines(printed.String(), 12)
	return fmt.Errorf("running %s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, text)
}

func lastLines(text string, count int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}

// indenter puts lines a little to the right, below the step that they belong to. What it showed is not repeated in an error.
type indenter struct {
	to     io.Writer
	within bool
}

func (i *indenter) Write(text []byte) (int, error) {
	var out bytes.Buffer
	for _, line := range bytes.SplitAfter(text, []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		if !i.within {
			out.WriteString("    ")
		}
		out.Write(line)
		i.within = line[len(line)-1] != '\n'
	}
	if _, err := i.to.Write(out.Bytes()); err != nil {
		return 0, fmt.Errorf("printing: %w", err)
	}
	return len(text), nil
}

// String is empty: the text was shown.
func (*indenter) String() string { return "" }
