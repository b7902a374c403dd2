package main

import (
	"fmt"
	"maps"
	"slices"

	"signalbox.dev/signalbox/proxy/catalogue"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

// merge joins the two packages. litellm has more units, regions and classes of service, so it wins where both know a model; genai-prices has OpenRouter and
// models that litellm does not list. What they disagree on is returned for people to look at.
func merge(first, second listing) (joined listing, review []string) {
	joined = first
	for _, provider := range slices.Sorted(maps.Keys(second)) {
		for _, key := range slices.Sorted(maps.Keys(second[provider])) {
			other := second[provider][key]
			entry, known := joined.of(provider)[key]
			if !known {
				joined.of(provider)[key] = other
				continue
			}
			fill(entry, other)
			review = append(review, disagreements(provider, entry, other)...)
		}
	}
	return joined, review
}

// fill takes from other what an entry does not know, and a price by the hour where the entry's was by the second and lost digits on the way.
func fill(entry, other *catalogue.Entry) {
	if entry.ContextTokens == 0 {
		entry.ContextTokens = other.ContextTokens
	}
	p := &entry.Prices
	if p.Search == nil {
		p.Search = other.Prices.Search
	}
	if hour := other.Prices.AudioHour; hour != nil && p.AudioHour != nil && nearly(*p.AudioHour, *hour) {
		p.AudioHour = hour
	}
	lowerTiers(p, other.Prices.Tiers)
	complete(p, p)
}

// lowerTiers lets tiers begin one token earlier where the other package says so: it tells "from 200,000 on" from "above 200,000", and the first is never too low.
func lowerTiers(p *table.Prices, others []table.PriceTier) {
	for i := range p.Tiers {
		for j := range others {
			if others[j].Above == p.Tiers[i].Above-1 {
				p.Tiers[i].Above = others[j].Above
			}
		}
	}
	for i := range p.Services {
		lowerTiers(&p.Services[i].Prices, others)
	}
}

// nearly tells whether two prices differ by less than a thousandth.
func nearly(one, other int64) bool {
	return max(one, other)-min(one, other) < max(one, other)/perThousand
}

// disagreements of two packages about the main prices of a model.
func disagreements(provider string, one, other *catalogue.Entry) []string {
	var lines []string
	for _, price := range []struct {
		name      string
		won, lost int64
	}{
		{"input", one.Prices.Input, other.Prices.Input},
		{"output", one.Prices.Output, other.Prices.Output},
		{"cachedInput", one.Prices.CachedInput, other.Prices.CachedInput},
		{"audioHour", value(one.Prices.AudioHour), value(other.Prices.AudioHour)},
		{"characters", value(one.Prices.Characters), value(other.Prices.Characters)},
		{"search", value(one.Prices.Search), value(other.Prices.Search)},
	} {
		if price.won != price.lost {
			lines = append(lines, fmt.Sprintf("%s/%s: %s is %s in %s and %s in %s", provider, one.Key, price.name,
				meter.FormatUSD(price.won), one.Package, meter.FormatUSD(price.lost), other.Package))
		}
	}
	if len(one.Prices.Tiers) != len(other.Prices.Tiers) {
		lines = append(lines, fmt.Sprintf("%s/%s: it has %d tiers in %s and %d in %s", provider, one.Key,
			len(one.Prices.Tiers), one.Package, len(other.Prices.Tiers), other.Package))
	}
	return lines
}

func value(price *int64) int64 {
	if price == nil {
		return 0
	}
	return *price
}
