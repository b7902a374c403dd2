package anthropic

import (
	"bytes"
	"encoding/json"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
)

// maxHeldInput bounds the input of a hosted tool's call, which is held back until it is whole.
const maxHeldInput = 1 << 20

// NewStreamReader reads one stream.
func (Messages) NewStreamReader() dialect.StreamReader { return &streamReader{} }

// streamReader reads a stream.
type streamReader struct {
	counts counts
	// parts is how many parts there were so far.
	parts int
	block openBlock
	// calls tells that there was a call of a function, output that a call stood for structured output.
	calls, output bool
	// finished and ended tell that the finish and the end were told.
	finished, ended bool
}

// openBlock is the block that has started and not stopped. Blocks do not overlap.
type openBlock struct {
	open bool
	kind neutral.PartKind
	// initial is the input that the block of a call started with, for those who do not send it in deltas.
	initial string
	// args tells that deltas of the input came, and structured that the call's input is the text of the answer.
	args, structured bool
	// raw is an opaque block as it started, held its input so far.
	raw  json.RawMessage
	held []byte
}

// Read appends what a frame means to dst. The error is a *dialect.StreamError.
func (s *streamReader) Read(dst []neutral.Event, e sse.Event) ([]neutral.Event, error) {
	if s.ended {
		return dst, nil
	}
	if string(bytes.TrimSpace(e.Data)) == "[DONE]" { // Some who offer the API end their streams as OpenAI does.
		dst, _ = s.End(dst)
		return dst, nil
	}
	f, err := readFrame(e.Data)
	if err != nil {
		return dst, &dialect.StreamError{Err: err}
	}
	if string(e.Name) == "error" || f.failure.is(e.Data, '{') {
		return append(dst, failureEvent(e.Data)), nil
	}
	return s.readFrame(dst, e.Data, f), nil
}

// readFrame reads a frame by its type. What is unknown means nothing.
func (s *streamReader) readFrame(dst []neutral.Event, data []byte, f frame) []neutral.Event {
	switch string(f.kind.of(data)) {
	case `"content_block_delta"`:
		return s.readDelta(dst, data, f.delta)
	case `"content_block_start"`:
		return s.readBlock(dst, data, f.block)
	case `"content_block_stop"`:
		return s.stop(dst)
	case `"message_start"`:
		return s.readStart(dst, data, f.message)
	case `"message_delta"`:
		return s.readMessageDelta(dst, data, f)
	case `"message_stop"`:
		if !s.finished {
			dst = append(s.stop(dst), neutral.Event{Kind: neutral.EventFinish, Finish: neutral.FinishStop})
		}
		return s.end(dst)
	case `"ping"`:
		return append(dst, neutral.Event{Kind: neutral.EventPing})
	case `"error"`:
		return append(dst, failureEvent(data))
	}
	return dst
}

// End appends what is missing.
func (s *streamReader) End(dst []neutral.Event) ([]neutral.Event, bool) {
	switch {
	case s.ended:
		return dst, true
	case !s.finished:
		return dst, false
	}
	return s.end(dst), true
}

func (s *streamReader) end(dst []neutral.Event) []neutral.Event {
	s.ended = true
	return append(s.stop(dst), neutral.Event{Kind: neutral.EventEnd})
}

// failureEvent is the event of a provider's error.
func failureEvent(data []byte) neutral.Event {
	failure := dialect.ParseError(data)
	failure.Status = errorStatus(failure.Type)
	return neutral.Event{Kind: neutral.EventFailure, Err: &failure}
}

func (s *streamReader) readStart(dst []neutral.Event, data []byte, message span) []neutral.Event {
	start := neutral.Event{Kind: neutral.EventStart}
	if !message.is(data, '{') {
		return append(dst, start)
	}
	walk := jsonscan.WalkObject(data, message.at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		value := span{member.Value, walk.Skip()}
		switch string(member.Name(data)) {
		case "id":
			start.ID = value.text(data)
		case "model":
			start.Model = value.text(data)
		case "usage":
			start.ServiceTier = s.readUsage(data, value)
		}
	}
	return s.tellUsage(append(dst, start))
}

// readUsage takes in a usage object and returns the service tier that it tells.
func (s *streamReader) readUsage(data []byte, usage span) string {
	if !usage.is(data, '{') {
		return ""
	}
	s.counts.read(data, usage.at)
	return memberText(data, usage.at, "service_tier")
}

func (s *streamReader) tellUsage(dst []neutral.Event) []neutral.Event {
	usage, ok := s.counts.usage()
	if !ok {
		return dst
	}
	return append(dst, neutral.Event{Kind: neutral.EventUsage, Usage: usage})
}

// readMessageDelta reads the end of the answer.
func (s *streamReader) readMessageDelta(dst []neutral.Event, data []byte, f frame) []neutral.Event {
	dst = s.stop(dst)
	if f.usage.is(data, '{') {
		s.counts.read(data, f.usage.at)
		dst = s.tellUsage(dst)
	}
	if !f.delta.is(data, '{') {
		return dst
	}
	d := readDelta(data, f.delta.at)
	native := d.stopReason.text(data)
	finish := readFinish(native)
	if finish == "" || s.finished {
		return dst
	}
	if finish == neutral.FinishToolCalls && s.output && !s.calls {
		finish = neutral.FinishStop
	}
	if finish == neutral.FinishRefusal && d.stopDetails.is(data, '{') {
		dst = s.readRefusal(dst, memberText(data, d.stopDetails.at, "explanation"))
	}
	s.finished = true
	return append(dst, neutral.Event{Kind: neutral.EventFinish, Finish: finish, Native: native, StopSequence: d.stopSequence.text(data)})
}

// readRefusal adds the reason of a refusal as a part of its own.
func (s *streamReader) readRefusal(dst []neutral.Event, explanation string) []neutral.Event {
	if explanation == "" {
		return dst
	}
	dst = s.start(dst, neutral.Part{Kind: neutral.RefusalPart})
	return s.stop(append(dst, s.deltaEvent(neutral.Delta{Text: explanation})))
}
