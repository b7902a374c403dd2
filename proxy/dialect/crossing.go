package dialect

import (
	"bytes"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
)

// NewCrossingStream translates a stream from the upstream's API into the surface's.
func NewCrossingStream(reader StreamReader, writer StreamWriter) Stream {
	return &crossingStream{reader: reader, writer: writer}
}

type crossingStream struct {
	watch
	reader StreamReader
	writer StreamWriter
	events []neutral.Event
	output []byte
}

// Next takes in an event of the upstream.
func (s *crossingStream) Next(frame sse.Event) (Step, error) {
	if len(bytes.TrimSpace(frame.Data)) == 0 {
		return Step{Kind: StepComment}, nil
	}
	events, err := s.reader.Read(s.events[:0], frame)
	s.events = events
	if err != nil {
		return Step{}, err
	}
	s.output = s.output[:0]
	step := Step{Kind: StepComment}
	for i := range events {
		kind := s.see(&events[i])
		if kind == StepFailure {
			return Step{Output: s.output, Kind: StepFailure, Err: events[i].Err}, nil
		}
		s.output = s.writer.Write(s.output, &events[i])
		step.Kind = stronger(step.Kind, kind)
	}
	step.Output = s.output
	return step, nil
}

// End writes what the upstream left out.
func (s *crossingStream) End() ([]byte, bool) {
	events, whole := s.reader.End(s.events[:0])
	s.output = s.output[:0]
	for i := range events {
		s.see(&events[i])
		s.output = s.writer.Write(s.output, &events[i])
	}
	return s.output, whole
}

// NextSequence is the number of the event that comes next.
func (s *crossingStream) NextSequence() int64 { return nextSequence(s.writer) }

// crossingAnswer is an answer that is written anew for the surface.
type crossingAnswer struct {
	read    *neutral.Response
	surface GenerationSurface
	call    Exchange
}

// Failure is the error inside the answer.
func (a *crossingAnswer) Failure() *neutral.Error { return a.read.Err }

// Reported is the usage that the provider reported.
func (a *crossingAnswer) Reported() (meter.Usage, bool) { return reportedIn(a.read) }

// Settle returns the usage to charge.
func (a *crossingAnswer) Settle(promptBytes int64) meter.Usage {
	return settleRead(a.read, promptBytes)
}

// Body is the answer in the surface's API. What was estimated is told as usage, for clients rely on it.
func (a *crossingAnswer) Body(used meter.Usage) []byte {
	written := *a.read
	written.Usage = &used
	return a.surface.AppendResponse(nil, &written, a.call)
}
