// Package openrouter describes OpenRouter.
package openrouter

import (
	"encoding/json"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
)

// New returns OpenRouter. Its model list is public, so a key is tried by asking for the key's own description. Usage
// is always reported; the request for it is accepted and has no effect. Its routers, presets and moving aliases can be called without being in the list, and
// so can every model with one of its suffixes, such as :nitro. Unasked, the list has only models that answer with text.
func New() provider.Provider {
	p := provider.OpenAICompatible("OpenRouter", "https://openrouter.ai")
	p.BasePath = "/api/v1"
	p.Offers = nil
	for _, api := range []neutral.API{neutral.ChatCompletions, neutral.Responses, neutral.Messages} {
		p.Offers = append(p.Offers, byAuthor(api)...)
	}
	p.Offers = append(p.Offers, provider.Offers(neutral.Completions, neutral.Embeddings, neutral.Rerank)...)
	p.Quirks = dialect.Quirks{ReasoningMember: "reasoning", ReasoningRequest: "reasoning"}
	p.Probe.Path = "/key"
	p.Balance = provider.Balance{Read: readLimit}
	p.List = provider.List{
		Path: "/models?output_modalities=all&limit=1000", Aliases: []string{"canonical_slug"}, Mark: ":", Unlisted: []string{"~*", "openrouter/*", "*@preset/*"},
	}
	return p
}

// readLimit takes what is left of the key's own credit limit, in dollars, out of its description. A key without a limit has null there; what is left of the
// account can be asked for with a management key only.
func readLimit(answer []byte) (json.Number, bool) {
	var key struct {
		Data struct {
			LimitRemaining *json.Number `json:"limit_remaining"`
		} `json:"data"`
	}
	if json.Unmarshal(answer, &key) != nil || key.Data.LimitRemaining == nil {
		return "", false
	}
	return *key.Data.LimitRemaining, true
}

// byAuthor is one API, for each author of models whose seals it can take back.
func byAuthor(api neutral.API) []provider.Offer {
	authors := []struct {
		models []string
		origin neutral.Origin
	}{
		{[]string{"anthropic/*"}, neutral.OriginAnthropic},
		{[]string{"google/*"}, neutral.OriginGemini},
		{[]string{"openai/*"}, neutral.OriginOpenAI},
		{[]string{"x-ai/*"}, neutral.OriginXAI},
		{nil, neutral.NoOrigin},
	}
	offers := make([]provider.Offer, 0, len(authors))
	for _, author := range authors {
		offer := provider.Offers(api)[0]
		offer.Models, offer.Origin = author.models, author.origin
		offers = append(offers, offer)
	}
	return offers
}
