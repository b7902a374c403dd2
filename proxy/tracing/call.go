package tracing

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"signalbox.dev/signalbox/proxy/telemetry"
)

// Codes of the proxy that are no error of a span: the call is well, or its client left.
const (
	codeOK           = "ok"
	codeClientClosed = "client_closed"
)

// Call is the span of one request. Methods of a nil Call, which is one without a trace, do nothing.
type Call struct {
	tracer trace.Tracer
	span   trace.Span
}

// Outcome is how a request ended.
type Outcome struct {
	// Entry is its line of the access log.
	Entry *telemetry.Entry
	// RecordID is the id of its usage record, ResponseID the provider's id of the answer, RoutedFrom the route that a budget moved it away from; empty for none.
	RecordID, ResponseID, RoutedFrom string
}

// TraceID is the id of the trace in hexadecimal digits; empty without one.
func (c *Call) TraceID() string {
	if c == nil {
		return ""
	}
	return c.span.SpanContext().TraceID().String()
}

// Mirror begins the span of a copy of the request, below its own.
func (c *Call) Mirror(at time.Time) *Call {
	if c == nil {
		return nil
	}
	_, span := c.tracer.Start(c.context(), "mirror", trace.WithSpanKind(trace.SpanKindInternal), trace.WithTimestamp(at))
	return &Call{tracer: c.tracer, span: span}
}

// context is the one of spans below this one.
func (c *Call) context() context.Context {
	return trace.ContextWithSpanContext(context.Background(), c.span.SpanContext())
}

// FellBack tells that the request moves on from a target, for a kind of failure.
func (c *Call) FellBack(at time.Time, target, reason string) {
	c.event(at, "signalbox.fallback", target, reason)
}

// Retried tells that the request is sent to a target again, for a kind of failure.
func (c *Call) Retried(at time.Time, target, reason string) {
	c.event(at, "signalbox.retry", target, reason)
}

func (c *Call) event(at time.Time, name, target, reason string) {
	if c == nil || !c.span.IsRecording() {
		return
	}
	c.span.AddEvent(name, trace.WithTimestamp(at), trace.WithAttributes(
		attribute.String("signalbox.target", target), attribute.String("signalbox.reason", reason)))
}

// End ends the request's span.
func (c *Call) End(o *Outcome) {
	if c == nil {
		return
	}
	if c.span.IsRecording() {
		c.describe(o)
	}
	c.span.End(trace.WithTimestamp(o.Entry.Time.Add(o.Entry.Duration)))
}

func (c *Call) describe(o *Outcome) {
	e := o.Entry
	if isServerFailure(e) {
		c.span.SetStatus(codes.Error, "")
	}
	a := make(attributes, 0, 32)
	a.text("signalbox.request.id", e.RequestID)
	a.text("signalbox.caller", e.Caller)
	a.count("http.response.status_code", int64(e.Status))
	a.failure(e.Code)
	if e.Operation != telemetry.OtherOperation {
		c.describeCall(&a, o)
	}
	c.span.SetAttributes(a...)
}

// describeCall tells what a model was asked for.
func (c *Call) describeCall(a *attributes, o *Outcome) {
	e := o.Entry
	name := e.Operation.String()
	a.text("gen_ai.operation.name", name)
	if e.Route != "" {
		// A name that no route serves can be anything.
		name += " " + e.Model
		a.text("gen_ai.request.model", e.Model)
	}
	if e.Mirror {
		name = "mirror " + name
	}
	c.span.SetName(bounded(name))
	a.text("gen_ai.provider.name", telemetry.ProviderName(e.Provider))
	a.text("gen_ai.response.model", e.UpstreamModel)
	a.text("gen_ai.response.id", o.ResponseID)
	a.marks(mark{"gen_ai.request.stream", e.Stream}, mark{"signalbox.mirror", e.Mirror})
	a.seconds("gen_ai.response.time_to_first_chunk", e.FirstToken)
	a.usage(&e.Usage)
	if e.Priced {
		a.cost(e.Usage.Cost)
	}
	a.text("signalbox.record.id", o.RecordID)
	a.text("signalbox.route", e.Route)
	a.text("signalbox.routed_from", o.RoutedFrom)
	a.text("signalbox.target", e.Target)
	a.count("signalbox.attempts", int64(e.Attempts))
	a.count("signalbox.excluded", int64(e.Excluded))
	a.count("signalbox.queue_us", e.Queued.Microseconds())
	if e.FirstToken > 0 {
		c.span.AddEvent("first_token", trace.WithTimestamp(e.Time.Add(e.FirstToken)))
	}
}

