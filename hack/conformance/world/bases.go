package world

import "signalbox.dev/signalbox/hack/conformance/catalogue"

// ProxyBases are the base URLs that clients of each vendor are pointed at.
func ProxyBases(base string) map[string]string {
	return map[string]string{
		"openai": base + "/v1", "groq": base, "openrouter": base + "/api/v1", "anthropic": base, "gemini": base, "cohere": base,
	}
}

// FakeBases are the same for the fakes of the vendors.
func FakeBases(data string) map[string]string {
	return map[string]string{
		"openai": data + "/v1", "groq": data, "openrouter": data + "/api/v1", "anthropic": data + "/anthropic", "gemini": data + "/gemini", "cohere": data + "/cohere",
	}
}

// Aliases are the names at the proxy of an upstream's routes, by purpose.
func Aliases(u catalogue.Upstream) map[string]string {
	names := map[string]string{}
	for _, purpose := range routePurposes(u) {
		names[purpose] = Alias(u.Name, purpose)
	}
	return names
}
