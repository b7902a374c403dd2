package server

import (
	"context"
	"net/http"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// firstBackoff is the longest wait before the first retry of a provider that did not say when to come back; it doubles up to maxBackoff. The wait is
	// drawn from the whole range, so that those who failed together do not come back together.
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 4 * time.Second
	// retryPatience is the longest that a call waits for a retry; above it the client is told instead.
	retryPatience = 5 * time.Second
	// planLasts is how long a call may wait in queues before its targets are chosen anew.
	planLasts = 500 * time.Millisecond
	// mostAttempts bounds the attempts of a call over all its models.
	mostAttempts = 16
	// none is the place of no candidate.
	none = -1
)

// trial is the way of a call through its candidates.
type trial struct {
	server  *Server
	call    *call
	ctx     context.Context // of the call; the trial lives no longer
	routers []*route.Router
	tried   uint64
	// insisted are the places of the candidates that last tries were made at, and insists tells that the call has come to those.
	insisted uint64
	insists  bool
	// failed is the place of the candidate that failed last, and kind how.
	failed  int
	kind    table.FailureKind
	retries int
	// stoodBy is how long the call has waited for others to find out whether a target is back.
	stoodBy time.Duration
	// planned is the time that the call had spent in queues when its candidates were put in order.
	planned time.Duration
}

// tryTargets tries the candidates until one has answered or the error is one that no other would mend.
func (s *Server) tryTargets(ctx context.Context, c *call) error {
	t := trial{server: s, call: c, ctx: ctx, routers: c.routers(), failed: none}
	place, ok := t.next()
	for {
		if !ok {
			place, ok = t.lastTry()
		}
		if !ok {
			place, ok = t.standBy()
		}
		if !ok {
			return t.exhausted()
		}
		t.tried |= 1 << place
		candidate := c.candidates[place]
		failure, passed := t.try(visit{candidate: candidate, insists: t.insists, again: t.insists && c.attempted(candidate)})
		if c.started() {
			// Also an answer that breaks off has warmed a cache.
			l := &c.legs[candidate.Route]
			l.route.router.Served(&l.query, candidate.Index)
		}
		switch {
		case passed == outOfDate:
			t.planAnew()
			place, ok = t.next()
		case passed != 0:
			c.candidates[place].Out = passed
			place, ok = t.next()
		case failure == nil:
			return nil
		case t.isFinal(failure):
			return t.final(failure)
		default:
			place, ok = t.follow(place, failure)
		}
	}
}

// next is the candidate to try now: the first one, or what follows the failure before if the policy of its route has that move on.
func (t *trial) next() (int, bool) {
	candidates := t.call.candidates
	if t.failed != none {
		if policy := &t.call.legs[candidates[t.failed].Route].route.Fallback; !policy.MovesOn(t.kind) {
			return none, false
		}
		return route.Next(t.routers, candidates, t.tried, t.failed, t.kind)
	}
	for place := range candidates {
		if candidates[place].Out == 0 && t.tried&(1<<place) == 0 {
			return place, true
		}
	}
	return none, false
}

// try calls a candidate's target, unless something stands against it.
func (t *trial) try(v visit) (failure *Error, passed route.Exclusion) {
	c, s, candidate := t.call, t.server, v.candidate
	if refusal := s.admit(t.ctx, c, candidate); refusal != nil {
		if t.ctx.Err() != nil {
			return refusal, 0
		}
		return nil, outRefused
	}
	if c.queued-t.planned >= planLasts && len(c.attempts) == 0 {
		return nil, outOfDate
	}
	if t.tooDear(candidate) {
		return nil, outTooDear
	}
	if candidate.Wait > 0 && !t.sleep(candidate.Wait) {
		return s.outOfTime(c), 0
	}
	l := &c.legs[candidate.Route]
	c.route = l.route
	return s.attempt(t.ctx, c, v)
}

// planAnew puts the candidates in order once more, for a call that has waited for its turn.
func (t *trial) planAnew() {
	c := t.call
	for i := range c.legs {
		c.legs[i].query.Now = t.server.now()
	}
	t.server.plan(c)
	t.tried, t.insisted, t.insists, t.planned = 0, 0, false, c.queued
}

// tooDear tells whether an attempt could take the call over the route's bound on its cost. The first one is judged by the route's own choice.
func (t *trial) tooDear(candidate route.Candidate) bool {
	c := t.call
	l := &c.legs[candidate.Route]
	bound := l.route.Fallback.MaxCost
	if bound == 0 || len(c.attempts) == 0 {
		return false
	}
	estimate, known := l.route.router.Estimate(candidate.Index, &l.query)
	return !known || c.bill.nano > bound-estimate
}

