package health_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/table"
)

var keyRefused = outcome(table.KeyRejected, 0)

// insist makes a last try that has to be given.
func (w *world) insist(u *health.Upstream) health.Attempt {
	w.Helper()
	if v := u.View(w.now); v.LastTry <= 0 {
		w.Fatalf("nobody sees that a last try may be made: %+v", v)
	}
	a, ok := u.Insist(w.now, 1)
	if !ok {
		w.Fatalf("a last try was refused: %+v", u.View(w.now))
	}
	return a
}

// noLastTry checks that none is given.
func (w *world) noLastTry(u *health.Upstream) {
	w.Helper()
	if v := u.View(w.now); v.LastTry != 0 {
		w.Fatalf("a last try seems to be possible: %+v", v)
	}
	if _, ok := u.Insist(w.now, 1); ok {
		w.Fatalf("a last try was given: %+v", u.View(w.now))
	}
}

// TestLastTryLiftsARefusal: one call finds out that the key is good again, for all models, before its time is over.
func TestLastTryLiftsARefusal(t *testing.T) {
	for name, answer := range map[string]func(w *world, a health.Attempt){
		"an answer":     func(w *world, a health.Attempt) { a.End(w.now, success) },
		"a first token": func(w *world, a health.Attempt) { a.FirstToken(w.now) },
		"a bad request": func(w *world, a health.Attempt) { a.End(w.now, outcome(table.BadRequest, 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u, sibling := w.model("m"), w.model("sibling")
			w.call(u, keyRefused)
			w.pass(time.Second)
			a := w.insist(u)
			w.refused(u)
			w.noLastTry(sibling)
			answer(w, a)
			w.blocked(sibling, health.Open, 0)
			w.begin(u)
			w.begin(sibling)
			if w.ended != 1 || len(w.said()) != 0 {
				t.Errorf("%d ends were told, and the others are told %v", w.ended, w.said())
			}
		})
	}
}

// TestLastTryInVain: the key is left alone for as long as before, and the next last try comes a second later.
func TestLastTryInVain(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	w.call(u, keyRefused)
	for second := 1; second < 10; second++ {
		w.pass(time.Second - time.Nanosecond)
		w.noLastTry(u)
		w.pass(time.Nanosecond)
		w.insist(u).End(w.now, keyRefused)
		w.blocked(u, health.KeyRefused, time.Duration(10-second)*time.Second)
		w.noLastTry(u)
	}
	w.pass(time.Second)
	w.call(u, keyRefused)
	w.blocked(u, health.KeyRefused, 20*time.Second)
	if w.changed != 2 {
		t.Errorf("told %d times, want 2", w.changed)
	}
}

// TestLastTryKeepsTheProbeAway that would follow within the same second.
func TestLastTryKeepsTheProbeAway(t *testing.T) {
	for name, end := range map[string]health.Outcome{"refused": keyRefused, "the client left": neutral} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u := w.model("m")
			w.call(u, keyRefused)
			w.pass(9900 * time.Millisecond)
			w.insist(u).End(w.now, end)
			w.pass(time.Second - 8*time.Nanosecond)
			w.refused(u)
			w.noLastTry(u)
			w.pass(8 * time.Nanosecond)
			w.begin(u)
		})
	}
}

// TestLastTryThatTakesLong: the second begins anew with its answer, and one that outlasts the block is its probe.
func TestLastTryThatTakesLong(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	w.call(u, keyRefused)
	w.pass(time.Second)
	a := w.insist(u)
	w.pass(3 * time.Second)
	w.noLastTry(u)
	a.End(w.now, keyRefused)
	w.noLastTry(u)
	w.pass(time.Second)
	a = w.insist(u)
	w.pass(30 * time.Second)
	w.refused(u)
	w.noLastTry(u)
	a.End(w.now, keyRefused)
	w.blocked(u, health.KeyRefused, 20*time.Second)
}

