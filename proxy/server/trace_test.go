package server

import (
	"bytes"
	"encoding/hex"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	traces "go.opentelemetry.io/proto/slim/otlp/trace/v1"

	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/telemetry"
	"signalbox.dev/signalbox/proxy/tracing"
	"signalbox.dev/signalbox/proxy/tracing/tracingtest"
)

const (
	callerTrace   = "4bf92f3577b34da6a3ce929d0e0e4736"
	callerSpan    = "00f067aa0ba902b7"
	callerParent  = "00-" + callerTrace + "-" + callerSpan + "-01"
	secretPrompt  = "the-prompt-that-nobody-may-see"
	secretAnswer  = "the-answer-that-nobody-may-see"
	secretHeader  = "the-header-that-nobody-may-see"
	secretEndUser = "ana@example.com"
)

// traced has a tracer of team-a that sends to a collector.
func traced(t *testing.T, to *tracingtest.Receiver) setup {
	t.Helper()
	return tracedAs(t, to, "team-a")
}

func tracedAs(t *testing.T, to *tracingtest.Receiver, namespace string) setup {
	t.Helper()
	tracer := tracing.New(tracing.Options{
		Pod: "signalbox-1", Version: "v1", Log: slog.New(slog.DiscardHandler), Metrics: telemetry.NewSpans(telemetry.NewMetrics()),
	})
	tracer.Use(namespace, table.Tracing{OTLPEndpoint: to.URL, SamplePermille: 1000})
	t.Cleanup(func() { tracer.Flush(t.Context()) })
	return func(o *Options, _ *table.Table) { o.Tracer = tracer }
}

// sendTraced makes a call with headers and returns the answer's body.
func (h *harness) sendTraced(body string, header map[string]string) (int, string) {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.front.URL+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+appKey)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Request-Id", "req-1")
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func named(t *testing.T, spans []*traces.Span, name string, kind traces.Span_SpanKind) *traces.Span {
	t.Helper()
	for _, span := range spans {
		if span.GetName() == name && span.GetKind() == kind {
			return span
		}
	}
	t.Fatalf("no %s span %q among %v", kind, name, spans)
	return nil
}

func TestTraceOfACallThatFellBack(t *testing.T) {
	collector := tracingtest.NewReceiver(t)
	answer := strings.Replace(goodAnswer, `"content":"`, `"content":"`+secretAnswer, 1)
	h := newHarness(t, []http.HandlerFunc{
		func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Traceparent") != "" || r.Header.Get("Tracestate") != "" {
				t.Error("a provider was told of the trace")
			}
			w.WriteHeader(http.StatusServiceUnavailable)
		},
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, answer)
		},
	}, traced(t, collector))
	body := `{"model":"chat","user":"` + secretEndUser + `","messages":[{"role":"user","content":"` + secretPrompt + `"}]}`
	status, _ := h.sendTraced(body, map[string]string{"Traceparent": callerParent, "Tracestate": "vendor=1", "Baggage": "k=" + secretHeader, "X-Private": secretHeader})
	if status != http.StatusOK {
		t.Fatalf("the call answered %d", status)
	}
	spans := collector.Wait(t, 3)
	server := named(t, spans, "chat chat", traces.Span_SPAN_KIND_SERVER)
	if hex.EncodeToString(server.GetTraceId()) != callerTrace || hex.EncodeToString(server.GetParentSpanId()) != callerSpan || server.GetTraceState() != "vendor=1" {
		t.Errorf("the server's span is not a child of the caller's: %v", server)
	}
	want := map[string]string{
		"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openaicompatible", "gen_ai.request.model": "chat", "gen_ai.response.model": "upstream-1",
		"gen_ai.usage.input_tokens": "10", "gen_ai.usage.output_tokens": "5", "http.response.status_code": "200", "signalbox.request.id": "req-1",
		"signalbox.caller": "accesskey:app", "signalbox.route": "chat-route", "signalbox.target": "t1", "signalbox.attempts": "2",
		"signalbox.cost_nanodollars": "20000",
	}
	ignore := cmpopts.IgnoreMapEntries(func(key, _ string) bool { return key == "signalbox.record.id" || key == "gen_ai.response.id" })
	if diff := cmp.Diff(want, tracingtest.Values(server.GetAttributes()), ignore); diff != "" {
		t.Errorf("attributes of the server's span (-want +got):\n%s", diff)
	}
	checkFallback(t, server)
	checkAttempts(t, h, spans, server)
	checkSecrets(t, collector)
	if line := h.log.request(t, "req-1"); line["trace_id"] != callerTrace {
		t.Errorf("the access log has the trace %v", line["trace_id"])
	}
}

