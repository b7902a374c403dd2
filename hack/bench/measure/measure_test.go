package measure

import (
	"context"
	"net"
	"testing"
	"time"

	"signalbox.dev/signalbox/hack/bench/report"
	"signalbox.dev/signalbox/hack/bench/target"
	"signalbox.dev/signalbox/hack/bench/upstream"
)

// setUp is a bench without proxies: every target is the upstream itself.
func setUp(t *testing.T) *Bench {
	t.Helper()
	model := upstream.New(5, time.Millisecond)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error, 1)
	go func() { served <- model.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	at := func(name string) *target.Target {
		return &target.Target{Name: name, PlainAddr: listener.Addr().String(), StreamAddr: listener.Addr().String()}
	}
	return &Bench{
		TranslatedPlain: upstream.ModelPlain, TranslatedStream: upstream.ModelStream,
		Plan:     Plan{Connections: 4, Rounds: 2, RoundTime: 20 * time.Millisecond, IdleStreams: 60, DelayStreams: 2, FullStreams: 40, OutageRequests: 20, OutageEvery: time.Millisecond},
		Policies: upstream.ModelPlain, Budgets: upstream.ModelPlain,
		Upstream: model, Direct: at(report.Direct), Reference: at(report.Reference), Proxy: at(report.Proxy), Say: func(string, ...any) {},
	}
}

func TestRunMeasuresEverything(t *testing.T) {
	b := setUp(t)
	var r report.Report
	if err := b.Run(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	checkPlain(t, map[string]report.Load{"plain": r.Plain, "translated": r.TranslatedPlain})
	checkStreams(t, map[string]report.Load{"streams": r.Stream, "translated streams": r.TranslatedStream})
	if m := r.Memory[report.Proxy]; m.StreamsOpen != 60 {
		t.Errorf("memory: %+v", m)
	}
	for _, name := range []string{report.Direct, report.Reference, report.Proxy} {
		if d := r.Forwarding[name]; d.Events != 10 || d.P50Micros <= 0 {
			t.Errorf("forwarding of %s: %+v", name, d)
		}
	}
}

func checkPlain(t *testing.T, loads map[string]report.Load) {
	t.Helper()
	for name, l := range loads {
		for _, f := range []report.LoadFigures{l.Reference, l.Proxy} {
			if f.Attempts < 8 || f.Failures != 0 || f.RequestsPerSecond == 0 || f.P50Millis == 0 {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
}

func checkStreams(t *testing.T, loads map[string]report.Load) {
	t.Helper()
	for name, l := range loads {
		if l.Reference.Failures+l.Proxy.Failures != 0 || l.Reference.EventsPerSecond == 0 || l.Proxy.EventsPerSecond == 0 {
			t.Errorf("%s: %+v", name, l)
		}
	}
}

func TestRunFailsWhenNothingSucceeds(t *testing.T) {
	b := setUp(t)
	b.Proxy.PlainAddr = "127.0.0.1:1"
	if err := b.Run(t.Context(), &report.Report{}); err == nil {
		t.Error("a proxy that does not listen was measured")
	}
	b.Proxy.StreamAddr = "127.0.0.1:1"
	if err := b.Run(t.Context(), &report.Report{}); err == nil {
		t.Error("streams that cannot be opened were measured")
	}
}
