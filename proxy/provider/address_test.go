package provider_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/provider/registry"
)

// account returns one that every provider can be called with.
func account(endpoint string) provider.Account {
	return provider.Account{Endpoint: endpoint, Region: "eu-central-1", Project: "acme", Location: "europe-west4"}
}

// addresses lists where every offer of a provider leads, one line for each: "API address", and the stream's if that differs.
func addresses(t *testing.T, p provider.Provider, a provider.Account, model string) []string {
	t.Helper()
	var lines []string
	for _, offer := range p.Offers {
		plain, err := p.Address(a, offer, model, false)
		if err != nil {
			t.Fatalf("%s: %v", offer.API, err)
		}
		stream, err := p.Address(a, offer, model, true)
		if err != nil {
			t.Fatalf("%s: %v", offer.API, err)
		}
		line := string(offer.API) + " " + plain.String()
		if stream.String() != plain.String() {
			line += " | " + stream.String()
		}
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// usual lists addresses at the usual paths below a base.
func usual(base string, apis ...neutral.API) []string {
	paths := map[neutral.API]string{
		neutral.ChatCompletions: "/chat/completions", neutral.Completions: "/completions", neutral.Responses: "/responses", neutral.Messages: "/messages",
		neutral.CountTokens: "/messages/count_tokens", neutral.Embeddings: "/embeddings", neutral.Rerank: "/rerank", neutral.Moderations: "/moderations",
		neutral.ImageGenerations: "/images/generations", neutral.ImageEdits: "/images/edits", neutral.ImageVariations: "/images/variations",
		neutral.Speech: "/audio/speech", neutral.Transcriptions: "/audio/transcriptions", neutral.Translations: "/audio/translations",
	}
	var lines []string
	for _, api := range apis {
		lines = append(lines, string(api)+" "+base+paths[api])
	}
	return lines
}

func openAIAddresses(base string) []string {
	return usual(base, neutral.ChatCompletions, neutral.Responses, neutral.Completions, neutral.Embeddings, neutral.ImageGenerations,
		neutral.ImageEdits, neutral.Speech, neutral.Transcriptions, neutral.Translations)
}

// Every offer of every provider leads to the address that its vendor documents.
func TestEveryOfferHasItsAddress(t *testing.T) {
	const (
		vertex    = "https://europe-west4-aiplatform.googleapis.com/v1/projects/acme/locations/europe-west4"
		bedrock   = "https://bedrock-runtime.eu-central-1.amazonaws.com/model/m%3A1"
		signalbox = "http://signalbox.ai.svc.cluster.local"
		gemini    = "https://generativelanguage.googleapis.com/v1beta/models/m%3A1:"
	)
	cases := map[string]struct {
		endpoint string
		want     []string
	}{
		"OpenAI": {want: append(openAIAddresses("https://api.openai.com/v1"), usual("https://api.openai.com/v1", neutral.Moderations, neutral.ImageVariations)...)},
		"Groq": {want: usual("https://api.groq.com/openai/v1", neutral.ChatCompletions, neutral.Embeddings, neutral.Transcriptions, neutral.Translations,
			neutral.Speech, neutral.Responses)},
		"OpenRouter": {want: usual("https://openrouter.ai/api/v1", neutral.ChatCompletions, neutral.Responses, neutral.Messages, neutral.Completions,
			neutral.Embeddings, neutral.Rerank)},
		"Mistral": {want: usual("https://api.mistral.ai/v1", neutral.ChatCompletions, neutral.Embeddings, neutral.Moderations, neutral.Transcriptions)},
		"DeepSeek": {want: []string{
			"ChatCompletions https://api.deepseek.com/v1/chat/completions", "Completions https://api.deepseek.com/beta/completions",
			"Messages https://api.deepseek.com/anthropic/v1/messages",
		}},
		"XAI": {want: usual("https://api.x.ai/v1", neutral.ChatCompletions, neutral.Responses, neutral.Embeddings, neutral.ImageGenerations)},
		"Together": {want: usual("https://api.together.ai/v1", neutral.ChatCompletions, neutral.Completions, neutral.Embeddings, neutral.Rerank,
			neutral.ImageGenerations, neutral.Speech, neutral.Transcriptions, neutral.Translations, neutral.Responses)},
		"Fireworks": {want: usual("https://api.fireworks.ai/inference/v1", neutral.ChatCompletions, neutral.Completions, neutral.Embeddings, neutral.Rerank,
			neutral.Responses, neutral.Messages)},
		"Cerebras": {want: usual("https://api.cerebras.ai/v1", neutral.ChatCompletions, neutral.Completions)},
		"OpenAICompatible": {endpoint: "http://vllm:8000", want: usual("http://vllm:8000/v1", neutral.ChatCompletions, neutral.Completions, neutral.Embeddings,
			neutral.Rerank, neutral.Moderations, neutral.ImageGenerations, neutral.ImageEdits, neutral.ImageVariations, neutral.Speech,
			neutral.Transcriptions, neutral.Translations, neutral.Responses, neutral.Messages)},
		"AzureOpenAI": {endpoint: "https://acme.openai.azure.com", want: openAIAddresses("https://acme.openai.azure.com/openai/v1")},
		"Anthropic":   {want: usual("https://api.anthropic.com/v1", neutral.Messages, neutral.CountTokens)},
		"GoogleAI": {want: []string{
			"GenerateContent " + gemini + "generateContent | " + gemini + "streamGenerateContent?alt=sse",
			"BatchEmbedContents " + gemini + "batchEmbedContents",
		}},
		"VertexAI": {want: []string{
			"GenerateContent " + vertex + "/publishers/google/models/m%3A1:generateContent | " + vertex + "/publishers/google/models/m%3A1:streamGenerateContent?alt=sse",
			"Messages " + vertex + "/publishers/anthropic/models/m%3A1:rawPredict | " + vertex + "/publishers/anthropic/models/m%3A1:streamRawPredict",
			"CountTokens " + vertex + "/publishers/anthropic/models/count-tokens:rawPredict",
			"ChatCompletions " + vertex + "/endpoints/openapi/chat/completions",
			"VertexPredict " + vertex + "/publishers/google/models/m%3A1:predict",
		}},
		"AWSBedrock": {want: []string{
			"Converse " + bedrock + "/converse | " + bedrock + "/converse-stream",
			"Messages " + bedrock + "/invoke | " + bedrock + "/invoke-with-response-stream",
			"TitanEmbed " + bedrock + "/invoke",
			"CohereEmbed " + bedrock + "/invoke",
		}},
		"Signalbox": {endpoint: signalbox + "/v1", want: append(
			usual(signalbox+"/v1", neutral.ChatCompletions, neutral.Completions, neutral.Responses, neutral.Messages, neutral.CountTokens, neutral.Embeddings,
				neutral.Rerank, neutral.Moderations, neutral.ImageGenerations, neutral.ImageEdits, neutral.ImageVariations, neutral.Speech,
				neutral.Transcriptions, neutral.Translations),
			"GenerateContent "+signalbox+"/v1beta/models/m%3A1:generateContent | "+signalbox+"/v1beta/models/m%3A1:streamGenerateContent?alt=sse",
			"CohereRerank "+signalbox+"/v2/rerank",
		)},
		"Cohere": {want: []string{"CohereChat https://api.cohere.com/v2/chat", "CohereEmbed https://api.cohere.com/v2/embed", "CohereRerank https://api.cohere.com/v2/rerank"}},
	}
	if diff := cmp.Diff(len(registry.Default().Names()), len(cases)); diff != "" {
		t.Errorf("providers that are tested (-want +got):\n%s", diff)
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, addresses(t, lookup(t, name), account(tc.endpoint), "m:1")); diff != "" {
				t.Errorf("addresses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAzureWithAPIVersion(t *testing.T) {
	a := provider.Account{Endpoint: "https://acme.openai.azure.com/", APIVersion: "2024-10-21"}
	p := lookup(t, "AzureOpenAI").For(a)
	var want []string
	for _, line := range openAIAddresses("https://acme.openai.azure.com/openai/deployments/gpt-4o") {
		want = append(want, strings.Replace(line, "/deployments/gpt-4o/responses", "/responses", 1)+"?api-version=2024-10-21")
	}
	if diff := cmp.Diff(want, addresses(t, p, a, "gpt-4o")); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
	if got, err := p.ProbeURL(a); err != nil || got != "https://acme.openai.azure.com/openai/models?api-version=2024-10-21" {
		t.Errorf("probe %s, %v", got, err)
	}
}

// The endpoint's path is completed as far as it is the provider's own, and the model stands in one segment whatever is in it.
func TestAddress(t *testing.T) {
	cases := map[string]struct {
		provider string
		account  provider.Account
		api      neutral.API
		model    string
		want     string
	}{
		"host":                {"OpenAI", account("https://api.openai.com/"), neutral.Embeddings, "m", "https://api.openai.com/v1/embeddings"},
		"with version":        {"OpenAI", account("https://eu.api.openai.com/v1/"), neutral.Embeddings, "m", "https://eu.api.openai.com/v1/embeddings"},
		"part of the path":    {"Groq", account("https://api.groq.com/openai"), neutral.Embeddings, "m", "https://api.groq.com/openai/v1/embeddings"},
		"whole path":          {"Groq", account("https://api.groq.com/openai/v1"), neutral.Embeddings, "m", "https://api.groq.com/openai/v1/embeddings"},
		"part of a name":      {"Groq", account("https://gw.test/open"), neutral.Embeddings, "m", "https://gw.test/open/embeddings"},
		"gateway":             {"Groq", account("http://gw.test:8080/v1"), neutral.Embeddings, "m", "http://gw.test:8080/v1/embeddings"},
		"escaped path":        {"OpenAICompatible", account("http://gw.test/team%2Fa/openai"), neutral.Embeddings, "m", "http://gw.test/team%2Fa/openai/embeddings"},
		"IPv6":                {"OpenAICompatible", account("http://[fd00::1]:8000"), neutral.Embeddings, "m", "http://[fd00::1]:8000/v1/embeddings"},
		"other base":          {"DeepSeek", account("https://api.deepseek.com/v1"), neutral.Completions, "m", "https://api.deepseek.com/beta/completions"},
		"other base, gateway": {"DeepSeek", account("https://gw.test/deepseek"), neutral.Completions, "m", "https://gw.test/deepseek/completions"},
		"Azure, whole path":   {"AzureOpenAI", account("https://a.openai.azure.com/openai/v1"), neutral.Embeddings, "m", "https://a.openai.azure.com/openai/v1/embeddings"},
		"Vertex, global": {
			"VertexAI", provider.Account{Project: "example.com:p", Location: "global"}, neutral.GenerateContent, "gemini-3-pro",
			"https://aiplatform.googleapis.com/v1/projects/example.com%3Ap/locations/global/publishers/google/models/gemini-3-pro:generateContent",
		},
		"Vertex, multi-region": {
			"VertexAI", provider.Account{Project: "p", Location: "eu"}, neutral.Messages, "claude-sonnet-4-5@20250929",
			"https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict",
		},
		"Vertex, own endpoint": {
			"VertexAI", provider.Account{Project: "p", Location: "global", Endpoint: "https://gw.test/vertex/v1/projects/p/locations/global"}, neutral.Messages, "claude",
			"https://gw.test/vertex/v1/projects/p/locations/global/publishers/anthropic/models/claude:rawPredict",
		},
		"Bedrock, ARN": {
			"AWSBedrock", provider.Account{Region: "us-east-1"}, neutral.Converse, "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-v1:0",
			"https://bedrock-runtime.us-east-1.amazonaws.com/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.anthropic.claude-v1%3A0/converse",
		},
		"Bedrock, own endpoint": {
			"AWSBedrock", provider.Account{Region: "us-east-1", Endpoint: "https://vpce.test/bedrock"}, neutral.Converse, "m", "https://vpce.test/bedrock/model/m/converse",
		},
		"model with all sorts": {
			"GoogleAI", provider.Account{}, neutral.GenerateContent, "a/b?c#d%2e é..", "https://generativelanguage.googleapis.com/v1beta/models/a%2Fb%3Fc%23d%252e%20%C3%A9..:generateContent",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := lookup(t, tc.provider)
			offer, ok := p.Choose(tc.api, tc.model, tc.api)
			if !ok {
				t.Fatal("no offer")
			}
			got, err := p.Address(tc.account, offer, tc.model, false)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if got.RequestURI() != strings.TrimPrefix(tc.want, got.Scheme+"://"+got.Host) {
				t.Errorf("on the wire it is %s", got.RequestURI())
			}
		})
	}
}

func TestAddressErrors(t *testing.T) {
	cases := map[string]struct{ provider, endpoint, model, want string }{
		"no endpoint":            {"OpenAICompatible", "", "m", "one has to be given"},
		"no endpoint, Azure":     {"AzureOpenAI", "", "m", "one has to be given"},
		"not a URL":              {"OpenAI", "http://\x7f", "m", "not a URL"},
		"whole operation":        {"OpenAI", "https://api.openai.com/v1/chat/completions", "m", "ends in /chat/completions"},
		"whole operation, other": {"Anthropic", "https://api.anthropic.com/v1/messages", "m", "ends in /messages"},
		"model list":             {"Groq", "https://api.groq.com/openai/v1/models/", "m", "ends in /models"},
		"model is parent":        {"GoogleAI", "", "..", "has . or .. in it"},
		"model goes up":          {"GoogleAI", "", "a/../../b", "has . or .. in it"},
		"model stays":            {"AWSBedrock", "", "a/./b", "has . or .. in it"},
		"no model":               {"AWSBedrock", "", "", "has no name"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := lookup(t, tc.provider)
			if _, err := p.Address(account(tc.endpoint), p.Offers[0], tc.model, false); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Address: %v, want %q", err, tc.want)
			}
			if _, err := p.ProbeURL(account(tc.endpoint)); !strings.HasPrefix(tc.want, "has") && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("ProbeURL: %v, want %q", err, tc.want)
			}
		})
	}
}

