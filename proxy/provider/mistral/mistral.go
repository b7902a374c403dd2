// Package mistral describes Mistral's La Plateforme.
package mistral

import (
	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
)

// New returns Mistral. It refuses fields that it does not know with status 422, stream_options.include_usage among
// them, and reports a stream's usage unasked.
func New() provider.Provider {
	p := provider.OpenAICompatible("Mistral", "https://api.mistral.ai")
	p.Offers = provider.Offers(neutral.ChatCompletions, neutral.Embeddings, neutral.Moderations, neutral.Transcriptions)
	p.Quirks = dialect.Quirks{
		NoStreamUsage: true,
		Accepted: []string{
			"frequency_penalty", "guardrails", "logprobs", "max_tokens", "messages", "metadata", "min_tokens", "model", "n",
			"parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key", "prompt_mode", "random_seed", "reasoning_effort",
			"repetition_penalty", "response_format", "safe_prompt", "service_tier", "stop", "stream", "temperature", "tool_choice", "tools",
			"top_k", "top_logprobs", "top_p",
		},
		MaxTokens:         "max_tokens",
		Seed:              "random_seed",
		NoDeveloper:       true,
		RefusedInMessages: []string{"reasoning_content", "reasoning", "reasoning_details", "refusal", "annotations", "audio", "function_call"},
		NoFiles:           true,
		NoAudio:           true,
		RequiredToolAny:   true,
		ToolIDs:           "mistral9",
	}
	p.List.Aliases, p.List.Unlisted = []string{"aliases"}, []string{"*-latest"}
	return p
}
