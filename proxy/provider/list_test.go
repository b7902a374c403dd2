package provider_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/provider/registry"
)

func TestListURL(t *testing.T) {
	const fireworks = "https://api.fireworks.ai/v1/accounts/fireworks/models?pageSize=200"
	cases := map[string]struct {
		provider, endpoint, want string
		// probed tells that the probe asks for the list.
		probed bool
	}{
		"OpenAI":              {"OpenAI", "", "https://api.openai.com/v1/models", true},
		"Groq":                {"Groq", "", "https://api.groq.com/openai/v1/models", true},
		"OpenRouter":          {"OpenRouter", "", "https://openrouter.ai/api/v1/models?output_modalities=all&limit=1000", false},
		"Mistral":             {"Mistral", "", "https://api.mistral.ai/v1/models", true},
		"DeepSeek":            {"DeepSeek", "", "https://api.deepseek.com/v1/models", true},
		"XAI":                 {"XAI", "", "https://api.x.ai/v1/language-models", false},
		"Together":            {"Together", "", "https://api.together.ai/v1/models", true},
		"Fireworks":           {"Fireworks", "", fireworks, false},
		"Fireworks, gateway":  {"Fireworks", "http://gw.test/fw/v1", "http://gw.test/fw/v1/models", true},
		"Cerebras":            {"Cerebras", "", "https://api.cerebras.ai/v1/models", true},
		"OpenAICompatible":    {"OpenAICompatible", "http://vllm:8000", "http://vllm:8000/v1/models", true},
		"AzureOpenAI":         {"AzureOpenAI", "https://acme.openai.azure.com", "", false},
		"Anthropic":           {"Anthropic", "", "https://api.anthropic.com/v1/models?limit=1000", true},
		"GoogleAI":            {"GoogleAI", "", "https://generativelanguage.googleapis.com/v1beta/models?pageSize=1000", true},
		"VertexAI":            {"VertexAI", "", "", false},
		"AWSBedrock":          {"AWSBedrock", "", "https://bedrock.eu-central-1.amazonaws.com/foundation-models", true},
		"AWSBedrock, private": {"AWSBedrock", "https://vpce.test", "https://vpce.test/foundation-models", true},
		"Signalbox":           {"Signalbox", "http://signalbox.ai.svc.cluster.local/v1", "", false},
		"Cohere":              {"Cohere", "", "https://api.cohere.com/v1/models?page_size=1000", true},
	}
	covered := map[string]bool{}
	for name, tc := range cases {
		covered[tc.provider] = true
		t.Run(name, func(t *testing.T) {
			p := lookup(t, tc.provider)
			got, err := p.ListURL(account(tc.endpoint))
			if err != nil || got != tc.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, tc.want)
			}
			probe, err := p.ProbeURL(account(tc.endpoint))
			if err != nil || (probe == got) != tc.probed {
				t.Errorf("the probe is %s, %v; the list %s", probe, err, got)
			}
		})
	}
	for _, name := range registry.Default().Names() {
		if !covered[name] {
			t.Errorf("no case for %s", name)
		}
	}
}

func TestListURLOfDatedAzure(t *testing.T) {
	dated := provider.Account{Endpoint: "https://acme.openai.azure.com", APIVersion: "2024-10-21"}
	if got, err := lookup(t, "AzureOpenAI").For(dated).ListURL(dated); got != "" || err != nil {
		t.Errorf("got %q, %v; deployments are in no list", got, err)
	}
}

func TestListURLOfNoEndpoint(t *testing.T) {
	if _, err := lookup(t, "OpenAICompatible").ListURL(provider.Account{}); err == nil {
		t.Error("no error without an endpoint")
	}
}

// listOf is a complete list of a vendor.
func listOf(ids ...string) string {
	body := `[`
	for i, id := range ids {
		if i > 0 {
			body += ","
		}
		body += `{"id":"` + id + `","name":"` + id + `","modelId":"` + id + `"}`
	}
	return body + `]`
}

