package dataplane

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/ledger/file"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	appKey   = "sbk-app-0123456789"
	patience = 20 * time.Second
	event    = `data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}` + "\n\n"
	ending   = `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n" +
		`data: {"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5}}` + "\n\n" + "data: [DONE]\n\n"
	streamBody = `{"model":"chat","stream":true,"messages":[]}`
)

// tables is a source whose tables come from the test.
type tables chan *table.Table

func (s tables) Run(ctx context.Context, use func(*table.Table)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case t := <-s:
			use(t)
		}
	}
}

// output is a writer that tests can read while it is written.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// plane is a running data plane.
type plane struct {
	*DataPlane
	t         *testing.T
	source    tables
	store     *file.Store
	accessLog *output
	terminate context.CancelFunc
	ended     chan error
}

func start(t *testing.T, change func(*Options)) *plane {
	t.Helper()
	p := prepare(t, change)
	p.run()
	return p
}

// prepare makes a data plane that does not run yet.
func prepare(t *testing.T, change func(*Options)) *plane {
	t.Helper()
	store, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	p := &plane{t: t, source: make(tables), store: store, accessLog: &output{}, ended: make(chan error, 1)}
	options := Options{
		Addr: "127.0.0.1:0", MetricsAddr: "127.0.0.1:0", ControlAddr: "127.0.0.1:0", Source: p.source, Owner: ledger.NewOwner("pod", time.Now()),
		Store: store, StartedAt: time.Now(), DrainLimit: patience, Log: slog.New(slog.DiscardHandler), AccessLog: p.accessLog,
	}
	change(&options)
	if p.DataPlane, err = New(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *plane) run() {
	ctx, cancel := context.WithCancel(p.t.Context())
	p.terminate = cancel
	go func() { p.ended <- p.Run(ctx) }()
	p.t.Cleanup(cancel)
}

func unchanged(*Options) {}

// end waits for Run to return.
func (p *plane) end() error {
	p.t.Helper()
	select {
	case err := <-p.ended:
		return err
	case <-time.After(patience):
		p.t.Fatal("the data plane does not end")
		return nil
	}
}

func (p *plane) get(path string) (int, string) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, "http://"+p.MetricsAddr().String()+path, http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// awaitReady polls readiness until it is what is wanted.
func (p *plane) awaitReady(want int) string {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		status, body := p.get("/readyz")
		if status == want {
			return body
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("readiness is %d %q, want %d", status, body, want)
		}
	}
}

// opened is a stream whose head has come.
type opened struct {
	status int
	closes bool
	body   io.ReadCloser
}

// open asks for a stream and waits for its head.
func (p *plane) open(client *http.Client) opened {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, "http://"+p.Addr().String()+"/v1/chat/completions", strings.NewReader(streamBody))
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+appKey)
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = response.Body.Close() })
	return opened{status: response.StatusCode, closes: response.Close, body: response.Body}
}

func tableFor(endpoint string) *table.Table {
	salt := bytes.Repeat([]byte("s"), 32)
	mac := hmac.New(sha256.New, salt)
	mac.Write([]byte(appKey))
	return &table.Table{
		Format: table.Format, Namespace: "team-a", Sequence: 3, Revision: "r3", AccessKeySalt: salt,
		AccessKeys:  []table.AccessKey{{Name: "app", HMAC: mac.Sum(nil)}},
		Credentials: []table.Credential{{Object: table.Object{Name: "c"}, Provider: "OpenAICompatible", Endpoint: endpoint, Keyless: true}},
		Routes: []table.Route{{
			Object: table.Object{Name: "chat"}, Models: []string{"chat"}, FirstToken: patience, Idle: patience, Total: patience,
			Access:  table.Access{AccessKeys: []string{"app"}},
			Targets: []table.Target{{Name: "t", Credential: "c", Model: "m", Weight: 1, Prices: &table.Prices{Input: 1_000_000_000, Output: 2_000_000_000}}},
		}},
		Budgets: []table.Budget{{
			Object: table.Object{Name: "b"}, Limit: 1_000_000_000, Period: "Total", TimeZone: "UTC", Enforcement: table.Soft, Ledger: "signalbox-ledger-b",
		}},
		Endpoints: table.EndpointRules{AllowCIDRs: []string{"127.0.0.0/8"}},
	}
}

// slowStream is an upstream whose streams end when the test says so.
func slowStream(t *testing.T) (address string, finish chan struct{}) {
	finish = make(chan struct{})
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, event)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-finish:
			_, _ = io.WriteString(w, ending)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(backend.Close)
	return backend.URL, finish
}

func h2cClient() *http.Client {
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{Protocols: protocols}}
}

func TestReadiness(t *testing.T) {
	address, finish := slowStream(t)
	close(finish)
	p := start(t, unchanged)
	if status, _ := p.get("/healthz"); status != http.StatusOK {
		t.Errorf("health is %d", status)
	}
	if body := p.awaitReady(http.StatusServiceUnavailable); body != "no routing table yet\n" {
		t.Errorf("readiness without a table says %q", body)
	}
	p.source <- tableFor(address)
	p.awaitReady(http.StatusOK)
	stream := p.open(http.DefaultClient)
	if _, err := io.Copy(io.Discard, stream.body); err != nil || stream.status != http.StatusOK {
		t.Errorf("%d %v", stream.status, err)
	}
	_, metrics := p.get("/metrics")
	for _, want := range []string{"signalbox_table_sequence 3", `signalbox_requests_total{code="ok",provider="OpenAICompatible",route="chat",target="t"} 1`, "signalbox_access_log_dropped_total 0"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	p.terminate()
	if err := p.end(); err != nil {
		t.Error(err)
	}
	if log := p.accessLog.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, `"code":"ok"`) {
		t.Errorf("access log %q", log)
	}
}

