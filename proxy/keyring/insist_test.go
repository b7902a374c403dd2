package keyring

import (
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/table"
)

// refusedFor is a key that the provider refused so long ago, and that may be tried.
func refusedFor(ago time.Duration) health.View {
	view := refused()
	view.LastTry = ago
	return view
}

func TestInsist(t *testing.T) {
	later := start.Add(time.Minute)
	longer, shorter := refusedFor(3*time.Second), refusedFor(2*time.Second)
	cases := map[string]struct {
		keys     []table.Key
		views    map[string]health.View
		tried    []string
		politely bool
		want     string // fingerprint; empty for none
	}{
		"the one refused longest ago":             {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": shorter, "b": longer}, want: "b"},
		"only where that is asked for":            {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": shorter, "b": longer}, politely: true},
		"it was tried":                            {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": shorter, "b": longer}, tried: []string{"b"}, want: "a"},
		"too soon":                                {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": refused(), "b": refused()}},
		"one of them is too soon":                 {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": shorter, "b": refused()}, want: "a"},
		"the others wait for their time":          {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": cooling(time.Second), "b": shorter}, want: "b"},
		"not while another can be used":           {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": longer}, want: "b"},
		"not while one may be back":               {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": longer, "b": back(health.KeyRefused)}, want: "b"},
		"not while the probe of one was refused":  {keys: []table.Key{lead("a"), doubted(lead("b"))}, views: map[string]health.View{"a": longer}, want: "b"},
		"not while one has no room":               {keys: []table.Key{lead("a"), lead("b")}, views: map[string]health.View{"a": longer, "b": limited(0, -1)}, want: "b"},
		"a canary":                                {keys: []table.Key{lead("a"), canary("a", 0)}, views: map[string]health.View{"a": shorter, "a-canary": longer}, want: "a-canary"},
		"a replaced key":                          {keys: []table.Key{lead("a"), replaced("a", "a1", later)}, views: map[string]health.View{"a": shorter, "a1": longer}, want: "a1"},
		"a replaced key at its deadline":          {keys: []table.Key{lead("a"), replaced("a", "a1", start)}, views: map[string]health.View{"a": shorter, "a1": longer}, want: "a"},
		"a replaced key, the new one cools down":  {keys: []table.Key{lead("a"), replaced("a", "a1", later)}, views: map[string]health.View{"a": cooling(time.Second), "a1": longer}},
		"a key whose Secret is gone":              {keys: []table.Key{ending(lead("a"), start.Add(1)), lead("b")}, views: map[string]health.View{"a": longer, "b": shorter}, want: "a"},
		"a key whose Secret is gone, at its end":  {keys: []table.Key{ending(lead("a"), start), lead("b")}, views: map[string]health.View{"a": longer, "b": shorter}, want: "b"},
		"a key that is refused and of no weight":  {keys: []table.Key{weighing(lead("a"), 0), lead("b")}, views: map[string]health.View{"a": longer, "b": shorter}, want: "a"},
		"a single key is the health's own matter": {keys: []table.Key{lead("a")}, views: map[string]health.View{"a": refused()}, want: "a"},
	}
	for name, tc := range cases {
		for _, shares := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				r := New(&table.Credential{Keys: tc.keys, SharesKeys: shares}, never)
				q := Query{Now: start, Insist: !tc.politely, Look: looking(r, tc.views), Random: never}
				for _, fingerprint := range tc.tried {
					q.Tried.Add(fingerprint, true)
				}
				got := ""
				if place, ok := r.Pick(&q); ok {
					got = r.Key(place).Fingerprint
				}
				if got != tc.want {
					t.Errorf("got %q, want %q", got, tc.want)
				}
			})
		}
	}
}

// TestInsistingChangesNothingElse draws rings and healths: a last try is made where no key could be used otherwise, with one that may be tried so, and never
// with one that was refused later than another.
func TestInsistingChangesNothingElse(t *testing.T) {
	random, tries := seeded(12), 0
	for range 20_000 {
		r, views := drawRing(random)
		for fingerprint, view := range views {
			if view.Block == health.KeyRefused {
				view.LastTry = time.Duration(random(4)) * time.Second
				views[fingerprint] = view
			}
		}
		q := Query{Now: start, Look: looking(r, views), Random: never}
		_, politely := r.Pick(&q)
		q.Insist = true
		place, ok := r.Pick(&q)
		view := q.Look(place)
		switch {
		case r.Single(), politely && view.LastTry == 0 && ok, !politely && !ok:
		case politely:
			t.Fatalf("%q was chosen, although another can be used: %+v", r.Key(place).Fingerprint, r.keys)
		case view.LastTry == 0 || Expired(r.Key(place), start):
			t.Fatalf("%q was chosen, which must not be tried: %+v", r.Key(place).Fingerprint, r.keys)
		default:
			tries++
			promisesTheOldestRefusal(t, r, place, &q)
		}
	}
	if tries < 100 {
		t.Errorf("%d last tries are too few to show anything", tries)
	}
}

func promisesTheOldestRefusal(t *testing.T, r *Ring, place int, q *Query) {
	t.Helper()
	for other := range r.Len() {
		key := r.Key(other)
		if key.Role != table.Previous && !Expired(key, start) && q.Look(other).LastTry > q.Look(place).LastTry {
			t.Fatalf("%q was chosen, and %q was refused before it: %+v", r.Key(place).Fingerprint, key.Fingerprint, r.keys)
		}
	}
}
