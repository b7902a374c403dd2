package control

import (
	"bytes"
	"testing"
)

// FuzzReadReports feeds bytes of a proxy to the reader, which must end with an error and never hand over more than the lines there are.
func FuzzReadReports(f *testing.F) {
	f.Add([]byte(`{"pod":"p","podUID":"u","sequence":3,"startedAt":"2026-01-02T03:04:05Z","inFlight":1}` + "\n"))
	f.Add([]byte(`{"sequence":3,"targets":[{"route":"r","target":"t","block":"CircuitOpen","blockSeconds":3},{"samples":1e30}]}` + "\n"))
	f.Add([]byte("\n"))
	f.Add([]byte(`{"sequence":"x"}` + "\n"))
	f.Add(bytes.Repeat([]byte("x"), MaxReportBytes+1))
	f.Fuzz(func(t *testing.T, stream []byte) {
		reports := 0
		if err := readReports(bytes.NewReader(stream), func(Report) { reports++ }); err == nil {
			t.Error("a stream that ended gave no error")
		}
		if lines := bytes.Count(stream, []byte("\n")); reports > lines {
			t.Errorf("%d reports from %d lines", reports, lines)
		}
	})
}
