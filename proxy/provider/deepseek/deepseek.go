// Package deepseek describes DeepSeek's platform.
package deepseek

import "signalbox.dev/signalbox/proxy/provider"

// New returns DeepSeek. It offers /completions below /beta only, so a credential for that needs the endpoint
// https://api.deepseek.com/beta.
func New() provider.Provider {
	return provider.OpenAICompatible("DeepSeek", "https://api.deepseek.com")
}
