package main

import (
	"signalbox.dev/signalbox/proxy/catalogue"
)

// listing holds entries by provider and key.
type listing map[string]map[string]*catalogue.Entry

// of are the entries of a provider.
func (l listing) of(provider string) map[string]*catalogue.Entry {
	if l[provider] == nil {
		l[provider] = map[string]*catalogue.Entry{}
	}
	return l[provider]
}
