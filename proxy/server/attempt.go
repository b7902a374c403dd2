package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/provider/auth"
	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/tracing"
	"signalbox.dev/signalbox/proxy/upstream"
)

var (
	errFirstTokenTimeout = errors.New("no first token within the route's firstToken timeout")
	errAttemptTimeout    = errors.New("no answer within the route's attempt timeout")
)

// attempt is one call to a provider.
type attempt struct {
	target *targetEntry
	// leg is the number of the call's leg that it belongs to, and account that of the one that is charged.
	leg, account int
	model        string // that the provider was asked for
	key          string // its name; empty without one
	prices       *table.Prices
	secrets      []string // to keep them out of everything that the provider says
	began        time.Time
	// health is told how the attempt goes.
	health     health.Attempt
	firstToken time.Duration
	duration   time.Duration
	usage      meter.Usage
	status     int
	failure    *Error

	// reservation is what budgets hold for the attempt; nil before and after. bound is the most that it can cost, in nano-dollars, if bounded tells that a Hard
	// budget has reserved it, here or at the proxy that calls; else 0.
	reservation *ledger.Reservation
	bound       int64
	bounded     bool
	// outputLimit is the number of tokens of each choice that the provider is told; 0 leaves it to the request. shrunkBy is the budget that lowered it.
	outputLimit int64
	shrunkBy    string
	spent       bill
	// trace is nil without one.
	trace *tracing.Attempt
	// sent tells that the provider may have seen the request, charged that what it used is in spent, and ended that it is known how the attempt went.
	sent, charged, ended bool
	// again tells that it was made with another key because the one before could not be used, dropped that its own key had to be given up before it was sent, and
	// renewed that what was given for its key was refused, which says nothing of the key.
	again, dropped, renewed bool
	// lastTry tells that the provider had refused its key, and the call had nothing else left.
	lastTry bool
}

// mayRepeat tells whether the request can be sent again: a form whose client broke off cannot.
func (c *call) mayRepeat() bool { return c.form == nil || c.form.spool.whole() }

// attempt calls a candidate's target and relays its answer. A nil failure means that the client has its answer. A target that is passed over is no attempt.
// A key that cannot be used is no matter of the route's: the target is called again with another one, if it has one.
func (s *Server) attempt(parent context.Context, c *call, v visit) (failure *Error, passed route.Exclusion) {
	failure, passed = s.attemptServing(parent, c, &v)
	for passed == 0 && s.again(parent, c, &v, failure) {
		again, out := s.attemptServing(parent, c, &v)
		if out != 0 {
			break
		}
		failure = again
	}
	return v.conclude(failure), passed
}

// attemptServing is one attempt. Where another call is finding out whether a withdrawn model is back, this one goes to the successor.
func (s *Server) attemptServing(parent context.Context, c *call, v *visit) (failure *Error, passed route.Exclusion) {
	failure, passed = s.attemptOnce(parent, c, v)
	t := &c.legs[v.candidate.Route].route.targets[v.candidate.Index]
	if passed == outBegun && t.heir != nil && t.withdrawn(s.now()) {
		return s.attemptOnce(parent, c, v)
	}
	return failure, passed
}

// attemptOnce is attempt with the model that serves now, and with one key.
func (s *Server) attemptOnce(parent context.Context, c *call, v *visit) (failure *Error, passed route.Exclusion) {
	candidate := v.candidate
	l := &c.legs[candidate.Route]
	t := &l.route.targets[candidate.Index]
	// The key and the endpoint that belongs to it come from the newest table, so that a new key is used and a removed one is not.
	newest := s.current.Load()
	credential := newest.credentials[t.credential]
	now := s.now()
	upstream := s.serving(t, credential, now, l.model)
	next := attempt{
		target: t, leg: candidate.Route, account: l.account, model: upstream.model, prices: t.pricesOf(upstream.model), began: now,
		again: v.again || v.tried.Count()+v.renewed > 0,
	}
	if why := unusable(credential, t); why != "" {
		next.failure = next.fail(table.Unreachable, CodeUpstreamUnreachable, http.StatusBadGateway, why)
		s.endAttempt(parent, c, c.note(next))
		return next.failure, 0
	}
	if refusal, passed := s.reserve(parent, c, candidate, &next); refusal != nil || passed != 0 {
		return refusal, passed
	}
	// What the call has made an attempt of is settled with it.
	defer func() { next.release() }()
	defer c.dropOutbound(s.buffers)
	x, refusal := s.prepare(c, l, &next, credential)
	if refusal != nil {
		return passedOver(refusal)
	}
	if l.wantsAllParameters() && len(x.report.Dropped) > 0 {
		return passedOver(c.unsuitable(t, &neutral.UnsupportedError{Field: x.report.Dropped[0], Reason: parameterDropped}))
	}
	begun, may := upstream.begin(s.choosing(l, v, next.began))
	if !may {
		return nil, outBegun
	}
	// Only the first End counts: this one is for what panics.
	defer func() {
		begun.attempt.End(s.now(), health.Outcome{Neutral: true, Limits: health.RateLimits{RequestsLeft: -1, TokensLeft: -1}})
	}()
	x.key = &credential.keys[begun.place]
	next.health, next.lastTry, next.key, next.secrets = begun.attempt, begun.lastTry, x.key.name, credential.secrets
	if full := s.journalAttempt(c, &next); full != nil {
		return full, 0
	}
	x.attempt, x.transport, c.report = c.note(next), newest.transport, x.report
	next.reservation = nil
	x.attempt.failure = s.runExchange(parent, x, l)
	x.attempt.renewed = v.renew(x)
	s.endAttempt(parent, c, x.attempt)
	v.add(x.key, x.attempt.failure)
	return x.attempt.failure, 0
}

