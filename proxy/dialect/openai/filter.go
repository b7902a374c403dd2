package openai

import (
	"bytes"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
)

// NewPassedStream goes over the events of a stream of chat completions.
func (Chat) NewPassedStream(o dialect.Exchange) dialect.Stream { return newPassedStream(o) }

// NewPassedStream goes over the events of a stream of completions.
func (Text) NewPassedStream(o dialect.Exchange) dialect.Stream { return newPassedStream(o) }

// NewPassedStream is never asked for, for there are no streams of vectors; it does what it does for completions.
func (Vectors) NewPassedStream(o dialect.Exchange) dialect.Stream { return newPassedStream(o) }

// passedStream goes over the events of one stream: it hides the usage that the client did not ask for, adds the cost where it did and what the flavor has
// besides, and collects what is needed to charge the call. Usage of Groq's own, "x_groq", stays: Groq sends it unasked and its SDKs read it.
type passedStream struct {
	flavored
	// shows tells that the client gets the usage.
	shows   bool
	output  []byte
	patches []dialect.Patch
	nulls   []dialect.Patch

	tally   dialect.Tally
	started bool
	finish  bool
	done    bool
	// service is the class of service that the stream told.
	service string
	// greeted tells that Groq's id was told.
	greeted bool
	// held is the event with the last finish_reason, which waits for the usage because Groq's clients find it there; heldAt is where its members begin.
	// Empty when there is none.
	held, joined []byte
	heldAt       int
}

func newPassedStream(o dialect.Exchange) *passedStream {
	return &passedStream{flavored: newFlavored(o), shows: o.IncludeUsage || o.Flavor == dialect.OpenRouterFlavor}
}

// Next takes in an event. The error is a *dialect.StreamError.
func (f *passedStream) Next(event sse.Event) (dialect.Step, error) {
	data := bytes.TrimSpace(event.Data)
	if len(data) == 0 {
		return dialect.Step{Output: event.Raw, Kind: dialect.StepComment}, nil
	}
	if string(data) == "[DONE]" {
		f.done = true
		return dialect.Step{Output: f.behindHeld(event.Raw), Kind: dialect.StepDone}, nil
	}
	d := document{namesThoughts: f.namesThoughts(), strict: f.strictness(strictChunk), nulls: f.nulls[:0]}
	if err := d.read(event.Data); err != nil {
		return dialect.Step{}, &dialect.StreamError{Err: err}
	}
	f.nulls = d.nulls
	usageAt := f.count(&d, event.Data)
	if d.failure || string(event.Name) == "error" {
		failure := dialect.ParseError(event.Data)
		return dialect.Step{Kind: dialect.StepFailure, Err: &failure}, nil
	}
	step := dialect.Step{Output: f.edit(&d, event, usageAt), Kind: dialect.StepChunk}
	if d.token {
		f.started = true
		step.Kind = dialect.StepToken
	}
	return step, nil
}

// count collects what the event tells about usage, and returns where the object starts that reports it; 0 without one.
func (f *passedStream) count(d *document, data []byte) int {
	f.finish = f.finish || d.finish
	if d.tier.End > 0 {
		f.service = d.service(data)
	}
	usage, told := d.reported(data)
	zero := usage.Prompt == 0 && usage.Completion == 0
	if d.text > 0 && (!told || zero) {
		f.tally.See(int64(d.text), 1)
	}
	if !told {
		return 0
	}
	if usage.Service = f.service; d.text == 0 || !zero {
		f.tally.Report(usage)
	}
	return d.shown()
}

// edit returns what the client gets of the event.
func (f *passedStream) edit(d *document, event sse.Event, usageAt int) []byte {
	if d.choices == 0 && (!f.shows && d.usage != 0 || d.filtered && d.usage == 0) {
		// Azure begins a stream with its filter's opinion of the prompt, without a choice and under no id: clients of OpenAI do not know such a chunk.
		return f.behindHeld(nil)
	}
	f.patches = f.choicePatches(f.showUsage(append(f.patches[:0], d.mends...), d, event.Data, usageAt), d, event.Data)
	if f.asGroq && !d.xGroq && d.choicesAt != 0 {
		if d.finish && usageAt == 0 {
			return f.hold(d, event)
		}
		f.patches = f.groqPatch(f.patches, d, usageAt)
	}
	if len(f.patches) == 0 {
		return f.behindHeld(event.Raw)
	}
	return f.behindHeld(f.apply(event))
}

// showUsage adds to the usage that the client asked for, and takes out the one that it did not ask for.
func (f *passedStream) showUsage(patches []dialect.Patch, d *document, data []byte, usageAt int) []dialect.Patch {
	switch {
	case f.shows && usageAt != 0:
		usage, _ := f.tally.Usage()
		return f.usagePatches(patches, data, usageAt, usage)
	case !f.shows && d.memberEnd > 0:
		return append(patches, withoutPatch(data, 0, dialect.Patch{At: d.memberStart, End: d.memberEnd}))
	}
	return patches
}

// apply writes the event with the patches.
func (f *passedStream) apply(event sse.Event) []byte {
	f.begin(event)
	f.output = dialect.Apply(f.output, event.Data, f.patches)
	return f.end(event)
}

// begin starts the output with what stands before the event's data.
func (f *passedStream) begin(event sse.Event) {
	if event.DataAt >= 0 {
		f.output = append(f.output[:0], event.Raw[:event.DataAt]...)
		return
	}
	f.output = append(f.output[:0], "data: "...)
}

// end completes the output with what stands behind the event's data. Data of several lines becomes one, without the event's name: in JSON a line feed can
// only stand between tokens.
func (f *passedStream) end(event sse.Event) []byte {
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

// End tells whether the stream was whole without its last event, and writes what was held back.
func (f *passedStream) End() ([]byte, bool) { return f.behindHeld(nil), f.done || f.finish }

// Started tells that the first token was seen: from then on the client is served by this stream alone.
func (f *passedStream) Started() bool { return f.started }

// Usage returns the usage that was last reported, normalised; false when there was none.
func (f *passedStream) Usage() (meter.Usage, bool) { return f.tally.Usage() }

// Settle returns the usage to charge. It is meant for streams that were cut, too. promptBytes is the size of the request's body.
func (f *passedStream) Settle(promptBytes int64) meter.Usage {
	usage := f.tally.Settle(promptBytes)
	usage.Service = f.service
	return usage
}