// TestNoLastTry where something else than the refusal stands against it.
func TestNoLastTry(t *testing.T) {
	for name, tc := range map[string]struct {
		block func(w *world, u *health.Upstream)
		ofKey bool
	}{
		"used-up quota": {func(w *world, u *health.Upstream) { w.call(u, outcome(table.QuotaExhausted, 0)) }, true},
		"heard of a quota": {func(w *world, _ *health.Upstream) {
			w.hear(`[{"credential":"c","key":"k","block":"NoQuota","remainingMS":60000}]`)
		}, true},
		"short limit":   {func(w *world, u *health.Upstream) { w.call(u, outcome(table.RateLimited, 5*time.Second)) }, false},
		"long limit":    {func(w *world, u *health.Upstream) { w.call(u, outcome(table.RateLimited, time.Minute)) }, false},
		"short of room": {func(w *world, u *health.Upstream) { w.call(u, outcome(table.Capacity, 5*time.Second)) }, false},
		"withdrawn":     {func(w *world, u *health.Upstream) { w.call(u, outcome(table.ModelWithdrawn, 0)) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			u, sibling := w.model("m"), w.model("sibling")
			refusing := w.begin(sibling)
			tc.block(w, u)
			refusing.End(w.now, keyRefused)
			w.pass(time.Second)
			w.noLastTry(u)
			if tc.ofKey {
				w.noLastTry(sibling)
				return
			}
			w.insist(sibling).End(w.now, success)
			w.refused(u)
		})
	}
}

// TestOthersDoNotRestoreWhatALastTryLifted: a replica that made none tells on of the refusal until its time is over, which is no news.
func TestOthersDoNotRestoreWhatALastTryLifted(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	w.hear(`[{"credential":"c","key":"k","block":"KeyRefused","remainingMS":10000}]`)
	w.pass(time.Second)
	w.insist(u).End(w.now, success)
	w.hear(`[{"credential":"c","key":"k","block":"KeyRefused","remainingMS":9100}]`)
	w.blocked(u, health.Open, 0)
	w.hear(`[{"credential":"c","key":"k","block":"NoQuota","remainingMS":9100}]`)
	w.blocked(u, health.NoQuota, 9100*time.Millisecond)
	w.pass(9100 * time.Millisecond)
	w.call(u, success)
	w.hear(`[{"credential":"c","key":"k","block":"KeyRefused","remainingMS":10000}]`)
	w.blocked(u, health.KeyRefused, 10*time.Second)
}

// TestARefusalAfterALastTryIsNews, to this replica and to the others.
func TestARefusalAfterALastTryIsNews(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	w.hear(`[{"credential":"c","key":"k","block":"KeyRefused","remainingMS":60000}]`)
	w.pass(time.Second)
	w.insist(u).End(w.now, success)
	w.pass(time.Second)
	w.call(u, keyRefused)
	w.blocked(u, health.KeyRefused, 10*time.Second)
	w.hear(`[{"credential":"c","key":"k","block":"KeyRefused","remainingMS":30000}]`)
	w.blocked(u, health.KeyRefused, 30*time.Second)
	if said := w.said(); len(said) != 1 || w.changed != 1 {
		t.Errorf("told %d times, at last %v", w.changed, said)
	}
}

// TestOneLastTryAtATime of any number of goroutines. The race detector looks on.
func TestOneLastTryAtATime(t *testing.T) {
	w := newWorld(t)
	w.registry = health.NewRegistry(health.Options{})
	for round := range 100 {
		key := fmt.Sprint(round)
		models := [2]*health.Upstream{}
		for i := range models {
			models[i] = w.registry.Upstream(health.Subject{Credential: "c", Key: key, Model: fmt.Sprint(i)})
		}
		w.call(models[0], keyRefused)
		w.pass(time.Second)
		var given atomic.Int64
		var tries [8]health.Attempt
		var all sync.WaitGroup
		for i := range tries {
			all.Go(func() {
				u := models[i%2]
				u.View(w.now)
				if a, ok := u.Insist(w.now, 1); ok {
					given.Add(1)
					tries[i] = a
				}
				w.registry.Say(w.now)
			})
		}
		all.Wait()
		if given.Load() != 1 {
			t.Fatalf("%d last tries", given.Load())
		}
		for i := range tries {
			all.Go(func() { tries[i].End(w.now, success) })
		}
		all.Wait()
		w.blocked(models[1], health.Open, 0)
	}
}

// TestLastTriesKeepTheirPace: whatever ends, is heard, or asks, in whatever order, nobody calls a refused key more than once a second, nor while somebody else
// does.
func TestLastTriesKeepTheirPace(t *testing.T) {
	for seed := range uint64(100) {
		p := &pacing{simulation: newSimulation(t, seed)}
		for _, name := range []string{"a", "b", "c"} {
			p.upstreams = append(p.upstreams, p.model(name))
		}
		for range 1500 {
			p.step()
		}
		if p.tries == 0 {
			t.Fatal("no last try was made, so that nothing was shown")
		}
	}
}

