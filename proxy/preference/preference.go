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
func Read(raw []byte) (Preferences, error) { return Preferences{}, nil }

// Forward makes the "provider" object for a target that is OpenRouter itself: what the route declares, raw and possibly nil, narrowed by what the request
// asked for. own tells whether a slug names a target of ours rather than one of OpenRouter's providers; such slugs are not passed on. Nil means none.
func Forward(route, request []byte, own func(slug string) bool) ([]byte, error) { return request, nil }
