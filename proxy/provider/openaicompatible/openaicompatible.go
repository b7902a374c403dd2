// Package openaicompatible describes servers that imitate OpenAI: vLLM, llama.cpp, Ollama, other gateways.
package openaicompatible

import "signalbox.dev/signalbox/proxy/provider"

// New returns any OpenAI-compatible server. It has no endpoint of its own and may have no model list. A server that
// checks no keys accepts every one, so a valid key there means no more than that.
func New() provider.Provider {
	p := provider.OpenAICompatible("OpenAICompatible", "")
	p.Probe.NotFound = provider.HealthUnknown
	return p
}
