package anthropic_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/anthropic"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
)

// TestUsageShapes reads what is reported, of a whole answer and of a stream.
func TestUsageShapes(t *testing.T) {
	for name, tc := range map[string]struct {
		usage string
		want  meter.Usage
	}{
		"cached and written": {
			`{"input_tokens":10,"cache_read_input_tokens":20,"cache_creation_input_tokens":30,"cache_creation":{"ephemeral_5m_input_tokens":18,"ephemeral_1h_input_tokens":12},"output_tokens":5}`,
			meter.Usage{Prompt: 60, Cached: 20, CacheWrite: 30, CacheWrite1h: 12, Completion: 5},
		},
		"more kept than written": {
			`{"input_tokens":10,"cache_creation":{"ephemeral_1h_input_tokens":12},"output_tokens":5}`,
			meter.Usage{Prompt: 22, CacheWrite: 12, CacheWrite1h: 12, Completion: 5},
		},
		"searches":          {`{"input_tokens":10,"output_tokens":5,"server_tool_use":{"web_search_requests":3,"web_fetch_requests":1}}`, meter.Usage{Prompt: 10, Completion: 5, Searches: 3}},
		"thinking":          {`{"input_tokens":10,"output_tokens":50,"output_tokens_details":{"thinking_tokens":40}}`, meter.Usage{Prompt: 10, Completion: 50, Reasoning: 40}},
		"the usual class":   {`{"input_tokens":10,"output_tokens":5,"service_tier":"standard","speed":"standard","inference_geo":"global"}`, meter.Usage{Prompt: 10, Completion: 5}},
		"another class":     {`{"input_tokens":10,"output_tokens":5,"service_tier":"batch"}`, meter.Usage{Prompt: 10, Completion: 5, Service: "batch"}},
		"fast":              {`{"input_tokens":10,"output_tokens":5,"service_tier":"standard","speed":"fast"}`, meter.Usage{Prompt: 10, Completion: 5, Service: "fast"}},
		"in a region":       {`{"input_tokens":10,"output_tokens":5,"service_tier":"standard","inference_geo":"us"}`, meter.Usage{Prompt: 10, Completion: 5, Service: "us"}},
		"no region":         {`{"input_tokens":10,"output_tokens":5,"inference_geo":"not_available"}`, meter.Usage{Prompt: 10, Completion: 5}},
		"zero":              {`{"input_tokens":0,"output_tokens":0}`, meter.Usage{}},
		"negative":          {`{"input_tokens":-1,"output_tokens":5}`, meter.Usage{Prompt: 10, Completion: 5, Estimated: true}},
		"negative searches": {`{"input_tokens":20,"output_tokens":5,"server_tool_use":{"web_search_requests":-3}}`, meter.Usage{Prompt: 20, Completion: 5, Estimated: true}},
		"nothing":           {`{}`, meter.Usage{Prompt: 10, Estimated: true}},
	} {
		t.Run(name, func(t *testing.T) {
			answer, err := anthropic.Messages{}.ReadPassed([]byte(`{"type":"message","content":[],"stop_reason":"end_turn","usage":`+tc.usage+`}`), dialect.Exchange{})
			if err != nil {
				t.Fatal(err)
			}
			stream := anthropic.Messages{}.NewPassedStream(dialect.Exchange{})
			for _, data := range []string{`{"type":"message_start","message":{"usage":` + tc.usage + `}}`, `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":` + tc.usage + `}`} {
				if _, err := stream.Next(sse.Event{Data: []byte(data)}); err != nil {
					t.Fatal(err)
				}
			}
			for way, got := range map[string]meter.Usage{"whole": answer.Settle(30), "stream": stream.Settle(30)} {
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", way, diff)
				}
			}
		})
	}
}
