package control

import (
	"encoding/json"
	"fmt"
	"time"

	"signalbox.dev/signalbox/proxy/traffic"
)

// ReportsPath is the path of the stream of reports.
const ReportsPath = "/v1/reports"

// ContentType is the media type of the stream: one JSON document a line.
const ContentType = "application/x-ndjson"

// MaxReportBytes bounds one line of the stream; a reader refuses a longer one.
const MaxReportBytes = 1 << 20

// Report is what a proxy says about itself. It is sent when a stream opens, on every change and at a fixed interval.
type Report struct {
	// Pod is the pod's name.
	Pod string `json:"pod"`
	// PodUID is the pod's UID.
	PodUID string `json:"podUID"`
	// Sequence of the table that new requests are served from; 0 when there is none.
	Sequence int64 `json:"sequence"`
	// Revision of that table.
	Revision string `json:"revision,omitempty"`
	// StartedAt is when the process started.
	StartedAt time.Time `json:"startedAt"`
	Stats
}

// Stats are the numbers of the data plane.
type Stats struct {
	// Draining tells that the proxy is shutting down and takes no new connections.
	Draining bool `json:"draining,omitempty"`
	// InFlight is the number of requests that are being served.
	InFlight int64 `json:"inFlight"`
	// KeysWanted are the URLs of the issuers for whose newest keys requests wait: their tokens were signed with a key that the table does not have.
	KeysWanted []string `json:"keysWanted,omitempty"`
	// KeysAsked is how many requests have come to wait for keys since the process started. The manager returns it with its answer, KeysFound.
	KeysAsked int64 `json:"keysAsked,omitempty"`
	// Targets are those that were called of late or that something is wrong with. A report holds at most traffic.MaxTargets of them, troubled ones first,
	// and fewer where they do not fit into MaxReportBytes.
	Targets []traffic.Target `json:"targets,omitempty"`
	// Credentials are the providers' accounts that were called of late or that something is wrong with, at most traffic.MaxCredentials of them, troubled ones
	// first, and fewer where they do not fit.
	Credentials []traffic.Credential `json:"credentials,omitempty"`
}

// line is a report as it is sent, its end of line included. What does not fit is left out: first the times of the less interesting half of the targets, which
// are most of a report, and so on; then such targets, and then credentials, as a whole.
func line(report Report) ([]byte, error) {
	report.Targets = traffic.Bounded(report.Targets)
	report.Credentials = traffic.BoundedCredentials(report.Credentials)
	timed := len(report.Targets)
	for {
		text, err := json.Marshal(report)
		if err != nil {
			return nil, fmt.Errorf("encoding a report: %w", err)
		}
		if len(text) < MaxReportBytes || len(report.Targets) == 0 && len(report.Credentials) == 0 {
			return append(text, '\n'), nil
		}
		switch {
		case timed > 0:
			timed /= 2
			for i := range report.Targets[timed:] {
				report.Targets[timed+i].FirstToken, report.Targets[timed+i].Rate = nil, nil
			}
		case len(report.Targets) > 0:
			report.Targets = report.Targets[:len(report.Targets)/2]
		default:
			report.Credentials = report.Credentials[:len(report.Credentials)/2]
		}
	}
}
