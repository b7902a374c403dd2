package telemetry

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	recorder := httptest.NewRecorder()
	m.Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	return recorder.Body.String()
}

func TestMetricsOfARequest(t *testing.T) {
	m := NewMetrics()
	target := m.Target(Labels{Route: "chat", Target: "fast", Provider: "Groq"})
	target.Attempted("upstream_timeout")
	target.Attempted("ok")
	target.Observe(Request{
		Operation: Chat, Code: "ok", Duration: 3 * time.Second, FirstToken: 50 * time.Millisecond, Added: 200 * time.Microsecond,
		Usage: Usage{Prompt: 10, Cached: 4, Completion: 5, Cost: 1234, Estimated: true},
	})
	m.RequestStarted()
	m.Overloaded()
	m.TableLoaded(7)
	m.TableRefused()
	m.LedgerWrote("l", nil)
	m.LedgerWrote("l", errors.New("conflict"))
	page := scrape(t, m)
	const labels = `provider="Groq",route="chat",target="fast"`
	for _, want := range []string{
		`signalbox_requests_total{code="ok",` + labels + `} 1`,
		`signalbox_attempts_total{outcome="ok",` + labels + `} 1`,
		`signalbox_attempts_total{outcome="upstream_timeout",` + labels + `} 1`,
		`gen_ai_server_request_duration_seconds_count{gen_ai_operation_name="chat",` + labels + `} 1`,
		`gen_ai_server_request_duration_seconds_sum{gen_ai_operation_name="chat",` + labels + `} 3`,
		`gen_ai_server_time_to_first_token_seconds_sum{` + labels + `} 0.05`,
		`signalbox_added_latency_seconds_bucket{` + labels + `,le="0.00025"} 1`,
		`gen_ai_client_token_usage_total{gen_ai_token_type="input",` + labels + `} 10`,
		`gen_ai_client_token_usage_total{gen_ai_token_type="cached",` + labels + `} 4`,
		`gen_ai_client_token_usage_total{gen_ai_token_type="output",` + labels + `} 5`,
		`signalbox_cost_nanodollars_total{` + labels + `} 1234`,
		`signalbox_estimated_requests_total{` + labels + `} 1`,
		`signalbox_in_flight_requests 1`,
		`signalbox_overload_refusals_total 1`,
		`signalbox_table_sequence 7`,
		`signalbox_table_loads_total{result="ok"} 1`,
		`signalbox_table_loads_total{result="error"} 1`,
		`signalbox_ledger_writes_total{result="ok"} 1`,
		`signalbox_ledger_writes_total{result="error"} 1`,
	} {
		if !strings.Contains(page, want+"\n") {
			t.Errorf("missing %s", want)
		}
	}
	if t.Failed() {
		t.Log(page)
	}
}

func TestMetricsLeaveOutWhatDidNotHappen(t *testing.T) {
	m := NewMetrics()
	m.Target(Labels{Route: "idle"})
	m.Target(Labels{Route: "plain"}).Observe(Request{Operation: Embeddings, Code: "ok", Added: -1})
	page := scrape(t, m)
	if strings.Contains(page, `route="idle"`) {
		t.Error("a route without requests has series")
	}
	for _, want := range []string{
		`gen_ai_server_time_to_first_token_seconds_count{provider="",route="plain",target=""} 0`,
		`signalbox_added_latency_seconds_count{provider="",route="plain",target=""} 0`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("missing %s", want)
		}
	}
}

func TestRetainDropsRoutesThatAreGone(t *testing.T) {
	m := NewMetrics()
	stay, gone := Labels{Route: "stay", Target: "a", Provider: "Groq"}, Labels{Route: "gone", Target: "a", Provider: "Groq"}
	for _, l := range []Labels{stay, gone} {
		m.Target(l).Attempted("ok")
		m.Target(l).Observe(Request{Operation: Chat, Code: "ok"})
	}
	before := m.Target(stay)
	m.Retain(map[Labels]struct{}{stay: {}})
	page := scrape(t, m)
	if strings.Contains(page, `route="gone"`) {
		t.Error("series of the route that is gone are left")
	}
	if !strings.Contains(page, `route="stay"`) || m.Target(stay) != before {
		t.Error("the route that stays lost its series")
	}
}

// TestDroppedTargetsStayAway: requests that outlive their route must not bring its series back, for nobody would ever drop them again.
func TestDroppedTargetsStayAway(t *testing.T) {
	cases := map[string]func(*Target){
		"never used": func(*Target) {},
		"used": func(target *Target) {
			target.Attempted("ok")
			target.Observe(Request{Operation: Chat, Code: "ok"})
		},
	}
	for name, before := range cases {
		t.Run(name, func(t *testing.T) {
			m := NewMetrics()
			gone := m.Target(Labels{Route: "gone", Target: "a", Provider: "Groq"})
			before(gone)
			m.Retain(map[Labels]struct{}{})
			for _, code := range []string{"ok", "upstream_broken"} {
				gone.Attempted(code)
				gone.Observe(Request{Operation: Chat, Code: code, FirstToken: time.Second, Usage: Usage{Estimated: true}})
				gone.Observe(Request{Operation: Embeddings, Code: code})
			}
			if page := scrape(t, m); strings.Contains(page, `route="gone"`) {
				t.Errorf("the series are back:\n%s", page)
			}
		})
	}
}

func TestTargetIsSafeForManyGoroutines(t *testing.T) {
	m := NewMetrics()
	var workers sync.WaitGroup
	for range 50 {
		workers.Go(func() {
			for range 100 {
				m.Target(Labels{Route: "r"}).Observe(Request{Operation: TextCompletion, Code: "ok", Usage: Usage{Prompt: 1}})
			}
		})
	}
	workers.Wait()
	if want := `signalbox_requests_total{code="ok",provider="",route="r",target=""} 5000`; !strings.Contains(scrape(t, m), want) {
		t.Errorf("missing %s", want)
	}
}

func BenchmarkObserve(b *testing.B) {
	target := NewMetrics().Target(Labels{Route: "r", Target: "t", Provider: "p"})
	b.ReportAllocs()
	for b.Loop() {
		target.Attempted("ok")
		target.Observe(Request{Operation: Chat, Code: "ok", Duration: time.Second, FirstToken: time.Millisecond, Added: time.Microsecond, Usage: Usage{Prompt: 10}})
	}
}
