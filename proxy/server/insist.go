package server

import (
	"slices"
	"time"

	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/table"
)

// lastTry is the place of the candidate that a call tries which has nothing else left: of those whose keys the provider refuses the one whose key was refused
// or tried longest ago. Nobody tells when a refused key is good again, so that no client should be refused for what was so a while ago. A rate limit or a quota
// that is used up is told with its end, and waits for it.
func (t *trial) lastTry() (int, bool) {
	c := t.call
	if t.ctx.Err() != nil || len(c.attempts) >= mostAttempts || t.failed != none && !isOfKey(t.kind) {
		return none, false
	}
	chosen, longest := none, time.Duration(0)
	for place := range c.candidates {
		if !t.mayInsist(place) {
			continue
		}
		if ago := t.refusedFor(c.candidates[place]); ago > longest {
			chosen, longest = place, ago
		}
	}
	if chosen == none {
		return none, false
	}
	t.insists = true
	t.insisted |= 1 << chosen
	return chosen, true
}

// isOfKey tells whether a failure is one of the key alone.
func isOfKey(kind table.FailureKind) bool {
	return kind == table.KeyRejected || kind == table.QuotaExhausted || kind == table.RateLimited
}

// mayInsist tells whether nothing but its health stands against a candidate. After a failure a target that was not called yet is tried only if its route's policy
// would have moved on to it.
func (t *trial) mayInsist(place int) bool {
	c := t.call
	candidate := c.candidates[place]
	l := &c.legs[candidate.Route]
	account := &c.legs[l.account]
	switch {
	case t.insisted>>place&1 != 0, account.refusal != nil, !c.priced(candidate) && denying(account.budgets) != nil:
		return false
	case c.attempted(candidate):
		return true
	case candidate.Out != route.Eligible && causeOf(candidate.Out) != causeHealth, c.isForFailures(candidate):
		return false
	case t.failed == none:
		return true
	}
	policy := &l.route.Fallback
	bound := l.query.Preferences != nil && l.query.Preferences.NoFallbacks && len(l.query.Preferences.Order) == 0
	return !bound && policy.MovesOn(t.kind) && c.attemptsOf(l.account) < max(1, policy.MaxAttempts)
}

// isForFailures tells whether a candidate's target is named for calls that failed elsewhere, and gets no other.
func (c *call) isForFailures(candidate route.Candidate) bool {
	return len(c.legs[candidate.Route].route.Targets[candidate.Index].OnlyFor) > 0
}

// attempted tells whether a candidate's target was called already.
func (c *call) attempted(candidate route.Candidate) bool {
	target := &c.legs[candidate.Route].route.targets[candidate.Index]
	return slices.ContainsFunc(c.attempts, func(a attempt) bool { return a.target == target })
}

// refusedFor is how long ago the key was refused or tried last that a last try at a candidate would be made with; 0 when none may be made.
func (t *trial) refusedFor(candidate route.Candidate) time.Duration {
	now := t.server.now()
	upstream, usable := t.server.poolOf(t.call, candidate, now)
	if !usable {
		return 0
	}
	return upstream.lastTry(t.server.choosing(&t.call.legs[candidate.Route], &visit{candidate: candidate}, now))
}
