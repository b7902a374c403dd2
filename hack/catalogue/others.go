package main

import (
	"encoding/json"
	"fmt"
	"math/big"

	"signalbox.dev/signalbox/proxy/table"
)

const (
	// secondsPerHour makes a price by the second one by the hour.
	secondsPerHour = 3600
	// perThousand makes a price by the piece one of a thousand.
	perThousand = 1000
)

func thousand() *big.Rat { return big.NewRat(perThousand, 1) }

// others reads the prices of what is not counted in tokens.
func (l *priceList) others(f facts) error {
	mode := f.word("mode")
	p := &l.prices
	var wanted []otherPrice
	switch mode {
	case "audio_transcription":
		wanted = []otherPrice{{"input_cost_per_second", &p.AudioHour, secondsPerHour}}
	case "audio_speech":
		wanted = []otherPrice{{"input_cost_per_character", &p.Characters, perToken}, {"output_cost_per_second", &p.SpeechHour, secondsPerHour}}
	case "image_generation", "image_edit":
		if l.variants[variant{}][outputImage] == nil {
			wanted = []otherPrice{{"input_cost_per_image", &p.Image, 1}, {"output_cost_per_image", &p.Image, 1}}
		}
	case "rerank":
		wanted = []otherPrice{{"input_cost_per_query", &p.SearchUnits, perThousand}}
	}
	for _, other := range wanted {
		if err := l.takeOther(f, other); err != nil {
			return err
		}
	}
	if err := l.searches(f); err != nil {
		return err
	}
	return l.places(f)
}

// otherPrice says where a price by something else than tokens goes.
type otherPrice struct {
	name   string
	into   **int64
	factor int64
}

func (l *priceList) takeOther(f facts, other otherPrice) error {
	number, isNumber := f[other.name].(json.Number)
	if !isNumber {
		return nil
	}
	nano, err := l.amount(number, other.factor)
	if err != nil {
		return fmt.Errorf("%s: %w", other.name, err)
	}
	if nano > 0 {
		*other.into = &nano
	}
	return nil
}

// searches reads the price of a search. Where it depends on how much is searched the dearest counts.
func (l *priceList) searches(f facts) error {
	sizes, _ := f["search_context_cost_per_query"].(map[string]any)
	var dearest int64
	for _, size := range sizes {
		number, isNumber := size.(json.Number)
		if !isNumber {
			continue
		}
		nano, err := l.amount(number, perThousand)
		if err != nil {
			return fmt.Errorf("search_context_cost_per_query: %w", err)
		}
		dearest = max(dearest, nano)
	}
	if dearest > 0 {
		l.prices.Search = &dearest
	}
	return nil
}

// places reads what the prices of tokens are multiplied with: where calls are kept in a place, and, with Anthropic, in classes of service that are no others.
func (l *priceList) places(f facts) error {
	for _, place := range []struct{ name, place string }{
		{"regional_endpoint_uplift_multiplier", "regional"},
		{"regional_processing_uplift_multiplier_eu", "eu"}, {"regional_processing_uplift_multiplier_us", "us"},
	} {
		number, isNumber := f[place.name].(json.Number)
		if !isNumber {
			continue
		}
		factor, err := multiplier(number)
		if err != nil {
			return fmt.Errorf("%s: %w", place.name, err)
		}
		if l.uplifts == nil {
			l.uplifts = map[string]int64{}
		}
		l.uplifts[place.place] = factor
	}
	if f.word("litellm_provider") == "anthropic" {
		return l.anthropic(f)
	}
	return nil
}

// anthropic adds the classes that Anthropic's answers name apart from the tier: "fast" is the speed, "us" where inference was kept, and both together. Its
// tier "priority" is capacity that was bought before, and costs what the usual one does.
func (l *priceList) anthropic(f facts) error {
	given, _ := f["provider_specific_entry"].(map[string]any)
	factors := map[string]int64{}
	for _, name := range []string{"fast", "us"} {
		number, isNumber := given[name].(json.Number)
		if !isNumber {
			continue
		}
		factor, err := multiplier(number)
		if err != nil {
			return fmt.Errorf("provider_specific_entry.%s: %w", name, err)
		}
		factors[name] = factor
	}
	for i := range l.prices.Services {
		if batch := &l.prices.Services[i]; batch.Service == "batch" {
			halveHour(&batch.Prices, &l.prices)
		}
	}
	multiplied(&l.prices, "priority", perThousand)
	for _, name := range []string{"fast", "us"} {
		if factors[name] > 0 {
			multiplied(&l.prices, name, factors[name])
		}
	}
	if factors["fast"] > 0 && factors["us"] > 0 {
		multiplied(&l.prices, "fast-us", factors["fast"]*factors["us"]/perThousand)
	}
	return nil
}

// halveHour lowers what is written for an hour as what is read is lowered: the discount of batches holds for all tokens, and the list does not say it of these.
func halveHour(batch, usual *table.Prices) {
	if usual.CacheWrite1h != nil && usual.Input > 0 {
		lower := (*usual.CacheWrite1h*(batch.Input/perThousand) + usual.Input/perThousand - 1) / (usual.Input / perThousand)
		batch.CacheWrite1h = &lower
	}
	for i := range min(len(batch.Tiers), len(usual.Tiers)) {
		halveHour(&batch.Tiers[i].Prices, &usual.Tiers[i].Prices)
	}
}
