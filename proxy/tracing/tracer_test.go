package tracing

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	tracecollector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/telemetry"
	"signalbox.dev/signalbox/proxy/tracing/tracingtest"
)

// somewhere is a configuration in which everything is sampled.
var somewhere = table.Tracing{OTLPEndpoint: "http://collector:4318", SamplePermille: 1000}

// network answers instead of a collector, and counts what it was sent.
type network struct {
	mu     sync.Mutex
	hosts  []string
	answer func(*http.Request) (int, string, error)
}

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	n.hosts = append(n.hosts, r.URL.Host)
	n.mu.Unlock()
	_, _ = io.Copy(io.Discard, r.Body)
	status, body, err := n.answer(r)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}}, nil
}

func (n *network) tried() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hosts
}

func answers(status int, body string) func(*http.Request) (int, string, error) {
	return func(*http.Request) (int, string, error) { return status, body, nil }
}

// hangs answers nothing until it is given up.
func hangs(r *http.Request) (int, string, error) {
	<-r.Context().Done()
	return 0, "", r.Context().Err()
}

// subject is a tracer with its metrics.
type subject struct {
	*Tracer
	metrics *telemetry.Metrics
}

func newTracer(n *network, log io.Writer) subject {
	metrics := telemetry.NewMetrics()
	return subject{metrics: metrics, Tracer: New(Options{
		Pod: "p", Version: "v", Log: slog.New(slog.NewTextHandler(log, nil)), Client: &http.Client{Transport: n}, Metrics: telemetry.NewSpans(metrics),
	})}
}

// trace makes a trace of one span.
func (s subject) trace(model string) {
	now := time.Now()
	s.Begin(nil, now).End(&Outcome{Entry: &telemetry.Entry{Time: now, Operation: telemetry.Chat, Route: "r", Model: model, Code: codeOK, Status: http.StatusOK}})
}

// results are what became of spans.
func (s subject) results() map[string]float64 {
	recorder := httptest.NewRecorder()
	s.metrics.Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/metrics", http.NoBody))
	results := map[string]float64{}
	for line := range strings.Lines(recorder.Body.String()) {
		if name, value, ok := strings.Cut(strings.TrimPrefix(line, `signalbox_trace_spans_total{result="`), `"} `); ok && strings.HasPrefix(line, "signalbox_trace_spans_total{") {
			results[name], _ = strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return results
}

func partial(t *testing.T, rejected int64) string {
	t.Helper()
	body, err := proto.Marshal(&tracecollector.ExportTraceServiceResponse{PartialSuccess: &tracecollector.ExportTracePartialSuccess{RejectedSpans: rejected, ErrorMessage: "secret"}})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestWhatBecomesOfSpans(t *testing.T) {
	for name, tc := range map[string]struct {
		answer    func(*http.Request) (int, string, error)
		spans     int
		want      map[string]float64
		wantTries int
		wantLog   string
	}{
		"taken":             {answer: answers(200, ""), spans: 3, want: map[string]float64{"delivered": 3, "dropped": 0, "failed": 0}, wantTries: 1},
		"two batches":       {answer: answers(204, ""), spans: maxBatch + 1, want: map[string]float64{"delivered": maxBatch + 1, "dropped": 0, "failed": 0}, wantTries: 2},
		"some rejected":     {answer: answers(200, partial(t, 2)), spans: 3, want: map[string]float64{"delivered": 1, "dropped": 0, "failed": 2}, wantTries: 1},
		"all and more":      {answer: answers(200, partial(t, 1<<40)), spans: 3, want: map[string]float64{"delivered": 0, "dropped": 0, "failed": 3}, wantTries: 1},
		"less than none":    {answer: answers(200, partial(t, -5)), spans: 3, want: map[string]float64{"delivered": 3, "dropped": 0, "failed": 0}, wantTries: 1},
		"refused":           {answer: answers(400, "secret"), spans: 3, want: map[string]float64{"delivered": 0, "dropped": 0, "failed": 3}, wantTries: 1, wantLog: "400"},
		"redirected":        {answer: answers(307, "secret"), spans: 3, want: map[string]float64{"delivered": 0, "dropped": 0, "failed": 3}, wantTries: 1, wantLog: "307"},
		"busy":              {answer: answers(503, "secret"), spans: 3, want: map[string]float64{"delivered": 0, "dropped": 0, "failed": 3}, wantTries: mostTries, wantLog: "503"},
		"hanging":           {answer: hangs, spans: 3, want: map[string]float64{"delivered": 0, "dropped": 0, "failed": 3}, wantTries: mostTries, wantLog: "deadline"},
		"hanging, and many": {answer: hangs, spans: maxBatch + maxWaiting + 7, want: map[string]float64{"delivered": 0, "dropped": 7, "failed": maxBatch + maxWaiting}, wantTries: (1 + maxWaiting/maxBatch) * mostTries, wantLog: "deadline"},
		"away": {
			answer: func(*http.Request) (int, string, error) { return 0, "", errors.New("connection refused") }, spans: 3,
			want: map[string]float64{"delivered": 0, "dropped": 0, "failed": 3}, wantTries: mostTries, wantLog: "connection refused",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, log := &network{answer: tc.answer}, &bytes.Buffer{}
				tracer := newTracer(n, log)
				tracer.Use("team-a", somewhere)
				began := time.Now()
				for i := range tc.spans {
					tracer.trace("m")
					if i == maxBatch-1 {
						synctest.Wait() // The first batch is under way.
					}
				}
				if !time.Now().Equal(began) {
					t.Error("making traces took time")
				}
				<-time.After(time.Hour)
				synctest.Wait()
				if diff := cmp.Diff(tc.want, tracer.results()); diff != "" {
					t.Errorf("spans (-want +got):\n%s", diff)
				}
				if got := len(n.tried()); got != tc.wantTries {
					t.Errorf("%d requests, not %d", got, tc.wantTries)
				}
				tracer.Flush(t.Context())
				if text := log.String(); strings.Contains(text, "secret") || strings.Contains(text, "collector:4318") || !strings.Contains(text, tc.wantLog) || strings.Count(text, "WARN") > 1 {
					t.Errorf("the log is %s", text)
				}
			})
		})
	}
}

func TestCollectorComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		n, log := &network{answer: func(*http.Request) (int, string, error) {
			tries++
			if tries < 3 {
				return 503, "", nil
			}
			return 200, "", nil
		}}, &bytes.Buffer{}
		tracer := newTracer(n, log)
		tracer.Use("team-a", somewhere)
		tracer.trace("m")
		<-time.After(time.Minute)
		tracer.Flush(t.Context())
		if diff := cmp.Diff(map[string]float64{"delivered": 1, "dropped": 0, "failed": 0}, tracer.results()); diff != "" {
			t.Errorf("spans (-want +got):\n%s", diff)
		}
		if !strings.Contains(log.String(), "takes traces again") {
			t.Errorf("the log is %s", log)
		}
	})
}

func TestEndpointChangesWithoutALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{answer: answers(200, "")}
		tracer := newTracer(n, io.Discard)
		tracer.Use("team-a", somewhere)
		tracer.trace("waits when the endpoint changes")
		open := tracer.Begin(nil, time.Now())
		tracer.Use("team-a", table.Tracing{OTLPEndpoint: "http://other:4318", SamplePermille: 1000})
		open.End(&Outcome{Entry: &telemetry.Entry{Time: time.Now(), Operation: telemetry.Chat}})
		tracer.trace("after it")
		<-time.After(time.Minute)
		if diff := cmp.Diff(map[string]float64{"delivered": 3, "dropped": 0, "failed": 0}, tracer.results()); diff != "" {
			t.Errorf("spans (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"other:4318"}, n.tried()); diff != "" {
			t.Errorf("collectors (-want +got):\n%s", diff)
		}
		tracer.Use("team-a", table.Tracing{})
		if tracer.Begin(nil, time.Now()) != nil {
			t.Error("without an endpoint there is a trace")
		}
		tracer.Use("team-a", table.Tracing{OTLPEndpoint: "ftp://x"})
		if tracer.Begin(nil, time.Now()) != nil {
			t.Error("with an endpoint that is none there is a trace")
		}
		tracer.Flush(t.Context())
	})
}

func TestFlush(t *testing.T) {
	for name, tc := range map[string]struct {
		answer   func(*http.Request) (int, string, error)
		spans    int
		want     map[string]float64
		wantTime time.Duration
	}{
		"sends what waits": {answers(200, ""), 3 * maxBatch, map[string]float64{"delivered": 3 * maxBatch, "dropped": 0, "failed": 0}, 0},
		"nothing waits":    {answers(200, ""), 0, map[string]float64{"delivered": 0, "dropped": 0, "failed": 0}, 0},
		"away":             {answers(503, ""), 3, map[string]float64{"delivered": 0, "dropped": 0, "failed": 3}, 0},
		"hangs":            {hangs, maxBatch + 1, map[string]float64{"delivered": 0, "dropped": 0, "failed": maxBatch + 1}, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tracer := newTracer(&network{answer: tc.answer}, io.Discard)
				tracer.Use("team-a", somewhere)
				for range tc.spans {
					tracer.trace("m")
				}
				limited, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				began := time.Now()
				tracer.Flush(limited)
				if took := time.Since(began); took != tc.wantTime {
					t.Errorf("it took %s", took)
				}
				if diff := cmp.Diff(tc.want, tracer.results()); diff != "" {
					t.Errorf("spans (-want +got):\n%s", diff)
				}
				tracer.Use("team-a", somewhere)
				if tracer.Begin(nil, time.Now()) != nil {
					t.Error("after the end there is a trace")
				}
				tracer.Flush(t.Context())
			})
		})
	}
}

