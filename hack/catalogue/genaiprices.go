package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"signalbox.dev/signalbox/proxy/table"
)

// number is a number of a literal as JSON has it.
func number(w word) json.Number { return json.Number(w) }

// genaiUnits are the units of tokens by the names of genai-prices. Its prices are for a million of them.
func genaiUnits() map[string]unit {
	return map[string]unit{
		"input_mtok": input, "output_mtok": output, "cache_read_mtok": cachedInput, "cache_write_mtok": cacheWrite, "cache_write_5m_mtok": cacheWrite,
		"cache_write_1h_mtok": cacheWrite1h, "input_audio_mtok": inputAudio, "cache_audio_read_mtok": cachedInputAudio, "input_image_mtok": inputImage,
		"output_reasoning_mtok": reasoning, "output_audio_mtok": outputAudio, "output_image_mtok": outputImage,
	}
}

// genaiPrices reads a ModelPrice.
func genaiPrices(value any) (table.Prices, []string, error) {
	model, isCall := value.(call)
	if !isCall {
		return table.Prices{}, nil, fmt.Errorf("prices are %T", value)
	}
	list := &priceList{variants: map[variant]*rates{{}: {}}}
	for _, name := range slices.Sorted(maps.Keys(model.named)) {
		which, isUnit := genaiUnits()[name]
		if !isUnit {
			continue
		}
		if err := list.takeTiered(which, model.named[name]); err != nil {
			return table.Prices{}, nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	list.writeBesideInput()
	list.prices = list.build()
	for _, other := range []struct {
		name string
		into **int64
	}{
		{"web_searches_kcount", &list.prices.Search}, {"input_audio_hours", &list.prices.AudioHour}, {"input_mchars", &list.prices.Characters},
	} {
		if err := list.takePiece(model.named[other.name], other.into); err != nil {
			return table.Prices{}, nil, fmt.Errorf("%s: %w", other.name, err)
		}
	}
	list.spread()
	return list.prices, list.notes, nil
}

// takeTiered reads one price, or one with others for longer prompts.
func (l *priceList) takeTiered(which unit, value any) error {
	made, _ := value.(call)
	if made.name != "TieredPrices" {
		return l.takeDecimal(which, variant{}, value)
	}
	if err := l.takeDecimal(which, variant{}, made.named["base"]); err != nil {
		return err
	}
	tiers, _ := made.named["tiers"].([]any)
	for _, item := range tiers {
		tier, _ := item.(call)
		start, _ := tier.named["start"].(word)
		above, err := (facts{"start": number(start)}).count("start")
		if err != nil {
			return err
		}
		if err := l.takeDecimal(which, variant{above: above}, tier.named["price"]); err != nil {
			return err
		}
	}
	return nil
}

func (l *priceList) takeDecimal(which unit, at variant, value any) error {
	nano, err := l.decimal(value)
	if err != nil {
		return err
	}
	if l.variants[at] == nil {
		l.variants[at] = &rates{}
	}
	l.variants[at][which] = &nano
	return nil
}

// decimal reads Decimal('0.59').
func (l *priceList) decimal(value any) (int64, error) {
	made, _ := value.(call)
	if made.name != "Decimal" || len(made.args) != 1 {
		return 0, fmt.Errorf("a price is %v", value)
	}
	text, _ := made.args[0].(string)
	return l.amount(json.Number(text), 1)
}

func (l *priceList) takePiece(value any, into **int64) error {
	if value == nil {
		return nil
	}
	nano, err := l.decimal(value)
	if err != nil {
		return err
	}
	*into = &nano
	return nil
}

// writeBesideInput adds the price of the tokens to that of writing them into a cache, where the latter is only for the storage.
func (l *priceList) writeBesideInput() {
	for _, given := range l.variants {
		if given[cacheWrite] == nil || given[input] == nil || *given[cacheWrite] >= *given[input] || *given[cacheWrite] == 0 {
			continue
		}
		sum := *given[cacheWrite] + *given[input]
		given[cacheWrite] = &sum
		l.notes = append(l.notes, "the price of a cache write is for its storage, and comes to that of the tokens")
	}
}
