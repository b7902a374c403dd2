// Package cohere describes Cohere's platform.
package cohere

import (
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
)

// models is the list of models, in one page.
const models = "/models?page_size=1000"

// New returns Cohere.
func New() provider.Provider {
	return provider.Provider{
		Name:            "Cohere",
		DefaultEndpoint: "https://api.cohere.com",
		BasePath:        "/v2",
		Offers: []provider.Offer{
			{API: neutral.CohereChat, Path: "/chat"},
			{API: neutral.CohereEmbed, Path: "/embed"},
			{API: neutral.CohereRerank, Path: "/rerank"},
		},
		AuthHeader: "Authorization",
		AuthPrefix: "Bearer ",
		Probe:      provider.Probe{Path: models, RootPath: "/v1" + models, NotFound: provider.Unhealthy},
		List:       provider.List{Path: models, RootPath: "/v1" + models, ID: "name", Dated: true},
	}
}
