package gemini_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/gemini"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// written is the stream that a client gets for events.
func written(all []neutral.Event, o dialect.Exchange) []byte {
	writer := gemini.Generate{}.NewStreamWriter(o)
	var out []byte
	for i := range all {
		out = writer.Write(out, &all[i])
	}
	return out
}

// collected is the answer that events tell.
func collected(all []neutral.Event) neutral.Response {
	var r neutral.Response
	for i := range all {
		e := &all[i]
		for len(r.Choices) <= e.Choice {
			r.Choices = append(r.Choices, neutral.Choice{})
		}
		c := &r.Choices[e.Choice]
		switch e.Kind {
		case neutral.EventStart:
			r.ID, r.Model = e.ID, e.Model
		case neutral.EventPartStart:
			part := e.Part
			if part.Kind == neutral.ReasoningPart {
				part.Thought = &neutral.Thought{}
			}
			if part.Call != nil {
				part.Call = &neutral.ToolCall{ID: part.Call.ID, Name: part.Call.Name}
			}
			c.Parts = append(c.Parts, part)
		case neutral.EventPartDelta:
			grow(&c.Parts[len(c.Parts)-1], &e.Delta)
		case neutral.EventFinish:
			c.Finish = e.Finish
		case neutral.EventUsage:
			r.Usage = &e.Usage
		default:
		}
	}
	return r
}

// grow adds a delta to a part.
func grow(p *neutral.Part, d *neutral.Delta) {
	switch p.Kind {
	case neutral.ToolCallPart:
		p.Call.Arguments += d.Text
	case neutral.ReasoningPart:
		p.Thought.Text += d.Text
		p.Thought.Signature += d.Signature
		p.Thought.Encrypted += d.Encrypted
		p.Thought.Origin += d.Origin
	default:
		p.Text += d.Text
		if d.Citation != nil {
			p.Citations = append(p.Citations, *d.Citation)
		}
	}
}

// TestStreamRoundTrip writes what was read of a stream, as events and as an array, and reads it again.
func TestStreamRoundTrip(t *testing.T) {
	for name, stream := range inputs(t, "stream", ".sse") {
		all, whole, err := events(bytes.NewReader(stream))
		if err != nil || !whole {
			continue
		}
		t.Run(name, func(t *testing.T) {
			want := collected(all)
			again, whole, err := events(bytes.NewReader(written(all, dialect.Exchange{Model: want.Model, ID: want.ID})))
			if err != nil || !whole {
				t.Fatalf("reading what was written: whole %v, %v", whole, err)
			}
			if diff := cmp.Diff(want, collected(again), cmpopts.IgnoreFields(meter.Usage{}, "Searches")); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			var array strings.Builder
			for _, element := range elements(t, written(all, dialect.Exchange{Model: want.Model, ID: want.ID, Array: true})) {
				array.WriteString("data: " + string(element) + "\n\n")
			}
			again, whole, err = events(strings.NewReader(array.String()))
			if err != nil || !whole {
				t.Fatalf("reading the array: whole %v, %v", whole, err)
			}
			if diff := cmp.Diff(want, collected(again), cmpopts.IgnoreFields(meter.Usage{}, "Searches")); diff != "" {
				t.Errorf("array (-want +got):\n%s", diff)
			}
		})
	}
}

// elements are the elements of a JSON array.
func elements(t *testing.T, array []byte) []json.RawMessage {
	t.Helper()
	var list []json.RawMessage
	if err := json.Unmarshal(array, &list); err != nil {
		t.Fatalf("%v in %s", err, array)
	}
	return list
}

