package server

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/table"
)

// Code is what went wrong, one word of a closed list. It is the "code" of error bodies, a metric label and a field of the access log.
type Code string

// The codes, with the HTTP status they are answered with.
const (
	// CodeOK is no error.
	CodeOK Code = "ok"

	// CodePathNotFound: 404, the path is none that the proxy serves.
	CodePathNotFound Code = "path_not_found"
	// CodeMethodNotAllowed: 405, the path takes another method.
	CodeMethodNotAllowed Code = "method_not_allowed"
	// CodeUnsupportedMediaType: 415, the body is not sent as JSON.
	CodeUnsupportedMediaType Code = "unsupported_media_type"
	// CodePayloadTooLarge: 413, the body exceeds the limit.
	CodePayloadTooLarge Code = "payload_too_large"
	// CodeRequestTimeout: 408, the body came too slowly.
	CodeRequestTimeout Code = "request_timeout"
	// CodeRequestIncomplete: 400, the body ended early.
	CodeRequestIncomplete Code = "request_incomplete"
	// CodeInvalidRequest: 400, the body cannot be understood. The reply carries the dialect's own code instead.
	CodeInvalidRequest Code = "invalid_request"
	// CodeMissingCredentials: 401, the request has no token.
	CodeMissingCredentials Code = "missing_credentials"
	// CodeUnauthenticated: 401, the token is not known, expired or meant for somebody else.
	CodeUnauthenticated Code = "invalid_credentials"
	// CodeAccessDenied: 403, the caller is known and may not use this route.
	CodeAccessDenied Code = "access_denied"
	// CodeModelNotFound: 404, no route serves the model.
	CodeModelNotFound Code = "model_not_found"
	// CodeGenerationNotFound: 404, no call of the caller's has the id.
	CodeGenerationNotFound Code = "generation_not_found"
	// CodeBudgetExceeded: 402, a SpendBudget has reached its limit.
	CodeBudgetExceeded Code = "budget_exceeded"
	// CodeUnpriced: 402, a SpendBudget refuses calls whose price is not known.
	CodeUnpriced Code = "price_unknown"
	// CodeUnboundedCost: 400, a Hard SpendBudget refuses calls whose cost has no upper bound.
	CodeUnboundedCost Code = "unbounded_cost"
	// CodeJournalFull: 503, usage records have no room, and the platform chose to refuse calls then.
	CodeJournalFull Code = "journal_full"
	// CodeLedgerUnavailable: 503, a SpendBudget cannot be counted.
	CodeLedgerUnavailable Code = "ledger_unavailable"
	// CodeRateLimited: 429, a limit of the route refuses the call.
	CodeRateLimited Code = "rate_limit_exceeded"
	// CodeLoopDetected: 508, the call has passed this route before, or too many namespaces.
	CodeLoopDetected Code = "loop_detected"
	// CodeNoEligibleTarget: 503, every target of the route is excluded.
	CodeNoEligibleTarget Code = "no_eligible_target"
	// CodeUnsupportedByTargets: 400, no target of the route can do what the request asks for.
	CodeUnsupportedByTargets Code = "unsupported_by_targets"
	// CodeOverloaded: 503, too many requests are being answered.
	CodeOverloaded Code = "overloaded"
	// CodeIssuerUnavailable: 503, nobody can say whether the token's issuer has the key that signed it.
	CodeIssuerUnavailable Code = "issuer_unavailable"
	// CodeNotReady: 503, the proxy has no routing table yet.
	CodeNotReady Code = "not_ready"
	// CodeInternal: 500, a defect of the proxy.
	CodeInternal Code = "internal_error"
	// CodeClientClosed: 499, the client left before the answer, so nobody is likely to read this.
	CodeClientClosed Code = "client_closed"

	// CodeUpstreamRejected: the provider's own 4xx status; the provider found fault with the request.
	CodeUpstreamRejected Code = "upstream_rejected"
	// CodeUpstreamRateLimited: 429, the provider limits the rate.
	CodeUpstreamRateLimited Code = "upstream_rate_limited"
	// CodeUpstreamUnavailable: 503 when the provider said 503 or the like, else 502; the provider failed.
	CodeUpstreamUnavailable Code = "upstream_unavailable"
	// CodeUpstreamUnreachable: 502, no connection, or it broke before the answer.
	CodeUpstreamUnreachable Code = "upstream_unreachable"
	// CodeUpstreamAuthFailed: 502, the provider refused the key of the ProviderCredential, or its account.
	CodeUpstreamAuthFailed Code = "upstream_auth_failed"
	// CodeUpstreamInvalidAnswer: 502, the provider's answer is not what its API promises.
	CodeUpstreamInvalidAnswer Code = "upstream_invalid_answer"
	// CodeUpstreamBroken: the answer broke off. 502 before its first byte was sent on; after that the last event of the stream.
	CodeUpstreamBroken Code = "upstream_broken"
	// CodeUpstreamTimeout: 504, the provider did not answer in the route's time.
	CodeUpstreamTimeout Code = "upstream_timeout"
)

