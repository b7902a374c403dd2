package tracing

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracecollector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	traces "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"signalbox.dev/signalbox/proxy/collector"
)

// tracesPath is where a collector takes traces, behind an endpoint that names no path.
const tracesPath = "/v1/traces"

// errRefused means that a batch must not be sent again.
var errRefused = errors.New("the collector refuses it")

// exporter sends spans to one collector. The SDK's own brings gRPC with it and tells what a collector answers, in the collector's words.
type exporter struct{ client *collector.Client }

func newExporter(endpoint string, client *http.Client) (*exporter, error) {
	sending, err := collector.New(endpoint, tracesPath, client)
	if err != nil {
		return nil, err
	}
	return &exporter{client: sending}, nil
}

// export sends spans, and tells how many of them were rejected. An error that is not errRefused may go away.
func (e *exporter) export(ctx context.Context, spans []sdktrace.ReadOnlySpan) (int, error) {
	answer, err := e.client.Send(ctx, requestOf(spans))
	if errors.Is(err, collector.ErrEncoding) {
		return 0, fmt.Errorf("%w: a span cannot be encoded", errRefused)
	}
	if err != nil {
		return 0, err
	}
	switch answer.Status {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		return min(rejectedIn(answer.Body), len(spans)), nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return 0, fmt.Errorf("the collector answers %d", answer.Status)
	default:
		return 0, fmt.Errorf("%w with %d", errRefused, answer.Status)
	}
}

// rejectedIn is how many spans the collector did not take. An answer that is no message of the protocol says that it took them all.
func rejectedIn(body []byte) int {
	var answer tracecollector.ExportTraceServiceResponse
	if proto.Unmarshal(body, &answer) != nil {
		return 0
	}
	return int(min(max(0, answer.GetPartialSuccess().GetRejectedSpans()), maxBatch))
}

// requestOf is the message of some spans, which all are of one resource.
func requestOf(spans []sdktrace.ReadOnlySpan) *tracecollector.ExportTraceServiceRequest {
	list := make([]*traces.Span, len(spans))
	for i, span := range spans {
		list[i] = encode(span)
	}
	first := spans[0]
	return &tracecollector.ExportTraceServiceRequest{ResourceSpans: []*traces.ResourceSpans{{
		Resource: &resource.Resource{Attributes: attributesOf(first.Resource().Attributes())},
		ScopeSpans: []*traces.ScopeSpans{{
			Scope: &common.InstrumentationScope{Name: first.InstrumentationScope().Name, Version: first.InstrumentationScope().Version}, Spans: list,
		}},
	}}}
}

func encode(span sdktrace.ReadOnlySpan) *traces.Span {
	self, parent := span.SpanContext(), span.Parent()
	traceID, spanID := self.TraceID(), self.SpanID()
	encoded := &traces.Span{
		TraceId: traceID[:], SpanId: spanID[:], TraceState: self.TraceState().String(), Flags: flagsOf(self, parent),
		Name: span.Name(), Kind: kindOf(span.SpanKind()), StartTimeUnixNano: nanos(span.StartTime()), EndTimeUnixNano: nanos(span.EndTime()),
		Attributes: attributesOf(span.Attributes()), Status: statusOf(span.Status()),
	}
	if parent.IsValid() {
		parentID := parent.SpanID()
		encoded.ParentSpanId = parentID[:]
	}
	for _, event := range span.Events() {
		encoded.Events = append(encoded.Events, &traces.Span_Event{TimeUnixNano: nanos(event.Time), Name: event.Name, Attributes: attributesOf(event.Attributes)})
	}
	return encoded
}

// flagsOf are those of W3C, and whether the parent is of another process.
func flagsOf(self, parent trace.SpanContext) uint32 {
	flags := uint32(self.TraceFlags()) | uint32(traces.SpanFlags_SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK)
	if parent.IsRemote() {
		flags |= uint32(traces.SpanFlags_SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK)
	}
	return flags
}

func kindOf(kind trace.SpanKind) traces.Span_SpanKind {
	switch kind {
	case trace.SpanKindServer:
		return traces.Span_SPAN_KIND_SERVER
	case trace.SpanKindClient:
		return traces.Span_SPAN_KIND_CLIENT
	default:
		return traces.Span_SPAN_KIND_INTERNAL
	}
}

func statusOf(status sdktrace.Status) *traces.Status {
	if status.Code == codes.Error {
		return &traces.Status{Code: traces.Status_STATUS_CODE_ERROR}
	}
	return &traces.Status{}
}

// nanos is a time of the protocol; one before 1970 is not known.
func nanos(at time.Time) uint64 { return uint64(max(at.UnixNano(), 0)) }

func attributesOf(list []attribute.KeyValue) []*common.KeyValue {
	encoded := make([]*common.KeyValue, 0, len(list))
	for _, item := range list {
		encoded = append(encoded, &common.KeyValue{Key: string(item.Key), Value: valueOf(item.Value)})
	}
	return encoded
}

// valueOf knows the types that spans of ours have.
func valueOf(value attribute.Value) *common.AnyValue {
	switch value.Type() {
	case attribute.BOOL:
		return &common.AnyValue{Value: &common.AnyValue_BoolValue{BoolValue: value.AsBool()}}
	case attribute.INT64:
		return &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: value.AsInt64()}}
	case attribute.FLOAT64:
		return &common.AnyValue{Value: &common.AnyValue_DoubleValue{DoubleValue: value.AsFloat64()}}
	default:
		return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: value.String()}}
	}
}
