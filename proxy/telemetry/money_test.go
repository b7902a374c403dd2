package telemetry

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestWatchMoney(t *testing.T) {
	metrics := NewMetrics()
	now := Money{
		Allowance: 1_500, JournalBytes: 2, JournalLimit: 3, JournalLost: 4, JournalCorrupt: 5,
		Sinks: map[string]Sink{"postgres": {Waiting: 6, Dropped: 7, Refused: 8}},
	}
	if err := metrics.WatchMoney(func() Money { return now }); err != nil {
		t.Fatal(err)
	}
	scrape := func() string {
		recorder := httptest.NewRecorder()
		metrics.Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
		return recorder.Body.String()
	}
	text := scrape()
	for _, want := range []string{
		"# TYPE signalbox_budget_allowance_nanodollars gauge\nsignalbox_budget_allowance_nanodollars 1500\n",
		"# TYPE signalbox_journal_bytes gauge\nsignalbox_journal_bytes 2\n",
		"# TYPE signalbox_journal_limit_bytes gauge\nsignalbox_journal_limit_bytes 3\n",
		"# TYPE signalbox_journal_lost_notes_total counter\nsignalbox_journal_lost_notes_total 4\n",
		"# TYPE signalbox_journal_corrupt_bytes_total counter\nsignalbox_journal_corrupt_bytes_total 5\n",
		"# TYPE signalbox_usage_waiting_records gauge\nsignalbox_usage_waiting_records{sink=\"postgres\"} 6\n",
		"# TYPE signalbox_usage_dropped_records_total counter\nsignalbox_usage_dropped_records_total{sink=\"postgres\"} 7\n",
		"# TYPE signalbox_usage_refused_records_total counter\nsignalbox_usage_refused_records_total{sink=\"postgres\"} 8\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	now.Sinks = nil
	if text := scrape(); strings.Contains(text, "postgres") {
		t.Error("a sink that is gone is still there")
	}
}