// statusClientClosed is the status, of nginx's making, for a client that left before its answer.
const statusClientClosed = 499

// Error is a refused or failed request, and all that its reply says.
type Error struct {
	// Kind is how an attempt at a target failed, which decides what follows; None for all other errors.
	Kind table.FailureKind
	// Policy tells that a target refused the call by a rule of its own, which says nothing of how it does.
	Policy bool
	// RetryAfter is how long the provider wants to be left alone; 0 when it did not say.
	RetryAfter time.Duration
	// Code of the error.
	Code Code
	// Status of the reply.
	Status int
	// Message for the caller: what is wrong, where, and what to do.
	Message string
	// Param is the field of the request that is wrong, if one is.
	Param string
	// DialectCode stands in the reply instead of Code where the dialect has a finer word of its own.
	DialectCode string
	// Metadata of the reply; may be nil.
	Metadata *dialect.Metadata
	// Header is added to the reply's; may be nil.
	Header http.Header
	// Verbatim is the provider's own reply, sent as it is; nil for a reply of ours.
	Verbatim []byte
	// Cause goes to the access log and never to the caller; may be nil.
	Cause error
}

// Error is the code and the message.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Cause }

// asError makes every error one of the closed list. What is not on it is a defect, whose text stays inside.
func asError(err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	return &Error{Code: CodeInternal, Status: http.StatusInternalServerError, Message: "the proxy failed; its log says why", Cause: err}
}

// kind is the "type" of the error body, the coarse words that OpenAI's clients know.
func (e *Error) kind() string {
	switch {
	case e.Status == http.StatusUnauthorized:
		return "authentication_error"
	case e.Status == http.StatusForbidden:
		return "permission_error"
	case e.Status == http.StatusPaymentRequired:
		return "insufficient_quota"
	case e.Status == http.StatusTooManyRequests:
		return "rate_limit_error"
	case e.Status >= http.StatusInternalServerError:
		return "api_error"
	default:
		return "invalid_request_error"
	}
}

// reply is the error in the words of the call's surface.
func (c *call) reply(e *Error, now time.Time) dialect.ErrorReply {
	code := string(e.Code)
	if e.DialectCode != "" {
		code = e.DialectCode
	}
	reply := dialect.ErrorReply{
		Flavor: c.place.flavor, RequestID: c.id,
		Status: e.Status, Message: e.Message, Type: e.kind(), Param: e.Param, Code: code, Metadata: e.Metadata,
		Array: c.inbound.Head.Array,
	}
	if len(c.legs) > 0 && !c.started() && c.wantsMetadata() {
		reply.Routing = c.routingMetadata(now)
	}
	return reply
}

// withHeader sets a header of the reply.
func (e *Error) withHeader(name, value string) *Error {
	if value == "" {
		return e
	}
	if e.Header == nil {
		e.Header = http.Header{}
	}
	e.Header.Set(name, value)
	return e
}

// withRetryAfter tells the caller when to come back: in whole seconds, at least one, and in milliseconds for clients that know them.
func (e *Error) withRetryAfter(d time.Duration) *Error {
	return e.withHeader(headerRetryAfter, formatSeconds(d)).withHeader(headerRetryAfterMS, strconv.FormatInt(int64(roundUp(d)/time.Millisecond), 10))
}
