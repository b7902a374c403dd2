package openai_test

import (
	"strings"
	"testing"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/openai"
	"signalbox.dev/signalbox/proxy/dialect/sse"
)

// TestAzuresFirstChunk: what the content filter says of the prompt has no choice in it and comes first; clients that look at choices[0] fail over it.
func TestAzuresFirstChunk(t *testing.T) {
	const first = `data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]}` + "\n\n"
	for name, tc := range map[string]struct {
		event string
		asked bool
		want  bool
	}{
		"filter alone":      {event: first, asked: true},
		"filter and usage":  {event: strings.Replace(first, `"created":0`, `"usage":{"prompt_tokens":1,"completion_tokens":1}`, 1), asked: true, want: true},
		"filter and choice": {event: strings.Replace(first, `"choices":[]`, `"choices":[{"index":0,"delta":{"content":"x"}}]`, 1), want: true},
	} {
		event, err := sse.NewReader(strings.NewReader(tc.event), 0).Next()
		if err != nil {
			t.Fatal(err)
		}
		step, err := openai.Chat{}.NewPassedStream(dialect.Exchange{IncludeUsage: tc.asked}).Next(event)
		if err != nil || (len(step.Output) > 0) != tc.want {
			t.Errorf("%s: the client gets %q, %v", name, step.Output, err)
		}
	}
}
