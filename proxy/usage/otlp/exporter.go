// Package otlp sends usage records to an OpenTelemetry collector, as logs over HTTP in protobuf.
//
// It writes the protocol itself, since the SDK's exporter takes records from its own pipeline only and does not tell which of them the collector refused. Names of
// attributes are those of the GenAI conventions where they have one. A collector cannot tell a record that comes again: signalbox.record.id does.
package otlp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	logscollector "go.opentelemetry.io/proto/slim/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	logs "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	"google.golang.org/protobuf/proto"

	"signalbox.dev/signalbox/proxy/collector"
	"signalbox.dev/signalbox/proxy/usage"
	"signalbox.dev/signalbox/proxy/usage/journal"
)

// logsPath is where a collector takes logs, behind an endpoint that names no path.
const logsPath = "/v1/logs"

// Options of an Exporter.
type Options struct {
	// Endpoint is the collector's URL; without a path it is that of logs.
	Endpoint string
	// Namespace and Pod of the proxy, and its Version.
	Namespace, Pod, Version string
	// Client sends; nil is one with the standard transport. It follows no redirect.
	Client *http.Client
}

// Exporter is a sink of the journal.
type Exporter struct {
	client   *collector.Client
	resource *resource.Resource
	scope    *common.InstrumentationScope
}

// New returns an exporter. The error is that of an endpoint that is no URL of http or https.
func New(o Options) (*Exporter, error) {
	client, err := collector.New(o.Endpoint, logsPath, o.Client)
	if err != nil {
		return nil, err
	}
	return &Exporter{
		client: client,
		resource: &resource.Resource{Attributes: attributes{}.
			text("service.name", "signalbox").text("service.version", o.Version).
			text("k8s.namespace.name", o.Namespace).text("k8s.pod.name", o.Pod)},
		scope: &common.InstrumentationScope{Name: usage.Schema, Version: o.Version},
	}, nil
}

// Write implements journal.Sink.
func (e *Exporter) Write(ctx context.Context, records []*usage.Record) error {
	answer, err := e.client.Send(ctx, e.request(records))
	if errors.Is(err, collector.ErrEncoding) {
		return &journal.RefusedError{Code: "encoding"}
	}
	if err != nil {
		return fmt.Errorf("sending usage records: %w", err)
	}
	return judge(answer.Status, answer.Body)
}

// judge reads what the collector says. Records that it refused must not be sent again; a collector that is not reached, not authenticated to or too busy has not
// refused them.
func judge(status int, body []byte) error {
	switch status {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		if rejected := rejectedIn(body); rejected > 0 {
			return &journal.RefusedError{Code: "partial_success", Records: rejected}
		}
		return nil
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return &journal.RefusedError{Code: strconv.Itoa(status)}
	default:
		return fmt.Errorf("sending usage records to the collector: it answers %d", status)
	}
}

// rejectedIn is how many records the collector did not take of those that it was sent. An answer that is no message of the protocol says that it took them all.
func rejectedIn(body []byte) int {
	var answer logscollector.ExportLogsServiceResponse
	if proto.Unmarshal(body, &answer) != nil {
		return 0
	}
	return int(max(0, answer.GetPartialSuccess().GetRejectedLogRecords()))
}

func (e *Exporter) request(records []*usage.Record) *logscollector.ExportLogsServiceRequest {
	list := make([]*logs.LogRecord, len(records))
	for i, r := range records {
		list[i] = logRecord(r)
	}
	return &logscollector.ExportLogsServiceRequest{ResourceLogs: []*logs.ResourceLogs{{
		Resource: e.resource, ScopeLogs: []*logs.ScopeLogs{{Scope: e.scope, LogRecords: list}},
	}}}
}
