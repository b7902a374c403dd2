package provider_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/provider/registry"
)

func TestTakes(t *testing.T) {
	cases := map[string]struct {
		models, except []string
		id             string
		want           bool
	}{
		"all":                {nil, nil, "any", true},
		"none":               {[]string{}, nil, "any", false},
		"exact":              {[]string{"a", "b"}, nil, "b", true},
		"exact, longer":      {[]string{"a"}, nil, "ab", false},
		"beginning":          {[]string{"claude-*"}, nil, "claude-3", true},
		"beginning, other":   {[]string{"claude-*"}, nil, "my-claude-3", false},
		"end":                {[]string{"*-pro"}, nil, "o1-pro", true},
		"end, other":         {[]string{"*-pro"}, nil, "o1-pro-2", false},
		"inside":             {[]string{"*.claude*"}, nil, "us.anthropic.claude-v2", true},
		"inside, other":      {[]string{"*.claude*"}, nil, "claude", false},
		"star alone":         {[]string{"*"}, nil, "", true},
		"excepted":           {nil, []string{"*embed*"}, "text-embed-1", false},
		"not excepted":       {nil, []string{"*embed*"}, "text-1", true},
		"excepted of listed": {[]string{"a*"}, []string{"ab"}, "ab", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := (provider.Offer{Models: tc.models, Except: tc.except}).Takes(tc.id); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestChoose(t *testing.T) {
	const none = neutral.API("none")
	cases := map[string]struct {
		provider string
		surface  neutral.API
		model    string
		want     neutral.API
		choice   neutral.API
	}{
		"own API":                          {"OpenAI", neutral.Responses, "gpt-4o", "", neutral.Responses},
		"another API of the family":        {"OpenAI", neutral.Messages, "gpt-4o", "", neutral.ChatCompletions},
		"model without that API":           {"OpenAI", neutral.ChatCompletions, "o3-pro-2025-06-10", "", neutral.Responses},
		"target asks for another":          {"OpenAI", neutral.ChatCompletions, "gpt-4o", neutral.Responses, neutral.Responses},
		"target asks, completions":         {"OpenAI", neutral.Completions, "gpt-4o", neutral.ChatCompletions, neutral.ChatCompletions},
		"target asks, not for embeddings":  {"OpenAI", neutral.Embeddings, "text-embedding-3-small", neutral.Responses, neutral.Embeddings},
		"target asks for what it has not":  {"OpenAI", neutral.ChatCompletions, "gpt-4o", neutral.Messages, none},
		"alone":                            {"OpenAI", neutral.Moderations, "omni-moderation-latest", "", neutral.Moderations},
		"alone and not there":              {"Groq", neutral.Moderations, "m", "", none},
		"count tokens elsewhere":           {"OpenAI", neutral.CountTokens, "gpt-4o", "", none},
		"nothing crosses to completions":   {"Mistral", neutral.Completions, "m", "", neutral.ChatCompletions},
		"completions where they are":       {"OpenAICompatible", neutral.Completions, "m", "", neutral.Completions},
		"on demand, not asked":             {"OpenAICompatible", neutral.Messages, "m", "", neutral.ChatCompletions},
		"on demand, asked":                 {"OpenAICompatible", neutral.Messages, "m", neutral.Messages, neutral.Messages},
		"on demand, crossing":              {"OpenAICompatible", neutral.ChatCompletions, "m", neutral.Responses, neutral.Responses},
		"no embeddings":                    {"Anthropic", neutral.Embeddings, "m", "", none},
		"Anthropic":                        {"Anthropic", neutral.ChatCompletions, "claude-sonnet-4-5", "", neutral.Messages},
		"Google":                           {"GoogleAI", neutral.ChatCompletions, "gemini-3-pro", "", neutral.GenerateContent},
		"Google, vectors":                  {"GoogleAI", neutral.Embeddings, "gemini-embedding-001", "", neutral.BatchEmbedContents},
		"Vertex, Gemini":                   {"VertexAI", neutral.Messages, "gemini-3-pro", "", neutral.GenerateContent},
		"Vertex, Claude":                   {"VertexAI", neutral.Messages, "claude-sonnet-4-5@20250929", "", neutral.Messages},
		"Vertex, Claude for Gemini client": {"VertexAI", neutral.GenerateContent, "claude-sonnet-4-5@20250929", "", neutral.Messages},
		"Vertex, open model":               {"VertexAI", neutral.Messages, "meta/llama-4-maverick", "", neutral.ChatCompletions},
		"Vertex, count tokens of Claude":   {"VertexAI", neutral.CountTokens, "claude-opus-4-1", "", neutral.CountTokens},
		"Vertex, count tokens of Gemini":   {"VertexAI", neutral.CountTokens, "gemini-3-pro", "", none},
		"Vertex, vectors":                  {"VertexAI", neutral.Embeddings, "text-embedding-005", "", neutral.VertexPredict},
		"Vertex, odd name, asked":          {"VertexAI", neutral.ChatCompletions, "my-claude", neutral.Messages, neutral.Messages},
		"Bedrock, Claude for Messages":     {"AWSBedrock", neutral.Messages, "eu.anthropic.claude-sonnet-4-5-v1:0", "", neutral.Messages},
		"Bedrock, Claude for chat":         {"AWSBedrock", neutral.ChatCompletions, "eu.anthropic.claude-sonnet-4-5-v1:0", "", neutral.Converse},
		"Bedrock, other for Messages":      {"AWSBedrock", neutral.Messages, "amazon.nova-pro-v1:0", "", neutral.Converse},
		"Bedrock, profile, asked":          {"AWSBedrock", neutral.Messages, "arn:aws:bedrock:eu-west-1:1:application-inference-profile/x", neutral.Messages, neutral.Messages},
		"Bedrock, Titan":                   {"AWSBedrock", neutral.Embeddings, "amazon.titan-embed-text-v2:0", "", neutral.TitanEmbed},
		"Bedrock, Cohere":                  {"AWSBedrock", neutral.Embeddings, "cohere.embed-v4:0", "", neutral.CohereEmbed},
		"Bedrock, vectors of a chat model": {"AWSBedrock", neutral.Embeddings, "amazon.nova-pro-v1:0", "", none},
		"Cohere":                           {"Cohere", neutral.ChatCompletions, "command-a", "", neutral.CohereChat},
		"Cohere, other rerank":             {"Cohere", neutral.Rerank, "rerank-v3.5", "", neutral.CohereRerank},
		"Rerank for Cohere's client":       {"OpenRouter", neutral.CohereRerank, "cohere/rerank-v3.5", "", neutral.Rerank},
		"Cohere, vectors":                  {"Cohere", neutral.Embeddings, "embed-v4.0", "", neutral.CohereEmbed},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, ok := lookup(t, tc.provider).Choose(tc.surface, tc.model, tc.want)
			if !ok {
				got.API = none
			}
			if got.API != tc.choice {
				t.Errorf("got %s, want %s", got.API, tc.choice)
			}
			if ok && got.Quirks == nil {
				t.Error("the offer has no quirks")
			}
		})
	}
}

// OpenAI's older models take both names of the limit, so that their requests pass untouched; all others know the newer one.
func TestOpenAILimits(t *testing.T) {
	for model, want := range map[string]string{
		"gpt-4o": "", "gpt-4.1-mini": "", "gpt-3.5-turbo": "", "ft:gpt-4o-mini:acme": "", "o3-mini": "max_completion_tokens", "gpt-5": "max_completion_tokens",
		"gpt-5.1": "max_completion_tokens", "gpt-6-sol": "max_completion_tokens", "my-deployment": "max_completion_tokens",
	} {
		for _, name := range []string{"OpenAI", "AzureOpenAI"} {
			offer, ok := lookup(t, name).Choose(neutral.ChatCompletions, model, "")
			if !ok || offer.API != neutral.ChatCompletions || offer.Quirks.MaxTokens != want {
				t.Errorf("%s, %s: %s with the limit %q, want %q", name, model, offer.API, offer.Quirks.MaxTokens, want)
			}
		}
	}
}

// What seals can be sent to a model, and what it refuses, depends on the model where vendors differ by model.
func TestOffersByModel(t *testing.T) {
	cases := map[string]struct {
		provider string
		api      neutral.API
		model    string
		origin   neutral.Origin
		refused  []string
	}{
		"OpenAI, chat":            {"OpenAI", neutral.ChatCompletions, "gpt-4o", "", nil},
		"OpenAI, reasoning":       {"OpenAI", neutral.ChatCompletions, "gpt-5-mini", "", []string{"temperature", "top_p", "frequency_penalty", "presence_penalty", "logit_bias"}},
		"OpenAI, later reasoning": {"OpenAI", neutral.ChatCompletions, "gpt-5.1", "", nil},
		"OpenAI, Responses":       {"OpenAI", neutral.Responses, "gpt-5", neutral.OriginOpenAI, nil},
		"Azure, Responses":        {"AzureOpenAI", neutral.Responses, "gpt-5", neutral.OriginAzure, nil},
		"xAI, no reasoning":       {"XAI", neutral.ChatCompletions, "grok-4-fast-non-reasoning", "", []string{"reasoning_effort"}},
		"xAI, fixed effort":       {"XAI", neutral.ChatCompletions, "grok-4-0709", "", []string{"frequency_penalty", "presence_penalty", "stop", "reasoning_effort"}},
		"xAI, effort":             {"XAI", neutral.ChatCompletions, "grok-4.3", "", []string{"frequency_penalty", "presence_penalty", "stop"}},
		"xAI, Responses":          {"XAI", neutral.Responses, "grok-4", neutral.OriginXAI, nil},
		"OpenRouter, Claude":      {"OpenRouter", neutral.ChatCompletions, "anthropic/claude-sonnet-4.5", neutral.OriginAnthropic, nil},
		"OpenRouter, Gemini":      {"OpenRouter", neutral.Messages, "google/gemini-3-pro", neutral.OriginGemini, nil},
		"OpenRouter, OpenAI":      {"OpenRouter", neutral.Responses, "openai/gpt-5", neutral.OriginOpenAI, nil},
		"OpenRouter, xAI":         {"OpenRouter", neutral.ChatCompletions, "x-ai/grok-4", neutral.OriginXAI, nil},
		"OpenRouter, other":       {"OpenRouter", neutral.ChatCompletions, "meta-llama/llama-4", "", nil},
		"Vertex, Gemini":          {"VertexAI", neutral.GenerateContent, "gemini-3-pro", neutral.OriginGemini, nil},
		"Vertex, Claude":          {"VertexAI", neutral.Messages, "claude-opus-4-1", neutral.OriginAnthropic, nil},
		"Bedrock, Converse":       {"AWSBedrock", neutral.Converse, "eu.anthropic.claude-sonnet-4-5-v1:0", neutral.OriginAnthropic, nil},
		"Bedrock, Claude":         {"AWSBedrock", neutral.Messages, "eu.anthropic.claude-sonnet-4-5-v1:0", neutral.OriginAnthropic, nil},
		"Anthropic":               {"Anthropic", neutral.Messages, "claude-opus-4-1", neutral.OriginAnthropic, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, ok := lookup(t, tc.provider).Choose(tc.api, tc.model, "")
			if !ok || got.API != tc.api {
				t.Fatalf("got %s, %v", got.API, ok)
			}
			if diff := cmp.Diff(tc.origin, got.Origin); diff != "" {
				t.Errorf("origin (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.refused, got.Quirks.Refused); diff != "" {
				t.Errorf("refused (-want +got):\n%s", diff)
			}
		})
	}
}

// contradictions lists what does not fit together in quirks: what is refused cannot also be accepted, and a quirk has one of the words that its readers
// know.
func contradictions(q *dialect.Quirks) []string {
	var found []string
	note := func(wrong bool, what string) {
		if wrong {
			found = append(found, what)
		}
	}
	for _, name := range q.Refused {
		note(slices.Contains(q.Accepted, name), name+" is refused and accepted")
	}
	note(!slices.Contains([]string{"", "max_tokens", "max_completion_tokens"}, q.MaxTokens), "there is no limit called "+q.MaxTokens)
	note(!slices.Contains([]string{"", "reasoning_effort", "reasoning", "thinking", "none"}, q.ReasoningRequest), "nothing asks for reasoning by "+q.ReasoningRequest)
	for _, name := range []string{q.MaxTokens, q.Seed} {
		note(q.Accepted != nil && name != "" && !slices.Contains(q.Accepted, name), name+" is not accepted")
	}
	note(q.ReasoningMember != "" && slices.Contains(q.RefusedInMessages, q.ReasoningMember), "thoughts go into "+q.ReasoningMember+", which is refused")
	return found
}

func TestQuirksMakeSense(t *testing.T) {
	for _, name := range registry.Default().Names() {
		p := lookup(t, name)
		quirks := []*dialect.Quirks{&p.Quirks}
		for i := range p.Offers {
			if p.Offers[i].Quirks != nil {
				quirks = append(quirks, p.Offers[i].Quirks)
			}
		}
		for _, q := range quirks {
			if found := contradictions(q); found != nil {
				t.Errorf("%s: %q", name, found)
			}
		}
	}
	if found := contradictions(&dialect.Quirks{Refused: []string{"n"}, Accepted: []string{"n"}, MaxTokens: "limit", ReasoningRequest: "please"}); len(found) != 4 {
		t.Errorf("of 4 contradictions these were found: %q", found)
	}
}

// The quirks of chat completions are not those of other APIs, which have other members.
func TestQuirksAreOfOneAPI(t *testing.T) {
	cases := map[string]struct {
		provider string
		api      neutral.API
		want     dialect.Quirks
	}{
		"embeddings":  {"Groq", neutral.Embeddings, dialect.Quirks{}},
		"completions": {"OpenAI", neutral.Completions, dialect.Quirks{}},
		"Responses":   {"OpenAI", neutral.Responses, dialect.Quirks{}},
		"chat":        {"Cerebras", neutral.ChatCompletions, lookup(t, "Cerebras").Quirks},
		"Converse":    {"AWSBedrock", neutral.Converse, dialect.Quirks{NoImageURLs: true}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			offer, ok := lookup(t, tc.provider).Choose(tc.api, "m", "")
			if !ok {
				t.Fatal("no offer")
			}
			if diff := cmp.Diff(&tc.want, offer.Quirks); diff != "" {
				t.Errorf("quirks (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMistralAndGroqTakeWhatTheirClientsSend(t *testing.T) {
	for name, sent := range map[string][]string{
		"Mistral": {"model", "messages", "random_seed", "safe_prompt", "max_tokens", "stop", "tools", "tool_choice", "response_format", "prompt_cache_key"},
		"Groq":    {"model", "messages", "seed", "service_tier", "stream_options", "n", "max_completion_tokens", "reasoning_format", "user"},
	} {
		offer, _ := lookup(t, name).Choose(neutral.ChatCompletions, "m", "")
		for _, member := range sent {
			if !slices.Contains(offer.Quirks.Accepted, member) {
				t.Errorf("%s does not take %s", name, member)
			}
		}
	}
}
