package server

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/identity"
)

// authenticate finds out who calls. Nobody gets past it without credentials, for any endpoint.
func (s *Server) authenticate(next handler) handler {
	return func(c *call) error {
		if c.snapshot == nil {
			refusal := &Error{Code: CodeNotReady, Status: http.StatusServiceUnavailable, Message: "the proxy has not received its routing table yet; try again"}
			return refusal.withRetryAfter(time.Second)
		}
		token, err := identity.Token(c.credentials())
		if err != nil {
			return unauthorized(err)
		}
		c.grant, err = s.recognise(c, token)
		if err != nil {
			return unauthorized(err)
		}
		c.caller = c.grant.Caller
		// Strangers can neither fill a collector nor choose the id of a trace.
		c.trace = s.tracer.Begin(c.r.Header, c.start)
		return next(c)
	}
}

// credentials is the header that the caller's token stands in. Gemini's older clients put it into the query, where no other API takes it; there it counts like
// the header that Gemini's newer ones use, so that another one beside it is refused.
func (c *call) credentials() http.Header {
	if c.place.api != neutral.GenerateContent {
		return c.r.Header
	}
	keys := c.r.URL.Query()["key"]
	if len(keys) == 0 {
		return c.r.Header
	}
	header := c.r.Header.Clone()
	for _, key := range keys {
		if !slices.Contains(header["X-Goog-Api-Key"], key) {
			header["X-Goog-Api-Key"] = append(header["X-Goog-Api-Key"], key)
		}
	}
	return header
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
