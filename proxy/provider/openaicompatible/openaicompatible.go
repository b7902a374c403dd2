// Package openaicompatible describes servers that imitate OpenAI: vLLM, llama.cpp, Ollama, other gateways.
package openaicompatible

import (
	"slices"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
)

// New returns any OpenAI-compatible server. It has no endpoint of its own and may have no model list. A server that
// checks no keys accepts every one, so a valid key there means no more than that. Not all have the Responses or the Messages
// API, so only targets that ask for those get them. Ollama calls a model without a tag the latest one.
func New() provider.Provider {
	p := provider.OpenAICompatible("OpenAICompatible", "")
	p.Offers = slices.Concat(
		provider.Offers(
			neutral.ChatCompletions, neutral.Completions, neutral.Embeddings, neutral.Rerank, neutral.Moderations, neutral.ImageGenerations,
			neutral.ImageEdits, neutral.ImageVariations, neutral.Speech, neutral.Transcriptions, neutral.Translations,
		),
		provider.OnDemand(neutral.Responses, neutral.Messages),
	)
	p.Quirks = dialect.Quirks{ReasoningMember: "reasoning_content"}
	p.Probe.NotFound = provider.HealthUnknown
	p.List.Tag = ":latest"
	return p
}
