package server

import (
	"bytes"
	"cmp"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/endpoint"
	"signalbox.dev/signalbox/proxy/failure"
	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/upstream"
)

const (
	// maxErrorBody bounds what is read of a provider's error.
	maxErrorBody = 256 << 10
	redacted     = "[redacted]"
)

// upstreamFault tells whether a target failed for a reason that is not in the request.
func (e *Error) upstreamFault() bool {
	switch e.Kind {
	case table.None, table.BadRequest, table.ContextTooLong, table.ContentFiltered:
		return false
	default:
		return true
	}
}

// mostTelling is the error of the call when all attempts failed: the last one in which a provider said something of its load, else the last one. A last try
// that was in vain tells nothing that was not known before; nil when there were only such.
func mostTelling(attempts []attempt) *Error {
	for i := len(attempts) - 1; i >= 0; i-- {
		switch attempts[i].failure.Code {
		case CodeUpstreamRateLimited, CodeUpstreamUnavailable:
			return attempts[i].failure
		default:
		}
	}
	for i := len(attempts) - 1; i >= 0; i-- {
		if a := &attempts[i]; !a.lastTry || a.failure.Kind != table.KeyRejected {
			return a.failure
		}
	}
	return nil
}

// conclude adds to the error what all attempts came to.
func (c *call) conclude(failure *Error) *Error {
	metadata := dialect.Metadata{Attempts: c.describeAttempts()}
	for i := range c.attempts {
		if a := &c.attempts[i]; a.failure == failure {
			metadata.Provider, metadata.ProviderName, metadata.Status = a.target.credential, a.target.provider, a.status
			c.route, c.target, c.model = c.legs[a.leg].route, a.target, a.model
		}
	}
	failure.Metadata = &metadata
	if wait := c.soonest(); wait > 0 && (failure.Status == http.StatusTooManyRequests || failure.Status == http.StatusServiceUnavailable) {
		failure = failure.withRetryAfter(wait)
	}
	return failure
}

// soonest is the shortest time that a provider asked to be left alone for; 0 when none did.
func (c *call) soonest() time.Duration {
	var shortest time.Duration
	for i := range c.attempts {
		if f := c.attempts[i].failure; f != nil && f.RetryAfter > 0 && (shortest == 0 || f.RetryAfter < shortest) {
			shortest = f.RetryAfter
		}
	}
	return shortest
}

// describeAttempts are all attempts in their order.
func (c *call) describeAttempts() []dialect.Attempt {
	list := make([]dialect.Attempt, 0, len(c.attempts))
	for i := range c.attempts {
		list = append(list, c.attempts[i].describe())
	}
	return list
}

func (a *attempt) describe() dialect.Attempt {
	described := dialect.Attempt{
		Target: a.target.name, Provider: a.target.provider, Status: a.status, Outcome: string(CodeOK), DurationMS: a.duration.Milliseconds(),
	}
	if a.failure != nil {
		described.Outcome, described.Message = string(a.failure.Code), a.failure.Message
	}
	return described
}

// fail makes an error of this attempt. The text is said of the target's provider.
func (a *attempt) fail(kind table.FailureKind, code Code, status int, text string) *Error {
	name := a.target.provider
	if name == "" {
		name = "of target " + strconv.Quote(a.target.name)
	}
	if a.status != 0 {
		name += " (" + strconv.Itoa(a.status) + ")"
	}
	return &Error{Kind: kind, Code: code, Status: status, Message: "provider " + name + ": " + a.redact(text)}
}

// redact keeps the credential's secrets out of what the provider says; some providers quote it.
func (a *attempt) redact(text string) string {
	for _, secret := range a.secrets {
		text = strings.ReplaceAll(text, secret, redacted)
	}
	return text
}

// broken is the failure of an exchange that did not come to its end. spent is charged if the provider may have seen the request.
func (x *exchange) broken(ctx context.Context, err error, spent meter.Usage) *Error {
	kind, known := upstream.KindOf(err)
	if !known || kind != upstream.NotSent {
		x.call.charge(spent, x.attempt)
	}
	if failure := x.brokenForm(); failure != nil {
		return failure
	}
	if x.call.clientGone() {
		return clientClosed()
	}
	failure := x.describeBreak(ctx, err, kind)
	failure.Cause = err
	return failure
}

