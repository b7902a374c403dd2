package dialect

import "signalbox.dev/signalbox/proxy/meter"

// Tally is what a stream tells of its usage, and what was seen of it. The zero value has seen nothing.
type Tally struct {
	last     meter.Usage
	reported bool
	// text and tokens are the bytes of text and the pieces with text since the last report.
	text, tokens int64
	// zero is how much text there was when the last report told zero. Some providers put zeros into all events but the last.
	zero int64
}

// Report takes in a report, which tells the usage so far.
func (t *Tally) Report(u meter.Usage) {
	t.last, t.reported = u, true
	if u.Prompt == 0 && u.Completion == 0 {
		t.zero = t.text
		return
	}
	t.text, t.tokens, t.zero = 0, 0, 0
}

// See takes in a piece of the answer that has so many bytes of text; pieces count as tokens.
func (t *Tally) See(text, pieces int64) {
	t.text += text
	t.tokens += pieces
}

// Usage returns the usage that was last reported; false when there was none.
func (t *Tally) Usage() (meter.Usage, bool) { return t.last, t.reported }

// Settle returns the usage to charge. What came after the last report is estimated, for then it was not the last one; one of an earlier state may not know the
// prompt yet, and no cost that it tells is the whole one. A report of zero at the end stays zero.
func (t *Tally) Settle(promptBytes int64) meter.Usage {
	seen := meter.EstimateUsage(promptBytes, t.text, t.tokens)
	switch {
	case !t.reported:
		return seen
	case t.text == t.zero:
		if t.last.Estimated {
			return t.last.AtLeast(seen)
		}
		return t.last
	}
	u := t.last
	if u.Prompt == 0 {
		u.Prompt = seen.Prompt
	}
	u.Completion = min(u.Completion+seen.Completion, meter.MaxTokens)
	u.ReportedCost = nil
	u.Estimated = true
	return u
}
