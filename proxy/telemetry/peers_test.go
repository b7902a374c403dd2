package telemetry

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestPeers(t *testing.T) {
	metrics := NewMetrics()
	peers := NewPeers(metrics)
	peers.Known(3)
	peers.Settled()
	peers.GaveUp()
	peers.Exchanged(nil)
	peers.Exchanged(nil)
	peers.Exchanged(errors.New("no answer"))
	recorder := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	for _, want := range []string{
		"signalbox_peers 3\n",
		`signalbox_peers_settled_total{result="complete"} 1`,
		`signalbox_peers_settled_total{result="incomplete"} 1`,
		`signalbox_peer_exchanges_total{result="ok"} 2`,
		`signalbox_peer_exchanges_total{result="error"} 1`,
	} {
		if !strings.Contains(recorder.Body.String(), want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}
