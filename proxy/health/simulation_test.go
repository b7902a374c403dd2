package health_test

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/table"
)

// event is something that happens at a time.
type event struct {
	at time.Time
	do func()
}

// agenda holds events in their order.
type agenda []event

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(e any)        { *a = append(*a, e.(event)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// simulation drives upstreams with calls that take time.
type simulation struct {
	*world
	random *rand.Rand
	agenda agenda
	start  time.Time
}

func newSimulation(t *testing.T, seed uint64) *simulation {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	w := seeded(t, random)
	return &simulation{world: w, random: random, start: w.now}
}

// at has something done after some time from the start.
func (s *simulation) at(after time.Duration, do func()) {
	heap.Push(&s.agenda, event{s.start.Add(after), do})
}

// soon has something done after some time from now.
func (s *simulation) soon(after time.Duration, do func()) { s.at(s.now.Sub(s.start)+after, do) }

// every has something done so many times a second, at random moments.
func (s *simulation) every(rate float64, until time.Duration, do func()) {
	for after := time.Duration(0); after < until; after += time.Duration(s.random.ExpFloat64() / rate * float64(time.Second)) {
		s.at(after, do)
	}
}

// run does all in the order of its time.
func (s *simulation) run() {
	for len(s.agenda) > 0 {
		next := heap.Pop(&s.agenda).(event)
		s.now = next.at
		next.do()
	}
}

func (s *simulation) since() time.Duration { return s.now.Sub(s.start) }

// The time in which outages end all calls.
const (
	outageBegin = 20 * time.Second
	outageEnd   = 40 * time.Second
)

// outage is what was seen of one.
type outage struct {
	*simulation
	upstream *health.Upstream
	// sent counts the calls that were sent into it, lastSent and gap are when, and the longest time in which there was none.
	sent          int
	lastSent, gap time.Duration
	// back is when the first call was sent after it, and bySecond how many since.
	back     time.Duration
	bySecond map[int]int
}

// call makes one call, if the ramp lets it.
func (o *outage) call() {
	v := o.upstream.View(o.now)
	if o.random.IntN(1000) >= v.Ramp && !v.Probe {
		return
	}
	a, ok := o.upstream.Begin(o.now, 1, false)
	if !ok {
		return
	}
	result := o.send()
	o.soon(50*time.Millisecond+time.Duration(o.random.Int64N(int64(100*time.Millisecond))), func() { a.End(o.now, result) })
}

// send tells how a call ends that is sent now.
func (o *outage) send() health.Outcome {
	switch {
	case o.since() >= outageEnd:
		if o.back == 0 {
			o.back = o.since()
		}
		o.bySecond[int((o.since()-o.back)/time.Second)]++
	case o.since() >= outageBegin:
		o.sent++
		o.gap = max(o.gap, o.since()-o.lastSent)
		o.lastSent = o.since()
		return failed
	}
	return success
}

// TestOutageAndRecovery: in an outage of twenty seconds under a hundred calls a second hardly any call is sent, single attempts go out all the time, and
// after it the upstream is found again in seconds and gets its calls little by little.
func TestOutageAndRecovery(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := newSimulation(t, seed)
			o := &outage{simulation: s, upstream: s.model("m"), lastSent: outageBegin, bySecond: map[int]int{}}
			s.every(100, 60*time.Second, o.call)
			s.run()
			if o.sent > 60 || o.sent < 8 || o.gap > 16*time.Second {
				t.Errorf("%d calls were sent into the outage, none for %s", o.sent, o.gap)
			}
			if o.back == 0 || o.back > outageEnd+16*time.Second {
				t.Errorf("it was found again at %s", o.back)
			}
			if o.bySecond[0] > 35 || o.bySecond[1] > 50 {
				t.Errorf("%d and %d calls in the first seconds after it came back", o.bySecond[0], o.bySecond[1])
			}
			if v := o.upstream.View(o.now); v.Block != health.Open || v.Probe {
				t.Errorf("at the end it is %+v", v)
			}
		})
	}
}

// TestFlapping: an upstream of which three in ten calls fail at random is not taken out of use: that it is slow to be judged costs less than to do without.
func TestFlapping(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := newSimulation(t, seed)
			u := s.model("m")
			calls, refused, blocks := 0, 0, 0
			was := health.Open
			s.every(100, 2*time.Minute, func() {
				calls++
				a, ok := u.Begin(s.now, 1, false)
				if !ok {
					refused++
					return
				}
				bad := s.random.IntN(10) < 3
				s.soon(time.Duration(s.random.Int64N(int64(100*time.Millisecond))), func() {
					o := success
					if bad {
						o = failed
					}
					a.End(s.now, o)
					if now := u.View(s.now).Block; now != was {
						was = now
						blocks++
					}
				})
			})
			s.run()
			if refused*50 > calls || blocks > 6 {
				t.Errorf("%d of %d calls were refused, %d changes", refused, calls, blocks)
			}
		})
	}
}

