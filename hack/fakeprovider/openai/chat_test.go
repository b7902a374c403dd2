package openai

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// TestStreamSaysWhatPlainSays: both forms of one answer carry the same text, finish reason and usage, for every n, limit and stop.
func TestStreamSaysWhatPlainSays(t *testing.T) {
	for name, tc := range map[string]struct {
		extra      string
		wantFinish string
		wantTokens int64
	}{
		"natural end":           {``, "stop", 16},
		"max_tokens":            {`,"max_tokens":5`, "length", 5},
		"max_completion_tokens": {`,"max_completion_tokens":3`, "length", 3},
		"limit not reached":     {`,"max_tokens":16`, "stop", 16},
		"three choices":         {`,"n":3,"max_tokens":4`, "length", 12},
		"json":                  {`,"response_format":{"type":"json_object"}`, "stop", 6},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, nil)
			plain := decodeJSON[chatAnswer](t, r.post("/v1/chat/completions", strings.TrimSuffix(hello, "}")+tc.extra+"}").body)
			streamed := r.post("/v1/chat/completions", strings.TrimSuffix(helloStream, "}")+tc.extra+`,"stream_options":{"include_usage":true}}`)
			parts := chunks(t, streamed.body)
			texts, finishes := spoken(t, parts)
			for _, c := range plain.Choices {
				if want := decodeJSON[string](t, c.Message.Content); texts[c.Index] != want || want == "" {
					t.Errorf("choice %d: streamed %q, plain %q", c.Index, texts[c.Index], want)
				}
				if finish := decodeJSON[string](t, c.FinishReason); finish != tc.wantFinish || finishes[c.Index] != tc.wantFinish {
					t.Errorf("choice %d: finish streamed %q, plain %q, want %q", c.Index, finishes[c.Index], finish, tc.wantFinish)
				}
			}
			last := parts[len(parts)-1]
			if !bytes.Equal(last.Usage, plain.Usage) {
				t.Errorf("usage: streamed %s, plain %s", last.Usage, plain.Usage)
			}
			got := decodeJSON[usageObject](t, plain.Usage)
			if got.CompletionTokens != tc.wantTokens || got.PromptTokens != 9 || got.TotalTokens != 9+tc.wantTokens {
				t.Errorf("usage: got %+v, want 9 prompt and %d completion tokens", got, tc.wantTokens)
			}
		})
	}
}

// Forms of the usage field.
const absent, nothing, object = "absent", "null", "object"

func formOf(usage []byte) string {
	switch string(usage) {
	case "":
		return absent
	case "null":
		return nothing
	default:
		return object
	}
}

func TestUsageInStreams(t *testing.T) {
	for name, tc := range map[string]struct {
		path        string
		asked       bool
		report      core.UsageReport
		wantChunks  string // usage in every chunk with choices
		wantLast    string // usage in the chunk without choices; absent when there is none
		wantXGroq   bool
		wantRecords bool
	}{
		"openai, asked":         {"/v1", true, core.UsageFaithful, nothing, object, false, true},
		"openai, not asked":     {"/v1", false, core.UsageFaithful, absent, absent, false, false},
		"openai, never":         {"/v1", true, core.UsageNever, absent, absent, false, false},
		"groq, asked":           {"/openai/v1", true, core.UsageFaithful, absent, object, true, true},
		"groq, not asked":       {"/openai/v1", false, core.UsageFaithful, absent, absent, true, true},
		"groq, never":           {"/openai/v1", false, core.UsageNever, absent, absent, false, false},
		"openrouter, not asked": {"/api/v1", false, core.UsageFaithful, absent, object, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, func(s *core.Settings) { s.UsageReport = tc.report })
			body := helloStream
			if tc.asked {
				body = strings.TrimSuffix(body, "}") + `,"stream_options":{"include_usage":true}}`
			}
			last, xGroq := absent, false
			for _, part := range chunks(t, r.post(tc.path+"/chat/completions", body).body) {
				form := formOf(part.Usage)
				xGroq = xGroq || (part.XGroq != nil && part.XGroq.Usage != nil)
				if len(part.Choices) == 0 {
					last = form
				} else if form != tc.wantChunks {
					t.Errorf("usage in a chunk: got %s, want %s", form, tc.wantChunks)
				}
			}
			if last != tc.wantLast || xGroq != tc.wantXGroq {
				t.Errorf("got last %s and x_groq %v, want %s and %v", last, xGroq, tc.wantLast, tc.wantXGroq)
			}
			record := r.ended(1)
			if (record.Reported != nil) != tc.wantRecords {
				t.Errorf("recorded as reported: got %v, want %v", record.Reported, tc.wantRecords)
			}
			if want := (core.Usage{PromptTokens: 9, CompletionTokens: 16}); record.Billed != want {
				t.Errorf("billed: got %+v, want %+v", record.Billed, want)
			}
		})
	}
}

