package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/provider/registry"
)

// TestReadList has what vendors answer, shortened.
func TestReadList(t *testing.T) {
	type models = []provider.ListedModel
	cases := map[string]struct {
		provider string
		body     string
		want     models
	}{
		"OpenAI": {
			"OpenAI", `{"object":"list","data":[{"id":"gpt-4o","object":"model","created":1715367049,"owned_by":"system"},{"id":"gpt-4.1"}]}`,
			models{{ID: "gpt-4.1"}, {ID: "gpt-4o"}},
		},
		"Groq": {
			"Groq", `{"object":"list","data":[{"id":"llama-3.3-70b-versatile","active":true,"context_window":131072,"public_apps":null,"max_completion_tokens":32768}]}`,
			models{{"llama-3.3-70b-versatile", 131072, 32768}},
		},
		"OpenRouter": {
			"OpenRouter", `{"data":[{"id":"anthropic/claude-sonnet-4.5","canonical_slug":"anthropic/claude-4.5-sonnet-20250929","name":"Anthropic: Claude","context_length":1000000,
				"top_provider":{"context_length":1000000,"max_completion_tokens":64000,"is_moderated":true}},
				{"id":"x/y","canonical_slug":"x/y","context_length":8192,"top_provider":{"max_completion_tokens":null}}]}`,
			models{{"anthropic/claude-4.5-sonnet-20250929", 1000000, 64000}, {"anthropic/claude-sonnet-4.5", 1000000, 64000}, {"x/y", 8192, 0}},
		},
		"Mistral": {
			"Mistral", `{"object":"list","data":[{"id":"mistral-large-2411","max_context_length":131072,"aliases":["mistral-large-latest"]}]}`,
			models{{"mistral-large-2411", 131072, 0}, {"mistral-large-latest", 131072, 0}},
		},
		"Together": {
			"Together", ` [{"id":"meta-llama/a","type":"chat","context_length":131072},{"id":"black-forest-labs/b","type":"image","context_length":0}]`,
			models{{ID: "black-forest-labs/b"}, {ID: "meta-llama/a", ContextTokens: 131072}},
		},
		"Fireworks": {
			"Fireworks", `{"models":[{"name":"accounts/fireworks/models/a","displayName":"A","contextLength":163840}],"nextPageToken":"t","totalSize":900}`,
			models{{ID: "accounts/fireworks/models/a", ContextTokens: 163840}},
		},
		"Google": {
			"GoogleAI", `{"models":[{"name":"models/gemini-2.5-pro","inputTokenLimit":1048576,"outputTokenLimit":65536}]}`,
			models{{"gemini-2.5-pro", 1048576 + 65536, 65536}},
		},
		"Anthropic": {
			"Anthropic", `{"data":[{"type":"model","id":"claude-opus-4-6","display_name":"Claude Opus 4.6","max_input_tokens":200000,"max_tokens":64000},
				{"type":"model","id":"claude-x-20250101","max_input_tokens":0,"max_tokens":0}],"has_more":false,"first_id":"a","last_id":"b"}`,
			models{{"claude-opus-4-6", 264000, 64000}, {ID: "claude-x-20250101"}},
		},
		"Cohere": {
			"Cohere", `{"models":[{"name":"command-a-03-2025","endpoints":["chat"],"context_length":288000}],"next_page_token":null}`,
			models{{ID: "command-a-03-2025", ContextTokens: 288000}},
		},
		"Bedrock": {
			"AWSBedrock", `{"modelSummaries":[{"modelArn":"arn:aws:bedrock:x","modelId":"amazon.titan-text-lite-v1","modelName":"Titan"}]}`,
			models{{ID: "amazon.titan-text-lite-v1"}},
		},
		"vLLM": {
			"OpenAICompatible", `{"object":"list","data":[{"id":"qwen","object":"model","owned_by":"vllm","root":"/models/qwen","max_model_len":32768,"permission":[]}]}`,
			models{{ID: "qwen", ContextTokens: 32768}},
		},
		"xAI": {
			"XAI", `{"models":[{"id":"grok-4-0709","aliases":["grok-4"],"context_length":256000}]}`,
			models{{ID: "grok-4", ContextTokens: 256000}, {ID: "grok-4-0709", ContextTokens: 256000}},
		},
		"DeepSeek": {
			"DeepSeek", `{"data":[{"id":"deepseek-v4-pro","context_window":1000000,"max_output_tokens":384000}]}`,
			models{{"deepseek-v4-pro", 1000000, 384000}},
		},
		"an own entry beats an alias": {
			"Mistral", `{"data":[{"id":"a","max_context_length":1,"aliases":["b"]},{"id":"b","max_context_length":2}]}`,
			models{{ID: "a", ContextTokens: 1}, {ID: "b", ContextTokens: 2}},
		},
		"odd sizes": {
			"Groq", `{"data":[{"id":"a","context_window":-1},{"id":"b","context_window":"8192"},{"id":"c","context_window":1e300},{"id":"d","context_window":1.5},
				{"id":"e","context_window":[1]},{"id":"f","context_window":4096.0},{"id":"g","context_window":100000001}]}`,
			models{{ID: "a"}, {ID: "b"}, {ID: "c"}, {ID: "d"}, {ID: "e"}, {ID: "f", ContextTokens: 4096}, {ID: "g"}},
		},
		"odd models": {
			"Groq", `{"data":[{"id":7},null,{},{"id":""},{"id":"` + strings.Repeat("x", 257) + `"},{"id":"a"},{"id":"a","context_window":9}]}`,
			models{{ID: "a"}},
		},
		"no list":             {"Groq", `{"data":{}}`, nil},
		"an empty list":       {"Groq", `{"data":[]}`, nil},
		"a list of texts":     {"Groq", `{"data":["a"]}`, nil},
		"an error":            {"Groq", `{"error":{"message":"no"}}`, nil},
		"half a list":         {"Groq", `{"data":[{"id":"a"},`, nil},
		"nothing":             {"Groq", ``, nil},
		"a text":              {"Groq", `"models"`, nil},
		"another's id member": {"GoogleAI", `{"models":[{"id":"a"}]}`, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			place := provider.Account{Endpoint: "https://x.test"}
			got, ok := lookup(t, tc.provider).ReadList(place, []byte(tc.body))
			if ok != (tc.want != nil) {
				t.Fatalf("read %v, %+v", ok, got)
			}
			if !ok {
				return
			}
			if diff := cmp.Diff(tc.want, got.Models); diff != "" {
				t.Errorf("models (-want +got):\n%s", diff)
			}
			if got.Provider != tc.provider || got.Account != place {
				t.Errorf("the list is of %s at %+v", got.Provider, got.Account)
			}
		})
	}
}