// release gives back what budgets hold for a target that was passed over.
func (a *attempt) release() {
	if a.reservation != nil {
		a.reservation.Release()
	}
}

// note adds an attempt to the call's.
func (c *call) note(a attempt) *attempt {
	c.target, c.model = a.target, a.model
	a.trace = c.traceAttempt(&a)
	c.attempts = append(c.attempts, a)
	return &c.attempts[len(c.attempts)-1]
}

// passedOver tells a target that cannot do what is asked for, which is no attempt, from an error of the request itself.
func passedOver(refusal *Error) (*Error, route.Exclusion) {
	if refusal.Code == CodeUnsupportedByTargets {
		return nil, outUnsuitable
	}
	return refusal, 0
}

// serving is the upstream model that a target's calls go to now, and its state under the newest keys.
func (s *Server) serving(t *targetEntry, credential *credentialEntry, now time.Time, asked string) pool {
	upstream := t.serving(now, asked)
	if credential != nil {
		upstream = upstream.under(credential.ring)
	}
	return upstream
}

// poolOf is what serves a candidate's target now, under the newest table; false where that cannot be used.
func (s *Server) poolOf(c *call, candidate route.Candidate, now time.Time) (upstream pool, usable bool) {
	l := &c.legs[candidate.Route]
	target := &l.route.targets[candidate.Index]
	credential := s.current.Load().credentials[target.credential]
	if unusable(credential, target) != "" {
		return pool{}, false
	}
	return s.serving(target, credential, now, l.model), true
}

// runExchange makes the exchange within the timeouts that its kind of answer has.
func (s *Server) runExchange(parent context.Context, x *exchange, l *leg) *Error {
	ctx := parent
	if l.query.Affinity != 0 {
		ctx = upstream.WithAffinity(ctx, l.query.Affinity)
	}
	switch {
	case x.call.mayStream():
		// A stream has timeouts of its own.
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		return s.exchange(ctx, cancel, x)
	case l.route.Attempt > 0:
		ctx, cancel := context.WithTimeoutCause(ctx, l.route.Attempt, errAttemptTimeout)
		defer cancel()
		return s.exchange(ctx, nil, x)
	default:
		return s.exchange(ctx, nil, x)
	}
}

// endAttempt tells how an attempt went.
func (s *Server) endAttempt(parent context.Context, c *call, a *attempt) {
	now := s.now()
	a.duration, a.ended = now.Sub(a.began), true
	code, kind := CodeOK, table.None
	if a.failure != nil {
		code, kind = a.failure.Code, a.failure.Kind
	}
	a.target.metrics.Attempted(string(code))
	if !c.started() {
		c.waited += a.duration
	}
	outcome := health.Outcome{
		Kind: kind, Neutral: a.failure != nil && (kind == table.None || a.dropped || a.renewed || a.failure.Policy || a.tooLargeAlone() || a.cutShort(parent, c.total())),
		Limits: health.RateLimits{RequestsLeft: -1, TokensLeft: -1},
		Stream: c.inbound.Head.Stream, FirstToken: a.firstToken, Duration: a.duration,
		Prompt: a.usage.Prompt, Cached: a.usage.Cached, Completion: a.usage.Completion,
	}
	if a.failure != nil {
		outcome.RetryAfter = a.failure.RetryAfter
	}
	a.health.End(now, outcome)
	a.endTrace(now)
	if !c.started() {
		s.settleAttempt(c, a)
	}
}

// tooLargeAlone tells whether the provider refused the request because it alone is above the rate limit, which says nothing of smaller ones (Groq).
func (a *attempt) tooLargeAlone() bool { return a.status == http.StatusRequestEntityTooLarge }

