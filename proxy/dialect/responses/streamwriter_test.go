package responses_test

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// stream builds the events of a stream part by part.
type stream struct {
	events []neutral.Event
	parts  int
}

func newStream() *stream {
	return &stream{events: []neutral.Event{{Kind: neutral.EventStart, ID: "up-1", Model: "claude-x", ServiceTier: "standard"}}}
}

// part adds a whole part.
func (s *stream) part(p neutral.Part, deltas ...neutral.Delta) *stream {
	s.events = append(s.events, neutral.Event{Kind: neutral.EventPartStart, Index: s.parts, Part: p})
	for _, delta := range deltas {
		s.events = append(s.events, neutral.Event{Kind: neutral.EventPartDelta, Index: s.parts, Delta: delta})
	}
	s.events = append(s.events, neutral.Event{Kind: neutral.EventPartStop, Index: s.parts})
	s.parts++
	return s
}

// text adds a whole part of a kind that has only text.
func (s *stream) text(kind neutral.PartKind, pieces ...string) *stream {
	deltas := make([]neutral.Delta, 0, len(pieces))
	for _, piece := range pieces {
		deltas = append(deltas, neutral.Delta{Text: piece})
	}
	return s.part(neutral.Part{Kind: kind}, deltas...)
}

func (s *stream) call(id, name string, pieces ...string) *stream {
	deltas := make([]neutral.Delta, 0, len(pieces))
	for _, piece := range pieces {
		deltas = append(deltas, neutral.Delta{Text: piece})
	}
	return s.part(neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: id, Name: name}}, deltas...)
}

// end ends the stream.
func (s *stream) end(finish neutral.Finish) []neutral.Event {
	return append(s.events,
		neutral.Event{Kind: neutral.EventFinish, Finish: finish, Native: "native"},
		neutral.Event{Kind: neutral.EventPing},
		neutral.Event{Kind: neutral.EventUsage, Usage: meter.Usage{Prompt: 20, Cached: 5, CacheWrite: 2, Completion: 9, Reasoning: 4}},
		neutral.Event{Kind: neutral.EventEnd})
}

// exchange is a call that was asked with everything that an answer repeats.
func exchange(t *testing.T) dialect.Exchange {
	t.Helper()
	asked := request(t, `{"model":"chat","instructions":"Be brief.","input":"hi","temperature":0.50,"frequency_penalty":-0.5,"presence_penalty":1,"max_output_tokens":99,"metadata":{"a":"b"},"truncation":"auto","user":"u1",
		"tools":[{"type":"function","name":"weather","parameters":{"type":"object"},"strict":true}],"tool_choice":{"type":"function","name":"weather"},
		"reasoning":{"effort":"high","summary":"auto"},"text":{"verbosity":"low","format":{"type":"json_schema","name":"n","schema":{"type":"object"}}},"stream":true}`)
	return dialect.Exchange{Model: "chat", UpstreamModel: "up", Provider: "Anthropic", Origin: neutral.OriginAnthropic, ID: "c1", Created: 1790000000, Request: asked}
}

func plainExchange() dialect.Exchange {
	return dialect.Exchange{Model: "chat", Provider: "Google", Origin: neutral.OriginGemini, ID: "c2", Created: 1790000000}
}

var citation = neutral.Citation{URL: "https://a.example", Title: "A", Start: 1, End: 3, Document: -1}

func TestStreamWriterGolden(t *testing.T) {
	for name, tc := range map[string]struct {
		call   dialect.Exchange
		events []neutral.Event
	}{
		"text.sse": {exchange(t), newStream().text(neutral.TextPart, "Grüß ", "\"dich\"\n🙂").end(neutral.FinishStop)},
		"tools.sse": {plainExchange(), newStream().
			part(neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Encrypted: "gem", Origin: neutral.OriginGemini}}).
			call("call_a", "weather", `{"city":`, `"Bonn"}`).
			call("call_b", "now").end(neutral.FinishToolCalls)},
		"thinking.sse": {plainExchange(), newStream().
			part(neutral.Part{Kind: neutral.ReasoningPart}, neutral.Delta{Text: "Hmm, "}, neutral.Delta{Text: "ünder."}, neutral.Delta{Signature: "sig==", Origin: neutral.OriginAnthropic}).
			text(neutral.TextPart, "Yes.").text(neutral.TextPart, "No.").end(neutral.FinishLength)},
		"summary.sse": {plainExchange(), newStream().
			part(neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{}}, neutral.Delta{Text: "One", Summary: true}, neutral.Delta{Text: " more", Summary: true},
				neutral.Delta{Text: "Two", Summary: true, SummaryIndex: 1}, neutral.Delta{Encrypted: "enc"}).
			text(neutral.TextPart, "Yes.").end(neutral.FinishContentFilter)},
		"cited.sse": {plainExchange(), newStream().
			part(neutral.Part{Kind: neutral.TextPart}, neutral.Delta{Text: "It", LogProbs: []byte(`{"content":[{"token":"It","logprob":-0.1,"bytes":[73,116],"top_logprobs":[]}]}`)},
				neutral.Delta{Citation: &citation}, neutral.Delta{Citation: &neutral.Citation{FileID: "file-1", Title: "b.pdf", Start: 2, Document: 0}}).
			text(neutral.RefusalPart, "I can", "not.").
			part(neutral.Part{Kind: neutral.ImagePart, Media: &neutral.Media{Data: "aGk=", MIME: "image/png"}}).
			part(neutral.Part{Kind: neutral.OpaquePart, Source: neutral.Messages, Type: "server_tool_use", Raw: []byte(`{}`)}).
			end(neutral.FinishRefusal)},
		"failed.sse": {plainExchange(), newStream().text(neutral.TextPart, "Half").end(neutral.FinishError)},
		"empty.sse":  {plainExchange(), []neutral.Event{{Kind: neutral.EventFinish, Finish: neutral.FinishStop}, {Kind: neutral.EventEnd}}},
	} {
		t.Run(name, func(t *testing.T) {
			golden(t, name, writeStream(t, tc.call, tc.events))
		})
	}
}

