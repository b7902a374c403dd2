// Package together describes Together AI.
package together

import "signalbox.dev/signalbox/proxy/provider"

// New returns Together. Some of its models report a stream's usage only on request.
func New() provider.Provider {
	return provider.OpenAICompatible("Together", "https://api.together.xyz")
}
