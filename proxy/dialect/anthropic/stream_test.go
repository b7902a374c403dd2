package anthropic_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/anthropic"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
)

// data is a stream of events without names, as AWS frames them.
func data(events ...string) string {
	var stream strings.Builder
	for _, e := range events {
		stream.WriteString("data: " + e + "\n\n")
	}
	return stream.String()
}

func partStart(index int, part neutral.Part) neutral.Event {
	return neutral.Event{Kind: neutral.EventPartStart, Index: index, Part: part}
}

func partDelta(index int, d neutral.Delta) neutral.Event {
	return neutral.Event{Kind: neutral.EventPartDelta, Index: index, Delta: d}
}

func partStop(index int) neutral.Event {
	return neutral.Event{Kind: neutral.EventPartStop, Index: index}
}

func finish(reason neutral.Finish, native string) neutral.Event {
	return neutral.Event{Kind: neutral.EventFinish, Finish: reason, Native: native}
}

func used(u meter.Usage) neutral.Event { return neutral.Event{Kind: neutral.EventUsage, Usage: u} }

var (
	textPart    = neutral.Part{Kind: neutral.TextPart}
	thoughtPart = neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{}}
	started     = neutral.Event{Kind: neutral.EventStart}
	ended       = neutral.Event{Kind: neutral.EventEnd}
)

const (
	messageStart = `{"type":"message_start"}`
	textStart    = `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`
	textHello    = `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}`
	blockStop    = `{"type":"content_block_stop","index":0}`
	endTurn      = `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null}}`
	toolUse      = `{"type":"message_delta","delta":{"stop_reason":"tool_use"}}`
	messageStop  = `{"type":"message_stop"}`
)

