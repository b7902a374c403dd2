// Package measure runs the scenarios of the data-plane benchmark.
package measure

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"signalbox.dev/signalbox/hack/bench/load"
	"signalbox.dev/signalbox/hack/bench/report"
	"signalbox.dev/signalbox/hack/bench/target"
	"signalbox.dev/signalbox/hack/bench/upstream"
)

const (
	path = "/v1/chat/completions"
	// maxDials bounds how many streams are opened at the same moment.
	maxDials = 50
)

// Plan is how much is measured.
type Plan struct {
	// Connections of the load scenarios.
	Connections int
	// Rounds of each scenario, for each target.
	Rounds int
	// RoundTime is how long a round lasts.
	RoundTime time.Duration
	// IdleStreams are held open at once.
	IdleStreams int
	// FullStreams are held open at once to fill the proxy: as many requests as it answers at a time.
	FullStreams int
	// OutageRequests are sent, OutageEvery apart, while the provider is down.
	OutageRequests int
	OutageEvery    time.Duration
	// DelayStreams are run one after the other to see how events are forwarded.
	DelayStreams int
	// Settle is how long memory is left alone before it is read, so that what start-up and connecting needed is freed.
	Settle time.Duration
}

// Positive tells whether there is something to measure everywhere.
func (p Plan) Positive() bool {
	return min(p.Connections, p.Rounds, p.IdleStreams, p.FullStreams, p.OutageRequests, p.DelayStreams) > 0 && min(p.RoundTime, p.OutageEvery) > 0
}

// Bench is a running set-up.
type Bench struct {
	Plan      Plan
	Upstream  *upstream.Server
	Reference *target.Target
	Proxy     *target.Target
	Direct    *target.Target
	// TranslatedPlain and TranslatedStream are the models whose answers the proxy translates.
	TranslatedPlain, TranslatedStream string
	// Policies is the model of the route with every policy, and Budgets that of the one with four Hard budgets.
	Policies, Budgets string
	// Say tells progress.
	Say func(format string, args ...any)
}

// Run measures everything. Memory comes first, while the processes are fresh.
func (b *Bench) Run(ctx context.Context, r *report.Report) error {
	r.Memory, r.Forwarding = map[string]report.Memory{}, map[string]report.Delay{}
	for _, t := range []*target.Target{b.Reference, b.Proxy} {
		memory, err := b.memory(ctx, t)
		if err != nil {
			return fmt.Errorf("measuring the memory of %s: %w", t.Name, err)
		}
		r.Memory[t.Name] = memory
	}
	var err error
	if r.Plain, err = b.compare(ctx, "plain", b.against(upstream.ModelPlain, "")); err != nil {
		return err
	}
	if r.Stream, err = b.compare(ctx, "streams", b.against(upstream.ModelStream, streamed)); err != nil {
		return err
	}
	if r.TranslatedPlain, err = b.compare(ctx, "plain", b.translated(upstream.ModelPlain, b.TranslatedPlain, "")); err != nil {
		return err
	}
	if r.TranslatedStream, err = b.compare(ctx, "streams", b.translated(upstream.ModelStream, b.TranslatedStream, streamed)); err != nil {
		return err
	}
	return b.forwarding(ctx, r)
}

// streamed asks for a stream.
const streamed = `,"stream":true`

// side is one of two that are compared.
type side struct {
	name   string
	target *target.Target
	job    load.Job
}

// against compares the proxy with the reference.
func (b *Bench) against(model, more string) [2]side {
	var sides [2]side
	for i, t := range []*target.Target{b.Reference, b.Proxy} {
		sides[i] = side{name: t.Name, target: t, job: jobOf(t, model, more)}
	}
	return sides
}

// translated compares the proxy with itself: calls that it passes on as they are, and calls that it translates.
func (b *Bench) translated(passed, translated, more string) [2]side {
	return [2]side{
		{name: "passed", target: b.Proxy, job: jobOf(b.Proxy, passed, more)},
		{name: "translated", target: b.Proxy, job: jobOf(b.Proxy, translated, more)},
	}
}

func jobOf(t *target.Target, model, more string) load.Job {
	addr := t.PlainAddr
	if more != "" {
		addr = t.StreamAddr
	}
	return load.Job{Addr: addr, Requests: [][]byte{load.Request(path, t.Key, model, more)}}
}

// compare runs one load scenario in pairs, each pair in the other order.
func (b *Bench) compare(ctx context.Context, name string, sides [2]side) (report.Load, error) {
	var rounds [2][]report.Round
	for i := range b.Plan.Rounds {
		for k := range sides {
			at := (i + k) % len(sides)
			round, err := b.round(ctx, sides[at].target, sides[at].job)
			if err != nil {
				return report.Load{}, fmt.Errorf("measuring %s, %s: %w", name, sides[at].name, err)
			}
			rounds[at] = append(rounds[at], round)
			b.Say("%s, round %d, %s: %d attempts, %d failed, %v of CPU", name, i+1, sides[at].name, round.Attempts, round.Failures, round.CPU)
		}
	}
	return report.Compare(rounds[0], rounds[1]), nil
}

