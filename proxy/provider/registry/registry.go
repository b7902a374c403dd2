// Package registry lists the vendors that this program knows.
package registry

import (
	"maps"
	"slices"

	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/provider/anthropic"
	"signalbox.dev/signalbox/proxy/provider/awsbedrock"
	"signalbox.dev/signalbox/proxy/provider/azureopenai"
	"signalbox.dev/signalbox/proxy/provider/cerebras"
	"signalbox.dev/signalbox/proxy/provider/cohere"
	"signalbox.dev/signalbox/proxy/provider/deepseek"
	"signalbox.dev/signalbox/proxy/provider/fireworks"
	"signalbox.dev/signalbox/proxy/provider/googleai"
	"signalbox.dev/signalbox/proxy/provider/groq"
	"signalbox.dev/signalbox/proxy/provider/mistral"
	"signalbox.dev/signalbox/proxy/provider/openai"
	"signalbox.dev/signalbox/proxy/provider/openaicompatible"
	"signalbox.dev/signalbox/proxy/provider/openrouter"
	"signalbox.dev/signalbox/proxy/provider/signalbox"
	"signalbox.dev/signalbox/proxy/provider/together"
	"signalbox.dev/signalbox/proxy/provider/vertexai"
	"signalbox.dev/signalbox/proxy/provider/xai"
)

// Registry finds vendors by name. It never changes after New and is safe for concurrent use.
type Registry struct {
	byName map[string]provider.Provider
}

// New returns a registry of the given vendors. Of two with one name the later one counts.
func New(providers ...provider.Provider) Registry {
	r := Registry{byName: make(map[string]provider.Provider, len(providers))}
	for _, p := range providers {
		r.byName[p.Name] = p.Ready()
	}
	return r
}

// Default returns every vendor of this program, and the proxies of other namespaces as one.
func Default() Registry {
	return New(
		openai.New(), groq.New(), openrouter.New(), mistral.New(), deepseek.New(), xai.New(), together.New(),
		fireworks.New(), cerebras.New(), openaicompatible.New(), anthropic.New(), googleai.New(), vertexai.New(),
		awsbedrock.New(), azureopenai.New(), cohere.New(), signalbox.New(),
	)
}

// Lookup returns the vendor of that name, which is spelled as in a ProviderCredential.
func (r Registry) Lookup(name string) (provider.Provider, bool) {
	p, found := r.byName[name]
	return p, found
}

// Names returns the names of all vendors in alphabetical order.
func (r Registry) Names() []string {
	return slices.Sorted(maps.Keys(r.byName))
}
