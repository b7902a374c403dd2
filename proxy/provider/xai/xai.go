// Package xai describes xAI.
package xai

import (
	"net/http"

	"signalbox.dev/signalbox/proxy/provider"
)

// New returns xAI. A key is tried by asking for its own description. A wrong key is refused there with status 400, and
// a known one that was switched off is described as such with status 200.
func New() provider.Provider {
	p := provider.OpenAICompatible("XAI", "https://api.x.ai")
	p.Probe.Path = "/api-key"
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

func switchedOff(message string) provider.Verdict {
	return provider.Verdict{Key: provider.KeyInvalid, Health: provider.Healthy, Reason: "KeyDisabled", Message: message}
}
