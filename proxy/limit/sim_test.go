package limit

import (
	"container/heap"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

const (
	simRequests    = 600
	simTokens      = 90_000
	simConcurrency = 20
	simStep        = 100 * time.Millisecond
	simExchange    = 500 * time.Millisecond
)

// event is something that happens at a time.
type event struct {
	at  time.Duration
	seq int
	do  func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

// sim drives real Sets over a network that loses, repeats, delays and reorders.
type sim struct {
	t      *testing.T
	random *rand.Rand
	now    time.Duration
	events events
	seq    int
	start  time.Time

	replicas []*replica
	// loss and repeat are in percent.
	loss, repeat int
	// cut tells whether two replicas cannot talk.
	cut func(a, b *replica) bool
	// load is how many calls a second a replica gets of each route.
	load func(r *replica) float64

	log map[string][]admitted
	// under is the calls under way, by route.
	under map[string]int64
	// peak is the most that were ever under way.
	peak map[string]int64
}

type admitted struct {
	at     time.Duration
	tokens int64
}

type replica struct {
	sim   *sim
	id    string
	set   *Set
	alive bool
	// known are the members that were told, met those that were exchanged with.
	known, met map[*replica]bool
	settled    bool
	debt       float64
	calls      map[*Admission]string
}

var simLimits = map[string]table.Limit{
	"requests": {Per: table.PerRoute, RequestsPerMinute: simRequests},
	"tokens":   {Per: table.PerRoute, TokensPerMinute: simTokens},
	"held":     {Per: table.PerRoute, Concurrency: simConcurrency},
	"caller":   {Per: table.PerCaller, RequestsPerMinute: simRequests},
	"few":      {Per: table.PerRoute, RequestsPerMinute: 3},
}

func newSim(t *testing.T, seed uint64) *sim {
	return &sim{
		t: t, random: rand.New(rand.NewPCG(seed, 1)), start: time.Unix(1_800_000_000, 0), loss: 10, repeat: 10,
		cut: func(_, _ *replica) bool { return false }, load: func(*replica) float64 { return 0 },
		log: map[string][]admitted{}, under: map[string]int64{}, peak: map[string]int64{},
	}
}

func (s *sim) after(d time.Duration, do func()) {
	s.seq++
	heap.Push(&s.events, event{at: s.now + d, seq: s.seq, do: do})
}

// run lets time pass.
func (s *sim) run(d time.Duration) {
	end := s.now + d
	for s.now < end {
		next := s.now + simStep
		for len(s.events) > 0 && s.events[0].at <= next {
			e := heap.Pop(&s.events).(event)
			s.now = max(s.now, e.at)
			e.do()
		}
		s.now = next
		for _, r := range s.replicas {
			r.serve()
		}
	}
}

// add starts a replica; the others hear of it, and it of them, within two seconds.
func (s *sim) add() {
	r := &replica{sim: s, id: fmt.Sprintf("r%02d", s.random.IntN(90)+len(s.replicas)*100), alive: true, known: map[*replica]bool{}, met: map[*replica]bool{}, calls: map[*Admission]string{}}
	r.set = NewSet(Options{Now: func() time.Time { return s.start.Add(s.now) }, Changed: r.kick})
	var routes []table.Route
	for name, limit := range simLimits {
		routes = append(routes, table.Route{Object: table.Object{Name: name}, Limits: []table.Limit{limit}})
	}
	r.set.Use(routes)
	r.set.Members(nil, false)
	s.replicas = append(s.replicas, r)
	s.after(time.Duration(s.random.Int64N(int64(simExchange))), r.beat)
	for _, other := range s.replicas {
		if other == r || !other.alive {
			continue
		}
		s.after(s.lag(), func() { r.learn(other) })
		s.after(s.lag(), func() { other.learn(r) })
	}
	s.after(2*time.Second, r.trySettle)
}

func (s *sim) lag() time.Duration { return time.Duration(s.random.Int64N(int64(2 * time.Second))) }

// remove kills a replica; the others drop it within a few seconds.
func (s *sim) remove(r *replica) {
	r.alive = false
	for a, route := range r.calls {
		s.under[route]--
		delete(r.calls, a)
	}
	for _, other := range s.replicas {
		if other.alive {
			s.after(s.lag()+time.Second, func() {
				if delete(other.known, r); other.alive {
					other.tell()
				}
			})
		}
	}
}

func (r *replica) learn(other *replica) {
	if r.alive && other.alive && !r.known[other] {
		r.known[other] = true
		r.tell()
	}
}

func (r *replica) tell() {
	var ids []string
	for other := range r.known {
		ids = append(ids, other.id)
	}
	slices.Sort(ids)
	r.set.Members(ids, r.settled)
}

// trySettle settles a replica that met all that are alive.
func (r *replica) trySettle() {
	for _, other := range r.sim.replicas {
		if other != r && other.alive && (!r.known[other] || !r.met[other]) {
			r.sim.after(100*time.Millisecond, r.trySettle)
			return
		}
	}
	r.settled = true
	r.tell()
}

// beat exchanges with all peers of a higher name.
func (r *replica) beat() {
	if !r.alive {
		return
	}
	for _, other := range r.sim.replicas {
		if r.known[other] && r.id < other.id {
			r.exchange(other)
		}
	}
	r.sim.after(simExchange, r.beat)
}

func (r *replica) kick() {
	r.sim.after(0, func() {
		for _, other := range r.sim.replicas {
			if r.alive && r.known[other] {
				r.exchange(other)
			}
		}
	})
}

func (r *replica) exchange(other *replica) {
	r.send(other, r.set.Say(other.id), func() {
		if other.known[r] {
			other.met[r] = true
			other.send(r, other.set.Say(r.id), func() { r.met[other] = true })
		}
	})
}

// send delivers a message, sometimes never, late, or twice.
func (r *replica) send(to *replica, said json.RawMessage, then func()) {
	s := r.sim
	if said == nil || s.random.IntN(100) < s.loss || s.cut(r, to) {
		return
	}
	delivery := func() time.Duration {
		d := time.Duration(s.random.Int64N(int64(40 * time.Millisecond)))
		if s.random.IntN(10) == 0 {
			d += time.Duration(s.random.Int64N(int64(3 * time.Second)))
		}
		return d
	}
	hear := func() {
		if !to.alive {
			return
		}
		if err := to.set.Hear(r.id, said); err != nil {
			s.t.Errorf("hearing: %v", err)
		}
	}
	s.after(delivery(), func() { hear(); then() })
	if s.random.IntN(100) < s.repeat {
		s.after(delivery(), hear)
	}
}

// serve takes a step's calls.
func (r *replica) serve() {
	if !r.alive {
		return
	}
	r.debt += r.sim.load(r) * simStep.Seconds()
	for ; r.debt >= 1; r.debt-- {
		for _, name := range []string{"requests", "tokens", "held", "caller", "few"} {
			r.call(name)
		}
	}
}

func (r *replica) call(route string) {
	s := r.sim
	tokens := 50 + s.random.Int64N(200)
	a, _ := r.set.Admit(context.Background(), Call{Route: route, Caller: "c", Tokens: tokens})
	if a == nil {
		return
	}
	s.log[route] = append(s.log[route], admitted{s.now, tokens})
	s.under[route]++
	s.peak[route] = max(s.peak[route], s.under[route])
	if route == "held" && s.under[route] > simConcurrency {
		s.t.Errorf("%v: %d calls under way", s.now, s.under[route])
	}
	r.calls[a] = route
	s.after(time.Duration(500+s.random.IntN(4000))*time.Millisecond, func() {
		if _, held := r.calls[a]; !held {
			return
		}
		delete(r.calls, a)
		s.under[route]--
		a.Release()
	})
}

// worst is the most that any minute admitted, in per mille of the limit.
func (s *sim) worst(route string) int64 {
	limit := simLimits[route]
	var first int
	var sum, most int64
	size := func(a admitted) int64 {
		if limit.TokensPerMinute > 0 {
			return a.tokens
		}
		return 1
	}
	log := s.log[route]
	for _, a := range log {
		for sum += size(a); log[first].at <= a.at-time.Minute; first++ {
			sum -= size(log[first])
		}
		most = max(most, sum)
	}
	return most * 1000 / max(limit.RequestsPerMinute, limit.TokensPerMinute)
}

// use is what was admitted between two times, in per mille of the limit.
func (s *sim) use(route string, from, to time.Duration) int64 {
	limit := simLimits[route]
	var sum int64
	for _, a := range s.log[route] {
		if a.at > from && a.at <= to {
			if limit.TokensPerMinute > 0 {
				sum += a.tokens
			} else {
				sum++
			}
		}
	}
	return sum * 1000 / max(limit.RequestsPerMinute, limit.TokensPerMinute) * int64(time.Minute/time.Millisecond) / int64((to-from)/time.Millisecond)
}

func (s *sim) checkNever() {
	s.t.Helper()
	for _, route := range []string{"requests", "tokens", "caller", "few"} {
		if worst := s.worst(route); worst > 1000 {
			s.t.Errorf("%s: a minute admitted %d/1000 of the limit", route, worst)
		}
	}
}

func (s *sim) checkUse(from, to time.Duration, least int64, routes ...string) {
	s.t.Helper()
	for _, route := range routes {
		if use := s.use(route, from, to); use < least {
			s.t.Errorf("%s: %v to %v admitted %d/1000 of the limit, want %d", route, from, to, use, least)
		}
	}
}

// checkPeak checks that concurrency was used.
func (s *sim) checkPeak() {
	s.t.Helper()
	if s.peak["held"] < simConcurrency*9/10 {
		s.t.Errorf("at most %d calls were under way", s.peak["held"])
	}
}

func (s *sim) living() []*replica {
	return slices.DeleteFunc(slices.Clone(s.replicas), func(r *replica) bool { return !r.alive })
}
