package server

import (
	"errors"
	"net/http"
	"time"

	"signalbox.dev/signalbox/proxy/identity"
)

// authenticate finds out who calls. Nobody gets past it without credentials, for any endpoint.
func (s *Server) authenticate(next handler) handler {
	return func(c *call) error {
		if c.snapshot == nil {
			refusal := &Error{Code: CodeNotReady, Status: http.StatusServiceUnavailable, Message: "the proxy has not received its routing table yet; try again"}
			return refusal.withRetryAfter(time.Second)
		}
		token, err := identity.Token(c.r.Header)
		if err != nil {
			return unauthorized(err)
		}
		c.caller, err = c.snapshot.authenticator.Authenticate(token, c.start)
		if err != nil {
			return unauthorized(err)
		}
		return next(c)
	}
}

// unauthorized makes a refusal of an identity error, whose message is written for the caller and never holds the token.
func unauthorized(err error) error {
	var refusal *identity.Error
	if !errors.As(err, &refusal) {
		return err
	}
	code := CodeUnauthenticated
	if refusal.Reason == identity.Missing {
		code = CodeMissingCredentials
	}
	reply := &Error{Code: code, Status: http.StatusUnauthorized, Message: refusal.Message, Cause: refusal}
	return reply.withHeader("WWW-Authenticate", "Bearer")
}
