package upstream

import (
	"context"
	"errors"
	"fmt"
)

// Kind says how far a failed request got.
type Kind int

const (
	// NotSent means that no byte of the request was written: the address was denied or not found, the connection was
	// refused, the TLS handshake failed, or the context ended before. The provider cannot have seen the request.
	NotSent Kind = iota + 1
	// SentNoResponse means that the request was written, in part or whole, and that no complete response head came
	// back before the connection broke or the context ended. The provider may have acted on the request.
	SentNoResponse
	// BadResponse means that the answer is not HTTP/1.1 as RFC 9112 has it, or that its head exceeds the limit.
	BadResponse
	// BodyBroken means that a response began well and its body did not end well: truncated, wrongly framed, or cut by
	// the end of the context. It is returned by Body.Read.
	BodyBroken
)

// String returns the kind as it stands in logs, such as "not sent".
func (k Kind) String() string {
	switch k {
	case NotSent:
		return "not sent"
	case SentNoResponse:
		return "sent, no response"
	case BadResponse:
		return "bad response"
	case BodyBroken:
		return "body broken"
	}
	return "unknown"
}

// Error is a failed request or a failed read of a response body.
type Error struct {
	// Kind says how far the request got.
	Kind Kind
	// Reused is true when the connection had served an earlier request. Together with SentNoResponse it hints at a
	// server that closed an idle connection in the moment it was used again.
	Reused bool
	// Err is the cause. When the request's context ended it is that context's cause, and nothing else.
	Err error
}

// Error returns the kind and the cause. It never holds headers or bodies.
func (e *Error) Error() string {
	return fmt.Sprintf("upstream request %s: %v", e.Kind, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error {
	return e.Err
}

// KindOf returns the kind of the first *Error in err's chain, and false when there is none.
func KindOf(err error) (Kind, bool) {
	var upstream *Error
	if !errors.As(err, &upstream) {
		return 0, false
	}
	return upstream.Kind, true
}

// fail builds the error of a connection that is given up. The end of the context closes the connection under whoever
// reads from it, so in that case the read error is only an echo and the context's cause is what happened.
func fail(ctx context.Context, c *conn, kind Kind, err error) *Error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return &Error{Kind: kind, Reused: c != nil && c.reused, Err: err}
}
