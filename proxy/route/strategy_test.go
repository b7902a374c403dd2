package route

import (
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/preference"
	"signalbox.dev/signalbox/proxy/table"
)

// shares is how often each target is first, of a thousand.
func shares(r *Router, q *Query) map[string]float64 {
	const rounds = 20000
	first := map[string]float64{}
	var buffer []Candidate
	for range rounds {
		buffer = r.Order(buffer[:0], 0, q)
		first[r.targets[buffer[0].Index].Name] += 1000.0 / rounds
	}
	return first
}

func wantShares(t *testing.T, got, want map[string]float64, within float64) {
	t.Helper()
	for name := range got {
		if _, expected := want[name]; !expected {
			t.Errorf("%s is first at all: %v", name, got)
		}
	}
	for name, share := range want {
		if math.Abs(got[name]-share) > within {
			t.Errorf("%s is first in %.1f of 1000 calls, want %.1f", name, got[name], share)
		}
	}
}

func TestWeightedSharesByWeight(t *testing.T) {
	targets := []Target{at("a", weight(700)), at("b", weight(200)), at("c", weight(100)), at("late", priority(1), weight(1000))}
	router := NewRouter(&table.Route{Strategy: table.Weighted}, targets, NewMemory())
	got := shares(router, &Query{Now: start, Random: seeded(3)})
	wantShares(t, got, map[string]float64{"a": 700, "b": 200, "c": 100}, 10)
}

// The second place counts, too: what a target that failed leaves is shared by the weights of the others.
func TestWeightedSharesTheSecondPlaceByWeight(t *testing.T) {
	router := NewRouter(&table.Route{}, []Target{at("a", weight(6)), at("b", weight(3)), at("c", weight(1))}, NewMemory())
	q := &Query{Now: start, Random: seeded(4)}
	second := map[string]float64{}
	total := 0.0
	for range 40000 {
		if order := router.Order(nil, 0, q); order[0].Index == 0 {
			second[router.targets[order[1].Index].Name]++
			total++
		}
	}
	for name := range second {
		second[name] *= 1000 / total
	}
	wantShares(t, second, map[string]float64{"b": 750, "c": 250}, 10)
}

