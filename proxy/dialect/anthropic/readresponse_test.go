package anthropic_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/anthropic"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

func TestReadResponse(t *testing.T) {
	choice := func(c neutral.Choice) *neutral.Response { return &neutral.Response{Choices: []neutral.Choice{c}} }
	for name, tc := range map[string]struct {
		body string
		want *neutral.Response
	}{
		"all": {
			`{"id":"msg_1","type":"message","model":"m","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"stop_reason":"end_turn","stop_sequence":null,"stop_details":null,"usage":{"input_tokens":1,"output_tokens":2,"service_tier":"priority"}}`,
			&neutral.Response{ID: "msg_1", Model: "m", ServiceTier: "priority", Usage: &meter.Usage{Prompt: 1, Completion: 2, Service: "priority"}, Choices: []neutral.Choice{{Parts: []neutral.Part{text("a"), text("b")}, Finish: neutral.FinishStop, Native: "end_turn"}}},
		},
		"no usage":          {`{"content":[],"stop_reason":"compaction"}`, choice(neutral.Choice{Finish: neutral.FinishStop, Native: "compaction"})},
		"empty usage":       {`{"content":[],"usage":{},"stop_reason":"pause_turn"}`, choice(neutral.Choice{Finish: neutral.FinishPause, Native: "pause_turn"})},
		"no reason":         {`{"content":[],"usage":null}`, choice(neutral.Choice{})},
		"refusal":           {`{"content":[{"type":"text","text":"a"}],"stop_reason":"refusal","stop_details":{"type":"refusal","category":"bio","explanation":"Because."}}`, choice(neutral.Choice{Finish: neutral.FinishRefusal, Native: "refusal", Parts: []neutral.Part{text("a"), {Kind: neutral.RefusalPart, Text: "Because."}}})},
		"odd refusal":       {`{"content":[],"stop_reason":"refusal","stop_details":["a"]}`, choice(neutral.Choice{Finish: neutral.FinishRefusal, Native: "refusal"})},
		"structured":        {`{"content":[{"type":"text","text":"Here it is."},{"type":"tool_use","id":"a","name":"` + neutral.OutputTool + `","input":{"a":1}}],"stop_reason":"tool_use"}`, choice(neutral.Choice{Finish: neutral.FinishStop, Native: "tool_use", Parts: []neutral.Part{text(`{"a":1}`)}})},
		"structured, cut":   {`{"content":[{"type":"tool_use","id":"a","name":"` + neutral.OutputTool + `"}],"stop_reason":"max_tokens"}`, choice(neutral.Choice{Finish: neutral.FinishLength, Native: "max_tokens", Parts: []neutral.Part{text(`{}`)}})},
		"structured, calls": {`{"content":[{"type":"tool_use","id":"a","name":"` + neutral.OutputTool + `","input":{}},{"type":"tool_use","id":"c","name":"look","input":{}}],"stop_reason":"tool_use"}`, choice(neutral.Choice{Finish: neutral.FinishToolCalls, Native: "tool_use", Parts: []neutral.Part{text(`{}`), call("c", "{}")}})},
		"error":             {`{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}`, &neutral.Response{Err: &neutral.Error{Status: 429, Type: "rate_limit_error", Message: "slow down", JSON: true}}},
		"error of another":  {`{"error":{"message":"m"}}`, &neutral.Response{Err: &neutral.Error{Message: "m", JSON: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := anthropic.Messages{}.ReadResponse([]byte(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestResponseCannotBeRead(t *testing.T) {
	for name, body := range map[string]string{
		"HTML": "<SECRET>", "empty": "", "cut": `{"content":[{"type":"text","text":"SECRET`, "more": `{"content":[]} SECRET`, "a list": "[]", "no content": `{"id":"SECRET"}`,
		"content as text": `{"content":"SECRET"}`, "block as text": `{"content":["SECRET"]}`, "text as number": `{"content":[{"type":"text","text":1}]}`, "no UTF-8": "{\"content\":[],\"x\":\"\xff\"}",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := anthropic.Messages{}.ReadResponse([]byte(body))
			var answer *dialect.AnswerError
			if !errors.As(err, &answer) || strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), "<") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestResponseCrosses(t *testing.T) {
	const usage = `,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}`
	for name, tc := range map[string]struct {
		choice neutral.Choice
		want   string
	}{
		"texts":                  {neutral.Choice{Parts: []neutral.Part{text("a"), text(""), {Kind: neutral.RefusalPart, Text: "b"}}, Finish: neutral.FinishStop}, `[{"type":"text","text":"a"},{"type":"text","text":"b"}],"stop_reason":"end_turn","stop_sequence":null`},
		"calls":                  {neutral.Choice{Parts: []neutral.Part{call("c", ""), call("functions.look:0", `{"cut`)}, Finish: neutral.FinishStop}, `[{"type":"tool_use","id":"c","name":"look","input":{}},{"type":"tool_use","id":"call_ec0002042636dd8aa1e59e55","name":"look","input":{"arguments":"{\"cut"}}],"stop_reason":"tool_use","stop_sequence":null`},
		"what has no place":      {neutral.Choice{Parts: []neutral.Part{media(neutral.ImagePart, neutral.Media{Data: "x"}), text("a"), {Kind: neutral.OpaquePart, Source: neutral.Responses, Raw: []byte("{}")}, thought(neutral.Thought{})}, Finish: neutral.FinishLength}, `[{"type":"text","text":"a"}],"stop_reason":"max_tokens","stop_sequence":null`},
		"filtered":               {neutral.Choice{Finish: neutral.FinishContentFilter}, `[],"stop_reason":"refusal","stop_sequence":null,"stop_details":{"type":"refusal","category":null,"explanation":null}`},
		"stopped":                {neutral.Choice{Finish: neutral.FinishStopSequence, StopSequence: "E"}, `[],"stop_reason":"stop_sequence","stop_sequence":"E"`},
		"stopped, by an unknown": {neutral.Choice{Finish: neutral.FinishStopSequence}, `[],"stop_reason":"stop_sequence","stop_sequence":null`},
		"failed":                 {neutral.Choice{Finish: neutral.FinishError}, `[],"stop_reason":"max_tokens","stop_sequence":null`},
		"thinking":               {neutral.Choice{Parts: []neutral.Part{thought(neutral.Thought{Summary: []string{"a", "b"}, Encrypted: "e", Origin: neutral.OriginOpenAI}), thought(neutral.Thought{Text: "t"})}, Finish: neutral.FinishPause}, `[{"type":"thinking","thinking":"a\n\nb","signature":"sb1:openai-responses-v1:##e"},{"type":"thinking","thinking":"t","signature":""}],"stop_reason":"pause_turn","stop_sequence":null`},
		"citations":              {neutral.Choice{Parts: []neutral.Part{{Kind: neutral.TextPart, Text: "a", Citations: []neutral.Citation{{Document: 1}, {URL: "u", Title: "t", CitedText: "c"}}}, {Kind: neutral.TextPart, Text: "b", Citations: []neutral.Citation{{Document: 1}}}}, Finish: neutral.FinishStop}, `[{"type":"text","text":"a","citations":[{"type":"web_search_result_location","cited_text":"c","url":"u","title":"t","encrypted_index":""}]},{"type":"text","text":"b"}],"stop_reason":"end_turn","stop_sequence":null`},
	} {
		t.Run(name, func(t *testing.T) {
			r := &neutral.Response{ID: "chatcmpl-1", Choices: []neutral.Choice{tc.choice, {Parts: []neutral.Part{text("second")}}}}
			got := anthropic.Messages{}.AppendResponse(nil, r, dialect.Exchange{ID: "x", UpstreamModel: "up"})
			want := `{"id":"msg_x","type":"message","role":"assistant","model":"up","content":` + tc.want + usage
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := string(anthropic.Messages{}.AppendResponse(nil, &neutral.Response{Model: "m"}, dialect.Exchange{ID: "x"})); !strings.Contains(got, `"model":"m","content":[],"stop_reason":"end_turn"`) {
		t.Errorf("an answer without choices: %s", got)
	}
}
