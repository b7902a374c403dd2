package server

import (
	"log/slog"
	"net/http"
	"time"
)

// Bounds of client connections.
const (
	// headerTimeout is how long the head of a request may take.
	headerTimeout = 10 * time.Second
	// idleTimeout is how long a connection may wait for its next request.
	idleTimeout = 2 * time.Minute
	// maxHeaderBytes bounds the head of a request.
	maxHeaderBytes = 32 << 10
	// maxHTTP2Streams bounds the requests of one HTTP/2 connection at a time.
	maxHTTP2Streams = 250
	// pingAfter is how long an HTTP/2 connection may be silent before it is asked whether it lives, and pingTimeout how long its answer may take.
	pingAfter   = time.Minute
	pingTimeout = 10 * time.Second
)

// HTTPServer returns a server of HTTP/1.1 and HTTP/2, with and without TLS, that answers with s. It bounds what clients can do below the level of requests; bodies and
// answers have deadlines of their own, for streams take as long as they take.
func (s *Server) HTTPServer() *http.Server {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		Protocols:         protocols,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxHTTP2Streams, SendPingTimeout: pingAfter, PingTimeout: pingTimeout, WriteByteTimeout: s.limits.WriteStall,
		},
		// What clients do wrong below HTTP is theirs to know; it can be a lot.
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}
