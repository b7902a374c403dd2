package bedrock

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
)

// The problems of an event. They hold nothing of it.
var (
	errNotEvent  = errors.New("it is not an event of ConverseStream")
	errNoBlock   = errors.New("it goes on with a tool call that did not begin")
	errAfterStop = errors.New("it comes after the end of the message")
)

// NewStreamReader reads one stream, whose events package awsstream made.
func (Converse) NewStreamReader() dialect.StreamReader { return &streamReader{} }

// streamReader is how far a stream was read.
type streamReader struct {
	started, finished bool
	// open tells that a part has begun and not ended: of kind, as the part index of ours, for the block that Bedrock numbers so.
	open  bool
	kind  neutral.PartKind
	index int
	block int64
	// answered tells that a call stood for the structured answer, and called that there were others.
	answered, called bool
}

// Read takes in a frame.
func (s *streamReader) Read(dst []neutral.Event, frame sse.Event) ([]neutral.Event, error) {
	switch string(frame.Name) {
	case "contentBlockDelta":
		return s.delta(dst, frame.Data)
	case "contentBlockStart":
		return s.start(dst, frame.Data)
	case "contentBlockStop":
		return s.stop(dst), nil
	case "messageStart":
		return s.begin(dst), nil
	case "messageStop":
		return s.end(dst, frame.Data)
	case "metadata":
		return s.metadata(dst, frame.Data)
	case "error":
		failure := failureOf(frame.Data)
		return append(dst, neutral.Event{Kind: neutral.EventFailure, Err: &failure}), nil
	}
	return dst, nil
}

// End tells whether the stream was whole: the metadata at its end may be missing, the end of the message may not.
func (s *streamReader) End(dst []neutral.Event) ([]neutral.Event, bool) {
	if !s.finished {
		return dst, false
	}
	return append(dst, neutral.Event{Kind: neutral.EventEnd}), true
}

// begin begins the message.
func (s *streamReader) begin(dst []neutral.Event) []neutral.Event {
	if s.started {
		return dst
	}
	s.started = true
	return append(dst, neutral.Event{Kind: neutral.EventStart})
}

// startPart ends the part before it, if Bedrock did not, and begins another one.
func (s *streamReader) startPart(dst []neutral.Event, block int64, part neutral.Part) []neutral.Event {
	dst = s.stop(s.begin(dst))
	s.open, s.kind, s.block = true, part.Kind, block
	return append(dst, neutral.Event{Kind: neutral.EventPartStart, Index: s.index, Part: part})
}

// stop ends the open part, if there is one.
func (s *streamReader) stop(dst []neutral.Event) []neutral.Event {
	if !s.open {
		return dst
	}
	s.open = false
	s.index++
	return append(dst, neutral.Event{Kind: neutral.EventPartStop, Index: s.index - 1})
}

// wireStart begins a block; only tool calls and blocks of the provider's own tools begin with such an event.
type wireStart struct {
	Block int64 `json:"contentBlockIndex"`
	Start struct {
		ToolUse *struct {
			ID   string `json:"toolUseId"`
			Name string `json:"name"`
			Type string `json:"type"`
		} `json:"toolUse"`
	} `json:"start"`
}

func (s *streamReader) start(dst []neutral.Event, data []byte) ([]neutral.Event, error) {
	var wire wireStart
	if err := s.decode(data, &wire); err != nil {
		return dst, err
	}
	use := wire.Start.ToolUse
	switch {
	case s.finished:
		return dst, &dialect.StreamError{Err: errAfterStop}
	case use == nil:
		return dst, nil
	case use.Name == neutral.OutputTool && !s.answered:
		s.answered = true
		return s.startPart(dst, wire.Block, neutral.Part{Kind: neutral.TextPart}), nil
	case use.Type != "":
		dst = s.stop(dst)
		s.open, s.kind, s.block = false, neutral.OpaquePart, wire.Block
		return dst, nil
	}
	s.called = true
	return s.startPart(dst, wire.Block, neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: use.ID, Name: use.Name}}), nil
}

