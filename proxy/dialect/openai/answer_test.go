package openai_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/openai"
	"signalbox.dev/signalbox/proxy/meter"
)

// TestUsage reads usage as the providers report it.
func TestUsage(t *testing.T) {
	const most = meter.MaxTokens
	for name, tc := range map[string]struct {
		usage string
		want  meter.Usage
	}{
		"OpenAI":                        {`{"completion_tokens":271,"completion_tokens_details":{"reasoning_tokens":192},"prompt_tokens":8,"prompt_tokens_details":{"cached_tokens":4},"total_tokens":279}`, meter.Usage{Prompt: 8, Cached: 4, Completion: 271, Reasoning: 192}},
		"details null":                  {`{"completion_tokens":2,"completion_tokens_details":null,"prompt_tokens":8,"prompt_tokens_details":null,"total_tokens":10}`, meter.Usage{Prompt: 8, Completion: 2}},
		"cached null":                   {`{"completion_tokens":2,"prompt_tokens":8,"prompt_tokens_details":{"cached_tokens":null}}`, meter.Usage{Prompt: 8, Completion: 2}},
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
		"absurd":                        {`{"prompt_tokens":9223372036854775807,"completion_tokens":1e400}`, meter.Usage{Prompt: most, Completion: most, Estimated: true}},
		"absurd and negative":           {`{"prompt_tokens":-1e400,"completion_tokens":2}`, meter.Usage{Completion: 2, Estimated: true}},
		"absurd parts stay inside":      {`{"prompt_tokens":1,"completion_tokens":1,"total_tokens":1e300,"prompt_tokens_details":{"cached_tokens":1e300},"completion_tokens_details":{"reasoning_tokens":1e300}}`, meter.Usage{Prompt: most, Cached: most, Completion: most, Reasoning: most, Estimated: true}},
		"text":                          {`{"prompt_tokens":"8","completion_tokens":2}`, meter.Usage{Completion: 2, Estimated: true}},
		"objects in the place of count": {`{"prompt_tokens":{},"completion_tokens":[3]}`, meter.Usage{Estimated: true}},
	} {
		t.Run(name, func(t *testing.T) {
			answer, err := openai.ReadAnswer([]byte(`{"id":"c","usage":` + tc.usage + `}`))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, answer.Usage); diff != "" || !answer.HasUsage {
				t.Errorf("has usage %v (-want +got):\n%s", answer.HasUsage, diff)
			}
		})
	}
}

