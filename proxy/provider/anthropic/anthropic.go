// Package anthropic describes Anthropic's own API.
package anthropic

import (
	"time"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
)

// Version of the API, which every request names.
const Version = "2023-06-01"

// models is the list of models, in one page.
const models = "/models?limit=1000"

// New returns Anthropic. Its model list needs a valid key and costs nothing. A model can be called without the date in its id, and by aliases that the list
// does not have.
func New() provider.Provider {
	offers := provider.Offers(neutral.Messages, neutral.CountTokens)
	offers[0].Origin, offers[1].Origin = neutral.OriginAnthropic, neutral.OriginAnthropic
	return provider.Provider{
		Name:            "Anthropic",
		DefaultEndpoint: "https://api.anthropic.com",
		BasePath:        "/v1",
		Offers:          offers,
		AuthHeader:      "X-Api-Key",
		Headers:         map[string]string{"Anthropic-Version": Version},
		Probe:           provider.Probe{Path: models, NotFound: provider.Unhealthy},
		List:            provider.List{Path: models, Dated: true},
		CacheLifetime:   5 * time.Minute,
	}
}
