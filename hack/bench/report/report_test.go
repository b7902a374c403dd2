package report

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func latencies(millis ...int) []time.Duration {
	var out []time.Duration
	for _, m := range millis {
		out = append(out, time.Duration(m)*time.Millisecond)
	}
	return out
}

func TestPercentile(t *testing.T) {
	ten := latencies(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
	for name, tc := range map[string]struct {
		sorted  []time.Duration
		percent float64
		want    time.Duration
	}{
		"median": {ten, 50, 5 * time.Millisecond}, "95th": {ten, 95, 10 * time.Millisecond}, "90th": {ten, 90, 9 * time.Millisecond},
		"one value": {ten[:1], 99, time.Millisecond}, "none": {nil, 50, 0}, "zeroth": {ten, 0, time.Millisecond},
	} {
		if got := Percentile(tc.sorted, tc.percent); got != tc.want {
			t.Errorf("%s: got %v, want %v", name, got, tc.want)
		}
	}
}

func TestMedian(t *testing.T) {
	for name, tc := range map[string]struct {
		values []float64
		want   float64
	}{"odd": {[]float64{9, 1, 2}, 2}, "even": {[]float64{4, 1, 2, 9}, 3}, "none": {nil, 0}} {
		if got := Median(tc.values); got != tc.want {
			t.Errorf("%s: got %v, want %v", name, got, tc.want)
		}
	}
}

// TestCompareTakesTheMedianOfPairs: one disturbed pair does not decide.
func TestCompareTakesTheMedianOfPairs(t *testing.T) {
	round := func(cpu time.Duration, elapsed time.Duration) Round {
		return Round{Attempts: 5, Failures: 1, CPU: cpu, Elapsed: elapsed, Latencies: latencies(4, 1, 3, 2), RSS: 3 << 20}
	}
	reference := []Round{round(40*time.Microsecond, time.Second), round(40*time.Microsecond, time.Second), round(4*time.Microsecond, time.Second)}
	proxy := []Round{round(80*time.Microsecond, 2*time.Second), round(80*time.Microsecond, 2*time.Second), round(400*time.Microsecond, 9*time.Second)}
	got := Compare(reference, proxy)
	if got.CPURatio != 2 || got.ThroughputRatio != 0.5 {
		t.Errorf("got ratios %v and %v, want 2 and 0.5", got.CPURatio, got.ThroughputRatio)
	}
	want := LoadFigures{Attempts: 15, Failures: 3, RequestsPerSecond: 4, P50Millis: 2, P95Millis: 4, P99Millis: 4, CPUMicrosPerRequest: 7, LoadedMiB: 3}
	if !reflect.DeepEqual(got.Reference, want) {
		t.Errorf("got %+v, want %+v", got.Reference, want)
	}
}

func TestStreamsAreComparedByEvents(t *testing.T) {
	got := Compare(
		[]Round{{Events: 1000, CPU: time.Millisecond, Elapsed: time.Second, Latencies: latencies(1)}},
		[]Round{{Events: 500, CPU: time.Millisecond, Elapsed: time.Second, Latencies: latencies(1)}},
	)
	if got.CPURatio != 2 || got.Proxy.CPUMicrosPer1000Events != 2000 || got.Proxy.EventsPerSecond != 500 {
		t.Errorf("got %+v", got)
	}
}

func sample() Report {
	r := Report{
		Reference: "nginx/1.2", Plain: Load{CPURatio: 2.5}, Memory: map[string]Memory{Proxy: {IdleMiB: 41}},
		Forwarding: map[string]Delay{Proxy: Delays(latencies(1, 2, 3, 4), 3), Reference: Delays(latencies(1, 2, 3, 4), 3), Direct: Delays(latencies(1), 1)},
	}
	r.Judge()
	return r
}

// The goals of routing have tests of their own.
const goalsBeforeRouting = 6

func TestJudge(t *testing.T) {
	r := sample()
	met := func() []bool {
		r.Judge()
		var out []bool
		for _, goal := range r.Goals[:goalsBeforeRouting] {
			out = append(out, goal.Met)
		}
		return out
	}
	r.Plain.Proxy.Failures, r.TranslatedPlain.CPURatio = 1, 2.51
	if got, want := met(), []bool{true, false, true, false, true, false}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v: %+v", got, want, r.Goals)
	}
	r.Plain.CPURatio, r.Plain.Proxy.Failures, r.Memory[Proxy] = 3.01, 0, Memory{IdleMiB: 40}
	r.TranslatedPlain.CPURatio, r.TranslatedStream.CPURatio = 2.5, 2.51
	r.Forwarding[Proxy] = Delays(latencies(1, 2, 3, 4), 2)
	if got, want := met(), []bool{false, true, false, true, false, true}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v: %+v", got, want, r.Goals)
	}
}

func TestPrint(t *testing.T) {
	r := sample()
	var out strings.Builder
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"nginx/1.2 as plain reverse proxy is the reference", "2.50", "MISSED", "no retries", "added p99 µs"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
	if err := r.Print(brokenWriter{}); !errors.Is(err, errBroken) {
		t.Errorf("got %v, want %v", err, errBroken)
	}
	if math.IsNaN(r.Plain.ThroughputRatio) {
		t.Error("ratio of nothing is not a number")
	}
}

var errBroken = errors.New("broken")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }
