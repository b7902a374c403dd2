package main

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"signalbox.dev/signalbox/proxy/catalogue"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// highestRate is more than any provider charges for a million tokens, in nano-dollars: 5,000 dollars.
	highestRate = 5_000_000_000_000
	// largestChange is the factor by which a price may change without somebody looking at it.
	largestChange = 4
)

// check finds what cannot be right.
func check(entries listing) []string {
	var problems []string
	for _, provider := range slices.Sorted(maps.Keys(entries)) {
		for _, key := range slices.Sorted(maps.Keys(entries[provider])) {
			entry := entries[provider][key]
			for _, problem := range checkEntry(entry) {
				problems = append(problems, fmt.Sprintf("%s/%s: %s", provider, key, problem))
			}
		}
	}
	return problems
}

func checkEntry(entry *catalogue.Entry) []string {
	var problems []string
	if entry.Package == "" {
		problems = append(problems, "nobody says where it comes from")
	}
	if _, err := time.Parse(time.DateOnly, entry.Deprecated); entry.Deprecated != "" && err != nil {
		problems = append(problems, fmt.Sprintf("%q is no date", entry.Deprecated))
	}
	for place, uplift := range entry.Uplifts {
		if uplift < perThousand || uplift > 2*perThousand {
			problems = append(problems, fmt.Sprintf("it costs %d thousandths in %s", uplift, place))
		}
	}
	if entry.ContextTokens > 0 && entry.MaxOutputTokens > entry.ContextTokens {
		problems = append(problems, fmt.Sprintf("its answers of %d tokens are longer than its context of %d", entry.MaxOutputTokens, entry.ContextTokens))
	}
	return append(problems, checkPrices(&entry.Prices, "")...)
}

func checkPrices(p *table.Prices, where string) []string {
	var problems []string
	for which := input; which <= outputImage; which++ {
		if price := least(p, which); price < 0 || price > highestRate {
			problems = append(problems, fmt.Sprintf("%sa million tokens cost %d nano-dollars", where, price))
		}
	}
	if p.CachedInput > p.Input {
		problems = append(problems, where+"cached tokens cost more than others")
	}
	for _, price := range []*int64{p.Image, p.AudioHour, p.SpeechHour, p.Characters, p.Search, p.SearchUnits} {
		if price != nil && (*price <= 0 || *price > highestRate) {
			problems = append(problems, fmt.Sprintf("%sa piece costs %d nano-dollars", where, *price))
		}
	}
	var before int64
	for i := range p.Tiers {
		if p.Tiers[i].Above <= before {
			problems = append(problems, where+"its tiers are out of order")
		}
		before = p.Tiers[i].Above
		problems = append(problems, checkPrices(&p.Tiers[i].Prices, fmt.Sprintf("%sabove %d: ", where, before))...)
	}
	for i := range p.Services {
		problems = append(problems, checkPrices(&p.Services[i].Prices, where+p.Services[i].Service+": ")...)
	}
	return problems
}

// changes finds what is too different from the data before it to be taken unseen.
func changes(before, now listing) []string {
	var problems []string
	for _, provider := range slices.Sorted(maps.Keys(before)) {
		gone := 0
		for _, key := range slices.Sorted(maps.Keys(before[provider])) {
			entry, known := now[provider][key]
			if !known {
				gone++
				continue
			}
			problems = append(problems, changed(provider, before[provider][key], entry)...)
		}
		if gone > max(3, len(before[provider])/4) {
			problems = append(problems, fmt.Sprintf("%s: %d of %d models are gone", provider, gone, len(before[provider])))
		}
	}
	return problems
}

func changed(provider string, before, now *catalogue.Entry) []string {
	var problems []string
	for which := input; which <= cachedInput; which++ {
		was, is := least(&before.Prices, which), least(&now.Prices, which)
		if is > was*largestChange || was > is*largestChange {
			problems = append(problems, fmt.Sprintf("%s/%s: a million tokens cost %d nano-dollars, and %d before", provider, now.Key, is, was))
		}
	}
	return problems
}