// delta goes on with a block, and begins those that have no start of their own.
func (s *streamReader) delta(dst []neutral.Event, data []byte) ([]neutral.Event, error) {
	if s.finished {
		return dst, &dialect.StreamError{Err: errAfterStop}
	}
	d, err := readDelta(data)
	if err != nil {
		return dst, &dialect.StreamError{Err: err}
	}
	if d.kind == "" {
		return dst, nil
	}
	if d.kind == neutral.ToolCallPart {
		return s.arguments(dst, d)
	}
	if !s.open || s.block != d.block || s.kind != d.kind {
		dst = s.startPart(dst, d.block, newPart(d.kind))
	}
	return append(dst, neutral.Event{Kind: neutral.EventPartDelta, Index: s.index, Delta: d.delta}), nil
}

// arguments goes on with a tool call, which may stand for the answer's text.
func (s *streamReader) arguments(dst []neutral.Event, d blockDelta) ([]neutral.Event, error) {
	switch {
	case s.block == d.block && s.kind == neutral.OpaquePart:
		return dst, nil
	case !s.open || s.block != d.block || s.kind == neutral.ReasoningPart:
		return dst, &dialect.StreamError{Err: errNoBlock}
	}
	return append(dst, neutral.Event{Kind: neutral.EventPartDelta, Index: s.index, Delta: d.delta}), nil
}

func newPart(kind neutral.PartKind) neutral.Part {
	if kind == neutral.ReasoningPart {
		return neutral.Part{Kind: kind, Thought: &neutral.Thought{}}
	}
	return neutral.Part{Kind: kind}
}

// wireStop ends the message.
type wireStop struct {
	StopReason string          `json:"stopReason"`
	Additional json.RawMessage `json:"additionalModelResponseFields"`
}

func (s *streamReader) end(dst []neutral.Event, data []byte) ([]neutral.Event, error) {
	var wire wireStop
	if err := s.decode(data, &wire); err != nil {
		return dst, err
	}
	if s.finished {
		return dst, &dialect.StreamError{Err: errAfterStop}
	}
	dst = s.stop(s.begin(dst))
	s.finished = true
	reason := finish(wire.StopReason)
	if reason == neutral.FinishToolCalls && s.answered && !s.called {
		reason = neutral.FinishStop
	}
	return append(dst, neutral.Event{Kind: neutral.EventFinish, Finish: reason, Native: wire.StopReason, StopSequence: stopSequence(wire.Additional)}), nil
}

// wireMetadata is the last event of a stream.
type wireMetadata struct {
	Usage       *wireUsage `json:"usage"`
	ServiceTier wireTier   `json:"serviceTier"`
}

func (s *streamReader) metadata(dst []neutral.Event, data []byte) ([]neutral.Event, error) {
	var wire wireMetadata
	if err := s.decode(data, &wire); err != nil {
		return dst, err
	}
	if usage := wire.Usage.normalise(); usage != nil {
		dst = append(s.begin(dst), neutral.Event{Kind: neutral.EventUsage, Usage: *usage, ServiceTier: wire.ServiceTier.Type})
	}
	if s.finished {
		dst = append(dst, neutral.Event{Kind: neutral.EventEnd})
	}
	return dst, nil
}

func (s *streamReader) decode(data []byte, into any) error {
	if !utf8.Valid(data) || json.Unmarshal(data, into) != nil {
		return &dialect.StreamError{Err: errNotEvent}
	}
	return nil
}

// failureOf reads an exception, as package awsstream wrote it.
func failureOf(data []byte) neutral.Error {
	failure := dialect.ParseError(data)
	failure.JSON = false
	if failure.Code == "" {
		return failure
	}
	failure.Type = failure.Code
	switch strings.TrimSuffix(strings.ToLower(failure.Code), "exception") {
	case "validation":
		failure.Status = http.StatusBadRequest
	case "accessdenied", "unrecognizedclient", "expiredtoken":
		failure.Status = http.StatusForbidden
	case "resourcenotfound":
		failure.Status = http.StatusNotFound
	case "throttling", "servicequotaexceeded", "modelnotready":
		failure.Status = http.StatusTooManyRequests
	case "serviceunavailable":
		failure.Status = http.StatusServiceUnavailable
	case "modeltimeout":
		failure.Status = http.StatusGatewayTimeout
	case "modelstreamerror", "modelerror":
		failure.Status = http.StatusBadGateway
	default:
		failure.Status = http.StatusInternalServerError
	}
	return failure
}
