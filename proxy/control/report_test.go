package control

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox.dev/signalbox/proxy/traffic"
	"signalbox.dev/signalbox/proxy/window"
)

// crowd is so many targets with names of their own, each as long as can be.
func crowd(n int, successor string) []traffic.Target {
	targets := make([]traffic.Target, n)
	for i := range targets {
		targets[i] = traffic.Target{
			Route: strings.Repeat("r", 63), Name: strings.Repeat("t", 63), Successor: successor, Block: traffic.CircuitOpen, Seconds: 15, Calls: window.Counts{window.Failed: int64(n - i)},
			FirstToken: window.Packed{1, 2, 3}, Rate: window.Packed{3, 2, 1},
		}
	}
	return targets
}

// roundTrip writes a report as a server does and reads it as a client does.
func roundTrip(t *testing.T, report Report) Report {
	t.Helper()
	text, err := line(report)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > MaxReportBytes {
		t.Errorf("the line has %d bytes", len(text))
	}
	var got []Report
	if err := readReports(bytes.NewReader(text), func(report Report) { got = append(got, report) }); !errors.Is(err, io.EOF) {
		t.Fatalf("reading ended with %v", err)
	}
	if len(got) != 1 {
		t.Fatalf("%d reports were read", len(got))
	}
	return got[0]
}

func TestReportsCarryTargets(t *testing.T) {
	sent := Report{Pod: "p", PodUID: "u", Sequence: 3, StartedAt: time.Unix(1, 0).UTC(), Stats: Stats{InFlight: 2, Targets: []traffic.Target{
		{Route: "chat", Name: "fast", Provider: "Groq", Successor: "new", Block: traffic.CoolingDown, Seconds: 4, Calls: window.Counts{9, 1}, FirstToken: window.Packed{1, 9}, Rate: window.Packed{2, 9}},
		{Route: "chat", Name: "slow"},
	}}}
	if diff := cmp.Diff(sent, roundTrip(t, sent), cmpopts.IgnoreFields(traffic.Target{}, "Provider")); diff != "" {
		t.Errorf("report (-sent +read):\n%s", diff)
	}
}

func TestReportsAreBounded(t *testing.T) {
	cases := map[string]struct {
		targets []traffic.Target
		want    int
	}{
		"as many as there may be": {targets: crowd(traffic.MaxTargets, ""), want: traffic.MaxTargets},
		"more":                    {targets: crowd(3*traffic.MaxTargets, ""), want: traffic.MaxTargets},
		"larger than a line":      {targets: crowd(traffic.MaxTargets, strings.Repeat("\x01", 256)), want: traffic.MaxTargets / 4},
		"one that is too large":   {targets: crowd(1, strings.Repeat("x", MaxReportBytes)), want: 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := roundTrip(t, Report{Pod: "p", Stats: Stats{Targets: tc.targets}})
			if len(got.Targets) != tc.want || got.Pod != "p" {
				t.Errorf("%d targets of pod %q, want %d", len(got.Targets), got.Pod, tc.want)
			}
			if tc.want > 0 && got.Targets[0].Calls.Total() != int64(len(tc.targets)) {
				t.Errorf("the first target has %d calls; the busiest has %d", got.Targets[0].Calls.Total(), len(tc.targets))
			}
		})
	}
}

func TestReportsOfAnyLengthAreRead(t *testing.T) {
	var stream bytes.Buffer
	want := []int{0, 500, 1, 0}
	for _, n := range want {
		text, err := line(Report{Stats: Stats{Targets: crowd(n, "")}})
		if err != nil {
			t.Fatal(err)
		}
		stream.Write(text)
	}
	var got []int
	err := readReports(&stream, func(report Report) { got = append(got, len(report.Targets)) })
	if diff := cmp.Diff(want, got); diff != "" || !errors.Is(err, io.EOF) {
		t.Errorf("%v; targets (-want +got):\n%s", err, diff)
	}
}

func TestAwaitReport(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	happened := make(chan struct{})
	close(happened)
	tick := make(chan time.Time, 1)
	tick <- time.Time{}
	if !awaitReport(t.Context(), nil, tick) {
		t.Error("an interval that is over is no reason for a report")
	}
	began := time.Now()
	if !awaitReport(t.Context(), happened, nil) {
		t.Error("a change is no reason for a report")
	}
	// Changes that come one after another share a report: none comes sooner.
	if waited := time.Since(began); waited < reportGap {
		t.Errorf("the report of a change came after %s", waited)
	}
	if awaitReport(ended, nil, nil) || awaitReport(ended, happened, nil) {
		t.Error("a stream that has ended gets another report")
	}
}
