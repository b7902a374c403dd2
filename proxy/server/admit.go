package server

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"signalbox.dev/signalbox/proxy/limit"
	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/telemetry"
)

// leastQueued is the shortest wait that was one: asking takes microseconds by itself.
const leastQueued = time.Millisecond

// defaultOutputTokens is how long an answer is taken to be when neither the request nor experience says.
const defaultOutputTokens = 256

// admit asks the limits of the candidate's route, and those that its budgets have come to, once. An error is their refusal.
func (s *Server) admit(ctx context.Context, c *call, candidate route.Candidate) *Error {
	l := &c.legs[c.legs[candidate.Route].account]
	if l.admitted || l.refusal != nil {
		return l.refusal
	}
	if l.refusal = s.admitByLimits(ctx, c, l); l.refusal != nil {
		return l.refusal
	}
	if l.refusal = s.admitByThrottles(ctx, c, l); l.refusal != nil {
		l.correctLimits(-1)
		l.releaseLimits()
		return l.refusal
	}
	l.admitted = true
	return nil
}

// admitByLimits asks the limits of a route, which may let the call wait.
func (s *Server) admitByLimits(ctx context.Context, c *call, l *leg) *Error {
	if len(l.route.Limits) == 0 {
		return nil
	}
	began := s.now()
	admission, refused := s.callerLimits.Admit(ctx, limit.Call{Route: l.route.Name, Caller: c.callerName(), Tokens: c.tokensOf(l)})
	if waited := s.now().Sub(began); waited >= leastQueued {
		c.queued += waited
		c.waited += waited
	}
	if refused == nil {
		l.limit = admission
		return nil
	}
	l.standing = &refused.Standing
	if refused.Left {
		return s.outOfTime(c)
	}
	l.route.noTarget.Limited(telemetry.Limited{Per: string(refused.Per), What: refused.What, Result: telemetry.LimitRefused})
	return c.limited(l, refused)
}

// tokensOf estimates what a call will use, for limits of tokens.
func (c *call) tokensOf(l *leg) int64 {
	if !l.route.limitsTokens || c.place.free() {
		return 0
	}
	output := l.query.MaxOutputTokens
	if output == 0 {
		output = defaultOutputTokens
	}
	return l.query.PromptTokens + output
}

// limited is the refusal of a limit.
func (c *call) limited(l *leg, r *limit.Refusal) *Error {
	whose := fmt.Sprintf("ModelRoute %q", l.route.Name)
	if r.Per == "Caller" {
		whose += " for " + c.callerName()
	}
	message := fmt.Sprintf("the limit of %s, %d %s, is reached", whose, r.Limit, r.What)
	if r.RetryAfter <= 0 {
		return &Error{
			Code: CodeRateLimited, Status: http.StatusTooManyRequests, DialectCode: string(CodeRateLimited),
			Message: fmt.Sprintf("the request alone is larger than the limit of %s, %d %s; make it smaller, max_tokens too", whose, r.Limit, r.What),
		}
	}
	if r.Queue {
		message += ", and the queue before it is full or too long"
	}
	refusal := &Error{Code: CodeRateLimited, Status: http.StatusTooManyRequests, Message: message + "; try again in " + roundUp(r.RetryAfter).String()}
	return refusal.withRetryAfter(r.RetryAfter)
}

// roundUp rounds up to whole milliseconds.
func roundUp(d time.Duration) time.Duration {
	return (d + time.Millisecond - 1).Truncate(time.Millisecond)
}
