package server

import (
	"encoding/hex"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	traces "go.opentelemetry.io/proto/slim/otlp/trace/v1"

	"signalbox.dev/signalbox/proxy/tracing/tracingtest"
)

// placed is a span with where it stands.
type placed struct{ id, trace, parent, state string }

// placesOf are the spans that came, by namespace, kind and name, which differ between all spans of the tests here.
func placesOf(t *testing.T, collector *tracingtest.Receiver) map[string]placed {
	t.Helper()
	places := map[string]placed{}
	for _, batch := range collector.Batches() {
		for _, resource := range batch.GetResourceSpans() {
			namespace := tracingtest.Values(resource.GetResource().GetAttributes())["k8s.namespace.name"]
			for _, scope := range resource.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					place := namespace + ": " + kinds()[span.GetKind()] + " " + span.GetName()
					if _, twice := places[place]; twice {
						t.Errorf("there are two spans %q", place)
					}
					places[place] = placed{
						id: hex.EncodeToString(span.GetSpanId()), trace: hex.EncodeToString(span.GetTraceId()),
						parent: hex.EncodeToString(span.GetParentSpanId()), state: span.GetTraceState(),
					}
				}
			}
		}
	}
	return places
}

func kinds() map[traces.Span_SpanKind]string {
	return map[traces.Span_SpanKind]string{
		traces.Span_SPAN_KIND_SERVER: "serves", traces.Span_SPAN_KIND_CLIENT: "calls", traces.Span_SPAN_KIND_INTERNAL: "does",
	}
}

// untold answers as next does, and fails the test if the provider is told of the trace.
func untold(t *testing.T, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Traceparent", "Tracestate", "Baggage"} {
			if r.Header.Get(name) != "" {
				t.Errorf("a provider was told the %s", name)
			}
		}
		next(w, r)
	}
}

// A call through two namespaces is one trace, from the client to the last provider: every span is below the one that caused it, those of the called proxy
// below the attempt that called it.
func TestTheTraceOfTwoNamespacesIsOne(t *testing.T) {
	failing := answers(http.StatusServiceUnavailable, "application/json", `{"error":{"message":"later"}}`)
	cases := map[string]struct {
		body     string
		upstream http.HandlerFunc
		header   map[string]string
	}{
		"a whole answer":       {goodBody, good, map[string]string{"Traceparent": callerParent, "Tracestate": "vendor=1", "Baggage": "k=" + secretHeader}},
		"a stream":             {streamBody, streams(goodStream), map[string]string{"Traceparent": callerParent, "Tracestate": "vendor=1"}},
		"without a tracestate": {goodBody, good, map[string]string{"Traceparent": callerParent}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			collector := tracingtest.NewReceiver(t)
			p := newPair(t, pairing{
				upstreams: []http.HandlerFunc{untold(t, failing), untold(t, tc.upstream)},
				far:       []setup{tracedAs(t, collector, "team-b")}, near: []setup{traced(t, collector)},
			})
			if got := p.near.send(ask{body: tc.body, id: bookedID, header: tc.header}); got.status != http.StatusOK {
				t.Fatalf("status %d: %s", got.status, got.body)
			}
			collector.Wait(t, 5)
			places := placesOf(t, collector)
			want := map[string]string{
				"team-a: serves chat chat":      callerSpan,
				"team-a: calls chat llama":      places["team-a: serves chat chat"].id,
				"team-b: serves chat llama":     places["team-a: calls chat llama"].id,
				"team-b: calls chat upstream-0": places["team-b: serves chat llama"].id,
				"team-b: calls chat upstream-1": places["team-b: serves chat llama"].id,
			}
			parents := map[string]string{}
			for place, span := range places {
				parents[place] = span.parent
				if span.trace != callerTrace || span.state != tc.header["Tracestate"] {
					t.Errorf("%q is of trace %s with the state %q, want those of the client", place, span.trace, span.state)
				}
			}
			if diff := cmp.Diff(want, parents); diff != "" {
				t.Errorf("parents (-want +got):\n%s", diff)
			}
			for side, h := range map[string]*harness{"calling": p.near, "called": p.far} {
				if line := h.log.request(t, bookedID); line["trace_id"] != callerTrace {
					t.Errorf("the access log of the %s side has the trace %v", side, line["trace_id"])
				}
			}
		})
	}
}
