package openai

import (
	"bytes"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

// keepBuffer is the largest buffer that outlives its stream.
const keepBuffer = 64 << 10

// StreamOptions say what a client should see of the usage.
type StreamOptions struct {
	// IncludeUsage tells that the client asked for usage. Otherwise the provider reports it for the proxy only.
	IncludeUsage bool
	// Prices give the cost that is put beside the usage that the client asked for; nil adds none.
	Prices *table.Prices
}

// StreamFilter goes over the events of one stream: it hides the usage that the client did not ask for, adds the cost where it did, and collects what is
// needed to charge the call. Usage of Groq's own, "x_groq", stays: Groq sends it unasked and its SDKs read it.
type StreamFilter struct {
	options StreamOptions
	output  []byte

	usage    meter.Usage
	reported bool
	started  bool
	finish   bool
	done     bool
	// text and tokens are the bytes of text and the events with text since the last report of usage.
	text, tokens int64
}

// NewStreamFilter returns a filter for one stream.
func NewStreamFilter(options StreamOptions) *StreamFilter {
	return &StreamFilter{options: options}
}

// Reset makes f a filter for another stream. It keeps a buffer of common size.
func (f *StreamFilter) Reset(options StreamOptions) {
	fresh := StreamFilter{options: options}
	if cap(f.output) <= keepBuffer {
		fresh.output = f.output[:0]
	}
	*f = fresh
}

// Next takes in an event. The error is a *dialect.StreamError.
func (f *StreamFilter) Next(event sse.Event) (dialect.Step, error) {
	data := bytes.TrimSpace(event.Data)
	if len(data) == 0 {
		return dialect.Step{Output: event.Raw, Kind: dialect.StepComment}, nil
	}
	if string(data) == "[DONE]" {
		f.done = true
		return dialect.Step{Output: event.Raw, Kind: dialect.StepDone}, nil
	}
	var d document
	if err := d.read(event.Data); err != nil {
		return dialect.Step{}, &dialect.StreamError{Err: err}
	}
	usageAt := f.count(&d, event.Data)
	if d.failure || string(event.Name) == "error" {
		failure := dialect.ParseError(event.Data)
		return dialect.Step{Output: event.Raw, Kind: dialect.StepFailure, Err: &failure}, nil
	}
	step := dialect.Step{Output: f.edit(&d, event, usageAt), Kind: dialect.StepChunk}
	if d.token {
		f.started = true
		step.Kind = dialect.StepToken
	}
	return step, nil
}

// count collects what the event tells about usage, and returns where the object starts that reports it; 0 without one.
func (f *StreamFilter) count(d *document, data []byte) int {
	f.finish = f.finish || d.finish
	usage, at := d.reported(data)
	if at != 0 {
		f.usage, f.reported = usage, true
		f.text, f.tokens = 0, 0
		return at
	}
	if d.text > 0 {
		f.text += int64(d.text)
		f.tokens++
	}
	return 0
}

// edit returns what the client gets of the event.
func (f *StreamFilter) edit(d *document, event sse.Event, usageAt int) []byte {
	switch {
	case f.options.IncludeUsage && usageAt != 0 && f.options.Prices != nil:
		f.begin(event)
		cost := costPatch(event.Data, usageAt, meter.Cost(f.usage, *f.options.Prices))
		f.output = append(apply(f.output, event.Data, cost, 0), event.Data[cost.End:]...)
		return f.end(event)
	case f.options.IncludeUsage || d.memberEnd == 0:
		return event.Raw
	case d.usage != 0 && d.choices == 0:
		return nil
	}
	f.begin(event)
	f.output = appendWithout(f.output, event.Data, d.memberStart, d.memberEnd)
	return f.end(event)
}

// begin starts the output with what stands before the event's data.
func (f *StreamFilter) begin(event sse.Event) {
	if event.DataAt >= 0 {
		f.output = append(f.output[:0], event.Raw[:event.DataAt]...)
		return
	}
	f.output = append(f.output[:0], "data: "...)
}

// end completes the output with what stands behind the event's data. Data of several lines becomes one, without the event's name: in JSON a line feed can
// only stand between tokens.
func (f *StreamFilter) end(event sse.Event) []byte {
	if event.DataAt >= 0 {
		f.output = append(f.output, event.Raw[event.DataAt+len(event.Data):]...)
		return f.output
	}
	for i, c := range f.output {
		if c == '\n' {
			f.output[i] = ' '
		}
	}
	f.output = append(f.output, "\n\n"...)
	return f.output
}

// Started tells that the first token was seen: from then on the client is served by this stream alone.
func (f *StreamFilter) Started() bool { return f.started }

// Finished tells that the stream ended with [DONE].
func (f *StreamFilter) Finished() bool { return f.done }

// FinishSeen tells that a choice has its finish_reason. A stream that ends after it, even without [DONE], was not cut.
func (f *StreamFilter) FinishSeen() bool { return f.finish }

// Usage returns the usage that was last reported, normalised; false when there was none.
func (f *StreamFilter) Usage() (meter.Usage, bool) { return f.usage, f.reported }

// Settle returns the usage to charge: the reported one, or an estimate of what was seen where none was reported, the report is not believable, or text
// came after it. It is meant for streams that were cut, too. promptBytes is the size of the request's body.
func (f *StreamFilter) Settle(promptBytes int64) meter.Usage {
	seen := meter.EstimateUsage(promptBytes, f.text, f.tokens)
	switch {
	case !f.reported:
		return seen
	case f.usage.Estimated:
		return f.usage.AtLeast(seen)
	case f.text == 0:
		return f.usage
	}
	usage := f.usage
	usage.Completion = min(usage.Completion+seen.Completion, meter.MaxTokens)
	usage.Estimated = true
	return usage
}
