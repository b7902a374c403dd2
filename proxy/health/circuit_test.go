package health_test

import (
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/table"
)

// TestFailuresInARow: five failures by the upstream's fault open the circuit, and nothing else does.
func TestFailuresInARow(t *testing.T) {
	for kind, opens := range map[table.FailureKind]bool{
		table.Unreachable: true, table.Unavailable: true, table.Capacity: true, table.Timeout: true, table.FirstTokenTimeout: true,
		table.BrokenAnswer: true, table.Stalled: true,
		table.None: false, table.BadRequest: false, table.ContextTooLong: false, table.ContentFiltered: false, "Unheard": false,
	} {
		t.Run("kind "+string(kind), func(t *testing.T) {
			w := newWorld(t)
			u := w.model("m")
			for range 4 {
				w.call(u, outcome(kind, 0))
			}
			w.blocked(u, health.Open, 0)
			w.call(u, outcome(kind, 0))
			if opens {
				w.blocked(u, health.CircuitOpen, time.Second)
				w.refused(u)
				return
			}
			for range 100 {
				w.call(u, outcome(kind, 0))
			}
			w.blocked(u, health.Open, 0)
		})
	}
}

func TestSuccessEndsARow(t *testing.T) {
	for name, between := range map[string]health.Outcome{
		"success": success, "bad request": outcome(table.BadRequest, 0), "filtered": outcome(table.ContentFiltered, 0),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u := w.model("m")
			w.fail(u, 4)
			w.call(u, between)
			w.fail(u, 4)
			w.blocked(u, health.Open, 0)
			w.fail(u, 1)
			w.blocked(u, health.CircuitOpen, time.Second)
		})
	}
}

// TestNeutralIsNoSign: what says nothing of the upstream neither ends a row of failures nor is part of one.
func TestNeutralIsNoSign(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	w.fail(u, 4)
	for range 10 {
		w.call(u, neutral)
		w.call(u, outcome(table.QuotaExhausted, time.Nanosecond))
		w.pass(time.Second)
		w.call(u, neutral)
	}
	w.blocked(u, health.Open, 0)
	w.fail(u, 1)
	w.blocked(u, health.CircuitOpen, time.Second)
}

// TestScatteredFailures: where three in ten attempts always fail, five failures in a row are chance; an upstream that does not answer at all is still found.
func TestScatteredFailures(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	for i := range 200 {
		o := success
		if i%10 < 3 {
			o = failed
		}
		w.call(u, o)
		w.pass(10 * time.Millisecond)
	}
	w.fail(u, 9)
	w.blocked(u, health.Open, 0)
	w.fail(u, 1)
	w.blocked(u, health.CircuitOpen, time.Second)
}

// TestErrorRate: half of at least twenty attempts. A route that has nothing else goes on.
func TestErrorRate(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	alternate := func(pairs int) {
		for range pairs {
			w.call(u, success)
			w.call(u, failed)
		}
	}
	alternate(9)
	w.blocked(u, health.Open, 0)
	alternate(1)
	w.blocked(u, health.ErrorRate, time.Second)
	w.refused(u)
	a, ok := u.Begin(w.now, 1, true)
	if !ok {
		t.Fatal("a last resort is refused")
	}
	a.End(w.now, success)
	w.blocked(u, health.ErrorRate, time.Second)
}

func TestErrorRateNeedsSamples(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	for range 50 {
		w.call(u, failed)
		w.call(u, success)
		w.pass(10 * time.Second) // By then most of the last attempt is forgotten.
	}
	w.blocked(u, health.Open, 0)
}

func TestErrorRateForgets(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	for range 4 {
		w.fail(u, 4)
		w.call(u, success)
	}
	for range 5 {
		w.pass(30 * time.Second)
		for range 6 {
			w.call(u, success)
		}
	}
	w.fail(u, 4)
	w.call(u, success)
	w.fail(u, 3)
	w.blocked(u, health.Open, 0)
}