// brokenForm is the error of a form that the client did not send to its end; nil otherwise.
func (x *exchange) brokenForm() *Error {
	form := x.call.form
	if form == nil || form.spool.whole() {
		return nil
	}
	return asError(x.server.formError(x.call, form.spool.broken()))
}

func (x *exchange) describeBreak(ctx context.Context, err error, kind upstream.Kind) *Error {
	if ctx.Err() != nil {
		return x.timedOut(context.Cause(ctx))
	}
	var tooLarge *sse.TooLargeError
	var encoding *encodingError
	switch a := x.attempt; {
	case endpoint.IsDenied(err):
		return a.fail(table.Unreachable, CodeUpstreamUnreachable, http.StatusBadGateway, "its endpoint is at an address that must not be called")
	case errors.As(err, &encoding):
		return a.fail(table.BrokenAnswer, CodeUpstreamInvalidAnswer, http.StatusBadGateway, "its answer has a content encoding that cannot be undone")
	case errors.As(err, &tooLarge), errors.Is(err, errTooLarge):
		return a.fail(table.BrokenAnswer, CodeUpstreamInvalidAnswer, http.StatusBadGateway, "its answer is larger than the proxy takes")
	case errors.Is(err, errNoBuffers):
		return overloaded("the proxy holds as many answers as it can; try again")
	case kind == upstream.NotSent:
		return a.fail(table.Unreachable, CodeUpstreamUnreachable, http.StatusBadGateway, "no connection could be made")
	case kind == upstream.SentNoResponse:
		return a.fail(table.BrokenAnswer, CodeUpstreamBroken, http.StatusBadGateway, "the connection broke before the answer came")
	case kind == upstream.BadResponse:
		return a.fail(table.BrokenAnswer, CodeUpstreamInvalidAnswer, http.StatusBadGateway, "its answer is not proper HTTP")
	default:
		return a.fail(table.BrokenAnswer, CodeUpstreamBroken, http.StatusBadGateway, "its answer broke off")
	}
}

// timedOut names the timeout that ended the attempt.
func (x *exchange) timedOut(cause error) *Error {
	timeouts := x.call.route
	kind, text := table.Timeout, "the call took longer than timeouts.total, "+x.call.total().String()
	switch {
	case errors.Is(cause, errFirstTokenTimeout):
		kind, text = table.FirstTokenTimeout, "no first token within timeouts.firstToken, "+timeouts.FirstToken.String()
	case errors.Is(cause, errAttemptTimeout):
		text = "no answer within timeouts.attempt, " + timeouts.Attempt.String()
	case errors.Is(cause, errIdleTimeout):
		kind, text = table.Stalled, "its stream was silent for timeouts.idle, "+timeouts.Idle.String()
	}
	return x.attempt.fail(kind, CodeUpstreamTimeout, http.StatusGatewayTimeout, text)
}

// refused is the failure of an exchange that ended with an HTTP status other than 200.
func (s *Server) refused(x *exchange) *Error {
	x.call.reach(x.attempt)
	body := s.buffers.get()
	defer s.buffers.put(body)
	// What can be read of the error is enough; a broken rest changes nothing.
	_ = s.buffers.readAll(body, x.answer, reading{limit: maxErrorBody, declared: -1})
	if x.call.clientGone() {
		return clientClosed()
	}
	said := dialect.ParseError(body.bytes)
	x.chargeProxied()
	if failure := x.refusedByProxy(body.bytes, said); failure != nil {
		return failure
	}
	failure := x.classify(x.response.StatusCode, said)
	if failure.Code != CodeUpstreamRejected {
		return failure
	}
	failure.Header = http.Header{}
	x.passHeader(failure.Header)
	if x.speaksForItself(said) && int64(len(body.bytes)) <= maxErrorBody && !x.quotesSecret(body.bytes) {
		failure.Verbatim = bytes.Clone(body.bytes)
	}
	return failure
}

