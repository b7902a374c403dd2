package health

import (
	"time"

	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/window"
)

// minute is the window of the last minute. It needs the lock.
func (u *Upstream) minute() *window.Window {
	if u.window == nil {
		u.window = &window.Window{}
	}
	return u.window
}

// record adds an attempt that has ended to the last minute, if it says anything. It needs the lock of the upstream.
func (a *attempt) record(o *Outcome, now instant) {
	ending, told := endingOf(o.Kind)
	switch {
	case a.lost:
		a.recordLost()
		return
	case !told || o.Neutral:
		return
	}
	minute, at := a.upstream.minute(), time.Duration(now)
	minute.Count(at, ending)
	switch took := o.FirstToken; {
	case a.spoke || !o.Stream:
	case took > 0:
		minute.FirstToken(at, took)
	case o.Duration > 0 && ending == window.TimedOut:
		// It would have taken at least as long.
		minute.FirstToken(at, o.Duration)
	}
	if ending == window.Answered && o.Completion > 0 {
		if spent := o.speaking(); spent > 0 {
			minute.Rate(at, o.Completion, spent)
		}
	}
}

// speaking is how long the completion took: of a stream, the time after its first token.
func (o *Outcome) speaking() time.Duration {
	if o.Stream {
		return o.Duration - max(o.FirstToken, 0)
	}
	return o.Duration
}

// endingOf is what a kind of failure says of the provider; false if it says nothing.
func endingOf(kind table.FailureKind) (window.Ending, bool) {
	switch kind {
	case table.None, table.BadRequest, table.ContextTooLong, table.ContentFiltered, table.ModelWithdrawn:
		return window.Answered, true
	case table.Unreachable:
		return window.Unreachable, true
	case table.Unavailable, table.Capacity, table.BrokenAnswer, table.Stalled:
		return window.Failed, true
	case table.Timeout, table.FirstTokenTimeout:
		return window.TimedOut, true
	case table.RateLimited:
		return window.Limited, true
	case table.QuotaExhausted:
		return window.Exhausted, true
	case table.KeyRejected:
		return window.Refused, true
	default:
		return 0, false
	}
}

// Subject is what the state is of.
func (u *Upstream) Subject() Subject { return u.subject }

// Peek is View by somebody who only reports: it does not count as a use.
func (u *Upstream) Peek(now time.Time) (v View) {
	u.read(&v, u.registry.at(now))
	return v
}

// FullAfter is how long until the rate limits are full again, the later of them; 0 when the provider does not tell.
func (u *Upstream) FullAfter(now time.Time) time.Duration {
	t := u.registry.at(now)
	return max(u.requests.fullAfter(t), u.tokens.fullAfter(t))
}

// AddMinute adds what happened in the last minute to a reading.
func (u *Upstream) AddMinute(now time.Time, r *window.Reading) {
	t := u.registry.at(now)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.window != nil {
		u.window.AddTo(r, time.Duration(t))
	}
}
