package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/proxy/catalogue"
	"signalbox.dev/signalbox/proxy/table"
)

// genaiFile is the price list in the wheel of genai-prices, and genaiStart what stands before it.
const (
	genaiFile  = "genai_prices/data.py"
	genaiStart = "providers: list[Provider] ="
)

// genaiProviders are the providers that are taken, by the names that genai-prices has for them.
func genaiProviders() map[string]string {
	return map[string]string{
		"anthropic": "Anthropic", "cerebras": "Cerebras", "cohere": "Cohere", "deepseek": "DeepSeek", "fireworks": "Fireworks", "groq": "Groq",
		"mistral": "Mistral", "openai": "OpenAI", "openrouter": "OpenRouter", "together": "Together", "x-ai": "XAI",
	}
}

// readGenai returns the entries of genai-prices on a day. It finds models by patterns; only the ids that its patterns name whole are taken.
func readGenai(content []byte, from pin, day time.Time) (listing, error) {
	_, text, found := strings.Cut(string(content), genaiStart)
	if !found {
		return nil, fmt.Errorf("genai-prices has no %q", genaiStart)
	}
	parsed, err := (&literals{text: text}).parse(0)
	if err != nil {
		return nil, fmt.Errorf("reading genai-prices: %w", err)
	}
	providers, _ := parsed.([]any)
	read := listing{}
	for _, item := range providers {
		made, _ := item.(call)
		provider, wanted := genaiProviders()[made.text("id")]
		if !wanted {
			continue
		}
		models, _ := made.named["models"].([]any)
		for _, item := range models {
			model, _ := item.(call)
			if err := model.addTo(read.of(provider), provider, from, day); err != nil {
				return nil, fmt.Errorf("genai-prices %s %s: %w", provider, model.text("id"), err)
			}
		}
	}
	return read, nil
}

func (c call) text(name string) string {
	text, _ := c.named[name].(string)
	return text
}

// addTo adds the entries of a model's ids.
func (c call) addTo(entries map[string]*catalogue.Entry, provider string, from pin, day time.Time) error {
	prices, notes, err := priceOn(c.named["prices"], day)
	if err != nil {
		return err
	}
	keys := equals(c.named["match"])
	for _, key := range keys {
		if !isOf(provider, key) {
			continue
		}
		entry := &catalogue.Entry{Key: key, Prices: prices, Package: from.name + " " + from.version, Notes: notes}
		if size, isNumber := c.named["context_window"].(word); isNumber {
			if entry.ContextTokens, err = (facts{"size": number(size)}).count("size"); err != nil {
				return err
			}
		}
		if _, twice := entries[key]; twice {
			return fmt.Errorf("%s is there twice", key)
		}
		if prices.Input > 0 || prices.AudioHour != nil || prices.Characters != nil || prices.SearchUnits != nil || strings.HasSuffix(key, ":free") {
			entries[key] = entry
		}
	}
	return nil
}

// isOf tells whether an id is one of the provider's own: OpenRouter's have the vendor before them and can have a suffix, others have none.
func isOf(provider, key string) bool {
	if provider == "OpenRouter" {
		return strings.Contains(key, "/") && !strings.HasPrefix(key, "~")
	}
	return !strings.Contains(key, ":") || strings.HasPrefix(key, "ft:")
}

// equals are the ids that a pattern names whole.
func equals(match any) []string {
	clause, _ := match.(call)
	switch clause.name {
	case "ClauseEquals":
		return []string{clause.text("equals")}
	case "ClauseOr":
		var ids []string
		alternatives, _ := clause.named["or_"].([]any)
		for _, alternative := range alternatives {
			for _, id := range equals(alternative) {
				if !slices.Contains(ids, id) {
					ids = append(ids, id)
				}
			}
		}
		return ids
	}
	return nil
}

// priceOn are the prices that hold on a day. Of prices that depend on the hour the dearest counts, so that no hour is priced too low.
func priceOn(value any, day time.Time) (table.Prices, []string, error) {
	list, conditional := value.([]any)
	if !conditional {
		return genaiPrices(value)
	}
	var holds table.Prices
	var notes []string
	for _, item := range list {
		condition, _ := item.(call)
		constraint, _ := condition.named["constraint"].(call)
		start, err := startOf(constraint)
		if err != nil {
			return table.Prices{}, nil, err
		}
		if start.After(day) {
			continue
		}
		prices, more, err := genaiPrices(condition.named["prices"])
		switch {
		case err != nil:
			return table.Prices{}, nil, err
		case constraint.name == "TimeOfDateConstraint":
			if prices.Input > holds.Input {
				holds, notes = prices, append(more, "the dearest of prices that depend on the hour")
			}
		default:
			holds, notes = prices, more
		}
	}
	return holds, notes, nil
}

// startOf is when a constraint begins to hold; the zero time for one that always did.
func startOf(constraint call) (time.Time, error) {
	date, given := constraint.named["start_date"].(call)
	if !given {
		return time.Time{}, nil
	}
	var parts []string
	for _, argument := range date.args {
		part, _ := argument.(word)
		parts = append(parts, string(part))
	}
	start, err := time.Parse("2006-1-2", strings.Join(parts, "-"))
	if err != nil {
		return time.Time{}, fmt.Errorf("reading a date: %w", err)
	}
	return start, nil
}
