package report

import (
	"strings"
	"testing"
	"time"
)

func badDay() Report {
	return Report{
		Memory: map[string]Memory{}, Forwarding: map[string]Delay{},
		Routing: Routing{
			Choices:  []Choice{{Strategy: "Weighted", Nanos: 700}, {Strategy: "LowestCost", Nanos: 1999}},
			Policies: Load{CPURatio: 1.25}, Shedding: Shedding{Streams: 4096, Ended: 4096, Alone: Load{CPURatio: 4.75, Proxy: LoadFigures{P50Millis: 0.9}}},
			Outage: OutageOf(1000, 0, 1100, latencies(1, 2, 3, 900)),
		},
	}
}

// TestRoutingGoals: each figure alone can miss its goal.
func TestRoutingGoals(t *testing.T) {
	missed := func(r *Report) string {
		r.Judge()
		var names []string
		for _, goal := range r.Goals {
			if !goal.Met {
				names = append(names, goal.Name)
			}
		}
		return strings.Join(names, "; ")
	}
	for name, tc := range map[string]struct {
		change func(*Routing)
		want   string
	}{
		"all met":          {func(*Routing) {}, ""},
		"slow choice":      {func(r *Routing) { r.Choices[1].Nanos = 2001 }, "choosing among 20 targets, ns"},
		"choice allocates": {func(r *Routing) { r.Choices[0].Allocs = 1 }, "allocations of a choice"},
		"slow refusal":     {func(r *Routing) { r.Shedding.Alone.Proxy.P50Millis = 1.1 }, "refusing one client when full, p50 ms"},
		"stream cut":       {func(r *Routing) { r.Shedding.Ended-- }, "open streams harmed by refusals"},
		"amplified":        {func(r *Routing) { r.Outage = OutageOf(1000, 0, 1101, nil) }, "attempts per request in an outage"},
		"no answer":        {func(r *Routing) { r.Outage.Broken = 1 }, "requests without an answer in an outage"},
		"policies fail":    {func(r *Routing) { r.Policies.Proxy.Failures = 1 }, "failed requests"},
		"refusals fail":    {func(r *Routing) { r.Shedding.Loaded.Proxy.Failures = 1 }, "failed requests"},
	} {
		t.Run(name, func(t *testing.T) {
			r := badDay()
			tc.change(&r.Routing)
			if got := missed(&r); got != tc.want {
				t.Errorf("missed %q, want %q", got, tc.want)
			}
		})
	}
}

func TestOutage(t *testing.T) {
	got := OutageOf(20, 1, 21, []time.Duration{time.Millisecond, 2 * time.Millisecond, time.Second})
	want := Outage{Requests: 20, Broken: 1, Attempts: 21, AttemptsPerRequest: 1.05, P50Millis: 2, P99Millis: 1000, SlowestMillis: 1000}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestPrintRouting(t *testing.T) {
	r := badDay()
	var out strings.Builder
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"LowestCost  1999", "times one target", "1.25", "4.75", "4096        4096", "1.100", "900.00"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
}
