package meter_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

func TestCost(t *testing.T) {
	const most = math.MaxInt64
	prices := table.Prices{Input: 590_000_000, CachedInput: 295_000_000, Output: 790_000_000}
	for name, tc := range map[string]struct {
		usage  meter.Usage
		prices table.Prices
		want   int64
	}{
		"nothing":               {prices: prices},
		"prompt":                {usage: meter.Usage{Prompt: 1000}, prices: prices, want: 590_000},
		"cached part":           {usage: meter.Usage{Prompt: 1000, Cached: 400}, prices: prices, want: 354_000 + 118_000},
		"completion":            {usage: meter.Usage{Completion: 2}, prices: prices, want: 1580},
		"reasoning is inside":   {usage: meter.Usage{Completion: 2, Reasoning: 2}, prices: prices, want: 1580},
		"rounded up once":       {usage: meter.Usage{Prompt: 1, Completion: 1}, prices: table.Prices{Input: 1, Output: 1}, want: 1},
		"sum before rounding":   {usage: meter.Usage{Prompt: 1, Completion: 1}, prices: table.Prices{Input: 600_000, Output: 600_000}, want: 2},
		"exact stays exact":     {usage: meter.Usage{Prompt: 1_000_000}, prices: table.Prices{Input: 7}, want: 7},
		"free":                  {usage: meter.Usage{Prompt: 5, Completion: 5}},
		"negative tokens":       {usage: meter.Usage{Prompt: -5, Cached: -5, Completion: -5}, prices: prices},
		"negative prices":       {usage: meter.Usage{Prompt: 5, Completion: 5}, prices: table.Prices{Input: -1, Output: -1}},
		"negative prices of":    {usage: meter.Usage{Prompt: 5, PromptAudio: 5, Images: 1}, prices: table.Prices{InputAudio: new(int64(-1)), Image: new(int64(-1))}},
		"more cached than all":  {usage: meter.Usage{Prompt: 10, Cached: 20}, prices: table.Prices{Input: 1_000_000, CachedInput: 500_000}, want: 5},
		"128 bit":               {usage: meter.Usage{Prompt: 1 << 30}, prices: table.Prices{Input: 1 << 50}, want: 1208925819614629175},
		"saturates in 64 bit":   {usage: meter.Usage{Prompt: most}, prices: table.Prices{Input: 1_000_001}, want: most},
		"saturates in 128 bit":  {usage: meter.Usage{Prompt: most, Completion: most}, prices: table.Prices{Input: most, Output: most}, want: most},
		"saturates in one part": {usage: meter.Usage{Images: most}, prices: table.Prices{Image: new(int64(most))}, want: most},
		"largest exact":         {usage: meter.Usage{Prompt: most}, prices: table.Prices{Input: 1_000_000}, want: most},
		"units of all sizes are rounded once": {
			usage: meter.Usage{Prompt: 1, Searches: 1, AudioMillis: 1},
			// A millionth, a thousandth and a 3,600,000th of a nano-dollar.
			prices: table.Prices{Input: 1, Search: new(int64(1)), AudioHour: new(int64(1))}, want: 1,
		},
		"an hour in thirds of a cent": {usage: meter.Usage{AudioMillis: 1200}, prices: table.Prices{AudioHour: new(int64(3000))}, want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(meter.Amount{Nano: tc.want}, meter.Cost(&tc.usage, &tc.prices)); diff != "" {
				t.Errorf("Cost(%+v) (-want +got):\n%s", tc.usage, diff)
			}
		})
	}
}

// million makes small prices of tokens readable: nano-dollars for one of them.
const million = 1_000_000

