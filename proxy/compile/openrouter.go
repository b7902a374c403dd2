package compile

import (
	"encoding/json"
	"fmt"
	"strings"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/meter"
)

// longestSlug bounds the name of a provider at OpenRouter.
const longestSlug = 128

// openRouterProvider is the "provider" object of OpenRouter's API. What the spec does not say is left out, so that OpenRouter's own defaults hold.
type openRouterProvider struct {
	Order             []v1alpha1.ProviderSlug `json:"order,omitempty"`
	Only              []v1alpha1.ProviderSlug `json:"only,omitempty"`
	Ignore            []v1alpha1.ProviderSlug `json:"ignore,omitempty"`
	AllowFallbacks    *bool                   `json:"allow_fallbacks,omitempty"`
	RequireParameters *bool                   `json:"require_parameters,omitempty"`
	DataCollection    string                  `json:"data_collection,omitempty"`
	ZDR               *bool                   `json:"zdr,omitempty"`
	Quantizations     []v1alpha1.Quantization `json:"quantizations,omitempty"`
	Sort              string                  `json:"sort,omitempty"`
	MaxPrice          *openRouterMaxPrice     `json:"max_price,omitempty"`
}

// openRouterMaxPrice has prices in USD for a million tokens, as exact decimals.
type openRouterMaxPrice struct {
	Prompt     json.Number `json:"prompt,omitempty"`
	Completion json.Number `json:"completion,omitempty"`
}

// openRouter reads the preferences that OpenRouter is told with each call, as the JSON object that its API takes; nil for none.
func (c *complaints) openRouter(spec *v1alpha1.OpenRouterPreferences, path string) json.RawMessage {
	if spec == nil {
		return nil
	}
	read := openRouterProvider{
		Order:             c.slugs(spec.Order, path+".order"),
		Only:              c.slugs(spec.Only, path+".only"),
		Ignore:            c.slugs(spec.Ignore, path+".ignore"),
		AllowFallbacks:    choice(c, spec.Fallbacks, [2]v1alpha1.FallbackPolicy{"Allow", "Deny"}, path+".fallbacks"),
		RequireParameters: choice(c, spec.Parameters, [2]v1alpha1.ParameterSupport{"Required", "Optional"}, path+".parameters"),
		Quantizations:     words(c, spec.Quantizations, knownQuantizations(), path+".quantizations"),
	}
	if spec.Sort != "" {
		read.Sort = strings.ToLower(string(word(c, spec.Sort, []v1alpha1.OpenRouterSort{"Price", "Throughput", "Latency"}, path+".sort")))
	}
	if policy := spec.DataPolicy; policy != nil {
		strict := c.dataPolicy(policy, path+".dataPolicy")
		read.DataCollection = strings.ToLower(string(policy.Collection))
		if policy.Retention != "" {
			read.ZDR = &strict.NoRetention
		}
		if policy.Region != "" {
			c.unsupported(path+".dataPolicy.region", policy.Region)
		}
	}
	if price := c.maxPrice(spec.MaxPrice, path+".maxPrice"); price != nil {
		read.MaxPrice = &openRouterMaxPrice{Prompt: dollars(price.Input), Completion: dollars(price.Output)}
	}
	object, err := json.Marshal(read)
	if err != nil || string(object) == "{}" {
		return nil
	}
	return object
}

// choice reads a value of two: whether it is the first one; nil when it is left out.
func choice[W ~string](c *complaints, given W, values [2]W, field string) *bool {
	if given == "" {
		return nil
	}
	first := word(c, given, values[:], field) == values[0]
	return &first
}

// slugs checks the names of providers.
func (c *complaints) slugs(given []v1alpha1.ProviderSlug, path string) []v1alpha1.ProviderSlug {
	for i, slug := range given {
		if slug == "" || len(slug) > longestSlug || strings.ContainsFunc(string(slug), notPrintable) {
			c.invalid(fmt.Sprintf("%s[%d]", path, i), fmt.Sprintf("%q is not the name of a provider: it has 1 to %d printable characters", bounded(string(slug)), longestSlug))
		}
	}
	return given
}

// dollars writes nano-dollars as a JSON number of dollars; nothing for no price.
func dollars(nano *int64) json.Number {
	if nano == nil {
		return ""
	}
	return json.Number(meter.FormatUSD(*nano))
}
