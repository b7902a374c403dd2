// Package openai describes OpenAI's own API.
package openai

import (
	"net/http"

	"signalbox.dev/signalbox/proxy/provider"
)

// New returns OpenAI.
//
// A restricted key that may not list models is refused with the words "missing scopes" and status 401 or 403. Such a
// key can be good for completions, so the refusal says nothing about it.
func New() provider.Provider {
	p := provider.OpenAICompatible("OpenAI", "https://api.openai.com")
	restricted := provider.Verdict{
		Key: provider.KeyUnknown, Health: provider.Healthy, Reason: "KeyRestricted",
		Message: "the key may not list models, so it cannot be checked without cost; give it the permission to read models",
	}
	p.Probe.Signs = []provider.Sign{
		{Status: http.StatusUnauthorized, Text: "missing scopes", Verdict: restricted},
		{Status: http.StatusForbidden, Text: "missing scopes", Verdict: restricted},
	}
	return p
}