func TestCostOfKinds(t *testing.T) {
	all := table.Prices{
		Input: 1 * million, CachedInput: 2 * million, CacheWrite: new(int64(3 * million)), CacheWrite1h: new(int64(5 * million)), InputAudio: new(int64(7 * million)),
		CachedInputAudio: new(int64(11 * million)), InputImage: new(int64(13 * million)), Output: 17 * million, Reasoning: new(int64(19 * million)),
		OutputAudio: new(int64(23 * million)), OutputImage: new(int64(29 * million)), Request: 31, Image: new(int64(37)), AudioHour: new(int64(41 * 3600)),
		MinAudioMillis: 10_000, SpeechHour: new(int64(43 * 3600)), Characters: new(int64(47 * million)), Search: new(int64(53 * 1000)), SearchUnits: new(int64(59 * 1000)),
	}
	bare := table.Prices{Input: 1 * million, CachedInput: 2 * million, Output: 17 * million}
	for name, tc := range map[string]struct {
		usage  meter.Usage
		prices table.Prices
		want   meter.Amount
	}{
		"a request without tokens": {prices: all, want: meter.Amount{Nano: 31}},
		"all of the prompt": {
			usage:  meter.Usage{Prompt: 1000, Cached: 100, CachedAudio: 10, PromptAudio: 30, CacheWrite: 200, CacheWrite1h: 50, PromptImage: 40},
			prices: all, want: meter.Amount{Nano: 31 + 90*2 + 10*11 + 150*3 + 50*5 + 20*7 + 40*13 + (900-200-20-40)*1},
		},
		"all of the completion": {
			usage: meter.Usage{Completion: 100, Reasoning: 50, CompletionAudio: 20, CompletionImage: 10}, prices: all,
			want: meter.Amount{Nano: 31 + 20*23 + 10*29 + 50*19 + 20*17},
		},
		"without prices of their own kinds cost as tokens": {
			usage:  meter.Usage{Prompt: 10, Cached: 2, CachedAudio: 1, PromptAudio: 2, CacheWrite: 4, CacheWrite1h: 1, PromptImage: 1, Completion: 4, Reasoning: 1, CompletionAudio: 1, CompletionImage: 1},
			prices: bare, want: meter.Amount{Nano: 1*2 + 1*1 + 8*1 + 4*17},
		},
		"an hour's write costs as one for minutes":   {usage: meter.Usage{Prompt: 1, CacheWrite: 1, CacheWrite1h: 1}, prices: table.Prices{CacheWrite: new(int64(3 * million))}, want: meter.Amount{Nano: 3}},
		"cached sound costs as sound":                {usage: meter.Usage{Prompt: 1, Cached: 1, PromptAudio: 1, CachedAudio: 1}, prices: table.Prices{InputAudio: new(int64(7 * million))}, want: meter.Amount{Nano: 7}},
		"more written than fresh":                    {usage: meter.Usage{Prompt: 10, Cached: 8, CacheWrite: 5, CacheWrite1h: 9}, prices: all, want: meter.Amount{Nano: 31 + 8*2 + 2*5}},
		"more sound than fresh":                      {usage: meter.Usage{Prompt: 10, Cached: 8, PromptAudio: 9}, prices: all, want: meter.Amount{Nano: 31 + 8*2 + 2*7}},
		"more images than fresh":                     {usage: meter.Usage{Prompt: 10, PromptAudio: 4, PromptImage: 9}, prices: all, want: meter.Amount{Nano: 31 + 4*7 + 6*13}},
		"more thoughts than rest":                    {usage: meter.Usage{Completion: 10, CompletionAudio: 9, Reasoning: 9}, prices: all, want: meter.Amount{Nano: 31 + 9*23 + 19}},
		"pieces":                                     {usage: meter.Usage{Images: 2, Characters: 3, Searches: 4, SearchUnits: 5}, prices: all, want: meter.Amount{Nano: 31 + 2*37 + 3*47 + 4*53 + 5*59}},
		"sound by the hour":                          {usage: meter.Usage{AudioMillis: 60_000, SpeechMillis: 2_000}, prices: all, want: meter.Amount{Nano: 31 + 60*41 + 2*43}},
		"short sound":                                {usage: meter.Usage{AudioMillis: 1}, prices: all, want: meter.Amount{Nano: 31 + 10*41}},
		"images by tokens":                           {usage: meter.Usage{Images: 2, Completion: 3, CompletionImage: 3}, prices: bare, want: meter.Amount{Nano: 3 * 17}},
		"sound by tokens":                            {usage: meter.Usage{AudioMillis: 2, Prompt: 3, PromptAudio: 3}, prices: bare, want: meter.Amount{Nano: 3}},
		"speech by tokens":                           {usage: meter.Usage{SpeechMillis: 2, Characters: 5, Completion: 3}, prices: bare, want: meter.Amount{Nano: 3 * 17}},
		"speech by the hour":                         {usage: meter.Usage{SpeechMillis: 2000, Characters: 5}, prices: table.Prices{SpeechHour: new(int64(3600))}, want: meter.Amount{Nano: 2}},
		"speech by characters":                       {usage: meter.Usage{SpeechMillis: 2000, Characters: 5}, prices: table.Prices{Characters: new(int64(million))}, want: meter.Amount{Nano: 5}},
		"images without a price":                     {usage: meter.Usage{Images: 1}, want: meter.Amount{Unpriced: true}},
		"sound without a price":                      {usage: meter.Usage{AudioMillis: 1}, want: meter.Amount{Unpriced: true}},
		"speech without a price":                     {usage: meter.Usage{SpeechMillis: 1}, want: meter.Amount{Unpriced: true}},
		"characters without a price":                 {usage: meter.Usage{Characters: 1}, want: meter.Amount{Unpriced: true}},
		"searches without a price":                   {usage: meter.Usage{Prompt: 1, Searches: 1}, prices: bare, want: meter.Amount{Nano: 1, Unpriced: true}},
		"units without a price":                      {usage: meter.Usage{Prompt: 1, SearchUnits: 1}, want: meter.Amount{Unpriced: true}},
		"units by tokens":                            {usage: meter.Usage{Prompt: 1, SearchUnits: 1}, prices: bare, want: meter.Amount{Nano: 1}},
		"searches that are free":                     {usage: meter.Usage{Searches: 1}, prices: table.Prices{Search: new(int64)}},
		"what was not used needs no price":           {usage: meter.Usage{Searches: 0, Images: -1}, prices: bare},
		"a dearer class without a price":             {usage: meter.Usage{Prompt: 1, Service: "priority"}, prices: bare, want: meter.Amount{Nano: 1, Unpriced: true}},
		"the usual class by name":                    {usage: meter.Usage{Prompt: 1, Service: "default"}, prices: bare, want: meter.Amount{Nano: 1}},
		"a cheaper class without a price costs more": {usage: meter.Usage{Prompt: 1, Service: "flex"}, prices: bare, want: meter.Amount{Nano: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, meter.Cost(&tc.usage, &tc.prices)); diff != "" {
				t.Errorf("Cost(%+v) (-want +got):\n%s", tc.usage, diff)
			}
		})
	}
}

