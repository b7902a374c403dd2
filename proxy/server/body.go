package server

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"time"
)

// readBody reads the client's body: bounded, in the time that its size deserves, and only if it says that it is JSON.
func (s *Server) readBody(c *call) error {
	if !isJSON(c.r.Header[headerContentType]) {
		return &Error{
			Code: CodeUnsupportedMediaType, Status: http.StatusUnsupportedMediaType,
			Message: "the body must be sent with Content-Type: application/json",
		}
	}
	if encoding := c.r.Header["Content-Encoding"]; len(encoding) > 0 && encoding[0] != "identity" {
		return &Error{
			Code: CodeUnsupportedMediaType, Status: http.StatusUnsupportedMediaType,
			Message: "the body must be sent as it is, without Content-Encoding",
		}
	}
	if c.r.ContentLength > s.limits.BodyBytes {
		return s.tooLarge()
	}
	began := s.now()
	c.body = s.buffers.get()
	pace := &bodyPace{call: c, limits: &s.limits, began: began}
	err := s.buffers.readAll(c.body, c.r.Body, reading{limit: s.limits.BodyBytes, declared: c.r.ContentLength, before: pace.before})
	c.waited += s.now().Sub(began)
	c.bytesIn = c.body.len()
	if err != nil {
		return s.bodyError(c, err)
	}
	c.bodyRead = true
	// Without this the deadline would strike while the connection is only watched for the client's leaving.
	_ = c.control.SetReadDeadline(time.Time{})
	return nil
}

// bodyPace gives a body its grace and then the time that its bytes take at the lowest rate.
type bodyPace struct {
	call   *call
	limits *Limits
	began  time.Time
	// earned is the time that the deadline gives beyond the grace, once it is set.
	earned time.Duration
	set    bool
}

// before moves the deadline, if the bytes read so far have earned more time.
func (b *bodyPace) before(read int64) {
	earned := time.Duration(read/b.limits.BodyBytesPerSecond) * time.Second
	if b.set && earned == b.earned {
		return
	}
	b.earned, b.set = earned, true
	// A connection that knows no deadlines, as in tests, goes without.
	_ = b.call.control.SetReadDeadline(b.began.Add(b.limits.BodyGrace + earned))
}

func (s *Server) tooLarge() *Error {
	refusal := &Error{
		Code: CodePayloadTooLarge, Status: http.StatusRequestEntityTooLarge,
		Message: fmt.Sprintf("the body is larger than %d bytes", s.limits.BodyBytes),
	}
	return refusal.withHeader(headerConnection, closeConnection)
}

// bodyError says what kept a body from being read. The rest of it is not wanted, so the connection ends with the reply.
func (s *Server) bodyError(c *call, err error) error {
	switch {
	case errors.Is(err, errTooLarge):
		return s.tooLarge()
	case errors.Is(err, errNoBuffers):
		return overloaded("the proxy holds as many request bodies as it can; try again").withHeader(headerConnection, closeConnection)
	case errors.Is(err, os.ErrDeadlineExceeded):
		refusal := &Error{Code: CodeRequestTimeout, Status: http.StatusRequestTimeout, Message: "the body came too slowly", Cause: err}
		return refusal.withHeader(headerConnection, closeConnection)
	case c.r.Context().Err() != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return clientClosed()
	case !errors.Is(err, io.ErrUnexpectedEOF):
		refusal := &Error{
			Code: CodeRequestIncomplete, Status: http.StatusBadRequest,
			Message: fmt.Sprintf("the body cannot be read beyond %d bytes: its transfer coding is malformed", c.bytesIn), Cause: err,
		}
		return refusal.withHeader(headerConnection, closeConnection)
	default:
		// A client that closed only its sending side can still read this.
		refusal := &Error{
			Code: CodeRequestIncomplete, Status: http.StatusBadRequest,
			Message: fmt.Sprintf("the body ended after %d bytes, before its end", c.bytesIn), Cause: err,
		}
		return refusal.withHeader(headerConnection, closeConnection)
	}
}

func clientClosed() *Error {
	return &Error{Code: CodeClientClosed, Status: statusClientClosed, Message: "the client left before the answer"}
}

// isJSON accepts application/json, with parameters or without, and every +json type.
func isJSON(contentType []string) bool {
	if len(contentType) != 1 {
		return false
	}
	if contentType[0] == contentTypeJSON {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType[0])
	return err == nil && (media == contentTypeJSON || len(media) > len("+json") && media[len(media)-len("+json"):] == "+json")
}
