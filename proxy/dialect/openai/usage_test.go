package openai_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/openai"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
)

// TestUsageShapes reads what the vendors of the dialect report, passing and crossing, whole and in a stream.
func TestUsageShapes(t *testing.T) {
	for name, tc := range map[string]struct {
		members string
		want    meter.Usage
	}{
		"OpenAI": {
			`"service_tier":"default","usage":{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"prompt_tokens_details":{"cached_tokens":40,"audio_tokens":20},"completion_tokens_details":{"reasoning_tokens":10,"audio_tokens":5,"accepted_prediction_tokens":3,"rejected_prediction_tokens":4}}`,
			meter.Usage{Prompt: 100, Cached: 40, PromptAudio: 20, Completion: 50, Reasoning: 10, CompletionAudio: 5},
		},
		"another class":          {`"service_tier":"priority","usage":{"prompt_tokens":1,"completion_tokens":1}`, meter.Usage{Prompt: 1, Completion: 1, Service: "priority"}},
		"cached sound":           {`"usage":{"prompt_tokens":9,"completion_tokens":0,"prompt_tokens_details":{"cached_tokens":5,"audio_tokens":6,"cached_tokens_details":{"audio_tokens":4}}}`, meter.Usage{Prompt: 9, Cached: 5, PromptAudio: 6, CachedAudio: 4}},
		"more cached sound":      {`"usage":{"prompt_tokens":9,"completion_tokens":0,"prompt_tokens_details":{"cached_tokens":5,"audio_tokens":3,"cached_tokens_details":{"audio_tokens":8}}}`, meter.Usage{Prompt: 9, Cached: 5, PromptAudio: 3, CachedAudio: 3}},
		"images":                 {`"usage":{"prompt_tokens":9,"completion_tokens":8,"prompt_tokens_details":{"image_tokens":7},"completion_tokens_details":{"image_tokens":6}}`, meter.Usage{Prompt: 9, PromptImage: 7, Completion: 8, CompletionImage: 6}},
		"OpenRouter":             {`"usage":{"prompt_tokens":9,"completion_tokens":1,"cost":1.4e-4,"is_byok":false,"cost_details":{"upstream_inference_cost":1.4e-4}}`, meter.Usage{Prompt: 9, Completion: 1, ReportedCost: new(int64(140_000))}},
		"OpenRouter, own key":    {`"usage":{"prompt_tokens":9,"completion_tokens":1,"cost_details":{"upstream_inference_cost":0.001},"is_byok":true,"cost":0.00005}`, meter.Usage{Prompt: 9, Completion: 1, ReportedCost: new(int64(1_050_000))}},
		"OpenRouter, written":    {`"usage":{"prompt_tokens":9,"completion_tokens":1,"prompt_tokens_details":{"cache_write_tokens":4},"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":3},"server_tool_use_details":{"web_search_requests":2}}`, meter.Usage{Prompt: 9, CacheWrite: 4, CacheWrite1h: 3, Completion: 1, Searches: 2}},
		"an impossible cost":     {`"usage":{"prompt_tokens":9,"completion_tokens":1,"cost":-1}`, meter.Usage{Prompt: 9, Completion: 1}},
		"a cost of another":      {`"usage":{"prompt_tokens":9,"completion_tokens":1,"cost":{"total_cost":1}}`, meter.Usage{Prompt: 9, Completion: 1}},
		"xAI":                    {`"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":15,"completion_tokens_details":{"reasoning_tokens":5},"num_sources_used":3,"cost_in_usd_ticks":37756001}`, meter.Usage{Prompt: 9, Completion: 6, Reasoning: 5, Searches: 3, ReportedCost: new(int64(3_775_601))}},
		"DeepSeek":               {`"usage":{"prompt_tokens":9,"completion_tokens":1,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":5}`, meter.Usage{Prompt: 9, Cached: 4, Completion: 1}},
		"Together":               {`"usage":{"prompt_tokens":9,"completion_tokens":1,"cached_tokens":4}`, meter.Usage{Prompt: 9, Cached: 4, Completion: 1}},
		"Mistral":                {`"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10,"prompt_audio_seconds":3}`, meter.Usage{Prompt: 9, Completion: 1, AudioMillis: 3000}},
		"Perplexity":             {`"usage":{"prompt_tokens":9,"completion_tokens":1,"num_search_queries":2}`, meter.Usage{Prompt: 9, Completion: 1, Searches: 2}},
		"Groq":                   {`"service_tier":"on_demand","x_groq":{"id":"r","usage":{"prompt_tokens":9,"completion_tokens":1,"queue_time":0.1,"total_time":1}}`, meter.Usage{Prompt: 9, Completion: 1}},
		"llama.cpp":              {`"timings":{"cache_n":4,"prompt_n":5,"predicted_n":7,"predicted_ms":1.5}`, meter.Usage{Prompt: 9, Cached: 4, Completion: 7}},
		"usage beats timings":    {`"usage":{"prompt_tokens":8,"completion_tokens":1},"timings":{"prompt_n":5,"predicted_n":7}`, meter.Usage{Prompt: 8, Completion: 1}},
		"zero":                   {`"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}`, meter.Usage{}},
		"negative":               {`"usage":{"prompt_tokens":-4,"completion_tokens":5}`, meter.Usage{Prompt: 10, Completion: 5, Estimated: true}},
		"absurd":                 {`"usage":{"prompt_tokens":1e30,"completion_tokens":5}`, meter.Usage{Prompt: 10, Completion: 5, Estimated: true}},
		"images beyond all":      {`"usage":{"prompt_tokens":9,"completion_tokens":8,"prompt_tokens_details":{"image_tokens":99,"cached_tokens":2},"completion_tokens_details":{"image_tokens":66}}`, meter.Usage{Prompt: 9, Cached: 2, PromptImage: 7, Completion: 8, CompletionImage: 8}},
		"nothing":                {`"usage":{}`, meter.Usage{Prompt: 10, Completion: 0, Estimated: true}},
		"nothing, a known class": {`"service_tier":"flex"`, meter.Usage{Prompt: 10, Estimated: true, Service: "flex"}},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"choices":[{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"stop"}],` + tc.members + `}`
			passed, err := openai.Chat{}.ReadPassed([]byte(body), dialect.Exchange{})
			if err != nil {
				t.Fatal(err)
			}
			crossed, err := dialect.CrossGeneration(openai.Chat{}, openai.Chat{}).ReadAnswer([]byte(body), dialect.Exchange{})
			if err != nil {
				t.Fatal(err)
			}
			streams := [...]dialect.Stream{openai.Chat{}.NewPassedStream(dialect.Exchange{}), dialect.NewCrossingStream(openai.Chat{}.NewStreamReader(), openai.Chat{}.NewStreamWriter(dialect.Exchange{}))}
			for _, stream := range streams {
				if _, err := passAll(strings.NewReader("data: {\"choices\":[],"+tc.members+"}\n\n"+done), stream); err != nil {
					t.Fatal(err)
				}
			}
			for way, got := range map[string]meter.Usage{
				"passing": passed.Settle(30), "crossing": crossed.Settle(30), "passing stream": streams[0].Settle(30), "crossing stream": streams[1].Settle(30),
			} {
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", way, diff)
				}
			}
		})
	}
}

// TestZeroInStream tells zeros in events with text, which some providers send all along, from a zero at the end.
func TestZeroInStream(t *testing.T) {
	const zero = `"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}`
	const text = `data: {"choices":[{"index":0,"delta":{"content":"abcdef"}}],` + zero + "}\n\n"
	for name, tc := range map[string]struct {
		stream string
		want   meter.Usage
	}{
		"cut":         {text + text, meter.Usage{Prompt: 10, Completion: 4, Estimated: true}},
		"a real end":  {text + text + `data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}` + "\n\n", meter.Usage{Prompt: 7, Completion: 3}},
		"zero at end": {text + "data: {\"choices\":[]," + zero + "}\n\n", meter.Usage{}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, stream := range []dialect.Stream{openai.Chat{}.NewPassedStream(dialect.Exchange{}), dialect.NewCrossingStream(openai.Chat{}.NewStreamReader(), openai.Chat{}.NewStreamWriter(dialect.Exchange{}))} {
				if _, err := passAll(strings.NewReader(tc.stream), stream); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tc.want, stream.Settle(30)); diff != "" {
					t.Errorf("usage (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestCutStreamHasNoCost does not believe the cost of an earlier state.
func TestCutStreamHasNoCost(t *testing.T) {
	stream := openai.Chat{}.NewPassedStream(dialect.Exchange{})
	for _, data := range []string{`{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":1,"cost":0.1}}`, `{"choices":[{"delta":{"content":"abc"}}]}`} {
		if _, err := stream.Next(sse.Event{Data: []byte(data), Raw: []byte("data: " + data + "\n\n"), DataAt: len("data: ")}); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(meter.Usage{Prompt: 7, Completion: 2, Estimated: true}, stream.Settle(30)); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
}

func TestPlainUsage(t *testing.T) {
	image := meter.Usage{Prompt: 100, Completion: 2 * 4160, CompletionImage: 2 * 4160, Images: 2, Estimated: true}
	for name, tc := range map[string]struct {
		api  neutral.API
		body string
		want meter.Usage
	}{
		"gpt-image": {neutral.ImageGenerations, `{"data":[{},{}],"usage":{"input_tokens":50,"output_tokens":9000,"total_tokens":9050,"input_tokens_details":{"image_tokens":40,"text_tokens":10}}}`,
			meter.Usage{Prompt: 50, PromptImage: 40, Completion: 9000, CompletionImage: 9000, Images: 2}},
		"an image's text": {neutral.ImageGenerations, `{"data":[{}],"usage":{"input_tokens":5,"output_tokens":90,"output_tokens_details":{"image_tokens":80,"text_tokens":10}}}`,
			meter.Usage{Prompt: 5, Completion: 90, CompletionImage: 80, Images: 1}},
		"dall-e":                   {neutral.ImageGenerations, `{"data":[{"url":"x"},{"url":"y"}]}`, image},
		"tokens of a transcript":   {neutral.Transcriptions, `{"text":"a","usage":{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":4,"audio_tokens":10},"output_tokens":45,"total_tokens":59}}`, meter.Usage{Prompt: 14, PromptAudio: 10, Completion: 45}},
		"seconds of a transcript":  {neutral.Transcriptions, `{"text":"a","usage":{"type":"duration","seconds":9}}`, meter.Usage{AudioMillis: 9000}},
		"a verbose transcript":     {neutral.Translations, `{"text":"a","duration":8.4701,"segments":[]}`, meter.Usage{AudioMillis: 8471}},
		"a transcript, no length":  {neutral.Transcriptions, `{"text":"abc"}`, meter.Usage{AudioMillis: 1000, Prompt: 10, PromptAudio: 10, Completion: 2, Estimated: true}},
		"a transcript, odd length": {neutral.Transcriptions, `{"text":"a","usage":{"type":"duration","seconds":-9}}`, meter.Usage{AudioMillis: 1000, Prompt: 10, Completion: 1, Estimated: true}},
		"a moderation":             {neutral.Moderations, `{"results":[]}`, meter.Usage{Prompt: 100, Estimated: true}},
	} {
		t.Run(name, func(t *testing.T) {
			answer, err := openai.Plain{API: tc.api}.ReadPassed([]byte(tc.body), dialect.Exchange{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, answer.Settle(300)); diff != "" {
				t.Errorf("usage (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRawUsage(t *testing.T) {
	for name, tc := range map[string]struct {
		api    neutral.API
		body   string
		prompt int64
		words  int64
		want   meter.Usage
	}{
		"speech":             {neutral.Speech, `{"input":"Grüß Gott"}`, 30, 0, meter.Usage{Prompt: 10, Characters: 9, SpeechMillis: 900, Completion: 18, CompletionAudio: 18, Estimated: true}},
		"a long transcript":  {neutral.Transcriptions, "", 4_000_000, 30, meter.Usage{Prompt: 10_000, PromptAudio: 10_000, AudioMillis: 1_000_000, Completion: 10, Estimated: true}},
		"a short transcript": {neutral.Transcriptions, "", 30, 0, meter.Usage{Prompt: 10, PromptAudio: 10, AudioMillis: 1000, Estimated: true}},
		"an edited image":    {neutral.ImageEdits, "", 4_000_000, 0, meter.Usage{Prompt: 16_384, Images: 1, Completion: 4160, CompletionImage: 4160, Estimated: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, openai.Plain{API: tc.api}.RawUsage([]byte(tc.body), tc.prompt, tc.words)); diff != "" {
				t.Errorf("usage (-want +got):\n%s", diff)
			}
		})
	}
}
