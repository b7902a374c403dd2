// Package openrouter describes OpenRouter.
package openrouter

import "signalbox.dev/signalbox/proxy/provider"

// New returns OpenRouter. Its model list is public, so a key is tried by asking for the key's own description. Usage
// is always reported; the request for it is accepted and has no effect.
func New() provider.Provider {
	p := provider.OpenAICompatible("OpenRouter", "https://openrouter.ai")
	p.BasePath = "/api/v1"
	p.Probe.Path = "/key"
	return p
}
