package journal

import (
	"time"

	"signalbox.dev/signalbox/proxy/ledger"
)

// counterKey names a counter.
type counterKey struct {
	owner                   ledger.Owner
	ledger, subject         string
	period, timeZone, reset string
	// start of the window in nanoseconds since 1970; 0 with the period Total.
	start int64
}

func keyOf(c *ledger.Claim) counterKey {
	k := counterKey{owner: c.Owner, ledger: c.Ledger, subject: c.Subject, period: c.Key.Period, timeZone: c.Key.TimeZone, reset: c.Key.ResetID}
	if !c.Key.Start.IsZero() {
		k.start = c.Key.Start.UnixNano()
	}
	return k
}

// counterNote is the latest that is known of a counter.
type counterNote struct {
	ledger.Recovered
	// kind is kindSettled or kindRecovered.
	kind kind
	// noted is when it was written: the ledger has it when that is before what is clean.
	noted time.Time
	// segment that holds it; 0 for none.
	segment uint64
}

// count keeps a settlement, unless a later one is there.
func (j *Journal) count(s *ledger.Settlement, now time.Time, segment uint64) {
	key := keyOf(&s.Claim)
	note := j.counters[key]
	if note == nil {
		note = &counterNote{kind: kindSettled}
		j.counters[key] = note
	}
	if note.Seq >= s.Seq {
		return
	}
	note.Recovered = ledger.Recovered{Claim: s.Claim, Totals: s.Totals, Seq: s.Seq}
	note.Nano = 0
	note.noted, note.segment = now, segment
}

// needed tells whether the ledger may not have it.
func (n *counterNote) needed(clean time.Time) bool { return !n.noted.Before(clean) }

// text is the note's frame.
func (n *counterNote) text() []byte {
	e := &encoder{}
	e.out = openFrame(e.out, n.kind)
	recovered(e, &n.Recovered)
	return closeFrame(e.out)
}