// TestDrainCutsNoStream ends the data plane while 50 streams run, over both versions of HTTP.
func TestDrainCutsNoStream(t *testing.T) {
	for name, client := range map[string]*http.Client{"HTTP/1.1": {Transport: &http.Transport{}}, "HTTP/2": h2cClient()} {
		t.Run(name, func(t *testing.T) {
			const count = 50
			address, finish := slowStream(t)
			p := start(t, func(o *Options) { o.DrainDelay = 300 * time.Millisecond })
			p.source <- tableFor(address)
			p.awaitReady(http.StatusOK)
			streams := make([]opened, 0, count+1)
			for range count {
				streams = append(streams, p.open(client))
			}
			p.terminate()
			if body := p.awaitReady(http.StatusServiceUnavailable); body != "draining\n" {
				t.Errorf("readiness says %q", body)
			}
			// Until the Service knows, connections still come here.
			late := p.open(&http.Client{Transport: &http.Transport{}})
			if !late.closes {
				t.Error("the late client is not asked to leave its connection")
			}
			close(finish)
			for i, stream := range append(streams, late) {
				body, err := io.ReadAll(stream.body)
				if err != nil || !strings.HasSuffix(string(body), "data: [DONE]\n\n") {
					t.Errorf("stream %d: %v %q", i, err, body)
				}
			}
			if err := p.end(); err != nil {
				t.Error(err)
			}
			p.checkLedger((count + 1) * 20_000)
		})
	}
}

// TestDrainAnswersOnceMore sends on connections whose answer began before the drain and ended after its delay: nobody told their clients to leave.
func TestDrainAnswersOnceMore(t *testing.T) {
	address, finish := slowStream(t)
	p := start(t, func(o *Options) { o.IdleGrace = 2 * time.Second })
	p.source <- tableFor(address)
	p.awaitReady(http.StatusOK)
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	first := p.open(client)
	p.terminate()
	p.awaitReady(http.StatusServiceUnavailable)
	close(finish)
	if _, err := io.Copy(io.Discard, first.body); err != nil {
		t.Fatal(err)
	}
	thought := time.NewTimer(200 * time.Millisecond)
	<-thought.C
	again := p.open(client)
	if again.status != http.StatusOK || !again.closes {
		t.Errorf("the second call was answered %d, and told to leave its connection: %t", again.status, again.closes)
	}
	if _, err := io.Copy(io.Discard, again.body); err != nil {
		t.Error(err)
	}
	if err := p.end(); err != nil {
		t.Error(err)
	}
	p.checkLedger(2 * 20_000)
}

func (p *plane) checkLedger(want int64) {
	p.t.Helper()
	stored, err := p.store.Load(p.t.Context(), "signalbox-ledger-b")
	if err != nil {
		p.t.Fatal(err)
	}
	text, err := ledger.Encode(stored.Record)
	if err != nil {
		p.t.Fatal(err)
	}
	if !strings.Contains(string(text), fmt.Sprintf(`"spent":%d`, want)) {
		p.t.Errorf("the ledger is %s, want it to hold %d", text, want)
	}
}

func TestDrainLimitCutsStreamsAndSettlesThem(t *testing.T) {
	address, _ := slowStream(t)
	p := start(t, func(o *Options) { o.DrainLimit = 100 * time.Millisecond })
	p.source <- tableFor(address)
	p.awaitReady(http.StatusOK)
	stream := p.open(http.DefaultClient)
	p.terminate()
	if err := p.end(); err != nil {
		t.Error(err)
	}
	if body, err := io.ReadAll(stream.body); err == nil {
		t.Errorf("the stream ended well: %q", body)
	}
	if !strings.Contains(p.accessLog.String(), `"code":"client_closed"`) {
		t.Errorf("access log %q", p.accessLog.String())
	}
	// 44 bytes of request are estimated at 15 tokens, and the event with "Hi" at one.
	p.checkLedger(15*1000 + 2000)
}

func TestBrokenRulesKeepTheTableBefore(t *testing.T) {
	address, finish := slowStream(t)
	close(finish)
	p := start(t, unchanged)
	p.source <- tableFor(address)
	p.awaitReady(http.StatusOK)
	broken := tableFor(address)
	broken.Sequence, broken.Endpoints.AllowCIDRs = 4, []string{"nonsense"}
	p.source <- broken
	// The source takes the next table only after it has dealt with this one.
	good := tableFor(address)
	p.source <- good
	if _, metrics := p.get("/metrics"); strings.Contains(metrics, "signalbox_table_sequence 4") {
		t.Error("the broken table is in use")
	}
	if stream := p.open(http.DefaultClient); stream.status != http.StatusOK {
		t.Errorf("status %d", stream.status)
	}
}

func TestAddressInUse(t *testing.T) {
	p := start(t, unchanged)
	options := p.options
	options.Addr = p.Addr().String()
	if other, err := New(t.Context(), options); err == nil {
		_ = other.Close()
		t.Error("two data planes on one address")
	}
}

func TestFailureOfAPartEndsTheDataPlane(t *testing.T) {
	p := start(t, unchanged)
	if err := p.listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.end(); err == nil {
		t.Error("the data plane ended without an error")
	}
}
