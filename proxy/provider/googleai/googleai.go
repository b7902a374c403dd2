// Package googleai describes the Gemini API of Google AI Studio.
package googleai

import (
	"net/http"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
)

// models is the list of models, in one page.
const models = "/models?pageSize=1000"

// New returns Google AI. It tells a wrong key with status 400.
func New() provider.Provider {
	return provider.Provider{
		Name:            "GoogleAI",
		DefaultEndpoint: "https://generativelanguage.googleapis.com",
		BasePath:        "/v1beta",
		Offers: []provider.Offer{
			{
				API: neutral.GenerateContent, Path: "/models/{model}:generateContent", StreamPath: "/models/{model}:streamGenerateContent?alt=sse",
				ModelInPath: true, StreamInPath: true, Origin: neutral.OriginGemini,
			},
			{API: neutral.BatchEmbedContents, Path: "/models/{model}:batchEmbedContents", ModelInPath: true},
		},
		AuthHeader: "X-Goog-Api-Key",
		List:       provider.List{Path: models, ID: "name", Prefix: "models/", Unlisted: []string{"*-latest", "tunedModels/*"}},
		Probe: provider.Probe{
			Path: models, NotFound: provider.Unhealthy,
			Signs: []provider.Sign{{Status: http.StatusBadRequest, Text: "API_KEY_INVALID", Verdict: provider.Verdict{
				Key: provider.KeyInvalid, Health: provider.Healthy, Reason: "KeyRejected", Message: "the provider rejected the key (status 400)",
			}}},
		},
	}
}
