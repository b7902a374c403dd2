package meter_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

func TestBound(t *testing.T) {
	prices := table.Prices{
		Input: 10 * million, CachedInput: 1 * million, CacheWrite: new(int64(20 * million)), CacheWrite1h: new(int64(30 * million)), InputAudio: new(int64(40 * million)),
		InputImage: new(int64(50 * million)), Output: 10 * million, Reasoning: new(int64(20 * million)), OutputAudio: new(int64(30 * million)), OutputImage: new(int64(40 * million)),
		Request: 7, Image: new(int64(1000)),
		Services: []table.ServicePrices{{Service: "flex", Prices: table.Prices{Input: 5 * million, Output: 5 * million}}, {Service: "priority", Prices: table.Prices{Input: 100 * million, Output: 100 * million}}},
	}
	cheaperAbove := table.Prices{Input: 10 * million, Output: 10 * million, Tiers: []table.PriceTier{{Above: 1000, Prices: table.Prices{Input: 1 * million, Output: 1 * million}}}}
	dearerAbove := table.Prices{Input: 1 * million, Output: 1 * million, Tiers: []table.PriceTier{{Above: 1000, Prices: table.Prices{Input: 10 * million, Output: 10 * million}}}}
	unpricedAbove := table.Prices{Search: new(int64), Services: []table.ServicePrices{{Service: "priority", Prices: table.Prices{}}}}
	for name, tc := range map[string]struct {
		demand   meter.Demand
		prices   table.Prices
		want     int64
		unpriced bool
	}{
		"nothing":                        {},
		"tokens":                         {demand: meter.Demand{Prompt: 2, Completion: 3}, prices: prices, want: 7 + 2*10 + 3*20},
		"writes to the cache":            {demand: meter.Demand{Prompt: 2, WritesCache: true}, prices: prices, want: 7 + 2*20},
		"writes for an hour":             {demand: meter.Demand{Prompt: 2, WritesCache1h: true}, prices: prices, want: 7 + 2*30},
		"sound":                          {demand: meter.Demand{Prompt: 2, PromptAudio: true, Completion: 1, CompletionAudio: true}, prices: prices, want: 7 + 2*40 + 30},
		"images":                         {demand: meter.Demand{Prompt: 2, PromptImage: true, Completion: 1, CompletionImage: true, Images: 1}, prices: prices, want: 7 + 2*50 + 40 + 1000},
		"cached dearer than input":       {demand: meter.Demand{Prompt: 2}, prices: table.Prices{Input: million, CachedInput: 3 * million}, want: 6},
		"cached sound dearer than sound": {demand: meter.Demand{Prompt: 2, PromptAudio: true}, prices: table.Prices{Input: million, CachedInputAudio: new(int64(3 * million))}, want: 6},
		"minutes dearer than an hour":    {demand: meter.Demand{Prompt: 2, WritesCache1h: true}, prices: table.Prices{CacheWrite: new(int64(3 * million)), CacheWrite1h: new(int64(million))}, want: 6},
		"below a cheaper tier":           {demand: meter.Demand{Prompt: 5000, Completion: 10}, prices: cheaperAbove, want: 1000*10 + 10*10},
		"far above a cheaper tier":       {demand: meter.Demand{Prompt: 20_000, Completion: 10}, prices: cheaperAbove, want: 20_000 + 10},
		"at the threshold":               {demand: meter.Demand{Prompt: 1000, Completion: 10}, prices: dearerAbove, want: 1000 + 10},
		"above a dearer tier":            {demand: meter.Demand{Prompt: 1001, Completion: 10}, prices: dearerAbove, want: 10_010 + 100},
		"a cheaper class asked for":      {demand: meter.Demand{Prompt: 2, Service: "flex"}, prices: prices, want: 7 + 2*10},
		"a dearer class asked for":       {demand: meter.Demand{Prompt: 2, Service: "priority"}, prices: prices, want: 200},
		"any class":                      {demand: meter.Demand{Prompt: 2, Service: meter.ServiceAuto}, prices: prices, want: 200},
		"a dearer class without price":   {demand: meter.Demand{Prompt: 2, Service: "turbo"}, prices: prices, want: 27, unpriced: true},
		"a cheaper class without price":  {demand: meter.Demand{Prompt: 2, Service: "batch"}, prices: prices, want: 27},
		"no price for searches":          {demand: meter.Demand{Searches: 1}, prices: prices, want: 7, unpriced: true},
		"no price in one class":          {demand: meter.Demand{Searches: 1, Service: meter.ServiceAuto}, prices: unpricedAbove, unpriced: true},
		"no price in the class asked":    {demand: meter.Demand{Searches: 1, Service: "priority"}, prices: unpricedAbove, unpriced: true},
		"a class that was not asked for": {demand: meter.Demand{Searches: 1}, prices: unpricedAbove},
		"saturates":                      {demand: meter.Demand{Prompt: math.MaxInt64, Completion: math.MaxInt64}, prices: prices, want: math.MaxInt64},
		"negative":                       {demand: meter.Demand{Prompt: -1, Completion: -1, Images: -1}, prices: prices, want: 7},
	} {
		t.Run(name, func(t *testing.T) {
			nano, priced := meter.Bound(&tc.demand, &tc.prices)
			if nano != tc.want || priced == tc.unpriced {
				t.Errorf("Bound(%+v) = %d, %t, want %d, %t", tc.demand, nano, priced, tc.want, !tc.unpriced)
			}
		})
	}
}

