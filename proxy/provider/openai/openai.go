// Package openai describes OpenAI's own API.
package openai

import (
	"net/http"
	"slices"
	"time"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
)

// New returns OpenAI.
//
// A restricted key that may not list models is refused with the words "missing scopes" and status 401 or 403. Such a
// key can be good for completions, so the refusal says nothing about it. The list has dated ids and aliases; of fine-tuned models it leaves out checkpoints.
func New() provider.Provider {
	p := provider.OpenAICompatible("OpenAI", "https://api.openai.com")
	p.Offers = Offers(neutral.OriginOpenAI)
	p.Offers = append(p.Offers, provider.Offers(neutral.Moderations, neutral.ImageVariations)...)
	p.Quirks = Quirks()
	p.CacheLifetime = 5 * time.Minute
	restricted := provider.Verdict{
		Key: provider.KeyUnknown, Health: provider.Healthy, Reason: "KeyRestricted",
		Message: "the key may not list models, so it cannot be checked without cost; give it the permission to read models",
	}
	p.Probe.Signs = []provider.Sign{
		{Status: http.StatusUnauthorized, Text: "missing scopes", Verdict: restricted},
		{Status: http.StatusForbidden, Text: "missing scopes", Verdict: restricted},
	}
	p.List.Unlisted = []string{"ft:*"}
	return p
}

// Offers are what OpenAI has, here and on Azure. Some models have no chat completions; reasoning models refuse the older name of
// the limit, and those that cannot but reason refuse what steers sampling.
func Offers(origin neutral.Origin) []provider.Offer {
	steady := Quirks()
	steady.Refused = []string{"temperature", "top_p", "frequency_penalty", "presence_penalty", "logit_bias"}
	steady.NoLogProbs = true
	chat := provider.Offers(neutral.ChatCompletions, neutral.ChatCompletions, neutral.ChatCompletions)
	chat[0].Models, chat[0].Quirks = plainModels(), &dialect.Quirks{}
	chat[1].Models, chat[1].Except, chat[1].Quirks = reasoningModels(), responsesOnly(), &steady
	chat[2].Except = slices.Concat(plainModels(), reasoningModels(), responsesOnly())
	rest := provider.Offers(
		neutral.Responses, neutral.Completions, neutral.Embeddings, neutral.ImageGenerations, neutral.ImageEdits,
		neutral.Speech, neutral.Transcriptions, neutral.Translations,
	)
	rest[0].Origin = origin
	return append(chat, rest...)
}

// Quirks of chat completions: reasoning models know the newer name of the limit only, and all models know it.
func Quirks() dialect.Quirks {
	return dialect.Quirks{MaxTokens: "max_completion_tokens"}
}

// plainModels do not reason, and take all that the API has.
func plainModels() []string {
	return []string{"gpt-3.5*", "gpt-4*", "chatgpt-4o*", "ft:gpt-3.5*", "ft:gpt-4*"}
}

// reasoningModels think before they answer, whatever they are asked. Later ones than GPT-5 can be told not to.
func reasoningModels() []string {
	return []string{"o1", "o1-2*", "o3", "o3-2*", "o3-mini*", "o4-mini*", "gpt-5", "gpt-5-2*", "gpt-5-mini*", "gpt-5-nano*"}
}

// responsesOnly are the models that answer through the Responses API alone.
func responsesOnly() []string {
	return []string{
		"o1-pro*", "o3-pro*", "gpt-5-pro*", "gpt-5.5-pro*", "gpt-5-codex", "gpt-5.1-codex-max", "*-deep-research*", "computer-use-preview*",
		"gpt-daybreak-*", "*-cyber", "*-rosalind*",
	}
}