func TestReadListIsBounded(t *testing.T) {
	many := make([]string, 0, 20_001)
	for i := range 20_001 {
		many = append(many, fmt.Sprintf(`{"id":"m-%05d"}`, i))
	}
	p := lookup(t, "Groq")
	all, ok := p.ReadList(provider.Account{}, []byte(`{"data":[`+strings.Join(many[:20_000], ",")+`]}`))
	if !ok || len(all.Models) != 20_000 || !all.Complete {
		t.Errorf("%d models of 20,000, complete %v", len(all.Models), all.Complete)
	}
	cut, ok := p.ReadList(provider.Account{}, []byte(`{"data":[`+strings.Join(many, ",")+`]}`))
	if !ok || len(cut.Models) != 20_000 || cut.Complete {
		t.Errorf("%d models of 20,001, complete %v", len(cut.Models), cut.Complete)
	}
	if _, ok := p.ReadList(provider.Account{}, []byte(`{"data":[{"id":"a"}],"x":"`+strings.Repeat("x", provider.MaxListBytes)+`"}`)); ok {
		t.Error("a list of more than 8 MiB was read")
	}
}

func TestListsAreCompared(t *testing.T) {
	p := lookup(t, "Groq")
	read := func(p provider.Provider, endpoint, body string) *provider.ModelList {
		list, _ := p.ReadList(provider.Account{Endpoint: endpoint}, []byte(body))
		return &list
	}
	base := read(p, "a", `{"data":[{"id":"x"},{"id":"y"}]}`)
	cases := map[string]struct {
		other *provider.ModelList
		want  bool
	}{
		"same":             {read(p, "a", `{"data":[{"id":"x"},{"id":"y"}]}`), true},
		"another order":    {read(p, "a", `{"data":[{"id":"y"},{"id":"x"}]}`), true},
		"a model less":     {read(p, "a", `{"data":[{"id":"x"}]}`), false},
		"another size":     {read(p, "a", `{"data":[{"id":"x","context_window":9},{"id":"y"}]}`), false},
		"not complete":     {read(p, "a", `{"data":[{"id":"x"},{"id":"y"}],"has_more":true}`), false},
		"no list":          {nil, false},
		"another account":  {read(p, "b", `{"data":[{"id":"x"},{"id":"y"}]}`), false},
		"another provider": {read(lookup(t, "OpenAI"), "a", `{"data":[{"id":"x"},{"id":"y"}]}`), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := base.Equal(tc.other); got != tc.want {
				t.Errorf("equal: %v, want %v", got, tc.want)
			}
		})
	}
}

// Whatever a vendor answers, what is read is in order and within its bounds, and every model of it is found.
func FuzzReadList(f *testing.F) {
	for _, seed := range []string{
		`{"data":[{"id":"a","context_window":1,"max_completion_tokens":2}],"has_more":true}`, `[{"id":"x/y","aliases":["z",""],"context_length":3}]`,
		`{"models":[{"name":"models/a","inputTokenLimit":5,"outputTokenLimit":6}],"nextPageToken":"t"}`, `{"modelSummaries":[{"modelId":"a.b"}]}`,
		`{"data":[{"id":"a-20250101"},{"id":"b-08-2024"},{"id":"c/*"}],"links":{"next":"x"}}`, `{"data":[{"id":"\u0000"}]}`, "", "[", `[[]]`, "null",
	} {
		f.Add([]byte(seed), "a")
	}
	providers := registry.Default()
	f.Fuzz(func(t *testing.T, body []byte, model string) {
		for _, name := range providers.Names() {
			p, _ := providers.Lookup(name)
			list, ok := p.ReadList(provider.Account{}, body)
			p.Find(&list, model)
			if !ok {
				continue
			}
			for i, m := range list.Models {
				if !withinBounds(m) || i > 0 && list.Models[i-1].ID >= m.ID {
					t.Fatalf("%s: %+v at %d", name, m, i)
				}
				if found, listing := p.Find(&list, m.ID); listing != provider.Listed {
					t.Fatalf("%s: %q is listed, and was found as %+v %q", name, m.ID, found, listing)
				}
			}
		}
	})
}

func withinBounds(m provider.ListedModel) bool {
	within := func(n, low, high int64) bool { return n >= low && n <= high }
	const most = 100_000_000
	return within(int64(len(m.ID)), 1, 256) && within(m.ContextTokens, 0, most) && within(m.MaxOutputTokens, 0, most)
}
