package gemini

import (
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// streamWriter writes the stream of a client: each chunk is a GenerateContentResponse with what is new. Calls are written whole. What only the end of the
// answer tells (why each choice ended, citations, usage) is held back for the last chunk.
type streamWriter struct {
	call    dialect.Exchange
	framing framing
	// model and id of the answer as the upstream told them.
	model, id string
	usage     *meter.Usage
	choices   []*choiceWriter
}

// NewStreamWriter writes one stream.
func (Generate) NewStreamWriter(o dialect.Exchange) dialect.StreamWriter {
	return &streamWriter{call: o, framing: framing{array: o.Array}}
}

// NextSequence tells whether the array was begun.
func (s *streamWriter) NextSequence() int64 { return s.framing.NextSequence() }

// Write appends to dst what the client gets for an event.
func (s *streamWriter) Write(dst []byte, e *neutral.Event) []byte {
	switch e.Kind {
	case neutral.EventStart:
		s.model, s.id = strings.Clone(e.Model), strings.Clone(e.ID)
	case neutral.EventPartStart:
		return s.choice(e.Choice).start(s, dst, &e.Part)
	case neutral.EventPartDelta:
		return s.choice(e.Choice).delta(s, dst, &e.Delta)
	case neutral.EventPartStop:
		return s.choice(e.Choice).stop(s, dst)
	case neutral.EventFinish:
		s.choice(e.Choice).finish = e.Finish
	case neutral.EventUsage:
		usage := e.Usage
		s.usage = &usage
	case neutral.EventEnd:
		return s.framing.end(s.last(dst))
	case neutral.EventPing, neutral.EventFailure:
	}
	return dst
}

// choice is the state of a choice.
func (s *streamWriter) choice(index int) *choiceWriter {
	for _, c := range s.choices {
		if c.index == index {
			return c
		}
	}
	c := &choiceWriter{index: index}
	s.choices = append(s.choices, c)
	return c
}

// begin appends the beginning of a chunk with one part, which comes next.
func (s *streamWriter) begin(dst []byte) []byte {
	return append(s.framing.begin(dst), `{"candidates":[{"content":{"role":"model","parts":[`...)
}

// finish appends the end of a chunk behind its part.
func (s *streamWriter) finish(dst []byte, index int) []byte {
	dst = intMember(append(dst, "]}"...), "index", int64(index))
	dst = appendOrigin(append(dst, "}]"...), s.model, s.id, s.call)
	return s.framing.finish(append(dst, '}'))
}

// last appends the last chunk.
func (s *streamWriter) last(dst []byte) []byte {
	dst = append(s.framing.begin(dst), `{"candidates":[`...)
	for _, c := range s.choices {
		dst = c.last(comma(dst))
	}
	dst = append(dst, ']')
	if s.usage != nil {
		dst = appendUsage(dst, *s.usage)
	}
	return s.framing.finish(append(appendOrigin(dst, s.model, s.id, s.call), '}'))
}
