package route

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/preference"
	"signalbox.dev/signalbox/proxy/table"
)

func bySession(ttl time.Duration) *table.Route {
	return &table.Route{Affinity: &table.Affinity{By: table.BySession, TTL: ttl}}
}

// session is the query of a call of a session. It fails whoever draws: where a session goes is not left to chance, but for what comes behind it.
func session(id uint64) *Query { return &Query{Now: start, Affinity: id, Random: always(0)} }

// homes is where a number of new sessions go, by name.
func homes(router *Router, sessions int) map[uint64]string {
	ids, found := rand.New(rand.NewPCG(5, 5)), map[uint64]string{}
	for range sessions {
		id := ids.Uint64()
		found[id] = firstOf(router, session(id))
	}
	return found
}

// Each proxy, and each table, puts a session at the same target: there is nothing to tell each other.
func TestSessionsHaveTheSameHomeAtAllProxies(t *testing.T) {
	a, b, c := at("a"), at("b", weight(3)), at("c", provider("Groq"))
	one := homes(NewRouter(bySession(0), []Target{a, b, c}, NewMemory()), 2000)
	other := homes(NewRouter(bySession(0), []Target{c, a, b}, NewMemory()), 2000)
	for id, home := range one {
		if other[id] != home {
			t.Fatalf("session %d is at %s and at %s", id, home, other[id])
		}
	}
}

func TestNewSessionsAreSharedByWeight(t *testing.T) {
	targets := []Target{at("a", weight(700)), at("b", weight(200)), at("c", weight(100)), at("drained", weight(0)), at("late", priority(1))}
	got := map[string]float64{}
	for _, home := range homes(NewRouter(bySession(0), targets, NewMemory()), 40000) {
		got[home] += 1000.0 / 40000
	}
	wantShares(t, got, map[string]float64{"a": 700, "b": 200, "c": 100}, 10)
}

// A target that comes or goes moves only its own share of the sessions, and those only to it or from it.
func TestATargetMoreMovesItsShareOfSessions(t *testing.T) {
	for n := 1; n <= 8; n++ {
		var targets []Target
		for i := range n {
			targets = append(targets, at("t"+strconv.Itoa(i)))
		}
		before := homes(NewRouter(bySession(0), targets, NewMemory()), 4000)
		after := homes(NewRouter(bySession(0), append(targets, at("new")), NewMemory()), 4000)
		moved := 0.0
		for id, home := range before {
			if after[id] == home {
				continue
			}
			if moved++; after[id] != "new" {
				t.Fatalf("session %d moved from %s to %s", id, home, after[id])
			}
		}
		if share, most := moved/4000, 1/float64(n+1)+0.02; share > most || share < most-0.04 {
			t.Errorf("with target %d %.3f of the sessions moved, want about %.3f", n+1, share, most-0.02)
		}
	}
}

func TestASessionStaysWhereItWasServed(t *testing.T) {
	const id = 4
	a, b := at("a", func(t *Target) { t.CacheTTL = time.Hour }), at("b")
	home := firstOf(NewRouter(bySession(0), []Target{a, b}, NewMemory()), session(id))
	away := map[string]int{"a": 1, "b": 0}[home]
	targets := []Target{a, b}
	awayName := targets[away].Name
	ttl := func(route *table.Route) time.Duration {
		switch {
		case route.Affinity.TTL > 0:
			return route.Affinity.TTL
		case awayName == "a":
			return time.Hour
		}
		return defaultAffinityTTL
	}
	for name, route := range map[string]*table.Route{"the route's time": bySession(time.Minute), "the cache's time, or the default": bySession(0)} {
		t.Run(name, func(t *testing.T) {
			router := NewRouter(route, targets, NewMemory())
			router.Served(session(id), away)
			for _, step := range []struct {
				after time.Duration
				want  string
			}{{0, awayName}, {ttl(route) - 1, awayName}, {ttl(route), home}} {
				q := session(id)
				q.Now = start.Add(step.after)
				if got := firstOf(router, q); got != step.want {
					t.Errorf("after %v it is at %s, want %s", step.after, got, step.want)
				}
			}
		})
	}
}

// How long a session stays where the route does not say: as long as the provider's cache, and 5 minutes where that is not known.
func TestStay(t *testing.T) {
	cases := map[string]struct {
		route, cache, want time.Duration
	}{
		"the route's":   {time.Minute, time.Hour, time.Minute},
		"the cache's":   {0, time.Hour, time.Hour},
		"neither known": {0, 0, 5 * time.Minute},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			router := NewRouter(bySession(tc.route), []Target{at("a", func(t *Target) { t.CacheTTL = tc.cache })}, NewMemory())
			if got := router.stay(&router.targets[0]); got != tc.want {
				t.Errorf("stay is %v, want %v", got, tc.want)
			}
		})
	}
}

