package keyring

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/table"
)

// seeded draws numbers that are the same at every run.
func seeded(seed uint64) func(int64) int64 {
	return rand.New(rand.NewPCG(seed, 7)).Int64N
}

func TestSharesComeToTheirWeight(t *testing.T) {
	cases := map[string]struct {
		weights []int32
		views   []health.View
		tokens  int64
		want    []float64
	}{
		"weights":                          {weights: []int32{1, 2, 5, 0}, want: []float64{1. / 8, 2. / 8, 5. / 8, 0}},
		"room of requests":                 {weights: []int32{1, 1}, views: []health.View{limited(30, -1), limited(90, -1)}, want: []float64{0.25, 0.75}},
		"room of tokens":                   {weights: []int32{1, 1}, views: []health.View{limited(-1, 1000), limited(-1, 4000)}, tokens: 100, want: []float64{0.2, 0.8}},
		"the tighter limit counts":         {weights: []int32{1, 1}, views: []health.View{limited(10, 1_000_000), limited(1_000_000, 3000)}, tokens: 100, want: []float64{0.25, 0.75}},
		"weight and room":                  {weights: []int32{3, 1}, views: []health.View{limited(10, -1), limited(30, -1)}, want: []float64{0.5, 0.5}},
		"room that is not known":           {weights: []int32{1, 1, 2}, views: []health.View{limited(10, -1), limited(30, -1), well()}, want: []float64{0.1, 0.3, 0.6}},
		"no room at all":                   {weights: []int32{1, 3}, views: []health.View{limited(0, -1), limited(0, -1)}, want: []float64{0.25, 0.75}},
		"no weights at all":                {weights: []int32{0, 0}, want: []float64{0.5, 0.5}},
		"one is left alone":                {weights: []int32{1, 1, 1}, views: []health.View{refused(), well(), well()}, want: []float64{0, 0.5, 0.5}},
		"one comes back by and by":         {weights: []int32{1, 1}, views: []health.View{viewed(func(v *health.View) { v.Ramp = 100 }), well()}, want: []float64{0.05, 0.95}},
		"one may be back":                  {weights: []int32{1, 1}, views: []health.View{back(health.NoQuota), well()}, want: []float64{0.1, 0.9}},
		"limits so large that sums are":    {weights: []int32{math.MaxInt32, math.MaxInt32}, views: []health.View{limited(1<<50, -1), limited(1<<50, -1)}, want: []float64{0.5, 0.5}},
		"a key that no draw can leave out": {weights: []int32{1}, want: []float64{1}},
	}
	const draws = 40_000
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var keys []table.Key
			views := map[string]health.View{}
			for i, weight := range tc.weights {
				keys = append(keys, weighing(lead(fmt.Sprint(i)), weight))
				views[keys[i].Fingerprint] = well()
				if tc.views != nil {
					views[keys[i].Fingerprint] = tc.views[i]
				}
			}
			random := seeded(1)
			r := New(&table.Credential{Keys: keys, SharesKeys: true}, random)
			counts := make([]float64, len(keys))
			q := Query{Now: start, Tokens: tc.tokens, Look: looking(r, views), Random: random}
			for range draws {
				place, ok := r.Pick(&q)
				if !ok {
					t.Fatal("no key was chosen")
				}
				counts[place]++
			}
			for i, want := range tc.want {
				if got := counts[i] / draws; math.Abs(got-want) > 0.015 || want == 0 && got > 0 {
					t.Errorf("key %d got %.3f of the calls, want %.3f", i, got, want)
				}
			}
		})
	}
}

func TestACanaryHasItsShareExactly(t *testing.T) {
	for _, permille := range []int32{0, 1, 10, 125, 333, 500, 1000} {
		for _, shares := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d permille, sharing %t", permille, shares), func(t *testing.T) {
				random := seeded(uint64(permille))
				r := New(&table.Credential{Keys: []table.Key{lead("a"), canary("a", permille)}, SharesKeys: shares}, random)
				q := Query{Now: start, Look: looking(r, nil), Random: random}
				var counts [2]int
				for range 3000 {
					place, _ := r.Pick(&q)
					counts[place]++
				}
				if got := counts[1]; got != int(permille)*3 {
					t.Errorf("the canary got %d of 3000 calls, want %d", got, permille*3)
				}
			})
		}
	}
}

// TestACanaryIsNotStarvedByNewTables has a new ring at every tenth call, as many changes of a table make.
func TestACanaryIsNotStarvedByNewTables(t *testing.T) {
	random := seeded(3)
	chosen := 0
	for range 3000 {
		r := New(&table.Credential{Keys: []table.Key{lead("a"), canary("a", 20)}}, random)
		q := Query{Now: start, Look: looking(r, nil), Random: random}
		for range 10 {
			if place, _ := r.Pick(&q); place == 1 {
				chosen++
			}
		}
	}
	if chosen < 450 || chosen > 750 {
		t.Errorf("the canary got %d of 30000 calls, want about 600", chosen)
	}
}

