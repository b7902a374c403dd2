package telemetry

import (
	"context"
	"io"
	"log/slog"
	"time"
	"unicode/utf8"
)

// maxLoggedModel bounds what a client can put into a log line.
const maxLoggedModel = 128

// Entry is one line of the access log. Fields that do not apply are left out of the line. Times are whole microseconds, which slog writes far cheaper than
// fractions.
type Entry struct {
	// Time at which the request came.
	Time time.Time
	// RequestID is the answer's x-request-id.
	RequestID string
	// Caller is the authenticated identity.
	Caller string
	// Method and Path of the request; Path without its query.
	Method, Path string
	// Operation that was asked for.
	Operation Operation
	// Route and Target that served it, and Provider.
	Route, Target, Provider string
	// Model that the client asked for; cut to 128 bytes.
	Model string
	// UpstreamModel that the provider was asked for.
	UpstreamModel string
	// Stream tells that a stream was asked for.
	Stream bool
	// Status of the answer; 0 if the client left before it.
	Status int
	// Code of the error, "ok" for none.
	Code string
	// Detail is what went wrong, in words that hold nothing of the client's content.
	Detail string
	// Attempts made.
	Attempts int
	// Usage of the request.
	Usage Usage
	// Priced tells that Usage.Cost is known.
	Priced bool
	// FirstToken is the time until the first token of a stream went out; 0 if none did.
	FirstToken time.Duration
	// Upstream is the time spent waiting for providers until the first byte of the answer.
	Upstream time.Duration
	// Duration of the request.
	Duration time.Duration
	// BytesIn and BytesOut are the lengths of the bodies.
	BytesIn, BytesOut int64
}

// AccessLog writes one JSON line for each request.
type AccessLog struct {
	handler slog.Handler
}

// NewAccessLog returns a log that writes to out, one whole line in each write.
func NewAccessLog(out io.Writer) *AccessLog {
	return &AccessLog{handler: slog.NewJSONHandler(out, nil)}
}

// Write writes the entry's line.
func (l *AccessLog) Write(e *Entry) {
	record := slog.NewRecord(e.Time, slog.LevelInfo, "request", 0)
	attrs := make([]slog.Attr, 0, 28)
	attrs = append(attrs, slog.String("request_id", e.RequestID), slog.String("method", e.Method), slog.String("path", e.Path))
	attrs = appendText(attrs, "caller", e.Caller)
	attrs = appendText(attrs, "route", e.Route)
	attrs = appendText(attrs, "target", e.Target)
	attrs = appendText(attrs, "provider", e.Provider)
	attrs = appendText(attrs, "model", bounded(e.Model))
	attrs = appendText(attrs, "upstream_model", e.UpstreamModel)
	attrs = append(attrs,
		slog.String("operation", e.Operation.String()),
		slog.Int("status", e.Status),
		slog.String("code", e.Code),
	)
	attrs = appendText(attrs, "detail", e.Detail)
	if e.Operation != OtherOperation {
		attrs = e.appendCall(attrs)
	}
	attrs = append(attrs,
		slog.Int64("duration_us", e.Duration.Microseconds()),
		slog.Int64("bytes_in", e.BytesIn),
		slog.Int64("bytes_out", e.BytesOut),
	)
	record.AddAttrs(attrs...)
	// The writer is a Buffer, which does not fail; a log has nowhere to report its own failure to.
	_ = l.handler.Handle(context.Background(), record)
}

func (e *Entry) appendCall(attrs []slog.Attr) []slog.Attr {
	attrs = append(attrs,
		slog.Bool("stream", e.Stream),
		slog.Int("attempts", e.Attempts),
		slog.Int64("prompt_tokens", e.Usage.Prompt),
		slog.Int64("cached_tokens", e.Usage.Cached),
		slog.Int64("completion_tokens", e.Usage.Completion),
		slog.Bool("estimated", e.Usage.Estimated),
	)
	if e.Priced {
		attrs = append(attrs, slog.Int64("cost_nanodollars", e.Usage.Cost))
	}
	if e.FirstToken > 0 {
		attrs = append(attrs, slog.Int64("first_token_us", e.FirstToken.Microseconds()))
	}
	return append(attrs, slog.Int64("upstream_us", e.Upstream.Microseconds()))
}

func appendText(attrs []slog.Attr, key, value string) []slog.Attr {
	if value == "" {
		return attrs
	}
	return append(attrs, slog.String(key, value))
}

func bounded(s string) string {
	if len(s) <= maxLoggedModel {
		return s
	}
	cut := maxLoggedModel
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}
