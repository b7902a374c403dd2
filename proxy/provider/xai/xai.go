// Package xai describes xAI.
package xai

import (
	"net/http"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
)

// New returns xAI. A key is tried by asking for its own description. A wrong key is refused there with status 400, and
// a known one that was switched off is described as such with status 200. Only the list of language models tells their aliases.
func New() provider.Provider {
	p := provider.OpenAICompatible("XAI", "https://api.x.ai")
	p.Offers = offers()
	p.Quirks = dialect.Quirks{
		Refused:           []string{"frequency_penalty", "presence_penalty", "stop"},
		RefusedInMessages: strange(), NoFiles: true, NoAudio: true,
	}
	p.Probe.Path = "/api-key"
	p.List = provider.List{
		Path: "/language-models", Aliases: []string{"aliases"}, Unlisted: []string{"*imag*", "*video*", "*embed*", "*voice*", "*-latest"},
	}
	p.Probe.Signs = []provider.Sign{
		{Status: http.StatusBadRequest, Verdict: provider.Verdict{
			Key: provider.KeyInvalid, Health: provider.Healthy, Reason: "KeyRejected",
			Message: "the provider rejected the key (status 400)",
		}},
		{Status: http.StatusOK, Text: `"api_key_disabled":true`, Verdict: switchedOff("the key is disabled at the provider")},
		{Status: http.StatusOK, Text: `"api_key_blocked":true`, Verdict: switchedOff("the key is blocked at the provider")},
		{Status: http.StatusOK, Text: `"team_blocked":true`, Verdict: switchedOff("the key's team is blocked at the provider")},
	}
	return p
}

// offers: reasoning models refuse penalties and stop texts, and many models refuse to be told how hard to think.
func offers() []provider.Offer {
	quick := []string{"grok-2*", "grok-3", "grok-3-latest", "grok-3-beta", "grok-3-fast*", "*-non-reasoning*"}
	fixed := []string{"grok-4", "grok-4-0709", "grok-4-latest", "grok-4-fast*", "grok-4-1-fast*", "grok-4.20", "grok-4.20-0*", "grok-code-fast*"}
	offers := provider.Offers(
		neutral.ChatCompletions, neutral.ChatCompletions, neutral.ChatCompletions, neutral.Responses, neutral.Embeddings, neutral.ImageGenerations,
	)
	offers[0].Models, offers[0].Quirks = quick, &dialect.Quirks{
		Refused: []string{"reasoning_effort"}, RefusedInMessages: strange(), ReasoningRequest: "none", NoFiles: true, NoAudio: true,
	}
	offers[1].Models, offers[1].Except, offers[1].Quirks = fixed, quick, &dialect.Quirks{
		Refused:           []string{"frequency_penalty", "presence_penalty", "stop", "reasoning_effort"},
		RefusedInMessages: strange(), ReasoningRequest: "none", NoFiles: true, NoAudio: true,
	}
	offers[2].Except = append(quick, fixed...)
	offers[3].Origin = neutral.OriginXAI
	return offers
}

// strange are members of messages that xAI does not have.
func strange() []string { return []string{"reasoning", "reasoning_details"} }

func switchedOff(message string) provider.Verdict {
	return provider.Verdict{Key: provider.KeyInvalid, Health: provider.Healthy, Reason: "KeyDisabled", Message: message}
}