func TestToolCalls(t *testing.T) {
	const tools = `,"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"},` +
		`"unit":{"enum":["C","F"]},"tags":{"type":"array","items":{"type":"boolean"}}}}}},{"type":"function","function":{"name":"time"}}]`
	const arguments = `{"city":"junction","days":7,"tags":[true],"unit":"C"}`
	for name, tc := range map[string]struct {
		extra      string
		wantCalls  []functionCall
		wantFinish string
	}{
		"automatic":       {tools, []functionCall{{"weather", arguments}, {"time", "{}"}}, "tool_calls"},
		"one at a time":   {tools + `,"parallel_tool_calls":false`, []functionCall{{"weather", arguments}}, "tool_calls"},
		"named":           {tools + `,"tool_choice":{"type":"function","function":{"name":"time"}}`, []functionCall{{"time", "{}"}}, "stop"},
		"none":            {tools + `,"tool_choice":"none"`, nil, "stop"},
		"no tools at all": {``, nil, "stop"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, func(s *core.Settings) { s.ToolCalls = 2 })
			plain := decodeJSON[chatAnswer](t, r.post("/v1/chat/completions", strings.TrimSuffix(hello, "}")+tc.extra+"}").body)
			var got []functionCall
			for _, call := range plain.Choices[0].Message.ToolCalls {
				got = append(got, call.Function)
			}
			if !reflect.DeepEqual(got, tc.wantCalls) {
				t.Errorf("plain: got %+v, want %+v", got, tc.wantCalls)
			}
			if hasText := string(plain.Choices[0].Message.Content) != "null"; hasText == (tc.wantCalls != nil) {
				t.Errorf("plain: content is %s", plain.Choices[0].Message.Content)
			}
			parts := chunks(t, r.post("/v1/chat/completions", strings.TrimSuffix(helloStream, "}")+tc.extra+"}").body)
			if streamed := joinCalls(t, parts); !reflect.DeepEqual(streamed, tc.wantCalls) {
				t.Errorf("streamed: got %+v, want %+v", streamed, tc.wantCalls)
			}
			if _, finishes := spoken(t, parts); finishes[0] != tc.wantFinish {
				t.Errorf("finish: got %q, want %q", finishes[0], tc.wantFinish)
			}
		})
	}
}

// joinCalls puts streamed tool calls together as an SDK does.
func joinCalls(t *testing.T, parts []chatAnswer) []functionCall {
	t.Helper()
	var calls []functionCall
	for _, part := range parts {
		for _, c := range part.Choices {
			for _, call := range c.Delta.ToolCalls {
				if *call.Index == len(calls) {
					if call.ID == "" || call.Type != "function" {
						t.Errorf("first part of a call without id or type: %+v", call)
					}
					calls = append(calls, functionCall{})
				}
				calls[*call.Index].Name += call.Function.Name
				calls[*call.Index].Arguments += call.Function.Arguments
			}
		}
	}
	return calls
}

// TestToolAnswerEndsTheLoop: after a tool's result the answer is text, or an agent would never stop.
func TestToolAnswerEndsTheLoop(t *testing.T) {
	r := start(t, nil)
	body := `{"model":"gpt-4o","tools":[{"type":"function","function":{"name":"time"}}],"messages":[{"role":"user","content":"x"},` +
		`{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"time","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":"12:00"}]}`
	answer := decodeJSON[chatAnswer](t, r.post("/v1/chat/completions", body).body)
	if calls := answer.Choices[0].Message.ToolCalls; len(calls) != 0 {
		t.Errorf("called tools again: %+v", calls)
	}
}

