package catalogue_test

import (
	"strings"
	"testing"

	"signalbox.dev/signalbox/proxy/catalogue"
)

// TestLookup names ids as calls do. want is the key of the entry, empty where there must be none.
func TestLookup(t *testing.T) {
	for name, tc := range map[string]struct {
		provider, place, model string
		want                   string
	}{
		"exact":                              {"OpenAI", "", "gpt-4o", "gpt-4o"},
		"dated entry of its own":             {"OpenAI", "", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13"},
		"date that nobody lists":             {"OpenAI", "", "gpt-4o-2031-01-02", "gpt-4o"},
		"no date":                            {"OpenAI", "", "gpt-4o-2024-13-41", ""},
		"a longer name":                      {"OpenAI", "", "gpt-4o-turbo", ""},
		"a shorter name":                     {"OpenAI", "", "gpt-", ""},
		"other letters":                      {"OpenAI", "", "GPT-4o", ""},
		"date in front":                      {"OpenAI", "", "-2024-05-13", ""},
		"fine-tuned":                         {"OpenAI", "", "ft:gpt-4o-2024-08-06:acme::AbC123", "ft:gpt-4o-2024-08-06"},
		"fine-tuned is not its base":         {"OpenAI", "", "ft:gpt-5:acme::AbC123", ""},
		"empty":                              {"OpenAI", "", "", ""},
		"Anthropic dated":                    {"Anthropic", "", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5-20250929"},
		"Anthropic date that nobody lists":   {"Anthropic", "", "claude-haiku-5-5-20261001", "claude-haiku-5-5"},
		"Anthropic latest is no date":        {"Anthropic", "", "claude-haiku-5-5-latest", ""},
		"Anthropic family":                   {"Anthropic", "", "claude-haiku", ""},
		"Anthropic at another provider":      {"OpenAI", "", "claude-haiku-5-5", ""},
		"Gemini":                             {"GoogleAI", "", "gemini-2.5-pro", "gemini-2.5-pro"},
		"Gemini with its path":               {"GoogleAI", "", "models/gemini-2.5-pro", "gemini-2.5-pro"},
		"Gemini version":                     {"GoogleAI", "", "gemini-2.5-pro-001", "gemini-2.5-pro"},
		"Gemini version 0":                   {"GoogleAI", "", "gemini-2.5-pro-000", ""},
		"Gemini preview is another model":    {"GoogleAI", "", "gemini-2.5-pro-preview-09-2025", ""},
		"Gemini preview that is listed":      {"VertexAI", "global", "gemini-2.5-flash-preview-09-2025", "gemini-2.5-flash-preview-09-2025"},
		"Gemini latest":                      {"GoogleAI", "", "gemini-2.5-pro-latest", ""},
		"Gemini tuned":                       {"GoogleAI", "", "tunedModels/my-gemini-2.5-pro", ""},
		"a version is only Google's":         {"OpenAI", "", "gpt-4o-001", ""},
		"Vertex publisher":                   {"VertexAI", "global", "google/gemini-2.5-pro", "gemini-2.5-pro"},
		"Vertex path":                        {"VertexAI", "global", "publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro"},
		"Vertex version of Claude":           {"VertexAI", "global", "claude-sonnet-4-5@20250929", "claude-sonnet-4-5@20250929"},
		"Vertex version that nobody lists":   {"VertexAI", "global", "claude-sonnet-4-5@20311231", "claude-sonnet-4-5"},
		"Vertex open model":                  {"VertexAI", "global", "meta/llama-3.3-70b-instruct-maas", "meta/llama-3.3-70b-instruct-maas"},
		"Bedrock":                            {"AWSBedrock", "us-east-1", "anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-sonnet-4-5-20250929-v1:0"},
		"Bedrock profile":                    {"AWSBedrock", "eu-west-1", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"},
		"Bedrock worldwide":                  {"AWSBedrock", "eu-west-1", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", "global.anthropic.claude-sonnet-4-5-20250929-v1:0"},
		"Bedrock profile of nowhere":         {"AWSBedrock", "eu-west-1", "mars.anthropic.claude-sonnet-4-5-20250929-v1:0", ""},
		"Bedrock other version":              {"AWSBedrock", "us-east-1", "anthropic.claude-sonnet-4-5-20250929-v9:0", ""},
		"Bedrock price of a region":          {"AWSBedrock", "eu-north-1", "deepseek.v3.2", "eu-north-1/deepseek.v3.2"},
		"Bedrock price without a region":     {"AWSBedrock", "", "deepseek.v3.2", "deepseek.v3.2"},
		"Bedrock ARN of a model":             {"AWSBedrock", "us-east-1", "arn:aws:bedrock:eu-north-1::foundation-model/deepseek.v3.2", "eu-north-1/deepseek.v3.2"},
		"Bedrock ARN of a profile":           {"AWSBedrock", "", "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"},
		"Bedrock ARN of one's own":           {"AWSBedrock", "", "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/anthropic.claude-sonnet-4-5-20250929-v1:0", ""},
		"Bedrock provisioned":                {"AWSBedrock", "", "arn:aws:bedrock:eu-west-1:123456789012:provisioned-model/deepseek.v3.2", ""},
		"ARN of something else":              {"AWSBedrock", "", "arn:aws:s3:eu-west-1:123456789012:foundation-model/deepseek.v3.2", ""},
		"ARN that ends early":                {"AWSBedrock", "", "arn:aws:bedrock", ""},
		"OpenRouter":                         {"OpenRouter", "", "anthropic/claude-3.5-haiku", "anthropic/claude-3.5-haiku"},
		"OpenRouter dated":                   {"OpenRouter", "", "google/gemini-3.5-flash-20260519", "google/gemini-3.5-flash-20260519"},
		"OpenRouter date that nobody lists":  {"OpenRouter", "", "google/gemini-3.5-flash-20311231", "google/gemini-3.5-flash"},
		"OpenRouter order of providers":      {"OpenRouter", "", "google/gemini-3.5-flash:nitro", "google/gemini-3.5-flash"},
		"OpenRouter cheapest first":          {"OpenRouter", "", "google/gemini-3.5-flash:floor", "google/gemini-3.5-flash"},
		"OpenRouter with searches":           {"OpenRouter", "", "google/gemini-3.5-flash:online", ""},
		"OpenRouter free of an unknown":      {"OpenRouter", "", "nobody/nothing:free", "nobody/nothing:free"},
		"OpenRouter free":                    {"OpenRouter", "", "google/gemma-3-27b-it:free", "google/gemma-3-27b-it:free"},
		"OpenRouter moving alias":            {"OpenRouter", "", "~anthropic/claude-sonnet-latest", ""},
		"OpenRouter router":                  {"OpenRouter", "", "openrouter/auto", ""},
		"OpenRouter preset":                  {"OpenRouter", "", "google/gemini-3.5-flash@preset/mine", ""},
		"OpenRouter without a vendor":        {"OpenRouter", "", "gemini-3.5-flash", ""},
		"a suffix is only OpenRouter's":      {"Groq", "", "openai/gpt-oss-20b:free", ""},
		"Groq":                               {"Groq", "", "llama-3.3-70b-versatile", "llama-3.3-70b-versatile"},
		"Groq with an organization":          {"Groq", "", "openai/gpt-oss-20b", "openai/gpt-oss-20b"},
		"Groq without the organization":      {"Groq", "", "gpt-oss-20b", ""},
		"Groq speech":                        {"Groq", "", "whisper-large-v3-turbo", "whisper-large-v3-turbo"},
		"Azure deployment with a good name":  {"AzureOpenAI", "", "gpt-4o", ""},
		"any server":                         {"OpenAICompatible", "", "gpt-4o", ""},
		"no provider":                        {"", "", "gpt-4o", ""},
		"unknown provider":                   {"header", "", "gpt-4o", ""},
		"Fireworks":                          {"Fireworks", "", "accounts/fireworks/models/kimi-k3", "accounts/fireworks/models/kimi-k3"},
		"Fireworks of another account":       {"Fireworks", "", "accounts/acme/models/kimi-k3", ""},
		"Fireworks deployment":               {"Fireworks", "", "accounts/fireworks/models/kimi-k3#accounts/acme/deployments/d1", ""},
		"Fireworks router":                   {"Fireworks", "", "accounts/fireworks/routers/kimi-k3-fast", "accounts/fireworks/routers/kimi-k3-fast"},
		"Together":                           {"Together", "", "meta-llama/Llama-3.3-70B-Instruct-Turbo", "meta-llama/Llama-3.3-70B-Instruct-Turbo"},
		"Together size class is no model":    {"Together", "", "together-ai-41.1b-80b", ""},
		"Mistral":                            {"Mistral", "", "mistral-large-2512", "mistral-large-2512"},
		"a month is no date":                 {"Mistral", "", "mistral-large-2712", ""},
		"XAI dated":                          {"XAI", "", "grok-4.6-20260819", "grok-4.6"},
		"Cerebras":                           {"Cerebras", "", "gpt-oss-120b", "gpt-oss-120b"},
		"Cohere":                             {"Cohere", "", "rerank-v3.5", "rerank-v3.5"},
		"DeepSeek":                           {"DeepSeek", "", "deepseek-v4-pro", "deepseek-v4-pro"},
		"a prefix of the list is no id":      {"Groq", "", "groq/openai/gpt-oss-20b", ""},
		"size of an image is no part of ids": {"OpenAI", "", "high/1024-x-1024/gpt-image-1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			entry, known := catalogue.Standard().LookupAt(tc.provider, tc.place, tc.model)
			if known != (tc.want != "") || entry.Key != tc.want {
				t.Errorf("LookupAt(%q, %q, %q) = %q, %t, want %q", tc.provider, tc.place, tc.model, entry.Key, known, tc.want)
			}
			if known && !strings.HasPrefix(entry.Prices.Source, "catalogue "+entry.Date+", "+tc.provider+"/") {
				t.Errorf("the source of the prices is %q", entry.Prices.Source)
			}
		})
	}
}

// TestFree: what is free costs nothing, and what is not part of the model stays without a price.
func TestFree(t *testing.T) {
	entry, known := catalogue.Standard().Lookup("OpenRouter", "google/gemini-3.5-flash:free")
	if !known || entry.Prices.Input != 0 || entry.Prices.Output != 0 || entry.Prices.CacheWrite != nil || entry.Prices.Search != nil {
		t.Errorf("Lookup of a free model = %+v, %t", entry.Prices, known)
	}
	paid, _ := catalogue.Standard().Lookup("OpenRouter", "google/gemini-3.5-flash")
	if paid.Prices.Input == 0 {
		t.Error("the model that is paid for costs nothing after the free one was looked up")
	}
}

// TestPlaces: the same model costs more where calls are kept in a place.
func TestPlaces(t *testing.T) {
	for name, tc := range map[string]struct {
		provider, place, model string
		input, output          int64
		source                 string
	}{
		"worldwide":           {"VertexAI", "global", "gemini-3.5-flash", 1_500_000_000, 9_000_000_000, ""},
		"place not known":     {"VertexAI", "", "gemini-3.5-flash", 1_500_000_000, 9_000_000_000, ""},
		"region":              {"VertexAI", "europe-west4", "gemini-3.5-flash", 1_650_000_000, 9_900_000_000, ", times 1.100 in europe-west4"},
		"part of the world":   {"OpenAI", "eu", "gpt-6-luna", 110_000_000, 550_000_000, ", times 1.100 in eu"},
		"no such place":       {"OpenAI", "mars", "gpt-6-luna", 100_000_000, 500_000_000, ""},
		"no uplift for it":    {"OpenAI", "eu", "gpt-4o", 2_500_000_000, 10_000_000_000, ""},
		"region of AWS":       {"AWSBedrock", "us-east-1", "deepseek.v3.2", 620_000_000, 1_850_000_000, ""},
		"other region of AWS": {"AWSBedrock", "ap-northeast-1", "deepseek.v3.2", 740_000_000, 2_220_000_000, ""},
	} {
		t.Run(name, func(t *testing.T) {
			entry, known := catalogue.Standard().LookupAt(tc.provider, tc.place, tc.model)
			if !known || entry.Prices.Input != tc.input || entry.Prices.Output != tc.output || !strings.HasSuffix(entry.Prices.Source, tc.source) {
				t.Errorf("prices are %d and %d from %q, want %d and %d", entry.Prices.Input, entry.Prices.Output, entry.Prices.Source, tc.input, tc.output)
			}
		})
	}
	all, _ := catalogue.Standard().LookupAt("OpenAI", "eu", "gpt-6-luna")
	usual, _ := catalogue.Standard().Lookup("OpenAI", "gpt-6-luna")
	for i := range all.Prices.Services {
		in, was := all.Prices.Services[i].Prices, usual.Prices.Services[i].Prices
		if in.Input*10 != was.Input*11 || in.Tiers[0].Prices.Output*10 != was.Tiers[0].Prices.Output*11 || *in.CacheWrite*10 != *was.CacheWrite*11 {
			t.Errorf("service %s was not lifted with the rest", all.Prices.Services[i].Service)
		}
	}
	if *all.Prices.Search != *usual.Prices.Search {
		t.Error("a search costs more in a place, but only tokens do")
	}
}

func FuzzLookup(f *testing.F) {
	for _, seed := range []string{"gpt-4o", "ft::", "arn:aws:bedrock:::foundation-model/", "a:free", "~", "-2024-01-02", "@20240102", "models/", "x#y", "-001"} {
		f.Add(seed)
	}
	providers := append(catalogue.Standard().Providers(), "", "OpenAICompatible")
	f.Fuzz(func(t *testing.T, model string) {
		for _, provider := range providers {
			entry, known := catalogue.Standard().LookupAt(provider, "eu", model)
			if known && (entry.Key == "" || entry.Prices.Source == "") {
				t.Fatalf("LookupAt(%q, %q) = %+v", provider, model, entry)
			}
		}
	})
}
