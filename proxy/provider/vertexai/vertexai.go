// Package vertexai describes Vertex AI of Google Cloud: Gemini, Claude and open models of a project.
package vertexai

import (
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	google    = "/publishers/google/models/{model}"
	anthropic = "/publishers/anthropic/models/"
)

// New returns Vertex AI. It has no free call that needs a permission which calls of models need too; asking for a token and
// for the public list of Google's models comes closest.
func New() provider.Provider {
	return provider.Provider{
		Name:            "VertexAI",
		DefaultEndpoint: "https://{location}-aiplatform.googleapis.com",
		LocationEndpoints: map[string]string{
			"global": "https://aiplatform.googleapis.com",
			"us":     "https://aiplatform.us.rep.googleapis.com",
			"eu":     "https://aiplatform.eu.rep.googleapis.com",
		},
		BasePath:   "/v1/projects/{project}/locations/{location}",
		Offers:     offers(),
		AuthHeader: "X-Goog-Api-Key",
		KeyKinds:   []table.KeyKind{table.GoogleKey, table.GoogleWorkloadIdentity},
		Probe: provider.Probe{
			Path: "/publishers/google/models?pageSize=1", RootPath: "/v1beta1/publishers/google/models?pageSize=1",
			NotFound: provider.HealthUnknown, Signs: []provider.Sign{provider.NoFreeCall()},
		},
	}
}

func offers() []provider.Offer {
	claude := []string{"claude-*"}
	version := []neutral.Member{{Name: "anthropic_version", Value: []byte(`"vertex-2023-10-16"`)}}
	openAI := provider.Offers(neutral.ChatCompletions)[0]
	openAI.Path, openAI.Models = "/endpoints/openapi/chat/completions", []string{"*/*"}
	return []provider.Offer{
		{
			API: neutral.GenerateContent, Path: google + ":generateContent", StreamPath: google + ":streamGenerateContent?alt=sse",
			Except:      []string{"claude-*", "*/*", "*embedding*"},
			ModelInPath: true, StreamInPath: true, Origin: neutral.OriginGemini,
		},
		{
			API: neutral.Messages, Path: anthropic + "{model}:rawPredict", StreamPath: anthropic + "{model}:streamRawPredict",
			Models: claude, ModelInPath: true, Set: version, Origin: neutral.OriginAnthropic,
		},
		{API: neutral.CountTokens, Path: anthropic + "count-tokens:rawPredict", Models: claude, Set: version, Origin: neutral.OriginAnthropic},
		openAI,
		{API: neutral.VertexPredict, Path: google + ":predict", ModelInPath: true},
	}
}
