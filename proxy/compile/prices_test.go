package compile_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

func pricing(prices v1alpha1.TokenPrices) func(*v1alpha1.ModelRoute) {
	return func(r *v1alpha1.ModelRoute) { r.Spec.Targets[0].Prices = &prices }
}

func changed(input, cached, output v1alpha1.USDPerMillionTokens) v1alpha1.ChangedPrices {
	return v1alpha1.ChangedPrices{Input: input, CachedInput: cached, Output: output}
}

// TestPricesOfEveryUnit reads a price list that has everything.
func TestPricesOfEveryUnit(t *testing.T) {
	spec := v1alpha1.TokenPrices{
		Input: "1", CachedInput: "0.1", Output: "2",
		UnitPrices: v1alpha1.UnitPrices{
			CacheWrite: "1.25", CacheWrite1h: "2.5", InputAudio: "3", CachedInputAudio: "0.3", InputImage: "4", Reasoning: "5", OutputAudio: "6", OutputImage: "7",
			Request: "0.001", Image: "0.04", AudioMinute: "0.006", MinAudioSeconds: of(int32(10)), SpeechMinute: "0.015", Characters: "15", Searches: "10", SearchUnits: "2",
		},
		Tiers: []v1alpha1.PriceTier{
			{Above: 500_000, ChangedPrices: changed("8", "", "")},
			{Above: 200_000, ChangedPrices: changed("4", "0.4", "6")},
		},
		Services: []v1alpha1.ServicePrices{{
			Service: "flex", ChangedPrices: v1alpha1.ChangedPrices{Input: "0.5", UnitPrices: v1alpha1.UnitPrices{Searches: "9"}},
			Tiers: []v1alpha1.PriceTier{{Above: 200_000, ChangedPrices: changed("", "", "3")}},
		}},
	}
	base := table.Prices{
		Input: 1_000_000_000, CachedInput: 100_000_000, Output: 2_000_000_000,
		CacheWrite: of(int64(1_250_000_000)), CacheWrite1h: of(int64(2_500_000_000)), InputAudio: of(int64(3_000_000_000)), CachedInputAudio: of(int64(300_000_000)),
		InputImage: of(int64(4_000_000_000)), Reasoning: of(int64(5_000_000_000)), OutputAudio: of(int64(6_000_000_000)), OutputImage: of(int64(7_000_000_000)),
		Request: 1_000_000, Image: of(int64(40_000_000)), AudioHour: of(int64(360_000_000)), MinAudioMillis: 10_000, SpeechHour: of(int64(900_000_000)),
		Characters: of(int64(15_000_000_000)), Search: of(int64(10_000_000_000)), SearchUnits: of(int64(2_000_000_000)),
	}
	long, longest, flex := base, base, base
	long.Input, long.CachedInput, long.Output = 4_000_000_000, 400_000_000, 6_000_000_000
	longest.Input = 8_000_000_000
	flex.Input, flex.Search = 500_000_000, of(int64(9_000_000_000))
	flexLong := flex
	flexLong.Output = 3_000_000_000
	flex.Tiers = []table.PriceTier{{Above: 200_000, Prices: flexLong}}
	want := base
	want.Source = "ModelRoute chat"
	want.Tiers = []table.PriceTier{{Above: 200_000, Prices: long}, {Above: 500_000, Prices: longest}}
	want.Services = []table.ServicePrices{{Service: "flex", Prices: flex}}

	result := compile.Compile(input(withRoutes(route("chat", pricing(spec)))))
	if diff := cmp.Diff(&want, servedRoute(t, result, "chat").Targets[0].Prices); diff != "" {
		t.Errorf("prices (-want +got):\n%s", diff)
	}
}

// TestCachedInputFollowsInput: without a price of their own cached tokens cost as much as others, in tiers and services too.
func TestCachedInputFollowsInput(t *testing.T) {
	spec := v1alpha1.TokenPrices{
		Input: "1", Tiers: []v1alpha1.PriceTier{{Above: 10, ChangedPrices: changed("3", "", "")}},
		Services: []v1alpha1.ServicePrices{{Service: "flex", ChangedPrices: changed("0.5", "", "")}},
	}
	prices := servedRoute(t, compile.Compile(input(withRoutes(route("chat", pricing(spec))))), "chat").Targets[0].Prices
	if got := prices.Tiers[0].Prices.CachedInput; got != 3_000_000_000 {
		t.Errorf("cached tokens of the tier cost %d", got)
	}
	if got := prices.Services[0].Prices.CachedInput; got != 500_000_000 {
		t.Errorf("cached tokens of the service cost %d", got)
	}
}

func TestPricesInError(t *testing.T) {
	unit := func(units v1alpha1.UnitPrices) v1alpha1.TokenPrices {
		return v1alpha1.TokenPrices{Input: "1", UnitPrices: units}
	}
	for name, tc := range map[string]struct {
		spec v1alpha1.TokenPrices
		want string
	}{
		"no input":              {v1alpha1.TokenPrices{}, "prices.input"},
		"unit":                  {unit(v1alpha1.UnitPrices{CacheWrite1h: "1e3"}), "prices.cacheWrite1h"},
		"request":               {unit(v1alpha1.UnitPrices{Request: "-1"}), "prices.request"},
		"minute beyond numbers": {unit(v1alpha1.UnitPrices{AudioMinute: "999999999"}), "prices.audioMinute"},
		"negative seconds":      {unit(v1alpha1.UnitPrices{MinAudioSeconds: of(int32(-1))}), "prices.minAudioSeconds"},
		"too many seconds":      {unit(v1alpha1.UnitPrices{MinAudioSeconds: of(int32(3601))}), "prices.minAudioSeconds"},
		"tier":                  {v1alpha1.TokenPrices{Input: "1", Tiers: []v1alpha1.PriceTier{{Above: 1, ChangedPrices: changed("", "", "x")}}}, "prices.tiers[0].output"},
		"tier of nothing":       {v1alpha1.TokenPrices{Input: "1", Tiers: []v1alpha1.PriceTier{{}}}, "prices.tiers[0].above"},
		"tier twice":            {v1alpha1.TokenPrices{Input: "1", Tiers: []v1alpha1.PriceTier{{Above: 5}, {Above: 9}, {Above: 5}}}, "prices.tiers[2].above"},
		"service without name":  {v1alpha1.TokenPrices{Input: "1", Services: []v1alpha1.ServicePrices{{}}}, "prices.services[0].service"},
		"service twice":         {v1alpha1.TokenPrices{Input: "1", Services: []v1alpha1.ServicePrices{{Service: "flex"}, {Service: "flex"}}}, "prices.services[1].service"},
		"tier of a service": {
			v1alpha1.TokenPrices{Input: "1", Services: []v1alpha1.ServicePrices{{Service: "flex", Tiers: []v1alpha1.PriceTier{{Above: 1, ChangedPrices: changed("x", "", "")}}}}},
			"prices.services[0].tiers[0].input",
		},
	} {
		t.Run(name, func(t *testing.T) {
			result := compile.Compile(input(withRoutes(route("chat", pricing(tc.spec)))))
			want := []string{"Accepted Invalid spec.targets[0]." + tc.want}
			if diff := cmp.Diff(want, why(report(t, result, compile.KindModelRoute, "chat"))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
