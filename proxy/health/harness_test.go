package health_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/table"
)

// world is a registry with a clock of its own.
type world struct {
	*testing.T
	now                    time.Time
	registry               *health.Registry
	changed, ended, random int
}

// newWorld returns a world in which back-offs are as long as they can be.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, now: time.Unix(1_800_000_000, 0)}
	w.registry = health.NewRegistry(health.Options{
		Random:  func(n int64) int64 { w.random++; return n - 1 },
		Changed: func() { w.changed++ },
		Ended:   func() { w.ended++ },
	})
	return w
}

// seeded returns a world whose back-offs are random.
func seeded(t *testing.T, random *rand.Rand) *world {
	t.Helper()
	w := &world{T: t, now: time.Unix(1_800_000_000, 0)}
	w.registry = health.NewRegistry(health.Options{Random: random.Int64N})
	return w
}

func (w *world) pass(d time.Duration) { w.now = w.now.Add(d) }

func (w *world) model(name string) *health.Upstream {
	return w.registry.Upstream(health.Subject{Credential: "c", Key: "k", Model: name})
}

// begin begins an attempt that has to be given.
func (w *world) begin(u *health.Upstream) health.Attempt {
	w.Helper()
	a, ok := u.Begin(w.now, 1, false)
	if !ok {
		w.Fatalf("an attempt was refused: %+v", u.View(w.now))
	}
	return a
}

// call makes an attempt that ends at once.
func (w *world) call(u *health.Upstream, o health.Outcome) {
	w.Helper()
	w.begin(u).End(w.now, o)
}

// fail makes so many attempts fail.
func (w *world) fail(u *health.Upstream, times int) {
	w.Helper()
	for range times {
		w.call(u, failed)
	}
}

// blocked checks the block and how long it is.
func (w *world) blocked(u *health.Upstream, block health.Block, left time.Duration) {
	w.Helper()
	v := u.View(w.now)
	if v.Block != block || absolute(v.For-left) > time.Microsecond {
		w.Fatalf("it is %s for %s, want %s for %s", v.Block, v.For, block, left)
	}
}

// refused checks that no attempt is given.
func (w *world) refused(u *health.Upstream) {
	w.Helper()
	if _, ok := u.Begin(w.now, 1, false); ok {
		w.Fatalf("an attempt was given: %+v", u.View(w.now))
	}
}

func absolute(d time.Duration) time.Duration { return max(d, -d) }

// The outcomes that most tests are made of. Rate limits that are not told are below 0.
var (
	untold  = health.RateLimits{RequestsLeft: -1, TokensLeft: -1}
	success = health.Outcome{Limits: untold}
	failed  = health.Outcome{Kind: table.Unavailable, Limits: untold}
	neutral = health.Outcome{Neutral: true, Limits: untold}
)

// outcome is one of a kind.
func outcome(kind table.FailureKind, after time.Duration) health.Outcome {
	return health.Outcome{Kind: kind, RetryAfter: after, Limits: untold}
}
