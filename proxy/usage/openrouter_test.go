package usage_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/usage"
)

// data reads the object in which OpenRouter's answers stand.
func data[T any](t *testing.T, text []byte) T {
	t.Helper()
	var answer struct {
		Data T `json:"data"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return answer.Data
}

func TestAppendGeneration(t *testing.T) {
	r := whole()
	r.Attempts = append([]usage.Attempt{{Target: "slow", Provider: "OpenAI", Model: "gpt", Duration: 5 * time.Millisecond}}, r.Attempts...)
	r.Outcome = usage.Canceled
	want := map[string]any{
		"id": "gen-1", "model": "chat", "provider_name": "Groq", "upstream_id": "chatcmpl-1", "request_id": "req-1", "api_type": "completions",
		"created_at": "2026-11-23T01:02:03.000004Z", "external_user": "ana \"x\"\\ ☂", "origin": "", "data_region": "global", "is_byok": false,
		"streamed": true, "cancelled": true, "service_tier": "flex", "total_cost": 1.23456789, "usage": 1.23456789, "upstream_inference_cost": 7e-9,
		"cache_discount": nil, "tokens_prompt": 1.0, "tokens_completion": 6.0, "native_tokens_prompt": 1.0, "native_tokens_completion": 6.0,
		"native_tokens_completion_images": 11.0, "native_tokens_reasoning": 7.0, "native_tokens_cached": 2.0, "num_media_completion": 12.0,
		"num_search_results": 16.0, "latency": 1.0, "generation_time": 2.0,
		"provider_responses": []any{
			map[string]any{"endpoint_id": "slow", "provider_name": "OpenAI", "model_permaslug": "gpt", "status": nil, "latency": 5.0, "is_byok": false},
			map[string]any{"endpoint_id": "fast", "provider_name": "Groq", "model_permaslug": "llama", "status": 200.0, "latency": 1000.0, "is_byok": false},
		},
		"app_id": nil, "finish_reason": nil, "native_finish_reason": nil, "http_referer": nil, "moderation_latency": nil, "num_fetches": nil,
		"num_input_audio_prompt": nil, "num_media_prompt": nil, "preset_id": nil, "response_cache_source_id": nil, "router": nil, "session_id": nil,
		"user_agent": nil, "web_search_engine": nil, "workspace_id": nil,
	}
	if diff := cmp.Diff(want, data[map[string]any](t, usage.AppendGeneration(nil, r))); diff != "" {
		t.Errorf("generation (-want +got):\n%s", diff)
	}
	little := usage.AppendGeneration(nil, &usage.Record{ID: "a", Operation: "moderation", Upstream: time.Second, Duration: 3 * time.Second})
	got := data[map[string]any](t, little)
	if got["latency"] != 1000.0 || got["generation_time"] != 2000.0 || got["api_type"] != nil || got["upstream_inference_cost"] != nil || len(got) != len(want) {
		t.Errorf("of little it is %s", little)
	}
}

func TestAppendActivity(t *testing.T) {
	record := func(day int, model string, cost int64) *usage.Record {
		return &usage.Record{
			Time: time.Date(2026, 11, day, 23, 59, 0, 0, time.UTC), Model: model, Served: model + "-1", Provider: "Groq", Target: "fast", Cost: cost,
			Usage: meter.Usage{Prompt: 10, Completion: 5, Reasoning: 2}, Outcome: usage.Completed,
		}
	}
	records := []*usage.Record{record(21, "m", 5), record(22, "m", 1_500_000_000), record(22, "m", 1), record(22, "n", 2_000_000_000)}
	row := func(date, model string, cost, requests float64) map[string]any {
		return map[string]any{
			"date": date, "model": model, "model_permaslug": model + "-1", "provider_name": "Groq", "endpoint_id": "fast", "usage": cost,
			"byok_usage_inference": 0.0, "requests": requests, "prompt_tokens": 10 * requests, "completion_tokens": 5 * requests, "reasoning_tokens": 2 * requests,
		}
	}
	all := []map[string]any{row("2026-11-22", "n", 2, 1), row("2026-11-22", "m", 1.500000001, 2), row("2026-11-21", "m", 5e-9, 1)}
	for date, want := range map[string][]map[string]any{"": all, "2026-11-21": all[2:], "2026-11-20": {}} {
		if diff := cmp.Diff(want, data[[]map[string]any](t, usage.AppendActivity(nil, records, date))); diff != "" {
			t.Errorf("activity of %q (-want +got):\n%s", date, diff)
		}
	}
}

func TestAppendKey(t *testing.T) {
	want := map[string]any{
		"label": "accesskey:app", "limit": 10.0, "limit_remaining": 2.5, "limit_reset": "monthly", "usage": 7.5, "usage_daily": 1.0, "usage_weekly": 2.0,
		"usage_monthly": 7.5, "byok_usage": 0.0, "byok_usage_daily": 0.0, "byok_usage_weekly": 0.0, "byok_usage_monthly": 0.0,
		"include_byok_in_limit": false, "is_free_tier": false, "is_management_key": false, "is_provisioning_key": false, "creator_user_id": nil,
		"organization_id": nil, "workspace_id": nil, "allowed_data_regions": []any{"global"},
		"free_model_daily_requests": map[string]any{"limit": 0.0, "remaining": 0.0, "used": 0.0}, "expires_at": "2026-12-01T00:00:00Z",
		"rate_limit": map[string]any{"requests": -1.0, "interval": "10s", "note": "This field is deprecated and safe to ignore."},
	}
	k := &usage.KeyInfo{
		Label: "accesskey:app", Limited: true, Limit: 10_000_000_000, Remaining: 2_500_000_000, Period: "Month", Usage: 7_500_000_000, Daily: 1_000_000_000,
		Weekly: 2_000_000_000, Monthly: 7_500_000_000, Expires: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
	}
	if diff := cmp.Diff(want, data[map[string]any](t, usage.AppendKey(nil, k))); diff != "" {
		t.Errorf("key (-want +got):\n%s", diff)
	}
	got := data[map[string]any](t, usage.AppendKey(nil, &usage.KeyInfo{Label: "a"}))
	if got["limit"] != nil || got["limit_remaining"] != nil || got["limit_reset"] != nil || got["expires_at"] != nil || len(got) != len(want) {
		t.Errorf("without a limit it is %v", got)
	}
	got = data[map[string]any](t, usage.AppendKey(nil, &usage.KeyInfo{Limited: true, Limit: 1, Remaining: -1, Period: "Total"}))
	if got["limit_remaining"] != 0.0 || got["limit_reset"] != nil {
		t.Errorf("of a spent limit it is %v", got)
	}
}

func TestAppendCredits(t *testing.T) {
	if got := string(usage.AppendCredits(nil, 10_000_000_000, 1)); got != `{"data":{"total_credits":10,"total_usage":0.000000001}}` {
		t.Errorf("AppendCredits = %s", got)
	}
}