func TestTextIsAFunctionOfTheRequest(t *testing.T) {
	r := start(t, nil)
	say := func(body string) string {
		return string(decodeJSON[chatAnswer](t, r.post("/v1/chat/completions", body).body).Choices[0].Message.Content)
	}
	first := say(hello)
	if again := say(hello); again != first {
		t.Errorf("same request: %s, then %s", first, again)
	}
	if other := say(strings.Replace(hello, "there", "world", 1)); other == first {
		t.Errorf("another prompt got the same text %s", other)
	}
}

func TestPace(t *testing.T) {
	for name, body := range map[string]string{"plain": hello, "stream": helloStream} {
		t.Run(name, func(t *testing.T) {
			r := start(t, func(s *core.Settings) {
				s.HeaderDelay, s.FirstTokenDelay, s.TokensPerSecond = core.Duration(100*time.Millisecond), core.Duration(400*time.Millisecond), 4
			})
			before := r.clock.Now()
			r.post("/v1/chat/completions", body)
			if got, want := r.clock.Now().Sub(before), 500*time.Millisecond+4*time.Second; got != want {
				t.Errorf("took %v, want %v", got, want)
			}
		})
	}
}

func TestUsageOverride(t *testing.T) {
	prompt, cached, completion, reasoning := int64(1000), int64(800), int64(77), int64(70)
	r := start(t, func(s *core.Settings) {
		s.Usage = &core.UsageOverride{PromptTokens: &prompt, CachedTokens: &cached, CompletionTokens: &completion, ReasoningTokens: &reasoning, Cost: "0.000123"}
	})
	usage := decodeJSON[usageObject](t, decodeJSON[chatAnswer](t, r.post("/api/v1/chat/completions", hello).body).Usage)
	want := usageObject{
		PromptTokens: 1000, CompletionTokens: 77, TotalTokens: 1077, Cost: "0.000123", CostDetails: json.RawMessage(`{"upstream_inference_cost":null}`),
		PromptTokensDetails: &promptTokensDetails{CachedTokens: 800}, CompletionTokensDetails: &completionTokensDetails{ReasoningTokens: 70},
	}
	if !reflect.DeepEqual(usage, want) {
		t.Errorf("got %+v, want %+v", usage, want)
	}
}

func TestProviderManners(t *testing.T) {
	r := start(t, nil)
	openAIReply := r.post("/v1/chat/completions", hello)
	for _, name := range []string{
		"X-Request-Id", "Openai-Processing-Ms", "X-Ratelimit-Limit-Requests", "X-Ratelimit-Remaining-Requests", "X-Ratelimit-Reset-Requests",
		"X-Ratelimit-Limit-Tokens", "X-Ratelimit-Remaining-Tokens", "X-Ratelimit-Reset-Tokens",
	} {
		if openAIReply.header.Get(name) == "" {
			t.Errorf("no %s header", name)
		}
	}
	if groqAnswer := decodeJSON[chatAnswer](t, r.post("/openai/v1/chat/completions", hello).body); groqAnswer.XGroq == nil || groqAnswer.XGroq.ID == "" {
		t.Error("groq: no x_groq")
	}
	router := r.post("/api/v1/chat/completions", helloStream)
	if !bytes.HasPrefix(router.body, []byte(": OPENROUTER PROCESSING\n\n")) {
		t.Errorf("openrouter: stream begins with %q", router.body[:40])
	}
	if !strings.HasPrefix(chunks(t, router.body)[0].ID, "gen-") {
		t.Error("openrouter: id does not begin with gen-")
	}
	missing, err := r.call(http.MethodGet, "/api/v1/models", "", "Authorization", "")
	if err != nil || missing.status != http.StatusOK {
		t.Errorf("openrouter: model list without key: %d, %v", missing.status, err)
	}
	for _, member := range []string{`"modality":"text+image+file->text"`, `"input_modalities":["text","image","file"]`, `"output_modalities":["text"]`, `"instruct_type":null`, `"structured_outputs"`, `"tools"`} {
		if !bytes.Contains(missing.body, []byte(member)) {
			t.Errorf("openrouter: no %s in the model list %s", member, missing.body)
		}
	}
}
