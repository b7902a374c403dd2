package server

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
)

// isolate makes a panic the error of this one request. What the request has used is settled on the way, by generate's own defer.
func (s *Server) isolate(next handler) handler {
	return func(c *call) (err error) {
		defer func() {
			reason := recover()
			if reason == nil {
				return
			}
			if cause, ok := reason.(error); ok && errors.Is(cause, http.ErrAbortHandler) {
				panic(reason)
			}
			s.log.Error("a request panicked", "request_id", c.id, "reason", fmt.Sprint(reason), "stack", string(debug.Stack()))
			err = &Error{
				Code: CodeInternal, Status: http.StatusInternalServerError, Message: "the proxy failed; its log says why",
				Cause: errors.New("the request panicked"),
			}
		}()
		return next(c)
	}
}
