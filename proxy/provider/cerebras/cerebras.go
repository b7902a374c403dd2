// Package cerebras describes Cerebras Inference.
package cerebras

import (
	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
)

// New returns Cerebras.
func New() provider.Provider {
	p := provider.OpenAICompatible("Cerebras", "https://api.cerebras.ai")
	p.Offers = provider.Offers(neutral.ChatCompletions, neutral.Completions)
	p.Quirks = dialect.Quirks{
		Refused:           []string{"frequency_penalty", "logit_bias", "presence_penalty"},
		MaxTokens:         "max_completion_tokens",
		RefusedInMessages: []string{"reasoning_content", "reasoning_details", "refusal", "annotations", "audio"},
		ReasoningMember:   "reasoning",
		NoFiles:           true,
		NoAudio:           true,
	}
	return p
}
