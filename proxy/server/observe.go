package server

import (
	"crypto/rand"
	"net/http"
	"time"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/identity"
	"signalbox.dev/signalbox/proxy/telemetry"
)

// Headers of answers.
const (
	headerRequestID = "X-Request-Id"
	// headerAnthropicRequestID is where Anthropic's SDKs look for the same.
	headerAnthropicRequestID = "Request-Id"
	headerAnthropicVersion   = "Anthropic-Version"
	headerAnthropicBeta      = "Anthropic-Beta"
	headerGenerationID       = "X-Generation-Id"
	headerDropped            = "X-Signalbox-Dropped"
	headerEstimated          = "X-Signalbox-Estimated"
	headerRoute              = "X-Signalbox-Route"
	headerTarget             = "X-Signalbox-Target"
	headerAttempts           = "X-Signalbox-Attempts"
	headerCost               = "X-Signalbox-Cost"
	headerUpstreamRequestID  = "X-Signalbox-Upstream-Request-Id"
	headerRetryAfter         = "Retry-After"
	headerRetryAfterMS       = "Retry-After-Ms"
	headerContentType        = "Content-Type"
	headerConnection         = "Connection"
)

const (
	contentTypeJSON   = "application/json"
	contentTypeStream = "text/event-stream"
	closeConnection   = "close"
	maxRequestID      = 128
)

// observe is the outermost link: it makes the request's state, writes the reply to an error, and logs and measures what happened.
func (s *Server) observe(next handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{w: w, r: r, control: http.NewResponseController(w), start: s.now(), id: requestID(r.Header), snapshot: s.current.Load()}
		c.attempts = c.firstAttempt[:0]
		s.inFlight.Add(1)
		s.metrics.RequestStarted()
		defer func() {
			s.metrics.RequestEnded()
			s.inFlight.Add(-1)
		}()
		c.place.surface = s.codecs.Surface(neutral.ChatCompletions)
		w.Header()[headerRequestID] = []string{c.id}
		if s.draining.Load() {
			w.Header()[headerConnection] = []string{closeConnection}
		}
		failure := s.answer(c, next)
		s.record(c, failure)
		c.release(s.buffers)
		if c.torn || failure.Code == CodeInternal && c.status == http.StatusOK {
			// The answer is cut off in the middle; ending it properly would make it look whole.
			panic(http.ErrAbortHandler)
		}
	})
}

// answer runs the chain and replies to its error. An error that came after the answer had begun has been written into its body already.
func (s *Server) answer(c *call, next handler) *Error {
	err := next(c)
	if err == nil {
		return s.success
	}
	failure := asError(err)
	if failure.Code == CodeInternal {
		s.log.Error("a request failed", "request_id", c.id, "error", failure.Cause)
	}
	if !c.started() {
		s.reply(c, failure)
	}
	return failure
}

// reply writes an error in the dialect of the surface that was called.
func (s *Server) reply(c *call, failure *Error) {
	now := s.now()
	header := c.w.Header()
	for name, values := range failure.Header {
		header[name] = values
	}
	setRouting(c)
	if len(c.r.Header[headerHops]) > 0 {
		// Before a caller is known, too.
		header[headerCode] = []string{string(failure.Code)}
	}
	body := failure.Verbatim
	if body == nil {
		body = c.place.surface.AppendError(nil, c.reply(failure, now))
	}
	header[headerContentType] = []string{contentTypeJSON}
	c.begin(failure.Status, now, s.limits.BodyGrace)
	// A reply that cannot be written has no reader to be told of it.
	_ = c.write(body, now, s.limits.WriteStall)
}

// requestID is the client's own, if it is short and plain enough for a log, else a new one.
func requestID(header http.Header) string {
	if given := header[headerRequestID]; len(given) == 1 && isPlain(given[0]) {
		return given[0]
	}
	return rand.Text()
}

func isPlain(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		b := id[i]
		switch {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '-', b == '_', b == '.', b == ':':
		default:
			return false
		}
	}
	return true
}

// record logs and measures an answered request.
func (s *Server) record(c *call, failure *Error) {
	duration := s.now().Sub(c.start)
	usage := telemetry.Usage{
		Prompt: c.bill.usage.Prompt, Cached: c.bill.usage.Cached, Completion: c.bill.usage.Completion,
		Cost: c.bill.nano, Estimated: c.bill.usage.Estimated,
	}
	added := time.Duration(-1)
	if c.started() && !c.firstByte.IsZero() {
		added = max(0, c.firstByte.Sub(c.start)-c.waited)
	}
	s.metricsOf(c).Observe(telemetry.Request{
		Operation: c.place.operation(), Code: string(failure.Code), Duration: duration, FirstToken: c.firstToken, Added: added, Usage: usage,
	})
	entry := s.entry(c, failure, usage, duration)
	s.accessLog.Write(entry)
	s.endRecord(c, failure)
	s.endTrace(c, entry)
}

func (s *Server) entry(c *call, failure *Error, usage telemetry.Usage, duration time.Duration) *telemetry.Entry {
	e := &telemetry.Entry{
		Time: c.start, RequestID: c.id, Method: c.r.Method, Path: c.place.path, Operation: c.place.operation(),
		Model: c.inbound.Head.Model, Stream: c.inbound.Head.Stream, Status: c.status, Code: string(failure.Code), Attempts: len(c.attempts),
		Usage: usage, Priced: c.bill.priced, FirstToken: c.firstToken, Upstream: c.waited, Duration: duration,
		BytesIn: c.bytesIn, BytesOut: c.bytesOut, Mirror: c.mirror, Queued: c.queued, TraceID: c.trace.TraceID(),
	}
	if len(c.attempts) > 1 {
		e.Retries, e.FallbackFrom = c.detours()
	}
	if len(c.candidates) > 0 && !c.mirror {
		e.Excluded = c.excluded()
	}
	if c.caller != (identity.Caller{}) {
		e.Caller = c.callerName()
	}
	if c.route != nil {
		e.Route = c.route.Name
	}
	if c.target != nil {
		e.Target, e.Provider, e.UpstreamModel = c.target.name, c.target.provider, c.model
	}
	if failure.Cause != nil {
		e.Detail = failure.Cause.Error()
	}
	return e
}

// detours counts the attempts that were made again at the same target, and names the targets that failed before the call moved on.
func (c *call) detours() (retries int, from []string) {
	for i := 1; i < len(c.attempts); i++ {
		if c.attempts[i].target == c.attempts[i-1].target {
			retries++
			continue
		}
		from = append(from, c.attempts[i-1].target.name)
	}
	return retries, from
}

// excluded counts the targets that were left out.
func (c *call) excluded() int {
	count := 0
	for _, candidate := range c.candidates {
		if candidate.Out != 0 {
			count++
		}
	}
	return count
}

// metricsOf is the handle of what the request came to: a target, a route without one, or neither.
func (s *Server) metricsOf(c *call) *telemetry.Target {
	switch {
	case c.target != nil:
		return c.target.metrics
	case c.route != nil:
		return c.route.noTarget
	default:
		return s.metrics.Target(telemetry.Labels{})
	}
}
