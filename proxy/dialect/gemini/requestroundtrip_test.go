package gemini_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect/gemini"
)

// TestRoundTrip reads requests into the neutral form and writes them back. The golden files show that nothing is lost; schemas of Google's own kind become
// JSON schemas.
func TestRoundTrip(t *testing.T) {
	for name, body := range inputs(t, "request", ".json") {
		t.Run(name, func(t *testing.T) {
			request := readRequest(t, string(body))
			model := "gemini-2.5-flash"
			if name == "level" || name == "conversation" {
				model = "gemini-3-flash-preview"
			}
			before := readRequest(t, string(body))
			written, report, err := gemini.Generate{}.AppendRequest([]byte("x"), request, googleAI(model))
			if err != nil || len(report.Dropped) > 0 {
				t.Fatalf("AppendRequest: %v, dropped %v", err, report.Dropped)
			}
			if diff := cmp.Diff(before, request); diff != "" {
				t.Errorf("AppendRequest changed the request (-want +got):\n%s", diff)
			}
			golden(t, "request/"+name+".golden", indented(t, written[1:]))
			if diff := cmp.Diff(request, readRequest(t, string(written[1:]))); diff != "" {
				t.Errorf("read again (-want +got):\n%s", diff)
			}
		})
	}
}
