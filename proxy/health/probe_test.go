package health_test

import (
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/table"
)

// halfOpen returns an upstream whose circuit was open and may be tried.
func (w *world) halfOpen() *health.Upstream {
	w.Helper()
	u := w.model("m")
	w.fail(u, 5)
	w.pass(time.Second)
	if v := u.View(w.now); v.Block != health.Open || !v.Probe || v.Busy {
		w.Fatalf("it is not half-open: %+v", v)
	}
	return u
}

// TestSingleAttempts: one at a time finds out whether the upstream is back.
func TestSingleAttempts(t *testing.T) {
	w := newWorld(t)
	u := w.halfOpen()
	probe := w.begin(u)
	if v := u.View(w.now); !v.Probe || !v.Busy {
		t.Errorf("nobody sees the single attempt: %+v", v)
	}
	w.refused(u)
	probe.End(w.now, failed)
	w.blocked(u, health.CircuitOpen, 2*time.Second)
	w.pass(2 * time.Second)
	w.call(u, success)
	if v := u.View(w.now); v.Probe || v.Block != health.Open {
		t.Errorf("it is not back: %+v", v)
	}
	w.begin(u)
	w.begin(u)
}

// TestProbeOutcomes: an upstream that answers is back, whatever is wrong with the request.
func TestProbeOutcomes(t *testing.T) {
	for name, tc := range map[string]struct {
		outcome health.Outcome
		block   health.Block
		left    time.Duration
		probe   bool
	}{
		"success":     {success, health.Open, 0, false},
		"bad request": {outcome(table.BadRequest, 0), health.Open, 0, false},
		"context":     {outcome(table.ContextTooLong, 0), health.Open, 0, false},
		"filtered":    {outcome(table.ContentFiltered, 0), health.Open, 0, false},
		"failure":     {failed, health.CircuitOpen, 2 * time.Second, false},
		"rate":        {outcome(table.RateLimited, 20*time.Second), health.CoolingDown, 20 * time.Second, false},
		"gone":        {outcome(table.ModelWithdrawn, 0), health.Withdrawn, time.Minute, false},
		"neutral":     {neutral, health.Open, 0, true},
		"key":         {outcome(table.KeyRejected, 0), health.KeyRefused, 10 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u := w.halfOpen()
			w.call(u, tc.outcome)
			w.blocked(u, tc.block, tc.left)
			if v := u.View(w.now); v.Probe != tc.probe || v.Busy {
				t.Errorf("Probe is %t and Busy %t, want %t and false", v.Probe, v.Busy, tc.probe)
			}
		})
	}
}

// TestKeyProbe: an answer shows that the key is good, a failure of the upstream shows nothing, and others may try at once.
func TestKeyProbe(t *testing.T) {
	for name, tc := range map[string]struct {
		outcome health.Outcome
		probe   bool
	}{
		"success": {success, false}, "bad request": {outcome(table.BadRequest, 0), false}, "gone": {outcome(table.ModelWithdrawn, 0), false},
		"failure": {failed, true}, "rate": {outcome(table.RateLimited, time.Second), true}, "neutral": {neutral, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u, sibling := w.model("m"), w.model("sibling")
			w.call(u, outcome(table.KeyRejected, 0))
			w.pass(10 * time.Second)
			probe := w.begin(u)
			w.refused(sibling)
			probe.End(w.now, tc.outcome)
			if v := sibling.View(w.now); v.Block != health.Open || v.Probe != tc.probe || v.Busy {
				t.Errorf("another model of the key: %+v", v)
			}
		})
	}
}

// TestProbeOfBoth: where model and key are half-open, a refusal by one leaves the other's place free.
func TestProbeOfBoth(t *testing.T) {
	w := newWorld(t)
	u, sibling := w.model("m"), w.model("sibling")
	late := w.begin(sibling)
	w.fail(u, 5)
	late.End(w.now, outcome(table.KeyRejected, 0))
	w.pass(10 * time.Second)
	ofSibling := w.begin(sibling)
	w.refused(u) // The key's place is taken, so the model's must not stay taken.
	ofSibling.End(w.now, success)
	w.call(u, success)
	if v := u.View(w.now); v.Probe || v.Block != health.Open {
		t.Errorf("it is not back: %+v", v)
	}
}