func TestReadStream(t *testing.T) {
	hello := []neutral.Event{started, partStart(0, textPart), partDelta(0, neutral.Delta{Text: "Hello"}), partStop(0), finish(neutral.FinishStop, "end_turn"), ended}
	callStart := func(name, input string) string {
		return `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"c","name":"` + name + `","input":` + input + `}}`
	}
	callPart := neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: "c", Name: "look"}}
	for name, tc := range map[string]struct {
		stream string
		want   []neutral.Event
	}{
		"least":                {data(messageStart, textStart, textHello, blockStop, endTurn, messageStop), hello},
		"no reason to stop":    {data(messageStart, textStart, textHello, blockStop, `{"type":"message_delta","delta":{"stop_reason":null}}`, messageStop), append(slices.Clone(hello[:4]), finish(neutral.FinishStop, ""), ended)},
		"[DONE] at the end":    {data(messageStart, textStart, textHello, blockStop, endTurn, "[DONE]"), hello},
		"no end":               {data(messageStart, textStart, textHello, blockStop, endTurn), hello},
		"no stops":             {data(messageStart, textStart, textHello, endTurn, messageStop), hello},
		"no starts":            {data(messageStart, textHello, blockStop, endTurn, messageStop), hello},
		"more behind the end":  {data(messageStart, textStart, textHello, blockStop, endTurn, messageStop, textHello, messageStop), hello},
		"unknown things":       {data(messageStart, `{"type":"dream"}`, `{}`, textStart, `{"type":"content_block_delta","delta":{"type":"mood_delta"}}`, `{"type":"content_block_delta","delta":5}`, textHello, blockStop, blockStop, endTurn, endTurn, messageStop), hello},
		"two data lines":       {"data: {\"type\":\ndata: \"message_start\"}\n\n" + data(textStart, textHello, blockStop, endTurn, messageStop), hello},
		"cut":                  {data(messageStart, textStart, textHello), hello[:3]},
		"text in the start":    {data(messageStart, strings.Replace(textStart, `"text":""`, `"text":"Hello"`, 1), blockStop, endTurn, messageStop), hello},
		"escapes":              {data(messageStart, strings.Replace(textHello, "Hello", `\u0048e\u006clo`, 1), endTurn, messageStop), hello},
		"arguments in deltas":  {data(callStart("look", "{}"), `{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":""}}`, `{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{\"a\""}}`, `{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":":1}"}}`, blockStop, toolUse, messageStop), []neutral.Event{partStart(0, callPart), partDelta(0, neutral.Delta{Text: `{"a"`}), partDelta(0, neutral.Delta{Text: `:1}`}), partStop(0), finish(neutral.FinishToolCalls, "tool_use"), ended}},
		"arguments at once":    {data(callStart("look", `{"a":1}`), blockStop, toolUse, messageStop), []neutral.Event{partStart(0, callPart), partDelta(0, neutral.Delta{Text: `{"a":1}`}), partStop(0), finish(neutral.FinishToolCalls, "tool_use"), ended}},
		"no arguments":         {data(callStart("look", `{ }`), blockStop, toolUse, messageStop), []neutral.Event{partStart(0, callPart), partStop(0), finish(neutral.FinishToolCalls, "tool_use"), ended}},
		"structured":           {data(callStart(neutral.OutputTool, "{}"), `{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}`, blockStop, toolUse, messageStop), []neutral.Event{partStart(0, textPart), partDelta(0, neutral.Delta{Text: `{"a":1}`}), partStop(0), finish(neutral.FinishStop, "tool_use"), ended}},
		"structured, empty":    {data(callStart(neutral.OutputTool, "{}"), blockStop, toolUse, messageStop), []neutral.Event{partStart(0, textPart), partDelta(0, neutral.Delta{Text: `{}`}), partStop(0), finish(neutral.FinishStop, "tool_use"), ended}},
		"structured and calls": {data(callStart(neutral.OutputTool, `{"b":2}`), blockStop, callStart("look", "{}"), blockStop, toolUse, messageStop), []neutral.Event{partStart(0, textPart), partDelta(0, neutral.Delta{Text: `{"b":2}`}), partStop(0), partStart(1, callPart), partStop(1), finish(neutral.FinishToolCalls, "tool_use"), ended}},
		"thinking":             {data(`{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`, `{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"t"}}`, `{"type":"content_block_delta","delta":{"type":"signature_delta","signature":""}}`, `{"type":"content_block_delta","delta":{"type":"signature_delta","signature":"s"}}`, blockStop, `{"type":"content_block_start","content_block":{"type":"redacted_thinking","data":"d"}}`, blockStop, endTurn, messageStop), []neutral.Event{partStart(0, thoughtPart), partDelta(0, neutral.Delta{Text: "t"}), partDelta(0, neutral.Delta{Signature: "s", Origin: neutral.OriginAnthropic}), partStop(0), partStart(1, thoughtPart), partDelta(1, neutral.Delta{Encrypted: "d", Origin: neutral.OriginAnthropic}), partStop(1), finish(neutral.FinishStop, "end_turn"), ended}},
		"hosted tool":          {data(`{"type":"content_block_start","content_block":{"type":"server_tool_use","id":"s","name":"n","input":{}}}`, `{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{\"q\":"}}`, `{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"1}"}}`, blockStop, endTurn, messageStop), []neutral.Event{partStart(0, neutral.Part{Kind: neutral.OpaquePart, Source: neutral.Messages, Type: "server_tool_use", Raw: []byte(`{"id":"s","input":{"q":1},"name":"n","type":"server_tool_use"}`)}), partStop(0), finish(neutral.FinishStop, "end_turn"), ended}},
		"refusal":              {data(messageStart, `{"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":{"type":"refusal","explanation":"Because."}}}`, messageStop), []neutral.Event{started, partStart(0, neutral.Part{Kind: neutral.RefusalPart}), partDelta(0, neutral.Delta{Text: "Because."}), partStop(0), finish(neutral.FinishRefusal, "refusal"), ended}},
		"ping":                 {data(`{"type":"ping"}`), []neutral.Event{{Kind: neutral.EventPing}}},
		"error":                {data(`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"}`), []neutral.Event{{Kind: neutral.EventFailure, Err: &neutral.Error{Status: 529, Type: "overloaded_error", Message: "Overloaded", JSON: true}}}},
		"error by its name":    {"event: error\n" + data(`{"message":"gone"}`), []neutral.Event{{Kind: neutral.EventFailure, Err: &neutral.Error{Message: "gone"}}}},
		"cumulative usage": {
			data(`{"type":"message_start","message":{"id":"i","model":"m","usage":{"input_tokens":10,"cache_read_input_tokens":20,"cache_creation_input_tokens":30,"cache_creation":{"ephemeral_1h_input_tokens":5},"output_tokens":1,"service_tier":"standard"}}}`,
				`{"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":9,"input_tokens":null,"output_tokens_details":{"thinking_tokens":4}}}`, messageStop),
			[]neutral.Event{
				{Kind: neutral.EventStart, ID: "i", Model: "m", ServiceTier: "standard"}, used(meter.Usage{Prompt: 60, Cached: 20, CacheWrite: 30, CacheWrite1h: 5, Completion: 1}),
				used(meter.Usage{Prompt: 60, Cached: 20, CacheWrite: 30, CacheWrite1h: 5, Completion: 9, Reasoning: 4}), finish(neutral.FinishLength, "max_tokens"), ended,
			},
		},
	} {
		for way, source := range ways(tc.stream) {
			t.Run(name+", "+way, func(t *testing.T) {
				if diff := cmp.Diff(tc.want, events(t, source)); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestStreamCannotBeRead(t *testing.T) {
	for name, frame := range map[string]string{
		"no JSON": "SECRET", "a list": "[]", "cut": `{"type":"ping"`, "more": `{"type":"ping"} SECRET`, "no UTF-8": "{\"type\":\"\xff\"}", "no text": `{"type":"` + "\x01" + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := anthropic.Messages{}.NewStreamReader().Read(nil, sse.Event{Data: []byte(frame)})
			var stream *dialect.StreamError
			if !errors.As(err, &stream) || strings.Contains(err.Error(), "SECRET") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	for name, tc := range map[string]struct {
		usage string
		want  meter.Usage
	}{
		"cache beside the input": {`{"input_tokens":10,"cache_read_input_tokens":20,"cache_creation_input_tokens":30,"output_tokens":5}`, meter.Usage{Prompt: 60, Cached: 20, CacheWrite: 30, Completion: 5}},
		"lifetimes alone":        {`{"input_tokens":1,"cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":3},"output_tokens":5}`, meter.Usage{Prompt: 6, CacheWrite: 5, CacheWrite1h: 3, Completion: 5}},
		"negative":               {`{"input_tokens":-1,"output_tokens":5}`, meter.Usage{Completion: 5, Estimated: true}},
		"huge":                   {`{"input_tokens":1e99,"output_tokens":5}`, meter.Usage{Prompt: meter.MaxTokens, Completion: 5, Estimated: true}},
		"fraction":               {`{"input_tokens":1.2,"output_tokens":5}`, meter.Usage{Prompt: 2, Completion: 5}},
		"text":                   {`{"input_tokens":"7","output_tokens":5}`, meter.Usage{Completion: 5, Estimated: true}},
		"more thought than said": {`{"output_tokens":5,"output_tokens_details":{"thinking_tokens":6}}`, meter.Usage{Completion: 6, Reasoning: 6, Estimated: true}},
		"several steps":          {`{"input_tokens":5,"output_tokens":5,"iterations":[{"type":"compaction","input_tokens":100,"output_tokens":7},{"type":"message","input_tokens":5,"output_tokens":5,"cache_read_input_tokens":2},7]}`, meter.Usage{Prompt: 107, Cached: 2, Completion: 12}},
		"an advisor's step":      {`{"input_tokens":5,"output_tokens":5,"iterations":[{"type":"message","input_tokens":5,"output_tokens":5},{"type":"advisor_message","input_tokens":8,"output_tokens":9}]}`, meter.Usage{Prompt: 13, Completion: 14, Estimated: true}},
		"many steps":             {`{"iterations":[{"input_tokens":1073741824},{"input_tokens":1073741824}],"input_tokens":1}`, meter.Usage{Prompt: meter.MaxTokens}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := anthropic.Messages{}.ReadResponse([]byte(`{"content":[],"usage":` + tc.usage + `}`))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tc.want, r.Usage); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// crossing takes a stream of another API's events through the writer.
func TestStreamCrosses(t *testing.T) {
	const head = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_x\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"up\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":0,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":0}}}\n\n"
	start := func(index, block string) string {
		return "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":" + index + ",\"content_block\":" + block + "}\n\n"
	}
	delta := func(index, d string) string {
		return "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":" + index + ",\"delta\":" + d + "}\n\n"
	}
	stop := func(index string) string {
		return "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":" + index + "}\n\n"
	}
	tail := func(reason, usage string) string {
		return "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"" + reason + "\",\"stop_sequence\":null},\"usage\":" + usage + "}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	}
	const none = `{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}`
	callPart := neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: "c", Name: "look"}}
	for name, tc := range map[string]struct {
		events []neutral.Event
		want   string
	}{
		"late usage, other choices, parts without anything": {
			[]neutral.Event{
				{Kind: neutral.EventStart, ID: "chatcmpl-1"}, partStart(0, textPart), partStop(0), partStart(1, textPart), partDelta(1, neutral.Delta{Text: "a"}), partDelta(1, neutral.Delta{LogProbs: []byte("{}")}),
				{Kind: neutral.EventPartDelta, Choice: 1, Delta: neutral.Delta{Text: "other"}}, partStop(1), finish(neutral.FinishStop, "stop"), used(meter.Usage{Prompt: 10, Cached: 4, Completion: 3, Reasoning: 2}), ended,
			},
			head + start("0", `{"type":"text","text":""}`) + delta("0", `{"type":"text_delta","text":"a"}`) + stop("0") + tail("end_turn", `{"input_tokens":6,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":3,"output_tokens_details":{"thinking_tokens":2}}`),
		},
		"calls, by a provider that calls it a stop": {
			[]neutral.Event{started, partStart(0, callPart), partStop(0), partStart(1, callPart), partDelta(1, neutral.Delta{Text: `{}`}), partStop(1), finish(neutral.FinishStop, "stop"), ended},
			head + start("0", `{"type":"tool_use","id":"c","name":"look","input":{}}`) + delta("0", `{"type":"input_json_delta","partial_json":""}`) + stop("0") +
				start("1", `{"type":"tool_use","id":"c","name":"look","input":{}}`) + delta("1", `{"type":"input_json_delta","partial_json":"{}"}`) + stop("1") + tail("tool_use", none),
		},
		"a summary in paragraphs, sealed": {
			[]neutral.Event{
				started, partStart(0, neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{ID: "rs_1"}}), partDelta(0, neutral.Delta{Text: "a", Summary: true}), partDelta(0, neutral.Delta{Text: "b", Summary: true}),
				partDelta(0, neutral.Delta{Text: "c", Summary: true, SummaryIndex: 1}), partDelta(0, neutral.Delta{Encrypted: "enc", Origin: neutral.OriginOpenAI}), partStop(0), finish(neutral.FinishStop, ""), ended,
			},
			head + start("0", `{"type":"thinking","thinking":"","signature":""}`) + delta("0", `{"type":"thinking_delta","thinking":"a"}`) + delta("0", `{"type":"thinking_delta","thinking":"b"}`) + delta("0", `{"type":"thinking_delta","thinking":"\n\nc"}`) +
				delta("0", `{"type":"signature_delta","signature":"sb1:openai-responses-v1:#rs_1#enc"}`) + stop("0") + tail("end_turn", none),
		},
		"seals without thinking": {
			[]neutral.Event{
				started, partStart(0, thoughtPart), partStop(0), partStart(1, thoughtPart), partDelta(1, neutral.Delta{Encrypted: "g", Origin: neutral.OriginGemini}), partStop(1),
				partStart(2, neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{ID: "rs_1", Encrypted: "e", Origin: neutral.OriginAzure}}), partStop(2), finish(neutral.FinishLength, ""), ended,
			},
			head + start("0", `{"type":"redacted_thinking","data":"sb1:google-gemini-v1:g"}`) + stop("0") + start("1", `{"type":"redacted_thinking","data":"sb1:azure-openai-responses-v1:#rs_1#e"}`) + stop("1") + tail("max_tokens", none),
		},
		"thinking without a seal": {
			[]neutral.Event{started, partStart(0, neutral.Part{Kind: neutral.ReasoningPart}), partDelta(0, neutral.Delta{Text: "t"}), partStop(0), finish(neutral.FinishError, ""), ended},
			head + start("0", `{"type":"thinking","thinking":"","signature":""}`) + delta("0", `{"type":"thinking_delta","thinking":"t"}`) + stop("0") + tail("max_tokens", none),
		},
		"a citation from the web, one of a document": {
			[]neutral.Event{started, partStart(0, textPart), partDelta(0, neutral.Delta{Text: "a"}), partDelta(0, neutral.Delta{Citation: &neutral.Citation{URL: "https://a.example", Title: "T", CitedText: "c"}}), partDelta(0, neutral.Delta{Citation: &neutral.Citation{Document: 1}}), partStop(0), finish(neutral.FinishContentFilter, ""), ended},
			head + start("0", `{"type":"text","text":""}`) + delta("0", `{"type":"text_delta","text":"a"}`) + delta("0", `{"type":"citations_delta","citation":{"type":"web_search_result_location","cited_text":"c","url":"https://a.example","title":"T","encrypted_index":""}}`) + stop("0") +
				strings.Replace(tail("refusal", none), `"stop_sequence":null}`, `"stop_sequence":null,"stop_details":{"type":"refusal","category":null,"explanation":null}}`, 1),
		},
		"a refusal, an image that has no place, an opaque part of another API": {
			[]neutral.Event{
				started, partStart(0, neutral.Part{Kind: neutral.RefusalPart}), partDelta(0, neutral.Delta{Text: "No."}), partStop(0), partStart(1, media(neutral.ImagePart, neutral.Media{Data: "x"})), partStop(1),
				partStart(2, neutral.Part{Kind: neutral.OpaquePart, Source: neutral.Responses, Raw: []byte("{}")}), partStop(2), finish(neutral.FinishRefusal, ""), {Kind: neutral.EventFailure, Err: &neutral.Error{}},
			},
			head + start("0", `{"type":"text","text":""}`) + delta("0", `{"type":"text_delta","text":"No."}`) + stop("0"),
		},
		"JSON over several lines": {
			[]neutral.Event{started, partStart(0, neutral.Part{Kind: neutral.OpaquePart, Source: neutral.Messages, Raw: []byte("{\r\n\"type\":\n\"x\"}")}), partStop(0), finish(neutral.FinishPause, ""), ended},
			head + start("0", `{  "type": "x"}`) + stop("0") + tail("pause_turn", none),
		},
		"nothing at all": {[]neutral.Event{ended}, head + tail("end_turn", none)},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, written(tc.events, dialect.Exchange{ID: "x", UpstreamModel: "up"})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A stream that crosses to a surface of the same API in between is read again as the same events.
func TestSealsComeBack(t *testing.T) {
	for name, want := range map[string]neutral.Thought{
		"own signature":           {Text: "t", Signature: "s", Origin: neutral.OriginAnthropic},
		"own cipher":              {Encrypted: "e", Origin: neutral.OriginAnthropic},
		"signature alone":         {Signature: "s", Origin: neutral.OriginAnthropic},
		"signature of another":    {Text: "t", Signature: "s:x", Origin: neutral.OriginGemini},
		"cipher with text and id": {ID: "rs_1", Text: "t", Encrypted: "e#", Origin: neutral.OriginOpenAI},
		"cipher with text":        {Text: "t", Encrypted: "e", Origin: neutral.OriginXAI},
		"cipher with id":          {ID: "rs_1", Encrypted: "e", Origin: neutral.OriginOpenAI},
		"cipher alone":            {Encrypted: "e", Origin: neutral.OriginGemini},
		"no seal":                 {Text: "t"},
	} {
		t.Run(name, func(t *testing.T) {
			answer := anthropic.Messages{}.AppendResponse(nil, &neutral.Response{Choices: []neutral.Choice{{Parts: []neutral.Part{thought(want)}}}}, dialect.Exchange{})
			content := members(t, answer, "content")["content"]
			streamed := collect(t, strings.NewReader(written([]neutral.Event{
				started, partStart(0, neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{ID: want.ID}}), partDelta(0, neutral.Delta{Text: want.Text}),
				partDelta(0, neutral.Delta{Signature: want.Signature, Encrypted: want.Encrypted, Origin: want.Origin}), partStop(0), finish(neutral.FinishStop, ""), ended,
			}, dialect.Exchange{})))
			if diff := cmp.Diff(content, streamed); diff != "" {
				t.Errorf("streamed it is another block: %s", diff)
			}
			body := `{"model":"m","messages":[{"role":"assistant","content":` + string(jsonOf(t, content)) + `}]}`
			if diff := cmp.Diff([]neutral.Part{thought(want)}, readRequest(t, []byte(body)).Messages[0].Parts); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// collect makes the content that a client gathers from a stream with one block of thinking.
func collect(t *testing.T, source io.Reader) any {
	t.Helper()
	block := map[string]any{}
	for reader := sse.NewReader(source, 0); ; {
		frame, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return []any{block}
		}
		if err != nil {
			t.Fatal(err)
		}
		event := members(t, frame.Data, "content_block", "delta", "type")
		switch event["type"] {
		case "content_block_start":
			block, _ = event["content_block"].(map[string]any)
		case "content_block_delta":
			for name, value := range event["delta"].(map[string]any) {
				if piece, ok := value.(string); ok && name != "type" {
					block[name] = block[name].(string) + piece
				}
			}
		}
	}
}
