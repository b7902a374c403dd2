package server

import (
	"context"
	"net/http"
	"time"

	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// firstBackoff is the longest wait before the first retry of a provider that did not say when to come back; it doubles up to maxBackoff. The wait is
	// drawn from the whole range, so that those who failed together do not come back together.
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 4 * time.Second
	// retryPatience is the longest Retry-After that a call waits for; above it the client is told instead.
	retryPatience = 5 * time.Second
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
	// failed is the place of the candidate that failed last, and kind how.
	failed  int
	kind    table.FailureKind
	retries int
}

// tryTargets tries the candidates until one has answered or the error is one that no other would mend.
func (s *Server) tryTargets(ctx context.Context, c *call) error {
	t := trial{server: s, call: c, ctx: ctx, routers: c.routers(), failed: none}
	place, ok := t.next()
	for ok {
		t.tried |= 1 << place
		candidate := c.candidates[place]
		failure, passed := t.try(candidate)
		switch {
		case passed != 0:
			c.candidates[place].Out = passed
			place, ok = t.next()
		case failure == nil:
			l := &c.legs[candidate.Route]
			l.route.router.Served(&l.query, candidate.Index)
			return nil
		case t.isFinal(failure):
			return t.final(failure)
		default:
			place, ok = t.follow(place, failure)
		}
	}
	return t.exhausted()
}

// next is the candidate to try now: the first one, or what follows the failure before.
func (t *trial) next() (int, bool) {
	candidates := t.call.candidates
	if t.failed != none {
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
func (t *trial) try(candidate route.Candidate) (failure *Error, passed route.Exclusion) {
	c, s := t.call, t.server
	if refusal := s.admit(t.ctx, c, candidate); refusal != nil {
		if refusal.Code == CodeClientClosed {
			return refusal, 0
		}
		return nil, outRefused
	}
	if t.tooDear(candidate) {
		return nil, outTooDear
	}
	if candidate.Wait > 0 && !t.sleep(candidate.Wait) {
		return s.outOfTime(c), 0
	}
	l := &c.legs[candidate.Route]
	c.route = l.route
	return s.attempt(t.ctx, c, candidate)
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
	if t.ctx.Err() != nil || len(c.attempts) >= max(1, policy.MaxAttempts) {
		return none, false
	}
	target := &l.route.targets[c.candidates[place].Index]
	if failure.Kind == table.ModelWithdrawn && target.succeeded(c.model) {
		return place, true
	}
	t.failed, t.kind = place, failure.Kind
	if policy.MovesOn(failure.Kind) {
		if next, ok := t.next(); ok {
			target.metrics.FellBack(string(failure.Kind))
			return next, true
		}
	}
	if t.mayRetry(target, failure, policy) {
		return place, t.waitToRetry(target, failure)
	}
	return none, false
}

// mayRetry tells whether the same target may be tried again. Retries come out of a budget that grows with first attempts, so that they never amplify an
// outage.
func (t *trial) mayRetry(target *targetEntry, failure *Error, policy *table.Fallback) bool {
	if t.retries >= policy.MaxRetries || !policy.TriesAgain(failure.Kind) || failure.RetryAfter > retryPatience {
		return false
	}
	now := t.server.now()
	deadline, bounded := t.ctx.Deadline()
	if bounded && failure.RetryAfter > deadline.Sub(now) {
		return false
	}
	_, upstream := target.serving(now, t.call.legs[t.call.candidates[t.failed].Route].model)
	return upstream.AllowRetry(now)
}

// waitToRetry waits as long as the provider asked for, else a random time that grows.
func (t *trial) waitToRetry(target *targetEntry, failure *Error) bool {
	wait := failure.RetryAfter
	if wait == 0 {
		wait = time.Duration(t.server.random(int64(min(firstBackoff<<t.retries, maxBackoff))))
	}
	t.retries++
	target.metrics.Retried(string(failure.Kind))
	return t.sleep(wait)
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
		Message: "the call took longer than timeouts.total, " + c.route.Total.String() + ", waiting for a target",
	}
}

// exhausted is the error of a call that no candidate has answered.
func (t *trial) exhausted() error {
	c := t.call
	switch {
	case len(c.attempts) > 0:
		return c.conclude(mostTelling(c.attempts))
	case c.refused() != nil:
		return c.refused()
	case len(c.unsuited) > 0 && len(c.unsuited) == len(c.candidates):
		return c.unsupported()
	default:
		return c.noEligibleTarget()
	}
}

// refused is the refusal of the first route that refused the call; nil without one.
func (c *call) refused() *Error {
	for i := range c.legs {
		if c.legs[i].refusal != nil {
			return c.legs[i].refusal
		}
	}
	return nil
}