// TestProbeLapses: a single attempt that never ends does not keep others out for ever, and has no say any more.
func TestProbeLapses(t *testing.T) {
	w := newWorld(t)
	u := w.halfOpen()
	lost := w.begin(u)
	w.pass(59 * time.Second)
	w.refused(u)
	w.pass(time.Second)
	if v := u.View(w.now); !v.Probe || v.Busy {
		t.Errorf("it is still taken: %+v", v)
	}
	next := w.begin(u)
	lost.End(w.now, success)
	w.refused(u)
	next.End(w.now, success)
	w.begin(u)
	w.begin(u)
}

// TestFirstTokenLetsOthersIn: a stream that finds the upstream back need not end for that.
func TestFirstTokenLetsOthersIn(t *testing.T) {
	w := newWorld(t)
	u := w.halfOpen()
	probe := w.begin(u)
	probe.FirstToken(w.now)
	if v := u.View(w.now); v.Probe || v.Block != health.Open || w.ended != 1 {
		t.Errorf("it is not back: %+v", v)
	}
	w.begin(u)
	probe.FirstToken(w.now)
	w.fail(u, 4)
	probe.FirstToken(w.now)
	probe.End(w.now, outcome(table.Stalled, 0))
	w.blocked(u, health.CircuitOpen, 2*time.Second)
	probe.FirstToken(w.now.Add(time.Minute))
	w.blocked(u, health.CircuitOpen, 2*time.Second)
}

// TestFirstTokenIsNoProbe: of attempts that are not the single one it says nothing.
func TestFirstTokenIsNoProbe(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	old := w.begin(u)
	w.fail(u, 4)
	other := w.begin(u)
	other.FirstToken(w.now)
	w.fail(u, 1)
	w.pass(time.Second)
	old.FirstToken(w.now)
	if v := u.View(w.now); !v.Probe {
		t.Errorf("an attempt from before opened it: %+v", v)
	}
}

// TestOldAttempts: what began before the circuit opened neither closes it nor makes it longer.
func TestOldAttempts(t *testing.T) {
	for name, tc := range map[string]struct {
		outcome health.Outcome
		wait    time.Duration
	}{
		"success while open":        {success, 0},
		"success while half-open":   {success, time.Second},
		"failure while open":        {failed, 0},
		"failure while half-open":   {failed, time.Second},
		"rate limit while open":     {outcome(table.RateLimited, 0), 0},
		"withdrawal while open":     {outcome(table.ModelWithdrawn, 0), 0},
		"short wait while open":     {outcome(table.RateLimited, time.Millisecond), 0},
		"neutral while half-open":   {neutral, time.Second},
		"bad request while waiting": {outcome(table.BadRequest, 0), time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u := w.model("m")
			var old []health.Attempt
			for range 30 {
				old = append(old, w.begin(u))
			}
			w.fail(u, 5)
			w.pass(tc.wait)
			before := u.View(w.now)
			for _, a := range old {
				a.End(w.now, tc.outcome)
			}
			after := u.View(w.now)
			if before.Block != after.Block && tc.outcome.RetryAfter == 0 || before.For != after.For || before.Probe != after.Probe {
				t.Errorf("they changed it from %+v to %+v", before, after)
			}
			w.pass(time.Second)
			w.call(u, success)
			if v := u.View(w.now); v.Block != health.Open || v.Probe {
				t.Errorf("it is not back: %+v", v)
			}
		})
	}
}

// TestOldFailureAfterwards: an attempt from before the outage that fails after it is no news.
func TestOldFailureAfterwards(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	var old []health.Attempt
	for range 5 {
		old = append(old, w.begin(u))
	}
	w.fail(u, 5)
	w.pass(time.Second)
	w.call(u, success)
	for _, a := range old {
		a.End(w.now, failed)
	}
	w.blocked(u, health.Open, 0)
}

// TestRamp: an upstream that is back gets its calls again little by little.
func TestRamp(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	at := func(want int) {
		t.Helper()
		if got := u.View(w.now).Ramp; got != want {
			t.Errorf("the ramp is %d, want %d", got, want)
		}
	}
	at(1000)
	w.fail(u, 5)
	at(100)
	w.pass(time.Second)
	at(100)
	w.call(u, success)
	for _, want := range []int{100, 325, 550, 775, 1000, 1000} {
		at(want)
		w.pass(2500 * time.Millisecond)
	}
	w.call(u, outcome(table.QuotaExhausted, time.Second))
	w.pass(time.Second)
	w.call(u, success)
	w.pass(5 * time.Second)
	at(550) // That of the key.
}