// TestLastResort: only the block that is about a share of failures is passed over, and failing all the same it becomes a circuit that is open.
func TestLastResort(t *testing.T) {
	for name, o := range map[string]health.Outcome{
		"rate": outcome(table.RateLimited, time.Minute), "quota": outcome(table.QuotaExhausted, time.Minute), "key": outcome(table.KeyRejected, 0),
		"model": outcome(table.ModelWithdrawn, 0),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u := w.model("m")
			w.call(u, o)
			if _, ok := u.Begin(w.now, 1, true); ok {
				t.Error("it is passed over")
			}
		})
	}
	w := newWorld(t)
	u := w.model("m")
	for range 10 {
		w.call(u, success)
		w.call(u, failed)
	}
	for range 20 {
		w.blocked(u, health.ErrorRate, time.Second)
		a, _ := u.Begin(w.now, 1, true)
		a.End(w.now, failed)
		if u.View(w.now).Block == health.CircuitOpen {
			break
		}
	}
	w.blocked(u, health.CircuitOpen, 2*time.Second)
	if _, ok := u.Begin(w.now, 1, true); ok {
		t.Error("an open circuit is passed over")
	}
}

// TestLastResortWhileProbing: the single attempt of others is no reason to refuse a call that has nowhere else to go.
func TestLastResortWhileProbing(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	for range 10 {
		w.call(u, success)
		w.call(u, failed)
	}
	w.pass(time.Second)
	probe := w.begin(u)
	w.refused(u)
	a, ok := u.Begin(w.now, 1, true)
	if !ok {
		t.Fatal("refused")
	}
	a.End(w.now, success)
	if v := u.View(w.now); !v.Probe || !v.Busy {
		t.Errorf("an attempt beside the single one decided: %+v", v)
	}
	probe.End(w.now, failed)
	w.blocked(u, health.ErrorRate, 2*time.Second)
}

// TestBackOff: each block is twice as long as the last, up to a bound, until all was well for a while. What the provider says goes before that.
func TestBackOff(t *testing.T) {
	seconds := func(list ...float64) []time.Duration {
		var ds []time.Duration
		for _, s := range list {
			ds = append(ds, time.Duration(s*float64(time.Second)))
		}
		return ds
	}
	for name, tc := range map[string]struct {
		outcome health.Outcome
		first   int
		block   health.Block
		want    []time.Duration
	}{
		"circuit": {failed, 5, health.CircuitOpen, seconds(1, 2, 4, 5, 5)},
		"rate":    {outcome(table.RateLimited, 0), 1, health.CoolingDown, seconds(1, 2, 4, 4)},
		"quota":   {outcome(table.QuotaExhausted, 0), 1, health.NoQuota, seconds(30, 60, 120, 240, 480, 900, 900)},
		"key":     {outcome(table.KeyRejected, 0), 1, health.KeyRefused, seconds(10, 20, 40, 80, 160, 300, 300)},
		"model":   {outcome(table.ModelWithdrawn, 0), 1, health.Withdrawn, seconds(60, 120, 240, 480, 960, 1920, 3600, 3600)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u := w.model("m")
			for range tc.first - 1 {
				w.call(u, tc.outcome)
			}
			for _, want := range tc.want {
				w.call(u, tc.outcome)
				w.blocked(u, tc.block, want)
				w.pass(want)
			}
			w.call(u, success) // The single attempt that finds it back.
			w.pass(9 * time.Second)
			for range tc.first {
				w.call(u, tc.outcome)
			}
			w.blocked(u, tc.block, tc.want[len(tc.want)-1])
			w.pass(tc.want[len(tc.want)-1])
			w.call(u, success)
			w.pass(10 * time.Second)
			for range tc.first {
				w.call(u, tc.outcome)
			}
			w.blocked(u, tc.block, tc.want[0])
		})
	}
}

// TestJitter: the upper half of a back-off is random.
func TestJitter(t *testing.T) {
	for name, tc := range map[string]struct {
		random func(int64) int64
		want   time.Duration
	}{
		"least": {func(int64) int64 { return 0 }, 500 * time.Millisecond},
		"half":  {func(n int64) int64 { return n / 2 }, 750 * time.Millisecond},
		"most":  {func(n int64) int64 { return n - 1 }, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.registry = health.NewRegistry(health.Options{Random: tc.random})
			u := w.model("m")
			w.fail(u, 5)
			w.blocked(u, health.CircuitOpen, tc.want)
		})
	}
}

