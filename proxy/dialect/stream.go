package dialect

import (
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
)

// StepKind says what an event of a stream means for the proxy.
type StepKind int

// The kinds of steps.
const (
	// StepComment is a keep-alive without data.
	StepComment StepKind = iota
	// StepChunk has data, but nothing that counts as the first token: a role, filter results, usage.
	StepChunk
	// StepToken has text, a tool call or a finish_reason.
	StepToken
	// StepDone is the end of the stream, [DONE].
	StepDone
	// StepFailure is an error that the provider reports inside the stream.
	StepFailure
)

// Step is what to do with an event.
type Step struct {
	// Output is what the client gets; empty for nothing. It is valid until the next call of Stream.Next or the event reader. With StepFailure it is what
	// came before the failure.
	Output []byte
	// Kind of the event.
	Kind StepKind
	// Err is the provider's error; nil unless Kind is StepFailure.
	Err *neutral.Error
}

// StreamError tells why an event cannot be passed on: the provider sent something that is not of this dialect, or a part of it.
type StreamError struct {
	// Err is the problem; it holds nothing of the event.
	Err error
}

// Error implements error.
func (e *StreamError) Error() string {
	return "an event of the stream cannot be read: " + e.Err.Error()
}

// Unwrap returns the problem.
func (e *StreamError) Unwrap() error { return e.Err }

// Stream goes over the events of an upstream's stream, says what the client gets of each, and collects what is needed to charge the call.
type Stream interface {
	// Next takes in an event. The error is a *StreamError.
	Next(event sse.Event) (Step, error)
	// End is asked at the end of the body, when there was no StepDone: what the client still gets, and whether the stream was whole without it.
	End() ([]byte, bool)
	// Started tells that the first token was seen: from then on the client is served by this stream alone.
	Started() bool
	// Usage returns the usage that was last reported, normalised; false when there was none.
	Usage() (meter.Usage, bool)
	// Settle returns the usage to charge, as Answer.Settle does. It is meant for streams that were cut, too.
	Settle(promptBytes int64) meter.Usage
}

// Numbered is a Stream, or the reader or writer that it is made of, whose events are numbered (Responses), or are elements of an array (Gemini).
type Numbered interface {
	// NextSequence is the number of the event that comes next.
	NextSequence() int64
}

// nextSequence asks a reader or a writer; 0 where events have no numbers.
func nextSequence(of any) int64 {
	if numbered, ok := of.(Numbered); ok {
		return numbered.NextSequence()
	}
	return 0
}