func TestCostOfTiersAndServices(t *testing.T) {
	prices := table.Prices{
		Input: 2 * million, CachedInput: 1 * million, Output: 10 * million, InputAudio: new(int64(6 * million)), Search: new(int64(5000)), Request: 100,
		Tiers: []table.PriceTier{
			{Above: 1000, Prices: table.Prices{Input: 4 * million, CachedInput: 3 * million, Output: 15 * million}},
			{Above: 2000, Prices: table.Prices{Input: 1 * million, Output: 20 * million, InputAudio: new(int64(8 * million)), Request: 200}},
		},
		Services: []table.ServicePrices{
			{Service: "flex", Prices: table.Prices{Input: 1 * million, Output: 5 * million}},
			{Service: "priority", Prices: table.Prices{Input: 20 * million, Output: 30 * million, Tiers: []table.PriceTier{{Above: 1500, Prices: table.Prices{Input: 40 * million}}}}},
		},
	}
	for name, tc := range map[string]struct {
		usage meter.Usage
		want  meter.Amount
	}{
		"at the threshold":               {usage: meter.Usage{Prompt: 1000, Completion: 1}, want: meter.Amount{Nano: 100 + 2000 + 10}},
		"above it the whole call":        {usage: meter.Usage{Prompt: 1001, Completion: 1}, want: meter.Amount{Nano: 100 + 4004 + 15}},
		"cached tokens lengthen":         {usage: meter.Usage{Prompt: 1001, Cached: 1000}, want: meter.Amount{Nano: 100 + 4 + 3000}},
		"a cheaper tier":                 {usage: meter.Usage{Prompt: 2001}, want: meter.Amount{Nano: 200 + 2001}},
		"what a tier does not price":     {usage: meter.Usage{Prompt: 1001, PromptAudio: 1001, Searches: 1}, want: meter.Amount{Nano: 100 + 6006 + 5}},
		"what a tier prices":             {usage: meter.Usage{Prompt: 2001, PromptAudio: 2001}, want: meter.Amount{Nano: 200 + 16008}},
		"a class":                        {usage: meter.Usage{Prompt: 3000, Completion: 1, Service: "flex"}, want: meter.Amount{Nano: 3000 + 5}},
		"a class has its own pieces":     {usage: meter.Usage{Searches: 1, Service: "flex"}, want: meter.Amount{Unpriced: true}},
		"a class's tier":                 {usage: meter.Usage{Prompt: 1501, Service: "priority"}, want: meter.Amount{Nano: 40 * 1501}},
		"below a class's tier":           {usage: meter.Usage{Prompt: 1500, Service: "priority"}, want: meter.Amount{Nano: 20 * 1500}},
		"the usual class":                {usage: meter.Usage{Prompt: 10, Service: "default"}, want: meter.Amount{Nano: 120}},
		"a class that nobody knows":      {usage: meter.Usage{Prompt: 10, Service: "turbo"}, want: meter.Amount{Nano: 120, Unpriced: true}},
		"the same tier without the rest": {usage: meter.Usage{Prompt: 1001, CacheWrite: 1001}, want: meter.Amount{Nano: 100 + 4004}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, meter.Cost(&tc.usage, &prices)); diff != "" {
				t.Errorf("Cost(%+v) (-want +got):\n%s", tc.usage, diff)
			}
		})
	}
}

