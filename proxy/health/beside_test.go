package health_test

import (
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/table"
)

// limited is a world in which a rate limit of a second has ended, and a single attempt finds out whether that was all.
func limited(t *testing.T) (*world, *health.Upstream, health.Attempt) {
	t.Helper()
	w := newWorld(t)
	u := w.model("m")
	w.call(u, outcome(table.RateLimited, time.Second))
	w.pass(time.Second)
	return w, u, w.begin(u)
}

// beside begins an attempt as a last resort that has to be given.
func (w *world) beside(u *health.Upstream) health.Attempt {
	w.Helper()
	a, ok := u.Begin(w.now, 1, true)
	if !ok {
		w.Fatalf("an attempt was refused: %+v", u.View(w.now))
	}
	return a
}

// TestBesideTheSingleAttempt: a last resort finds out as much as the single attempt does.
func TestBesideTheSingleAttempt(t *testing.T) {
	for name, answer := range map[string]func(w *world, a health.Attempt){
		"an answer":     func(w *world, a health.Attempt) { a.End(w.now, success) },
		"a first token": func(w *world, a health.Attempt) { a.FirstToken(w.now) },
	} {
		t.Run(name, func(t *testing.T) {
			w, u, single := limited(t)
			w.refused(u)
			answer(w, w.beside(u))
			w.blocked(u, health.Open, 0)
			w.begin(u)
			w.pass(4 * time.Second)
			ramp := u.View(w.now).Ramp
			single.End(w.now, success)
			if got := u.View(w.now).Ramp; got != ramp || w.ended != 1 {
				t.Errorf("the share of calls went from %d to %d, and the end was told %d times", ramp, got, w.ended)
			}
		})
	}
}

// TestBesideIsRefused: the limit is still there, which counts for all.
func TestBesideIsRefused(t *testing.T) {
	w, u, single := limited(t)
	w.beside(u).End(w.now, outcome(table.RateLimited, 3*time.Second))
	w.blocked(u, health.CoolingDown, 3*time.Second)
	single.End(w.now, success)
	w.blocked(u, health.CoolingDown, 3*time.Second)
	if _, ok := u.Begin(w.now, 1, true); ok {
		t.Error("an attempt was given while the limit stands")
	}
}

// TestNothingBesideAnOutage: whether a circuit or a key is well is found out by one call.
func TestNothingBesideAnOutage(t *testing.T) {
	for kind, times := range map[table.FailureKind]int{table.Unavailable: 5, table.KeyRejected: 1, table.QuotaExhausted: 1, table.ModelWithdrawn: 1} {
		t.Run(string(kind), func(t *testing.T) {
			w := newWorld(t)
			u := w.model("m")
			for range times {
				w.call(u, outcome(kind, 0))
			}
			w.pass(u.View(w.now).For)
			w.begin(u)
			if _, ok := u.Begin(w.now, 1, true); ok {
				t.Error("an attempt was given")
			}
		})
	}
}

// TestVacancy is told when a single attempt ends, however it does, and not before.
func TestVacancy(t *testing.T) {
	isTold := func(vacancy <-chan struct{}) bool {
		select {
		case <-vacancy:
			return true
		default:
			return false
		}
	}
	for name, end := range map[string]func(w *world, u *health.Upstream, single health.Attempt){
		"answered":    func(w *world, _ *health.Upstream, single health.Attempt) { single.End(w.now, success) },
		"first token": func(w *world, _ *health.Upstream, single health.Attempt) { single.FirstToken(w.now) },
		"failed":      func(w *world, _ *health.Upstream, single health.Attempt) { single.End(w.now, failed) },
		"limited again": func(w *world, _ *health.Upstream, single health.Attempt) {
			single.End(w.now, outcome(table.RateLimited, time.Second))
		},
		"client left":   func(w *world, _ *health.Upstream, single health.Attempt) { single.End(w.now, neutral) },
		"another knows": func(w *world, u *health.Upstream, _ health.Attempt) { w.beside(u).End(w.now, success) },
		"another denies": func(w *world, u *health.Upstream, _ health.Attempt) {
			w.beside(u).End(w.now, outcome(table.RateLimited, time.Second))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, u, single := limited(t)
			vacancy := w.registry.Vacancy()
			w.call(w.model("another"), success)
			if !u.Tried(w.now) || isTold(vacancy) {
				t.Errorf("it is tried: %t, and the end is told before it", u.Tried(w.now))
			}
			end(w, u, single)
			if u.Tried(w.now) || !isTold(vacancy) {
				t.Errorf("it is tried: %t, and the end is not told", u.Tried(w.now))
			}
			if isTold(w.registry.Vacancy()) {
				t.Error("the next end is told before it")
			}
		})
	}
}
