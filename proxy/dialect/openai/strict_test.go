package openai_test

import (
	"strings"
	"testing"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/openai"
	"signalbox.dev/signalbox/proxy/dialect/sse"
)

// FuzzStrict checks that what passes for OpenRouter's clients stays JSON, keeps its members, and has no null where strict clients want a value.
func FuzzStrict(f *testing.F) {
	for _, seed := range []string{
		`{"usage":null,"system_fingerprint":null,"error":null,"choices":[]}`, `{"choices":[{"delta":{"tool_calls":null,"audio":null}}],"usage":null , "error" : null}`,
		`{"a":1,"error":null,"choices":[{"message":{"x":1,"images":null,"y":2,"tool_calls":[{"id":null,"function":{"name":null,"arguments":null}},null,[{"id":null}]]}}]}`,
		`{"choices":[{"delta":{"role":null,"reasoning_content":null,"reasoning_details":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"prompt_tokens_details":{"cached_tokens":null}}}`,
		`{"us\u0061ge":null,"choices":[{"delta":null},{"delta":{}},{}]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		before := decodeMembers([]byte(body))
		if before == nil || strings.ContainsAny(body, "\r\n") {
			return
		}
		call := exchange(dialect.OpenRouterFlavor)
		if answer, err := (openai.Chat{}).ReadPassed([]byte(body), call); err == nil && answer.Failure() == nil {
			checkStrict(t, before, answer.Body(answer.Settle(30)))
		}
		checkStrictChunk(t, before, body)
	})
}

// checkStrictChunk compares a chunk with what passes of it.
func checkStrictChunk(t *testing.T, before map[string]any, body string) {
	t.Helper()
	event, err := sse.NewReader(strings.NewReader("data: "+body+"\n\n"), 0).Next()
	if err != nil {
		return
	}
	step, err := openai.Chat{}.NewPassedStream(exchange(dialect.OpenRouterFlavor)).Next(event)
	if err != nil || step.Kind == dialect.StepFailure || len(step.Output) == 0 {
		return
	}
	after := checkStrict(t, before, []byte(strings.TrimPrefix(string(step.Output), "data: ")))
	if _, has := after["choices"].([]any); !has {
		return
	}
	for _, name := range []string{"usage", "system_fingerprint", "error"} {
		if value, has := after[name]; has && value == nil {
			t.Errorf("%q has null in %q", step.Output, name)
		}
	}
}

// checkStrict compares an answer with what came of it, which it returns.
func checkStrict(t *testing.T, before map[string]any, data []byte) map[string]any {
	t.Helper()
	after := decodeMembers(data)
	if after == nil {
		t.Fatalf("%q is no JSON object", data)
	}
	for name, value := range before {
		if _, has := after[name]; !has && value != nil {
			t.Errorf("%q lacks %q", data, name)
		}
	}
	choices, _ := after["choices"].([]any)
	for _, choice := range choices {
		members, _ := choice.(map[string]any)
		for _, name := range []string{"delta", "message"} {
			content, _ := members[name].(map[string]any)
			for _, inside := range []string{"tool_calls", "reasoning_details", "audio", "images"} {
				if value, has := content[inside]; has && value == nil {
					t.Errorf("%q has null in %q", data, inside)
				}
			}
		}
	}
	return after
}
