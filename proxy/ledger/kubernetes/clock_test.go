package kubernetes

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// tick is what a clock learns from one answer: when the request was sent and the answer came, by the machine's clock, and when the server wrote it, by its own.
type tick struct {
	sent, took, at time.Duration
}

func TestClock(t *testing.T) {
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	half := 500 * time.Millisecond
	for name, tc := range map[string]struct {
		ticks     []tick
		want, off time.Duration
		known     bool
	}{
		"nothing":  {},
		"the same": {ticks: []tick{{took: 20 * time.Millisecond, at: 10 * time.Millisecond}}, off: half + 10*time.Millisecond, known: true},
		"minutes ahead": {
			ticks: []tick{{took: 20 * time.Millisecond, at: 5*time.Minute + 10*time.Millisecond}}, want: 5 * time.Minute, off: half + 10*time.Millisecond, known: true,
		},
		"minutes behind": {
			ticks: []tick{{took: 20 * time.Millisecond, at: -5*time.Minute + 999*time.Millisecond}}, want: -5*time.Minute + 980*time.Millisecond,
			off: half + 10*time.Millisecond, known: true,
		},
		"narrowed by several": {
			ticks: []tick{
				{sent: 0, took: 10 * time.Millisecond, at: 5 * time.Millisecond},
				{sent: 990 * time.Millisecond, took: 10 * time.Millisecond, at: 995 * time.Millisecond},
				{sent: 1010 * time.Millisecond, took: 10 * time.Millisecond, at: 1015 * time.Millisecond},
				{sent: 1500 * time.Millisecond, took: 10 * time.Millisecond, at: 1505 * time.Millisecond},
			},
			off: 30 * time.Millisecond, known: true,
		},
		"a clock is set": {
			ticks: []tick{{took: 10 * time.Millisecond, at: 0}, {sent: time.Second, took: 10 * time.Millisecond, at: 3 * time.Minute}}, want: 3*time.Minute - time.Second,
			off: half + 10*time.Millisecond, known: true,
		},
		"clocks part slowly": {
			ticks: []tick{{took: 10 * time.Millisecond, at: 0}, {sent: 24 * time.Hour, took: 10 * time.Millisecond, at: 24*time.Hour + 3*time.Second}}, want: 3 * time.Second,
			off: half + 10*time.Millisecond, known: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			clock := NewClock()
			for _, tick := range tc.ticks {
				sent := start.Add(tick.sent)
				clock.learn(start.Add(tick.at).Format(http.TimeFormat), sent, sent.Add(tick.took))
			}
			got, known := clock.offset()
			if known != tc.known || (got-tc.want).Abs() > tc.off {
				t.Errorf("offset = %v, %v; want %v within %v, %v", got, known, tc.want, tc.off, tc.known)
			}
		})
	}
}

// TestClockHoldsItsBound compares what a clock learns from random answers with the truth.
func TestClockHoldsItsBound(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		clock := NewClock()
		truth := time.Duration(random.Int64N(int64(20*time.Minute))) - 10*time.Minute
		now := time.Date(2026, 3, 29, 0, 59, 0, 0, time.UTC)
		for range 50 {
			now = now.Add(time.Duration(random.Int64N(int64(3 * time.Second))))
			took := time.Duration(random.Int64N(int64(100 * time.Millisecond)))
			written := now.Add(time.Duration(random.Int64N(int64(took) + 1))).Add(truth)
			clock.learn(written.Format(http.TimeFormat), now, now.Add(took))
			if got, known := clock.offset(); !known || (got-truth).Abs() > 550*time.Millisecond {
				t.Fatalf("offset = %v, %v; want %v", got, known, truth)
			}
		}
	}
}

func TestClockIgnoresNonsense(t *testing.T) {
	clock := NewClock()
	now := time.Now()
	clock.learn("", now, now)
	clock.learn("yesterday", now, now)
	clock.learn(now.UTC().Format(http.TimeFormat), now, now.Add(-time.Second))
	if got, known := clock.offset(); known {
		t.Errorf("offset = %v", got)
	}
}

// TestStoreTellsTheServersTime has a server that lives in another minute.
func TestStoreTellsTheServersTime(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(4*time.Minute).UTC().Format(http.TimeFormat))
	}))
	defer server.Close()
	clock := NewClock()
	store := (&Store{clock: NewClock()}).WithClock(clock)
	if got, known := store.Offset(); known {
		t.Errorf("Offset before the first answer = %v", got)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := clock.Wrap(http.DefaultTransport).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if got, known := store.Offset(); !known || (got-4*time.Minute).Abs() > 5*time.Second {
		t.Errorf("Offset = %v, %v; want 4m", got, known)
	}
}