// TestDeadlinesOnlyGrow: nothing shortens a deadline that stands.
func TestDeadlinesOnlyGrow(t *testing.T) {
	for name, later := range map[string]func(w *world, u *health.Upstream, a health.Attempt){
		"shorter Retry-After": func(w *world, _ *health.Upstream, a health.Attempt) {
			a.End(w.now, outcome(table.RateLimited, time.Second))
		},
		"no Retry-After": func(w *world, _ *health.Upstream, a health.Attempt) { a.End(w.now, outcome(table.RateLimited, 0)) },
		"failure":        func(w *world, _ *health.Upstream, a health.Attempt) { a.End(w.now, failed) },
		"success":        func(w *world, _ *health.Upstream, a health.Attempt) { a.End(w.now, success) },
		"first token":    func(w *world, _ *health.Upstream, a health.Attempt) { a.FirstToken(w.now) },
		"a peer's": func(w *world, _ *health.Upstream, _ health.Attempt) {
			w.hear(`[{"credential":"c","key":"k","model":"m","block":"CoolingDown","remainingMS":1000}]`)
		},
		"a peer's share of failures": func(w *world, _ *health.Upstream, _ health.Attempt) {
			w.hear(`[{"credential":"c","key":"k","model":"m","block":"ErrorRate","remainingMS":29000}]`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u := w.model("m")
			a := w.begin(u)
			w.call(u, outcome(table.RateLimited, 30*time.Second))
			w.pass(time.Second)
			later(w, u, a)
			w.blocked(u, health.CoolingDown, 29*time.Second)
			w.refused(u)
		})
	}
}

// TestLongerWait: a later, longer deadline takes the place of one that stands, also of a single attempt that is under way.
func TestLongerWait(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	first, second := w.begin(u), w.begin(u)
	w.call(u, outcome(table.RateLimited, time.Second))
	first.End(w.now, outcome(table.RateLimited, 5*time.Second))
	w.blocked(u, health.CoolingDown, 5*time.Second)
	w.pass(5 * time.Second)
	probe := w.begin(u)
	second.End(w.now, outcome(table.RateLimited, 7*time.Second))
	w.blocked(u, health.CoolingDown, 7*time.Second)
	probe.End(w.now, success)
	w.blocked(u, health.CoolingDown, 7*time.Second)
	w.pass(7 * time.Second)
	w.call(u, success)
	w.blocked(u, health.Open, 0)
}

// TestEndsOnce: the second End and what comes after the first are nothing.
func TestEndsOnce(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	a := w.begin(u)
	if got := u.View(w.now).InFlight; got != 1 {
		t.Errorf("%d are under way, want 1", got)
	}
	for range 10 {
		a.End(w.now, failed)
	}
	a.Answered(w.now, health.RateLimits{RequestsLeft: 1, TokensLeft: 1})
	v := u.View(w.now)
	if v.InFlight != 0 || v.Block != health.Open || v.Headroom.Requests != -1 {
		t.Errorf("a later End counted: %+v", v)
	}
	var none health.Attempt
	none.Answered(w.now, untold)
	none.FirstToken(w.now)
	none.End(w.now, failed)
}

// TestCallbacks: a block is told when it begins and when it grows by something worth telling, and when it is lifted.
func TestCallbacks(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	check := func(what string, changed, ended int) {
		t.Helper()
		if w.changed != changed || w.ended != ended {
			t.Errorf("%s: %d begun and %d ended, want %d and %d", what, w.changed, w.ended, changed, ended)
		}
	}
	a, b, c := w.begin(u), w.begin(u), w.begin(u)
	w.fail(u, 4)
	check("nothing yet", 0, 0)
	w.fail(u, 1)
	check("opened", 1, 0)
	a.End(w.now, outcome(table.RateLimited, 1050*time.Millisecond))
	check("grew a little, for another reason", 2, 0)
	b.End(w.now, outcome(table.RateLimited, 1060*time.Millisecond))
	check("grew a little", 2, 0)
	c.End(w.now, outcome(table.RateLimited, 2*time.Second))
	check("grew", 3, 0)
	w.hear(`[{"credential":"c","key":"k","model":"m","block":"CoolingDown","remainingMS":60000}]`)
	check("heard", 3, 0)
	w.pass(time.Minute)
	w.call(u, success)
	check("back", 3, 1)
	w.call(u, outcome(table.KeyRejected, 0))
	check("key", 4, 1)
	w.pass(10 * time.Second)
	w.call(u, success)
	check("key back", 4, 2)
}
