package cohere

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
)

// The problems of an event. They hold nothing of it.
var (
	errNotEvent = errors.New("it is not an event of Cohere's chat")
	errNoCall   = errors.New("it goes on with a tool call that did not begin")
	errAfterEnd = errors.New("it comes after the end of the message")
)

// NewStreamReader reads one stream.
func (Chat) NewStreamReader() dialect.StreamReader { return &streamReader{} }

// streamReader is how far a stream was read.
type streamReader struct {
	started, finished bool
	// open tells that a part of kind, and of index, has begun. A text stays open behind its end until something else begins, for its citations may follow.
	open  bool
	kind  neutral.PartKind
	index int
	// answered tells that a call stood for the structured answer, answering that it goes on, and called that there were others.
	answered, answering, called bool
}

// Read takes in a frame.
func (s *streamReader) Read(dst []neutral.Event, frame sse.Event) ([]neutral.Event, error) {
	data := bytes.TrimSpace(frame.Data)
	if string(data) == "[DONE]" {
		return dst, nil
	}
	end, err := jsonscan.Value(data, 0)
	if err != nil || end != len(data) || !utf8.Valid(data) {
		return dst, &dialect.StreamError{Err: errNotEvent}
	}
	if s.finished {
		return dst, &dialect.StreamError{Err: errAfterEnd}
	}
	name := textOf(data, "type")
	if name == "" || name == "error" {
		return untyped(dst, data), nil
	}
	return s.typed(dst, name, data)
}

// untyped takes in what is no event of an answer: an error, as Cohere has it without a stream.
func untyped(dst []neutral.Event, data []byte) []neutral.Event {
	failure := dialect.ParseError(data)
	if failure.Message == "" {
		return dst
	}
	return append(dst, neutral.Event{Kind: neutral.EventFailure, Err: &failure})
}

// typed takes in an event.
func (s *streamReader) typed(dst []neutral.Event, name string, data []byte) ([]neutral.Event, error) {
	message := jsonscan.Lookup(data, "delta", "message")
	switch name {
	case "content-delta", "content-start":
		return s.content(dst, message, data), nil
	case "tool-plan-delta":
		return s.add(dst, neutral.ReasoningPart, textOf(message, "tool_plan"), nil), nil
	case "tool-call-start":
		return s.call(dst, message)
	case "tool-call-delta":
		return s.arguments(dst, textOf(message, "tool_calls", "function", "arguments"))
	case "citation-start":
		return s.cite(dst, jsonscan.Lookup(message, "citations")), nil
	case "content-end":
		if s.kind != neutral.TextPart {
			dst = s.stop(dst)
		}
	case "tool-call-end":
		return s.stop(dst), nil
	case "message-start":
		return s.begin(dst, textOf(data, "id")), nil
	case "message-end":
		return s.end(dst, jsonscan.Lookup(data, "delta"))
	}
	return dst, nil
}

// End tells whether the stream was whole: without the end of the message it was cut.
func (s *streamReader) End(dst []neutral.Event) ([]neutral.Event, bool) { return dst, s.finished }

// textOf reads a string at a path; "" when there is none.
func textOf(data []byte, path ...string) string {
	raw := jsonscan.Lookup(data, path...)
	if len(raw) == 0 || raw[0] != '"' {
		return ""
	}
	text, _ := jsonscan.Unquote(make([]byte, 0, len(raw)), raw)
	return string(text)
}

// begin begins the message.
func (s *streamReader) begin(dst []neutral.Event, id string) []neutral.Event {
	if s.started {
		return dst
	}
	s.started = true
	return append(dst, neutral.Event{Kind: neutral.EventStart, ID: id})
}

// startPart ends the part before it and begins another one.
func (s *streamReader) startPart(dst []neutral.Event, part neutral.Part) []neutral.Event {
	dst = s.stop(s.begin(dst, ""))
	s.open, s.kind = true, part.Kind
	return append(dst, neutral.Event{Kind: neutral.EventPartStart, Index: s.index, Part: part})
}

// stop ends the open part, if there is one.
func (s *streamReader) stop(dst []neutral.Event) []neutral.Event {
	s.answering = false
	if !s.open {
		return dst
	}
	s.open = false
	s.index++
	return append(dst, neutral.Event{Kind: neutral.EventPartStop, Index: s.index - 1})
}