// TestMostlyFailing: an upstream of which seven in ten calls fail is left alone nearly all of the time.
func TestMostlyFailing(t *testing.T) {
	for seed := range uint64(10) {
		s := newSimulation(t, seed)
		u := s.model("m")
		calls, sent := 0, 0
		s.every(50, 2*time.Minute, func() {
			calls++
			a, ok := u.Begin(s.now, 1, false)
			if !ok {
				return
			}
			sent++
			o := success
			if s.random.IntN(10) < 7 {
				o = failed
			}
			a.End(s.now, o)
		})
		s.run()
		if sent*10 > calls {
			t.Errorf("seed %d: %d of %d calls were sent", seed, sent, calls)
		}
	}
}

// TestRetriesNeverAmplify: in a full outage that opens no circuit, as each failure is followed by a success of another kind of call would do, retries stay a
// tenth of the calls.
func TestRetriesNeverAmplify(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := newSimulation(t, seed)
			u := s.model("m")
			calls, attempts := 0, 0
			var try func(left int)
			try = func(left int) {
				a, ok := u.Begin(s.now, 1, true)
				if !ok {
					return
				}
				attempts++
				s.soon(time.Duration(s.random.Int64N(int64(time.Second))), func() {
					a.End(s.now, outcome(table.BadRequest, 0))
					if left > 0 && u.AllowRetry(s.now) {
						s.soon(time.Duration(s.random.Int64N(int64(time.Second))), func() { try(left - 1) })
					}
				})
			}
			s.every(50, time.Minute, func() {
				calls++
				try(5)
			})
			s.run()
			if amplification := float64(attempts) / float64(calls); amplification > 1.1 || amplification < 1.09 {
				t.Errorf("%d attempts of %d calls: %f", attempts, calls, amplification)
			}
		})
	}
}

// TestOutageAmplification: with the circuit, a full outage sees far fewer attempts than calls.
func TestOutageAmplification(t *testing.T) {
	s := newSimulation(t, 1)
	u := s.model("m")
	calls, attempts := 0, 0
	var try func(left int)
	try = func(left int) {
		a, ok := u.Begin(s.now, 1, true)
		if !ok {
			return
		}
		attempts++
		s.soon(20*time.Millisecond, func() {
			a.End(s.now, failed)
			if left > 0 && u.AllowRetry(s.now) {
				s.soon(time.Duration(s.random.Int64N(int64(time.Second))), func() { try(left - 1) })
			}
		})
	}
	s.every(100, time.Minute, func() {
		calls++
		try(5)
	})
	s.run()
	if attempts*50 > calls {
		t.Errorf("%d attempts of %d calls", attempts, calls)
	}
}

// TestDeadlineProperty: whatever ends, is heard, or asks, in whatever order, a deadline that stands never moves to an earlier moment, no attempt is given
// before it, and of single attempts there is never more than one.
func TestDeadlineProperty(t *testing.T) {
	for seed := range uint64(100) {
		p := &interleaving{simulation: newSimulation(t, seed), standing: map[*health.Upstream]time.Time{}}
		for _, name := range []string{"a", "b", "c"} {
			p.upstreams = append(p.upstreams, p.model(name))
		}
		for range 1500 {
			p.step()
			p.check()
		}
	}
}

// interleaving is a random history.
type interleaving struct {
	*simulation
	upstreams []*health.Upstream
	running   []health.Attempt
	// standing is until when each is known to be left alone.
	standing map[*health.Upstream]time.Time
}

func (p *interleaving) step() {
	switch u := p.upstreams[p.random.IntN(3)]; p.random.IntN(8) {
	case 0, 1, 2:
		p.begin(u)
	case 3, 4, 5:
		p.end()
	case 6:
		said, err := json.Marshal([]map[string]any{{
			"credential": "c", "key": "k", "model": []string{"a", "b", "c", ""}[p.random.IntN(4)],
			"block": health.Block(1 + p.random.IntN(6)).String(), "remainingMS": p.random.Int64N(20_000) + 1,
		}})
		if err != nil || p.registry.Hear(said, p.now) != nil {
			p.Fatal("cannot hear")
		}
	default:
		p.pass(time.Duration(p.random.Int64N(int64(4 * time.Second))))
	}
}

