// Package mistral describes Mistral's La Plateforme.
package mistral

import "signalbox.dev/signalbox/proxy/provider"

// New returns Mistral. It refuses fields that it does not know with status 422, stream_options.include_usage among
// them, and reports a stream's usage unasked.
func New() provider.Provider {
	p := provider.OpenAICompatible("Mistral", "https://api.mistral.ai")
	p.StreamUsage = provider.Always
	return p
}