// isFinal tells whether the client gets this failure whatever the policy says.
func (t *trial) isFinal(failure *Error) bool {
	return failure.Kind == table.None || t.call.started() || !t.call.mayRepeat()
}

func (t *trial) final(failure *Error) error {
	if len(t.call.attempts) == 0 {
		return failure
	}
	return t.call.conclude(failure)
}

// follow decides by the route's policy what comes after a failure: another target, the same one again, or the client's reply.
func (t *trial) follow(place int, failure *Error) (int, bool) {
	c := t.call
	l := &c.legs[c.candidates[place].Route]
	policy := &l.route.Fallback
	if t.ctx.Err() != nil || len(c.attempts) >= mostAttempts {
		return none, false
	}
	spent := c.attemptsOf(l.account) >= max(1, policy.MaxAttempts)
	if spent {
		t.leaveRoute(l.account)
	}
	target := &l.route.targets[c.candidates[place].Index]
	t.failed, t.kind = place, failure.Kind
	if !spent && failure.Kind == table.ModelWithdrawn && target.succeeded(c.model) {
		return place, true
	}
	if next, ok := t.next(); ok {
		target.metrics.FellBack(string(failure.Kind))
		c.trace.FellBack(t.server.now(), target.name, string(failure.Kind))
		return next, true
	}
	if spent || t.retries >= policy.MaxRetries || !policy.TriesAgain(failure.Kind) {
		return none, false
	}
	return place, t.retry(l, target, failure)
}

// attemptsOf counts the attempts at targets of one route. One with another key of the same target is the same attempt for the route.
func (c *call) attemptsOf(account int) int {
	count := 0
	for i := range c.attempts {
		if a := &c.attempts[i]; a.account == account && !a.again {
			count++
		}
	}
	return count
}

// leaveRoute passes over what is left of a route that has had all its attempts; the other models of the call have routes of their own.
func (t *trial) leaveRoute(account int) {
	for place, candidate := range t.call.candidates {
		if t.call.legs[candidate.Route].account == account {
			t.tried |= 1 << place
		}
	}
}

// retry waits until the same target may be tried again, and tells whether it may. Retries come out of a budget that grows with first attempts, so that they
// never amplify an outage.
func (t *trial) retry(l *leg, target *targetEntry, failure *Error) bool {
	now := t.server.now()
	upstream := target.serving(now, l.model)
	left := upstream.view(now)
	if left.Block == health.CircuitOpen || left.Block == health.ErrorRate {
		return false // It has failed often enough.
	}
	wait := left.For
	if target.ring.Single() {
		wait = max(wait, failure.RetryAfter) // Of several keys the others have not said so.
	}
	if failure.RetryAfter == 0 {
		wait += time.Duration(t.server.random(int64(min(firstBackoff<<t.retries, maxBackoff))))
	}
	if !t.hasTimeFor(wait) || !upstream.allowRetry(now) {
		return false
	}
	t.retries++
	target.metrics.Retried(string(failure.Kind))
	t.call.trace.Retried(now, target.name, string(failure.Kind))
	return t.sleep(wait)
}

// hasTimeFor tells whether a call can wait so long.
func (t *trial) hasTimeFor(wait time.Duration) bool {
	deadline, bounded := t.ctx.Deadline()
	return wait <= retryPatience && (!bounded || wait < time.Until(deadline))
}

// sleep waits, and tells whether the call's time lasted.
func (t *trial) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	t.call.waited += d
	select {
	case <-timer.C:
		return true
	case <-t.ctx.Done():
		return false
	}
}

// outOfTime is the failure of a call whose time was over before a target could be called.
func (s *Server) outOfTime(c *call) *Error {
	if c.clientGone() {
		return clientClosed()
	}
	return &Error{
		Code: CodeUpstreamTimeout, Status: http.StatusGatewayTimeout,
		Message: "the call took longer than timeouts.total, " + c.total().String() + ", waiting for its turn or a target",
	}
}

// exhausted is the error of a call that no candidate has answered.
func (t *trial) exhausted() error {
	c := t.call
	switch {
	case c.clientGone():
		return t.final(clientClosed())
	case mostTelling(c.attempts) != nil:
		return c.conclude(mostTelling(c.attempts))
	case c.refused() != nil:
		return c.refused()
	case len(c.unsuited) > 0 && len(c.unsuited) == len(c.candidates):
		return c.unsupported()
	default:
		return c.noEligibleTarget()
	}
}

// refused is the refusal of the first route that refused the call, or else of the first target for what it would cost; nil without one.
func (c *call) refused() *Error {
	for i := range c.legs {
		if c.legs[i].refusal != nil {
			return c.legs[i].refusal
		}
	}
	if len(c.refusals) > 0 {
		return c.refusals[0].why
	}
	return nil
}
