package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/endpoint"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/provider/registry"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/telemetry"
	"signalbox.dev/signalbox/proxy/upstream"
)

const (
	appKey      = "sbk-app-0123456789"
	strangerKey = "sbk-stranger-0123456789"
	providerKey = "sk-provider-secret-0123456789"
	patience    = 20 * time.Second
)

// harness is a proxy on loopback with its log in memory.
type harness struct {
	t      *testing.T
	server *Server
	book   *ledger.Book
	front  *httptest.Server
	log    *logLines
	table  *table.Table
}

// logLines keeps what was logged, by line, and lets tests wait for a line.
type logLines struct {
	mu      sync.Mutex
	changed chan struct{}
	lines   []map[string]any
	raw     bytes.Buffer
}

func newLogLines() *logLines { return &logLines{changed: make(chan struct{})} }

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.raw.Write(p)
	for line := range bytes.Lines(p) {
		var fields map[string]any
		if err := json.Unmarshal(line, &fields); err != nil {
			return 0, err
		}
		l.lines = append(l.lines, fields)
	}
	close(l.changed)
	l.changed = make(chan struct{})
	return len(p), nil
}

func (l *logLines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.raw.String()
}

// wait returns the first line that matches.
func (l *logLines) wait(t *testing.T, matches func(map[string]any) bool) map[string]any {
	t.Helper()
	deadline := time.After(patience)
	for {
		l.mu.Lock()
		changed := l.changed
		for _, line := range l.lines {
			if matches(line) {
				l.mu.Unlock()
				return line
			}
		}
		l.mu.Unlock()
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("no such line; the log is\n%s", l.text())
		}
	}
}

// request waits for the access-log line of the request with that id.
func (l *logLines) request(t *testing.T, id string) map[string]any {
	t.Helper()
	return l.wait(t, func(line map[string]any) bool { return line["request_id"] == id && line["msg"] == "request" })
}

// setup changes what a harness is made of.
type setup func(*Options, *table.Table)

func withLimits(l Limits) setup {
	return func(o *Options, _ *table.Table) { o.Limits = l }
}

func withTable(change func(*table.Table)) setup {
	return func(_ *Options, t *table.Table) { change(t) }
}

// newHarness starts a proxy whose route "chat" has one target for each upstream, in order of priority.
func newHarness(t *testing.T, upstreams []http.HandlerFunc, setups ...setup) *harness {
	t.Helper()
	h := &harness{t: t, log: newLogLines(), book: ledger.NewBook(ledger.NewOwner("test", time.Unix(0, 0)))}
	h.table = baseTable()
	for i, handler := range upstreams {
		backend := httptest.NewServer(handler)
		t.Cleanup(backend.Close)
		addTarget(h.table, i, backend.URL)
	}
	options := Options{
		Book: h.book, Providers: registry.Default(), NewTransport: loopbackTransport, Metrics: telemetry.NewMetrics(),
		AccessLog: telemetry.NewAccessLog(h.log), Log: slog.New(slog.NewJSONHandler(h.log, nil)),
	}
	for _, change := range setups {
		change(&options, h.table)
	}
	h.server = New(options)
	if err := h.server.Use(h.table); err != nil {
		t.Fatal(err)
	}
	h.front = httptest.NewUnstartedServer(nil)
	h.front.Config = h.server.HTTPServer()
	h.front.Start()
	t.Cleanup(h.front.Close)
	return h
}

func loopbackTransport(rules table.EndpointRules) (http.RoundTripper, error) {
	allow, deny, err := rules.Parse()
	if err != nil {
		return nil, err
	}
	dialer := &endpoint.Dialer{Policy: endpoint.ProxyPolicy(endpoint.Rules{Allow: allow, APIServers: deny})}
	return upstream.New(upstream.Options{DialContext: dialer.DialContext}), nil
}

