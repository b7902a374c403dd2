package server

import (
	"time"

	"signalbox.dev/signalbox/proxy/route"
)

// longestStandBy is how long a call waits at most, over all its waits, for the only target that is left: until its rate limit ends, and while another call finds
// out whether it is back. A provider that refuses does so sooner.
const longestStandBy = 2 * time.Second

// leastWait keeps a call from looking over and over at a rate limit that ends within microseconds.
const leastWait = time.Millisecond

// standBy waits for a call that has nothing else left, and is the place of the candidate to try then. Where a target is the only one, who comes a moment too early,
// or a moment after the first one that may try it again, must not be refused for it.
func (t *trial) standBy() (int, bool) {
	for t.mayStandBy() {
		// The channel comes first: an attempt that ends after that is not missed.
		vacancy := t.server.health.Vacancy()
		wait, ok := t.worthWaiting()
		if !ok || !t.await(vacancy, wait) {
			return none, false
		}
		t.planAnew()
		if place, ok := t.next(); ok {
			return place, true
		}
		if place, ok := t.lastTry(); ok {
			return place, true
		}
	}
	return none, false
}

// mayStandBy tells whether the call has nothing to tell its client yet, and patience left.
func (t *trial) mayStandBy() bool {
	c := t.call
	return len(c.attempts) == 0 && c.refused() == nil && t.ctx.Err() == nil && t.stoodBy < longestStandBy
}

// worthWaiting is how long the call should wait at most for a target that nothing but its health stands against; false when there is none that may soon be back.
// Circuits are not waited for: what is down should be told at once.
func (t *trial) worthWaiting() (time.Duration, bool) {
	now, patience := t.server.now(), longestStandBy-t.stoodBy
	wait, ok := patience, false
	for _, candidate := range t.call.candidates {
		switch {
		case causeOf(candidate.Out) != causeHealth || t.call.isForFailures(candidate):
		case candidate.Out == route.CoolingDown && candidate.Left < patience:
			wait, ok = min(wait, max(candidate.Left, leastWait)), true
		case t.isTried(candidate, now):
			ok = true
		}
	}
	return wait, ok
}

// isTried tells whether another call is finding out whether a candidate's target is back.
func (t *trial) isTried(candidate route.Candidate, now time.Time) bool {
	upstream, usable := t.server.poolOf(t.call, candidate, now)
	return usable && upstream.tried(now)
}

// await waits for so long, but no longer than until another call's attempt has ended, and tells whether the call's time lasted.
func (t *trial) await(vacancy <-chan struct{}, wait time.Duration) bool {
	began := t.server.now()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-vacancy:
		t.stoodBy += t.server.now().Sub(began)
	case <-timer.C:
		t.stoodBy += wait
	case <-t.ctx.Done():
	}
	t.call.waited += t.server.now().Sub(began)
	if t.stoodBy >= longestStandBy {
		t.losePatience()
	}
	return t.ctx.Err() == nil
}

// losePatience has the call try what it would not without having waited.
func (t *trial) losePatience() {
	for i := range t.call.legs {
		t.call.legs[i].query.StoodBy = true
	}
}
