package cohere_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/cohere"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// one is a response with one choice.
func one(finish neutral.Finish, native string, parts ...neutral.Part) *neutral.Response {
	return &neutral.Response{ID: "c1", Choices: []neutral.Choice{{Parts: parts, Finish: finish, Native: native}}}
}

// used puts usage into a response.
func used(r *neutral.Response, u meter.Usage) *neutral.Response {
	r.Usage = &u
	return r
}

func TestReadResponse(t *testing.T) {
	cited := text("Penguins are birds.")
	cited.Citations = []neutral.Citation{
		{Title: "Tall penguins", URL: "https://example.com/p", CitedText: "Penguins", Start: 0, End: 8, Document: 3},
		{Title: "search_1:0", CitedText: "birds", Start: 13, End: 18, Document: -1},
		{CitedText: "", Start: 1, End: 2, Document: -1},
	}
	probable := one(neutral.FinishStop, "COMPLETE", text("Hi ü"))
	probable.Choices[0].LogProbs = json.RawMessage(`{"content":[{"token":"Hi","logprob":-0.25,"bytes":[72,105],"top_logprobs":[]},{"token":" ü","logprob":-0.75,"bytes":[32,195,188],"top_logprobs":[]}]}`)
	failed := one(neutral.FinishError, "ERROR", text("half"))
	failed.Err = &neutral.Error{Status: 502, Type: "ERROR", Message: "the model failed before the end of its answer"}
	for name, tc := range map[string]struct {
		body string
		want *neutral.Response
	}{
		"text": {
			body: `{"id":"c1","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"Grüße"}]},"usage":{"billed_units":{"input_tokens":5,"output_tokens":418},"tokens":{"input_tokens":71.0,"output_tokens":418.0},"cached_tokens":4}}`,
			want: used(one(neutral.FinishStop, "COMPLETE", text("Grüße")), meter.Usage{Prompt: 5, Cached: 4, Completion: 418}),
		},
		"no billed units": {
			body: `{"id":"c1","finish_reason":"MAX_TOKENS","message":{"content":[{"type":"text","text":"a"}]},"usage":{"billed_units":{"search_units":1},"tokens":{"input_tokens":71,"output_tokens":4},"cached_tokens":900}}`,
			want: used(one(neutral.FinishLength, "MAX_TOKENS", text("a")), meter.Usage{Prompt: 71, Cached: 71, Completion: 4, SearchUnits: 1}),
		},
		"thinking": {
			body: `{"id":"c1","finish_reason":"STOP_SEQUENCE","message":{"content":[{"type":"thinking","thinking":"Hmm."},{"type":"text","text":"a"},{"type":"text","text":""}]}}`,
			want: one(neutral.FinishStopSequence, "STOP_SEQUENCE", thought(neutral.Thought{Text: "Hmm."}), text("a")),
		},
		"tools": {
			body: `{"id":"c1","finish_reason":"TOOL_CALL","message":{"tool_plan":"I look.","tool_calls":[{"id":"get_weather_1","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Köln\"}"}},{"id":"ping_2","type":"function","function":{"name":"ping","arguments":""}}]}}`,
			want: one(neutral.FinishToolCalls, "TOOL_CALL", thought(neutral.Thought{Text: "I look."}), call("get_weather_1", "get_weather", `{"city":"Köln"}`), call("ping_2", "ping", "")),
		},
		"citations": {
			body: `{"id":"c1","finish_reason":"COMPLETE","message":{"content":[{"type":"thinking","thinking":"t"},{"type":"text","text":"Penguins are birds."}],"citations":[{"start":0,"end":8,"text":"Penguins","content_index":1,"type":"TEXT_CONTENT","sources":[{"type":"document","id":"document-3","document":{"id":"document-3","title":"Tall penguins","url":"https://example.com/p"}},{"type":"document","id":"document-4"}]},{"start":13,"end":18,"text":"birds","content_index":1,"sources":[{"type":"tool","id":"search_1:0","tool_output":{"title":7,"url":"javascript:x"}}]},{"start":1,"end":2,"content_index":1},{"start":0,"end":1,"text":"t","content_index":0,"type":"THINKING_CONTENT","sources":[]}]}}`,
			want: one(neutral.FinishStop, "COMPLETE", thought(neutral.Thought{Text: "t"}), cited),
		},
		"structured answer": {
			body: `{"id":"c1","finish_reason":"TOOL_CALL","message":{"tool_plan":"I answer.","content":[{"type":"text","text":"Here:"}],"tool_calls":[{"id":"1","function":{"name":"sb_json_output","arguments":"{\"rain\":true}"}},{"id":"2","function":{"name":"sb_json_output","arguments":"{}"}}]}}`,
			want: one(neutral.FinishStop, "TOOL_CALL", thought(neutral.Thought{Text: "I answer."}), text(`{"rain":true}`)),
		},
		"structured answer and a call": {
			body: `{"id":"c1","finish_reason":"TOOL_CALL","message":{"tool_calls":[{"id":"1","function":{"name":"sb_json_output","arguments":"{}"}},{"id":"2","function":{"name":"ping","arguments":"{}"}}]}}`,
			want: one(neutral.FinishToolCalls, "TOOL_CALL", text("{}"), call("2", "ping", "{}")),
		},
		"probabilities": {body: `{"id":"c1","finish_reason":"COMPLETE","message":{"content":[{"type":"text","text":"Hi ü"}]},"logprobs":[{"text":"Hi","token_ids":[1],"logprobs":[-0.25]},{"text":" ü","token_ids":[2,3],"logprobs":[-0.5,-0.25]}]}`, want: probable},
		"failed":        {body: `{"id":"c1","finish_reason":"ERROR","message":{"content":[{"type":"text","text":"half"}]}}`, want: failed},
		"toxic":         {body: `{"id":"c1","finish_reason":"ERROR_TOXIC","message":{}}`, want: one(neutral.FinishContentFilter, "ERROR_TOXIC")},
		"odd usage":     {body: `{"id":"c1","finish_reason":"COMPLETE","message":{},"usage":{"billed_units":{"input_tokens":-1,"output_tokens":"x"}}}`, want: used(one(neutral.FinishStop, "COMPLETE"), meter.Usage{Estimated: true})},
		"empty usage":   {body: `{"id":"c1","finish_reason":"COMPLETE","message":{},"usage":{}}`, want: one(neutral.FinishStop, "COMPLETE")},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := cohere.Chat{}.ReadResponse([]byte(tc.body))
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
		"HTML": "<html>secret", "empty": "", "no message": `{"id":"secret"}`, "an error": `{"message":"secret"}`, "wrong type": `{"message":{"content":"secret"}}`, "array": `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := cohere.Chat{}.ReadResponse([]byte(body))
			var unreadable *dialect.AnswerError
			if got != nil || !errors.As(err, &unreadable) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v, error %v", got, err)
			}
		})
	}
}

func FuzzReadResponse(f *testing.F) {
	f.Add([]byte(`{"id":"c1","finish_reason":"COMPLETE","message":{"content":[{"type":"text","text":"Hi"}],"citations":[{"start":0,"end":1,"sources":[{"type":"document","id":"document-1","document":{"url":"https://a"}}]}]},"usage":{"billed_units":{"input_tokens":1}},"logprobs":[{"text":"Hi","logprobs":[1e308,1e308]}]}`))
	f.Add([]byte(`{"finish_reason":"TOOL_CALL","message":{"tool_plan":"p","tool_calls":[{"id":"1","function":{"name":"sb_json_output","arguments":"{}"}}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		read, err := cohere.Chat{}.ReadResponse(body)
		if err != nil {
			return
		}
		choice := read.Choices[0]
		if choice.LogProbs != nil && !json.Valid(choice.LogProbs) {
			t.Errorf("probabilities %s", choice.LogProbs)
		}
		if u := read.Usage; u != nil && (u.Prompt < u.Cached || u.Cached < 0 || u.Prompt > meter.MaxTokens || u.Completion < 0) {
			t.Errorf("usage %+v", *u)
		}
	})
}
