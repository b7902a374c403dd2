package route

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/preference"
	"signalbox.dev/signalbox/proxy/table"
)

func TestNext(t *testing.T) {
	context := func(tokens int64) modifier { return declaring(table.Declared{ContextTokens: tokens}) }
	list := func(targets ...Target) []Target { return targets }
	cases := map[string]struct {
		routes [][]Target
		// kind of all failures, one after the other.
		kind table.FailureKind
		// passed are candidates that could not be begun.
		passed map[string]bool
		want   []string
	}{
		"in order": {routes: [][]Target{list(at("c", priority(2)), at("a"), at("b", priority(1)))}, kind: table.Unavailable, want: []string{"a", "b", "c"}},
		"those left out are not tried": {
			routes: [][]Target{list(at("a"), at("x", blocked(health.CircuitOpen, time.Second)), at("z", weight(0)))}, kind: table.Unavailable, want: []string{"a"},
		},
		"one named for the failure comes behind those of its priority": {
			routes: [][]Target{list(at("a"), at("b", priority(1)), at("named", onlyFor(table.Unavailable)), at("other", onlyFor(table.Capacity)))},
			kind:   table.Unavailable, want: []string{"a", "named", "b"},
		},
		"one named for the failure comes behind those of its own priority": {
			routes: [][]Target{list(at("a"), at("b", priority(1)), at("c", priority(2)), at("named", priority(1), onlyFor(table.Unavailable)))},
			kind:   table.Unavailable, want: []string{"a", "b", "named", "c"},
		},
		"one named for the failure, but out for something else": {
			routes: [][]Target{list(at("a"), at("named", onlyFor(table.Unavailable), blocked(health.KeyRefused, time.Second)))},
			kind:   table.Unavailable, want: []string{"a"},
		},
		"several named ones": {
			routes: [][]Target{list(at("a"), at("n1", onlyFor(table.Capacity)), at("n2", onlyFor(table.Capacity)))}, kind: table.Capacity, want: []string{"a", "n1", "n2"},
		},
		"the models that follow": {
			routes: [][]Target{list(at("a"), at("named", priority(9), onlyFor(table.Timeout))), list(at("b"), at("late", onlyFor(table.Timeout)))},
			kind:   table.Timeout, want: []string{"a", "named", "b", "late"},
		},
		"too long a prompt goes to those named, then to larger ones": {
			routes: [][]Target{list(at("a", context(8000)), at("small", priority(1), context(8000)), at("unknown", priority(2)),
				at("large", priority(3), context(32000)), at("larger", priority(4), context(64000)), at("named", priority(5), onlyFor(table.ContextTooLong)))},
			kind: table.ContextTooLong, want: []string{"a", "named"},
		},
		"too long a prompt goes to larger ones": {
			routes: [][]Target{list(at("a", context(8000)), at("small", priority(1), context(8000)), at("unknown", priority(2)),
				at("large", priority(3), context(32000)), at("same", priority(4), context(32000)), at("larger", priority(5), context(64000)))},
			kind: table.ContextTooLong, want: []string{"a", "large", "larger"},
		},
		"nothing is known to be larger than what is not known": {
			routes: [][]Target{list(at("a"), at("large", priority(1), context(32000)))}, kind: table.ContextTooLong, want: []string{"a"},
		},
		"what was filtered goes only to those named": {
			routes: [][]Target{list(at("a"), at("b"), at("named", onlyFor(table.ContentFiltered)), at("other", onlyFor(table.ContextTooLong)))},
			kind:   table.ContentFiltered, want: []string{"a", "named"},
		},
		"nobody is named for what was filtered": {routes: [][]Target{list(at("a"), at("b"))}, kind: table.ContentFiltered, want: []string{"a"}},
		"one that was passed over is not looked at again": {
			routes: [][]Target{list(at("a"), at("b", priority(1)), at("c", priority(2)), at("named", priority(3), onlyFor(table.Unavailable)))},
			passed: map[string]bool{"a": true}, kind: table.Unavailable, want: []string{"b", "c", "named"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var routers []*Router
			var candidates []Candidate
			for i, targets := range tc.routes {
				routers = append(routers, NewRouter(&table.Route{}, targets, NewMemory()))
				candidates = routers[i].Order(candidates, i, &Query{Now: start, Random: always(0)})
			}
			Join(candidates)
			nameOf := func(place int) string {
				c := candidates[place]
				return routers[c.Route].targets[c.Index].Name
			}
			var got []string
			var tried uint64
			place, ok := 0, true
			for tc.passed[nameOf(place)] {
				place++
			}
			for ok && len(got) < 10 {
				got = append(got, nameOf(place))
				tried |= 1 << place
				place, ok = Next(routers, candidates, tried, place, tc.kind)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("tried (-want +got):\n%s", diff)
			}
		})
	}
}