func TestOrderByStrategy(t *testing.T) {
	ms := func(n int) modifier { return latency(time.Duration(n) * time.Millisecond) }
	rate := func(r float64) modifier { return seen(func(v *health.View) { v.TokensPerSecond = r }) }
	cost := func(input, cached, output int64) modifier {
		return priced(table.Prices{Input: input * 1e9, CachedInput: cached * 1e9, Output: output * 1e9})
	}
	answers := func(n int64) modifier { return seen(func(v *health.View) { v.OutputTokens = n }) }
	cached := func(permille int) modifier { return seen(func(v *health.View) { v.CachedPermille = permille }) }
	cases := map[string]struct {
		strategy table.Strategy
		targets  []Target
		query    Query
		want     string
	}{
		"the cheapest first, unpriced last": {
			strategy: table.LowestCost, targets: []Target{at("none"), at("dear", cost(3, 3, 3)), at("cheap", cost(1, 1, 1))}, want: "cheap dear none",
		},
		"a long prompt makes its price count": {
			strategy: table.LowestCost, targets: []Target{at("out", cost(2, 2, 1)), at("in", cost(1, 1, 9))},
			query: Query{PromptTokens: 100_000}, want: "in out",
		},
		"a long answer makes its price count": {
			strategy: table.LowestCost, targets: []Target{at("in", cost(1, 1, 9), answers(5000)), at("out", cost(2, 2, 1), answers(5000))},
			query: Query{PromptTokens: 1000}, want: "out in",
		},
		"what the request bounds is no part of the cost": {
			strategy: table.LowestCost, targets: []Target{at("in", cost(1, 1, 9), answers(5000)), at("out", cost(2, 2, 1), answers(5000))},
			query: Query{PromptTokens: 1000, MaxOutputTokens: 10}, want: "in out",
		},
		"a warm cache makes a dear target cheap": {
			strategy: table.LowestCost, targets: []Target{at("cold", cost(2, 1, 2)), at("warm", cost(3, 1, 2), cached(900))},
			query: Query{PromptTokens: 10_000}, want: "warm cold",
		},
		"short answers make a dear target cheap": {
			strategy: table.LowestCost, targets: []Target{at("long", cost(1, 1, 1), answers(3000)), at("short", cost(1, 1, 2), answers(1000))}, want: "short long",
		},
		"answers of which nothing is known are as long as the others'": {
			strategy: table.LowestCost, targets: []Target{at("new", cost(1, 1, 2)), at("known", cost(1, 1, 1), answers(3000))}, want: "known new",
		},
		"the request's sort replaces the strategy: price": {
			strategy: table.LeastInFlight, targets: []Target{at("dear", cost(3, 3, 3)), at("cheap", cost(1, 1, 1), inFlight(9))},
			query: Query{Preferences: &preference.Preferences{Sort: preference.ByPrice}}, want: "cheap dear",
		},
		"the request's sort replaces the strategy: latency": {
			strategy: table.LowestCost, targets: []Target{at("cheap", cost(1, 1, 1), ms(900)), at("fast", ms(100))},
			query: Query{Preferences: &preference.Preferences{Sort: preference.ByLatency}}, want: "fast cheap",
		},
		"the request's sort replaces the strategy: throughput": {
			strategy: table.LowestCost, targets: []Target{at("cheap", cost(1, 1, 1), rate(20)), at("fast", rate(90))},
			query: Query{Preferences: &preference.Preferences{Sort: preference.ByThroughput}}, want: "fast cheap",
		},
		"the fastest first, then by latency, unknown last": {
			strategy: table.LowestLatency, targets: []Target{at("none"), at("c", ms(500)), at("b", ms(300)), at("a", ms(100))}, want: "a b c none",
		},
		"the most tokens a second first, unknown last": {
			strategy: table.HighestThroughput, targets: []Target{at("none"), at("c", rate(20)), at("b", rate(60)), at("a", rate(200))}, want: "a b c none",
		},
		"streams count their first token": {
			strategy: table.LowestLatency, query: Query{Stream: true},
			targets: []Target{
				at("whole", seen(func(v *health.View) { v.FirstToken, v.Answer = 3*time.Second, time.Second })),
				at("first", seen(func(v *health.View) { v.FirstToken, v.Answer = time.Second, 3*time.Second })),
			}, want: "first whole",
		},
		"other calls count their answer": {
			strategy: table.LowestLatency,
			targets: []Target{
				at("first", seen(func(v *health.View) { v.FirstToken, v.Answer = time.Second, 3*time.Second })),
				at("whole", seen(func(v *health.View) { v.FirstToken, v.Answer = 3*time.Second, time.Second })),
			}, want: "whole first",
		},
		"load inside the band of the best": {
			strategy: table.LowestLatency, targets: []Target{at("best", ms(100), inFlight(4)), at("near", ms(110), inFlight(1)), at("far", ms(300))},
			want: "near best far",
		},
		"the fewest under way for the weight": {
			strategy: table.LeastInFlight, targets: []Target{at("a", inFlight(3)), at("b", weight(4), inFlight(8))}, want: "b a",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			router := NewRouter(&table.Route{Strategy: tc.strategy}, tc.targets, NewMemory())
			tc.query.Now, tc.query.Random = start, always(999)
			if diff := cmp.Diff(tc.want, written(router, router.Order(nil, 0, &tc.query))); diff != "" {
				t.Errorf("Order (-want +got):\n%s", diff)
			}
		})
	}
}

// Targets without prices are no worse than each other.
func TestUnpricedShareByWeight(t *testing.T) {
	router := NewRouter(&table.Route{Strategy: table.LowestCost}, []Target{at("a", weight(3)), at("b")}, NewMemory())
	wantShares(t, shares(router, &Query{Now: start, Random: seeded(5)}), map[string]float64{"a": 750, "b": 250}, 10)
}

