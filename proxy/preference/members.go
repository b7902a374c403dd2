package preference

import (
	"encoding/json"
	"strings"

	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

// The words of OpenRouter's object.
const (
	collectionDeny  = "deny"
	collectionAllow = "allow"
	partitionModel  = "model"
	partitionNone   = "none"
)

// members are OpenRouter's "provider" object as it stands, in the order in which it is written.
type members struct {
	Order             []string    `json:"order,omitempty"`
	Only              []string    `json:"only,omitempty"`
	Ignore            []string    `json:"ignore,omitempty"`
	AllowFallbacks    *bool       `json:"allow_fallbacks,omitempty"`
	RequireParameters *bool       `json:"require_parameters,omitempty"`
	DataCollection    string      `json:"data_collection,omitempty"`
	ZDR               *bool       `json:"zdr,omitempty"`
	Distillable       *bool       `json:"enforce_distillable_text,omitempty"`
	Quantizations     []string    `json:"quantizations,omitempty"`
	Sort              *sorting    `json:"sort,omitempty"`
	MinThroughput     percentiles `json:"preferred_min_throughput,omitempty"`
	MaxLatency        percentiles `json:"preferred_max_latency,omitempty"`
	MaxPrice          prices      `json:"max_price,omitempty"`
}

// sorting is "sort".
type sorting struct {
	By        Sort   `json:"by,omitempty"`
	Partition string `json:"partition,omitempty"`
}

// percentiles are figures by their names, "p50" to "p99". A plain number is "p50".
type percentiles map[string]json.Number

// prices are dollars by what they are paid for, in nano-dollars. MarshalJSON writes them as dollars.
type prices map[string]nanoDollars

type nanoDollars int64

// MarshalJSON implements json.Marshaler with an exact decimal number of dollars.
func (n nanoDollars) MarshalJSON() ([]byte, error) { return meter.AppendUSD(nil, int64(n)), nil }

func (m *members) sortBy() Sort {
	if m.Sort == nil {
		return ""
	}
	return m.Sort.By
}

func (p percentiles) highest() float64 {
	var highest float64
	for _, number := range p {
		if figure, err := number.Float64(); err == nil {
			highest = max(highest, figure)
		}
	}
	return highest
}

func (p percentiles) lowest() float64 {
	var lowest float64
	for _, number := range p {
		if figure, err := number.Float64(); err == nil && (lowest == 0 || figure < lowest) {
			lowest = figure
		}
	}
	return lowest
}

// tokens are the bounds for tokens; nil when there is none.
func (p prices) tokens() *table.MaxPrice {
	var bound table.MaxPrice
	if prompt, ok := p["prompt"]; ok {
		bound.Input = (*int64)(&prompt)
	}
	if completion, ok := p["completion"]; ok {
		bound.Output = (*int64)(&completion)
	}
	if bound.Input == nil && bound.Output == nil {
		return nil
	}
	return &bound
}

func lowered(slugs []string) []string {
	if slugs == nil {
		return nil
	}
	low := make([]string, len(slugs))
	for i, slug := range slugs {
		low[i] = strings.ToLower(slug)
	}
	return low
}
