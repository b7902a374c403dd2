// Package deepseek describes DeepSeek's platform.
package deepseek

import (
	"time"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
)

// New returns DeepSeek. It has /completions below /beta only. Its imitation of Anthropic's API ignores much, so only targets
// that ask for it get it.
func New() provider.Provider {
	p := provider.OpenAICompatible("DeepSeek", "https://api.deepseek.com")
	completions := provider.Offers(neutral.Completions)[0]
	completions.Base = "/beta"
	messages := provider.OnDemand(neutral.Messages)[0]
	messages.Base = "/anthropic/v1"
	p.Offers = append(p.Offers, completions, messages)
	p.Quirks = dialect.Quirks{
		MaxTokens:        "max_tokens",
		NoDeveloper:      true,
		TextOnly:         []neutral.Role{neutral.System, neutral.User, neutral.Assistant, neutral.ToolRole},
		ReasoningMember:  "reasoning_content",
		ReasoningRequest: "thinking",
		NoImages:         true,
		NoFiles:          true,
		NoAudio:          true,
		NoJSONSchema:     true,
		OneChoice:        true,
	}
	// Unused entries of the disk cache are cleared "within a few hours to a few days".
	p.CacheLifetime = 2 * time.Hour
	return p
}
