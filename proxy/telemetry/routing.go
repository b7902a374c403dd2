package telemetry

import (
	"maps"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox.dev/signalbox/proxy/traffic"
)

// Names of the labels of routing's metrics.
const (
	labelKind   = "kind"
	labelPer    = "per"
	labelWhat   = "what"
	labelResult = "result"
	labelReason = "reason"
)

// routing counts what policies did with requests. Like all series of targets these exist from their first use until Retain drops them.
type routing struct {
	fallbacks *prometheus.CounterVec
	retries   *prometheus.CounterVec
	switches  *prometheus.CounterVec
	mirrored  *prometheus.CounterVec
	limited   *prometheus.CounterVec
}

func newRouting() routing {
	target := []string{labelRoute, labelTarget, labelProvider}
	return routing{
		fallbacks: counters("signalbox_fallbacks_total", "Attempts at a target that failed, so that the call moved on to another, by kind of failure.", append(target, labelKind)),
		retries:   counters("signalbox_retries_total", "Attempts at a target that were made again, by kind of the failure before.", append(target, labelKind)),
		switches:  counters("signalbox_key_switches_total", "Attempts at a target whose key could not be used, so that another key of the account was tried, by kind of failure.", append(target, labelKind)),
		mirrored:  counters("signalbox_mirrored_requests_total", "Copies of requests for a mirror, by outcome.", append(target, labelOutcome)),
		limited:   counters("signalbox_limited_requests_total", "Requests that a limit of their route refused or made wait.", []string{labelRoute, labelPer, labelWhat, labelResult}),
	}
}

func (r *routing) collectors() []prometheus.Collector {
	return []prometheus.Collector{r.fallbacks, r.retries, r.switches, r.mirrored, r.limited}
}

// drop removes the series of labels. A limit belongs to a route, whose own handle is the one without target.
func (r *routing) drop(l Labels) {
	for _, vec := range []*prometheus.CounterVec{r.fallbacks, r.retries, r.switches, r.mirrored} {
		vec.DeletePartialMatch(l.values())
	}
	if l.Target == "" {
		r.limited.DeletePartialMatch(prometheus.Labels{labelRoute: l.Route})
	}
}

// FellBack counts an attempt that failed so that the call moved on, by the kind of failure.
func (t *Target) FellBack(kind string) { t.count(&t.fallbacks, t.metrics.routing.fallbacks, kind) }

// Retried counts an attempt that was made again, by the kind of the failure before.
func (t *Target) Retried(kind string) { t.count(&t.retries, t.metrics.routing.retries, kind) }

// SwitchedKey counts an attempt whose key could not be used, so that another key of the same account was tried, by the kind of failure.
func (t *Target) SwitchedKey(kind string) { t.count(&t.switches, t.metrics.routing.switches, kind) }

// Mirrored counts a copy of a request, or one that was not made, by its outcome, a word of a closed list. The target is the mirror.
func (t *Target) Mirrored(outcome string) { t.count(&t.mirrored, t.metrics.routing.mirrored, outcome) }

// LimitResult is what a limit did with a request.
type LimitResult string

// The results.
const (
	// LimitRefused: the request was answered with 429.
	LimitRefused LimitResult = "refused"
)

// Limited is what a limit did.
type Limited struct {
	// Per says whose requests the limit counts: Route or Caller.
	Per string
	// What of them it counts, a word of a closed list.
	What string
	// Result of the request.
	Result LimitResult
}

// limits are the counters of limits that were used so far. Each is looked up by its labels once.
type limits struct {
	counters atomic.Pointer[map[Limited]prometheus.Counter]
}

// Limited counts a request of a route that a limit refused or made wait. The handle is that of the route, without target.
func (t *Target) Limited(l Limited) {
	known := t.limits.counters.Load()
	if known != nil {
		if counter, ok := (*known)[l]; ok {
			counter.Inc()
			return
		}
	}
	t.metrics.mu.Lock()
	defer t.metrics.mu.Unlock()
	if t.dropped {
		return
	}
	counter := t.metrics.routing.limited.WithLabelValues(t.labels.Route, l.Per, l.What, string(l.Result))
	grown := map[Limited]prometheus.Counter{l: counter}
	if known = t.limits.counters.Load(); known != nil {
		maps.Copy(grown, *known)
	}
	t.limits.counters.Store(&grown)
	counter.Inc()
}

// WatchTargets asks for the state of targets at every scrape and shows those that are left alone or whose model was withdrawn. A state ends by itself
// when its time is over, so it is never stored; targets without trouble have no series. list may be called by any number of goroutines.
func (m *Metrics) WatchTargets(list func() []traffic.Target) error {
	target := []string{labelRoute, labelTarget, labelProvider}
	return m.registry.Register(&targetStates{
		list:      list,
		blocked:   states("signalbox_target_blocked", "1 while a target is left alone, by reason.", append(target, labelReason)),
		withdrawn: states("signalbox_target_model_withdrawn", "1 while the provider does not offer a target's model, also where a successor serves.", target),
	})
}

// states describes a metric that is made at each scrape.
func states(name, help string, labels []string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// targetStates is a collector of what is true at the moment of a scrape.
type targetStates struct {
	list               func() []traffic.Target
	blocked, withdrawn *prometheus.Desc
}

// Describe is a part of prometheus.Collector.
func (s *targetStates) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- s.blocked
	descriptions <- s.withdrawn
}

// Collect is a part of prometheus.Collector.
func (s *targetStates) Collect(metrics chan<- prometheus.Metric) {
	for _, target := range s.list() {
		if target.Block != traffic.Open {
			metrics <- prometheus.MustNewConstMetric(s.blocked, prometheus.GaugeValue, 1, target.Route, target.Name, target.Provider, string(target.Block))
		}
		if target.Withdrawn() {
			metrics <- prometheus.MustNewConstMetric(s.withdrawn, prometheus.GaugeValue, 1, target.Route, target.Name, target.Provider)
		}
	}
}
