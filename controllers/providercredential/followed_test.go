package providercredential

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// delays are how long the status took to follow, in turn.
type delays []time.Duration

func (d delays) mean() time.Duration {
	var sum time.Duration
	for _, one := range d {
		sum += one
	}
	return sum / time.Duration(len(d))
}

// TestTheWholeWayFromCallsToStatus: with any number of proxies and calls, whose reports come at odd times, the status says within ten seconds what happens to a
// provider and that it is over, in six on average, and it is not written more often than it turns, figures aside. With few calls over many proxies, of which each
// has to find out for itself that the provider is back, going back takes longer.
func TestTheWholeWayFromCallsToStatus(t *testing.T) {
	cases := map[string]struct {
		proxies, rate int
		turns, backs  time.Duration // within which each time
		mean          time.Duration
	}{
		"1 proxy, 1 call a second":      {proxies: 1, rate: 1, turns: 10 * time.Second, backs: 12 * time.Second, mean: 8 * time.Second},
		"2 proxies, 1 call a second":    {proxies: 2, rate: 1, turns: 10 * time.Second, backs: 13 * time.Second, mean: 8 * time.Second},
		"5 proxies, 1 call a second":    {proxies: 5, rate: 1, turns: 11 * time.Second, backs: 20 * time.Second, mean: 10 * time.Second},
		"1 proxy, 10 calls a second":    {proxies: 1, rate: 10, turns: 10 * time.Second, backs: 10 * time.Second, mean: 6 * time.Second},
		"3 proxies, 10 calls a second":  {proxies: 3, rate: 10, turns: 10 * time.Second, backs: 10 * time.Second, mean: 6 * time.Second},
		"1 proxy, 100 calls a second":   {proxies: 1, rate: 100, turns: 10 * time.Second, backs: 10 * time.Second, mean: 6 * time.Second},
		"2 proxies, 100 calls a second": {proxies: 2, rate: 100, turns: 8 * time.Second, backs: 10 * time.Second, mean: 6 * time.Second},
		"5 proxies, 100 calls a second": {proxies: 5, rate: 100, turns: 10 * time.Second, backs: 10 * time.Second, mean: 6 * time.Second},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := simulate(t, tc.proxies, tc.rate)
				random := rand.New(rand.NewPCG(3, uint64(tc.proxies*tc.rate)))
				var all delays
				s.pause(20 * time.Second)
				for _, what := range troubles() {
					turned := s.follow(what, 20*time.Second+time.Duration(random.Int64N(int64(20*time.Second))))
					back := s.follow(wellness(), 20*time.Second+time.Duration(random.Int64N(int64(20*time.Second))))
					if turned > tc.turns || back > tc.backs {
						t.Errorf("%s: followed after %s, and when it was over after %s", what.name, turned, back)
					}
					all = append(all, turned, back)
				}
				if all.mean() > tc.mean {
					t.Errorf("followed after %s on average: %s", all.mean(), all)
				}
				s.expectPace(4 * len(all))
				s.end()
			})
		})
	}
}
