package server

import (
	"net/http"
	"time"
)

// shed refuses requests beyond the bound at once and without reading their bodies, so that those within it get what they need.
func (s *Server) shed(next handler) handler {
	return func(c *call) error {
		if s.inFlight.Load() > s.limits.Concurrent {
			s.metrics.Overloaded()
			return overloaded("the proxy is answering as many requests as it can; try again").withHeader(headerConnection, closeConnection)
		}
		return next(c)
	}
}

func overloaded(message string) *Error {
	refusal := &Error{Code: CodeOverloaded, Status: http.StatusServiceUnavailable, Message: message}
	return refusal.withRetryAfter(time.Second)
}