func TestTracersThatWereNeverUsed(t *testing.T) {
	New(Options{Log: slog.New(slog.DiscardHandler)}).Flush(t.Context())
	var none *Tracer
	call := none.Begin(http.Header{}, time.Now())
	attempt := call.Attempt(&Attempted{})
	header := http.Header{}
	attempt.SentTo(nil)
	attempt.Inject(header)
	attempt.End(&Answered{})
	call.Mirror(time.Now()).End(&Outcome{})
	call.FellBack(time.Now(), "t", "r")
	if call != nil || attempt != nil || len(header) > 0 || call.TraceID() != "" {
		t.Errorf("a tracer that is none made %v, %v and %v", call, attempt, header)
	}
}

func TestSamples(t *testing.T) {
	for permille, want := range map[int32][2]int{0: {0, 0}, 1000: {4000, 4000}, 250: {850, 1150}} {
		tracer := newTracer(&network{answer: answers(200, "")}, io.Discard)
		tracer.Use("team-a", table.Tracing{OTLPEndpoint: "http://c", SamplePermille: permille})
		sampled := 0
		for range 4000 {
			if tracer.Begin(nil, time.Now()).span.IsRecording() {
				sampled++
			}
		}
		if sampled < want[0] || sampled > want[1] {
			t.Errorf("at %d of 1000 %d of 4000 are kept", permille, sampled)
		}
		tracer.Flush(t.Context())
	}
}

func TestNamesFromClients(t *testing.T) {
	receiver := tracingtest.NewReceiver(t)
	tracer := subject{Tracer: New(Options{Pod: "p", Version: "v", Log: slog.New(slog.DiscardHandler), Metrics: telemetry.NewSpans(telemetry.NewMetrics())})}
	tracer.Use("team-a", table.Tracing{OTLPEndpoint: receiver.URL, SamplePermille: 1000})
	tracer.trace("bad \xff\xfe text")
	tracer.trace(strings.Repeat("ü", 5000))
	tracer.Flush(t.Context())
	spans := receiver.Wait(t, 2)
	if got := spans[0].GetName(); got != "chat bad \ufffd text" {
		t.Errorf("the name is %q", got)
	}
	if got := spans[1].GetName(); len(got) > maxAttributeBytes || !strings.HasSuffix(got, "ü") {
		t.Errorf("the name has %d bytes: %q", len(got), got)
	}
	if got := tracingtest.Values(spans[1].GetAttributes())["gen_ai.request.model"]; len(got) > 2*maxAttributeBytes || !strings.HasSuffix(got, "ü") {
		t.Errorf("the model has %d bytes", len(got))
	}
	want := map[string]string{"service.name": "signalbox", "service.version": "v", "k8s.namespace.name": "team-a", "k8s.pod.name": "p"}
	if diff := cmp.Diff(want, tracingtest.Values(receiver.Batches()[0].GetResourceSpans()[0].GetResource().GetAttributes())); diff != "" {
		t.Errorf("resource (-want +got):\n%s", diff)
	}
}

func FuzzParent(f *testing.F) {
	f.Add("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "a=b")
	f.Add("", ",,=")
	f.Fuzz(func(t *testing.T, parent, state string) {
		tracer := newTracer(&network{answer: answers(200, "")}, io.Discard)
		tracer.current.Store(tracer.newPipeline("team-a", somewhere))
		call := tracer.Begin(http.Header{headerTraceparent: {parent}, headerTracestate: {state}}, time.Now())
		attempt := call.Attempt(&Attempted{At: time.Now(), Operation: telemetry.Chat, Model: parent})
		header := http.Header{}
		attempt.Inject(header)
		attempt.End(&Answered{At: time.Now()})
		call.End(&Outcome{Entry: &telemetry.Entry{Model: state}})
		if len(call.TraceID()) != 32 || len(header.Get(headerTraceparent)) != 55 || len(header.Get(headerTracestate)) > maxTracestate+1024 {
			t.Errorf("the trace is %q, its headers %v", call.TraceID(), header)
		}
	})
}
