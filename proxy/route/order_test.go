package route

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/preference"
	"signalbox.dev/signalbox/proxy/table"
)

func TestOrder(t *testing.T) {
	unlisted := func(t *Target) { t.Unlisted = true }
	succeeded := func(t *Target) { t.Unlisted, t.Successor = true, "m2" }
	slow, fast := latency(2*time.Second), latency(100*time.Millisecond)
	rate := func(r float64) modifier { return seen(func(v *health.View) { v.TokensPerSecond = r }) }
	cases := map[string]struct {
		targets     []Target
		preferences *preference.Preferences
		marks       []int64
		want        string
	}{
		"nothing":          {},
		"priority decides": {targets: []Target{at("c", priority(2)), at("a"), at("b", priority(1))}, want: "a b c"},
		"negative priorities are first": {
			targets: []Target{at("a"), at("b", priority(-1)), at("c", priority(1<<31-1)), at("d", priority(-1<<31))}, want: "d b a c",
		},
		"first of the same priority by a low mark":   {targets: []Target{at("a", weight(9)), at("b")}, marks: []int64{8}, want: "a b"},
		"second of the same priority by a high mark": {targets: []Target{at("a", weight(9)), at("b")}, marks: []int64{9}, want: "b a"},
		"drawn without replacement":                  {targets: []Target{at("a"), at("b"), at("c")}, marks: []int64{2, 1}, want: "c a b"},
		"those left out are last, in the order of the spec": {
			targets: []Target{at("x", func(t *Target) { t.Excluded = "no key" }), at("a", priority(5)), at("z", weight(0))},
			want:    "a | x=unusable z=drained",
		},
		"unlisted behind the others of its priority": {
			targets: []Target{at("u", unlisted, weight(1000)), at("a"), at("b", priority(1))}, want: "a u b",
		},
		"a successor is as good as listed": {targets: []Target{at("u", succeeded), at("a")}, marks: []int64{0}, want: "u a"},
		"the order asked for, above priority": {
			targets:     []Target{at("a"), at("b", provider("Groq")), at("c", provider("OpenAI")), at("p", priority(1), provider("Mistral"))},
			preferences: &preference.Preferences{Order: []string{"mistral", "openai", "b"}}, want: "p c b a",
		},
		"OpenRouter stands where one of its own is asked for": {
			targets:     []Target{at("a", provider("OpenAI")), at("o", provider("OpenRouter"))},
			preferences: &preference.Preferences{Order: []string{"deepinfra", "openai"}}, want: "o a",
		},
		"too slow a throughput is behind": {
			targets: []Target{at("a", rate(49)), at("b", rate(50)), at("c")}, preferences: &preference.Preferences{MinThroughput: 50},
			marks: []int64{0}, want: "b c a",
		},
		"too long a latency is behind": {
			targets: []Target{at("a", slow), at("b", fast), at("p", priority(1), fast)}, preferences: &preference.Preferences{MaxLatencySeconds: 1},
			want: "b a p",
		},
		"the order asked for of last resorts": {
			targets:     []Target{at("a", blocked(health.ErrorRate, 1)), at("b", priority(1), blocked(health.ErrorRate, 1))},
			preferences: &preference.Preferences{Order: []string{"b"}}, want: "b!error_rate a!error_rate",
		},
		"only the first without fallbacks": {
			targets:     []Target{at("a"), at("b", priority(1)), at("c", onlyFor(table.Capacity))},
			preferences: &preference.Preferences{NoFallbacks: true}, want: "a | b=no_fallbacks c=no_fallbacks",
		},
		"a binding order without fallbacks keeps all that it names": {
			targets:     []Target{at("a"), at("b"), at("c", priority(1))},
			preferences: &preference.Preferences{NoFallbacks: true, Order: []string{"b", "a"}}, want: "b a | c=not_in_order",
		},
		"a returning target takes its place by its share": {
			targets: []Target{at("a", ramping(300)), at("b", priority(1))}, marks: []int64{299}, want: "a b",
		},
		"a returning target is behind all priorities otherwise": {
			targets: []Target{at("a", ramping(300)), at("b", priority(1))}, marks: []int64{300}, want: "b a",
		},
		"a target to be probed is first of its priority by its chance": {
			targets: []Target{at("a"), at("b", probing(false)), at("c", priority(1))}, marks: []int64{probePermille - 1}, want: "b a c",
		},
		"a target to be probed is behind all otherwise": {
			targets: []Target{at("a", probing(false)), at("b", priority(1))}, marks: []int64{probePermille}, want: "b a",
		},
		"a target to be probed does not beat a priority": {
			targets: []Target{at("a"), at("b", priority(1), probing(false))}, marks: []int64{0}, want: "a b",
		},
		"a target to be probed is tried at once where there is nothing else": {
			targets: []Target{at("a", probing(false)), at("b", blocked(health.CircuitOpen, time.Second))}, marks: []int64{999},
			want: "a | b=circuit_open",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			router := NewRouter(&table.Route{}, tc.targets, NewMemory())
			got := router.Order(nil, 0, &Query{Now: start, Preferences: tc.preferences, Random: scripted(t, tc.marks...)})
			if diff := cmp.Diff(tc.want, written(router, got)); diff != "" {
				t.Errorf("Order (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLastResorts(t *testing.T) {
	headroom := seen(func(v *health.View) {
		v.Headroom = health.Headroom{Requests: 0, Tokens: -1, RequestsReset: 800 * time.Millisecond}
	})
	noTokens := seen(func(v *health.View) { v.Headroom = health.Headroom{Requests: -1, Tokens: 0, TokensReset: time.Minute} })
	failing := blocked(health.ErrorRate, 3*time.Second)
	cases := map[string]struct {
		targets []Target
		want    string
		waits   []time.Duration
		retry   time.Duration
	}{
		"none while anything is eligible": {
			targets: []Target{at("a", failing), at("b", priority(7), probing(false)), at("c", headroom)},
			want:    "b | a=error_rate c=no_headroom", waits: []time.Duration{0, 0, 0}, retry: 800 * time.Millisecond,
		},
		"by priority when nothing is": {
			targets: []Target{at("c", headroom, priority(1)), at("a", failing), at("x", blocked(health.CoolingDown, 2*time.Second))},
			want:    "a!error_rate c!no_headroom | x=cooling_down", waits: []time.Duration{0, 800 * time.Millisecond, 0}, retry: 800 * time.Millisecond,
		},
		"the wait is bounded": {
			targets: []Target{at("a", noTokens)}, want: "a!no_headroom", waits: []time.Duration{longestWait}, retry: time.Minute,
		},
		"a total outage has none": {
			targets: []Target{
				at("a", blocked(health.CircuitOpen, 5*time.Second)), at("b", blocked(health.CoolingDown, 4*time.Second)),
				at("c", blocked(health.KeyRefused, 3*time.Minute)), at("d", blocked(health.Withdrawn, time.Hour)), at("e", blocked(health.NoQuota, time.Hour)),
			},
			want:  "| a=circuit_open b=cooling_down c=key_refused d=withdrawn e=no_quota",
			waits: make([]time.Duration, 5), retry: 4 * time.Second,
		},
		"one that is probed has none": {
			targets: []Target{at("a", probing(true))}, want: "| a=being_probed", waits: []time.Duration{0}, retry: probeTime,
		},
		"not one for other failures, nor one that is out for good": {
			targets: []Target{at("a", failing, onlyFor(table.Capacity)), at("z", failing, weight(0))},
			want:    "| a=error_rate z=drained", waits: []time.Duration{0, 0}, retry: 3 * time.Second,
		},
		"time does not heal what is declared": {
			targets: []Target{at("z", weight(0)), at("o", onlyFor(table.Capacity))},
			want:    "| z=drained o=after_failure_only", waits: []time.Duration{0, 0},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			router := NewRouter(&table.Route{}, tc.targets, NewMemory())
			q := &Query{Now: start, PromptTokens: 10, Random: always(0)}
			got := router.Order(nil, 0, q)
			if diff := cmp.Diff(tc.want, written(router, got)); diff != "" {
				t.Errorf("Order (-want +got):\n%s", diff)
			}
			var waits []time.Duration
			for _, c := range got {
				waits = append(waits, c.Wait)
			}
			if diff := cmp.Diff(tc.waits, waits); diff != "" {
				t.Errorf("waits (-want +got):\n%s", diff)
			}
			if retry := ShortestLeft(got); retry != tc.retry {
				t.Errorf("ShortestLeft is %v, want %v", retry, tc.retry)
			}
		})
	}
}

// TestLastResortsOfCallsThatStoodBy: a rate limit that has ended is one, an outage is not.
func TestLastResortsOfCallsThatStoodBy(t *testing.T) {
	tried := func(was health.Block) modifier {
		return seen(func(v *health.View) { v.Probe, v.Busy, v.Was = true, true, was })
	}
	targets := []Target{
		at("a", tried(health.CircuitOpen)), at("b", tried(health.CoolingDown)), at("c", tried(health.KeyRefused)),
		at("d", tried(health.CoolingDown), onlyFor(table.Capacity)), at("e", blocked(health.CoolingDown, time.Second)),
	}
	router := NewRouter(&table.Route{}, targets, NewMemory())
	for stoodBy, want := range map[bool]string{
		false: "| a=being_probed b=being_probed c=being_probed d=being_probed e=cooling_down",
		true:  "b!being_probed | a=being_probed c=being_probed d=being_probed e=cooling_down",
	} {
		q := &Query{Now: start, PromptTokens: 10, Random: always(0), StoodBy: stoodBy}
		if diff := cmp.Diff(want, written(router, router.Order(nil, 0, q))); diff != "" {
			t.Errorf("stood by: %t; Order (-want +got):\n%s", stoodBy, diff)
		}
	}
}

func TestReasonOfLastResort(t *testing.T) {
	router := NewRouter(&table.Route{}, []Target{at("a", blocked(health.ErrorRate, 2*time.Second)), at("b")}, NewMemory())
	q := &Query{Now: start}
	if got, want := router.Reason(Candidate{LastResort: true, Despite: ErrorRate, Left: 2 * time.Second}, q), "its circuit is open for 2s more: 0 of 1000 attempts failed"; got != want {
		t.Errorf("the reason is %q, want %q", got, want)
	}
	for _, c := range []Candidate{{Index: 1}, {Index: -1, Out: Drained}, {Index: 2, Out: Drained}} {
		if got := router.Reason(c, q); got != "" {
			t.Errorf("the reason of %+v is %q, want none", c, got)
		}
	}
}

// A reason is asked for after the order was found, so the state may have changed meanwhile. The text then says no more than what still holds.
func TestReasonsAfterRecovery(t *testing.T) {
	router := NewRouter(&table.Route{}, []Target{at("a", priced(table.Prices{}))}, NewMemory())
	for out := Unusable; out <= NoFallbacks; out++ {
		got := router.Reason(Candidate{Out: out}, &Query{Now: start})
		if got == "" && out != Unusable {
			t.Errorf("%v has no reason", out)
		}
	}
}

func TestOrderGivesEachTargetOnce(t *testing.T) {
	const many = onStack + 5
	var targets []Target
	for i := range many {
		targets = append(targets, at(string(rune('A'+i)), priority(int32(i%3))))
	}
	router := NewRouter(&table.Route{}, targets, NewMemory())
	seen := map[int]bool{}
	for _, c := range router.Order(nil, 4, &Query{Now: start, Random: seeded(1)}) {
		if c.Route != 4 {
			t.Fatalf("the route is %d, want 4", c.Route)
		}
		seen[c.Index] = true
	}
	if len(seen) != many {
		t.Errorf("%d of %d targets are in the order", len(seen), many)
	}
}

// FuzzOrder makes targets, a query and a state of bytes, and looks at what must hold of any order.
func FuzzOrder(f *testing.F) {
	f.Add([]byte{0, 1, 0, 1, 5, 2, 9, 9, 9, 9}, uint64(1), uint8(0))
	f.Add([]byte{}, uint64(7), uint8(3))
	f.Add([]byte{1, 255, 3, 4, 1, 128, 7, 8, 1, 2, 64, 32}, uint64(9), uint8(255))
	strategies := []table.Strategy{"", table.Weighted, table.LowestCost, table.LowestLatency, table.HighestThroughput, table.LeastInFlight}
	f.Fuzz(func(t *testing.T, shape []byte, seed uint64, flags uint8) {
		route := &table.Route{Strategy: strategies[int(flags)%len(strategies)]}
		q := &Query{Now: start, Random: seeded(seed), PromptTokens: int64(seed % 4000), Stream: flags&8 != 0, MaxCost: int64(flags&16) * 1000}
		if flags&32 != 0 {
			route.Affinity, q.Affinity = &table.Affinity{By: table.BySession}, seed
		}
		if flags&64 != 0 {
			q.Preferences = &preference.Preferences{Order: []string{"b", "c"}, Ignore: []string{"d"}, NoFallbacks: seed&1 != 0, MinThroughput: 10}
		}
		var targets []Target
		for i := 0; i+5 < len(shape) && len(targets) < 40; i += 6 {
			targets = append(targets, shaped(string(rune('a'+len(targets))), [6]byte(shape[i:])))
		}
		router := NewRouter(route, targets, NewMemory())
		for range 3 {
			checkOrder(t, router, q)
		}
	})
}

// shaped is a target made of bytes.
func shaped(name string, b [6]byte) Target {
	return at(name, priority(int32(b[0]%4)), weight(int32(b[1])), inFlight(int64(b[4]%8)), aged(time.Duration(b[5])*time.Second),
		seen(func(v *health.View) {
			v.Block, v.Probe, v.Busy = health.Block(b[2]%12), b[2]&32 != 0, b[2]&64 != 0
			v.Ramp = int(b[3]) * 4
			v.FirstToken, v.Answer = time.Duration(b[4])*time.Millisecond, time.Duration(b[5])*time.Millisecond
			v.TokensPerSecond = float64(b[4])
			v.Headroom.Tokens, v.Headroom.TokensReset = int64(b[5])*32-1, time.Duration(b[3])*time.Second
		}),
		func(t *Target) {
			t.Unlisted = b[0]&4 != 0
			if b[0]&8 != 0 {
				t.OnlyFor = []table.FailureKind{table.Capacity}
			}
			if b[0]&16 != 0 {
				t.Backend.(*fake).prices = &table.Prices{Input: int64(b[3]), Output: int64(b[4])}
			}
		})
}

func checkOrder(t *testing.T, router *Router, q *Query) {
	t.Helper()
	order := router.Order(nil, 0, q)
	seen := map[int]bool{}
	for _, c := range order {
		seen[c.Index] = true
		if c.Out == Eligible && len(router.targets[c.Index].OnlyFor) > 0 {
			t.Fatalf("a target for other failures is eligible: %s", written(router, order))
		}
		if reason := router.Reason(c, q); (c.cause() == Eligible) == (reason != "") {
			t.Fatalf("%v has the reason %q", c.cause(), reason)
		}
	}
	if len(seen) != len(router.targets) || len(order) != len(router.targets) {
		t.Fatalf("%d targets, order %s", len(router.targets), written(router, order))
	}
	for i := 1; i < len(order); i++ {
		if order[i].Out == Eligible {
			checkPlaces(t, router, order, i)
		}
	}
	for failed := range order {
		if next, ok := Next([]*Router{router}, order, 1<<failed, failed, table.Capacity); ok && next == failed {
			t.Fatalf("the failed target is next")
		}
	}
	ShortestLeft(order)
	router.Served(q, int(q.Affinity%8))
}

// checkPlaces looks at an eligible candidate and the one before it. No request's order has any of those that are looked at.
func checkPlaces(t *testing.T, router *Router, order []Candidate, i int) {
	t.Helper()
	before, c, target := order[i-1], order[i], router.targets[order[i].Index]
	switch {
	case before.Out != Eligible:
		t.Fatalf("an eligible target stands behind one that is left out: %s", written(router, order))
	case c.LastResort != before.LastResort:
		t.Fatalf("a last resort although there is something better: %s", written(router, order))
	case before.Returning && !c.Returning:
		t.Fatalf("a returning target stands before others: %s", written(router, order))
	case c.Returning == before.Returning && c.Index > 2 && before.Index > 2 && router.targets[before.Index].Priority > target.Priority:
		t.Fatalf("priorities are not ascending: %s", written(router, order))
	}
}

// TestALargerContextServesWhatFitsNowhereElse: the target that is named for calls that are too long serves them from the start where the others are known to
// be too small, and no others.
func TestALargerContextServesWhatFitsNowhereElse(t *testing.T) {
	small := func(x *Target) { x.Declared.ContextTokens = 1000 }
	large := func(x *Target) {
		x.Declared.ContextTokens, x.OnlyFor = 100_000, []table.FailureKind{table.ContextTooLong}
	}
	filter := func(x *Target) { x.OnlyFor = []table.FailureKind{table.ContentFiltered} }
	router := NewRouter(&table.Route{}, []Target{at("small", small), at("large", large), at("other", filter)}, NewMemory())
	for prompt, want := range map[int64]string{300: "small", 30_000: "large"} {
		got := router.Order(nil, 0, &Query{Now: start, PromptTokens: prompt, Random: seeded(1)})
		eligible := 0
		for _, c := range got {
			if c.Out == Eligible {
				eligible++
			}
		}
		if name := router.targets[got[0].Index].Name; name != want || eligible != 1 || len(got) != 3 {
			t.Errorf("a prompt of %d tokens goes to %s first, %d of %d can be tried", prompt, name, eligible, len(got))
		}
	}
}
