// Package deepseek describes DeepSeek's platform.
package deepseek

import (
	"encoding/json"
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
	p.Balance = provider.Balance{RootPath: "/user/balance", Read: readBalance}
	// Unused entries of the disk cache are cleared "within a few hours to a few days".
	p.CacheLifetime = 2 * time.Hour
	return p
}

// readBalance takes the dollars out of the balances in several currencies, which are texts. An account in yuan alone has none.
func readBalance(answer []byte) (json.Number, bool) {
	var balance struct {
		Infos []struct {
			Currency string      `json:"currency"`
			Total    json.Number `json:"total_balance"`
		} `json:"balance_infos"`
	}
	if json.Unmarshal(answer, &balance) != nil {
		return "", false
	}
	for _, info := range balance.Infos {
		if info.Currency == "USD" {
			return info.Total, true
		}
	}
	return "", false
}