// The lead by cost goes to another only when that is cheaper by 5 %, and comes back to the one that was out.
func TestLeaderByCost(t *testing.T) {
	price := func(permille int64) *table.Prices { return &table.Prices{Output: permille * 1e9} }
	a, b, c := at("a", priced(*price(1000))), at("b", priced(*price(1040))), at("c", priced(*price(1060)))
	backend := func(t Target) *fake { return t.Backend.(*fake) }
	memory := NewMemory()
	router := NewRouter(&table.Route{Strategy: table.LowestCost}, []Target{a, b, c}, memory)
	q := &Query{Now: start, PromptTokens: 1, Random: always(0)}
	steps := []struct {
		name   string
		change func()
		want   string
	}{
		{"the cheapest leads", func() {}, "a"},
		{"4 % are not enough", func() { backend(b).prices = price(960) }, "a"},
		{"5 % are", func() { backend(b).prices = price(950) }, "b"},
		{"nor are 4 % on the way back", func() { backend(a).prices = price(912) }, "b"},
		{"while it is out the cheapest acts", func() { backend(b).view.Block = health.CircuitOpen }, "a"},
		{"and goes on to where another is a little cheaper", func() { backend(c).prices = price(880) }, "a"},
		{"another act takes 5 %", func() { backend(c).prices = price(866) }, "c"},
		{"the leader is back", func() { backend(b).view.Block, backend(c).prices = health.Open, price(903) }, "b"},
	}
	for _, step := range steps {
		step.change()
		if got := firstOf(router, q); got != step.want {
			t.Errorf("%s: %s is first, want %s", step.name, got, step.want)
		}
	}
	after := NewRouter(&table.Route{Strategy: table.LowestCost}, []Target{a, b, c}, memory)
	if got := firstOf(after, q); got != "b" {
		t.Errorf("after a new table %s leads, want b", got)
	}
}

// A target comes into the band of the best at 15 % and leaves it at 35 %.
func TestBandHasTwoThresholds(t *testing.T) {
	for _, strategy := range []table.Strategy{table.LowestLatency, table.HighestThroughput} {
		best, other := at("best", inFlight(50)), at("other")
		router := NewRouter(&table.Route{Strategy: strategy}, []Target{best, other}, NewMemory())
		show := func(target Target, latency float64) {
			v := &target.Backend.(*fake).view
			v.FirstToken, v.TokensPerSecond = time.Duration(latency*1e9), 1/latency
		}
		show(best, 1)
		// The best has so much under way that any target in its band is preferred.
		for i, step := range []struct {
			latency float64
			want    string
		}{{1.16, "best"}, {1.34, "best"}, {1.14, "other"}, {1.16, "other"}, {1.34, "other"}, {1.36, "best"}, {1.34, "best"}, {1.16, "best"}, {1.14, "other"}} {
			show(other, step.latency)
			if got := firstOf(router, &Query{Now: start, Stream: true, Random: always(999)}); got != step.want {
				t.Errorf("%s: step %d, at %.2f of the best's: %s is first, want %s", strategy, i, step.latency, got, step.want)
			}
		}
	}
}

func TestExploration(t *testing.T) {
	fast, slow := latency(100*time.Millisecond), latency(900*time.Millisecond)
	cases := map[string]struct {
		other   []modifier
		want    float64
		targets []Target
	}{
		"a target never called":                   {other: nil, want: exploreUnknownPermille},
		"a target not called for long":            {other: []modifier{slow, aged(time.Minute)}, want: exploreStalePermille},
		"a target called just now":                {other: []modifier{slow, aged(staleAge - 1)}, want: 0},
		"a target that somebody else explores":    {other: []modifier{inFlight(1)}, want: 0},
		"a stale one that somebody else explores": {other: []modifier{slow, aged(time.Minute), inFlight(1)}, want: 0},
		"a target of a later priority":            {other: []modifier{priority(1)}, want: 0},
	}
	for _, strategy := range []table.Strategy{table.LowestLatency, table.HighestThroughput} {
		for name, tc := range cases {
			t.Run(string(strategy)+"/"+name, func(t *testing.T) {
				targets := []Target{at("leader", fast), at("other", tc.other...)}
				for _, target := range targets {
					if v := &target.Backend.(*fake).view; v.Answer > 0 {
						v.TokensPerSecond = 1 / v.Answer.Seconds()
					}
				}
				router := NewRouter(&table.Route{Strategy: strategy}, targets, NewMemory())
				want := map[string]float64{"leader": 1000 - tc.want, "other": tc.want}
				got := shares(router, &Query{Now: start, Random: seeded(6)})
				if tc.want == 0 && got["other"] > 0 {
					t.Errorf("it is explored in %.2f of 1000 calls", got["other"])
				}
				got["other"] += 0
				wantShares(t, got, want, 7)
			})
		}
	}
}

