package openai_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/openai"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

// TestUsage reads usage as the providers report it.
func TestUsage(t *testing.T) {
	for name, tc := range map[string]struct {
		usage string
		want  meter.Usage
	}{
		"OpenAI":                        {`{"completion_tokens":271,"completion_tokens_details":{"reasoning_tokens":192},"prompt_tokens":8,"prompt_tokens_details":{"cached_tokens":4},"total_tokens":279}`, meter.Usage{Prompt: 8, Cached: 4, Completion: 271, Reasoning: 192}},
		"details null":                  {`{"completion_tokens":2,"completion_tokens_details":null,"prompt_tokens":8,"prompt_tokens_details":null,"total_tokens":10}`, meter.Usage{Prompt: 8, Completion: 2}},
		"cached null":                   {`{"completion_tokens":2,"prompt_tokens":8,"prompt_tokens_details":{"cached_tokens":null}}`, meter.Usage{Prompt: 8, Completion: 2}},
		"OpenRouter's cache":            {`{"prompt_tokens":100,"completion_tokens":9,"prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":30,"audio_tokens":5},"completion_tokens_details":{"audio_tokens":4}}`, meter.Usage{Prompt: 100, Cached: 60, CacheWrite: 30, PromptAudio: 5, Completion: 9, CompletionAudio: 4}},
		"a gateway's cache":             {`{"prompt_tokens":100,"completion_tokens":9,"cache_read_input_tokens":60,"cache_creation_input_tokens":30}`, meter.Usage{Prompt: 100, Cached: 60, CacheWrite: 30, Completion: 9}},
		"cache outside":                 {`{"prompt_tokens":10,"completion_tokens":2,"total_tokens":102,"prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":30}}`, meter.Usage{Prompt: 100, Cached: 60, CacheWrite: 30, Completion: 2}},
		"writes outside, no total":      {`{"prompt_tokens":10,"completion_tokens":2,"prompt_tokens_details":{"cache_write_tokens":30}}`, meter.Usage{Prompt: 40, CacheWrite: 30, Completion: 2, Estimated: true}},
		"more sound than all":           {`{"prompt_tokens":10,"completion_tokens":2,"prompt_tokens_details":{"audio_tokens":30},"completion_tokens_details":{"audio_tokens":30}}`, meter.Usage{Prompt: 10, PromptAudio: 10, Completion: 2, CompletionAudio: 2}},
		"embeddings":                    {`{"prompt_tokens":7,"total_tokens":7}`, meter.Usage{Prompt: 7}},
		"embeddings, total only":        {`{"total_tokens":7}`, meter.Usage{Prompt: 7}},
		"Groq":                          {`{"queue_time":0.05,"prompt_tokens":8,"prompt_time":0.001,"completion_tokens":2,"completion_time":0.01,"total_tokens":10,"total_time":0.01}`, meter.Usage{Prompt: 8, Completion: 2}},
		"DeepSeek":                      {`{"prompt_tokens":100,"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":36,"completion_tokens":2}`, meter.Usage{Prompt: 100, Cached: 64, Completion: 2}},
		"Moonshot":                      {`{"prompt_tokens":100,"cached_tokens":64,"completion_tokens":2}`, meter.Usage{Prompt: 100, Cached: 64, Completion: 2}},
		"newer names":                   {`{"input_tokens":100,"input_tokens_details":{"cached_tokens":64},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":3},"total_tokens":109}`, meter.Usage{Prompt: 100, Cached: 64, Completion: 9, Reasoning: 3}},
		"reasoning outside":             {`{"prompt_tokens":8,"completion_tokens":2,"total_tokens":210,"completion_tokens_details":{"reasoning_tokens":200}}`, meter.Usage{Prompt: 8, Completion: 202, Reasoning: 200}},
		"reasoning outside, no total":   {`{"prompt_tokens":8,"completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":200}}`, meter.Usage{Prompt: 8, Completion: 202, Reasoning: 200, Estimated: true}},
		"thinking in the total only":    {`{"prompt_tokens":8,"completion_tokens":2,"total_tokens":60}`, meter.Usage{Prompt: 8, Completion: 52}},
		"cached outside":                {`{"prompt_tokens":8,"completion_tokens":2,"total_tokens":110,"prompt_tokens_details":{"cached_tokens":100}}`, meter.Usage{Prompt: 108, Cached: 100, Completion: 2}},
		"cached outside, no total":      {`{"prompt_tokens":8,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":100}}`, meter.Usage{Prompt: 108, Cached: 100, Completion: 2, Estimated: true}},
		"total too small is ignored":    {`{"prompt_tokens":8,"completion_tokens":2,"total_tokens":1}`, meter.Usage{Prompt: 8, Completion: 2}},
		"fractions":                     {`{"prompt_tokens":8.0,"completion_tokens":1.2e0}`, meter.Usage{Prompt: 8, Completion: 2}},
		"negative":                      {`{"prompt_tokens":-8,"completion_tokens":2}`, meter.Usage{Completion: 2, Estimated: true}},
		"negative fraction":             {`{"prompt_tokens":8,"completion_tokens":-0.5}`, meter.Usage{Prompt: 8, Estimated: true}},
		"absurd":                        {`{"prompt_tokens":9223372036854775807,"completion_tokens":1e400}`, meter.Usage{Estimated: true}},
		"absurd and negative":           {`{"prompt_tokens":-1e400,"completion_tokens":2}`, meter.Usage{Completion: 2, Estimated: true}},
		"absurd parts stay inside":      {`{"prompt_tokens":1,"completion_tokens":1,"total_tokens":1e300,"prompt_tokens_details":{"cached_tokens":1e300},"completion_tokens_details":{"reasoning_tokens":1e300}}`, meter.Usage{Prompt: 1, Completion: 1, Estimated: true}},
		"text":                          {`{"prompt_tokens":"8","completion_tokens":2}`, meter.Usage{Completion: 2, Estimated: true}},
		"objects in the place of count": {`{"prompt_tokens":{},"completion_tokens":[3]}`, meter.Usage{Estimated: true}},
	} {
		t.Run(name, func(t *testing.T) {
			answer, err := openai.Chat{}.ReadPassed([]byte(`{"id":"c","usage":`+tc.usage+`}`), dialect.Exchange{})
			if err != nil {
				t.Fatal(err)
			}
			got, ok := answer.Reported()
			if diff := cmp.Diff(tc.want, got); diff != "" || !ok {
				t.Errorf("has usage %v (-want +got):\n%s", ok, diff)
			}
		})
	}
}