func TestProbeURL(t *testing.T) {
	const fireworks = "https://api.fireworks.ai/v1/accounts/fireworks/models?pageSize=1"
	cases := map[string]struct{ provider, endpoint, want string }{
		"OpenAI":               {"OpenAI", "", "https://api.openai.com/v1/models"},
		"Groq":                 {"Groq", "https://api.groq.com/openai", "https://api.groq.com/openai/v1/models"},
		"OpenRouter":           {"OpenRouter", "https://eu.openrouter.ai/api", "https://eu.openrouter.ai/api/v1/key"},
		"Mistral":              {"Mistral", "", "https://api.mistral.ai/v1/models"},
		"DeepSeek":             {"DeepSeek", "", "https://api.deepseek.com/v1/models"},
		"XAI":                  {"XAI", "", "https://api.x.ai/v1/api-key"},
		"Together":             {"Together", "", "https://api.together.ai/v1/models"},
		"Fireworks":            {"Fireworks", "", fireworks},
		"Fireworks, path":      {"Fireworks", "https://api.fireworks.ai/inference/v1/", fireworks},
		"Fireworks, gateway":   {"Fireworks", "http://gw.test/fw/v1", "http://gw.test/fw/v1/models"},
		"Cerebras":             {"Cerebras", "", "https://api.cerebras.ai/v1/models"},
		"OpenAICompatible":     {"OpenAICompatible", "http://vllm:8000", "http://vllm:8000/v1/models"},
		"AzureOpenAI":          {"AzureOpenAI", "https://acme.openai.azure.com", "https://acme.openai.azure.com/openai/v1/models"},
		"Anthropic":            {"Anthropic", "", "https://api.anthropic.com/v1/models?limit=1000"},
		"GoogleAI":             {"GoogleAI", "", "https://generativelanguage.googleapis.com/v1beta/models?pageSize=1000"},
		"VertexAI":             {"VertexAI", "", "https://europe-west4-aiplatform.googleapis.com/v1beta1/publishers/google/models?pageSize=1"},
		"AWSBedrock":           {"AWSBedrock", "", "https://bedrock.eu-central-1.amazonaws.com/foundation-models"},
		"AWSBedrock, explicit": {"AWSBedrock", "https://bedrock-runtime.eu-central-1.amazonaws.com", "https://bedrock.eu-central-1.amazonaws.com/foundation-models"},
		"AWSBedrock, private":  {"AWSBedrock", "https://vpce.test", "https://vpce.test/foundation-models"},
		"Cohere":               {"Cohere", "", "https://api.cohere.com/v1/models?page_size=1000"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := lookup(t, tc.provider).ProbeURL(account(tc.endpoint))
			if err != nil || got != tc.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, tc.want)
			}
		})
	}
}

// Whatever the model is called, the request goes to the endpoint's host, below the endpoint's path.
func FuzzAddress(f *testing.F) {
	for _, model := range []string{"gpt-4o", "a/b", "..", "../../x", "m?x=1#y", "%2e%2e/", "@:", "é\x00", strings.Repeat("/", 9)} {
		f.Add(model)
	}
	providers := registry.Default()
	f.Fuzz(func(t *testing.T, model string) {
		for _, name := range []string{"GoogleAI", "VertexAI", "AWSBedrock"} {
			p, _ := providers.Lookup(name)
			for _, offer := range p.Offers {
				got, err := p.Address(account("https://gw.test/base"), offer, model, true)
				if err != nil {
					continue
				}
				if got.Host != "gw.test" || !strings.HasPrefix(got.EscapedPath(), "/base/") || got.JoinPath("x").Path != got.Path+"/x" || got.Fragment != "" {
					t.Errorf("%s, %s: %s", name, offer.API, got)
				}
				if strings.Count(got.EscapedPath(), "/") != strings.Count("/base"+offer.Path, "/") {
					t.Errorf("%s, %s: the model makes segments of its own: %s", name, offer.API, got)
				}
			}
		}
	})
}
