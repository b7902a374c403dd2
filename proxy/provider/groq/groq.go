// Package groq describes GroqCloud.
package groq

import (
	"slices"
	"time"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
)

// New returns Groq. Its Responses API is a beta that refuses much of what clients send, so only targets that ask for it get
// it. A stream's usage stands in x_groq of the last chunk with content, and on request in the usual place of one more chunk.
func New() provider.Provider {
	p := provider.OpenAICompatible("Groq", "https://api.groq.com")
	p.BasePath = "/openai/v1"
	p.Offers = slices.Concat(
		provider.Offers(neutral.ChatCompletions, neutral.Embeddings, neutral.Transcriptions, neutral.Translations, neutral.Speech),
		provider.OnDemand(neutral.Responses),
	)
	p.Quirks = quirks()
	p.CacheLifetime = 2 * time.Hour
	p.List.Unlisted = []string{"compound*"}
	return p
}

// quirks: Groq answers 400 to members that it does not know ("property 'X' is unsupported") and to some that it knows.
func quirks() dialect.Quirks {
	return dialect.Quirks{
		Accepted: []string{
			"messages", "model", "citation_options", "compound_custom", "disable_tool_validation", "documents", "exclude_domains",
			"frequency_penalty", "function_call", "functions", "include_domains", "include_reasoning", "max_completion_tokens", "max_tokens", "n",
			"parallel_tool_calls", "presence_penalty", "reasoning_effort", "reasoning_format", "response_format", "search_settings", "seed",
			"service_tier", "stop", "stream", "stream_options", "temperature", "tool_choice", "tools", "top_p", "user",
		},
		RefusedInMessages: []string{"name", "reasoning_content", "reasoning_details", "refusal", "annotations", "audio"},
		TextOnly:          []neutral.Role{neutral.System, neutral.Developer, neutral.ToolRole},
		ReasoningMember:   "reasoning",
		NoFiles:           true,
		NoAudio:           true,
		OneChoice:         true,
		NoLogProbs:        true,
	}
}
