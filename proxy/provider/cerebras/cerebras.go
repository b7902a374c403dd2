// Package cerebras describes Cerebras Inference.
package cerebras

import "signalbox.dev/signalbox/proxy/provider"

// New returns Cerebras.
func New() provider.Provider {
	return provider.OpenAICompatible("Cerebras", "https://api.cerebras.ai")
}
