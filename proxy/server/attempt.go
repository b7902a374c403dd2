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
	"signalbox.dev/signalbox/proxy/upstream"
)

// editRoom is how much longer than the model's name a request becomes on its way, by the request for usage and by quotes.
const editRoom = 64

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
	credential := newest.credentials[t.credential]
	a.began = s.now()
	if reason := unusable(credential, t); reason != "" {
		a.failure = a.fail(CodeUpstreamUnreachable, http.StatusBadGateway, reason)
	} else {
		a.key = credential.key
		a.failure = s.exchange(ctx, cancel, exchange{call: c, attempt: a, transport: newest.transport, credential: credential})
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

// unusable says why the newest table's credential of a target cannot be used; "" when it can.
func unusable(credential *credentialEntry, t *targetEntry) string {
	if credential == nil {
		return fmt.Sprintf("ProviderCredential %q was deleted", t.credential)
	}
	return credential.excluded
}

// rewrite appends the body for the provider to dst.
func (c *call) rewrite(dst []byte, credential *credentialEntry) []byte {
	edit := openai.Edit{Model: c.model, Usage: openai.DropUsage}
	if credential.provider.StreamUsage.Requestable() {
		edit.Usage = openai.ForceUsage
	}
	return openai.Rewrite(dst, c.body.bytes, c.head, edit)
}

// newRequest builds the provider's request.
func newRequest(ctx context.Context, c *call, credential *credentialEntry, body []byte) *http.Request {
	request := credential.requests[c.place.upstream()].WithContext(ctx)
	request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	request.Header = forwardHeader(c, credential)
	return request
}

// exchange is what one attempt works with.
type exchange struct {
	call       *call
	attempt    *attempt
	credential *credentialEntry
	transport  http.RoundTripper
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
	response, err := s.roundTrip(ctx, &x)
	if err != nil {
		return x.broken(ctx, err, meter.EstimateUsage(x.call.bytesIn, 0, 0))
	}
	defer func() { _ = response.Body.Close() }()
	x.response, x.attempt.status = response, response.StatusCode
	x.body, err = decompress(response)
	switch {
	case response.StatusCode != http.StatusOK:
		if err != nil {
			// The status says enough; such an error page was not paid for.
			x.body = http.NoBody
		}
		return s.refused(&x)
	case err != nil:
		return x.broken(ctx, err, meter.EstimateUsage(x.call.bytesIn, 0, 0))
	case x.call.head.Stream:
		return s.relayStream(ctx, cancel, &x)
	default:
		return s.relayAnswer(ctx, &x)
	}
}

// roundTrip sends the request, and returns once the head of the answer is there. What was sent counts towards the memory of all bodies only so long: the
// answer may take its time.
func (s *Server) roundTrip(ctx context.Context, x *exchange) (*http.Response, error) {
	sent, err := s.buffers.reserve(x.call.body.len() + int64(len(x.call.model)) + editRoom)
	if err != nil {
		return nil, &upstream.Error{Kind: upstream.NotSent, Err: err}
	}
	defer s.buffers.drop(sent)
	request := newRequest(ctx, x.call, x.credential, x.call.rewrite(sent.bytes, x.credential))
	response, err := x.transport.RoundTrip(request)
	request.Body, request.GetBody = nil, nil
	return response, err
}
