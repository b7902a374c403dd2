package openai

import (
	"bytes"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
)

// NewPassedStream goes over the events of a stream of pictures or of sound.
func (p Plain) NewPassedStream(dialect.Exchange) dialect.Stream { return &plainStream{api: p.API} }

// plainStream passes a stream as it is. It ends with the event whose type says so, and with no [DONE].
type plainStream struct {
	api            neutral.API
	started, whole bool
	usage          meter.Usage
	reported       bool
	// events is how many events had data, images how many images are done, and words how many bytes of a transcript came.
	events, images, words int64
}

// Next takes in an event.
func (s *plainStream) Next(event sse.Event) (dialect.Step, error) {
	data := bytes.TrimSpace(event.Data)
	switch {
	case len(data) == 0:
		return dialect.Step{Output: event.Raw, Kind: dialect.StepComment}, nil
	case string(data) == "[DONE]":
		s.whole = true
		return dialect.Step{Output: event.Raw, Kind: dialect.StepDone}, nil
	}
	var d document
	if err := d.read(data); err != nil {
		return dialect.Step{}, &dialect.StreamError{Err: err}
	}
	kind := typeOf(data)
	s.count(&d, data, kind)
	if d.failure || kind == "error" || string(event.Name) == "error" {
		failure := dialect.ParseError(data)
		return dialect.Step{Kind: dialect.StepFailure, Err: &failure}, nil
	}
	s.started = true
	s.whole = s.whole || strings.HasSuffix(kind, ".completed") || strings.HasSuffix(kind, ".done")
	return dialect.Step{Output: event.Raw, Kind: dialect.StepToken}, nil
}

// count collects what an event of a type tells about usage.
func (s *plainStream) count(d *document, data []byte, kind string) {
	if kind == "image_generation.completed" || kind == "image_edit.completed" {
		s.images++
	}
	if usage, told := d.reported(data); told {
		s.usage, s.reported = completed(usage, s.api, s.images), true
	}
	if d.failure || kind == "error" {
		return
	}
	s.events++
	if heard(s.api) {
		s.words += int64(len(data))
	}
}

// typeOf is the member "type" of a checked object.
func typeOf(data []byte) string {
	kind := ""
	_ = members(data[jsonscan.Space(data, 0):], func(name, value []byte) error {
		if string(name) == "type" {
			kind = textOr(value)
		}
		return nil
	})
	return kind
}

// End tells whether the stream was whole.
func (s *plainStream) End() ([]byte, bool) { return nil, s.whole }

// Started tells that the client is served by this stream alone.
func (s *plainStream) Started() bool { return s.started }

// Usage returns the usage that was last reported; false when there was none.
func (s *plainStream) Usage() (meter.Usage, bool) { return s.usage, s.reported }

// Settle returns the usage to charge.
func (s *plainStream) Settle(promptBytes int64) meter.Usage {
	seen := meter.EstimateUsage(promptBytes, 0, s.events)
	if s.started {
		seen = plainEstimate(s.api, promptBytes, s.words, s.images)
	}
	seen.Completion = max(seen.Completion, min(s.events, meter.MaxTokens))
	switch {
	case !s.reported:
		return seen
	case s.usage.Estimated:
		return s.usage.AtLeast(seen)
	}
	return s.usage
}
