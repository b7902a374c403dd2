package dialect

import (
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// watch collects what is needed to charge a stream, from its neutral events.
type watch struct {
	tally   Tally
	started bool
	// service is the class of service that the stream told.
	service string
}

// see takes in an event and says what it means for the proxy.
func (w *watch) see(e *neutral.Event) StepKind {
	if e.ServiceTier != "" {
		w.service = ServedAs(e.ServiceTier)
	}
	switch e.Kind {
	case neutral.EventUsage:
		e.Usage = served(e.Usage, w.service)
		w.tally.Report(e.Usage)
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
	w.tally.See(int64(size), 1)
	w.started = true
	return StepToken
}

// seeStart takes in the beginning of a part. Of text and thoughts it says nothing yet.
func (w *watch) seeStart(p *neutral.Part) StepKind {
	if (p.Kind == neutral.TextPart || p.Kind == neutral.ReasoningPart) && p.Text == "" {
		return StepChunk
	}
	w.tally.See(int64(len(p.Text)+len(p.Raw)), 0)
	w.started = true
	return StepToken
}

// Started tells that the first token was seen.
func (w *watch) Started() bool { return w.started }

// Usage returns the usage that was last reported.
func (w *watch) Usage() (meter.Usage, bool) { return w.tally.Usage() }

// Settle returns the usage to charge.
func (w *watch) Settle(promptBytes int64) meter.Usage {
	return served(w.tally.Settle(promptBytes), w.service)
}

// served is usage with the class of service that the answer told, unless the usage tells one itself.
func served(u meter.Usage, service string) meter.Usage {
	if u.Service == "" {
		u.Service = service
	}
	return u
}

// stronger is the step of several events that came in one frame.
func stronger(a, b StepKind) StepKind {
	rank := [...]int{StepComment: 0, StepChunk: 1, StepToken: 2, StepDone: 3, StepFailure: 4}
	if rank[a] >= rank[b] {
		return a
	}
	return b
}
