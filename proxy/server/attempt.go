package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"signalbox.dev/signalbox/proxy/dialect/openai"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/table"
)

var errFirstTokenTimeout = errors.New("no first token within the route's firstToken timeout")

// attempt is one call to a provider.
type attempt struct {
	target   *targetEntry
	prices   *table.Prices
	key      string // to keep it out of everything that the provider says
	began    time.Time
	duration time.Duration
	status   int
	failure  *Error
}

// tryTargets tries the targets in order until one has answered or the error is one that another target would not mend.
func (s *Server) tryTargets(ctx context.Context, c *call, candidates []route.Candidate) error {
	for _, candidate := range candidates {
		if candidate.Excluded != "" {
			continue
		}
		failure := s.attempt(ctx, c, &c.route.targets[candidate.Index])
		switch {
		case failure == nil:
			return nil
		case c.started() || !failure.Code.mayTryNext():
			return c.conclude(failure)
		case ctx.Err() != nil:
			return c.conclude(mostTelling(c.attempts))
		}
	}
	return c.conclude(mostTelling(c.attempts))
}

// attempt calls one target and relays its answer. A nil result means that the client has its answer.
func (s *Server) attempt(parent context.Context, c *call, t *targetEntry) *Error {
	ctx, cancel := parent, context.CancelCauseFunc(nil)
	if c.head.Stream {
		// Only a stream has timeouts of its own.
		ctx, cancel = context.WithCancelCause(parent)
		defer cancel(nil)
	}
	c.target, c.model = t, t.upstreamModel(c.head.Model)
	c.attempts = append(c.attempts, attempt{target: t, prices: t.pricesOf(c.model)})
	a := &c.attempts[len(c.attempts)-1]

	// The key and the endpoint that belongs to it come from the newest table, so that a new key is used and a removed one is not.
	newest := s.current.Load()
	request, err := newRequest(ctx, c, newest.credentials[t.credential])
	a.began = s.now()
	if err != nil {
		a.failure = a.fail(CodeUpstreamUnreachable, http.StatusBadGateway, err.Error())
	} else {
		a.key = newest.credentials[t.credential].key
		a.failure = s.exchange(ctx, cancel, exchange{call: c, attempt: a, request: request, transport: newest.transport})
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

// newRequest builds the provider's request. Its errors are words for the caller.
func newRequest(ctx context.Context, c *call, credential *credentialEntry) (*http.Request, error) {
	switch {
	case credential == nil:
		return nil, fmt.Errorf("ProviderCredential %q was deleted", c.target.credential)
	case credential.excluded != "":
		return nil, errors.New(credential.excluded)
	}
	streams := credential.provider.StreamUsage
	body := c.head.Rewrite(nil, c.body.bytes, openai.Edit{Model: c.model, ForceUsage: streams.Requestable()})
	request := credential.requests[c.place.upstream()].WithContext(ctx)
	request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	request.Header = forwardHeader(c, credential.provider.Name)
	for name, value := range credential.provider.Headers {
		request.Header.Set(name, value)
	}
	credential.provider.Authorize(request.Header, credential.key)
	return request, nil
}

// exchange is what one attempt works with.
type exchange struct {
	call      *call
	attempt   *attempt
	request   *http.Request
	transport http.RoundTripper
	// firstToken ends the attempt when a stream has not begun in time; nil without a stream.
	firstToken *time.Timer
	response   *http.Response
	// body of the response, decompressed.
	body io.Reader
}

// exchange sends the request and relays the answer.
func (s *Server) exchange(ctx context.Context, cancel context.CancelCauseFunc, x exchange) *Error {
	if x.call.head.Stream {
		x.firstToken = time.AfterFunc(x.call.route.FirstToken, func() { cancel(errFirstTokenTimeout) })
		defer x.firstToken.Stop()
	}
	response, err := x.transport.RoundTrip(x.request)
	if err != nil {
		return x.broken(ctx, err, meter.EstimateUsage(x.call.bytesIn, 0, 0))
	}
	defer func() { _ = response.Body.Close() }()
	x.response, x.attempt.status = response, response.StatusCode
	// The answer may take long; what was sent is not needed meanwhile.
	x.request.Body, x.request.GetBody = nil, nil
	if x.body, err = decompress(response); err != nil {
		return x.broken(ctx, err, meter.EstimateUsage(x.call.bytesIn, 0, 0))
	}
	switch {
	case response.StatusCode != http.StatusOK:
		return s.refused(&x)
	case x.call.head.Stream:
		return s.relayStream(ctx, cancel, &x)
	default:
		return s.relayAnswer(ctx, &x)
	}
}
