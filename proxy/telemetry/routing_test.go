package telemetry

import (
	"strings"
	"sync"
	"testing"

	"signalbox.dev/signalbox/proxy/traffic"
	"signalbox.dev/signalbox/proxy/window"
)

// contains fails unless every line is on the page, and none of the others.
func contains(t *testing.T, page string, want, not []string) {
	t.Helper()
	for _, line := range want {
		if !strings.Contains(page, line+"\n") {
			t.Errorf("missing %s", line)
		}
	}
	for _, part := range not {
		if strings.Contains(page, part) {
			t.Errorf("there is %s", part)
		}
	}
	if t.Failed() {
		t.Log(page)
	}
}

func TestMetricsOfRouting(t *testing.T) {
	m := NewMetrics()
	target := m.Target(Labels{Route: "chat", Target: "fast", Provider: "Groq"})
	target.FellBack("RateLimited")
	target.FellBack("RateLimited")
	target.FellBack("Timeout")
	target.Retried("Unavailable")
	m.Target(Labels{Route: "chat", Target: "shadow", Provider: "OpenAI"}).Mirrored("ok")
	route := m.Target(Labels{Route: "chat"})
	for range 2 {
		route.Limited(Limited{Per: "Caller", What: "requests per minute", Result: LimitRefused})
	}
	route.Limited(Limited{Per: "Route", What: "concurrent calls", Result: LimitRefused})
	contains(t, scrape(t, m), []string{
		`signalbox_fallbacks_total{kind="RateLimited",provider="Groq",route="chat",target="fast"} 2`,
		`signalbox_fallbacks_total{kind="Timeout",provider="Groq",route="chat",target="fast"} 1`,
		`signalbox_retries_total{kind="Unavailable",provider="Groq",route="chat",target="fast"} 1`,
		`signalbox_mirrored_requests_total{outcome="ok",provider="OpenAI",route="chat",target="shadow"} 1`,
		`signalbox_limited_requests_total{per="Caller",result="refused",route="chat",what="requests per minute"} 2`,
		`signalbox_limited_requests_total{per="Route",result="refused",route="chat",what="concurrent calls"} 1`,
	}, []string{`signalbox_requests_total{`})
}

func TestRetainDropsRoutingOfRoutesThatAreGone(t *testing.T) {
	m := NewMetrics()
	live := map[Labels]struct{}{}
	var gone []*Target
	for _, route := range []string{"stay", "gone"} {
		for _, labels := range []Labels{{Route: route}, {Route: route, Target: "a", Provider: "Groq"}} {
			target := m.Target(labels)
			use(target)
			if route == "stay" {
				live[labels] = struct{}{}
			} else {
				gone = append(gone, target)
			}
		}
	}
	// A target that leaves does not take the limits of its route with it.
	use(m.Target(Labels{Route: "stay", Target: "left", Provider: "Groq"}))
	m.Retain(live)
	for _, target := range gone {
		use(target)
	}
	contains(t, scrape(t, m), []string{
		`signalbox_fallbacks_total{kind="Timeout",provider="Groq",route="stay",target="a"} 1`,
		`signalbox_retries_total{kind="Timeout",provider="Groq",route="stay",target="a"} 1`,
		`signalbox_mirrored_requests_total{outcome="ok",provider="Groq",route="stay",target="a"} 1`,
		`signalbox_limited_requests_total{per="Route",result="refused",route="stay",what="requests per minute"} 3`,
	}, []string{`route="gone"`, `target="left"`})
}

// use counts one of everything.
func use(target *Target) {
	target.FellBack("Timeout")
	target.Retried("Timeout")
	target.Mirrored("ok")
	target.Limited(Limited{Per: "Route", What: "requests per minute", Result: LimitRefused})
}

// TestDroppedLimitsStayAway: a handle that was never used before its route went must not make series either.
func TestDroppedLimitsStayAway(t *testing.T) {
	m := NewMetrics()
	gone := m.Target(Labels{Route: "gone"})
	m.Retain(map[Labels]struct{}{})
	use(gone)
	contains(t, scrape(t, m), nil, []string{`route="gone"`})
}

func TestLimitedIsSafeForManyGoroutines(t *testing.T) {
	m := NewMetrics()
	route := m.Target(Labels{Route: "chat"})
	var workers sync.WaitGroup
	for i := range 20 {
		workers.Go(func() {
			for range 100 {
				route.Limited(Limited{Per: "Route", What: []string{"a", "b"}[i%2], Result: LimitRefused})
			}
		})
	}
	workers.Wait()
	contains(t, scrape(t, m), []string{
		`signalbox_limited_requests_total{per="Route",result="refused",route="chat",what="a"} 1000`,
		`signalbox_limited_requests_total{per="Route",result="refused",route="chat",what="b"} 1000`,
	}, nil)
}

func TestWatchTargetsShowsWhatIsTrueNow(t *testing.T) {
	m := NewMetrics()
	targets := []traffic.Target{
		{Route: "chat", Name: "well", Provider: "Groq", Calls: window.Counts{window.Answered: 10}},
		{Route: "chat", Name: "ill", Provider: "Groq", Block: traffic.CircuitOpen},
		{Route: "chat", Name: "old", Provider: "OpenAI", Successor: "new"},
		{Route: "chat", Name: "lost", Provider: "OpenAI", Block: traffic.Withdrawn},
	}
	if err := m.WatchTargets(func() []traffic.Target { return targets }); err != nil {
		t.Fatal(err)
	}
	contains(t, scrape(t, m), []string{
		`signalbox_target_blocked{provider="Groq",reason="CircuitOpen",route="chat",target="ill"} 1`,
		`signalbox_target_blocked{provider="OpenAI",reason="Withdrawn",route="chat",target="lost"} 1`,
		`signalbox_target_model_withdrawn{provider="OpenAI",route="chat",target="lost"} 1`,
		`signalbox_target_model_withdrawn{provider="OpenAI",route="chat",target="old"} 1`,
	}, []string{`target="well"`, `reason="",`, `signalbox_target_model_withdrawn{provider="Groq"`})
	targets = targets[:1]
	contains(t, scrape(t, m), nil, []string{`signalbox_target_blocked{`, `signalbox_target_model_withdrawn{`})
	if err := m.WatchTargets(func() []traffic.Target { return nil }); err == nil {
		t.Error("two lists of targets are watched")
	}
}

func BenchmarkFellBack(b *testing.B) {
	target := NewMetrics().Target(Labels{Route: "r", Target: "t", Provider: "p"})
	b.ReportAllocs()
	for b.Loop() {
		target.FellBack("RateLimited")
	}
}

func BenchmarkLimited(b *testing.B) {
	target := NewMetrics().Target(Labels{Route: "r"})
	b.ReportAllocs()
	for b.Loop() {
		target.Limited(Limited{Per: "Route", What: "requests per minute", Result: LimitRefused})
	}
}
