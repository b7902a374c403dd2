// Package anthropic describes Anthropic's own API.
package anthropic

import (
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
)

// Version of the API, which every request names.
const Version = "2023-06-01"

// New returns Anthropic. Its model list needs a valid key and costs nothing.
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
		Probe:           provider.Probe{Path: "/models?limit=1", NotFound: provider.Unhealthy},
	}
}
