package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"signalbox.dev/signalbox/proxy/catalogue"
)

// override corrects entries after the provider's own documentation, which wins over every package.
type override struct {
	Provider string   `json:"provider"`
	Models   []string `json:"models"`
	// Set is laid over the entry, in the form of the data files.
	Set json.RawMessage `json:"set,omitempty"`
	// New tells that the packages do not have the models, and Remove that they must not be offered.
	New    bool `json:"new,omitempty"`
	Remove bool `json:"remove,omitempty"`
	// Reason and URL of the documentation.
	Reason string `json:"reason"`
	URL    string `json:"url"`
}

// overridden applies the overrides in their order. One that finds no model to correct is an error: it has become out of date.
func overridden(entries listing, content []byte) error {
	var list []override
	if err := json.Unmarshal(content, &list); err != nil {
		return fmt.Errorf("decoding the overrides: %w", err)
	}
	for _, o := range list {
		if o.Reason == "" || o.URL == "" {
			return fmt.Errorf("the override of %s %v needs a reason and a URL", o.Provider, o.Models)
		}
		for _, key := range o.keys(entries.of(o.Provider)) {
			if err := o.apply(entries.of(o.Provider), key); err != nil {
				return fmt.Errorf("the override of %s/%s: %w", o.Provider, key, err)
			}
		}
	}
	return nil
}

// keys are the models that are corrected; "*" alone stands for all of the provider.
func (o override) keys(entries map[string]*catalogue.Entry) []string {
	if len(o.Models) == 1 && o.Models[0] == "*" {
		return slices.Sorted(maps.Keys(entries))
	}
	return o.Models
}

func (o override) apply(entries map[string]*catalogue.Entry, key string) error {
	entry, known := entries[key]
	switch {
	case known == o.New:
		return fmt.Errorf("the model is known: %t, and the override says otherwise", known)
	case o.Remove:
		delete(entries, key)
		return nil
	case o.New:
		entry = &catalogue.Entry{Key: key, Package: "the provider's documentation"}
	}
	entry, err := apart(entry)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(o.Set, entry); err != nil {
		return fmt.Errorf("laying it over: %w", err)
	}
	entries[key] = entry
	complete(&entry.Prices, &entry.Prices)
	entry.URL = o.URL
	entry.Notes = append(entry.Notes, o.Reason)
	return nil
}

// apart is a copy of an entry that shares no price with others: entries of one model, tiers and services do.
func apart(entry *catalogue.Entry) (*catalogue.Entry, error) {
	content, err := json.Marshal(entry)
	if err != nil {
		return nil, fmt.Errorf("copying it: %w", err)
	}
	var copied catalogue.Entry
	if err := json.Unmarshal(content, &copied); err != nil {
		return nil, fmt.Errorf("copying it: %w", err)
	}
	return &copied, nil
}
