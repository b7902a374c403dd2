package meter_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

// chance is a price, or none.
func chance(random *rand.Rand) *int64 {
	if random.IntN(2) == 0 {
		return nil
	}
	price := random.Int64N(1000)
	return &price
}

func randomClass(random *rand.Rand) table.Prices {
	return table.Prices{
		Input: random.Int64N(1000), CachedInput: random.Int64N(1000), CacheWrite: chance(random), CacheWrite1h: chance(random), InputAudio: chance(random),
		CachedInputAudio: chance(random), InputImage: chance(random), Output: random.Int64N(1000), Reasoning: chance(random), OutputAudio: chance(random),
		OutputImage: chance(random), Request: random.Int64N(1000), Image: chance(random), AudioHour: chance(random), MinAudioMillis: random.Int64N(10),
		SpeechHour: chance(random), Characters: chance(random), Search: chance(random), SearchUnits: chance(random),
	}
}

func randomPrices(random *rand.Rand) *table.Prices {
	made := randomClass(random)
	for range random.IntN(3) {
		made.Tiers = append(made.Tiers, table.PriceTier{Above: random.Int64N(2_000_000), Prices: randomClass(random)})
	}
	for _, name := range []string{"priority", "flex"} {
		if random.IntN(2) == 0 {
			made.Services = append(made.Services, table.ServicePrices{Service: name, Prices: randomClass(random)})
		}
	}
	return &made
}

// What a call can cost by the highest prices is never below what it can cost by any of them, and is not known if it is not by one of them.
func TestHighestIsABound(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 5))
	bounded := 0
	for range 5000 {
		all := []*table.Prices{randomPrices(random), randomPrices(random), randomPrices(random)}[:1+random.IntN(3)]
		highest := meter.Highest(all)
		demand := meter.Demand{
			Prompt: random.Int64N(3_000_000), Completion: random.Int64N(3_000_000), WritesCache: random.IntN(2) == 0, WritesCache1h: random.IntN(2) == 0,
			PromptAudio: random.IntN(2) == 0, PromptImage: random.IntN(2) == 0, CompletionAudio: random.IntN(2) == 0, CompletionImage: random.IntN(2) == 0,
			Images: random.Int64N(2), AudioMillis: random.Int64N(2), Searches: random.Int64N(2), Service: []string{"", "auto", "priority", "flex"}[random.IntN(4)],
		}
		most, known := meter.Bound(&demand, highest)
		for _, p := range all {
			nano, priced := meter.Bound(&demand, p)
			if nano > most && known {
				t.Fatalf("%+v costs %d by one of the prices and %d by the highest", demand, nano, most)
			}
			if known && !priced && demand.Service == "" {
				t.Fatalf("%+v has a price by the highest and none by one of them", demand)
			}
		}
		if known {
			bounded++
		}
	}
	if bounded < 500 {
		t.Errorf("only %d calls had a bound", bounded)
	}
}

func TestHighest(t *testing.T) {
	nano := func(n int64) *int64 { return &n }
	cases := map[string]struct {
		all  []*table.Prices
		want *table.Prices
	}{
		"none":             {nil, nil},
		"one is not known": {[]*table.Prices{{Input: 1}, nil}, nil},
		"units": {
			[]*table.Prices{{Input: 3, CachedInput: 1, Output: 4, Search: nano(9)}, {Input: 2, CachedInput: 2, Output: 8}},
			&table.Prices{
				Input: 3, CachedInput: 2, CacheWrite: nano(3), CacheWrite1h: nano(3), InputAudio: nano(3), CachedInputAudio: nano(3), InputImage: nano(3),
				Output: 8, Reasoning: nano(8), OutputAudio: nano(8), OutputImage: nano(8),
				Image: nano(0), AudioHour: nano(0), SpeechHour: nano(0), Characters: nano(0), SearchUnits: nano(0),
			},
		},
		"a tier": {
			[]*table.Prices{{Input: 3, CachedInput: 1, Output: 4, Tiers: []table.PriceTier{{Above: 9, Prices: table.Prices{Input: 6, CachedInput: 2, Output: 5}}}}},
			&table.Prices{
				Input: 6, CachedInput: 2, CacheWrite: nano(6), CacheWrite1h: nano(6), InputAudio: nano(6), CachedInputAudio: nano(6), InputImage: nano(6),
				Output: 5, Reasoning: nano(5), OutputAudio: nano(5), OutputImage: nano(5),
				Image: nano(0), AudioHour: nano(0), SpeechHour: nano(0), Characters: nano(0), SearchUnits: nano(0),
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, meter.Highest(tc.all)); diff != "" {
				t.Errorf("prices (-want +got):\n%s", diff)
			}
		})
	}
}
