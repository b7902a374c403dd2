package telemetry

import (
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Names of labels.
const (
	labelRoute     = "route"
	labelTarget    = "target"
	labelProvider  = "provider"
	labelCode      = "code"
	labelOutcome   = "outcome"
	labelOperation = "gen_ai_operation_name"
	labelUsageKind = "gen_ai_token_type"
)

// Metrics are the proxy's metrics in a registry of their own. Series of a route or target exist from its first request until Retain drops it.
type Metrics struct {
	registry *prometheus.Registry

	requests     *prometheus.CounterVec
	attempts     *prometheus.CounterVec
	duration     *prometheus.HistogramVec
	firstToken   *prometheus.HistogramVec
	addedLatency *prometheus.HistogramVec
	tokens       *prometheus.CounterVec
	cost         *prometheus.CounterVec
	estimated    *prometheus.CounterVec
	inFlight     prometheus.Gauge
	refused      prometheus.Counter
	sequence     prometheus.Gauge
	tableLoads   *prometheus.CounterVec
	ledgerWrites *prometheus.CounterVec
	routing      routing

	mu      sync.Mutex
	targets map[Labels]*Target
}

// Labels say which route and target a series belongs to. Target and Provider are empty for requests that reached no target, Route too for those that
// found no route.
type Labels struct {
	Route    string
	Target   string
	Provider string
}

func (l Labels) values() prometheus.Labels {
	return prometheus.Labels{labelRoute: l.Route, labelTarget: l.Target, labelProvider: l.Provider}
}

// NewMetrics returns registered metrics, those of the Go runtime and the process among them.
func NewMetrics() *Metrics {
	target := []string{labelRoute, labelTarget, labelProvider}
	m := &Metrics{
		registry:     prometheus.NewRegistry(),
		targets:      map[Labels]*Target{},
		routing:      newRouting(),
		requests:     counters("signalbox_requests_total", "Requests that were answered, by the error code of the answer; ok is none.", append(target, labelCode)),
		attempts:     counters("signalbox_attempts_total", "Calls to providers by their outcome.", append(target, labelOutcome)),
		tokens:       counters("gen_ai_client_token_usage_total", "Tokens used; cached is the part of input that came from the provider's cache.", append(target, labelUsageKind)),
		cost:         counters("signalbox_cost_nanodollars_total", "Cost of calls, in nano-dollars.", target),
		estimated:    counters("signalbox_estimated_requests_total", "Requests whose usage the provider did not report and that were charged by an estimate.", target),
		tableLoads:   counters("signalbox_table_loads_total", "Routing tables that were loaded, by result.", []string{"result"}),
		ledgerWrites: counters("signalbox_ledger_writes_total", "Writes of ledger objects, by result.", []string{"result"}),
		duration: histograms("gen_ai_server_request_duration_seconds", "Time from the head of a request until the end of its answer.",
			[]float64{.01, .02, .04, .08, .16, .32, .64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84}, append(target, labelOperation)),
		firstToken: histograms("gen_ai_server_time_to_first_token_seconds", "Time from the head of a request until the first token of a stream went out.",
			[]float64{.005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 30}, target),
		addedLatency: histograms("signalbox_added_latency_seconds", "Time that the proxy itself added before the first byte of an answer: all but reading the request, waiting for providers.",
			[]float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1}, target),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "signalbox_in_flight_requests", Help: "Requests being answered."}),
		refused:  prometheus.NewCounter(prometheus.CounterOpts{Name: "signalbox_overload_refusals_total", Help: "Requests refused because too many were being answered."}),
		sequence: prometheus.NewGauge(prometheus.GaugeOpts{Name: "signalbox_table_sequence", Help: "Sequence number of the routing table in use."}),
	}
	m.registry.MustRegister(m.requests, m.attempts, m.duration, m.firstToken, m.addedLatency, m.tokens, m.cost, m.estimated, m.inFlight, m.refused,
		m.sequence, m.tableLoads, m.ledgerWrites, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(m.routing.collectors()...)
	return m
}

func counters(name, help string, labels []string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// histograms have classic buckets for every scraper and native ones for those that ask for them.
func histograms(name, help string, buckets []float64, labels []string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: buckets,
		NativeHistogramBucketFactor: 1.2, NativeHistogramMaxBucketNumber: 80, NativeHistogramMinResetDuration: time.Hour,
	}, labels)
}

// Register adds a collector of the caller's to the registry.
func (m *Metrics) Register(c prometheus.Collector) error { return m.registry.Register(c) }

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// Target returns the handle of the labels; the same labels give the same handle until Retain drops it.
func (m *Metrics) Target(l Labels) *Target {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.targets[l]
	if !ok {
		t = &Target{metrics: m, labels: l}
		m.targets[l] = t
	}
	return t
}

// Retain drops the series of all labels that are not among the live ones, so that routes that come and go do not fill the memory. What requests still
// running add to a dropped handle is not counted.
func (m *Metrics) Retain(live map[Labels]struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for l, target := range m.targets {
		if _, keep := live[l]; keep {
			continue
		}
		delete(m.targets, l)
		target.dropped = true
		match := l.values()
		for _, vec := range []interface {
			DeletePartialMatch(prometheus.Labels) int
		}{m.requests, m.attempts, m.tokens, m.cost, m.estimated, m.duration, m.firstToken, m.addedLatency} {
			vec.DeletePartialMatch(match)
		}
		m.routing.drop(l)
	}
}

// RequestStarted counts a request in flight.
func (m *Metrics) RequestStarted() { m.inFlight.Inc() }

// RequestEnded ends what RequestStarted began.
func (m *Metrics) RequestEnded() { m.inFlight.Dec() }

// Overloaded counts a request that was refused because too many were being answered.
func (m *Metrics) Overloaded() { m.refused.Inc() }

// TableLoaded tells which table is in use.
func (m *Metrics) TableLoaded(sequence int64) {
	m.sequence.Set(float64(sequence))
	m.tableLoads.WithLabelValues("ok").Inc()
}

// TableRefused counts a table that cannot be used.
func (m *Metrics) TableRefused() { m.tableLoads.WithLabelValues("error").Inc() }

// LedgerWrote counts a write of a ledger object by whether it succeeded.
func (m *Metrics) LedgerWrote(_ string, err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.ledgerWrites.WithLabelValues(result).Inc()
}
