// Package preference reads what a request prefers of providers: OpenRouter's "provider" object. It is pure.
package preference

import "signalbox.dev/signalbox/proxy/table"

// Sort is what targets are sorted by.
type Sort string

// The values of Sort.
const (
	ByPrice      Sort = "price"
	ByThroughput Sort = "throughput"
	ByLatency    Sort = "latency"
)

// Preferences are what a request asks for. The zero value asks for nothing.
type Preferences struct {
	// Order, Only and Ignore are slugs of providers, in lower case.
	Order, Only, Ignore []string
	// NoFallbacks allows only what Order lists, or without it only the first target.
	NoFallbacks bool
	// RequireParameters leaves out targets that would drop a parameter.
	RequireParameters bool
	// DataPolicy that targets must declare.
	DataPolicy table.DataPolicy
	// Distillable leaves out targets but for OpenRouter, which knows what may be distilled.
	Distillable bool
	// Quantizations that are allowed; empty for all.
	Quantizations []string
	// Sort replaces the route's strategy; empty keeps it. AcrossModels sorts the targets of all models of the request together.
	Sort         Sort
	AcrossModels bool
	// MaxPrice leaves out targets that cost more or whose price is not known; nil for no bound.
	MaxPrice *table.MaxPrice
	// MinThroughput, tokens a second, and MaxLatencySeconds put targets that do not keep them behind the others; 0 for none.
	MinThroughput, MaxLatencySeconds float64
}

// Read reads the JSON text of "provider". The error is a *dialect.RequestError that names the member; an unknown member is one.
//
// Of "max_price" the bounds for requests, images and audio are checked and then have no effect here: no target is known to have a price for one, and
// OpenRouter is told them. Of percentiles the strictest counts, against averages.
func Read(raw []byte) (Preferences, error) {
	m, err := readMembers(raw)
	if err != nil {
		return Preferences{}, err
	}
	return m.preferences(), nil
}

// preferences are the members with their defaults.
func (m *members) preferences() Preferences {
	return Preferences{
		Order: lowered(m.Order), Only: lowered(m.Only), Ignore: lowered(m.Ignore),
		NoFallbacks:       m.AllowFallbacks != nil && !*m.AllowFallbacks,
		RequireParameters: isTrue(m.RequireParameters),
		DataPolicy:        table.DataPolicy{NoCollection: m.DataCollection == collectionDeny, NoRetention: isTrue(m.ZDR)},
		Distillable:       isTrue(m.Distillable),
		Quantizations:     m.Quantizations,
		Sort:              m.sortBy(),
		AcrossModels:      m.Sort != nil && m.Sort.Partition == partitionNone,
		MaxPrice:          m.MaxPrice.tokens(),
		MinThroughput:     m.MinThroughput.highest(),
		MaxLatencySeconds: m.MaxLatency.lowest(),
	}
}

func isTrue(flag *bool) bool { return flag != nil && *flag }
