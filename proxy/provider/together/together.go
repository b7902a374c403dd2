// Package together describes Together AI.
package together

import (
	"slices"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
)

// New returns Together. Its Responses API works with a few of its models, so only targets that ask for it get it. Some of
// its models report a stream's usage only on request.
func New() provider.Provider {
	p := provider.OpenAICompatible("Together", "https://api.together.ai")
	p.Offers = slices.Concat(
		provider.Offers(
			neutral.ChatCompletions, neutral.Completions, neutral.Embeddings, neutral.Rerank, neutral.ImageGenerations,
			neutral.Speech, neutral.Transcriptions, neutral.Translations,
		),
		provider.OnDemand(neutral.Responses),
	)
	p.Quirks = dialect.Quirks{MaxTokens: "max_tokens", NoDeveloper: true, ReasoningMember: "reasoning", NoFiles: true}
	p.List.Owner = "/"
	return p
}
