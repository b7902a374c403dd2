package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Peers are the metrics of what the replicas of a proxy tell each other.
type Peers struct {
	known     prometheus.Gauge
	settled   *prometheus.CounterVec
	exchanges *prometheus.CounterVec
}

// NewPeers returns metrics that are served with the others.
func NewPeers(m *Metrics) *Peers {
	p := &Peers{
		known:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "signalbox_peers", Help: "Other replicas of this proxy that are known."}),
		settled:   counters("signalbox_peers_settled_total", "Starts after which all other replicas were found, complete, or not in time, incomplete.", []string{"result"}),
		exchanges: counters("signalbox_peer_exchanges_total", "Calls of other replicas, by result.", []string{"result"}),
	}
	m.registry.MustRegister(p.known, p.settled, p.exchanges)
	return p
}

// Known tells how many other replicas are known.
func (p *Peers) Known(peers int) { p.known.Set(float64(peers)) }

// Settled tells that this replica has found the others.
func (p *Peers) Settled() { p.settled.WithLabelValues("complete").Inc() }

// GaveUp tells that it goes on without having found them all.
func (p *Peers) GaveUp() { p.settled.WithLabelValues("incomplete").Inc() }

// Exchanged counts a call of another replica by whether it was answered.
func (p *Peers) Exchanged(err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	p.exchanges.WithLabelValues(result).Inc()
}
