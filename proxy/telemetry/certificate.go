package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Certificate are the metrics of the certificate that a proxy serves TLS with.
type Certificate struct {
	notAfter prometheus.Gauge
	loads    *prometheus.CounterVec
}

// NewCertificate returns metrics that are served with the others.
func NewCertificate(m *Metrics) *Certificate {
	c := &Certificate{
		notAfter: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "signalbox_tls_certificate_not_after_seconds", Help: "When the certificate expires that TLS is served with, in Unix seconds; 0 while there is none.",
		}),
		loads: counters("signalbox_tls_certificate_loads_total", "Certificates that were taken up, ok, and that cannot be used, refused.", []string{"result"}),
	}
	m.registry.MustRegister(c.notAfter, c.loads)
	return c
}

// Taken tells that a certificate is served that expires at a time.
func (c *Certificate) Taken(notAfter time.Time) {
	c.notAfter.Set(float64(notAfter.Unix()))
	c.loads.WithLabelValues("ok").Inc()
}

// Refused tells that a certificate cannot be used.
func (c *Certificate) Refused() { c.loads.WithLabelValues("refused").Inc() }
