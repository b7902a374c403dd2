package meter_test

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"regexp"
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
		"nothing":              {prices: prices},
		"prompt":               {usage: meter.Usage{Prompt: 1000}, prices: prices, want: 590_000},
		"cached part":          {usage: meter.Usage{Prompt: 1000, Cached: 400}, prices: prices, want: 354_000 + 118_000},
		"completion":           {usage: meter.Usage{Completion: 2}, prices: prices, want: 1580},
		"reasoning is inside":  {usage: meter.Usage{Completion: 2, Reasoning: 2}, prices: prices, want: 1580},
		"rounded up once":      {usage: meter.Usage{Prompt: 1, Cached: 0, Completion: 1}, prices: table.Prices{Input: 1, Output: 1}, want: 1},
		"sum before rounding":  {usage: meter.Usage{Prompt: 1, Completion: 1}, prices: table.Prices{Input: 600_000, Output: 600_000}, want: 2},
		"exact stays exact":    {usage: meter.Usage{Prompt: 1_000_000}, prices: table.Prices{Input: 7}, want: 7},
		"free":                 {usage: meter.Usage{Prompt: 5, Completion: 5}},
		"negative tokens":      {usage: meter.Usage{Prompt: -5, Cached: -5, Completion: -5}, prices: prices},
		"negative prices":      {usage: meter.Usage{Prompt: 5, Completion: 5}, prices: table.Prices{Input: -1, Output: -1}},
		"more cached than all": {usage: meter.Usage{Prompt: 10, Cached: 20}, prices: table.Prices{Input: 1_000_000, CachedInput: 500_000}, want: 5},
		"128 bit":              {usage: meter.Usage{Prompt: 1 << 30}, prices: table.Prices{Input: 1 << 50}, want: 1208925819614629175},
		"saturates in 64 bit":  {usage: meter.Usage{Prompt: most}, prices: table.Prices{Input: 1_000_001}, want: most},
		"saturates in 128 bit": {usage: meter.Usage{Prompt: most, Completion: most}, prices: table.Prices{Input: most, Output: most}, want: most},
		"largest exact":        {usage: meter.Usage{Prompt: most}, prices: table.Prices{Input: 1_000_000}, want: most},
	} {
		t.Run(name, func(t *testing.T) {
			if got := meter.Cost(&tc.usage, &tc.prices).Nano; got != tc.want {
				t.Errorf("Cost(%+v, %+v) = %d, want %d", tc.usage, tc.prices, got, tc.want)
			}
		})
	}
}

// TestCostAgainstBig compares with arithmetic of unbounded size.
func TestCostAgainstBig(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	draw := func() int64 { return random.Int64() >> random.IntN(63) }
	for range 20_000 {
		u := meter.Usage{Prompt: draw(), Completion: draw()}
		u.Cached = random.Int64N(u.Prompt/2 + 1)
		p := table.Prices{Input: draw(), CachedInput: draw(), Output: draw()}
		sum := new(big.Int)
		for _, product := range [][2]int64{{u.Prompt - u.Cached, p.Input}, {u.Cached, p.CachedInput}, {u.Completion, p.Output}} {
			sum.Add(sum, new(big.Int).Mul(big.NewInt(product[0]), big.NewInt(product[1])))
		}
		sum.Add(sum, big.NewInt(999_999)).Div(sum, big.NewInt(1_000_000))
		want := int64(math.MaxInt64)
		if sum.IsInt64() {
			want = sum.Int64()
		}
		if got := meter.Cost(&u, &p).Nano; got != want {
			t.Fatalf("Cost(%+v, %+v) = %d, want %d", u, p, got, want)
		}
	}
}

func TestEstimateUsage(t *testing.T) {
	for name, tc := range map[string]struct {
		prompt, output, events int64
		want                   meter.Usage
	}{
		"never zero":           {want: meter.Usage{Prompt: 1, Estimated: true}},
		"rounds up":            {prompt: 4, output: 1, want: meter.Usage{Prompt: 2, Completion: 1, Estimated: true}},
		"an event is a token":  {prompt: 3, output: 6, events: 5, want: meter.Usage{Prompt: 1, Completion: 5, Estimated: true}},
		"bytes beat events":    {prompt: 3, output: 60, events: 5, want: meter.Usage{Prompt: 1, Completion: 20, Estimated: true}},
		"negative":             {prompt: -3, output: -3, events: -3, want: meter.Usage{Prompt: 1, Estimated: true}},
		"bounded":              {prompt: math.MaxInt64, output: math.MaxInt64, events: math.MaxInt64, want: meter.Usage{Prompt: meter.MaxTokens, Completion: meter.MaxTokens, Estimated: true}},
		"events alone bounded": {prompt: 1, events: math.MaxInt64, want: meter.Usage{Prompt: 1, Completion: meter.MaxTokens, Estimated: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, meter.EstimateUsage(tc.prompt, tc.output, tc.events)); diff != "" {
				t.Errorf("EstimateUsage (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAtLeast(t *testing.T) {
	reported := meter.Usage{Prompt: 0, Cached: 1, Completion: 9, Reasoning: 2, Estimated: true}
	want := meter.Usage{Prompt: 7, Cached: 1, Completion: 9, Reasoning: 2, Estimated: true}
	if diff := cmp.Diff(want, reported.AtLeast(meter.Usage{Prompt: 7, Completion: 3})); diff != "" {
		t.Errorf("AtLeast (-want +got):\n%s", diff)
	}
}

func TestFormatUSD(t *testing.T) {
	for want, nano := range map[string]int64{
		"0": 0, "1": 1_000_000_000, "250": 250_000_000_000, "0.5": 500_000_000, "0.000000001": 1, "0.00001234": 12_340, "12.000000001": 12_000_000_001,
		"-0.5": -500_000_000, "9223372036.854775807": math.MaxInt64, "-9223372036.854775808": math.MinInt64,
	} {
		if got := meter.FormatUSD(nano); got != want {
			t.Errorf("FormatUSD(%d) = %q, want %q", nano, got, want)
		}
	}
}

func TestParseUSD(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "0.59": 590_000_000, "250.00": 250_000_000_000, "000000001": 1_000_000_000, "0.000000001": 1, "999999999.999999999": 999_999_999_999_999_999,
	} {
		got, err := meter.ParseUSD(text)
		if err != nil || got != want {
			t.Errorf("ParseUSD(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", " 1", "1 ", "1_000", "0x1", "١", "1.2.3", "1234567890", "1.0000000001", "NaN", "1\n"} {
		got, err := meter.ParseUSD(text)
		var problem *meter.AmountError
		if !errors.As(err, &problem) {
			t.Errorf("ParseUSD(%q) = %d, %v, want an AmountError", text, got, err)
		}
	}
}

func FuzzParseUSD(f *testing.F) {
	for _, seed := range []string{"0", "0.59", "1.", "-1", "999999999.999999999", "1e9", "00.10"} {
		f.Add(seed)
	}
	grammar := regexp.MustCompile(`\A[0-9]{1,9}(\.[0-9]{1,9})?\z`)
	f.Fuzz(func(t *testing.T, text string) {
		nano, err := meter.ParseUSD(text)
		if (err == nil) != grammar.MatchString(text) {
			t.Fatalf("ParseUSD(%q) = %d, %v disagrees with the grammar of the API", text, nano, err)
		}
		if err != nil {
			return
		}
		again, err := meter.ParseUSD(meter.FormatUSD(nano))
		if err != nil || again != nano {
			t.Fatalf("%q is %d, but written as %q it is %d, %v", text, nano, meter.FormatUSD(nano), again, err)
		}
	})
}
