package meter_test

import (
	"errors"
	"math"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/meter"
)

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