// isServerFailure tells a failure of this side from the client's. An answer that began well can break off.
func isServerFailure(e *telemetry.Entry) bool {
	failed := e.Code != codeOK && e.Code != codeClientClosed
	return failed && (e.Status >= http.StatusInternalServerError || e.Status == http.StatusOK)
}

// Attempted is an attempt that begins.
type Attempted struct {
	// At which it began.
	At time.Time
	// Operation of the call.
	Operation telemetry.Operation
	// Route and Target that it belongs to, Credential and Provider that are called, and Model that is asked for.
	Route, Target, Credential, Provider, Model string
}

// Attempt is the span of one call to a provider. Methods of a nil Attempt do nothing.
type Attempt struct {
	span  trace.Span
	began time.Time
}

// Attempt begins the span of an attempt.
func (c *Call) Attempt(o *Attempted) *Attempt {
	if c == nil {
		return nil
	}
	operation := o.Operation.String()
	_, span := c.tracer.Start(c.context(), bounded(operation+" "+o.Model), trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(o.At))
	if span.IsRecording() {
		a := make(attributes, 0, 8)
		a.text("gen_ai.operation.name", operation)
		a.text("gen_ai.provider.name", telemetry.ProviderName(o.Provider))
		a.text("gen_ai.request.model", o.Model)
		a.text("signalbox.route", o.Route)
		a.text("signalbox.target", o.Target)
		a.text("signalbox.credential", o.Credential)
		span.SetAttributes(a...)
	}
	return &Attempt{span: span, began: o.At}
}

// SentTo tells where the request goes: to which host and port, nothing more of its address.
func (a *Attempt) SentTo(address *url.URL) {
	if a == nil || !a.span.IsRecording() {
		return
	}
	list := attributes{}
	list.text("server.address", address.Hostname())
	port, err := strconv.Atoi(address.Port())
	switch {
	case err == nil:
		list.count("server.port", int64(port))
	case address.Scheme == "http":
		list.count("server.port", 80)
	case address.Scheme == "https":
		list.count("server.port", 443)
	}
	a.span.SetAttributes(list...)
}

// Inject tells another proxy of Signalbox which trace and span its answer belongs to, in place of what the header says of traces.
func (a *Attempt) Inject(header http.Header) {
	if a == nil {
		return
	}
	// What a client sent may be of no trace, or of another than this one.
	delete(header, headerTraceparent)
	delete(header, headerTracestate)
	ctx := trace.ContextWithSpanContext(context.Background(), a.span.SpanContext())
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(header))
}

// Answered is how an attempt ended.
type Answered struct {
	// At which it ended.
	At time.Time
	// Status of the provider's answer; 0 for none. Code is that of the failure, "ok" for none.
	Status int
	Code   string
	// FirstToken is the time to the first token of a stream; 0 for none.
	FirstToken time.Duration
	// Usage of the attempt, and Priced, that its cost is known.
	Usage  telemetry.Usage
	Priced bool
}

// End ends the attempt's span, once.
func (a *Attempt) End(o *Answered) {
	if a == nil {
		return
	}
	if a.span.IsRecording() {
		list := make(attributes, 0, 8)
		list.count("http.response.status_code", int64(o.Status))
		list.seconds("gen_ai.response.time_to_first_chunk", o.FirstToken)
		list.usage(&o.Usage)
		if o.Priced {
			list.cost(o.Usage.Cost)
		}
		list.failure(o.Code)
		a.span.SetAttributes(list...)
		if o.Code != codeOK && o.Code != codeClientClosed {
			a.span.SetStatus(codes.Error, "")
		}
		if o.FirstToken > 0 {
			a.span.AddEvent("first_token", trace.WithTimestamp(a.began.Add(o.FirstToken)))
		}
	}
	a.span.End(trace.WithTimestamp(o.At))
}
