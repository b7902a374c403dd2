// Package signalbox describes another namespace's proxy of this program, as targets with a routeRef call it.
package signalbox

import (
	"slices"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
)

// Name of the vendor. No ProviderCredential can have it: such a proxy is reached by routeRef only.
const Name = "Signalbox"

// New returns the proxy of another namespace. It serves every API that this one serves, so that a request passes in the API in which it came. It has no
// endpoint of its own, and nobody probes it: what it is able to do its own namespace's status tells.
func New() provider.Provider {
	p := provider.OpenAICompatible(Name, "")
	p.List = provider.List{}
	p.Offers = slices.Concat(
		provider.Offers(
			neutral.ChatCompletions, neutral.Completions, neutral.Responses, neutral.Messages, neutral.CountTokens, neutral.Embeddings, neutral.Rerank,
			neutral.Moderations, neutral.ImageGenerations, neutral.ImageEdits, neutral.ImageVariations, neutral.Speech, neutral.Transcriptions,
			neutral.Translations,
		),
		[]provider.Offer{
			{
				API: neutral.GenerateContent, Base: "/v1beta", Path: "/models/{model}:generateContent", StreamPath: "/models/{model}:streamGenerateContent?alt=sse",
				ModelInPath: true, StreamInPath: true,
			},
			{API: neutral.CohereRerank, Base: "/v2", Path: "/rerank"},
		},
	)
	return p
}