// round measures one target once. Its connections are warmed up before the figures are taken.
func (b *Bench) round(ctx context.Context, t *target.Target, job load.Job) (report.Round, error) {
	if job.Connections == 0 {
		job.Connections = b.Plan.Connections
	}
	job.Duration = b.Plan.RoundTime / 5
	if _, err := load.Run(ctx, job); err != nil {
		return report.Round{}, err
	}
	before, err := t.Usage()
	if err != nil {
		return report.Round{}, err
	}
	job.Duration = b.Plan.RoundTime
	result, err := load.Run(ctx, job)
	if err != nil {
		return report.Round{}, err
	}
	if len(result.Latencies) == 0 {
		return report.Round{}, fmt.Errorf("no request succeeded: %w", result.FirstFailure)
	}
	if result.Failures > 0 {
		b.Say("failed at %s: %v", t.Name, result.FirstFailure)
	}
	after, err := t.Usage()
	if err != nil {
		return report.Round{}, err
	}
	return report.Round{
		Attempts: result.Attempts, Failures: result.Failures, Events: result.Events, Elapsed: result.Elapsed, Latencies: result.Latencies,
		CPU: after.CPU - before.CPU, RSS: after.RSS,
	}, nil
}

// memory reads a fresh target's memory, idle and with streams open in which nothing happens.
func (b *Bench) memory(ctx context.Context, t *target.Target) (report.Memory, error) {
	if err := pause(ctx, b.Plan.Settle); err != nil {
		return report.Memory{}, err
	}
	idle, err := t.Usage()
	if err != nil {
		return report.Memory{}, err
	}
	conns, err := openStreams(ctx, t, upstream.ModelIdle, b.Plan.IdleStreams)
	defer closeAll(conns)
	if err != nil {
		return report.Memory{}, err
	}
	if err := pause(ctx, b.Plan.Settle); err != nil {
		return report.Memory{}, err
	}
	loaded, err := t.Usage()
	if err != nil {
		return report.Memory{}, err
	}
	b.Say("memory, %s: %.1f MiB idle, %.1f MiB with %d streams", t.Name, report.MiB(idle.RSS), report.MiB(loaded.RSS), len(conns))
	return report.Memory{
		IdleMiB: report.MiB(idle.RSS), StreamsOpen: len(conns), StreamsMiB: report.MiB(loaded.RSS),
		KiBPerStream: float64(loaded.RSS-idle.RSS) / 1024 / float64(max(1, len(conns))),
	}, nil
}

// openStreams opens streams and waits for the first event of each. All that were opened are returned, with an error too.
func openStreams(ctx context.Context, t *target.Target, model string, count int) ([]*load.Conn, error) {
	var mu sync.Mutex
	var conns []*load.Conn
	var errs []error
	request := load.Request(path, t.Key, model, streamed)
	dials := make(chan struct{}, maxDials)
	var group sync.WaitGroup
	for range count {
		dials <- struct{}{}
		group.Go(func() {
			defer func() { <-dials }()
			conn, err := load.Dial(ctx, t.StreamAddr)
			if err == nil {
				err = conn.OpenStream(request)
			}
			mu.Lock()
			defer mu.Unlock()
			if conn != nil {
				conns = append(conns, conn)
			}
			if err != nil && len(errs) < 3 {
				errs = append(errs, err)
			}
		})
	}
	group.Wait()
	return conns, errors.Join(errs...)
}

// closeAll cuts what is still open.
func closeAll(conns []*load.Conn) {
	for _, conn := range conns {
		_ = conn.Close() // the stream is cut on purpose, or at its end
	}
}

// forwarding runs single streams through every target in turn and looks at each event's delay.
func (b *Bench) forwarding(ctx context.Context, r *report.Report) error {
	targets := []*target.Target{b.Direct, b.Reference, b.Proxy}
	delays, inTime := map[string][]time.Duration{}, map[string]int{}
	for i := range b.Plan.DelayStreams {
		for k := range targets {
			t := targets[(i+k)%len(targets)]
			request := load.Request(path, t.Key, upstream.ModelClock, `,"stream":true`)
			got, soon, err := load.Delays(ctx, t.StreamAddr, request, b.Upstream.Epoch, b.Upstream.Gap)
			if err != nil {
				return fmt.Errorf("measuring the forwarding of %s: %w", t.Name, err)
			}
			delays[t.Name] = append(delays[t.Name], got...)
			inTime[t.Name] += soon
		}
	}
	for _, t := range targets {
		r.Forwarding[t.Name] = report.Delays(delays[t.Name], inTime[t.Name])
	}
	return nil
}

// pause lets real time pass.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
