package health_test

import (
	"net/http"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/health"
)

// busy returns an upstream of which everything is known.
func busy(now time.Time) *health.Upstream {
	u := health.NewRegistry(health.Options{}).Upstream(health.Subject{Credential: "c", Key: "k", Model: "m"})
	for range 100 {
		a, _ := u.Begin(now, 100, false)
		a.End(now, health.Outcome{
			Limits: health.RateLimits{RequestsLeft: 1000, TokensLeft: 1_000_000, RequestsReset: time.Hour, TokensReset: time.Hour},
			Stream: true, FirstToken: time.Second, Duration: 2 * time.Second, Prompt: 100, Cached: 50, Completion: 100,
		})
	}
	return u
}

func BenchmarkView(b *testing.B) {
	now := time.Now()
	u := busy(now)
	later := now.Add(500 * time.Millisecond)
	b.ReportAllocs()
	for b.Loop() {
		if v := u.View(later); v.Block != health.Open {
			b.Fatal(v)
		}
	}
}

func BenchmarkAttempt(b *testing.B) {
	now := time.Now()
	u := busy(now)
	b.ReportAllocs()
	for b.Loop() {
		a, ok := u.Begin(now, 100, false)
		if !ok {
			b.Fatal("refused")
		}
		a.End(now, health.Outcome{Limits: health.RateLimits{RequestsLeft: -1, TokensLeft: -1}, Duration: time.Second, Prompt: 10, Completion: 10})
	}
}

func BenchmarkReadRateLimits(b *testing.B) {
	now := time.Now()
	for name, h := range map[string]http.Header{
		"none": {"Content-Type": {"application/json"}, "Date": {"Sun, 22 Nov 2026 12:00:30 GMT"}, "Server": {"x"}, "Vary": {"y"}},
		"Groq": {
			"X-Ratelimit-Remaining-Requests": {"14370"}, "X-Ratelimit-Reset-Requests": {"2m59.56s"},
			"X-Ratelimit-Remaining-Tokens": {"17997"}, "X-Ratelimit-Reset-Tokens": {"7.66s"},
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				health.ReadRateLimits(h, now)
			}
		})
	}
}

// TestViewAllocatesNothing, whatever the state.
func TestViewAllocatesNothing(t *testing.T) {
	now := time.Now()
	u := busy(now)
	if got := testing.AllocsPerRun(1000, func() { now = now.Add(time.Second); u.View(now) }); got != 0 {
		t.Errorf("%f allocations", got)
	}
}