func TestReadAnswer(t *testing.T) {
	for name, tc := range map[string]struct {
		body   string
		want   openai.Answer
		settle meter.Usage
	}{
		"chat": {
			body:   `{"choices":[{"message":{"role":"assistant","content":"abcd","refusal":null}}],"usage":{"prompt_tokens":3,"completion_tokens":1}}`,
			want:   openai.Answer{Usage: meter.Usage{Prompt: 3, Completion: 1}, HasUsage: true, OutputBytes: 4},
			settle: meter.Usage{Prompt: 3, Completion: 1},
		},
		"no usage":             {body: `{"choices":[{"text":"abcd"},{"text":"ef"}]}`, want: openai.Answer{OutputBytes: 6}, settle: meter.Usage{Prompt: 10, Completion: 2, Estimated: true}},
		"usage null":           {body: `{"choices":[],"usage":null}`, settle: meter.Usage{Prompt: 10, Estimated: true}},
		"usage a number":       {body: `{"usage":5}`, settle: meter.Usage{Prompt: 10, Estimated: true}},
		"usage of zero":        {body: `{"usage":{"prompt_tokens":0}}`, settle: meter.Usage{Prompt: 10, Estimated: true}},
		"embeddings, no usage": {body: `{"object":"list","data":[{"embedding":"AAAA"}]}`, settle: meter.Usage{Prompt: 10, Estimated: true}},
		"repaired": {
			body:   `{"usage":{"prompt_tokens":-3,"completion_tokens":1}}`,
			want:   openai.Answer{Usage: meter.Usage{Completion: 1, Estimated: true}, HasUsage: true},
			settle: meter.Usage{Prompt: 10, Completion: 1, Estimated: true},
		},
		"Groq's own": {
			body:   `{"x_groq":{"id":"r","usage":{"prompt_tokens":3}}}`,
			want:   openai.Answer{Usage: meter.Usage{Prompt: 3}, HasUsage: true},
			settle: meter.Usage{Prompt: 3},
		},
		"an error of status 200": {
			body:   `{"error":{"message":"overloaded","code":503}}`,
			want:   openai.Answer{Err: &neutral.Error{Message: "overloaded", Code: "503", JSON: true}},
			settle: meter.Usage{Prompt: 10, Estimated: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := openai.ReadAnswer([]byte(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got, cmpopts.IgnoreUnexported(openai.Answer{})); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.settle, got.Settle(30)); diff != "" {
				t.Errorf("usage to charge (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadAnswerRefuses(t *testing.T) {
	for name, body := range map[string]string{
		"empty": "", "HTML": "<!doctype html><title>502</title>", "a list": "[]", "cut": `{"choices":[{"message":{"content":"ab`, "garbage behind": "{}x",
		"invalid UTF-8": "{\"id\":\"\xff\"}", "a byte order mark": "\ufeff{}", "gzip": "\x1f\x8b\x08", "two usages": `{"usage":{},"usage":{}}`,
	} {
		_, err := openai.ReadAnswer([]byte(body))
		var problem *openai.AnswerError
		if !errors.As(err, &problem) {
			t.Errorf("%s: error %v, want an AnswerError", name, err)
		}
	}
}

func TestAddCost(t *testing.T) {
	for name, tc := range map[string]struct{ body, want string }{
		"added":    {`{"usage":{"prompt_tokens":3 } , "x":1}`, `{"usage":{"prompt_tokens":3 ,"cost":0.000012} , "x":1}`},
		"replaced": {`{"usage":{"prompt_tokens":3,"c\u006fst":{"a":1},"b":2}}`, `{"usage":{"prompt_tokens":3,"c\u006fst":0.000012,"b":2}}`},
		"Groq":     {`{"x_groq":{"usage":{"prompt_tokens":3}}}`, `{"x_groq":{"usage":{"prompt_tokens":3,"cost":0.000012}}}`},
		"no usage": {`{"usage":null}`, `{"usage":null}`},
	} {
		answer, err := openai.ReadAnswer([]byte(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(answer.AddCost([]byte(tc.body), 12_000)); got != tc.want {
			t.Errorf("%s: %s, want kept %s", name, got, tc.want)
		}
	}
}

// FuzzReadAnswer checks that usage is always possible, that an answer is always charged, and that adding a cost changes nothing else.
func FuzzReadAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":9,"prompt_tokens_details":{"cached_tokens":5}}}`,
		`{"usage":{"prompt_tokens":-1e400,"cost":1}}`, `{"x_groq":{"usage":{"total_tokens":1}}}`, `{"error":{"message":["x"]}}`, `{"usage":{},"us\u0061ge":{}}`, "<html>",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		answer, err := openai.ReadAnswer(body)
		if err != nil {
			return
		}
		if !json.Valid(body) {
			t.Fatalf("%q is taken for an answer", body)
		}
		wantPossible(t, answer.Settle(int64(len(body))))
		again, err := openai.ReadAnswer(answer.AddCost(slices.Clone(body), 1))
		if err != nil || again.OutputBytes != answer.OutputBytes {
			t.Fatalf("%q with a cost: %+v, %v", body, again, err)
		}
		if diff := cmp.Diff(answer.Usage, again.Usage); diff != "" {
			t.Fatalf("%q with a cost (-want +got):\n%s", body, diff)
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

func BenchmarkReadAnswer(b *testing.B) {
	body := []byte(`{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"` + strings.Repeat("The signal box at the junction. ", 30) +
		`","refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":271,"total_tokens":279,"prompt_tokens_details":{"cached_tokens":0}}}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := openai.ReadAnswer(body); err != nil {
			b.Fatal(err)
		}
	}
}