// add goes on with the open part of a kind, or begins one. An empty text begins none.
func (s *streamReader) add(dst []neutral.Event, kind neutral.PartKind, text string, probabilities []byte) []neutral.Event {
	if text == "" && probabilities == nil {
		return dst
	}
	if !s.open || s.kind != kind || s.answering {
		part := neutral.Part{Kind: kind}
		if kind == neutral.ReasoningPart {
			part.Thought = &neutral.Thought{}
		}
		dst = s.startPart(dst, part)
	}
	return append(dst, neutral.Event{Kind: neutral.EventPartDelta, Index: s.index, Delta: neutral.Delta{Text: text, LogProbs: probabilities}})
}

// content takes in a piece of text or of thinking.
func (s *streamReader) content(dst []neutral.Event, message, data []byte) []neutral.Event {
	content := jsonscan.Lookup(message, "content")
	if thinking := textOf(content, "thinking"); thinking != "" {
		dst = s.add(dst, neutral.ReasoningPart, thinking, nil)
	}
	var probabilities []byte
	if raw := jsonscan.Lookup(data, "logprobs"); raw != nil && raw[0] == '{' {
		var piece wireLogProb
		if json.Unmarshal(raw, &piece) == nil {
			probabilities = logProbs([]wireLogProb{piece})
		}
	}
	return s.add(dst, neutral.TextPart, textOf(content, "text"), probabilities)
}

// call begins a tool call, or the structured answer that it stands for.
func (s *streamReader) call(dst []neutral.Event, message []byte) ([]neutral.Event, error) {
	raw := jsonscan.Lookup(message, "tool_calls")
	var wire wireCall
	if raw == nil || json.Unmarshal(raw, &wire) != nil {
		return dst, &dialect.StreamError{Err: errNotEvent}
	}
	if wire.Function.Name == neutral.OutputTool && !s.answered {
		dst = s.startPart(dst, neutral.Part{Kind: neutral.TextPart})
		s.answered, s.answering = true, true
	} else {
		s.called = true
		dst = s.startPart(dst, neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: wire.ID, Name: wire.Function.Name}})
	}
	if wire.Function.Arguments == "" {
		return dst, nil
	}
	return s.arguments(dst, wire.Function.Arguments)
}

// arguments goes on with a tool call.
func (s *streamReader) arguments(dst []neutral.Event, text string) ([]neutral.Event, error) {
	if !s.open || s.kind != neutral.ToolCallPart && !s.answering {
		return dst, &dialect.StreamError{Err: errNoCall}
	}
	if text == "" {
		return dst, nil
	}
	return append(dst, neutral.Event{Kind: neutral.EventPartDelta, Index: s.index, Delta: neutral.Delta{Text: text}}), nil
}

// cite adds a citation to the open text. Those of thinking and plans have no place, and one that cannot be read is no reason to lose the answer.
func (s *streamReader) cite(dst []neutral.Event, raw []byte) []neutral.Event {
	var wire wireCitation
	if raw == nil || json.Unmarshal(raw, &wire) != nil || !wire.inText() || !s.open || s.kind != neutral.TextPart || s.answering {
		return dst
	}
	citation := wire.neutral()
	return append(dst, neutral.Event{Kind: neutral.EventPartDelta, Index: s.index, Delta: neutral.Delta{Citation: &citation}})
}

// wireEnd ends a message.
type wireEnd struct {
	Finish string     `json:"finish_reason"`
	Error  string     `json:"error"`
	Usage  *wireUsage `json:"usage"`
}

func (s *streamReader) end(dst []neutral.Event, delta []byte) ([]neutral.Event, error) {
	var wire wireEnd
	if delta == nil || json.Unmarshal(delta, &wire) != nil {
		return dst, &dialect.StreamError{Err: errNotEvent}
	}
	dst = s.begin(dst, "")
	reason := finish(wire.Finish)
	failed := reason == neutral.FinishError || wire.Error != ""
	if !failed { // A part in whose middle the answer fails does not end.
		dst = s.stop(dst)
	}
	if usage := wire.Usage.normalise(); usage != nil {
		dst = append(dst, neutral.Event{Kind: neutral.EventUsage, Usage: *usage})
	}
	if failed {
		failure := dialect.ParseError([]byte(wire.Error))
		failure.Foreign = false // The text stands in an event of the API.
		failure.Status, failure.Type, failure.JSON = http.StatusBadGateway, wire.Finish, false
		if failure.Message == "" {
			failure.Message = errFailed
		}
		return append(dst, neutral.Event{Kind: neutral.EventFailure, Err: &failure}), nil
	}
	if reason == neutral.FinishToolCalls && s.answered && !s.called {
		reason = neutral.FinishStop
	}
	s.finished = true
	return append(dst, neutral.Event{Kind: neutral.EventFinish, Finish: reason, Native: wire.Finish}, neutral.Event{Kind: neutral.EventEnd}), nil
}