func checkFallback(t *testing.T, server *traces.Span) {
	t.Helper()
	if len(server.GetEvents()) != 1 || server.GetEvents()[0].GetName() != "signalbox.fallback" {
		t.Fatalf("its events are %v", server.GetEvents())
	}
	want := map[string]string{"signalbox.target": "t0", "signalbox.reason": "Unavailable"}
	if diff := cmp.Diff(want, tracingtest.Values(server.GetEvents()[0].GetAttributes())); diff != "" {
		t.Errorf("attributes of the fallback (-want +got):\n%s", diff)
	}
}

func checkSecrets(t *testing.T, collector *tracingtest.Receiver) {
	t.Helper()
	for _, secret := range []string{secretPrompt, secretAnswer, secretHeader, secretEndUser, appKey, providerKey, "Bearer"} {
		if bytes.Contains(collector.Raw(), []byte(secret)) {
			t.Errorf("the collector was told %q", secret)
		}
	}
}

func checkAttempts(t *testing.T, h *harness, spans []*traces.Span, server *traces.Span) {
	t.Helper()
	for i, tc := range []struct {
		name      string
		want      map[string]string
		wantError bool
	}{
		{"chat upstream-0", map[string]string{"http.response.status_code": "503", "error.type": "upstream_unavailable", "signalbox.target": "t0", "signalbox.credential": "c0"}, true},
		{"chat upstream-1", map[string]string{
			"http.response.status_code": "200", "gen_ai.usage.input_tokens": "10", "gen_ai.usage.output_tokens": "5",
			"signalbox.cost_nanodollars": "20000", "signalbox.target": "t1", "signalbox.credential": "c1",
		}, false},
	} {
		span := named(t, spans, tc.name, traces.Span_SPAN_KIND_CLIENT)
		host, port, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(h.table.Credentials[i].Endpoint, "http://"), "/v1"), ":")
		tc.want["server.address"], tc.want["server.port"] = host, port
		tc.want["gen_ai.operation.name"], tc.want["gen_ai.provider.name"], tc.want["gen_ai.request.model"] = "chat", "openaicompatible", strings.TrimPrefix(tc.name, "chat ")
		tc.want["signalbox.route"] = "chat-route"
		if diff := cmp.Diff(tc.want, tracingtest.Values(span.GetAttributes())); diff != "" {
			t.Errorf("attributes of attempt %d (-want +got):\n%s", i, diff)
		}
		if !bytes.Equal(span.GetTraceId(), server.GetTraceId()) || !bytes.Equal(span.GetParentSpanId(), server.GetSpanId()) {
			t.Errorf("attempt %d is not a child of the request", i)
		}
		if failed := span.GetStatus().GetCode() == traces.Status_STATUS_CODE_ERROR; failed != tc.wantError {
			t.Errorf("attempt %d: error is %v", i, failed)
		}
		if span.GetStartTimeUnixNano() < server.GetStartTimeUnixNano() || span.GetEndTimeUnixNano() > server.GetEndTimeUnixNano() {
			t.Errorf("attempt %d is not within the request", i)
		}
	}
}

func TestTraceOfAStream(t *testing.T) {
	collector := tracingtest.NewReceiver(t)
	h := newHarness(t, []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, goodStream)
	}}, traced(t, collector))
	h.sendTraced(streamBody, nil)
	for _, span := range collector.Wait(t, 2) {
		values := tracingtest.Values(span.GetAttributes())
		if values["gen_ai.response.time_to_first_chunk"] == "" || values["gen_ai.usage.output_tokens"] != "5" {
			t.Errorf("%s has %v", span.GetName(), values)
		}
		if len(span.GetEvents()) != 1 || span.GetEvents()[0].GetName() != "first_token" {
			t.Errorf("%s has the events %v", span.GetName(), span.GetEvents())
		}
	}
}

