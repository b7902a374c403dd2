package bedrock_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/bedrock"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// answer is an answer of Converse around blocks.
func answer(blocks, rest string) string {
	return `{"output":{"message":{"role":"assistant","content":[` + blocks + `]}},"metrics":{"latencyMs":1}` + rest + `}`
}

// one is a response with one choice.
func one(finish neutral.Finish, native string, parts ...neutral.Part) *neutral.Response {
	return &neutral.Response{Choices: []neutral.Choice{{Parts: parts, Finish: finish, Native: native}}}
}

// used puts usage into a response.
func used(r *neutral.Response, u meter.Usage) *neutral.Response {
	r.Usage = &u
	return r
}

func TestReadResponse(t *testing.T) {
	cited := text("It will rain.")
	cited.Citations = []neutral.Citation{
		{Title: "Report", CitedText: "rain is likely", Document: 2},
		{Title: "News", URL: "https://example.com/a", CitedText: "ab", Document: -1},
		{URL: "https://example.com/b", Document: -1},
		{Title: "notes", Document: 0},
	}
	stopped := one(neutral.FinishStopSequence, "stop_sequence", text("a"))
	stopped.Choices[0].StopSequence, stopped.ServiceTier = "END", "flex"
	for name, tc := range map[string]struct {
		body string
		want *neutral.Response
	}{
		"text": {
			body: answer(`{"text":"Grüße"},{"text":""},{"text":"\nb"}`, `,"stopReason":"end_turn","usage":{"inputTokens":10,"outputTokens":5,"totalTokens":15}`),
			want: used(one(neutral.FinishStop, "end_turn", text("Grüße"), text("\nb")), meter.Usage{Prompt: 10, Completion: 5}),
		},
		"cache": {
			body: answer(`{"text":"ok"}`, `,"stopReason":"max_tokens","usage":{"inputTokens":16,"outputTokens":9,"totalTokens":2532,"cacheReadInputTokens":120,"cacheWriteInputTokens":2387,"cacheDetails":[{"inputTokens":2000,"ttl":"1h"},{"inputTokens":387,"ttl":"5m"}]}`),
			want: used(one(neutral.FinishLength, "max_tokens", text("ok")), meter.Usage{Prompt: 2523, Cached: 120, CacheWrite: 2387, CacheWrite1h: 2000, Completion: 9}),
		},
		"tools": {
			body: answer(`{"text":"Let me see."},{"toolUse":{"toolUseId":"tooluse_1","name":"get_weather","input":{"city":"Köln"}}},{"toolUse":{"toolUseId":"tooluse_2","name":"ping","input":{}}}`, `,"stopReason":"tool_use"`),
			want: one(neutral.FinishToolCalls, "tool_use", text("Let me see."), call("tooluse_1", "get_weather", `{"city":"Köln"}`), call("tooluse_2", "ping", "{}")),
		},
		"reasoning": {
			body: answer(`{"reasoningContent":{"reasoningText":{"text":"2+2","signature":"c2ln"}}},{"reasoningContent":{"redactedContent":"AAEC"}},{"reasoningContent":{"reasoningText":{"text":"plain"}}},{"text":"4"}`, `,"stopReason":"end_turn"`),
			want: one(neutral.FinishStop, "end_turn", thought(neutral.Thought{Text: "2+2", Signature: "c2ln", Origin: neutral.OriginAnthropic}), thought(neutral.Thought{Encrypted: "AAEC", Origin: neutral.OriginAnthropic}), thought(neutral.Thought{Text: "plain"}), text("4")),
		},
		"citations": {
			body: answer(`{"citationsContent":{"content":[{"text":"It will "},{"text":"rain."}],"citations":[{"title":"Report","sourceContent":[{"text":"rain is likely"}],"location":{"documentPage":{"documentIndex":2,"start":1,"end":2}}},{"title":"News","sourceContent":[{"text":"a"},{"text":"b"}],"location":{"web":{"url":"https://example.com/a","domain":"example.com"}}},{"source":"https://example.com/b","location":{"searchResultLocation":{"searchResultIndex":0}}},{"title":"notes","location":{"documentChar":{"documentIndex":0}}}]}}`, `,"stopReason":"end_turn"`),
			want: one(neutral.FinishStop, "end_turn", cited),
		},
		"structured answer": {
			body: answer(`{"text":"Here it is."},{"toolUse":{"toolUseId":"1","name":"sb_json_output","input":{"rain":true}}}`, `,"stopReason":"tool_use"`),
			want: one(neutral.FinishStop, "tool_use", text(`{"rain":true}`)),
		},
		"structured answer, cut": {
			body: answer(`{"toolUse":{"toolUseId":"1","name":"sb_json_output","input":{}}}`, `,"stopReason":"max_tokens"`),
			want: one(neutral.FinishLength, "max_tokens", text(`{}`)),
		},
		"structured answer and a call": {
			body: answer(`{"toolUse":{"toolUseId":"1","name":"sb_json_output","input":{"rain":true}}},{"toolUse":{"toolUseId":"2","name":"ping","input":{}}},{"toolUse":{"toolUseId":"3","name":"sb_json_output","input":{}}}`, `,"stopReason":"tool_use"`),
			want: one(neutral.FinishToolCalls, "tool_use", call("2", "ping", "{}"), text(`{}`)),
		},
		"stop sequence":    {body: answer(`{"text":"a"}`, `,"stopReason":"stop_sequence","additionalModelResponseFields":{"stop_sequence":"END"},"serviceTier":{"type":"flex"}`), want: stopped},
		"guardrail":        {body: answer(`{"text":"No."}`, `,"stopReason":"guardrail_intervened","trace":{"guardrail":{}}`), want: one(neutral.FinishContentFilter, "guardrail_intervened", text("No."))},
		"content filter":   {body: answer(``, `,"stopReason":"content_filtered"`), want: one(neutral.FinishContentFilter, "content_filtered")},
		"window exceeded":  {body: answer(`{"text":"a"}`, `,"stopReason":"model_context_window_exceeded"`), want: one(neutral.FinishLength, "model_context_window_exceeded", text("a"))},
		"malformed":        {body: answer(`{"text":"a"}`, `,"stopReason":"malformed_tool_use"`), want: one(neutral.FinishError, "malformed_tool_use", text("a"))},
		"refusal":          {body: answer(`{"text":"a"}`, `,"stopReason":"refusal"`), want: one(neutral.FinishRefusal, "refusal", text("a"))},
		"no reason":        {body: answer(`{"text":"a"}`, `,"stopReason":null`), want: one(neutral.FinishStop, "", text("a"))},
		"unknown blocks":   {body: answer(`{"searchResult":{}},{"toolUse":{"toolUseId":"1","name":"nova_grounding","input":{},"type":"server_tool_use"}},{"text":"a"},{}`, `,"stopReason":"end_turn"`), want: one(neutral.FinishStop, "end_turn", text("a"))},
		"odd usage":        {body: answer(`{"text":"a"}`, `,"stopReason":"end_turn","usage":{"inputTokens":-5,"outputTokens":"many"}`), want: used(one(neutral.FinishStop, "end_turn", text("a")), meter.Usage{Estimated: true})},
		"usage above all":  {body: answer(`{"text":"a"}`, `,"stopReason":"end_turn","usage":{"inputTokens":1e300,"outputTokens":2}`), want: used(one(neutral.FinishStop, "end_turn", text("a")), meter.Usage{Completion: 2, Estimated: true})},
		"usage of nothing": {body: answer(`{"text":"a"}`, `,"stopReason":"end_turn","usage":{}`), want: one(neutral.FinishStop, "end_turn", text("a"))},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := bedrock.Converse{}.ReadResponse([]byte(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("response (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadResponseRefuses(t *testing.T) {
	for name, body := range map[string]string{
		"HTML": "<html>", "empty": "", "cut": answer(`{"text":"secret`, "")[:60], "no message": `{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}`, "an error": `{"message":"secret"}`,
		"wrong type": answer(`{"text":7}`, ""), "array": `[]`, "two": answer("", "") + "{}",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := bedrock.Converse{}.ReadResponse([]byte(body))
			var unreadable *dialect.AnswerError
			if got != nil || !errors.As(err, &unreadable) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v, error %v", got, err)
			}
		})
	}
}

func FuzzReadResponse(f *testing.F) {
	f.Add([]byte(answer(`{"text":"a"},{"reasoningContent":{"reasoningText":{"text":"2+2","signature":"s"}}}`, `,"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":2}`)))
	f.Add([]byte(answer(`{"toolUse":{"toolUseId":"1","name":"sb_json_output","input":{"a":[1]}}},{"citationsContent":{"content":[{"text":"x"}],"citations":[{}]}}`, `,"additionalModelResponseFields":{"stop_sequence":null}`)))
	f.Fuzz(func(t *testing.T, body []byte) {
		read, err := bedrock.Converse{}.ReadResponse(body)
		if err != nil {
			return
		}
		for _, part := range read.Choices[0].Parts {
			if part.Kind == neutral.ToolCallPart && part.Call.Arguments != "" && !json.Valid([]byte(part.Call.Arguments)) {
				t.Errorf("arguments %q are no JSON", part.Call.Arguments)
			}
		}
		if u := read.Usage; u != nil && (u.Prompt < u.Cached+u.CacheWrite || u.CacheWrite < u.CacheWrite1h || u.Prompt > meter.MaxTokens || u.Completion < 0) && !u.Estimated {
			t.Errorf("usage %+v", *u)
		}
	})
}