// pacing is a random history of a key that dies and recovers.
type pacing struct {
	*simulation
	upstreams []*health.Upstream
	running   []paced
	// refused tells that the newest answer was that the key is refused, and asked is when that was or a call began since then.
	refused bool
	asked   time.Time
	tries   int
}

// paced is an attempt, whether it began while the key was refused, and whether it is a last try.
type paced struct {
	health.Attempt
	refused, last bool
	began         time.Time
}

func (p *pacing) step() {
	switch p.random.IntN(6) {
	case 0, 1, 2:
		p.begin(p.upstreams[p.random.IntN(3)])
	case 3, 4:
		p.end()
	default:
		p.pass(time.Duration(p.random.Int64N(int64(1500 * time.Millisecond))))
	}
}

func (p *pacing) begin(u *health.Upstream) {
	before := u.View(p.now)
	begin := u.Insist
	if p.random.IntN(3) == 0 {
		begin = func(now time.Time, tokens int64) (health.Attempt, bool) { return u.Begin(now, tokens, false) }
	}
	a, ok := begin(p.now, 1)
	if !ok {
		return
	}
	if before.LastTry > 0 {
		p.tries++
	}
	if p.refused {
		p.look(before)
		p.asked = p.now
	}
	p.running = append(p.running, paced{a, p.refused, before.LastTry > 0, p.now})
}

// look fails the test if a call to a refused key began too early. What never ends keeps others out for a minute only.
func (p *pacing) look(before health.View) {
	if since := p.now.Sub(p.asked); since < time.Second-8*time.Nanosecond {
		p.Fatalf("%s after the last one a call was made with a refused key in %+v", since, before)
	}
	for _, other := range p.running {
		if other.refused && p.now.Sub(other.began) < time.Minute {
			p.Fatalf("two calls at a time were made with a refused key in %+v", before)
		}
	}
}

func (p *pacing) end() {
	if len(p.running) == 0 {
		return
	}
	i := p.random.IntN(len(p.running))
	a := p.running[i]
	p.running = append(p.running[:i], p.running[i+1:]...)
	kinds := []table.FailureKind{table.None, table.KeyRejected, table.KeyRejected}
	if a.last {
		kinds = append(kinds, table.RateLimited, table.Unavailable) // Which say nothing of the key.
	}
	kind := kinds[p.random.IntN(len(kinds))]
	before := p.upstreams[0].View(p.now)
	a.End(p.now, outcome(kind, 0))
	after := p.upstreams[0].View(p.now)
	switch {
	case kind == table.KeyRejected && after.KeyBlock == health.KeyRefused && (!p.refused || a.refused):
		p.refused, p.asked = true, p.now
	case before.KeyBlock == health.KeyRefused && after.KeyBlock == health.Open:
		p.refused = false
		for i := range p.running {
			p.running[i].refused = false
		}
	}
}

// TestPardon: a refusal is as if it had never been, whatever other replicas go on telling of it, and what attempts from before it come to.
func TestPardon(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	late := w.begin(u)
	for range 3 {
		w.call(u, keyRefused)
		w.pass(u.View(w.now).For)
	}
	w.call(u, keyRefused)
	vacancy := w.registry.Vacancy()
	w.registry.Pardon("c", "k", w.now)
	w.registry.Pardon("c", "nobody's", w.now)
	w.blocked(u, health.Open, 0)
	if v := u.View(w.now); v.Ramp != 1000 || v.Probe {
		t.Errorf("it gets a part of its calls: %+v", v)
	}
	select {
	case <-vacancy:
	default:
		t.Error("nobody is told")
	}
	if said := w.said(); len(said) != 0 {
		t.Errorf("the others are told %v", said)
	}
	w.hear(`[{"credential":"c","key":"k","block":"KeyRefused","remainingMS":80000}]`)
	w.blocked(u, health.Open, 0)
	late.End(w.now, keyRefused)
	w.blocked(u, health.Open, 0)
	w.call(u, keyRefused)
	w.blocked(u, health.KeyRefused, 10*time.Second)
}

// TestPardonIsForRefusalsAlone: a quota that is used up is not seen by who asks whether a key is good.
func TestPardonIsForRefusalsAlone(t *testing.T) {
	w := newWorld(t)
	u := w.model("m")
	w.call(u, outcome(table.QuotaExhausted, time.Minute))
	w.registry.Pardon("c", "k", w.now)
	w.blocked(u, health.NoQuota, time.Minute)
}
