package dataplane

import (
	"net/http"

	"signalbox.dev/signalbox/proxy/telemetry"
)

// operationsHandler serves what the cluster asks of a proxy: whether it lives, whether requests should come, and its metrics.
func (d *DataPlane) operationsHandler(metrics *telemetry.Metrics) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics.Handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		switch {
		case d.server.Ready() && d.awaitsPeers():
			answer(w, http.StatusServiceUnavailable, "the other replicas are not known yet\n")
		case d.server.Ready() && d.listener == nil && !d.certificate.Ready():
			answer(w, http.StatusServiceUnavailable, "no certificate for TLS yet, and no port without TLS\n")
		case d.server.Ready():
			answer(w, http.StatusOK, "ok\n")
		case d.server.Draining():
			answer(w, http.StatusServiceUnavailable, "draining\n")
		default:
			answer(w, http.StatusServiceUnavailable, "no routing table yet\n")
		}
	})
	return mux
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	// A probe that left does not need its answer.
	_, _ = w.Write([]byte(text))
}