// TestCostAgainstBig builds calls out of parts that do not overlap, and compares with rational arithmetic of unbounded size.
func TestCostAgainstBig(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	draw := func() int64 { return random.Int64() >> random.IntN(63) }
	price := func() *int64 { return new(draw()) }
	for range 20_000 {
		p := table.Prices{
			Input: draw(), CachedInput: draw(), CacheWrite: price(), CacheWrite1h: price(), InputAudio: price(), CachedInputAudio: price(), InputImage: price(),
			Output: draw(), Reasoning: price(), OutputAudio: price(), OutputImage: price(), Request: draw(), Image: price(), AudioHour: price(), SpeechHour: price(),
			Characters: price(), Search: price(), SearchUnits: price(),
		}
		part := func() int64 { return draw() / 16 }
		text, cached, sound, cachedSound, image, written, hour := part(), part(), part(), part(), part(), part(), part()
		plain, thought, spoken, painted := part(), part(), part(), part()
		u := meter.Usage{
			Prompt: text + cached + sound + cachedSound + image + written + hour, Cached: cached + cachedSound, CachedAudio: cachedSound, PromptAudio: sound + cachedSound,
			PromptImage: image, CacheWrite: written + hour, CacheWrite1h: hour, Completion: plain + thought + spoken + painted, Reasoning: thought,
			CompletionAudio: spoken, CompletionImage: painted, Images: draw(), AudioMillis: draw(), SpeechMillis: draw(), Characters: draw(), Searches: draw(), SearchUnits: draw(),
		}
		sum := new(big.Rat)
		for _, product := range []struct{ count, price, of int64 }{
			{text, p.Input, 1e6}, {cached, p.CachedInput, 1e6}, {sound, *p.InputAudio, 1e6}, {cachedSound, *p.CachedInputAudio, 1e6}, {image, *p.InputImage, 1e6},
			{written, *p.CacheWrite, 1e6}, {hour, *p.CacheWrite1h, 1e6}, {plain, p.Output, 1e6}, {thought, *p.Reasoning, 1e6}, {spoken, *p.OutputAudio, 1e6},
			{painted, *p.OutputImage, 1e6}, {1, p.Request, 1}, {u.Images, *p.Image, 1}, {u.AudioMillis, *p.AudioHour, 3_600_000},
			{u.SpeechMillis, *p.SpeechHour, 3_600_000}, {u.Characters, *p.Characters, 1e6}, {u.Searches, *p.Search, 1000}, {u.SearchUnits, *p.SearchUnits, 1000},
		} {
			exact := new(big.Rat).SetFrac64(product.count, product.of)
			sum.Add(sum, exact.Mul(exact, new(big.Rat).SetInt64(product.price)))
		}
		up := new(big.Int).Sub(sum.Denom(), big.NewInt(1))
		up.Add(up, sum.Num()).Div(up, sum.Denom())
		want := meter.Amount{Nano: math.MaxInt64}
		if up.IsInt64() {
			want.Nano = up.Int64()
		}
		if got := meter.Cost(&u, &p); got != want {
			t.Fatalf("Cost(%+v) = %+v, want %+v", u, got, want)
		}
	}
}

func TestCostAllocatesNothing(t *testing.T) {
	prices, usage := dearPrices(), meter.Usage{Prompt: 300_000, Cached: 1000, Completion: 500, Reasoning: 100, Searches: 2, Service: "priority"}
	demand := meter.Demand{Prompt: 300_000, Completion: 500, Service: meter.ServiceAuto}
	if got := testing.AllocsPerRun(100, func() { meter.Cost(&usage, &prices); meter.Bound(&demand, &prices) }); got != 0 {
		t.Errorf("Cost and Bound allocate %v times, want never", got)
	}
}

func dearPrices() table.Prices {
	tier := []table.PriceTier{{Above: 200_000, Prices: table.Prices{Input: 6_000_000_000, CachedInput: 600_000_000, Output: 22_500_000_000}}}
	usual := table.Prices{Input: 3_000_000_000, CachedInput: 300_000_000, CacheWrite: new(int64(3_750_000_000)), Output: 15_000_000_000, Search: new(int64(10_000_000_000)), Tiers: tier}
	priority := usual
	priority.Input = 9_000_000_000
	usual.Services = []table.ServicePrices{{Service: "flex", Prices: priority}, {Service: "priority", Prices: priority}}
	return usual
}

func BenchmarkCost(b *testing.B) {
	prices, usage := dearPrices(), meter.Usage{Prompt: 300_000, Cached: 1000, CacheWrite: 100, Completion: 500, Reasoning: 100, Searches: 2, Service: "priority"}
	b.ReportAllocs()
	for b.Loop() {
		meter.Cost(&usage, &prices)
	}
}

func BenchmarkBound(b *testing.B) {
	prices, demand := dearPrices(), meter.Demand{Prompt: 300_000, Completion: 500, WritesCache: true}
	b.ReportAllocs()
	for b.Loop() {
		meter.Bound(&demand, &prices)
	}
}
