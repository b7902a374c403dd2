package keyring

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/table"
)

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func never(int64) int64 { return 999 } // Draws of 1000 are lost.

func always(int64) int64 { return 0 } // Draws are won, and the first of those that share is drawn.

// well is a key that nothing is known of.
func well() health.View {
	return health.View{Ramp: 1000, Headroom: health.Headroom{Requests: -1, Tokens: -1}}
}

func viewed(change func(*health.View)) health.View {
	view := well()
	change(&view)
	return view
}

func refused() health.View {
	return viewed(func(v *health.View) {
		v.Block, v.KeyBlock, v.For = health.KeyRefused, health.KeyRefused, 10*time.Second
	})
}

func cooling(left time.Duration) health.View {
	return viewed(func(v *health.View) { v.Block, v.For = health.CoolingDown, left })
}

func limited(requests, tokens int64) health.View {
	return viewed(func(v *health.View) { v.Headroom.Requests, v.Headroom.Tokens = requests, tokens })
}

// back is a key that was left alone and may be tried by a single attempt.
func back(was health.Block) health.View {
	return viewed(func(v *health.View) { v.Probe, v.Was, v.KeyBlock = true, was, was })
}

// lead, canary and replaced are keys whose fingerprint is their name and role.
func lead(name string) table.Key { return table.Key{Name: name, Fingerprint: name, Weight: 1} }

func canary(name string, permille int32) table.Key {
	return table.Key{Name: name, Fingerprint: name + "-canary", Role: table.Canary, Weight: 1, Permille: permille}
}

func replaced(name, fingerprint string, until time.Time) table.Key {
	return table.Key{Name: name, Fingerprint: fingerprint, Role: table.Previous, Weight: 1, Until: until}
}

func weighing(key table.Key, weight int32) table.Key {
	key.Weight = weight
	return key
}

// tried is the view of a key that another call tries, which was left alone.
func tried(was health.Block) health.View {
	return viewed(func(v *health.View) { v.Probe, v.Busy, v.Was = true, true, was })
}

// ending is a key whose Secret is gone.
func ending(key table.Key, until time.Time) table.Key {
	key.Until = until
	return key
}

func doubted(key table.Key) table.Key {
	key.Refused = true
	return key
}