// writeStream writes events and checks that their frames are well made: the name is the type, and the sequence numbers have no gaps.
func writeStream(t *testing.T, call dialect.Exchange, events []neutral.Event) []byte {
	t.Helper()
	writer := codec.NewStreamWriter(call)
	var out []byte
	for i := range events {
		out = writer.Write(out, &events[i])
	}
	for i, frame := range strings.SplitAfter(string(out), "\n\n") {
		if frame == "" {
			continue
		}
		name, data, ok := strings.Cut(strings.TrimPrefix(strings.TrimSuffix(frame, "\n\n"), "event: "), "\ndata: ")
		var head struct {
			Type string `json:"type"`
			Seq  int    `json:"sequence_number"`
		}
		if err := json.Unmarshal([]byte(data), &head); err != nil || !ok {
			t.Fatalf("frame %d: %v in %s", i, err, frame)
		}
		if head.Type != name || head.Seq != i || strings.Contains(data, "\n") {
			t.Errorf("frame %d is %s %d, its name %s", i, head.Type, head.Seq, name)
		}
	}
	return out
}

// TestStreamWriterReadsBack reads what was written, and compares it with what it was written from.
func TestStreamWriterReadsBack(t *testing.T) {
	events := newStream().
		part(neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{}}, neutral.Delta{Text: "deep"}, neutral.Delta{Text: "short", Summary: true}).
		text(neutral.TextPart, "a\u2028", "é🙂<&>").text(neutral.RefusalPart, "no").call("c", "f", `{"x":`, `1}`).text(neutral.TextPart, "bye").end(neutral.FinishToolCalls)
	out := writeStream(t, plainExchange(), events)
	got, whole := readStream(t, codec.NewStreamReader(), bytes.NewReader(out))
	if !whole {
		t.Fatal("the stream is not whole")
	}
	if diff := cmp.Diff(flatten(events), flatten(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// flatten joins the deltas of each part.
func flatten(events []neutral.Event) []string {
	var parts []string
	for i := range events {
		e := &events[i]
		switch e.Kind {
		case neutral.EventPartStart:
			name := ""
			if e.Part.Call != nil {
				name = e.Part.Call.ID + " " + e.Part.Call.Name
			}
			parts = append(parts, strconv.Itoa(e.Index)+" "+string(e.Part.Kind)+" "+name+": ")
		case neutral.EventPartDelta:
			parts[len(parts)-1] += flattenDelta(&e.Delta)
		case neutral.EventPartStop:
			parts[len(parts)-1] += "."
		case neutral.EventFinish:
			parts = append(parts, "finish "+string(e.Finish))
		case neutral.EventUsage:
			parts = append(parts, "usage "+strconv.FormatInt(e.Usage.Prompt, 10)+" "+strconv.FormatInt(e.Usage.Completion, 10))
		case neutral.EventFailure:
			parts = append(parts, "failure "+strconv.Itoa(e.Err.Status)+" "+e.Err.Type+" "+e.Err.Code+" "+e.Err.Message)
		case neutral.EventEnd:
			parts = append(parts, "end")
		case neutral.EventStart, neutral.EventPing:
		}
	}
	return parts
}

func flattenDelta(d *neutral.Delta) string {
	switch {
	case d.Summary:
		return "#" + strconv.Itoa(d.SummaryIndex) + d.Text
	case d.Encrypted != "":
		return "sealed " + d.Encrypted + " by " + string(d.Origin)
	case d.Signature != "":
		return "signed " + d.Signature + " by " + string(d.Origin)
	case d.Citation != nil:
		return "cites " + d.Citation.URL + d.Citation.FileID
	}
	return d.Text + string(d.LogProbs)
}

func BenchmarkStreamWriter(b *testing.B) {
	writer := codec.NewStreamWriter(dialect.Exchange{Model: "chat", ID: "c1"})
	start := neutral.Event{Kind: neutral.EventPartStart, Part: neutral.Part{Kind: neutral.TextPart}}
	delta := neutral.Event{Kind: neutral.EventPartDelta, Delta: neutral.Delta{Text: " signal box"}}
	out := writer.Write(nil, &start)
	b.ReportAllocs()
	for b.Loop() {
		out = writer.Write(out[:0], &delta)
	}
}