func baseTable() *table.Table {
	salt := []byte("0123456789abcdef0123456789abcdef")
	return &table.Table{
		Format: table.Format, Namespace: "team-a", Sequence: 1, Revision: "r1", AccessKeySalt: salt,
		AccessKeys: []table.AccessKey{{Name: "app", HMAC: sign(salt, appKey)}, {Name: "stranger", HMAC: sign(salt, strangerKey)}},
		Routes: []table.Route{{
			Object: table.Object{Name: "chat-route"}, Models: []string{"chat", "any/*"},
			Fallback:   table.Fallback{On: movingOn(), MaxAttempts: 4},
			FirstToken: patience, Idle: patience, Total: 2 * patience, Access: table.Access{AccessKeys: []string{"app"}},
			Created: time.Unix(1700000000, 0),
		}},
		Endpoints: table.EndpointRules{AllowCIDRs: []string{"127.0.0.0/8"}},
	}
}

// movingOn are the failures that move a call on unless a route says otherwise.
func movingOn() []table.FailureKind {
	return []table.FailureKind{
		table.Unreachable, table.RateLimited, table.QuotaExhausted, table.KeyRejected, table.Unavailable, table.Capacity, table.Timeout,
		table.FirstTokenTimeout, table.BrokenAnswer, table.ModelWithdrawn, table.ContextTooLong, table.ContentFiltered,
	}
}

func sign(salt []byte, key string) []byte {
	mac := hmac.New(sha256.New, salt)
	mac.Write([]byte(key))
	return mac.Sum(nil)
}

// addTarget adds target t0, t1 … with credential c0, c1 … at 1 USD for a million prompt tokens and 2 USD for a million completion tokens.
func addTarget(t *table.Table, number int, endpoint string) {
	digit := string(rune('0' + number))
	t.Credentials = append(t.Credentials, table.Credential{
		Object: table.Object{Name: "c" + digit}, Provider: "OpenAICompatible", Endpoint: endpoint + "/v1",
		Keys: []table.Key{{Name: "primary", Value: providerKey}},
	})
	t.Routes[0].Targets = append(t.Routes[0].Targets, table.Target{
		Name: "t" + digit, Credential: "c" + digit, Model: "upstream-" + digit, Priority: int32(number), Weight: 1,
		Prices: &table.Prices{Input: 1_000_000_000, CachedInput: 500_000_000, Output: 2_000_000_000},
	})
}

// budgeted adds a budget of one USD over every call.
func budgeted(t *table.Table) {
	t.Budgets = append(t.Budgets, table.Budget{
		Object: table.Object{Name: "monthly"}, Limit: 1_000_000_000, Period: "Month", TimeZone: "UTC", Enforcement: table.Soft, Ledger: "signalbox-ledger-monthly",
	})
}

// spent is what the books say of the first budget.
func (h *harness) spent() int64 {
	h.t.Helper()
	return h.standing().Spent
}

// standing is how the first budget stands for nobody in particular.
func (h *harness) standing() ledger.Standing {
	h.t.Helper()
	standing, err := h.book.Use(h.table.Budgets, time.Now())[0].Standing(time.Now(), &ledger.Claimant{})
	if err != nil {
		h.t.Fatal(err)
	}
	return standing
}

// reply is an answer that was read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// ask is one request of a test.
type ask struct {
	method, path, key, contentType, body, id string
	// header is what else is sent.
	header map[string]string
}

// send sends a request; zero fields are those of a good chat completion.
func (h *harness) send(a ask) reply {
	h.t.Helper()
	response := h.open(h.t.Context(), a)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatalf("reading the answer: %v", err)
	}
	return reply{status: response.StatusCode, header: response.Header, body: string(body)}
}

func (h *harness) open(ctx context.Context, a ask) *http.Response {
	h.t.Helper()
	response, err := h.front.Client().Do(h.request(ctx, a))
	if err != nil {
		h.t.Fatalf("sending: %v", err)
	}
	return response
}

