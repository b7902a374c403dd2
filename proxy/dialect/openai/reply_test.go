package openai_test

import (
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
			if diff := cmp.Diff("kept "+tc.want, string(openai.AppendError([]byte("kept "), tc.surface, tc.reply))); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
	if rich.Metadata.ErrorType != "" {
		t.Error("writing a reply changes it")
	}
}

func TestAppendErrorEvent(t *testing.T) {
	reply := dialect.ErrorReply{Status: 502, Message: "cut", Type: "server_error", Code: "upstream_broken"}
	for want, surface := range map[string]dialect.Flavor{
		`data: {"error":{"message":"cut","type":"server_error","param":null,"code":"upstream_broken"}}` + "\n\n": dialect.OpenAIFlavor,
		`data: {"error":{"message":"cut","type":"server_error","param":null,"code":502,"metadata":{"error_type":"upstream_broken"}},"object":"chat.completion.chunk",` +
			`"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}` + "\n\n": dialect.OpenRouterFlavor,
	} {
		got := string(openai.AppendErrorEvent(nil, surface, reply))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("event (-want +got):\n%s", diff)
		}
		if read, err := filterAll(got, openai.StreamOptions{}); err != nil || read.kinds[0] != dialect.StepFailure {
			t.Errorf("the event is read as %v, %v, want a failure", read.kinds, err)
		}
	}
}

func TestModels(t *testing.T) {
	priced := openai.NewModel("groq/llama", 1759396891, "team-a", &table.Prices{Input: 590_000_000, CachedInput: 0, Output: 15_000_000_000_000_000})
	free := openai.NewModel("local", 5, "team-a", nil)
	const wantPriced = `{"id":"groq/llama","object":"model","created":1759396891,"owned_by":"team-a","name":"groq/llama","pricing":{"prompt":"0.00000059","completion":"15","input_cache_read":"0"}}`
	const wantFree = `{"id":"local","object":"model","created":5,"owned_by":"team-a","name":"local"}`
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