func TestTraceparents(t *testing.T) {
	cases := map[string]struct {
		header map[string]string
		// wantTrace is that of the spans; empty for one of the proxy's own.
		wantTrace string
		wantState string
	}{
		"none":               {},
		"good":               {header: map[string]string{"Traceparent": callerParent}, wantTrace: callerTrace},
		"words":              {header: map[string]string{"Traceparent": "none of your business"}},
		"zero trace":         {header: map[string]string{"Traceparent": "00-" + strings.Repeat("0", 32) + "-" + callerSpan + "-01"}},
		"zero span":          {header: map[string]string{"Traceparent": "00-" + callerTrace + "-0000000000000000-01"}},
		"capitals":           {header: map[string]string{"Traceparent": strings.ToUpper(callerParent)}},
		"version ff":         {header: map[string]string{"Traceparent": "ff" + callerParent[2:]}},
		"too long":           {header: map[string]string{"Traceparent": callerParent + "-more"}},
		"later version":      {header: map[string]string{"Traceparent": "01" + callerParent[2:] + "-more"}, wantTrace: callerTrace},
		"long tracestate":    {header: map[string]string{"Traceparent": callerParent, "Tracestate": "a=" + strings.Repeat("b", 600)}, wantTrace: callerTrace},
		"broken tracestate":  {header: map[string]string{"Traceparent": callerParent, "Tracestate": "==,,"}, wantTrace: callerTrace},
		"tracestate":         {header: map[string]string{"Traceparent": callerParent, "Tracestate": "a=b,c=d"}, wantTrace: callerTrace, wantState: "a=b,c=d"},
		"tracestate alone":   {header: map[string]string{"Tracestate": "a=b"}},
		"sampled and random": {header: map[string]string{"Traceparent": callerParent[:53] + "03"}, wantTrace: callerTrace},
	}
	collector := tracingtest.NewReceiver(t)
	h := newHarness(t, []http.HandlerFunc{answerWell}, traced(t, collector))
	for name, tc := range cases {
		header := map[string]string{"X-Request-Id": strings.ReplaceAll(name, " ", "-")}
		maps.Copy(header, tc.header)
		if status, text := h.sendTraced(goodBody, header); status != http.StatusOK {
			t.Fatalf("%s: the call answered %d %s", name, status, text)
		}
	}
	for _, span := range collector.Wait(t, 2*len(cases)) {
		if span.GetKind() != traces.Span_SPAN_KIND_SERVER {
			continue
		}
		name := strings.ReplaceAll(tracingtest.Values(span.GetAttributes())["signalbox.request.id"], "-", " ")
		tc, got := cases[name], hex.EncodeToString(span.GetTraceId())
		if got == strings.Repeat("0", 32) || tc.wantTrace != "" && got != tc.wantTrace || tc.wantTrace == "" && got == callerTrace || span.GetTraceState() != tc.wantState {
			t.Errorf("%s: the span is of trace %s with the state %q", name, got, span.GetTraceState())
		}
	}
}

func answerWell(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, goodAnswer)
}

func TestTracesThatAreNotMade(t *testing.T) {
	collector := tracingtest.NewReceiver(t)
	h := newHarness(t, []http.HandlerFunc{answerWell}, traced(t, collector))
	h.sendTraced(goodBody, map[string]string{"Traceparent": callerParent[:53] + "00"})
	h.sendTraced(goodBody, map[string]string{"Authorization": "Bearer wrong", "Traceparent": callerParent})
	h.sendTraced(goodBody, map[string]string{"X-Request-Id": "kept"})
	spans := collector.Wait(t, 2)
	if got := tracingtest.Values(named(t, spans, "chat chat", traces.Span_SPAN_KIND_SERVER).GetAttributes())["signalbox.request.id"]; got != "kept" || len(spans) != 2 {
		t.Errorf("%d spans came, of the request %s", len(spans), got)
	}
}

func TestTraceOfARequestWithoutRoute(t *testing.T) {
	collector := tracingtest.NewReceiver(t)
	h := newHarness(t, []http.HandlerFunc{answerWell}, traced(t, collector))
	h.sendTraced(`{"model":"`+secretPrompt+`","messages":[]}`, nil)
	span := collector.Wait(t, 1)[0]
	values := tracingtest.Values(span.GetAttributes())
	if span.GetName() != "chat" || values["error.type"] != "model_not_found" || span.GetStatus().GetCode() != traces.Status_STATUS_CODE_UNSET || bytes.Contains(collector.Raw(), []byte(secretPrompt)) {
		t.Errorf("the span is %v", span)
	}
}

