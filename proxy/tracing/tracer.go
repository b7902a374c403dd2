package tracing

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/telemetry"
)

const (
	// scope is the name of the instrumentation.
	scope = "signalbox.dev/signalbox/proxy"
	// maxAttributeBytes bounds a value, for some of them are names that clients choose.
	maxAttributeBytes = 256
	// maxTracestate is the longest tracestate that is passed on; W3C asks for at least that much.
	maxTracestate = 512
	// allSampled is SamplePermille of all.
	allSampled = 1000

	headerTraceparent = "Traceparent"
	headerTracestate  = "Tracestate"
)

// Options of a Tracer.
type Options struct {
	// Pod and Version of the proxy.
	Pod, Version string
	// Log is told when the collector takes no traces, and when it does again; required.
	Log *slog.Logger
	// Metrics count spans; required.
	Metrics *telemetry.Spans
	// Client sends; nil is one with the standard transport. It follows no redirect.
	Client *http.Client
}

// Tracer makes traces while Use has given it an endpoint. A nil Tracer makes none.
type Tracer struct {
	options Options
	queue   *queue
	current atomic.Pointer[pipeline]

	mu       sync.Mutex
	running  bool
	finished bool
}

// pipeline is what makes spans under one configuration. All of them share the queue, so that none is lost when it changes.
type pipeline struct {
	namespace string
	config    table.Tracing
	tracer    trace.Tracer
}

// New returns a tracer that makes no traces before Use says where to.
func New(o Options) *Tracer {
	return &Tracer{options: o, queue: newQueue(o.Log, o.Metrics)}
}

// Use sends traces where the table of a namespace says. Those under way are not lost by a change; what waits when there is no endpoint any more is dropped.
func (t *Tracer) Use(namespace string, config table.Tracing) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.current.Load()
	switch {
	case t.finished:
		return
	case before != nil && before.config == config && before.namespace == namespace:
		return
	case config.OTLPEndpoint == "":
		t.current.Store(nil)
		t.queue.exporter.Store(nil)
		return
	}
	next, err := newExporter(config.OTLPEndpoint, t.options.Client)
	if err != nil {
		t.options.Log.Error("traces cannot be sent", "error", err)
		return
	}
	t.queue.exporter.Store(next)
	t.current.Store(t.newPipeline(namespace, config))
	if !t.running {
		t.running = true
		go t.queue.run()
	}
}

func (t *Tracer) newPipeline(namespace string, config table.Tracing) *pipeline {
	limits := sdktrace.NewSpanLimits()
	limits.AttributeValueLengthLimit = maxAttributeBytes
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(float64(config.SamplePermille)/allSampled))),
		sdktrace.WithRawSpanLimits(limits),
		sdktrace.WithSpanProcessor(t.queue),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "signalbox"), attribute.String("service.version", t.options.Version),
			attribute.String("k8s.namespace.name", namespace), attribute.String("k8s.pod.name", t.options.Pod),
		)),
	)
	return &pipeline{namespace: namespace, config: config, tracer: provider.Tracer(scope, trace.WithInstrumentationVersion(t.options.Version))}
}

// Begin begins the span of a request that came at a time; nil while no traces are made. A traceparent that is none is as good as no header.
func (t *Tracer) Begin(header http.Header, at time.Time) *Call {
	if t == nil {
		return nil
	}
	p := t.current.Load()
	if p == nil {
		return nil
	}
	_, span := p.tracer.Start(parentOf(header), "request", trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(at))
	return &Call{tracer: p.tracer, span: span}
}

// parentOf is a context with the span that a request says it belongs to, if it says so in the way of W3C. Baggage is not read: it may be private.
func parentOf(header http.Header) context.Context {
	parent := header[headerTraceparent]
	if len(parent) != 1 {
		return context.Background()
	}
	carrier := propagation.MapCarrier{"traceparent": parent[0]}
	if state := header[headerTracestate]; len(state) == 1 && len(state[0]) <= maxTracestate {
		carrier["tracestate"] = state[0]
	}
	return propagation.TraceContext{}.Extract(context.Background(), carrier)
}

// Flush sends what waits, until the context ends, and makes no more traces. It is for the end of the process.
func (t *Tracer) Flush(ctx context.Context) {
	t.mu.Lock()
	running := t.running && !t.finished
	t.finished = true
	t.current.Store(nil)
	t.mu.Unlock()
	if running {
		t.queue.flush(ctx)
	}
}