func TestPick(t *testing.T) {
	later := start.Add(time.Minute)
	cases := map[string]struct {
		keys   []table.Key
		shares bool
		// views by fingerprint; a key without one is well.
		views      map[string]health.View
		tried      []string
		refused    []string // of tried
		tokens     int64
		lastResort bool
		random     func(int64) int64
		want       string // fingerprint; empty for none
	}{
		"no key is a key":                           {want: "none"},
		"a single key":                              {keys: []table.Key{lead("a")}, want: "a"},
		"a single key that is left alone":           {keys: []table.Key{lead("a")}, views: map[string]health.View{"a": refused()}, want: "a"},
		"a single key that was tried":               {keys: []table.Key{lead("a")}, tried: []string{"a"}},
		"the first leads":                           {keys: []table.Key{lead("a"), lead("b")}, want: "a"},
		"the first is refused":                      {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": refused()}, want: "b"},
		"the first cools down":                      {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": cooling(time.Second)}, want: "b"},
		"the first was tried":                       {keys: []table.Key{lead("a"), lead("b"), lead("c")}, tried: []string{"a"}, want: "b"},
		"all were tried":                            {keys: []table.Key{lead("a"), lead("b")}, tried: []string{"a", "b"}},
		"all are left alone":                        {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": refused(), "b": cooling(1)}},
		"a probe was refused":                       {keys: []table.Key{doubted(lead("a")), lead("b")}, want: "b"},
		"all probes were refused":                   {keys: []table.Key{doubted(lead("a")), doubted(lead("b"))}, want: "a"},
		"no room, and another has":                  {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": limited(0, -1)}, want: "b"},
		"too few tokens, and another has":           {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": limited(5, 99)}, tokens: 100, want: "b"},
		"no room anywhere":                          {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": limited(0, -1), "b": limited(0, -1)}, want: "a"},
		"no room is better than a refused probe":    {keys: []table.Key{doubted(lead("a")), lead("b")}, views: map[string]health.View{"b": limited(0, -1)}, want: "b"},
		"it may be back, and it is the draw":        {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": back(health.KeyRefused)}, random: always, want: "a"},
		"it may be back, and it is not the draw":    {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": back(health.KeyRefused)}, want: "b"},
		"it may be back, and nothing else is left":  {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": back(health.KeyRefused), "b": refused()}, want: "a"},
		"another call finds out whether it is back": {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": viewed(func(v *health.View) { v.Probe, v.Busy = true, true }), "b": refused()}},
		"another call finds out, and nothing else is left": {
			keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": tried(health.CoolingDown), "b": refused()}, lastResort: true, want: "a",
		},
		"another call finds out whether the circuit is well": {
			keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": tried(health.CircuitOpen), "b": refused()}, lastResort: true,
		},
		"it is coming back, and it is not the draw":   {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": viewed(func(v *health.View) { v.Ramp = 500 })}, want: "b"},
		"too many failures":                           {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": viewed(func(v *health.View) { v.Block = health.ErrorRate }), "b": refused()}},
		"too many failures, but nothing else":         {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": viewed(func(v *health.View) { v.Block = health.ErrorRate }), "b": refused()}, lastResort: true, want: "a"},
		"a replaced key waits":                        {keys: []table.Key{lead("a"), replaced("a", "a1", later)}, want: "a"},
		"a replaced key, the new one is refused":      {keys: []table.Key{lead("a"), replaced("a", "a1", later)}, views: map[string]health.View{"a": refused()}, want: "a1"},
		"a replaced key comes before other names":     {keys: []table.Key{lead("a"), replaced("a", "a1", later), lead("b")}, views: map[string]health.View{"a": refused()}, want: "a1"},
		"a replaced key, no quota is left of the new": {keys: []table.Key{lead("a"), replaced("a", "a1", later)}, views: map[string]health.View{"a": viewed(func(v *health.View) { v.Block, v.KeyBlock = health.NoQuota, health.NoQuota })}, want: "a1"},
		"a replaced key, the new one may be back":     {keys: []table.Key{lead("a"), replaced("a", "a1", later)}, views: map[string]health.View{"a": back(health.KeyRefused)}, want: "a1"},
		"a replaced key, the probe was refused":       {keys: []table.Key{doubted(lead("a")), replaced("a", "a1", later)}, want: "a1"},
		"a replaced key is no help with rate limits":  {keys: []table.Key{lead("a"), replaced("a", "a1", later)}, views: map[string]health.View{"a": cooling(time.Second)}},
		"a replaced key, refused in this call":        {keys: []table.Key{lead("a"), replaced("a", "a1", later)}, tried: []string{"a"}, refused: []string{"a"}, want: "a1"},
		"a replaced key, tried and not refused":       {keys: []table.Key{lead("a"), replaced("a", "a1", later)}, tried: []string{"a"}},
		"an older key, the younger one is refused":    {keys: []table.Key{lead("a"), replaced("a", "a1", later), replaced("a", "a2", later)}, views: map[string]health.View{"a": refused(), "a1": refused()}, want: "a2"},
		"an older key waits for the younger one":      {keys: []table.Key{lead("a"), replaced("a", "a1", later), replaced("a", "a2", later)}, views: map[string]health.View{"a": refused(), "a1": cooling(1)}},
		"an older key, the younger one has expired":   {keys: []table.Key{lead("a"), replaced("a", "a1", start), replaced("a", "a2", later)}, views: map[string]health.View{"a": refused()}, want: "a2"},
		"a replaced key at its deadline":              {keys: []table.Key{lead("a"), replaced("a", "a1", start)}, views: map[string]health.View{"a": refused()}},
		"a replaced key just before its deadline":     {keys: []table.Key{lead("a"), replaced("a", "a1", start.Add(1))}, views: map[string]health.View{"a": refused()}, want: "a1"},
		"a replaced key without a deadline":           {keys: []table.Key{lead("a"), replaced("a", "a1", time.Time{})}, views: map[string]health.View{"a": refused()}},
		"a key whose Secret is gone":                  {keys: []table.Key{ending(lead("a"), start.Add(1)), lead("b")}, want: "a"},
		"a key whose Secret is gone, at its end":      {keys: []table.Key{ending(lead("a"), start), lead("b")}, want: "b"},
		"a single key whose Secret is gone":           {keys: []table.Key{ending(lead("a"), start)}},
		"a canary's time is the manager's":            {keys: []table.Key{lead("a"), ending(canary("a", 1000), start)}, want: "a-canary"},
		"what is left of a name is the reserve":       {keys: []table.Key{replaced("a", "a1", later), lead("b")}, want: "b"},
		"the reserve serves when nothing else can":    {keys: []table.Key{replaced("a", "a1", later), lead("b")}, views: map[string]health.View{"b": refused()}, want: "a1"},
		"a replaced key after a Secret is gone":       {keys: []table.Key{ending(lead("a"), start), replaced("a", "a1", later)}, want: "a1"},
		"only an expired key":                         {keys: []table.Key{replaced("a", "a1", start)}},
		"only a replaced key":                         {keys: []table.Key{replaced("a", "a1", later)}, want: "a1"},
		"a canary, when the leading one is refused":   {keys: []table.Key{lead("a"), canary("a", 0), replaced("a", "a1", later)}, views: map[string]health.View{"a": refused()}, want: "a-canary"},
		"a canary of another name waits":              {keys: []table.Key{lead("a"), lead("b"), canary("b", 1000)}, want: "a"},
		"a canary with all calls":                     {keys: []table.Key{lead("a"), canary("a", 1000)}, want: "a-canary"},
		"a canary with all calls that is refused":     {keys: []table.Key{lead("a"), canary("a", 1000)}, views: map[string]health.View{"a-canary": refused()}, want: "a"},
		"a canary is no turn after a failure":         {keys: []table.Key{lead("a"), lead("b"), canary("b", 1000)}, tried: []string{"a"}, want: "b"},
		"sharing: never one without room":             {keys: []table.Key{lead("a"), lead("b")}, shares: true, views: map[string]health.View{"a": limited(0, 1000)}, random: always, want: "b"},
		"sharing: weight 0 waits":                     {keys: []table.Key{weighing(lead("a"), 0), lead("b")}, shares: true, random: always, want: "b"},
		"sharing: weight 0 waits, one comes back":     {keys: []table.Key{weighing(lead("a"), 0), lead("b")}, shares: true, views: map[string]health.View{"b": back(health.NoQuota)}, want: "b"},
		"sharing: weight 0, nothing else":             {keys: []table.Key{weighing(lead("a"), 0), lead("b")}, shares: true, views: map[string]health.View{"b": refused()}, random: always, want: "a"},
		"sharing: weight 0 with room before none":     {keys: []table.Key{weighing(lead("a"), 0), lead("b")}, shares: true, views: map[string]health.View{"b": limited(0, -1)}, random: always, want: "a"},
		"sharing: weight 0 after weights, none has room": {
			keys: []table.Key{weighing(lead("a"), 0), lead("b")}, shares: true, views: map[string]health.View{"a": limited(0, -1), "b": limited(0, -1)}, random: always, want: "b",
		},
		"sharing: a replaced key in its name's place": {keys: []table.Key{lead("a"), replaced("a", "a1", later), lead("b")}, shares: true, views: map[string]health.View{"a": refused()}, random: always, want: "a1"},
		"leading: weights mean nothing":               {keys: []table.Key{weighing(lead("a"), 0), lead("b")}, want: "a"},
		"two names with one value":                    {keys: []table.Key{lead("a"), {Name: "b", Fingerprint: "a"}}, tried: []string{"a"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			random := tc.random
			if random == nil {
				random = never
			}
			r := New(&table.Credential{Keys: tc.keys, SharesKeys: tc.shares}, random)
			q := Query{Now: start, Tokens: tc.tokens, LastResort: tc.lastResort, Look: looking(r, tc.views), Random: random}
			for _, fingerprint := range tc.tried {
				q.Tried.Add(fingerprint, len(tc.refused) > 0)
			}
			peeked, found := r.Peek(&q)
			if again, foundAgain := r.Peek(&q); again != peeked || foundAgain != found {
				t.Errorf("a look took a turn: %d, then %d", peeked, again)
			}
			place, ok := r.Pick(&q)
			if place != peeked || ok != found {
				t.Errorf("a look finds %d (%t), the choice is %d (%t)", peeked, found, place, ok)
			}
			got := ""
			if ok {
				got = r.Key(place).Fingerprint
				if len(tc.keys) == 0 {
					got = "none"
				}
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func looking(r *Ring, views map[string]health.View) func(int) health.View {
	return func(place int) health.View {
		if view, told := views[r.Key(place).Fingerprint]; told {
			return view
		}
		return well()
	}
}

func TestView(t *testing.T) {
	later := start.Add(time.Minute)
	busy := viewed(func(v *health.View) {
		v.InFlight, v.Samples, v.Age, v.FirstToken, v.Answer, v.TokensPerSecond = 3, 30, time.Second, 100*time.Millisecond, time.Second, 60
		v.ErrorPermille, v.CachedPermille, v.OutputTokens = 10, 100, 200
	})
	slow := viewed(func(v *health.View) {
		v.InFlight, v.Samples, v.Age, v.FirstToken, v.Answer, v.TokensPerSecond = 1, 10, 2*time.Second, 500*time.Millisecond, 5*time.Second, 20
		v.ErrorPermille, v.CachedPermille, v.OutputTokens = 50, 500, 600
	})
	both := viewed(func(v *health.View) {
		v.InFlight, v.Samples, v.Age, v.FirstToken, v.Answer, v.TokensPerSecond = 4, 40, time.Second, 200*time.Millisecond, 2*time.Second, 50
		v.ErrorPermille, v.CachedPermille, v.OutputTokens = 20, 200, 300
	})
	blocked := func(of, by health.View) health.View {
		of.Block, of.KeyBlock, of.For = by.Block, by.KeyBlock, by.For
		return of
	}
	cases := map[string]struct {
		keys  []table.Key
		views map[string]health.View
		want  health.View
	}{
		"a single key is as it is":           {keys: []table.Key{lead("a")}, views: map[string]health.View{"a": refused()}, want: refused()},
		"averages are weighted":              {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": busy, "b": slow}, want: both},
		"the best key counts":                {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": blocked(busy, refused()), "b": slow}, want: both},
		"the first to come back counts":      {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": cooling(9 * time.Second), "b": cooling(4 * time.Second)}, want: cooling(4 * time.Second)},
		"one may be back":                    {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": cooling(1), "b": back(health.NoQuota)}, want: back(health.NoQuota)},
		"failing is lighter than refused":    {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": refused(), "b": viewed(func(v *health.View) { v.Block = health.ErrorRate })}, want: viewed(func(v *health.View) { v.Block = health.ErrorRate })},
		"the most room":                      {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": limited(3, 100), "b": limited(2, 200)}, want: limited(2, 200)},
		"room is not put together":           {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": limited(0, 100), "b": limited(9, 10)}, want: limited(9, 10)},
		"room that is not known is most":     {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": limited(3, 100)}, want: well()},
		"a replaced key waits":               {keys: []table.Key{lead("a"), replaced("a", "a1", later)}, views: map[string]health.View{"a": cooling(time.Second)}, want: cooling(time.Second)},
		"a replaced key serves":              {keys: []table.Key{lead("a"), replaced("a", "a1", later)}, views: map[string]health.View{"a": refused()}, want: well()},
		"a replaced key has expired":         {keys: []table.Key{lead("a"), replaced("a", "a1", start)}, views: map[string]health.View{"a": refused()}, want: refused()},
		"a replaced key's past is known yet": {keys: []table.Key{lead("a"), replaced("a", "a1", start)}, views: map[string]health.View{"a": busy, "a1": slow}, want: both},
		"a key whose Secret is gone":         {keys: []table.Key{ending(lead("a"), start), lead("b")}, views: map[string]health.View{"b": refused()}, want: refused()},
		"an older key serves": {
			keys:  []table.Key{lead("a"), replaced("a", "a1", later), replaced("a", "a2", later)},
			views: map[string]health.View{"a": refused(), "a1": refused()}, want: well(),
		},
		"nothing but expired keys": {
			keys: []table.Key{replaced("a", "a1", start)},
			want: viewed(func(v *health.View) { v.Block, v.KeyBlock, v.Ramp = health.KeyRefused, health.KeyRefused, 0 }),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := New(&table.Credential{Keys: tc.keys}, never)
			if diff := cmp.Diff(tc.want, r.View(start, looking(r, tc.views))); diff != "" {
				t.Errorf("view (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLiveAndHas(t *testing.T) {
	r := New(&table.Credential{Keys: []table.Key{
		lead("a"), canary("a", 10), replaced("a", "a1", start.Add(1)), lead("b"), replaced("b", "b1", start.Add(1)), replaced("b", "b2", start),
	}}, never)
	got := r.Live(start, looking(r, map[string]health.View{"b": refused(), "b1": refused()}))
	if diff := cmp.Diff([]int{0, 1, 3, 4}, got); diff != "" {
		t.Errorf("live keys (-want +got):\n%s", diff)
	}
	if !r.Has("b2") || r.Has("c") {
		t.Error("the ring does not know its keys")
	}
}

func TestReturned(t *testing.T) {
	later := start.Add(time.Minute)
	before := New(&table.Credential{Keys: []table.Key{
		lead("a"), canary("a", 10), replaced("a", "a1", later), replaced("a", "a2", later), lead("b"), replaced("b", "a", later),
	}}, never)
	onTrial := canary("a", 10)
	onTrial.Fingerprint = "a2"
	cases := map[string]struct {
		keys []table.Key
		want []string
	}{
		"nothing changes":            {keys: before.keys},
		"one leads again":            {keys: []table.Key{lead("a1"), replaced("a", "a", later)}, want: []string{"a1"}},
		"one is on trial again":      {keys: []table.Key{lead("a"), onTrial}, want: []string{"a2"}},
		"a new one leads":            {keys: []table.Key{lead("c"), replaced("a", "a1", later)}},
		"a canary leads":             {keys: []table.Key{lead("a-canary")}},
		"its probe was refused":      {keys: []table.Key{doubted(lead("a1"))}},
		"it led elsewhere all along": {keys: []table.Key{lead("b"), lead("a")}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := New(&table.Credential{Keys: tc.keys}, never).Returned(before)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("returned (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTriedIsBounded(t *testing.T) {
	var tried Tried
	for i, fingerprint := range []string{"a", "b", "c", "d", "e"} {
		if tried.Full() != (i >= Most) {
			t.Errorf("with %d keys it is full: %t", i, tried.Full())
		}
		tried.Add(fingerprint, fingerprint != "c")
	}
	if tried.Count() != Most || tried.AllRefused() {
		t.Errorf("%d keys were tried, all refused: %t", tried.Count(), tried.AllRefused())
	}
}
