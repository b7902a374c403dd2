package route

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/table"
)

// The simulations drive the routers and the real registry of health with a clock and upstreams of their own.

// upstream is a simulated provider.
type upstream struct {
	state  *health.Upstream
	prices *table.Prices
	// answer is how a call that begins now ends, and how long it takes.
	answer func(now time.Time) (table.FailureKind, time.Duration)
	// rate is how many tokens a second it makes, and cached how many of the prompt's 1000 tokens its cache has.
	rate   func() float64
	cached func() int64
}

func (u *upstream) View(now time.Time, _ string) health.View { return u.state.View(now) }

func (u *upstream) Prices(string) *table.Prices { return u.prices }

// world is a route under load.
type world struct {
	now       time.Time
	random    *rand.Rand
	registry  *health.Registry
	route     *table.Route
	upstreams []*upstream
	router    *Router
	events    events
	serial    int

	// firsts and served count calls by the target that was first in their order and by the one that answered them.
	firsts, served []int
	failed         int
	attempts       int
	// watch is called for every call with its order and before its first attempt.
	watch func(order []Candidate)
}

// event is something that happens at a time. Those of the same time happen in the order in which they were planned.
type event struct {
	at     time.Time
	serial int
	do     func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at.Before(e[j].at) || (e[i].at.Equal(e[j].at) && e[i].serial < e[j].serial)
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func newWorld(seed uint64, strategy table.Strategy) *world {
	w := &world{now: start, random: rand.New(rand.NewPCG(seed, 2)), route: &table.Route{Strategy: strategy}}
	w.registry = health.NewRegistry(health.Options{Random: w.random.Int64N})
	return w
}

// add adds a target of a weight and an upstream that answers like this.
func (w *world) add(answer func(now time.Time) (table.FailureKind, time.Duration)) *upstream {
	u := &upstream{
		state:  w.registry.Upstream(health.Subject{Credential: string(rune('a' + len(w.upstreams))), Key: "k", Model: "m"}),
		answer: answer, rate: func() float64 { return 100 }, cached: func() int64 { return 0 },
	}
	w.upstreams = append(w.upstreams, u)
	return u
}

// open begins to route, with these weights and priorities of 0.
func (w *world) open(weights ...int32) {
	var targets []Target
	for i, u := range w.upstreams {
		targets = append(targets, Target{Target: &table.Target{Name: string(rune('a' + i)), Weight: weights[i]}, Provider: "OpenAI", Backend: u})
	}
	w.router = NewRouter(w.route, targets, NewMemory())
	w.reset()
}

func (w *world) reset() {
	w.firsts, w.served = make([]int, len(w.upstreams)), make([]int, len(w.upstreams))
	w.failed, w.attempts = 0, 0
}

func (w *world) after(d time.Duration, do func()) {
	w.serial++
	heap.Push(&w.events, event{w.now.Add(d), w.serial, do})
}

// run has so many calls a second come for a time, at times of chance.
func (w *world) run(duration time.Duration, perSecond float64) {
	end := w.now.Add(duration)
	for arrival := w.now; ; arrival = arrival.Add(time.Duration(w.random.ExpFloat64() / perSecond * 1e9)) {
		w.settle(min(arrival.Sub(start), end.Sub(start)))
		if arrival.After(end) {
			return
		}
		w.call()
	}
}

// settle has all happen that happens until a time after the start.
func (w *world) settle(until time.Duration) {
	for len(w.events) > 0 && w.events[0].at.Sub(start) <= until {
		next := heap.Pop(&w.events).(event)
		w.now = next.at
		next.do()
	}
	w.now = start.Add(until)
}

func (w *world) query() *Query {
	return &Query{Now: w.now, Asked: "m", PromptTokens: 1000, Random: w.random.Int64N, Stream: true}
}

// call makes a call, which goes on to the next target after each failure.
func (w *world) call() {
	order := w.router.Order(nil, 0, w.query())
	if w.watch != nil {
		w.watch(order)
	}
	if order[0].Out == Eligible {
		w.firsts[order[0].Index]++
	}
	w.attempt(order, 0, 0, table.None)
}

// attempt tries the candidate at place, and what follows it.
func (w *world) attempt(order []Candidate, tried uint64, place int, kind table.FailureKind) {
	next := func(kind table.FailureKind) {
		if place, ok := Next([]*Router{w.router}, order, tried|1<<place, place, kind); ok {
			w.attempt(order, tried|1<<place, place, kind)
			return
		}
		w.failed++
	}
	c := order[place]
	if c.Out != Eligible {
		w.failed++
		return
	}
	u := w.upstreams[c.Index]
	begun, ok := u.state.Begin(w.now, 1000, c.LastResort)
	if !ok {
		next(kind)
		return
	}
	w.attempts++
	failure, took := u.answer(w.now)
	w.after(took, func() {
		const output = 300
		begun.End(w.now, health.Outcome{
			Kind: failure, Stream: true, FirstToken: took, Duration: took + time.Duration(output/u.rate()*1e9),
			Prompt: 1000, Cached: u.cached(), Completion: output, Limits: health.RateLimits{RequestsLeft: -1, TokensLeft: -1},
		})
		if failure != table.None {
			next(failure)
			return
		}
		w.served[c.Index]++
	})
}

// around is an answer after a time that varies by so many percent to either side.
func (w *world) around(mean time.Duration, percent float64) func(time.Time) (table.FailureKind, time.Duration) {
	return func(time.Time) (table.FailureKind, time.Duration) {
		return table.None, time.Duration(float64(mean) * (1 + percent/100*(2*w.random.Float64()-1)))
	}
}

// during has an upstream answer otherwise between two times after the start.
func during(from, to time.Duration, otherwise, usual func(time.Time) (table.FailureKind, time.Duration)) func(time.Time) (table.FailureKind, time.Duration) {
	return func(now time.Time) (table.FailureKind, time.Duration) {
		if passed := now.Sub(start); passed >= from && passed < to {
			return otherwise(now)
		}
		return usual(now)
	}
}

func dead(time.Time) (table.FailureKind, time.Duration) {
	return table.Unavailable, 5 * time.Millisecond
}

// share is the part of a count in all, in permille.
func share(counts []int, index int) float64 {
	total := 0
	for _, n := range counts {
		total += n
	}
	return 1000 * float64(counts[index]) / float64(max(total, 1))
}

func TestSimulatedWeights(t *testing.T) {
	w := newWorld(1, table.Weighted)
	for range 4 {
		w.add(w.around(200*time.Millisecond, 50))
	}
	w.open(500, 300, 150, 50)
	w.run(400*time.Second, 100)
	for i, want := range []float64{500, 300, 150, 50} {
		if got := share(w.served, i); math.Abs(got-want) > 10 {
			t.Errorf("target %d served %.1f of 1000 calls, want %.0f", i, got, want)
		}
	}
	if w.failed > 0 {
		t.Errorf("%d calls failed", w.failed)
	}
}

func TestSimulatedFastest(t *testing.T) {
	for _, strategy := range []table.Strategy{table.LowestLatency, table.HighestThroughput} {
		w := newWorld(2, strategy)
		for _, ms := range []float64{300, 200, 100, 400} {
			u := w.add(w.around(time.Duration(ms*1e6), 30))
			u.rate = func() float64 { return 20000 / ms * (0.7 + 0.6*w.random.Float64()) }
		}
		w.open(1, 1, 1, 1)
		w.run(30*time.Second, 50)
		w.reset()
		w.run(200*time.Second, 50)
		// All but what explores, about 2 %.
		if got := share(w.served, 2); got < 970 {
			t.Errorf("%s: the fastest served %.1f of 1000 calls", strategy, got)
		}
	}
}

func TestSimulatedCheapest(t *testing.T) {
	w := newWorld(3, table.LowestCost)
	for _, price := range []int64{3, 2, 4} {
		w.add(w.around(200*time.Millisecond, 30)).prices = &table.Prices{Input: price * 1e9, CachedInput: price * 1e8, Output: price * 2e9}
	}
	w.open(1, 1, 1)
	w.run(100*time.Second, 50)
	if got := share(w.served, 1); got != 1000 {
		t.Errorf("the cheapest served %.1f of 1000 calls", got)
	}
}

// changes counts how often a target comes into the band of the best or leaves it, or takes or loses the lead by cost.
func (w *world) changes(bit uint32) func() int {
	before, n := make([]bool, len(w.upstreams)), 0
	w.watch = func([]Candidate) {
		for i := range w.router.targets {
			if now := w.router.targets[i].traits.has(bit); now != before[i] {
				before[i] = now
				n++
			}
		}
	}
	return func() int { return n }
}

// A target that is 15 % behind the best, with calls that vary by half, would come and go all the time with one threshold.
func TestSimulatedNoiseMovesNothing(t *testing.T) {
	w := newWorld(4, table.LowestLatency)
	for _, ms := range []int{100, 115, 135} {
		w.add(w.around(time.Duration(ms)*time.Millisecond, 60))
	}
	w.open(1, 1, 1)
	changes := w.changes(inStreamBand)
	w.run(1000*time.Second, 5)
	if n := changes(); n > 20 {
		t.Errorf("targets came into the band and left it %d times in 5000 calls", n)
	}
}

// Two targets whose costs are hardly apart, and cross again and again with what their caches have, do not take the lead in turns.
func TestSimulatedNoiseMovesNoLead(t *testing.T) {
	w := newWorld(5, table.LowestCost)
	for range 2 {
		u := w.add(w.around(100*time.Millisecond, 30))
		u.prices = &table.Prices{Input: 1e9, CachedInput: 5e8, Output: 1e9}
		u.cached = func() int64 { return 380 + w.random.Int64N(40) }
	}
	w.open(1, 1)
	changes := w.changes(leadsByCost)
	w.run(1000*time.Second, 5)
	if n := changes(); n != 1 {
		t.Errorf("the lead changed %d times, want once", n)
	}
}

// A target fails for 10 seconds. No call fails; it is found again, and gets its calls back little by little.
func TestSimulatedRecovery(t *testing.T) {
	for _, strategy := range []table.Strategy{table.Weighted, table.LowestLatency, table.LeastInFlight, table.LowestCost} {
		t.Run(string(strategy), func(t *testing.T) {
			w := newWorld(6, strategy)
			// By each strategy the first is the better one, or as good.
			w.add(during(60*time.Second, 70*time.Second, dead, w.around(90*time.Millisecond, 20))).prices = &table.Prices{Output: 1e9}
			w.add(w.around(200*time.Millisecond, 20)).prices = &table.Prices{Output: 2e9}
			w.open(1, 1)
			w.run(60*time.Second, 40)
			usual := share(w.served, 0)
			w.run(10*time.Second, 40)
			found, firsts := w.secondsOf(60)
			if w.failed > 0 {
				t.Errorf("%d calls failed", w.failed)
			}
			if found > 20 {
				t.Fatalf("it was found again after %d seconds", found)
			}
			// The ramp begins with a tenth and takes 10 seconds.
			for second, bound := range []float64{350, 400, 450, 600} {
				if got := firsts[found+second]; got > bound {
					t.Errorf("in second %d it was first in %.0f of 1000 calls", second, got)
				}
			}
			late := 0.0
			for _, permille := range firsts[found+15 : found+30] {
				late += permille / 15
			}
			if late < usual-150 {
				t.Errorf("later it is first in %.0f of 1000 calls, before the failure in %.0f", late, usual)
			}
		})
	}
}

// secondsOf runs second by second. It returns the second in which the first target served for the first time, and how often it was first in each.
func (w *world) secondsOf(seconds int) (found int, firsts []float64) {
	found = seconds
	for second := range seconds {
		failed := w.failed
		w.reset()
		w.failed = failed
		w.run(time.Second, 40)
		if w.served[0] > 0 {
			found = min(found, second)
		}
		firsts = append(firsts, share(w.firsts, 0))
	}
	return found, firsts
}

// How soon a target is found that is back when its time is over: at 20 calls a second within about a second.
func TestSimulatedProbe(t *testing.T) {
	slow := 0
	const seeds = 200
	for seed := range uint64(seeds) {
		w := newWorld(100+seed, table.Weighted)
		w.add(during(time.Second, 3*time.Second, dead, w.around(90*time.Millisecond, 20)))
		w.add(w.around(90*time.Millisecond, 20))
		w.open(1, 9)
		var since, found time.Time
		w.watch = func([]Candidate) {
			view := w.upstreams[0].state.View(w.now)
			healthy := w.now.Sub(start) > 3*time.Second
			if since.IsZero() && healthy && view.Probe {
				since = w.now
			}
			if found.IsZero() && !since.IsZero() && !view.Probe {
				found = w.now
			}
		}
		w.run(40*time.Second, 20)
		if since.IsZero() {
			continue
		}
		if found.IsZero() || found.Sub(since) > 1500*time.Millisecond {
			slow++
		}
	}
	if slow > seeds/20 {
		t.Errorf("in %d of %d outages it took more than a second and a half", slow, seeds)
	}
}

// The fastest target turns slow for a minute and is the fastest again afterwards. Without calls to find that out it would never be used again.
func TestSimulatedExplorationFindsTheFastest(t *testing.T) {
	w := newWorld(7, table.LowestLatency)
	w.add(during(60*time.Second, 120*time.Second, w.around(time.Second, 20), w.around(100*time.Millisecond, 20)))
	w.add(w.around(250*time.Millisecond, 20))
	w.open(1, 1)
	for _, phase := range []struct {
		name        string
		wait, count time.Duration
		want        int
	}{
		{"at first", 30 * time.Second, 30 * time.Second, 0},
		{"while it is slow", 15 * time.Second, 45 * time.Second, 1},
		{"when it is fast again", 200 * time.Second, 60 * time.Second, 0},
	} {
		w.run(phase.wait, 20)
		w.reset()
		w.run(phase.count, 20)
		if got := share(w.served, phase.want); got < 950 {
			t.Errorf("%s the better one served %.1f of 1000 calls", phase.name, got)
		}
	}
}

// A target that nobody has called is found, and becomes the first when it is the fastest.
func TestSimulatedNewTargetIsFound(t *testing.T) {
	w := newWorld(8, table.LowestLatency)
	w.add(w.around(200*time.Millisecond, 20))
	w.add(w.around(100*time.Millisecond, 20))
	w.open(1, 1)
	w.router.targets = w.router.targets[:1]
	w.run(10*time.Second, 20)
	w.open(1, 1)
	w.run(10*time.Second, 20)
	w.reset()
	w.run(10*time.Second, 20)
	if got := share(w.served, 1); got < 900 {
		t.Errorf("the new target served %.1f of 1000 calls", got)
	}
}

// In a total outage calls end at once: hardly any of them makes an attempt, once the circuits are open.
func TestSimulatedTotalOutage(t *testing.T) {
	w := newWorld(9, table.Weighted)
	for range 3 {
		w.add(during(10*time.Second, 70*time.Second, dead, w.around(100*time.Millisecond, 20)))
	}
	w.open(1, 1, 1)
	w.run(11*time.Second, 50)
	w.reset()
	w.run(58*time.Second, 50)
	calls := w.failed
	if calls < 2500 || float64(w.attempts) > float64(calls)/20 {
		t.Errorf("%d calls made %d attempts", calls, w.attempts)
	}
	w.run(21*time.Second, 50)
	w.reset()
	w.run(20*time.Second, 50)
	if w.failed > 0 {
		t.Errorf("%d calls failed after the outage", w.failed)
	}
}

// A target that takes ten times as long gets about a tenth of the calls.
func TestSimulatedLeastInFlight(t *testing.T) {
	w := newWorld(10, table.LeastInFlight)
	w.add(w.around(time.Second, 20))
	w.add(w.around(100*time.Millisecond, 20))
	w.open(1, 1)
	w.run(100*time.Second, 200)
	if got := share(w.served, 0); got < 60 || got > 140 {
		t.Errorf("the slow one served %.1f of 1000 calls", got)
	}
}