// A tracestate goes on only with the trace that it is of: one beside a broken traceparent, or one that is not kept, is nobody's.
func TestTraceGoesOnToAnotherProxy(t *testing.T) {
	long := "a=" + strings.Repeat("b", 600)
	cases := map[string]struct {
		parent, state string
		wantTrace     string
		wantState     string
	}{
		"both":                  {callerParent, "a=b", callerTrace, "a=b"},
		"a broken traceparent":  {"none of your business", "a=b", "", ""},
		"no traceparent":        {"", "a=b", "", ""},
		"a long tracestate":     {callerParent, long, callerTrace, ""},
		"a broken tracestate":   {callerParent, "==,,", callerTrace, ""},
		"nothing of a client's": {"", "", "", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			collector := tracingtest.NewReceiver(t)
			got := make(chan http.Header, 1)
			h := newHarness(t, []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
				got <- r.Header.Clone()
				answerWell(w, r)
			}}, traced(t, collector), withTable(func(t *table.Table) {
				t.Credentials[0].Provider, t.Credentials[0].Name = "Signalbox", "route:ai-platform"
				target := &t.Routes[0].Targets[0]
				target.Credential, target.CalledRoute = "route:ai-platform", "ai-platform/llama"
			}))
			h.sendTraced(goodBody, map[string]string{"Traceparent": tc.parent, "Tracestate": tc.state, "Baggage": "k=" + secretHeader})
			attempt := named(t, collector.Wait(t, 2), "chat upstream-0", traces.Span_SPAN_KIND_CLIENT)
			header, trace := <-got, hex.EncodeToString(attempt.GetTraceId())
			want := "00-" + trace + "-" + hex.EncodeToString(attempt.GetSpanId()) + "-01"
			if header.Get("Traceparent") != want || header.Get("Tracestate") != tc.wantState || header.Get("Baggage") != "" {
				t.Errorf("the other proxy got %q and %q, not %q", header.Get("Traceparent"), header.Get("Tracestate"), want)
			}
			if (trace == callerTrace) != (tc.wantTrace != "") {
				t.Errorf("the attempt is of trace %s", trace)
			}
		})
	}
}

func TestTraceOfAMirror(t *testing.T) {
	collector := tracingtest.NewReceiver(t)
	h := newHarness(t, []http.HandlerFunc{answerWell, answerWell}, traced(t, collector), withTable(func(t *table.Table) {
		r := &t.Routes[0]
		r.Mirror = &table.Mirror{Target: r.Targets[1], Percent: 100, MaxConcurrency: 1}
		r.Targets = r.Targets[:1]
	}))
	h.sendTraced(goodBody, nil)
	spans := collector.Wait(t, 4)
	server := named(t, spans, "chat chat", traces.Span_SPAN_KIND_SERVER)
	mirror := named(t, spans, "mirror chat chat", traces.Span_SPAN_KIND_INTERNAL)
	attempt := named(t, spans, "chat upstream-1", traces.Span_SPAN_KIND_CLIENT)
	if !bytes.Equal(mirror.GetParentSpanId(), server.GetSpanId()) || !bytes.Equal(attempt.GetParentSpanId(), mirror.GetSpanId()) {
		t.Errorf("the mirror is %v, its attempt %v", mirror, attempt)
	}
	if values := tracingtest.Values(mirror.GetAttributes()); values["signalbox.mirror"] != "true" || values["signalbox.cost_nanodollars"] != "20000" {
		t.Errorf("the mirror has %v", values)
	}
}

func TestTraceOfAPanic(t *testing.T) {
	collector := tracingtest.NewReceiver(t)
	h := newHarness(t, []http.HandlerFunc{answerWell}, traced(t, collector), func(o *Options, _ *table.Table) {
		o.NewTransport = func(table.EndpointRules) (http.RoundTripper, error) { return panickingNow{}, nil }
	})
	h.sendTraced(goodBody, nil)
	for _, span := range collector.Wait(t, 2) {
		if tracingtest.Values(span.GetAttributes())["error.type"] != string(CodeInternal) {
			t.Errorf("%s has %v", span.GetName(), span.GetAttributes())
		}
	}
}

type panickingNow struct{}

func (panickingNow) RoundTrip(*http.Request) (*http.Response, error) { panic("a defect") }

func TestNoTracerCostsNothing(t *testing.T) {
	var tracer *tracing.Tracer
	off := tracing.New(tracing.Options{Log: slog.New(slog.DiscardHandler)})
	header := http.Header{"Traceparent": {callerParent}}
	entry := &telemetry.Entry{}
	for name, tracer := range map[string]*tracing.Tracer{"none": tracer, "off": off} {
		c := &call{}
		if allocations := testing.AllocsPerRun(100, func() {
			c.trace = tracer.Begin(header, entry.Time)
			c.attempts = append(c.firstAttempt[:0], attempt{})
			c.attempts[0].trace = c.traceAttempt(&c.attempts[0])
			c.trace.FellBack(entry.Time, "t0", "Timeout")
			_ = c.trace.TraceID()
			c.attempts[0].endTrace(entry.Time)
			(*Server)(nil).endTrace(c, entry)
		}); allocations != 0 {
			t.Errorf("%s: %v allocations", name, allocations)
		}
	}
}
