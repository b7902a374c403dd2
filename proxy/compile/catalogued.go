package compile

import (
	"cmp"
	"maps"
	"net/url"
	"strings"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// cataloguedBy begins the source of prices that the catalogue has.
	cataloguedBy = "catalogue "
	// maxCatalogued bounds how many models of the catalogue a credential gets prices for. No provider's part of the catalogue has as many; compressed, they
	// take about 32 KiB of the table.
	maxCatalogued = 2000
)

// declaredPrices are those that a credential has of itself. Those that an earlier table took from the catalogue are left out, for they are looked up anew.
func declaredPrices(prices map[string]table.Prices) map[string]table.Prices {
	declared := maps.Clone(prices)
	maps.DeleteFunc(declared, func(_ string, p table.Prices) bool { return strings.HasPrefix(p.Source, cataloguedBy) })
	if len(declared) == 0 {
		return nil
	}
	return declared
}

// applyCatalogue fills in what neither the target nor its credential nor the provider's list says of the models that can be called: prices, limits, and
// capabilities, of which the catalogue never says that a model lacks one.
func (a *assembly) applyCatalogue(route *table.Route, target *table.Target) {
	backend := a.backends[target.Credential]
	if backend == nil {
		return
	}
	if target.Model == wildcard {
		a.priceAll(backend, route.Models)
		return
	}
	for _, model := range []string{target.Model, target.Successor} {
		if target.Prices == nil && model != "" {
			a.priceOf(backend, model)
		}
	}
	serving := target.Model
	if target.Unlisted {
		serving = cmp.Or(target.Successor, serving)
	}
	entry, known := a.catalogue.LookupAt(backend.Provider, placeOf(backend), serving)
	if !known {
		return
	}
	declared := &target.Declared
	declared.ContextTokens = cmp.Or(declared.ContextTokens, entry.ContextTokens)
	declared.MaxOutputTokens = cmp.Or(declared.MaxOutputTokens, entry.MaxOutputTokens)
	if !declared.CapabilitiesKnown {
		declared.Capabilities |= entry.CapabilitySet()
	}
}

// priceOf gives a credential the catalogue's prices of a model, unless it has its own.
func (a *assembly) priceOf(backend *table.Credential, model string) {
	if _, has := backend.Prices[model]; has || len(backend.Prices) >= maxCatalogued {
		return
	}
	entry, known := a.catalogue.LookupAt(backend.Provider, placeOf(backend), model)
	if !known {
		return
	}
	if backend.Prices == nil {
		backend.Prices = map[string]table.Prices{}
	}
	backend.Prices[model] = entry.Prices
}

// priceAll gives a credential the prices of all models that a route lets through under their own names.
func (a *assembly) priceAll(backend *table.Credential, names []string) {
	for _, name := range names {
		prefix, isPattern := strings.CutSuffix(name, wildcard)
		if !isPattern {
			a.priceOf(backend, name)
			continue
		}
		for _, id := range a.catalogue.Models(backend.Provider, placeOf(backend)) {
			if strings.HasPrefix(id, prefix) {
				a.priceOf(backend, id)
			}
		}
	}
}

// placeOf is where calls of a credential are kept, as prices depend on it.
func placeOf(backend *table.Credential) string {
	if place := cmp.Or(backend.Region, backend.Location); place != "" {
		return place
	}
	address, err := url.Parse(backend.Endpoint)
	if err != nil {
		return ""
	}
	var suffix string
	switch v1alpha1.ProviderName(backend.Provider) {
	case v1alpha1.ProviderOpenAI:
		suffix = ".api.openai.com"
	case v1alpha1.ProviderTogether:
		suffix = "-api.together.ai"
	default:
		return ""
	}
	place, isRegional := strings.CutSuffix(address.Hostname(), suffix)
	if !isRegional {
		return ""
	}
	return place
}

// addPrices puts what was looked up into the credentials of the table.
func (a *assembly) addPrices() {
	for i := range a.table.Credentials {
		a.table.Credentials[i].Prices = a.backends[a.table.Credentials[i].Name].Prices
	}
}
