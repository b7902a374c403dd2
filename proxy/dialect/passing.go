package dialect

import (
	"bytes"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
)

// Rewriter changes an event of a stream that passes: it returns the bytes that the client gets, raw itself for no change. data is the event's data.
type Rewriter func(event sse.Event) []byte

// NewPassingStream passes a stream on as it is, and watches it through a reader of its API. rewrite may be nil.
func NewPassingStream(reader StreamReader, rewrite Rewriter) Stream {
	return &passingStream{reader: reader, rewrite: rewrite}
}

type passingStream struct {
	watch
	reader  StreamReader
	rewrite Rewriter
	events  []neutral.Event
}

// Next takes in an event.
func (s *passingStream) Next(frame sse.Event) (Step, error) {
	if len(bytes.TrimSpace(frame.Data)) == 0 {
		return Step{Output: frame.Raw, Kind: StepComment}, nil
	}
	events, err := s.reader.Read(s.events[:0], frame)
	s.events = events
	if err != nil {
		return Step{}, err
	}
	step := Step{Kind: StepChunk}
	if len(events) > 0 {
		step.Kind = StepComment
	}
	for i := range events {
		kind := s.see(&events[i])
		if kind == StepFailure {
			return Step{Kind: StepFailure, Err: events[i].Err}, nil
		}
		step.Kind = stronger(step.Kind, kind)
	}
	step.Output = frame.Raw
	if s.rewrite != nil {
		step.Output = s.rewrite(frame)
	}
	return step, nil
}

// End tells whether the stream was whole.
func (s *passingStream) End() ([]byte, bool) {
	_, whole := s.reader.End(s.events[:0])
	return nil, whole
}

// NextSequence is the number of the event that comes next.
func (s *passingStream) NextSequence() int64 { return nextSequence(s.reader) }

// NewPassingAnswer passes an answer on as it is, and watches it through its neutral form. rewrite may be nil; it gets the body and the usage charged.
func NewPassingAnswer(body []byte, read *neutral.Response, rewrite func(body []byte, used meter.Usage) []byte) Answer {
	return &passingAnswer{body: body, read: read, rewrite: rewrite}
}

type passingAnswer struct {
	body    []byte
	read    *neutral.Response
	rewrite func(body []byte, used meter.Usage) []byte
}

// Failure is the error inside the answer.
func (a *passingAnswer) Failure() *neutral.Error { return a.read.Err }

// Reported is the usage that the provider reported.
func (a *passingAnswer) Reported() (meter.Usage, bool) { return reportedIn(a.read) }

// Settle returns the usage to charge.
func (a *passingAnswer) Settle(promptBytes int64) meter.Usage { return settleRead(a.read, promptBytes) }

// Body is what the client gets.
func (a *passingAnswer) Body(used meter.Usage) []byte {
	if a.rewrite == nil {
		return a.body
	}
	return a.rewrite(a.body, used)
}

func reportedIn(r *neutral.Response) (meter.Usage, bool) {
	if r.Usage == nil {
		return meter.Usage{}, false
	}
	return served(*r.Usage, ServedAs(r.ServiceTier)), true
}

// settleRead is the usage to charge for an answer by its neutral form.
func settleRead(r *neutral.Response, promptBytes int64) meter.Usage {
	return served(settle(r.Usage, meter.EstimateUsage(promptBytes, outputBytes(r), 0)), ServedAs(r.ServiceTier))
}

// outputBytes is the size of the text of all choices, reasoning and tool calls included.
func outputBytes(r *neutral.Response) int64 {
	var total int
	for i := range r.Choices {
		for j := range r.Choices[i].Parts {
			total += partBytes(&r.Choices[i].Parts[j])
		}
	}
	return int64(total)
}

func partBytes(p *neutral.Part) int {
	size := len(p.Text) + len(p.Raw)
	if p.Call != nil {
		size += len(p.Call.Name) + len(p.Call.Arguments)
	}
	if p.Thought != nil {
		size += len(p.Thought.Text) + len(p.Thought.Encrypted)
		for _, paragraph := range p.Thought.Summary {
			size += len(paragraph)
		}
	}
	return size
}
