// Package fireworks describes Fireworks AI.
package fireworks

import "signalbox.dev/signalbox/proxy/provider"

// New returns Fireworks. The model list beside its completions fails for accounts without deployments of their own, so
// a key is tried with one page of one entry of the public catalogue, which needs a key too.
func New() provider.Provider {
	p := provider.OpenAICompatible("Fireworks", "https://api.fireworks.ai")
	p.BasePath = "/inference/v1"
	p.Probe.RootPath = "/v1/accounts/fireworks/models?pageSize=1"
	return p
}
