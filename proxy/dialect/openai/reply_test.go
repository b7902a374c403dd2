package openai_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/openai"
	"signalbox.dev/signalbox/proxy/table"
)

func TestAppendError(t *testing.T) {
	plain := dialect.ErrorReply{Status: 404, Message: "no \"such\" model", Type: "invalid_request_error", Param: "model", Code: "model_not_found"}
	rich := dialect.ErrorReply{Status: 503, Message: "m", Type: "server_error", Code: "no_eligible_target", Metadata: &dialect.Metadata{
		Provider: "groq", ProviderName: "Groq", Status: 500, Raw: "boom", Models: []string{"chat"},
		Attempts: []dialect.Attempt{{Target: "fast", Provider: "Groq", Status: 500, Outcome: "status", Message: "boom", DurationMS: 12}, {Target: "slow"}},
		Targets:  []dialect.Exclusion{{Target: "old", Reason: "weight is 0"}},
		Budget:   &dialect.BudgetState{Name: "team", Limit: "250", Spent: "250.01", Resets: "2026-12-01T00:00:00Z"},
	}}
	const metadata = `"provider":"groq","provider_name":"Groq","status":500,"raw":"boom","attempts":[{"target":"fast","provider":"Groq","status":500,"outcome":"status","message":"boom","duration_ms":12},` +
		`{"target":"slow","duration_ms":0}],"targets":[{"target":"old","reason":"weight is 0"}],"models":["chat"],"budget":{"name":"team","limit":"250","spent":"250.01","resets":"2026-12-01T00:00:00Z"}}}}`
	for name, tc := range map[string]struct {
		surface dialect.Flavor
		reply   dialect.ErrorReply
		want    string
	}{
		"OpenAI":           {dialect.OpenAIFlavor, plain, `{"error":{"message":"no \"such\" model","type":"invalid_request_error","param":"model","code":"model_not_found"}}`},
		"OpenRouter":       {dialect.OpenRouterFlavor, plain, `{"error":{"message":"no \"such\" model","type":"invalid_request_error","param":"model","code":404,"metadata":{"error_type":"model_not_found"}}}`},
		"all of it":        {dialect.OpenAIFlavor, rich, `{"error":{"message":"m","type":"server_error","param":null,"code":"no_eligible_target","metadata":{` + metadata},
		"all, OpenRouter":  {dialect.OpenRouterFlavor, rich, `{"error":{"message":"m","type":"server_error","param":null,"code":503,"metadata":{"error_type":"no_eligible_target",` + metadata},
		"own type is kept": {dialect.OpenRouterFlavor, dialect.ErrorReply{Status: 502, Code: "x", Metadata: &dialect.Metadata{ErrorType: "provider_unavailable"}}, `{"error":{"message":"","type":"","param":null,"code":502,"metadata":{"error_type":"provider_unavailable"}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			tc.reply.Flavor = tc.surface
			if diff := cmp.Diff("kept "+tc.want, string(openai.Chat{}.AppendError([]byte("kept "), tc.reply))); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
	if rich.Metadata.ErrorType != "" {
		t.Error("writing a reply changes it")
	}
}

func TestAppendErrorEvent(t *testing.T) {
	reply := dialect.ErrorReply{Status: 502, Message: "cut", Type: "server_error", Code: "upstream_broken", RequestID: "r", ID: "01", Model: "up", Created: 1759396891}
	for want, surface := range map[string]dialect.Flavor{
		`data: {"error":{"message":"cut","type":"server_error","param":null,"code":"upstream_broken"}}` + "\n\n": dialect.OpenAIFlavor,
		`data: {"error":{"message":"cut","type":"server_error","param":null,"code":502,"metadata":{"error_type":"upstream_broken"}},"id":"gen-01","object":"chat.completion.chunk","created":1759396891,"model":"up",` +
			`"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}` + "\n\n": dialect.OpenRouterFlavor,
	} {
		reply.Flavor = surface
		got := string(openai.Chat{}.AppendErrorEvent(nil, reply))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("event (-want +got):\n%s", diff)
		}
		if read, err := filterAll(got, dialect.Exchange{}); err != nil || read.kinds[0] != dialect.StepFailure {
			t.Errorf("the event is read as %v, %v, want a failure", read.kinds, err)
		}
	}
}

// TestEmptyErrorEvent: what ends a broken stream is a chunk for strict clients, whatever is known of the answer.
func TestEmptyErrorEvent(t *testing.T) {
	reply := dialect.ErrorReply{Flavor: dialect.OpenRouterFlavor, Status: 500, RequestID: "r"}
	const failure = `data: {"error":{"message":"","type":"","param":null,"code":500,"metadata":{"error_type":"unmapped"}},"id":"gen-r",`
	for want, surface := range map[string]dialect.Surface{
		failure + `"object":"chat.completion.chunk","created":0,"model":"","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}` + "\n\n": openai.Chat{},
		failure + `"object":"text_completion","created":0,"model":"","choices":[{"index":0,"text":"","finish_reason":"error"}]}` + "\n\n":                    openai.Text{},
	} {
		if diff := cmp.Diff(want, string(surface.AppendErrorEvent(nil, reply))); diff != "" {
			t.Errorf("event (-want +got):\n%s", diff)
		}
	}
}

func TestModels(t *testing.T) {
	priced := openai.NewModel("groq/llama", 1759396891, "team-a", &table.Prices{Input: 590_000_000, CachedInput: 0, Output: 15_000_000_000_000_000})
	free := openai.NewModel("local", 5, "team-a", nil)
	const parameters = `"supported_parameters":["frequency_penalty","include_reasoning","max_completion_tokens","max_tokens","parallel_tool_calls","presence_penalty","reasoning","reasoning_effort",` +
		`"response_format","seed","stop","structured_outputs","temperature","tool_choice","tools","top_p"]`
	const wantPriced = `{"id":"groq/llama","object":"model","created":1759396891,"owned_by":"team-a","name":"groq/llama","active":true,"canonical_slug":"groq/llama",` +
		`"context_length":131072,"context_window":131072,"max_completion_tokens":4096,` +
		`"architecture":{"modality":"text->text","input_modalities":["text"],"output_modalities":["text"],"tokenizer":"Other","instruct_type":null},` +
		`"pricing":{"prompt":"0.00000059","completion":"15","input_cache_read":"0"},"top_provider":{"context_length":131072,"max_completion_tokens":4096,"is_moderated":false},` +
		`"per_request_limits":null,"default_parameters":null,"supported_voices":null,` + parameters + `,"links":{"details":"/api/v1/models/groq/llama"}}`
	const wantFree = `{"id":"local","object":"model","created":5,"owned_by":"team-a","name":"local","active":true,"canonical_slug":"local",` +
		`"context_length":0,"context_window":0,"max_completion_tokens":null,` +
		`"architecture":{"modality":"text+image->text","input_modalities":["text","image"],"output_modalities":["text"],"tokenizer":"Other","instruct_type":null},` +
		`"top_provider":{"context_length":null,"max_completion_tokens":null,"is_moderated":false},` +
		`"per_request_limits":null,"default_parameters":null,"supported_voices":null,` + parameters + `,"links":{"details":"/api/v1/models/local"}}`
	priced = priced.WithLimits(131072, 4096).WithModalities([]string{"text"}, []string{"text"})
	unpriced := strings.Replace(wantFree, `"top_provider"`, `"pricing":{"prompt":"-1","completion":"-1"},"top_provider"`, 1)
	if diff := cmp.Diff(unpriced, string(openai.AppendOpenRouterModel(nil, free))); diff != "" {
		t.Errorf("OpenRouter's model (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(`{"object":"list","data":[`+wantPriced+`,`+unpriced+`],"total_count":2,"links":{"next":null}}`, string(openai.AppendOpenRouterModelList(nil, []openai.Model{priced, free}))); diff != "" {
		t.Errorf("OpenRouter's list (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantPriced, string(openai.AppendModel(nil, priced))); diff != "" {
		t.Errorf("model (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(`{"object":"list","data":[`+wantPriced+","+wantFree+"]}", string(openai.AppendModelList(nil, []openai.Model{priced, free}))); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(`{"object":"list","data":[]}`, string(openai.AppendModelList(nil, nil))); diff != "" {
		t.Errorf("empty list (-want +got):\n%s", diff)
	}
}