func TestSessions(t *testing.T) {
	const id = 11
	served := func(name string, targets ...Target) func(*Router) {
		return func(r *Router) {
			for i := range targets {
				if targets[i].Name == name {
					r.Served(session(id), i)
				}
			}
		}
	}
	list := func(targets ...Target) []Target { return targets }
	drained := list(at("a"), at("z", weight(0)))
	cases := map[string]struct {
		targets []Target
		query   Query
		seat    string
		want    string
	}{
		"a session stays with a drained target": {targets: drained, seat: "z", want: "z"},
		"a new session does not go there":       {targets: drained, want: "a"},
		"a better priority calls it back":       {targets: list(at("a"), at("b", priority(1))), seat: "b", want: "a"},
		"a target that is out lets it go":       {targets: list(at("a"), at("b", blocked(health.CoolingDown, time.Second))), seat: "b", want: "a"},
		"a drained one that is out lets it go":  {targets: list(at("a"), at("z", weight(0), blocked(health.CircuitOpen, time.Second))), seat: "z", want: "a"},
		"the order asked for comes first":       {targets: list(at("a"), at("b")), query: Query{Preferences: &preference.Preferences{Order: []string{"a"}}}, seat: "b", want: "a"},
		"a session stays against a sort":        {targets: list(at("a", priced(table.Prices{Output: 1})), at("b")), query: Query{Preferences: &preference.Preferences{Sort: preference.ByPrice}}, seat: "b", want: "b"},
		"a session is not used for a probe":     {targets: list(at("a", probing(false)), at("b")), seat: "b", want: "b"},
		"its own target is probed by it":        {targets: list(at("a"), at("b", probing(false))), seat: "b", want: "b"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			router := NewRouter(bySession(0), tc.targets, NewMemory())
			served(tc.seat, tc.targets...)(router)
			tc.query.Now, tc.query.Affinity, tc.query.Random = start, id, always(0)
			if got := firstOf(router, &tc.query); got != tc.want {
				t.Errorf("it is at %s, want %s", got, tc.want)
			}
		})
	}
}

// A new session of a request that asks for the cheapest goes there, not where its hash would put it.
func TestASortPlacesNewSessions(t *testing.T) {
	router := NewRouter(bySession(0), []Target{at("a", priced(table.Prices{Output: 2e9})), at("b", priced(table.Prices{Output: 1e9}))}, NewMemory())
	for id := range uint64(50) {
		q := session(id + 1)
		q.Preferences = &preference.Preferences{Sort: preference.ByPrice}
		if got := firstOf(router, q); got != "b" {
			t.Fatalf("session %d goes to %s", id+1, got)
		}
	}
}

// Without an affinity, or without a session, nothing is remembered.
func TestNothingIsRememberedWithoutASession(t *testing.T) {
	cases := map[string]struct {
		route *table.Route
		query *Query
		index int
	}{
		"no affinity":      {&table.Route{}, session(1), 0},
		"no session":       {bySession(0), session(0), 0},
		"no such target":   {bySession(0), session(1), 2},
		"no target at all": {bySession(0), session(1), -1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			memory := NewMemory()
			NewRouter(tc.route, []Target{at("a"), at("b")}, memory).Served(tc.query, tc.index)
			for i := range memory.shards {
				if len(memory.shards[i].seats) > 0 {
					t.Errorf("something is remembered")
				}
			}
		})
	}
}

// A session survives a new table, also one in which its target has another place; a target that is gone is forgotten.
func TestSessionsSurviveTables(t *testing.T) {
	memory := NewMemory()
	a, b, c := at("a"), at("b"), at("c")
	for id := range uint64(100) {
		q := session(id + 1)
		NewRouter(bySession(0), []Target{a, b}, memory).Served(q, 1)
		if got := firstOf(NewRouter(bySession(0), []Target{b, c, a}, memory), q); got != "b" {
			t.Fatalf("session %d is at %s, want b", id+1, got)
		}
		if got := firstOf(NewRouter(bySession(0), []Target{a, c}, memory), q); got == "b" {
			t.Fatalf("session %d is at a target that is gone", id+1)
		}
	}
}

// A target that comes back gets its sessions little by little, and a session that it got does not leave again.
func TestSessionsComeBackByRamp(t *testing.T) {
	back := at("a")
	router := NewRouter(bySession(0), []Target{back, at("b", priority(1))}, NewMemory())
	was := map[uint64]bool{}
	for permille := 0; permille <= 1000; permille += 100 {
		back.Backend.(*fake).view.Ramp = permille
		share := 0.0
		for id, home := range homes(router, 2000) {
			if was[id] && home != "a" {
				t.Fatalf("at %d of 1000 session %d left again", permille, id)
			}
			if was[id] = home == "a"; was[id] {
				share += 1000.0 / 2000
			}
		}
		if math.Abs(share-float64(permille)) > 35 {
			t.Errorf("at %d of 1000 it has %.0f of 1000 sessions", permille, share)
		}
	}
}

func FuzzRendezvous(f *testing.F) {
	f.Add(uint64(0), uint64(0), int32(1))
	f.Add(uint64(math.MaxUint64), uint64(1), int32(1000))
	f.Fuzz(func(t *testing.T, session, target uint64, weight int32) {
		if weight <= 0 {
			return
		}
		if score := rendezvous(session, target, weight); !(score > 0) || math.IsInf(score, 0) {
			t.Errorf("the score is %v", score)
		}
	})
}
