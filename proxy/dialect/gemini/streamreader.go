package gemini

import (
	"bytes"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
)

// streamReader reads the stream of an upstream: each event is a GenerateContentResponse with what is new.
type streamReader struct {
	chunk   answer
	choices []*choiceReader
	ended   bool
	// usage is what was told, once that was.
	usage meter.Usage
	told  bool
	// model that answers, and searches that it made so far.
	model    string
	searches int64
}

// NewStreamReader reads one stream.
func (Generate) NewStreamReader() dialect.StreamReader { return &streamReader{} }

// Read appends what a chunk means to dst.
func (s *streamReader) Read(dst []neutral.Event, frame sse.Event) ([]neutral.Event, error) {
	data := bytes.TrimSpace(frame.Data)
	if s.ended || len(data) == 0 {
		return dst, nil
	}
	if err := s.chunk.read(data); err != nil {
		return dst, &dialect.StreamError{Err: err}
	}
	if s.chunk.failure {
		s.ended = true
		return append(dst, neutral.Event{Kind: neutral.EventFailure, Err: failureIn(data)}), nil
	}
	dst = s.start(dst)
	for i := range s.chunk.candidates {
		c := &s.chunk.candidates[i]
		var err error
		if dst, err = s.choice(c.index).read(dst, c); err != nil {
			return dst, &dialect.StreamError{Err: err}
		}
	}
	if s.chunk.blocked != "" && len(s.chunk.candidates) == 0 {
		dst = s.choice(0).finish(dst, s.chunk.blocked, neutral.FinishContentFilter)
	}
	return s.tellUsage(dst), nil
}

// start begins the stream with its first chunk.
func (s *streamReader) start(dst []neutral.Event) []neutral.Event {
	if s.chunk.named {
		return dst
	}
	s.chunk.named, s.model = true, s.chunk.model
	return append(dst, neutral.Event{Kind: neutral.EventStart, ID: s.chunk.id, Model: s.chunk.model, Created: s.chunk.created})
}

// tellUsage tells the usage of a chunk, where it is not what was told already.
func (s *streamReader) tellUsage(dst []neutral.Event) []neutral.Event {
	usage, ok := s.chunk.counts.usage()
	s.searches = max(s.searches, searchesIn(s.chunk.candidates, s.model))
	usage.Searches = s.searches
	if !ok || s.told && usage == s.usage && !s.hasText() {
		return dst
	}
	s.usage, s.told = usage, true
	return append(dst, neutral.Event{Kind: neutral.EventUsage, Usage: usage, ServiceTier: s.chunk.counts.serviceTier()})
}

// hasText tells whether the chunk has parts, whose tokens its usage counts.
func (s *streamReader) hasText() bool {
	for i := range s.chunk.candidates {
		if len(s.chunk.candidates[i].parts) > 0 {
			return true
		}
	}
	return false
}

// choice is the state of the candidate with this index, which the chunk's reader has bounded.
func (s *streamReader) choice(index int) *choiceReader {
	for _, c := range s.choices {
		if c.index == index {
			return c
		}
	}
	c := &choiceReader{index: index}
	s.choices = append(s.choices, c)
	return c
}

// End closes what is open. Google marks no end: a stream is whole when each of its candidates has told why it ended.
func (s *streamReader) End(dst []neutral.Event) ([]neutral.Event, bool) {
	if s.ended || len(s.choices) == 0 {
		return dst, false
	}
	for _, c := range s.choices {
		if c.reason == "" && !c.finished {
			return dst, false
		}
	}
	for _, c := range s.choices {
		dst = c.end(dst)
	}
	s.ended = true
	return append(dst, neutral.Event{Kind: neutral.EventEnd}), true
}