func (p *interleaving) begin(u *health.Upstream) {
	lastResort := p.random.IntN(2) == 0
	before := u.View(p.now)
	a, ok := u.Begin(p.now, p.random.Int64N(100), lastResort)
	passed := lastResort && (before.Block == health.ErrorRate || before.Probe)
	if ok && !passed && (before.Block != health.Open || before.Busy) {
		p.Fatalf("an attempt was given in %+v", before)
	}
	if !ok && before.Block == health.Open && !before.Busy {
		p.Fatalf("an attempt was refused in %+v", before)
	}
	if ok {
		p.running = append(p.running, a)
	}
}

func (p *interleaving) end() {
	if len(p.running) == 0 {
		return
	}
	kinds := []table.FailureKind{
		table.None, table.None, table.Unavailable, table.Unreachable, table.Timeout, table.RateLimited, table.QuotaExhausted, table.KeyRejected,
		table.ModelWithdrawn, table.Capacity, table.BadRequest, table.Stalled,
	}
	i := p.random.IntN(len(p.running))
	a := p.running[i]
	if p.random.IntN(4) == 0 {
		a.FirstToken(p.now)
		return
	}
	p.running = append(p.running[:i], p.running[i+1:]...)
	o := outcome(kinds[p.random.IntN(len(kinds))], 0)
	o.Neutral = p.random.IntN(8) == 0
	if p.random.IntN(2) == 0 {
		o.RetryAfter = time.Duration(p.random.Int64N(int64(10 * time.Second)))
	}
	a.End(p.now, o)
}

func (p *interleaving) check() {
	for _, u := range p.upstreams {
		v := u.View(p.now)
		until := p.now.Add(v.For)
		if known := p.standing[u]; known.After(p.now) && until.Before(known.Add(-time.Microsecond)) {
			p.Fatalf("the deadline moved from %s to %s: %+v", known, until, v)
		}
		if v.Block == health.Open {
			until = time.Time{}
		}
		p.standing[u] = until
		if v.For > time.Hour || v.Probe && v.Block != health.Open || v.Busy && !v.Probe {
			p.Fatalf("it cannot be %+v", v)
		}
	}
}

// TestOneProbeAtATime: of any number of goroutines that ask at the same time, one gets the single attempt. The race detector looks on.
func TestOneProbeAtATime(t *testing.T) {
	w := newWorld(t)
	w.registry = health.NewRegistry(health.Options{})
	for round := range 200 {
		u, sibling := w.model(fmt.Sprint(round)), w.model(fmt.Sprint("sibling ", round))
		block := w.begin(sibling)
		w.fail(u, 5)
		if round%2 == 0 {
			block.End(w.now, outcome(table.KeyRejected, 0))
			u = sibling
		}
		w.pass(10 * time.Second)
		var given atomic.Int64
		var probes [8]health.Attempt
		var all sync.WaitGroup
		for i := range probes {
			all.Go(func() {
				if a, ok := u.Begin(w.now, 1, false); ok {
					given.Add(1)
					probes[i] = a
				}
				u.View(w.now)
				w.registry.Say(w.now)
			})
		}
		all.Wait()
		if given.Load() != 1 {
			t.Fatalf("%d single attempts", given.Load())
		}
		for i := range probes {
			all.Go(func() {
				probes[i].FirstToken(w.now)
				probes[i].End(w.now, success)
			})
		}
		all.Wait()
		block.End(w.now, neutral)
		if v := u.View(w.now); v.Probe || v.InFlight != 0 {
			t.Fatalf("afterwards it is %+v", v)
		}
	}
}

// TestAtOnce uses everything from many goroutines at once, for the race detector, and checks that nothing is lost count of.
func TestAtOnce(t *testing.T) {
	w := newWorld(t)
	w.registry = health.NewRegistry(health.Options{Changed: func() { w.registry.Say(w.now) }, Ended: func() { w.registry.Say(w.now) }})
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(g), 2))
			now := w.now
			for range 2000 {
				now = now.Add(time.Duration(random.Int64N(int64(50 * time.Millisecond))))
				u := w.model(fmt.Sprint(random.IntN(5)))
				a, ok := u.Begin(now, 10, random.IntN(2) == 0)
				u.AllowRetry(now)
				u.View(now)
				if !ok {
					continue
				}
				a.Answered(now, health.RateLimits{RequestsLeft: 5, TokensLeft: 50})
				a.FirstToken(now)
				kinds := []table.FailureKind{table.None, table.Unavailable, table.RateLimited, table.KeyRejected}
				a.End(now, outcome(kinds[random.IntN(4)], time.Millisecond))
				if random.IntN(100) == 0 {
					if err := w.registry.Hear(w.registry.Say(now), now); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	w.registry.Each(w.now, func(s health.Subject, v health.View) {
		if v.InFlight != 0 {
			t.Errorf("%+v has %d under way", s, v.InFlight)
		}
	})
}