// Of several the one of which nothing is known is explored first, then the one that was not called for the longest time.
func TestExplorationTakesTheLeastKnown(t *testing.T) {
	known := func(name string, age time.Duration) Target {
		return at(name, latency(900*time.Millisecond), aged(age))
	}
	cases := map[string]struct {
		targets []Target
		want    string
	}{
		"unknown before stale": {[]Target{at("leader", latency(time.Millisecond)), known("stale", time.Hour), at("unknown")}, "unknown"},
		"the stalest":          {[]Target{at("leader", latency(time.Millisecond)), known("a", time.Minute), known("b", time.Hour), known("c", time.Second)}, "b"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			router := NewRouter(&table.Route{Strategy: table.LowestLatency}, tc.targets, NewMemory())
			if got := firstOf(router, &Query{Now: start, Random: always(0)}); got != tc.want {
				t.Errorf("%s is explored, want %s", got, tc.want)
			}
		})
	}
}

// Calls come before their figures do: with none of the earlier ones ended, the load that is known has to spread them.
func TestCallsInFlightSpread(t *testing.T) {
	for _, strategy := range []table.Strategy{table.LowestLatency, table.HighestThroughput, table.LeastInFlight} {
		targets := make([]Target, 5)
		for i := range targets {
			targets[i] = at(strconv.Itoa(i), latency(time.Duration(100+i)*time.Millisecond), seen(func(v *health.View) { v.TokensPerSecond = 100 }))
		}
		router := NewRouter(&table.Route{Strategy: strategy}, targets, NewMemory())
		random := seeded(7)
		for range 500 {
			i := router.Order(nil, 0, &Query{Now: start, Random: random})[0].Index
			targets[i].Backend.(*fake).view.InFlight++
		}
		for i, target := range targets {
			if n := target.Backend.(*fake).view.InFlight; n < 80 || n > 120 {
				t.Errorf("%s: target %d has %d of 500 calls, want about 100", strategy, i, n)
			}
		}
	}
}

// An idle target does not get all calls that come while what the others have under way is known too late: two drawn ones are compared, not all.
func TestNoHerdOnStaleLoad(t *testing.T) {
	targets := []Target{at("idle")}
	for i := range 9 {
		targets = append(targets, at("busy"+strconv.Itoa(i), inFlight(5)))
	}
	router := NewRouter(&table.Route{Strategy: table.LeastInFlight}, targets, NewMemory())
	if got := shares(router, &Query{Now: start, Random: seeded(8)})["idle"]; math.Abs(got-200) > 15 {
		t.Errorf("the idle one of ten is first in %.1f of 1000 calls, want 200: it is drawn in so many", got)
	}
}

// Idle targets get calls by their weights.
func TestLeastInFlightSharesByWeightWhenIdle(t *testing.T) {
	router := NewRouter(&table.Route{Strategy: table.LeastInFlight}, []Target{at("a", weight(3)), at("b")}, NewMemory())
	wantShares(t, shares(router, &Query{Now: start, Random: seeded(9)}), map[string]float64{"a": 750, "b": 250}, 10)
}

func TestOrderAllocatesNothing(t *testing.T) {
	for _, strategy := range []table.Strategy{table.Weighted, table.LowestCost, table.LowestLatency, table.HighestThroughput, table.LeastInFlight} {
		router, q := twenty(strategy), &Query{Now: start, Asked: "m", PromptTokens: 2000, Random: seeded(1), MaxCost: 1e9}
		q.Preferences = &preference.Preferences{Order: []string{"t3"}, Ignore: []string{"t4"}}
		buffer := make([]Candidate, 0, 20)
		if n := testing.AllocsPerRun(100, func() { buffer = router.Order(buffer[:0], 0, q) }); n != 0 {
			t.Errorf("%s allocates %.0f times", strategy, n)
		}
	}
}