func TestFind(t *testing.T) {
	const listed, unlisted, unknown = provider.Listed, provider.Unlisted, provider.ListingUnknown
	cases := map[string]struct {
		provider string
		list     string
		model    string
		want     provider.Listing
	}{
		"there":                              {"Groq", listOf("a", "llama-3.3-70b-versatile", "z"), "llama-3.3-70b-versatile", listed},
		"not there":                          {"Groq", listOf("a", "z"), "llama-3.3-70b-versatile", unlisted},
		"a part is not the whole":            {"Groq", listOf("llama-3.3-70b-versatile"), "llama-3.3-70b", unlisted},
		"Groq, a system":                     {"Groq", listOf("groq/compound"), "compound-beta", unknown},
		"more pages":                         {"OpenAI", `{"data":[{"id":"a"}],"has_more":true}`, "z", unknown},
		"more pages, there":                  {"OpenAI", `{"data":[{"id":"a"}],"has_more":true}`, "a", listed},
		"no more pages":                      {"OpenAI", `{"data":[{"id":"a"}],"has_more":false}`, "z", unlisted},
		"more pages of Google":               {"GoogleAI", `{"models":[{"name":"models/a"}],"nextPageToken":"x"}`, "z", unknown},
		"last page of Google":                {"GoogleAI", `{"models":[{"name":"models/a"}],"nextPageToken":""}`, "z", unlisted},
		"more pages of Cohere":               {"Cohere", `{"models":[{"name":"a"}],"next_page_token":"x"}`, "command-r-08-2024", unknown},
		"more pages of OpenRouter":           {"OpenRouter", `{"data":[{"id":"a/b"}],"links":{"next":"https://x"}}`, "a/c", unknown},
		"last page of OpenRouter":            {"OpenRouter", `{"data":[{"id":"a/b"}],"links":{"next":null}}`, "a/c", unlisted},
		"OpenAI, dated":                      {"OpenAI", listOf("gpt-4o", "gpt-4o-2024-08-06"), "gpt-4o-2024-05-13", unlisted},
		"OpenAI, checkpoint":                 {"OpenAI", listOf("gpt-4o"), "ft:gpt-4o:acme::x:ckpt-step-90", unknown},
		"OpenRouter, suffix":                 {"OpenRouter", listOf("meta-llama/llama-3.3-70b-instruct"), "meta-llama/llama-3.3-70b-instruct:nitro", listed},
		"OpenRouter, suffix of none":         {"OpenRouter", listOf("a/b"), "meta-llama/llama-3.3-70b-instruct:nitro", unlisted},
		"OpenRouter, own entry of a suffix":  {"OpenRouter", listOf("a/b:free"), "a/b:free", listed},
		"OpenRouter, moving alias":           {"OpenRouter", listOf("a/b"), "~anthropic/claude-sonnet-latest", unknown},
		"OpenRouter, router":                 {"OpenRouter", listOf("a/b"), "openrouter/auto", unknown},
		"OpenRouter, preset":                 {"OpenRouter", listOf("a/b"), "@preset/mine", unknown},
		"OpenRouter, model with preset":      {"OpenRouter", listOf("a/b"), "a/c@preset/mine", unknown},
		"OpenRouter, dated name":             {"OpenRouter", `{"data":[{"id":"a/b","canonical_slug":"a/b-20250929"}]}`, "a/b-20250929", listed},
		"Google, prefix in the target":       {"GoogleAI", `{"models":[{"name":"models/gemini-2.5-pro"}]}`, "models/gemini-2.5-pro", listed},
		"Google, prefix in the list":         {"GoogleAI", `{"models":[{"name":"models/gemini-2.5-pro"}]}`, "gemini-2.5-pro", listed},
		"Google, moving alias":               {"GoogleAI", `{"models":[{"name":"models/gemini-2.5-pro"}]}`, "gemini-flash-latest", unknown},
		"Google, tuned":                      {"GoogleAI", `{"models":[{"name":"models/gemini-2.5-pro"}]}`, "tunedModels/mine", unknown},
		"Anthropic, dated":                   {"Anthropic", listOf("claude-sonnet-4-5-20250929"), "claude-sonnet-4-5-20250929", listed},
		"Anthropic, dated and gone":          {"Anthropic", listOf("claude-sonnet-4-5-20250929"), "claude-3-opus-20240229", unlisted},
		"Anthropic, without date":            {"Anthropic", listOf("claude-sonnet-4-5-20250929"), "claude-sonnet-4-5", listed},
		"Anthropic, latest":                  {"Anthropic", listOf("claude-3-7-sonnet-20250219"), "claude-3-7-sonnet-latest", unknown},
		"Anthropic, alias":                   {"Anthropic", listOf("claude-opus-4-20250514"), "claude-opus-4-0", unknown},
		"Anthropic, another model's date":    {"Anthropic", listOf("claude-opus-4-1-20250805"), "claude-opus-4", unknown},
		"Cohere, without month":              {"Cohere", listOf("command-r-08-2024"), "command-r", listed},
		"Cohere, gone":                       {"Cohere", listOf("command-r-08-2024"), "command-r-03-2024", unlisted},
		"Cohere, unknown alias":              {"Cohere", listOf("command-r-08-2024"), "command-light", unknown},
		"Bedrock":                            {"AWSBedrock", listOf("anthropic.claude-3-haiku-20240307-v1:0"), "anthropic.claude-3-haiku-20240307-v1:0", listed},
		"Bedrock, profile of a region":       {"AWSBedrock", listOf("anthropic.claude-3-haiku-20240307-v1:0"), "us.anthropic.claude-3-haiku-20240307-v1:0", listed},
		"Bedrock, profile of another region": {"AWSBedrock", listOf("anthropic.claude-3-haiku-20240307-v1:0"), "global.anthropic.claude-9", unknown},
		"Bedrock, ARN":                       {"AWSBedrock", listOf("anthropic.claude-x"), "arn:aws:bedrock:us-east-1:1:provisioned-model/x", unknown},
		"Bedrock, gone":                      {"AWSBedrock", listOf("anthropic.claude-x"), "anthropic.claude-v2", unlisted},
		"Mistral, alias":                     {"Mistral", `{"data":[{"id":"mistral-large-2411","aliases":["mistral-large-latest","mistral-large"]}]}`, "mistral-large", listed},
		"Mistral, unknown latest":            {"Mistral", `{"data":[{"id":"mistral-large-2411"}]}`, "codestral-latest", unknown},
		"Mistral, gone":                      {"Mistral", `{"data":[{"id":"mistral-large-2411"}]}`, "mistral-large-2402", unlisted},
		"xAI, alias":                         {"XAI", `{"models":[{"id":"grok-4-0709","aliases":["grok-4","grok-4-latest"]}]}`, "grok-4", listed},
		"xAI, gone":                          {"XAI", `{"models":[{"id":"grok-4-0709","aliases":["grok-4"]}]}`, "grok-2-1212", unlisted},
		"xAI, no language model":             {"XAI", `{"models":[{"id":"grok-4-0709"}]}`, "grok-2-image-1212", unknown},
		"Together, gone":                     {"Together", listOf("meta-llama/a", "Qwen/b"), "meta-llama/c", unlisted},
		"Together, one's own":                {"Together", listOf("meta-llama/a", "Qwen/b"), "acme/tuned-1", unknown},
		"Together, owner of a like name":     {"Together", listOf("meta-llama/a"), "meta/a", unknown},
		"Fireworks":                          {"Fireworks", listOf("accounts/fireworks/models/a"), "accounts/fireworks/models/a", listed},
		"Fireworks, on a deployment":         {"Fireworks", listOf("accounts/fireworks/models/a"), "accounts/fireworks/models/a#accounts/me/deployments/1", listed},
		"Fireworks, not there":               {"Fireworks", listOf("accounts/fireworks/models/a"), "accounts/fireworks/models/b", unknown},
		"Ollama, no tag":                     {"OpenAICompatible", listOf("llama3:latest"), "llama3", listed},
		"Ollama, tag":                        {"OpenAICompatible", listOf("llama3"), "llama3:latest", listed},
		"Ollama, another tag":                {"OpenAICompatible", listOf("llama3:latest"), "llama3:8b", unlisted},
		"a gateway's pattern":                {"OpenAICompatible", listOf("groq/*"), "groq/llama", listed},
		"llama.cpp takes any name":           {"OpenAICompatible", `{"data":[{"id":"x.gguf","owned_by":"llamacpp"}]}`, "llama", unknown},
		"vLLM":                               {"OpenAICompatible", `{"data":[{"id":"x","owned_by":"vllm"}]}`, "llama", unlisted},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := lookup(t, tc.provider)
			list, ok := p.ReadList(provider.Account{}, []byte(tc.list))
			if !ok {
				t.Fatal("the list was not read")
			}
			if _, got := p.Find(&list, tc.model); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// A model that is called without its date is the latest one of that name.
func TestFindTheLatestDate(t *testing.T) {
	p := lookup(t, "Anthropic")
	list, _ := p.ReadList(provider.Account{}, []byte(`{"data":[
		{"id":"claude-x-20250101","max_input_tokens":10,"max_tokens":1},
		{"id":"claude-x-20260101","max_input_tokens":20,"max_tokens":2},
		{"id":"claude-x-turbo-20270101","max_input_tokens":30,"max_tokens":3}]}`))
	got, _ := p.Find(&list, "claude-x")
	want := provider.ListedModel{ID: "claude-x", ContextTokens: 22, MaxOutputTokens: 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("model (-want +got):\n%s", diff)
	}
}