// TestTold: what the provider says is used as it is, within bounds, for the upstream or for all models of the key.
func TestTold(t *testing.T) {
	for name, tc := range map[string]struct {
		outcome health.Outcome
		block   health.Block
		left    time.Duration
		ofKey   bool
	}{
		"rate":        {outcome(table.RateLimited, 42*time.Second), health.CoolingDown, 42 * time.Second, false},
		"rate, far":   {outcome(table.RateLimited, 100*time.Hour), health.CoolingDown, time.Hour, false},
		"capacity":    {outcome(table.Capacity, 3*time.Second), health.CoolingDown, 3 * time.Second, false},
		"maintenance": {outcome(table.Capacity, 24*time.Hour), health.CoolingDown, time.Minute, false},
		"quota":       {outcome(table.QuotaExhausted, 5*time.Second), health.NoQuota, 5 * time.Second, true},
		"quota, far":  {outcome(table.QuotaExhausted, 9*time.Hour), health.NoQuota, time.Hour, true},
		"quota alone": {outcome(table.QuotaExhausted, 0), health.NoQuota, 30 * time.Second, true},
		"key":         {outcome(table.KeyRejected, 0), health.KeyRefused, 10 * time.Second, true},
		"model":       {outcome(table.ModelWithdrawn, 0), health.Withdrawn, time.Minute, false},
		"negative":    {outcome(table.RateLimited, -time.Hour), health.CoolingDown, time.Second, false},
		"unavailable": {outcome(table.Unavailable, time.Hour), health.Open, 0, false},
		"neutral":     {health.Outcome{Neutral: true, Kind: table.RateLimited, RetryAfter: time.Hour, Limits: untold}, health.Open, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u, sibling := w.model("m"), w.model("sibling")
			other := w.registry.Upstream(health.Subject{Credential: "c", Key: "rotated", Model: "m"})
			w.call(u, tc.outcome)
			w.blocked(u, tc.block, tc.left)
			w.blocked(other, health.Open, 0)
			if !tc.ofKey {
				w.blocked(sibling, health.Open, 0)
				return
			}
			w.blocked(sibling, tc.block, tc.left)
			w.refused(sibling)
			w.blocked(w.registry.Upstream(health.Subject{Credential: "c", Key: "k"}), tc.block, tc.left)
		})
	}
}

// TestCapacityCounts: capacity with a time to wait is a failure as well.
func TestCapacityCounts(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	w.call(u, success)
	w.call(u, outcome(table.Capacity, time.Second))
	w.blocked(u, health.CoolingDown, time.Second)
	if got := u.View(w.now).ErrorPermille; got != 500 {
		t.Errorf("%d permille failed, want 500", got)
	}
}

// TestLongerOfTwoBlocks: the key's block and the model's own stand side by side.
func TestLongerOfTwoBlocks(t *testing.T) {
	for name, tc := range map[string]struct {
		own, key time.Duration
		block    health.Block
		left     time.Duration
		then     health.Block
		thenLeft time.Duration
	}{
		"key longer": {10 * time.Second, 30 * time.Second, health.NoQuota, 30 * time.Second, health.NoQuota, 10 * time.Second},
		"own longer": {30 * time.Second, 10 * time.Second, health.CoolingDown, 30 * time.Second, health.CoolingDown, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u := w.model("m")
			first, second := w.begin(u), w.begin(u)
			first.End(w.now, outcome(table.RateLimited, tc.own))
			second.End(w.now, outcome(table.QuotaExhausted, tc.key))
			w.blocked(u, tc.block, tc.left)
			w.pass(20 * time.Second)
			w.blocked(u, tc.then, tc.thenLeft)
			if v := u.View(w.now); v.Probe {
				t.Error("it says that it can be tried")
			}
			w.refused(u)
			w.pass(10 * time.Second)
			probe := w.begin(u)
			w.refused(u)
			probe.End(w.now, success)
			w.begin(u)
			w.begin(u)
		})
	}
}

// TestHarderBlockIsNamed: a share of failures, which can be passed over, does not hide what cannot.
func TestHarderBlockIsNamed(t *testing.T) {
	w := newWorld(t)
	u, sibling := w.model("m"), w.model("sibling")
	ofKey := w.begin(sibling)
	late := w.begin(u)
	for range 10 {
		w.call(u, success)
		w.call(u, failed)
	}
	w.blocked(u, health.ErrorRate, time.Second)
	ofKey.End(w.now, outcome(table.QuotaExhausted, 100*time.Millisecond))
	w.blocked(u, health.NoQuota, time.Second)
	if _, ok := u.Begin(w.now, 1, true); ok {
		t.Error("the key's block is passed over")
	}
	w.pass(200 * time.Millisecond)
	w.blocked(u, health.ErrorRate, 800*time.Millisecond)
	late.End(w.now, outcome(table.RateLimited, 100*time.Millisecond))
	w.blocked(u, health.CoolingDown, 800*time.Millisecond)
}
