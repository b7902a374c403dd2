package cohere

import (
	"encoding/json"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// wireUsage is Cohere's report, of chat as "usage" and of the rest as "meta". Tokens are all that went through the model, with what Cohere itself puts
// around the client's text; billed units are what is paid, and count.
type wireUsage struct {
	Billed *wireTokens     `json:"billed_units"`
	Tokens *wireTokens     `json:"tokens"`
	Cached json.RawMessage `json:"cached_tokens"`
}

// wireTokens are counts, which Cohere writes with a decimal point at times.
type wireTokens struct {
	Input       json.RawMessage `json:"input_tokens"`
	Output      json.RawMessage `json:"output_tokens"`
	Image       json.RawMessage `json:"image_tokens"`
	SearchUnits json.RawMessage `json:"search_units"`
}

// filled tells whether tokens were told.
func (t *wireTokens) filled() bool {
	return t != nil && (t.Input != nil || t.Output != nil || t.Image != nil)
}

// normalise returns the usage; nil when nothing was told that is paid.
func (u *wireUsage) normalise() *meter.Usage {
	if u == nil {
		return nil
	}
	tokens := u.Billed
	if !tokens.filled() {
		tokens = u.Tokens
	}
	if !tokens.filled() {
		tokens = &wireTokens{}
	}
	var units json.RawMessage
	if u.Billed != nil {
		units = u.Billed.SearchUnits
	}
	if !tokens.filled() && units == nil {
		return nil
	}
	believable := true
	count := func(raw json.RawMessage) int64 {
		n, ok := neutral.Number(raw).Tokens()
		believable = believable && ok
		return n
	}
	images := count(tokens.Image)
	usage := meter.Usage{Prompt: min(count(tokens.Input)+images, meter.MaxTokens), Completion: count(tokens.Output), SearchUnits: count(units)}
	usage.Cached = min(count(u.Cached), usage.Prompt)
	usage.PromptImage = min(images, usage.Prompt-usage.Cached)
	usage.Estimated = !believable
	return &usage
}

// searchUnits that were billed; 0 when Cohere does not tell.
func (u *wireUsage) searchUnits() int64 {
	if u == nil || u.Billed == nil {
		return 0
	}
	units, _ := neutral.Number(u.Billed.SearchUnits).Tokens()
	return units
}