// speaksForItself tells whether the client understands the provider's error as it is.
func (x *exchange) speaksForItself(said neutral.Error) bool {
	if x.offer.API != x.call.place.api || !said.JSON {
		return false
	}
	if x.call.place.flavor == dialect.OpenRouterFlavor && x.attempt.target.provider != openRouter {
		return false // Its clients take the code for the status.
	}
	switch x.offer.API {
	case neutral.Messages, neutral.CountTokens:
		// Vertex AI and Bedrock have errors of their own in front of Anthropic's.
		return !x.offer.ModelInPath
	default:
		return true
	}
}

func (x *exchange) quotesSecret(body []byte) bool {
	return slices.ContainsFunc(x.attempt.secrets, func(secret string) bool { return bytes.Contains(body, []byte(secret)) })
}

// classify makes the failure of an error that the provider said, with the answer's own status or that of an error inside an answer of status 200.
func (x *exchange) classify(status int, said neutral.Error) *Error {
	a := x.attempt
	if status < http.StatusBadRequest {
		return a.fail(table.BrokenAnswer, CodeUpstreamInvalidAnswer, http.StatusBadGateway, "its endpoint answered with a status that the API does not have")
	}
	switch kind := failure.Of(a.target.provider, status, said); kind {
	case table.KeyRejected, table.QuotaExhausted:
		return x.retryLater(x.keyRefused(kind, status), said)
	case table.RateLimited:
		return x.retryLater(a.fail(kind, CodeUpstreamRateLimited, http.StatusTooManyRequests, said.Message), said)
	case table.Timeout:
		return a.fail(kind, CodeUpstreamTimeout, http.StatusGatewayTimeout, said.Message)
	case table.Capacity:
		return x.retryLater(a.fail(kind, CodeUpstreamUnavailable, http.StatusServiceUnavailable, said.Message), said)
	case table.Unavailable:
		answered := http.StatusBadGateway
		if status == http.StatusServiceUnavailable {
			answered = status
		}
		return x.retryLater(a.fail(kind, CodeUpstreamUnavailable, answered, said.Message), said)
	default:
		if status >= http.StatusInternalServerError {
			// The error stands inside an answer of status 200.
			status = http.StatusBadRequest
		}
		rejected := a.fail(kind, CodeUpstreamRejected, status, said.Message)
		rejected.Param, rejected.DialectCode = said.Param, said.Code
		return rejected
	}
}

// keyRefused is the failure of a key that the provider does not take. The caller's credentials are fine, and the provider's words may quote ours.
func (x *exchange) keyRefused(kind table.FailureKind, status int) *Error {
	whose := accountName(x.attempt.target.credential)
	what := "it refused the key or account of %s in namespace %q with status %d"
	if x.credential.ring.Len() > 1 {
		whose, what = fmt.Sprintf("key %q of %s", x.key.name, whose), "it refused the %s in namespace %q with status %d"
	}
	if kind == table.QuotaExhausted {
		what = "the quota or credit of %s in namespace %q is used up, it said with status %d"
	}
	text := fmt.Sprintf(what, whose, x.call.snapshot.namespace, status) + "; your own credentials are fine, and the conditions of that object say more"
	return x.attempt.fail(kind, CodeUpstreamAuthFailed, http.StatusBadGateway, text)
}

// retryLater passes on when the provider wants to be asked again.
func (x *exchange) retryLater(refused *Error, said neutral.Error) *Error {
	refused.RetryAfter = cmp.Or(health.ReadRetryAfter(x.response.Header, x.server.now()), failure.RetryAfter(said))
	if refused.RetryAfter > 0 && refused.Status != http.StatusBadGateway {
		refused = refused.withRetryAfter(refused.RetryAfter)
	}
	return refused
}

// saidInside is the failure of an answer of status 200 that holds an error. Its code is a status in OpenRouter's dialect.
func (x *exchange) saidInside(said neutral.Error) *Error {
	status, err := said.Status, error(nil)
	if status == 0 {
		status, err = strconv.Atoi(said.Code)
	}
	if err != nil || status < http.StatusBadRequest || status > 599 {
		status = http.StatusBadGateway
	}
	return x.classify(status, said)
}

// isEncodingError tells whether an error is one of gzip's or flate's own.
func isEncodingError(err error) bool {
	var corrupt flate.CorruptInputError
	return errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.As(err, &corrupt)
}
