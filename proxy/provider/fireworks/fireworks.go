// Package fireworks describes Fireworks AI.
package fireworks

import (
	"slices"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
)

// catalogue is the public catalogue.
const catalogue = "/v1/accounts/fireworks/models"

// New returns Fireworks. The model list beside its completions fails for accounts without deployments of their own, so
// a key is tried with one page of one entry of the public catalogue, which needs a key too. The catalogue has many pages, and neither what an account has
// deployed itself.
func New() provider.Provider {
	p := provider.OpenAICompatible("Fireworks", "https://api.fireworks.ai")
	p.BasePath = "/inference/v1"
	p.Offers = slices.Concat(
		provider.Offers(neutral.ChatCompletions, neutral.Completions, neutral.Embeddings, neutral.Rerank),
		provider.OnDemand(neutral.Responses, neutral.Messages),
	)
	p.Quirks = dialect.Quirks{MaxTokens: "max_tokens", NoDeveloper: true, ReasoningMember: "reasoning_content", NoFiles: true, NoAudio: true}
	p.Probe.RootPath = catalogue + "?pageSize=1"
	p.List = provider.List{Path: p.List.Path, RootPath: catalogue + "?pageSize=200", ID: "name", Mark: "#", Partial: true}
	return p
}