// cutShort tells whether the call's total time ended an attempt that had had little of it, which is not the target's fault.
func (a *attempt) cutShort(call context.Context, total time.Duration) bool {
	return call.Err() != nil && a.duration < total/2
}

// mayStream tells whether the answer can be a stream, asked for or not.
func (c *call) mayStream() bool {
	return c.inbound.Head.Stream || c.place.api.Family() == neutral.Alone
}

// unusable says why the newest table's credential of a target cannot be used; "" when it can.
func unusable(credential *credentialEntry, t *targetEntry) string {
	if credential == nil {
		return accountName(t.credential) + " was deleted"
	}
	return credential.excluded
}

// exchange is what one attempt works with.
type exchange struct {
	work
	server    *Server
	call      *call
	attempt   *attempt
	transport http.RoundTripper
	// begin ends the attempt when an answer that can be a stream has not begun in time; nil for others, and without such a time.
	begin    *time.Timer
	response *http.Response
	// body of the response, decompressed.
	answer io.Reader
}

// exchange sends the request and relays the answer.
func (s *Server) exchange(ctx context.Context, cancel context.CancelCauseFunc, x *exchange) *Error {
	if x.begin = x.limitBegin(cancel); x.begin != nil {
		defer x.begin.Stop()
	}
	response, err := s.roundTrip(ctx, x)
	if err != nil {
		return x.unanswered(ctx, err)
	}
	defer func() { _ = response.Body.Close() }()
	x.response, x.attempt.status = response, response.StatusCode
	now := s.now()
	x.attempt.health.Answered(now, health.ReadRateLimits(response.Header, now))
	x.answer, err = decompress(response)
	switch {
	case response.StatusCode != http.StatusOK:
		if err != nil {
			// The status says enough; such an error page was not paid for.
			x.answer = http.NoBody
		}
		return s.refused(x)
	case err != nil:
		return x.broken(ctx, err, meter.EstimateUsage(x.call.promptBytes(), 0, 0))
	case x.answersRaw():
		return s.relayRaw(ctx, x)
	case x.call.inbound.Head.Stream || x.answersInEvents():
		return s.relayStream(ctx, cancel, x)
	default:
		return s.relayAnswer(ctx, x)
	}
}

// limitBegin bounds the time until an answer begins that can be a stream: its first token where one was asked for, else all of it or its first event.
func (x *exchange) limitBegin(cancel context.CancelCauseFunc) *time.Timer {
	switch r := x.call.route; {
	case x.call.inbound.Head.Stream:
		return time.AfterFunc(r.FirstToken, func() { cancel(errFirstTokenTimeout) })
	case x.call.mayStream() && r.Attempt > 0:
		return time.AfterFunc(r.Attempt, func() { cancel(errAttemptTimeout) })
	default:
		return nil
	}
}

// unanswered is the failure of an exchange in which no answer began.
func (x *exchange) unanswered(ctx context.Context, err error) *Error {
	kind, known := upstream.KindOf(err)
	if known && kind == upstream.NotSent && x.key.dropped() {
		x.attempt.dropped = true
		return x.keyDropped()
	}
	var token *auth.TokenError
	if errors.As(err, &token) && token.Refused() {
		return x.keyRefused(table.KeyRejected, token.Status)
	}
	return x.broken(ctx, err, meter.EstimateUsage(x.call.promptBytes(), 0, 0))
}

// Lost tells that the request does not get through to the provider, for now.
func (x *exchange) Lost() { x.attempt.health.Lost(x.server.now()) }

// Found tells that it does, after all.
func (x *exchange) Found() { x.attempt.health.Found() }

// roundTrip sends the request, and returns once the head of the answer is there. What was sent counts towards the memory of all bodies only so long: the
// answer may take its time.
func (s *Server) roundTrip(ctx context.Context, x *exchange) (*http.Response, error) {
	if x.key.limited() {
		ctx = upstream.WithCheck(ctx, x.key.check)
	}
	if x.credential.trust != nil {
		ctx = upstream.WithTrust(ctx, x.credential.trust)
	}
	ctx = upstream.WithWatcher(ctx, x)
	request, err := x.request(ctx, x.call)
	if err != nil {
		return nil, err
	}
	x.attempt.trace.SentTo(request.URL)
	if x.attempt.target.callsProxy() {
		x.attempt.trace.Inject(request.Header)
	}
	x.attempt.sent = true
	response, err := x.transport.RoundTrip(request)
	request.Body, request.GetBody = nil, nil
	if x.sent != nil && x.sent.unread() {
		s.buffers.put(x.call.outbound)
		x.call.outbound = nil
	}
	x.call.dropOutbound(s.buffers)
	return response, err
}
