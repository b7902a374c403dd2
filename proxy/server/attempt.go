package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/provider/auth"
	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/table"
)

var errFirstTokenTimeout = errors.New("no first token within the route's firstToken timeout")

// attempt is one call to a provider.
type attempt struct {
	target   *targetEntry
	prices   *table.Prices
	secrets  []string // to keep them out of everything that the provider says
	began    time.Time
	duration time.Duration
	status   int
	failure  *Error
}

// tryTargets tries the targets in order until one has answered or the error is one that another target would not mend.
func (s *Server) tryTargets(ctx context.Context, c *call, candidates []route.WeightCandidate) error {
	for _, candidate := range candidates {
		if candidate.Excluded != "" {
			continue
		}
		failure := s.attempt(ctx, c, &c.route.targets[candidate.Index])
		switch {
		case failure == nil:
			return nil
		case failure.Code == CodeUnsupportedByTargets:
			continue
		case len(c.attempts) == 0:
			return failure
		case c.started() || !failure.Code.mayTryNext():
			return c.conclude(failure)
		case ctx.Err() != nil || !c.mayRepeat():
			return c.conclude(mostTelling(c.attempts))
		}
	}
	if len(c.attempts) == 0 {
		return c.unsupported()
	}
	return c.conclude(mostTelling(c.attempts))
}

// mayRepeat tells whether the request can be sent again: a form whose client broke off cannot.
func (c *call) mayRepeat() bool { return c.form == nil || c.form.spool.whole() }

// attempt calls one target and relays its answer. A nil result means that the client has its answer.
func (s *Server) attempt(parent context.Context, c *call, t *targetEntry) *Error {
	// The key and the endpoint that belongs to it come from the newest table, so that a new key is used and a removed one is not.
	newest := s.current.Load()
	credential := newest.credentials[t.credential]
	model := t.upstreamModel(c.inbound.Head.Model)
	unusable := unusable(credential, t)
	var x *exchange
	if unusable == "" {
		defer c.dropOutbound(s.buffers)
		var failure *Error
		if x, failure = s.prepare(c, t, credential); failure != nil {
			return failure
		}
	}
	ctx, cancel := parent, context.CancelCauseFunc(nil)
	if c.mayStream() {
		// Only a stream has timeouts of its own.
		ctx, cancel = context.WithCancelCause(parent)
		defer cancel(nil)
	}
	c.target, c.model = t, model
	c.attempts = append(c.attempts, attempt{target: t, prices: t.pricesOf(c.model)})
	a := &c.attempts[len(c.attempts)-1]
	a.began = s.now()
	if unusable != "" {
		a.failure = a.fail(CodeUpstreamUnreachable, http.StatusBadGateway, unusable)
	} else {
		a.secrets, c.report = credential.secrets, x.report
		x.attempt, x.transport = a, newest.transport
		a.failure = s.exchange(ctx, cancel, x)
	}
	a.duration = s.now().Sub(a.began)
	code := CodeOK
	if a.failure != nil {
		code = a.failure.Code
	}
	t.metrics.Attempted(string(code))
	if !c.started() {
		c.waited += a.duration
	}
	return a.failure
}

// mayStream tells whether the answer can be a stream, asked for or not.
func (c *call) mayStream() bool {
	return c.inbound.Head.Stream || c.place.api.Family() == neutral.Alone
}

// unusable says why the newest table's credential of a target cannot be used; "" when it can.
func unusable(credential *credentialEntry, t *targetEntry) string {
	if credential == nil {
		return fmt.Sprintf("ProviderCredential %q was deleted", t.credential)
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
	// firstToken ends the attempt when a stream has not begun in time; nil without a stream.
	firstToken *time.Timer
	response   *http.Response
	// body of the response, decompressed.
	answer io.Reader
}

// exchange sends the request and relays the answer.
func (s *Server) exchange(ctx context.Context, cancel context.CancelCauseFunc, x *exchange) *Error {
	if x.call.inbound.Head.Stream {
		x.firstToken = time.AfterFunc(x.call.route.FirstToken, func() { cancel(errFirstTokenTimeout) })
		defer x.firstToken.Stop()
	}
	response, err := s.roundTrip(ctx, x)
	if err != nil {
		return x.unanswered(ctx, err)
	}
	defer func() { _ = response.Body.Close() }()
	x.response, x.attempt.status = response, response.StatusCode
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

// unanswered is the failure of an exchange in which no answer began.
func (x *exchange) unanswered(ctx context.Context, err error) *Error {
	var token *auth.TokenError
	if errors.As(err, &token) && token.Refused() {
		return x.keyRefused(token.Status)
	}
	return x.broken(ctx, err, meter.EstimateUsage(x.call.promptBytes(), 0, 0))
}

// roundTrip sends the request, and returns once the head of the answer is there. What was sent counts towards the memory of all bodies only so long: the
// answer may take its time.
func (s *Server) roundTrip(ctx context.Context, x *exchange) (*http.Response, error) {
	request, err := x.request(ctx, x.call)
	if err != nil {
		return nil, err
	}
	response, err := x.transport.RoundTrip(request)
	request.Body, request.GetBody = nil, nil
	if x.sent != nil && x.sent.unread() {
		s.buffers.put(x.call.outbound)
		x.call.outbound = nil
	}
	x.call.dropOutbound(s.buffers)
	return response, err
}
