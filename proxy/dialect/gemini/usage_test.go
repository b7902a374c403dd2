package gemini_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/gemini"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
)

// TestUsageShapes reads what is reported, of a whole answer and of a stream.
func TestUsageShapes(t *testing.T) {
	const grounded = `"groundingMetadata":{"webSearchQueries":["a","b"]},`
	for name, tc := range map[string]struct {
		model, candidate, usage string
		want                    meter.Usage
	}{
		"thoughts and tools": {usage: `{"promptTokenCount":10,"toolUsePromptTokenCount":7,"candidatesTokenCount":5,"thoughtsTokenCount":3,"totalTokenCount":25}`, want: meter.Usage{Prompt: 17, Completion: 8, Reasoning: 3}},
		"by modality": {
			usage: `{"promptTokenCount":100,"cachedContentTokenCount":40,"candidatesTokenCount":50,"totalTokenCount":150,"promptTokensDetails":[{"modality":"TEXT","tokenCount":10},{"modality":"AUDIO","tokenCount":30},{"modality":"IMAGE","tokenCount":60}],"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":25},{"modality":"IMAGE","tokenCount":15}],"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":45}]}`,
			want:  meter.Usage{Prompt: 100, Cached: 40, PromptAudio: 30, CachedAudio: 25, PromptImage: 45, Completion: 50, CompletionImage: 45},
		},
		"sound that is made":         {usage: `{"promptTokenCount":1,"candidatesTokenCount":9,"totalTokenCount":10,"candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":9}]}`, want: meter.Usage{Prompt: 1, Completion: 9, CompletionAudio: 9}},
		"queries of Gemini 3":        {model: "gemini-3-pro", candidate: grounded, usage: `{"promptTokenCount":1,"totalTokenCount":1}`, want: meter.Usage{Prompt: 1, Searches: 2}},
		"a prompt of an older model": {model: "gemini-2.5-flash", candidate: grounded, usage: `{"promptTokenCount":1,"totalTokenCount":1}`, want: meter.Usage{Prompt: 1, Searches: 1}},
		"grounded without a query":   {model: "gemini-2.5-flash", candidate: `"groundingMetadata":{},`, usage: `{"promptTokenCount":1,"totalTokenCount":1}`, want: meter.Usage{Prompt: 1}},
		"another class":              {usage: `{"promptTokenCount":1,"totalTokenCount":1,"trafficType":"ON_DEMAND_FLEX"}`, want: meter.Usage{Prompt: 1, Service: "flex"}},
		"zero":                       {usage: `{"promptTokenCount":0,"totalTokenCount":0}`, want: meter.Usage{}},
		"negative":                   {usage: `{"promptTokenCount":-5,"candidatesTokenCount":2,"totalTokenCount":2}`, want: meter.Usage{Prompt: 10, Completion: 2, Estimated: true}},
		"nothing":                    {usage: `{}`, want: meter.Usage{Prompt: 10, Estimated: true}},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"modelVersion":"` + tc.model + `","candidates":[{` + tc.candidate + `"content":{"parts":[]},"finishReason":"STOP"}],"usageMetadata":` + tc.usage + `}`
			answer, err := gemini.Generate{}.ReadPassed([]byte(body), dialect.Exchange{})
			if err != nil {
				t.Fatal(err)
			}
			stream := gemini.Generate{}.NewPassedStream(dialect.Exchange{})
			if _, err := stream.Next(sse.Event{Data: []byte(body)}); err != nil {
				t.Fatal(err)
			}
			for way, got := range map[string]meter.Usage{"whole": answer.Settle(30), "stream": stream.Settle(30)} {
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", way, diff)
				}
			}
		})
	}
}
