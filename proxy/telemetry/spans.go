package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Spans are the metrics of traces.
type Spans struct {
	delivered, dropped, failed prometheus.Counter
}

// NewSpans returns metrics that are served with the others.
func NewSpans(m *Metrics) *Spans {
	spans := counters("signalbox_trace_spans_total", "Spans by what became of them: delivered, dropped for want of room or of a collector, failed when the collector did not take them.",
		[]string{"result"})
	m.registry.MustRegister(spans)
	return &Spans{delivered: spans.WithLabelValues("delivered"), dropped: spans.WithLabelValues("dropped"), failed: spans.WithLabelValues("failed")}
}

// Delivered counts spans that the collector has.
func (s *Spans) Delivered(count int) { s.delivered.Add(float64(count)) }

// Dropped counts spans that found no room, or no collector.
func (s *Spans) Dropped(count int) { s.dropped.Add(float64(count)) }

// Failed counts spans that the collector did not take.
func (s *Spans) Failed(count int) { s.failed.Add(float64(count)) }
