package responses_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/responses"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
)

// TestUsageShapes reads what is reported, of a whole answer and of a stream.
func TestUsageShapes(t *testing.T) {
	const search = `{"type":"web_search_call","id":"w","status":"completed","action":{"type":"search","query":"x"}}`
	for name, tc := range map[string]struct {
		output, members string
		want            meter.Usage
	}{
		"details": {
			members: `"usage":{"input_tokens":100,"input_tokens_details":{"cached_tokens":40,"cache_write_tokens":10,"image_tokens":20},"output_tokens":50,"output_tokens_details":{"reasoning_tokens":30,"image_tokens":5},"total_tokens":150}`,
			want:    meter.Usage{Prompt: 100, Cached: 40, CacheWrite: 10, PromptImage: 20, Completion: 50, Reasoning: 30, CompletionImage: 5},
		},
		"searches": {
			output:  search + `,{"type":"web_search_call","action":{"type":"open_page"}},{"type":"web_search_call"}`,
			members: `"usage":{"input_tokens":1,"output_tokens":1}`, want: meter.Usage{Prompt: 1, Completion: 1, Searches: 2},
		},
		"searches of xAI":     {members: `"usage":{"input_tokens":1,"output_tokens":1,"server_side_tool_usage_details":{"web_search_calls":3,"x_search_calls":1},"cost_in_usd_ticks":11}`, want: meter.Usage{Prompt: 1, Completion: 1, Searches: 4, ReportedCost: new(int64(2))}},
		"OpenRouter, own key": {members: `"usage":{"input_tokens":1,"output_tokens":1,"cost":1e-9,"is_byok":true,"cost_details":{"upstream_inference_cost":2e-9}}`, want: meter.Usage{Prompt: 1, Completion: 1, ReportedCost: new(int64(3))}},
		"an impossible cost":  {members: `"usage":{"input_tokens":1,"output_tokens":1,"cost":-1}`, want: meter.Usage{Prompt: 1, Completion: 1}},
		"another class":       {members: `"service_tier":"flex","usage":{"input_tokens":1,"output_tokens":1}`, want: meter.Usage{Prompt: 1, Completion: 1, Service: "flex"}},
		"the usual class":     {members: `"service_tier":"default","usage":{"input_tokens":1,"output_tokens":1}`, want: meter.Usage{Prompt: 1, Completion: 1}},
		"zero":                {members: `"usage":{"input_tokens":0,"output_tokens":0}`, want: meter.Usage{}},
		"an odd detail":       {members: `"usage":{"input_tokens":20,"input_tokens_details":{"image_tokens":-1},"output_tokens":1}`, want: meter.Usage{Prompt: 20, Completion: 1, Estimated: true}},
		"nothing":             {members: `"usage":null`, want: meter.Usage{Prompt: 10, Estimated: true}},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"id":"r","status":"completed","output":[` + tc.output + `],` + tc.members + `}`
			answer, err := responses.Codec{}.ReadPassed([]byte(body), dialect.Exchange{})
			if err != nil {
				t.Fatal(err)
			}
			stream := responses.Codec{}.NewPassedStream(dialect.Exchange{})
			if _, err := stream.Next(sse.Event{Data: []byte(`{"type":"response.completed","response":` + body + `}`)}); err != nil {
				t.Fatal(err)
			}
			got := map[string]meter.Usage{"whole": answer.Settle(30), "stream": stream.Settle(30)}
			for way, used := range got {
				if used.Estimated { // What was seen differs: items of the output are text.
					used.Completion = tc.want.Completion
				}
				if diff := cmp.Diff(tc.want, used); diff != "" {
					t.Errorf("%s (-want +got):\n%s", way, diff)
				}
			}
		})
	}
}