// A named target that failed in another way goes on to larger contexts than its own, and back to nobody.
func TestNextAfterANamedOne(t *testing.T) {
	context := func(tokens int64) modifier { return declaring(table.Declared{ContextTokens: tokens}) }
	named := at("named", context(32000), func(t *Target) { t.OnlyFor = []table.FailureKind{table.ContextTooLong} })
	router := NewRouter(&table.Route{}, []Target{at("a", context(8000)), at("b", priority(1), context(16000)), at("c", priority(2), context(64000)), named}, NewMemory())
	candidates := router.Order(nil, 0, &Query{Now: start, Random: always(0)})
	if got, want := written(router, candidates), "a b c | named=after_failure_only"; got != want {
		t.Fatalf("the order is %s, want %s", got, want)
	}
	for _, tc := range []struct {
		kind table.FailureKind
		want int
	}{{table.ContextTooLong, 2}, {table.Unavailable, 1}} {
		if got, ok := Next([]*Router{router}, candidates, 1<<0|1<<3, 3, tc.kind); !ok || got != tc.want {
			t.Errorf("after %s %d is next, want %d", tc.kind, got, tc.want)
		}
	}
}

// More candidates than a call can keep track of are not tried.
func TestNextIsBounded(t *testing.T) {
	var targets []Target
	for i := range 80 {
		targets = append(targets, at(string(rune(0x4e00+i)), priority(int32(i))))
	}
	router := NewRouter(&table.Route{}, targets, NewMemory())
	candidates := router.Order(nil, 0, &Query{Now: start, Random: always(0)})
	tried, place, ok, n := uint64(0), 0, true, 0
	for ; ok && n < 100; n++ {
		tried |= 1 << place
		place, ok = Next([]*Router{router}, candidates, tried, place, table.Unavailable)
	}
	if n != mostPlaces {
		t.Errorf("%d candidates were tried, want %d", n, mostPlaces)
	}
}

func TestJoin(t *testing.T) {
	failing := blocked(health.ErrorRate, time.Second)
	list := func(targets ...Target) []Target { return targets }
	cases := map[string]struct {
		first, second []Target
		want          string
	}{
		"route after route": {list(at("a"), at("b", weight(0))), list(at("c"), at("d", priority(1))), "a c d | b=drained"},
		"a last resort is none while the other route has better": {list(at("a", failing)), list(at("c")), "c | a=error_rate"},
		"last resorts of both":                  {list(at("a", failing)), list(at("c", failing)), "a!error_rate c!error_rate"},
		"what comes back is behind both routes": {list(at("a", ramping(0))), list(at("c")), "c a"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			q := &Query{Now: start, Random: always(999)}
			both := NewRouter(&table.Route{}, append(tc.first, tc.second...), NewMemory())
			candidates := NewRouter(&table.Route{}, tc.first, NewMemory()).Order(nil, 0, q)
			before := len(candidates)
			candidates = NewRouter(&table.Route{}, tc.second, NewMemory()).Order(candidates, 1, q)
			Join(candidates)
			for i := range candidates {
				candidates[i].Index += candidates[i].Route * before
			}
			if diff := cmp.Diff(tc.want, written(both, candidates)); diff != "" {
				t.Errorf("joined (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJoinSorted(t *testing.T) {
	figures := func(price int64, first time.Duration, rate float64) modifier {
		return func(t *Target) {
			f := t.Backend.(*fake)
			f.view.FirstToken, f.view.TokensPerSecond = first, rate
			if price > 0 {
				f.prices = &table.Prices{Output: price}
			}
		}
	}
	a := []Target{at("a", figures(3e9, 3*time.Second, 20)), at("b", priority(1), figures(1e9, 4*time.Second, 90)), at("none", priority(2), figures(0, 0, 0))}
	b := []Target{at("c", figures(2e9, time.Second, 50)), at("out", blocked(health.CircuitOpen, time.Second)), at("back", figures(1, 1, 1e6), ramping(0))}
	cases := map[preference.Sort]string{
		preference.ByPrice:      "b c a none back out",
		preference.ByLatency:    "c a b none back out",
		preference.ByThroughput: "b c a none back out",
		"":                      "a b none c back out",
	}
	for sort, want := range cases {
		routers := []*Router{NewRouter(&table.Route{}, a, NewMemory()), NewRouter(&table.Route{}, b, NewMemory())}
		q := &Query{Now: start, Stream: true, Random: always(999), Preferences: &preference.Preferences{Sort: sort, AcrossModels: true}}
		candidates := routers[1].Order(routers[0].Order(nil, 0, q), 1, q)
		JoinSorted(candidates)
		got := ""
		for _, c := range candidates {
			got += routers[c.Route].targets[c.Index].Name + " "
		}
		if got != want+" " {
			t.Errorf("by %q: %s, want %s", sort, got, want)
		}
	}
}