// crossing are events as readers of other dialects make them.
func crossing() []neutral.Event {
	start := func(index int, p neutral.Part) neutral.Event {
		return neutral.Event{Kind: neutral.EventPartStart, Index: index, Part: p}
	}
	delta := func(index int, d neutral.Delta) neutral.Event {
		return neutral.Event{Kind: neutral.EventPartDelta, Index: index, Delta: d}
	}
	stop := func(index int) neutral.Event { return neutral.Event{Kind: neutral.EventPartStop, Index: index} }
	return []neutral.Event{
		{Kind: neutral.EventStart, Model: "claude"},
		{Kind: neutral.EventPing},
		start(0, neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{}}),
		delta(0, neutral.Delta{Text: "Hm"}), delta(0, neutral.Delta{Text: "ö."}), delta(0, neutral.Delta{Signature: "sig", Origin: neutral.OriginAnthropic}), stop(0),
		start(1, neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{ID: "rs", Encrypted: "secret", Origin: neutral.OriginOpenAI}}),
		delta(1, neutral.Delta{Text: "one", Summary: true}), delta(1, neutral.Delta{Text: "two", Summary: true, SummaryIndex: 1}), stop(1),
		start(2, neutral.Part{Kind: neutral.ReasoningPart}), delta(2, neutral.Delta{Encrypted: "own", Origin: neutral.OriginGemini}), stop(2),
		start(3, neutral.Part{Kind: neutral.TextPart, Text: "Well"}), delta(3, neutral.Delta{Text: ", \"yes\"."}),
		delta(3, neutral.Delta{Citation: &neutral.Citation{URL: "https://a.example", Title: "A", CitedText: "Well", Start: 0, End: 4, Document: -1}}),
		delta(3, neutral.Delta{Citation: &neutral.Citation{Title: "doc", CitedText: "quoted", Document: 0}}), stop(3),
		start(4, neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: "i", Name: "f"}}), delta(4, neutral.Delta{Text: "{\n \"x\""}), delta(4, neutral.Delta{Text: ":\r\n\"ü\"}"}), stop(4),
		start(5, neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: "j", Name: "g"}}), stop(5),
		start(6, neutral.Part{Kind: neutral.OpaquePart, Source: neutral.Messages, Type: "server_tool_use", Raw: json.RawMessage(`{}`)}), stop(6),
		start(7, neutral.Part{Kind: neutral.ImagePart, Media: &neutral.Media{Data: "aQ==", MIME: "image/png"}}), stop(7),
		start(8, neutral.Part{Kind: neutral.RefusalPart}), delta(8, neutral.Delta{Text: "No."}), stop(8),
		{Kind: neutral.EventUsage, Usage: meter.Usage{Prompt: 10}},
		{Kind: neutral.EventUsage, Usage: meter.Usage{Prompt: 10, Cached: 4, Completion: 9, Reasoning: 5}},
		{Kind: neutral.EventFinish, Finish: neutral.FinishToolCalls, Native: "tool_use"},
		{Kind: neutral.EventEnd},
	}
}

func TestWriteStream(t *testing.T) {
	call := dialect.Exchange{Model: "alias", UpstreamModel: "upstream", ID: "call-1"}
	golden(t, "written/crossing.sse", written(crossing(), call))
	call.Array = true
	array := written(crossing(), call)
	elements(t, array)
	golden(t, "written/crossing.json", array)
}

func TestWriteStreamEnds(t *testing.T) {
	chunk := func(content, more string) string {
		return "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[" + content + "]}," + more + "}],\"modelVersion\":\"m\",\"responseId\":\"i\"}\r\n\r\n"
	}
	const empty = `{"text":""}`
	for name, tc := range map[string]struct {
		events []neutral.Event
		want   string
	}{
		"length":  {[]neutral.Event{{Kind: neutral.EventFinish, Finish: neutral.FinishLength}, {Kind: neutral.EventEnd}}, chunk(empty, `"finishReason":"MAX_TOKENS","index":0`)},
		"refused": {[]neutral.Event{{Kind: neutral.EventFinish, Finish: neutral.FinishRefusal}, {Kind: neutral.EventEnd}}, chunk(empty, `"finishReason":"SAFETY","index":0`)},
		"a broken call": {
			[]neutral.Event{
				{Kind: neutral.EventPartStart, Part: callPart("i", "f", "")}, {Kind: neutral.EventPartDelta, Delta: neutral.Delta{Text: `{"x`}}, {Kind: neutral.EventPartStop},
				{Kind: neutral.EventFinish, Finish: neutral.FinishToolCalls}, {Kind: neutral.EventEnd},
			}, chunk(empty, `"finishReason":"MALFORMED_FUNCTION_CALL","index":0`),
		},
		"a seal at the end": {
			[]neutral.Event{
				{Kind: neutral.EventPartStart, Part: thoughtPart(neutral.Thought{})}, {Kind: neutral.EventPartDelta, Delta: neutral.Delta{Encrypted: "s", Origin: neutral.OriginGemini}},
				{Kind: neutral.EventPartStop}, {Kind: neutral.EventFinish, Finish: neutral.FinishStop}, {Kind: neutral.EventEnd},
			}, chunk(`{"text":"","thoughtSignature":"s"}`, `"finishReason":"STOP","index":0`),
		},
		"failure": {[]neutral.Event{{Kind: neutral.EventFailure, Err: &neutral.Error{}}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := written(tc.events, dialect.Exchange{Model: "m", ID: "i"})
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Errorf("stream (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNextSequenceTellsWhetherTheArrayWasBegun(t *testing.T) {
	call := neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: "1", Name: "f"}}
	writer := gemini.Generate{}.NewStreamWriter(dialect.Exchange{Array: true})
	numbered, ok := writer.(dialect.Numbered)
	if !ok {
		t.Fatal("nothing is numbered")
	}
	for i, e := range []neutral.Event{
		{Kind: neutral.EventStart}, {Kind: neutral.EventPartStart, Part: call}, {Kind: neutral.EventPartDelta, Delta: neutral.Delta{Text: "{}"}}, {Kind: neutral.EventPartStop},
	} {
		out := writer.Write(nil, &e)
		want := int64(0)
		if i == 3 { // Calls are written whole.
			want = 1
		}
		if got := numbered.NextSequence(); got != want || (len(out) > 0) != (want == 1) {
			t.Errorf("behind %s: %d, wrote %q", e.Kind, got, out)
		}
	}
}