func (h *harness) request(ctx context.Context, a ask) *http.Request {
	h.t.Helper()
	request, err := http.NewRequestWithContext(ctx, or(a.method, http.MethodPost), h.front.URL+or(a.path, "/v1/chat/completions"), bytes.NewBufferString(or(a.body, goodBody)))
	if err != nil {
		h.t.Fatal(err)
	}
	if a.key != "none" {
		request.Header.Set("Authorization", "Bearer "+or(a.key, appKey))
	}
	request.Header.Set("Content-Type", or(a.contentType, "application/json"))
	if a.id != "" {
		request.Header.Set("X-Request-Id", a.id)
	}
	for name, value := range a.header {
		request.Header.Set(name, value)
	}
	return request
}

func or(value, fallback string) string { return orDefault(value, fallback) }

const (
	goodBody   = `{"model":"chat","messages":[{"role":"user","content":"hello"}]}`
	streamBody = `{"model":"chat","stream":true,"messages":[{"role":"user","content":"hello"}]}`
	usageBody  = `{"model":"chat","stream":true,"stream_options":{"include_usage":true},"messages":[]}`

	goodAnswer = `{"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],` +
		`"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`
	// goodCost is that of goodAnswer and goodStream: 10 tokens at 1000 nano-dollars and 5 at 2000.
	goodCost = 20_000

	roleEvent   = `data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}` + "\n\n"
	tokenEvent  = `data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}],"usage":null}` + "\n\n"
	finishEvent = `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}` + "\n\n"
	usageEvent  = `data: {"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}` + "\n\n"
	doneEvent   = "data: [DONE]\n\n"
	goodStream  = roleEvent + tokenEvent + finishEvent + usageEvent + doneEvent
)

// answers returns an upstream that always says the same.
func answers(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func good(w http.ResponseWriter, r *http.Request) {
	answers(http.StatusOK, "application/json", goodAnswer)(w, r)
}

func streams(events ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		for _, event := range events {
			_, _ = io.WriteString(w, event)
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// cuts sends events and then cuts the connection.
func cuts(events ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		streams(events...)(w, r)
		panic(http.ErrAbortHandler)
	}
}

// silent never answers. It reads the body, without which net/http would not notice that the proxy has left.
func silent(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// unreachable is an endpoint that nobody listens at: port 1 on loopback.
const unreachable = "http://127.0.0.1:1"

// errorOf reads an error body of the OpenAI surfaces.
func errorOf(t *testing.T, body string) errorBody {
	t.Helper()
	var parsed struct {
		Error errorBody `json:"error"`
	}
	if err := json.Unmarshal([]byte(body), &parsed); err != nil {
		t.Fatalf("the body is no error: %v\n%s", err, body)
	}
	return parsed.Error
}

type errorBody struct {
	Message  string `json:"message"`
	Type     string `json:"type"`
	Code     any    `json:"code"`
	Param    string `json:"param"`
	Metadata struct {
		ErrorType    string   `json:"error_type"`
		Provider     string   `json:"provider"`
		ProviderName string   `json:"provider_name"`
		Status       int      `json:"status"`
		Models       []string `json:"models"`
		Attempts     []struct {
			Target, Outcome, Message string
			Status                   int
		} `json:"attempts"`
		Targets []struct{ Target, Reason string } `json:"targets"`
		Budget  struct{ Name, Limit, Spent, Resets string }
	} `json:"metadata"`
}

// eventReader reads a stream event by event, as they arrive.
type eventReader struct{ lines *bufio.Reader }

func readEvents(body io.Reader) eventReader { return eventReader{lines: bufio.NewReader(body)} }

// next is the next event, without its blank line; "" at the end.
func (r eventReader) next() string {
	event := ""
	for {
		line, err := r.lines.ReadString('\n')
		if line == "\n" || err != nil {
			return event
		}
		event += line
	}
}
