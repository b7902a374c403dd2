package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"signalbox.dev/signalbox/hack/bench/choice"
	"signalbox.dev/signalbox/hack/bench/load"
	"signalbox.dev/signalbox/hack/bench/measure"
	"signalbox.dev/signalbox/hack/bench/proc"
	"signalbox.dev/signalbox/hack/bench/report"
	"signalbox.dev/signalbox/hack/bench/target"
	"signalbox.dev/signalbox/hack/bench/upstream"
)

// measuredCPU is where both proxies run; the load and the upstream run on the next one.
const measuredCPU = 0

type dataFlags struct {
	proxy, out string
	choice     string
	money      string
	plan       measure.Plan
	events     int
	gap        time.Duration
}

func parseData(args []string) (dataFlags, error) {
	var f dataFlags
	set := flag.NewFlagSet("bench data", flag.ContinueOnError)
	set.StringVar(&f.proxy, "proxy", "bin/signalbox run {file} --addr {addr} --metrics-addr {metrics} --state-dir {state}",
		"command line of the proxy; {file} {addr} {metrics} {state} {upstream} are filled in")
	set.StringVar(&f.out, "out", "bin/bench.json", "JSON file to write")
	set.StringVar(&f.money, "money", "go test -run NONE -bench BenchmarkReserveSettle|BenchmarkCost|BenchmarkJournal -benchmem -benchtime 200ms -count 5 ./proxy/ledger ./proxy/meter ./proxy/usage/journal", "command line of Go's benchmarks of reserving, pricing and journalling")
	set.StringVar(&f.choice, "choice", "go test -run NONE -bench BenchmarkOrder20 -benchmem -benchtime 200ms -count 5 ./proxy/route", "command line of Go's benchmark of the choice among targets")
	set.IntVar(&f.plan.Connections, "connections", 64, "connections of the load, at least 50")
	set.IntVar(&f.plan.Rounds, "rounds", 4, "rounds of each scenario and proxy")
	set.DurationVar(&f.plan.RoundTime, "round-time", 5*time.Second, "length of a round")
	set.IntVar(&f.plan.IdleStreams, "idle-streams", 1000, "streams held open for the memory figure")
	set.IntVar(&f.plan.FullStreams, "full-streams", 4096, "streams that fill the proxy: as many requests as it answers at a time")
	set.IntVar(&f.plan.OutageRequests, "outage-requests", 1000, "requests sent while the provider is down")
	set.DurationVar(&f.plan.OutageEvery, "outage-every", 10*time.Millisecond, "time between two of them")
	set.IntVar(&f.plan.DelayStreams, "delay-streams", 5, "streams run for the forwarding figure, each through every proxy")
	set.IntVar(&f.events, "events", 100, "text events of a stream")
	set.DurationVar(&f.gap, "gap", 10*time.Millisecond, "time between two events of a stream")
	set.DurationVar(&f.plan.Settle, "settle", 5*time.Second, "time before memory is read")
	if err := set.Parse(args); err != nil {
		return f, fmt.Errorf("reading flags: %w", err)
	}
	if f.plan.Connections < 50 || f.events < 1 || f.gap <= 0 || !f.plan.Positive() {
		return f, errors.New("reading flags: connections are 50 at least, all other numbers must be positive")
	}
	return f, nil
}

// runData measures and prints the data plane.
func runData(ctx context.Context, args []string) error {
	f, err := parseData(args)
	if err != nil {
		return err
	}
	if runtime.GOOS != "linux" {
		return errors.New("CPU and memory are read from Linux's /proc: run this on Linux")
	}
	version, err := target.NginxVersion(ctx, func(text string) { say("%s", text) })
	if err != nil {
		return err
	}
	r := report.Report{
		Time: time.Now().UTC().Format(time.RFC3339), Reference: version, CPUs: runtime.NumCPU(), LoadAverage: proc.LoadAverage("/proc"),
		Connections: f.plan.Connections, Rounds: f.plan.Rounds, RoundTime: f.plan.RoundTime.String(),
	}
	cpu := -1
	if r.CPUs > 1 {
		if err := pinSelf(ctx); err != nil {
			say("not pinned: %v", err)
		} else {
			cpu, r.Pinned = measuredCPU, true
		}
	}
	if r.Money.Steps, err = choice.Run(ctx, f.money); err != nil {
		return err
	}
	if r.Routing.Choices, err = choice.Run(ctx, f.choice); err != nil {
		return err
	}
	if err := measureData(ctx, f, cpu, &r); err != nil {
		return err
	}
	r.Judge()
	return errors.Join(writeJSON(f.out, r), r.Print(os.Stdout))
}

// pinSelf leaves measuredCPU to the proxies.
func pinSelf(ctx context.Context) error {
	output, err := exec.CommandContext(ctx, "taskset", "-a", "-c", "-p", strconv.Itoa(measuredCPU+1), strconv.Itoa(os.Getpid())).CombinedOutput()
	if err != nil {
		return fmt.Errorf("pinning to processor %d: %w: %s", measuredCPU+1, err, output)
	}
	runtime.GOMAXPROCS(1)
	return nil
}

// measureData sets up the upstream and both proxies, measures, and stops them.
func measureData(ctx context.Context, f dataFlags, cpu int, r *report.Report) (err error) {
	dir, err := os.MkdirTemp("", "signalbox-bench-")
	if err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	model := upstream.New(f.events, f.gap)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening for the upstream: %w", err)
	}
	serving, stopServing := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- model.Serve(serving, listener) }()
	defer func() {
		stopServing()
		err = errors.Join(err, <-served)
	}()
	addr := listener.Addr().String()
	ports, err := freeAddrs(ctx, 4)
	if err != nil {
		return err
	}
	b := measure.Bench{
		Plan: f.plan, Upstream: model, TranslatedPlain: upstream.ModelClaudePlain, TranslatedStream: upstream.ModelClaudeStream, Say: say,
		Policies:  target.ModelPolicies,
		Budgets:   target.ModelBudgets,
		Direct:    &target.Target{Name: report.Direct, PlainAddr: addr, StreamAddr: addr, Key: "none"},
		Reference: &target.Target{Name: report.Reference, PlainAddr: ports[0], StreamAddr: ports[1], Key: "none"},
		Proxy:     &target.Target{Name: report.Proxy, PlainAddr: ports[2], StreamAddr: ports[2], Key: "bench-" + rand.Text()},
	}
	defer func() { err = errors.Join(err, b.Reference.Stop(), b.Proxy.Stop()) }()
	if err := b.Reference.StartNginx(dir, addr, cpu); err != nil {
		return err
	}
	if err := b.Proxy.StartProxy(f.proxy, dir, addr, ports[3], cpu); err != nil {
		return err
	}
	for _, t := range []*target.Target{b.Reference, b.Proxy} {
		if err := t.WaitReady(ctx, load.Request("/v1/chat/completions", t.Key, upstream.ModelPlain, "")); err != nil {
			return err
		}
	}
	if err := b.Run(ctx, r); err != nil {
		return err
	}
	if err := b.Money(ctx, r); err != nil {
		return err
	}
	return b.Routing(ctx, r)
}

// freeAddrs finds loopback addresses that nobody listens on.
func freeAddrs(ctx context.Context, count int) ([]string, error) {
	var addrs []string
	for range count {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		defer func() { _ = listener.Close() }() // held until all are found, so that they differ
		addrs = append(addrs, listener.Addr().String())
	}
	return addrs, nil
}
