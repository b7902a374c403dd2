// Package groq describes GroqCloud.
package groq

import "signalbox.dev/signalbox/proxy/provider"

// New returns Groq. A stream's usage stands in x_groq of the last chunk with content, and on request in the usual
// place of one more chunk.
func New() provider.Provider {
	p := provider.OpenAICompatible("Groq", "https://api.groq.com")
	p.BasePath = "/openai/v1"
	p.UsagePaths = []string{"usage", "x_groq.usage"}
	return p
}