// TestPickKeepsItsPromises draws rings, healths and histories, and looks whether a choice breaks a rule.
func TestPickKeepsItsPromises(t *testing.T) {
	random := seeded(11)
	for range 20_000 {
		r, views := drawRing(random)
		q := Query{Now: start, Tokens: random(200), LastResort: random(4) == 0, Look: looking(r, views), Random: random}
		for place := range r.Len() {
			if random(4) == 0 {
				q.Tried.Add(r.Key(place).Fingerprint, random(2) == 0)
			}
		}
		place, ok := r.Pick(&q)
		if !ok {
			promisesAKey(t, r, &q)
			continue
		}
		promisesOfKeys(t, r, place, &q)
		promisesOfRoom(t, r, place, &q)
	}
}

// promisesAKey fails if a key can be used that none was chosen of.
func promisesAKey(t *testing.T, r *Ring, q *Query) {
	t.Helper()
	for other := range r.Len() {
		if mustServe(r, other, q) {
			t.Fatalf("no key was chosen, and %q can be used: %+v", r.Key(other).Fingerprint, r.keys)
		}
	}
}

// promisesOfKeys fails if a key was chosen that must not be.
func promisesOfKeys(t *testing.T, r *Ring, place int, q *Query) {
	t.Helper()
	key, view := r.Key(place), q.Look(place)
	tried, _ := q.Tried.of(key.Fingerprint)
	switch {
	case tried:
		t.Fatalf("%q was chosen again", key.Fingerprint)
	case key.Role != table.Canary && !key.Until.IsZero() && !start.Before(key.Until):
		t.Fatalf("%q was chosen after its deadline", key.Fingerprint)
	case r.Single():
	case q.LastResort && view.Block == health.ErrorRate:
	case view.Block != health.Open:
		t.Fatalf("%q was chosen although it is left alone", key.Fingerprint)
	}
}

// promisesOfRoom fails if a key without room was chosen while one that leads has room and nothing else against it.
func promisesOfRoom(t *testing.T, r *Ring, place int, q *Query) {
	t.Helper()
	own := q.Look(place).Headroom
	if roomOf(&own, q.Tokens) != 0 {
		return
	}
	for other := range r.Len() {
		view := q.Look(other)
		if mustServe(r, other, q) && !r.Key(other).Refused && view.Block == health.Open && roomOf(&view.Headroom, q.Tokens) != 0 {
			t.Fatalf("%q was chosen without room, and %q has some", r.Key(place).Fingerprint, r.Key(other).Fingerprint)
		}
	}
}

// mustServe tells whether a key that leads or is a canary can be used.
func mustServe(r *Ring, place int, q *Query) bool {
	key, view := r.Key(place), q.Look(place)
	tried, _ := q.Tried.of(key.Fingerprint)
	return !tried && key.Role != table.Previous && !Expired(key, start) && view.Block == health.Open && !view.Busy
}

func drawRing(random func(int64) int64) (*Ring, map[string]health.View) {
	var keys []table.Key
	views := map[string]health.View{}
	for i := range 1 + random(5) {
		name := fmt.Sprint(i)
		if random(8) > 0 {
			keys = append(keys, weighing(lead(name), int32(random(4))))
			keys[len(keys)-1].Refused = random(6) == 0
			if random(6) == 0 {
				keys[len(keys)-1].Until = start.Add(time.Duration(random(5)-2) * time.Second)
			}
		}
		if random(4) == 0 {
			keys = append(keys, canary(name, int32(random(1001))))
		}
		for age := range random(3) {
			keys = append(keys, replaced(name, fmt.Sprint(name, "-", age), start.Add(time.Duration(random(5)-2)*time.Second)))
		}
	}
	if len(keys) == 0 {
		keys = append(keys, lead("only"))
	}
	kinds := []func() health.View{
		well, refused, func() health.View { return cooling(time.Second) }, func() health.View { return limited(random(3), random(300)) },
		func() health.View { return back(health.KeyRefused) }, func() health.View { return viewed(func(v *health.View) { v.Block = health.ErrorRate }) },
		func() health.View { return viewed(func(v *health.View) { v.Ramp = 300 }) },
	}
	for i := range keys {
		views[keys[i].Fingerprint] = kinds[random(int64(len(kinds)))]()
	}
	return New(&table.Credential{Keys: keys, SharesKeys: random(2) == 0}, random), views
}