// dice draws price lists, demands, and usage within them.
type dice struct{ *rand.Rand }

// count draws small and large numbers alike.
func (d dice) count() int64 {
	if d.IntN(4) == 0 {
		return d.Int64N(4)
	}
	return d.Int64N(1 << (1 + d.IntN(31)))
}

func (d dice) price() int64 {
	if d.IntN(6) == 0 {
		return 0
	}
	return d.Int64N(1 << (1 + d.IntN(40)))
}

func (d dice) maybe() *int64 {
	if d.IntN(2) == 0 {
		return nil
	}
	return new(d.price())
}

func (d dice) prices() table.Prices {
	return table.Prices{
		Input: d.price(), CachedInput: d.price(), CacheWrite: d.maybe(), CacheWrite1h: d.maybe(), InputAudio: d.maybe(), CachedInputAudio: d.maybe(),
		InputImage: d.maybe(), Output: d.price(), Reasoning: d.maybe(), OutputAudio: d.maybe(), OutputImage: d.maybe(), Request: d.price(), Image: d.maybe(),
		AudioHour: d.maybe(), MinAudioMillis: d.count(), SpeechHour: d.maybe(), Characters: d.maybe(), Search: d.maybe(), SearchUnits: d.maybe(),
	}
}

// class draws prices with tiers, which are not always in order.
func (d dice) class() table.Prices {
	p := d.prices()
	for range d.IntN(4) {
		p.Tiers = append(p.Tiers, table.PriceTier{Above: d.count(), Prices: d.prices()})
	}
	return p
}

var services = []string{"flex", "priority", "batch", "default", "fast"}

func (d dice) list() table.Prices {
	p := d.class()
	for range d.IntN(3) {
		p.Services = append(p.Services, table.ServicePrices{Service: services[d.IntN(len(services))], Prices: d.class()})
	}
	return p
}

func (d dice) flip() bool { return d.IntN(2) == 0 }

func (d dice) demand() meter.Demand {
	service := ""
	switch d.IntN(3) {
	case 0:
		service = meter.ServiceAuto
	case 1:
		service = services[d.IntN(len(services))]
	}
	return meter.Demand{
		Prompt: d.count(), Completion: d.count(), WritesCache: d.flip(), WritesCache1h: d.flip(), PromptAudio: d.flip(), PromptImage: d.flip(),
		CompletionAudio: d.flip(), CompletionImage: d.flip(), Images: d.count(), AudioMillis: d.count(), SpeechMillis: d.count(), Characters: d.count(),
		Searches: d.count(), SearchUnits: d.count(), Service: service,
	}
}

// upTo draws a number that is often the largest.
func (d dice) upTo(most int64) int64 {
	if d.IntN(3) == 0 || most == math.MaxInt64 {
		return most
	}
	return d.Int64N(most + 1)
}

// part draws a part of a whole, which is sometimes larger than that.
func (d dice) part(whole int64) int64 { return d.upTo(whole + whole/8) }

// near draws a prompt, often one right at a threshold.
func (d dice) near(most int64, class *table.Prices) int64 {
	if len(class.Tiers) > 0 && d.flip() {
		return min(most, class.Tiers[d.IntN(len(class.Tiers))].Above+d.Int64N(2))
	}
	return d.upTo(most)
}

