// Package tracingtest is a collector for tests.
package tracingtest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	tracecollector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	traces "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// patience is how long a test waits for spans.
const patience = 20 * time.Second

// Receiver is a collector that keeps what it gets.
type Receiver struct {
	*httptest.Server
	// Answer replies to a batch that was kept; nil says that all is well.
	Answer http.HandlerFunc

	mu      sync.Mutex
	changed chan struct{}
	spans   []*traces.Span
	batches []*tracecollector.ExportTraceServiceRequest
	raw     []byte
}

// NewReceiver starts a collector.
func NewReceiver(t testing.TB) *Receiver {
	t.Helper()
	r := &Receiver{changed: make(chan struct{})}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		message := &tracecollector.ExportTraceServiceRequest{}
		if err != nil || request.URL.Path != "/v1/traces" || proto.Unmarshal(body, message) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.keep(message, body)
		if r.Answer != nil {
			r.Answer(w, request)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *Receiver) keep(message *tracecollector.ExportTraceServiceRequest, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.raw = append(r.raw, body...)
	r.batches = append(r.batches, message)
	for _, resource := range message.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			r.spans = append(r.spans, scope.GetSpans()...)
		}
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

// Wait waits until there are so many spans, and returns all.
func (r *Receiver) Wait(t testing.TB, count int) []*traces.Span {
	t.Helper()
	late := time.After(patience)
	for {
		r.mu.Lock()
		spans, changed := r.spans, r.changed
		r.mu.Unlock()
		if len(spans) >= count {
			return spans
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("%d spans have come, not %d", len(spans), count)
		}
	}
}

// Batches are the messages that came.
func (r *Receiver) Batches() []*tracecollector.ExportTraceServiceRequest {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.batches
}

// Raw are all bytes that came.
func (r *Receiver) Raw() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.raw
}

// Values are attributes as text.
func Values(list []*common.KeyValue) map[string]string {
	values := map[string]string{}
	for _, item := range list {
		switch value := item.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			values[item.GetKey()] = value.StringValue
		case *common.AnyValue_IntValue:
			values[item.GetKey()] = strconv.FormatInt(value.IntValue, 10)
		case *common.AnyValue_BoolValue:
			values[item.GetKey()] = strconv.FormatBool(value.BoolValue)
		case *common.AnyValue_DoubleValue:
			values[item.GetKey()] = strconv.FormatFloat(value.DoubleValue, 'g', -1, 64)
		}
	}
	return values
}
