package dialect

import (
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// watch collects what is needed to charge a stream, from its neutral events.
type watch struct {
	usage             meter.Usage
	reported, started bool
	// text and tokens are the bytes of text and the deltas with text since the last report of usage.
	text, tokens int64
}

// see takes in an event and says what it means for the proxy.
func (w *watch) see(e *neutral.Event) StepKind {
	switch e.Kind {
	case neutral.EventUsage:
		w.usage, w.reported = e.Usage, true
		w.text, w.tokens = 0, 0
	case neutral.EventPing:
		return StepComment
	case neutral.EventFailure:
		return StepFailure
	case neutral.EventEnd:
		return StepDone
	case neutral.EventPartDelta:
		return w.seeDelta(&e.Delta)
	case neutral.EventPartStart:
		return w.seeStart(&e.Part)
	case neutral.EventFinish:
		w.started = true
		return StepToken
	case neutral.EventStart, neutral.EventPartStop:
	}
	return StepChunk
}

func (w *watch) seeDelta(d *neutral.Delta) StepKind {
	size := len(d.Text) + len(d.Encrypted) + len(d.Signature)
	if size == 0 {
		return StepChunk
	}
	w.text += int64(size)
	w.tokens++
	w.started = true
	return StepToken
}

// seeStart takes in the beginning of a part. Of text and thoughts it says nothing yet.
func (w *watch) seeStart(p *neutral.Part) StepKind {
	if (p.Kind == neutral.TextPart || p.Kind == neutral.ReasoningPart) && p.Text == "" {
		return StepChunk
	}
	w.text += int64(len(p.Text) + len(p.Raw))
	w.started = true
	return StepToken
}

// Started tells that the first token was seen.
func (w *watch) Started() bool { return w.started }

// Usage returns the usage that was last reported.
func (w *watch) Usage() (meter.Usage, bool) { return w.usage, w.reported }

// Settle returns the usage to charge.
func (w *watch) Settle(promptBytes int64) meter.Usage {
	seen := meter.EstimateUsage(promptBytes, w.text, w.tokens)
	if !w.reported {
		return seen
	}
	if w.usage.Estimated || w.text == 0 {
		return settle(&w.usage, seen)
	}
	usage := w.usage
	usage.Completion = min(usage.Completion+seen.Completion, meter.MaxTokens)
	usage.Estimated = true
	return usage
}

// stronger is the step of several events that came in one frame.
func stronger(a, b StepKind) StepKind {
	rank := [...]int{StepComment: 0, StepChunk: 1, StepToken: 2, StepDone: 3, StepFailure: 4}
	if rank[a] >= rank[b] {
		return a
	}
	return b
}
