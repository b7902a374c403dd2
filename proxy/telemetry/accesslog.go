package telemetry

import (
	"io"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
)

// maxLoggedModel bounds what a client can put into a log line.
const maxLoggedModel = 128

// Entry is one line of the access log. Fields that do not apply are left out of the line. Times are whole microseconds.
type Entry struct {
	// Time at which the request came.
	Time time.Time
	// RequestID is the answer's x-request-id.
	RequestID string
	// Caller is the authenticated identity.
	Caller string
	// TraceID of the request in hexadecimal digits; empty without a trace.
	TraceID string
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
	// Mirror tells that the request is a mirror's copy, whose answer nobody gets.
	Mirror bool
	// Attempts made, and Retries, those of them that were made again at the same target.
	Attempts, Retries int
	// FallbackFrom are the names of the targets that failed before the last one.
	FallbackFrom []string
	// Excluded is how many targets of the route were left out.
	Excluded int
	// Queued is how long the request waited in the queue of a limit.
	Queued time.Duration
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

// AccessLog writes one JSON line for each request, in the shape of slog's JSON handler.
type AccessLog struct {
	out   io.Writer
	lines sync.Pool
}

// NewAccessLog returns a log that writes to out, one whole line in each write. Several goroutines may write at a time, and out must not keep the line.
func NewAccessLog(out io.Writer) *AccessLog {
	return &AccessLog{out: out, lines: sync.Pool{New: func() any { return &line{} }}}
}

// Write writes the entry's line.
func (l *AccessLog) Write(e *Entry) {
	written, ok := l.lines.Get().(*line)
	if !ok {
		return
	}
	defer l.lines.Put(written)
	written.text = written.text[:0]
	written.write(e)
	// The writer is a Buffer, which does not fail; a log has nowhere to report its own failure to.
	_, _ = l.out.Write(written.text)
}

// line is one line in the making. slog's handler takes nine times as long for it, which would be felt in the cost of every request.
type line struct {
	text []byte
}

func (l *line) write(e *Entry) {
	l.text = append(l.text, `{"time":"`...)
	l.text = e.Time.AppendFormat(l.text, time.RFC3339Nano)
	l.text = append(l.text, `","level":"INFO","msg":"request"`...)
	l.string("request_id", e.RequestID)
	l.known("trace_id", e.TraceID)
	l.string("method", e.Method)
	l.string("path", e.Path)
	l.known("caller", e.Caller)
	l.known("route", e.Route)
	l.known("target", e.Target)
	l.known("provider", e.Provider)
	l.known("model", bounded(e.Model))
	l.known("upstream_model", e.UpstreamModel)
	l.string("operation", e.Operation.String())
	l.number("status", int64(e.Status))
	l.string("code", e.Code)
	l.known("detail", e.Detail)
	if e.Operation != OtherOperation {
		l.writeCall(e)
	}
	l.number("duration_us", e.Duration.Microseconds())
	l.number("bytes_in", e.BytesIn)
	l.number("bytes_out", e.BytesOut)
	l.text = append(l.text, "}\n"...)
}

func (l *line) writeCall(e *Entry) {
	l.bool("stream", e.Stream)
	l.number("attempts", int64(e.Attempts))
	l.writeRouting(e)
	l.number("prompt_tokens", e.Usage.Prompt)
	l.number("cached_tokens", e.Usage.Cached)
	l.number("completion_tokens", e.Usage.Completion)
	l.bool("estimated", e.Usage.Estimated)
	if e.Priced {
		l.number("cost_nanodollars", e.Usage.Cost)
	}
	if e.FirstToken > 0 {
		l.number("first_token_us", e.FirstToken.Microseconds())
	}
	l.number("upstream_us", e.Upstream.Microseconds())
}

// writeRouting leaves out what did not happen, which is all of it for most calls.
func (l *line) writeRouting(e *Entry) {
	if e.Mirror {
		l.bool("mirror", true)
	}
	if e.Retries > 0 {
		l.number("retries", int64(e.Retries))
	}
	if len(e.FallbackFrom) > 0 {
		l.strings("fallback_from", e.FallbackFrom)
	}
	if e.Excluded > 0 {
		l.number("excluded", int64(e.Excluded))
	}
	if e.Queued > 0 {
		l.number("queue_us", e.Queued.Microseconds())
	}
}

// name begins a member. Names need no escapes.
func (l *line) name(name string) {
	l.text = append(l.text, ',', '"')
	l.text = append(l.text, name...)
	l.text = append(l.text, '"', ':')
}

func (l *line) string(name, value string) {
	l.name(name)
	l.text = jsonscan.AppendQuoted(l.text, value)
}

func (l *line) strings(name string, values []string) {
	l.name(name)
	l.text = append(l.text, '[')
	for i, value := range values {
		if i > 0 {
			l.text = append(l.text, ',')
		}
		l.text = jsonscan.AppendQuoted(l.text, value)
	}
	l.text = append(l.text, ']')
}

// known leaves out what is not known.
func (l *line) known(name, value string) {
	if value != "" {
		l.string(name, value)
	}
}

func (l *line) number(name string, value int64) {
	l.name(name)
	l.text = strconv.AppendInt(l.text, value, 10)
}

func (l *line) bool(name string, value bool) {
	l.name(name)
	l.text = strconv.AppendBool(l.text, value)
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
