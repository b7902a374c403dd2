package otlp_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	"google.golang.org/protobuf/proto"

	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/usage"
	"signalbox.dev/signalbox/proxy/usage/journal"
	"signalbox.dev/signalbox/proxy/usage/otlp"
)

var start = time.Date(2026, 11, 23, 1, 2, 3, 4, time.UTC)

// receiver is a collector that keeps what it gets.
type receiver struct {
	*httptest.Server
	path, contentType string
	got               []*collector.ExportLogsServiceRequest
	// answer writes the reply; nil takes everything.
	answer func(w http.ResponseWriter)
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			t.Error(err)
		}
		var logs collector.ExportLogsServiceRequest
		if err := proto.Unmarshal(body, &logs); err != nil {
			t.Error(err)
		}
		r.path, r.contentType = request.URL.Path, request.Header.Get("Content-Type")
		r.got = append(r.got, &logs)
		if r.answer != nil {
			r.answer(w)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func exporter(t *testing.T, endpoint string) *otlp.Exporter {
	t.Helper()
	e, err := otlp.New(otlp.Options{Endpoint: endpoint, Namespace: "team-a", Pod: "signalbox-1", Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// values are attributes as words.
func values(list []*common.KeyValue) map[string]string {
	found := map[string]string{}
	for _, kv := range list {
		text := ""
		switch v := kv.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			text = v.StringValue
		case *common.AnyValue_IntValue:
			text = fmt.Sprint(v.IntValue)
		case *common.AnyValue_BoolValue:
			text = fmt.Sprint(v.BoolValue)
		case *common.AnyValue_DoubleValue:
			text = fmt.Sprint(v.DoubleValue)
		case *common.AnyValue_ArrayValue:
			for _, item := range v.ArrayValue.GetValues() {
				text += item.GetStringValue() + ";"
			}
		}
		found[kv.GetKey()] = text
	}
	return found
}

func TestAttributes(t *testing.T) {
	reported := int64(4)
	r := &usage.Record{
		ID: "gen-1", RequestID: "req-1", Time: start, Caller: "accesskey:app", EndUser: "ana", Tags: []table.Tag{{Key: "team", Value: "blue"}}, Trusted: true,
		Operation: "chat", Route: "chat", RoutedFrom: "dear", Target: "fast", Provider: "AWSBedrock", Model: "chat", Served: "claude", UpstreamID: "msg-1",
		Stream: true, Mirror: true, Usage: meter.Usage{Prompt: 10, Cached: 3, CacheWrite: 2, Completion: 5, Reasoning: 1, Searches: 9, ReportedCost: &reported, Service: "flex"},
		Cost: 1_500_000_000, Unpriced: true, PriceSource: "catalogue", ListCost: 2, Estimated: true, FirstToken: 250 * time.Millisecond, Upstream: time.Millisecond,
		Duration: time.Second, Attempts: make([]usage.Attempt, 2), Status: 504, Code: "timeout", Outcome: usage.Failed, Budgets: []string{"all", "chat"},
	}
	server := newReceiver(t)
	if err := exporter(t, server.URL).Write(t.Context(), []*usage.Record{r, {ID: "small", Time: start, Outcome: usage.Completed, Code: "ok", Provider: "Together"}}); err != nil {
		t.Fatal(err)
	}
	if server.path != "/v1/logs" || server.contentType != "application/x-protobuf" {
		t.Errorf("it was sent to %s as %s", server.path, server.contentType)
	}
	sent := server.got[0].GetResourceLogs()[0]
	want := map[string]string{"service.name": "signalbox", "service.version": "v1", "k8s.namespace.name": "team-a", "k8s.pod.name": "signalbox-1"}
	if diff := cmp.Diff(want, values(sent.GetResource().GetAttributes())); diff != "" {
		t.Errorf("resource (-want +got):\n%s", diff)
	}
	records := sent.GetScopeLogs()[0].GetLogRecords()
	want = map[string]string{
		"gen_ai.operation.name": "chat", "gen_ai.provider.name": "aws.bedrock", "gen_ai.request.model": "chat", "gen_ai.response.model": "claude",
		"gen_ai.response.id": "msg-1", "gen_ai.request.stream": "true", "gen_ai.response.time_to_first_chunk": "0.25", "error.type": "timeout",
		"http.response.status_code": "504", "user.id": "ana", "gen_ai.usage.input_tokens": "10", "gen_ai.usage.output_tokens": "5",
		"gen_ai.usage.cache_read.input_tokens": "3", "gen_ai.usage.cache_creation.input_tokens": "2", "gen_ai.usage.reasoning.output_tokens": "1",
		"signalbox.usage.searches": "9", "signalbox.usage.service_tier": "flex", "signalbox.schema": "signalbox.dev/usage/v1", "signalbox.record.id": "gen-1",
		"signalbox.request.id": "req-1", "signalbox.caller": "accesskey:app", "signalbox.trusted": "true", "signalbox.route": "chat",
		"signalbox.routed_from": "dear", "signalbox.target": "fast", "signalbox.mirror": "true", "signalbox.cost_nanodollars": "1500000000",
		"signalbox.cost_usd": "1.5", "signalbox.unpriced": "true", "signalbox.price_source": "catalogue", "signalbox.list_cost_nanodollars": "2",
		"signalbox.estimated": "true", "signalbox.duration_us": "1000000", "signalbox.upstream_us": "1000", "signalbox.attempts": "2",
		"signalbox.code": "timeout", "signalbox.outcome": "failed", "signalbox.budgets": "all;chat;", "signalbox.reported_cost_nanodollars": "4",
		"signalbox.tag.team": "blue",
	}
	if diff := cmp.Diff(want, values(records[0].GetAttributes())); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if records[0].GetTimeUnixNano() != uint64(start.UnixNano()) || records[0].GetEventName() != "signalbox.usage" || records[0].GetBody().GetStringValue() != "usage" {
		t.Errorf("the log record is %v", records[0])
	}
	want = map[string]string{
		"gen_ai.provider.name": "together", "gen_ai.usage.input_tokens": "0", "gen_ai.usage.output_tokens": "0", "signalbox.schema": "signalbox.dev/usage/v1",
		"signalbox.record.id": "small", "signalbox.cost_nanodollars": "0", "signalbox.cost_usd": "0", "signalbox.duration_us": "0", "signalbox.attempts": "0",
		"signalbox.code": "ok", "signalbox.outcome": "completed",
	}
	if diff := cmp.Diff(want, values(records[1].GetAttributes())); diff != "" {
		t.Errorf("attributes of little (-want +got):\n%s", diff)
	}
}

func TestAnswers(t *testing.T) {
	partial, err := proto.Marshal(&collector.ExportLogsServiceResponse{
		PartialSuccess: &collector.ExportLogsPartialSuccess{RejectedLogRecords: 3, ErrorMessage: "too old"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		answer      func(w http.ResponseWriter)
		wantRefused *journal.RefusedError
		wantAgain   bool
	}{
		"taken":              {},
		"no content":         {answer: func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }},
		"words":              {answer: func(w http.ResponseWriter) { _, _ = io.WriteString(w, "thank you") }},
		"some refused":       {answer: func(w http.ResponseWriter) { _, _ = w.Write(partial) }, wantRefused: &journal.RefusedError{Code: "partial_success", Records: 3}},
		"bad request":        {answer: func(w http.ResponseWriter) { w.WriteHeader(400) }, wantRefused: &journal.RefusedError{Code: "400"}},
		"too large":          {answer: func(w http.ResponseWriter) { w.WriteHeader(413) }, wantRefused: &journal.RefusedError{Code: "413"}},
		"not authenticated":  {answer: func(w http.ResponseWriter) { w.WriteHeader(401) }, wantAgain: true},
		"not there":          {answer: func(w http.ResponseWriter) { w.WriteHeader(404) }, wantAgain: true},
		"busy":               {answer: func(w http.ResponseWriter) { w.WriteHeader(429) }, wantAgain: true},
		"away":               {answer: func(w http.ResponseWriter) { w.WriteHeader(503) }, wantAgain: true},
		"elsewhere":          {answer: func(w http.ResponseWriter) { w.Header().Set("Location", "/else"); w.WriteHeader(307) }, wantAgain: true},
		"answer of any size": {answer: func(w http.ResponseWriter) { _, _ = io.WriteString(w, strings.Repeat("x", 1<<20)) }},
	} {
		t.Run(name, func(t *testing.T) {
			server := newReceiver(t)
			server.answer = tc.answer
			err := exporter(t, server.URL+"/v1/logs").Write(t.Context(), []*usage.Record{{ID: "a", Time: start}})
			var refused *journal.RefusedError
			errors.As(err, &refused)
			if diff := cmp.Diff(tc.wantRefused, refused); diff != "" {
				t.Errorf("refused (-want +got):\n%s", diff)
			}
			if (err != nil) != (tc.wantAgain || tc.wantRefused != nil) || len(server.got) != 1 {
				t.Errorf("Write returned %v after %d requests", err, len(server.got))
			}
		})
	}
}

func TestEndpoints(t *testing.T) {
	for _, bad := range []string{"", "collector:4318", "ftp://collector", "http://", "://hidden"} {
		if _, err := otlp.New(otlp.Options{Endpoint: bad}); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("New(%q) returned %v", bad, err)
		}
	}
	server := newReceiver(t)
	url := server.URL + "/v1/logs?key=hidden"
	server.Close()
	if err := exporter(t, url).Write(t.Context(), []*usage.Record{{ID: "a"}}); err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("Write to a collector that is away returned %v", err)
	}
}