// settled is what the proxy reads of an answer.
type settled struct {
	Reported bool
	Usage    meter.Usage
	Failure  *neutral.Error
	Charged  meter.Usage
}

func TestReadPassed(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		want settled
	}{
		"chat": {
			body: `{"choices":[{"message":{"role":"assistant","content":"abcd","refusal":null}}],"usage":{"prompt_tokens":3,"completion_tokens":1}}`,
			want: settled{Reported: true, Usage: meter.Usage{Prompt: 3, Completion: 1}, Charged: meter.Usage{Prompt: 3, Completion: 1}},
		},
		"no usage":       {body: `{"choices":[{"text":"abcd"},{"text":"ef"}]}`, want: settled{Charged: meter.Usage{Prompt: 10, Completion: 2, Estimated: true}}},
		"usage null":     {body: `{"choices":[],"usage":null}`, want: settled{Charged: meter.Usage{Prompt: 10, Estimated: true}}},
		"usage a number": {body: `{"choices":[],"usage":5}`, want: settled{Charged: meter.Usage{Prompt: 10, Estimated: true}}},
		"usage of zero":  {body: `{"choices":[],"usage":{"prompt_tokens":0}}`, want: settled{Charged: meter.Usage{Prompt: 10, Estimated: true}}},
		"repaired": {
			body: `{"usage":{"prompt_tokens":-3,"completion_tokens":1}}`,
			want: settled{Reported: true, Usage: meter.Usage{Completion: 1, Estimated: true}, Charged: meter.Usage{Prompt: 10, Completion: 1, Estimated: true}},
		},
		"Groq's own": {
			body: `{"x_groq":{"id":"r","usage":{"prompt_tokens":3,"total_tokens":3}}}`,
			want: settled{Reported: true, Usage: meter.Usage{Prompt: 3}, Charged: meter.Usage{Prompt: 3}},
		},
		"half a usage": {
			body: `{"choices":[],"usage":{"prompt_tokens":13}}`,
			want: settled{Reported: true, Usage: meter.Usage{Prompt: 13, Estimated: true}, Charged: meter.Usage{Prompt: 13, Estimated: true}},
		},
		"the other half": {
			body: `{"choices":[],"usage":{"completion_tokens":3}}`,
			want: settled{Reported: true, Usage: meter.Usage{Completion: 3, Estimated: true}, Charged: meter.Usage{Prompt: 10, Completion: 3, Estimated: true}},
		},
		"an error of status 200": {
			body: `{"error":{"message":"overloaded","code":503}}`,
			want: settled{Failure: &neutral.Error{Message: "overloaded", Code: "503", JSON: true}, Charged: meter.Usage{Prompt: 10, Estimated: true}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			answer, err := openai.Chat{}.ReadPassed([]byte(tc.body), dialect.Exchange{})
			if err != nil {
				t.Fatal(err)
			}
			got := settled{Failure: answer.Failure(), Charged: answer.Settle(30)}
			got.Usage, got.Reported = answer.Reported()
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadPassedRefuses(t *testing.T) {
	for name, body := range map[string]string{
		"empty": "", "HTML": "<!doctype html><title>502</title>", "a list": "[]", "cut": `{"choices":[{"message":{"content":"ab`, "garbage behind": "{}x",
		"invalid UTF-8": "{\"id\":\"\xff\"}", "a byte order mark": "\ufeff{}", "gzip": "\x1f\x8b\x08", "two usages": `{"usage":{},"usage":{}}`,
	} {
		for _, passer := range []dialect.Passer{openai.Chat{}, openai.Text{}, openai.Vectors{}, openai.Plain{API: neutral.Moderations}} {
			_, err := passer.ReadPassed([]byte(body), dialect.Exchange{})
			var problem *dialect.AnswerError
			if !errors.As(err, &problem) {
				t.Errorf("%s: error %v, want an AnswerError", name, err)
			}
		}
	}
}

// exchange is a call of a flavor with everything that its answer tells.
func exchange(flavor dialect.Flavor) dialect.Exchange {
	return dialect.Exchange{
		Flavor: flavor, Provider: "Mistral", Origin: neutral.OriginAnthropic, ID: "01", Created: 1759396891, Model: "chat", UpstreamModel: "up", Prices: &table.Prices{Input: 1_000_000_000, CachedInput: 500_000_000, Output: 2_000_000_000},
		Timing: func() dialect.Timing {
			return dialect.Timing{Queue: time.Millisecond, Prompt: 20 * time.Millisecond, Completion: 300 * time.Millisecond}
		},
	}
}

func TestPassedBody(t *testing.T) {
	plain, router, groq := exchange(dialect.OpenAIFlavor), exchange(dialect.OpenRouterFlavor), exchange(dialect.GroqFlavor)
	free := dialect.Exchange{}
	own := router
	own.Provider, own.BelievesCost = "OpenRouter", true
	ownGroq := groq
	ownGroq.Provider = "Groq"
	const counts = `"prompt_tokens":10,"completion_tokens":1`
	const choice = `"choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}]`
	const priced = `"usage":{` + counts + `,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0},"is_byok":false,"cost_details":{},"cost":0.000012}`
	unpriced := router
	unpriced.Prices = nil
	for name, tc := range map[string]struct {
		call       dialect.Exchange
		body, want string
	}{
		"cost added":       {plain, `{"usage":{` + counts + ` } , "x":1}`, `{"usage":{` + counts + ` ,"cost":0.000012} , "x":1}`},
		"cost replaced":    {plain, `{"usage":{` + counts + `,"c\u006fst":{"a":1},"b":2}}`, `{"usage":{` + counts + `,"c\u006fst":0.000012,"b":2}}`},
		"cost in x_groq":   {plain, `{"x_groq":{"usage":{` + counts + `}}}`, `{"x_groq":{"usage":{` + counts + `,"cost":0.000012}}}`},
		"no usage":         {plain, `{"choices":[],"usage":null}`, `{"choices":[],"usage":null}`},
		"no price":         {free, `{"usage":{` + counts + `}}`, `{"usage":{` + counts + `}}`},
		"role mended":      {free, `{"choices":[{"message":{"role":null}},{"message":{"role":""}}]}`, `{"choices":[{"message":{"role":"assistant"}},{"message":{"role":"assistant"}}]}`},
		"thoughts named":   {groq, `{"x_groq":{"id":"r"},"choices":[{"message":{"reasoning_c\u006fntent" :"hm","content":"x"}},{"message":{"reasoning_content":null}}]}`, `{"x_groq":{"id":"r"},"choices":[{"message":{"reasoning" :"hm","content":"x"}},{"message":{"reasoning":null}}]}`},
		"thoughts twice":   {router, `{"system_fingerprint":null,"provider":1,"choices":[{"finish_reason":null,"message":{"reasoning_content":"hm","reasoning":"hm"}}],"usage":null}`, `{"system_fingerprint":null,"provider":1,"choices":[{"finish_reason":null,"message":{"reasoning_content":"hm","reasoning":"hm"}}],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0},"cost":0.000014,"is_byok":false,"cost_details":{"upstream_inference_cost":null,"upstream_inference_prompt_cost":0.00001,"upstream_inference_completions_cost":0.000004}}}`},
		"thoughts kept":    {plain, `{"choices":[{"message":{"reasoning_content":"hm"}}]}`, `{"choices":[{"message":{"reasoning_content":"hm"}}]}`},
		"OpenRouter":       {router, `{"id":"c",` + choice + `,"usage":{` + counts + `}}`, `{"provider":"Mistral","system_fingerprint":null,"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop","native_finish_reason":"stop"}],"usage":{` + counts + `,"cost":0.000012,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0},"is_byok":false,"cost_details":{"upstream_inference_cost":null,"upstream_inference_prompt_cost":0.00001,"upstream_inference_completions_cost":0.000002}}}`},
		"details mended":   {router, `{"choices":[],"usage":{` + counts + `,"prompt_tokens_details":null,"completion_tokens_details":{"reasoning_tokens":null,"x":1},"is_byok":true,"cost_details":{}}}`, `{"provider":"Mistral","system_fingerprint":null,"choices":[],"usage":{` + counts + `,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"x":1},"is_byok":true,"cost_details":{},"cost":0.000012}}`},
		"details extended": {router, `{"choices":[],"usage":{` + counts + `,"prompt_tokens_details":{"audio_tokens":1},"completion_tokens_details":{ },"is_byok":true,"cost_details":{},"cost":1}}`, `{"provider":"Mistral","system_fingerprint":null,"choices":[],"usage":{` + counts + `,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":1},"completion_tokens_details":{"reasoning_tokens":0 },"is_byok":true,"cost_details":{},"cost":0.000012}}`},
		"usage estimated":  {router, `{"choices":[{"message":{"content":"abc"}}],"usage":null}`, `{"provider":"Mistral","system_fingerprint":null,"choices":[{"finish_reason":null,"message":{"content":"abc"}}],"usage":{"prompt_tokens":10,"completion_tokens":1,"total_tokens":11,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0},"cost":0.000012,"is_byok":false,"cost_details":{"upstream_inference_cost":null,"upstream_inference_prompt_cost":0.00001,"upstream_inference_completions_cost":0.000002}}}`},
		"OpenRouter's own": {own, `{"choices":[],"usage":{` + counts + `,"cost":5}}`, `{"choices":[],"usage":{` + counts + `,"cost":5}}`},
		"Groq":             {groq, `{"id":"c",` + choice + `,"usage":{` + counts + `}}`, `{"x_groq":{"id":"req_01"},"id":"c",` + choice + `,"usage":{` + counts + `,"cost":0.000012,"queue_time":0.001,"prompt_time":0.02,"completion_time":0.3,"total_time":0.32}}`},
		"Groq's own":       {ownGroq, `{` + choice + `,"usage":{"queue_time":1,` + counts + `},"x_groq":{"id":"r"}}`, `{` + choice + `,"usage":{"queue_time":1,` + counts + `,"cost":0.000012},"x_groq":{"id":"r"}}`},
		"no nulls": {router, `{"provider":1,"system_fingerprint":null,"choices":[{"message":{"tool_calls":null,"audio":null,"role":"assistant","content":null,"reasoning":null,"refusal":null},"finish_reason":null}],` + priced + `}`,
			`{"provider":1,"system_fingerprint":null,"choices":[{"message":{"role":"assistant","content":null,"reasoning":null,"refusal":null},"finish_reason":null}],` + priced + `}`},
		"nulls last": {router, `{"provider":1,"system_fingerprint":"fp","choices":[{"message":{"role":"assistant" , "audio":null, "images" : null },"finish_reason":null},{"message":{"tool_calls":null,"audio":null},"finish_reason":null}],` + priced + `}`,
			`{"provider":1,"system_fingerprint":"fp","choices":[{"message":{"role":"assistant"  },"finish_reason":null},{"message":{},"finish_reason":null}],` + priced + `}`},
		"nulls kept":        {plain, `{"choices":[{"message":{"tool_calls":null,"audio":null}}]}`, `{"choices":[{"message":{"tool_calls":null,"audio":null}}]}`},
		"nulls of details":  {router, `{"provider":1,"system_fingerprint":"fp","choices":[],"usage":{` + counts + `,"prompt_tokens_details":{"audio_tokens":null,"cached_tokens":2,"text_tokens":null},"completion_tokens_details":{"reasoning_tokens":1},"cost_details":{},"is_byok":false,"cost":1}}`, `{"provider":1,"system_fingerprint":"fp","choices":[],"usage":{` + counts + `,"prompt_tokens_details":{"audio_tokens":0,"cached_tokens":2,"text_tokens":0},"completion_tokens_details":{"reasoning_tokens":1},"cost_details":{},"is_byok":false,"cost":0.000011}}`},
		"no price, no sums": {unpriced, `{"provider":1,"system_fingerprint":"fp","choices":[],"usage":{` + counts + `}}`, `{"provider":1,"system_fingerprint":"fp","choices":[],"usage":{` + counts + `,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0},"is_byok":false}}`},
	} {
		t.Run(name, func(t *testing.T) {
			answer, err := openai.Chat{}.ReadPassed([]byte(tc.body), tc.call)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(answer.Body(answer.Settle(30)))); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPlainBody passes what the proxy only reads.
func TestPlainBody(t *testing.T) {
	body := `{"created":1,"data":[{"b64_json":"AAAA"}],"usage":{"input_tokens":5,"output_tokens":7,"total_tokens":12}}`
	answer, err := openai.Plain{API: neutral.ImageGenerations}.ReadPassed([]byte(body), exchange(dialect.OpenRouterFlavor))
	if err != nil {
		t.Fatal(err)
	}
	charged := answer.Settle(30)
	if diff := cmp.Diff(meter.Usage{Prompt: 5, Completion: 7, CompletionImage: 7, Images: 1}, charged); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
	if got := string(answer.Body(charged)); got != body {
		t.Errorf("body %s, want it as it was", got)
	}
}

// FuzzReadPassed checks that usage is always possible, that an answer is always charged, and that what is added changes nothing of the usage.
func FuzzReadPassed(f *testing.F) {
	for _, seed := range []string{
		`{"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":9,"prompt_tokens_details":{"cached_tokens":5}}}`,
		`{"usage":{"prompt_tokens":-1e400,"cost":1}}`, `{"x_groq":{"usage":{"total_tokens":1}}}`, `{"error":{"message":["x"]}}`, `{"usage":{},"us\u0061ge":{}}`, "<html>",
		`{"choices":[{"finish_reason":"stop","message":{"role":"","reasoning_content":"x"}}],"provider":1,"usage":{"prompt_tokens":1,"prompt_tokens_details":{},"completion_tokens_details":null}}`,
	} {
		for flavor := range 3 {
			f.Add([]byte(seed), flavor)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, flavor int) {
		call := exchange(dialect.Flavor(flavor))
		answer, err := openai.Chat{}.ReadPassed(slices.Clone(body), call)
		if err != nil {
			return
		}
		if !json.Valid(body) {
			t.Fatalf("%q is taken for an answer", body)
		}
		charged := answer.Settle(int64(len(body)))
		wantPossible(t, charged)
		written := slices.Clone(answer.Body(charged))
		again, err := openai.Chat{}.ReadPassed(written, call)
		if err != nil {
			t.Fatalf("%q becomes %q: %v", body, written, err)
		}
		before, ok := answer.Reported()
		after, _ := again.Reported()
		if diff := cmp.Diff(before, after, cmpopts.IgnoreFields(meter.Usage{}, "ReportedCost")); diff != "" && ok {
			t.Fatalf("%q becomes %q (-want +got):\n%s", body, written, diff)
		}
	})
}

// wantPossible checks that usage is not zero, bounded, and that its parts lie inside their wholes.
func wantPossible(t *testing.T, u meter.Usage) {
	t.Helper()
	bounded := u.Prompt <= meter.MaxTokens && u.Completion <= meter.MaxTokens
	inside := u.Cached >= 0 && u.Cached <= u.Prompt && u.Reasoning >= 0 && u.Reasoning <= u.Completion
	if !bounded || !inside || u.Prompt+u.Completion == 0 {
		t.Fatalf("the call is charged as %+v", u)
	}
}

func BenchmarkReadPassed(b *testing.B) {
	body := []byte(`{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"` + strings.Repeat("The signal box at the junction. ", 30) +
		`","refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":271,"total_tokens":279,"prompt_tokens_details":{"cached_tokens":0}}}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (openai.Chat{}).ReadPassed(body, dialect.Exchange{}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestNoAnswer: an object that has nothing of an answer comes from something in front of the API.
func TestNoAnswer(t *testing.T) {
	for body, readable := range map[string]bool{
		`{}`: false, `{"detail":"bad gateway"}`: false, `{"choices":[]}`: true, `{"usage":{"prompt_tokens":1}}`: true, `{"error":{"message":"x"}}`: true,
	} {
		for _, read := range []func([]byte, dialect.Exchange) (dialect.Answer, error){openai.Chat{}.ReadPassed, openai.Text{}.ReadPassed} {
			if answer, err := read([]byte(body), dialect.Exchange{}); (err == nil) != readable || (answer == nil) == readable {
				t.Errorf("%s: answer %v, error %v", body, answer, err)
			}
		}
	}
	if _, err := (openai.Vectors{}).ReadPassed([]byte(`{"object":"list","data":[]}`), dialect.Exchange{}); err != nil {
		t.Errorf("embeddings without usage: %v", err)
	}
}
