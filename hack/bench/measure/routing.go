package measure

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"signalbox.dev/signalbox/hack/bench/load"
	"signalbox.dev/signalbox/hack/bench/report"
	"signalbox.dev/signalbox/hack/bench/upstream"
)

// sessions is how many conversations the load of the route with every policy belongs to.
const sessions = 16

// Routing measures what policies cost, how a full proxy refuses, and what an outage costs the provider. The outage comes last, for it leaves circuits open.
func (b *Bench) Routing(ctx context.Context, r *report.Report) error {
	var err error
	if r.Routing.Policies, err = b.compare(ctx, "policies", b.policies()); err != nil {
		return err
	}
	if r.Routing.Shedding, err = b.shedding(ctx); err != nil {
		return fmt.Errorf("measuring a full proxy: %w", err)
	}
	if r.Routing.Outage, err = b.outage(ctx); err != nil {
		return fmt.Errorf("measuring an outage: %w", err)
	}
	return nil
}

// policies compares the proxy with itself: a route with one target, and one with every policy.
func (b *Bench) policies() [2]side {
	var requests [][]byte
	for i := range sessions {
		requests = append(requests, load.Request(path, b.Proxy.Key, b.Policies, fmt.Sprintf(`,"session_id":"session-%d"`, i)))
	}
	return [2]side{
		{name: "one target", target: b.Proxy, job: jobOf(b.Proxy, upstream.ModelPlain, "")},
		{name: "every policy", target: b.Proxy, job: load.Job{Addr: b.Proxy.PlainAddr, Requests: requests}},
	}
}

// shedding fills the proxy with streams, compares its refusals with plain requests of the reference, and then lets the streams end.
func (b *Bench) shedding(ctx context.Context) (report.Shedding, error) {
	result := report.Shedding{Streams: b.Plan.FullStreams}
	conns, err := openStreams(ctx, b.Proxy, upstream.ModelHeld, b.Plan.FullStreams)
	defer closeAll(conns)
	if err != nil {
		return result, fmt.Errorf("opening %d streams: %w", b.Plan.FullStreams, err)
	}
	b.Say("the proxy is full with %d streams", len(conns))
	if result.Loaded, err = b.compare(ctx, "full, under load", b.refusals(b.Plan.Connections)); err != nil {
		return result, err
	}
	if result.Alone, err = b.compare(ctx, "full, one client", b.refusals(1)); err != nil {
		return result, err
	}
	b.Upstream.Release()
	result.Ended, err = finish(conns)
	b.Say("%d of %d streams ended well", result.Ended, len(conns))
	if err != nil {
		b.Say("one that did not: %v", err)
	}
	return result, ctx.Err()
}

// refusals compares plain requests of the reference with refusals of the proxy.
func (b *Bench) refusals(connections int) [2]side {
	sides := b.against(upstream.ModelPlain, "")
	sides[1].name, sides[1].job.Want = "refusals", http.StatusServiceUnavailable
	for i := range sides {
		sides[i].job.Connections = connections
	}
	return sides
}

// finish reads all streams to their ends at once, counts those that end as they should, and returns the error of one that did not.
func finish(conns []*load.Conn) (int, error) {
	var ended atomic.Int64
	failures := make(chan error, len(conns))
	var group sync.WaitGroup
	for _, conn := range conns {
		group.Go(func() {
			if err := conn.FinishStream(); err != nil {
				failures <- err
				return
			}
			ended.Add(1)
		})
	}
	group.Wait()
	close(failures)
	return int(ended.Load()), <-failures
}

// outage sends requests at a steady rate to a route whose provider fails every one.
func (b *Bench) outage(ctx context.Context) (report.Outage, error) {
	before := b.Upstream.Outages()
	got, err := load.RunPaced(ctx, load.PacedJob{
		Addr: b.Proxy.PlainAddr, Request: load.Request(path, b.Proxy.Key, upstream.ModelOutage, ""), Every: b.Plan.OutageEvery, Count: b.Plan.OutageRequests,
	})
	if err != nil {
		return report.Outage{}, err
	}
	attempts := b.Upstream.Outages() - before
	if got.Answered > 0 || attempts == 0 {
		return report.Outage{}, fmt.Errorf("%d requests were answered and %d reached the provider: this was no outage", got.Answered, attempts)
	}
	if got.Broken > 0 {
		b.Say("outage: %d requests without an answer: %v", got.Broken, got.FirstBreak)
	}
	slices.Sort(got.Latencies)
	return report.OutageOf(got.Refused+got.Broken, got.Broken, attempts, got.Latencies), nil
}