func (d dice) usage(of *meter.Demand, p *table.Prices) meter.Usage {
	service, class := "", p
	if i := d.IntN(len(p.Services) + 1); i < len(p.Services) && (of.Service == meter.ServiceAuto || of.Service == p.Services[i].Service) {
		service, class = p.Services[i].Service, &p.Services[i].Prices
	}
	u := meter.Usage{Prompt: d.near(of.Prompt, class), Completion: d.upTo(of.Completion), Service: service}
	u.Cached, u.Reasoning = d.upTo(u.Prompt), d.upTo(u.Completion)
	if of.WritesCache || of.WritesCache1h {
		u.CacheWrite = d.part(u.Prompt)
	}
	if of.WritesCache1h {
		u.CacheWrite1h = d.part(u.CacheWrite)
	}
	if of.PromptAudio {
		u.PromptAudio = d.part(u.Prompt)
		u.CachedAudio = d.part(u.PromptAudio)
	}
	if of.PromptImage {
		u.PromptImage = d.part(u.Prompt)
	}
	if of.CompletionAudio {
		u.CompletionAudio = d.part(u.Completion)
	}
	if of.CompletionImage {
		u.CompletionImage = d.part(u.Completion)
	}
	u.Images, u.AudioMillis, u.SpeechMillis = d.upTo(of.Images), d.upTo(of.AudioMillis), d.upTo(of.SpeechMillis)
	u.Characters, u.Searches, u.SearchUnits = d.upTo(of.Characters), d.upTo(of.Searches), d.upTo(of.SearchUnits)
	return u
}

// check compares what calls within a demand cost with its bound.
func (d dice) check(t *testing.T) {
	t.Helper()
	prices, demand := d.list(), d.demand()
	bound, priced := meter.Bound(&demand, &prices)
	for range 8 {
		usage := d.usage(&demand, &prices)
		cost := meter.Cost(&usage, &prices)
		if cost.Nano > bound || cost.Unpriced && priced {
			t.Fatalf("Cost(%+v) = %+v is not within Bound(%+v) = %d, %t, by %+v", usage, cost, demand, bound, priced, prices)
		}
	}
}

func TestCostIsWithinBound(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(3, 4))}
	for range 40_000 {
		d.check(t)
	}
}

func FuzzCostIsWithinBound(f *testing.F) {
	for seed := range uint64(16) {
		f.Add(seed, seed*seed)
	}
	f.Fuzz(func(t *testing.T, high, low uint64) { dice{rand.New(rand.NewPCG(high, low))}.check(t) })
}

func TestFitCompletion(t *testing.T) {
	prices := table.Prices{Input: 10 * million, Output: 3 * million, Request: 5}
	for name, tc := range map[string]struct {
		demand meter.Demand
		nano   int64
		want   int64
	}{
		"all of it":                     {demand: meter.Demand{Prompt: 1, Completion: 10}, nano: 1000, want: 10},
		"exactly":                       {demand: meter.Demand{Prompt: 1, Completion: 10}, nano: 15 + 12, want: 4},
		"one nano-dollar less":          {demand: meter.Demand{Prompt: 1, Completion: 10}, nano: 15 + 11, want: 3},
		"nothing but the prompt":        {demand: meter.Demand{Prompt: 1, Completion: 10}, nano: 15, want: 0},
		"not the prompt":                {demand: meter.Demand{Prompt: 1, Completion: 10}, nano: 14, want: 0},
		"no completion":                 {demand: meter.Demand{Prompt: 1}, nano: 1000, want: 0},
		"negative":                      {demand: meter.Demand{Prompt: 1, Completion: 10}, nano: -1, want: 0},
		"what has no price fits never":  {demand: meter.Demand{Completion: 10, Searches: 1}, nano: math.MaxInt64, want: 0},
		"the largest number of tokens":  {demand: meter.Demand{Completion: math.MaxInt64}, nano: math.MaxInt64 - 1, want: (math.MaxInt64 - 1 - 5) / 3},
		"unlimited money fits anything": {demand: meter.Demand{Completion: math.MaxInt64}, nano: math.MaxInt64, want: math.MaxInt64},
	} {
		t.Run(name, func(t *testing.T) {
			if got := meter.FitCompletion(&tc.demand, &prices, tc.nano); got != tc.want {
				t.Errorf("FitCompletion(%+v, %d) = %d, want %d", tc.demand, tc.nano, got, tc.want)
			}
		})
	}
}

// TestFitCompletionIsLargest tries one token more.
func TestFitCompletionIsLargest(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(5, 6))}
	for range 2000 {
		prices, demand := d.list(), d.demand()
		most, priced := meter.Bound(&demand, &prices)
		if !priced {
			continue
		}
		nano := d.upTo(most)
		fit := demand
		fit.Completion = meter.FitCompletion(&demand, &prices, nano)
		bound, _ := meter.Bound(&fit, &prices)
		more := fit
		more.Completion++
		above, _ := meter.Bound(&more, &prices)
		if fit.Completion > 0 && bound > nano || fit.Completion < demand.Completion && above <= nano {
			t.Fatalf("FitCompletion(%+v, %d) = %d: its bound is %d, that of one more %d", demand, nano, fit.Completion, bound, above)
		}
	}
}
