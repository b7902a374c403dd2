package openai

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

const hello = `{"model":"gpt-4o","messages":[{"role":"user","content":"hello there"}]}`
const helloStream = `{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hello there"}]}`

// fakeClock moves only when someone sleeps.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

// running is a server under test on a real listener.
type running struct {
	*core.Server
	t     *testing.T
	url   string
	clock *fakeClock
}

func start(t *testing.T, change func(*core.Settings)) *running {
	t.Helper()
	settings := core.DefaultSettings()
	if change != nil {
		change(&settings)
	}
	clock := &fakeClock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	server, err := core.New(core.Options{Settings: &settings, Now: clock.Now, Sleep: clock.Sleep})
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(server.Handler(Routes(), Fallbacks()))
	t.Cleanup(listener.Close)
	return &running{Server: server, t: t, url: listener.URL, clock: clock}
}

type reply struct {
	status int
	header http.Header
	body   []byte
	err    error // of reading the body
}

// call sends one request on a connection of its own.
func (r *running) call(method, path, body string, headers ...string) (reply, error) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer sk-test")
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	response, err := client.Do(request)
	if err != nil {
		return reply{}, err
	}
	data, readErr := io.ReadAll(response.Body)
	if err := response.Body.Close(); err != nil {
		r.t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, data, readErr}, nil
}

// post is call for an answer that must come whole.
func (r *running) post(path, body string, headers ...string) reply {
	r.t.Helper()
	got, err := r.call(http.MethodPost, path, body, headers...)
	if err != nil || got.err != nil {
		r.t.Fatalf("POST %s: %v, body: %v", path, err, got.err)
	}
	return got
}

func (r *running) fault(faults ...core.Fault) {
	r.t.Helper()
	if err := r.AddFaults(faults...); err != nil {
		r.t.Fatal(err)
	}
}

// ended waits until n requests are over and returns the newest record.
func (r *running) ended(n int64) core.Record {
	r.t.Helper()
	r.waitFor(func(c core.Counters) bool { return c.InFlight == 0 && c.Total.Requests >= n })
	return r.Requests(1)[0]
}

// dial sends a raw chat request and returns the connection's reader, with nothing decoded.
func (r *running) dial(body string) (*bufio.Reader, net.Conn) {
	r.t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(r.t.Context(), "tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
	request := "POST /v1/chat/completions HTTP/1.1\r\nHost: fake\r\nAuthorization: Bearer sk-test\r\nContent-Type: application/json\r\nConnection: close\r\n"
	if _, err := io.WriteString(conn, request+"Content-Length: "+itoa(len(body))+"\r\n\r\n"+body); err != nil {
		r.t.Fatal(err)
	}
	return bufio.NewReader(conn), conn
}

func itoa(n int) string {
	data, err := json.Marshal(n)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// dataLines splits a stream into the data of its events and fails on anything that is neither an event nor a comment.
func dataLines(t *testing.T, stream []byte) []string {
	t.Helper()
	text := string(stream)
	if !strings.HasSuffix(text, "\n\n") {
		t.Fatalf("stream does not end with an empty line: %q", text[max(0, len(text)-80):])
	}
	var lines []string
	for block := range strings.SplitSeq(strings.TrimSuffix(text, "\n\n"), "\n\n") {
		data, isData := strings.CutPrefix(block, "data: ")
		switch {
		case strings.Contains(block, "\n"):
			t.Fatalf("event of several lines: %q", block)
		case isData:
			lines = append(lines, data)
		case !strings.HasPrefix(block, ": "):
			t.Fatalf("neither event nor comment: %q", block)
		}
	}
	return lines
}

func decodeJSON[T any](t *testing.T, data []byte) T {
	t.Helper()
	var out T
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatalf("decoding %q: %v", data, err)
	}
	return out
}

// chunks decodes all events but [DONE], which has to be the last.
func chunks(t *testing.T, stream []byte) []chatAnswer {
	t.Helper()
	lines := dataLines(t, stream)
	if last := lines[len(lines)-1]; last != "[DONE]" {
		t.Fatalf("last event: got %q, want [DONE]", last)
	}
	out := make([]chatAnswer, 0, len(lines)-1)
	for _, line := range lines[:len(lines)-1] {
		out = append(out, decodeJSON[chatAnswer](t, []byte(line)))
	}
	return out
}

// spoken joins the content of the deltas per choice, and collects finish reasons.
func spoken(t *testing.T, parts []chatAnswer) (texts, finishes map[int]string) {
	t.Helper()
	texts, finishes = map[int]string{}, map[int]string{}
	for _, part := range parts {
		for _, c := range part.Choices {
			if string(c.Delta.Content) != "" && string(c.Delta.Content) != "null" {
				texts[c.Index] += decodeJSON[string](t, c.Delta.Content)
			}
			if string(c.FinishReason) != "null" {
				finishes[c.Index] = decodeJSON[string](t, c.FinishReason)
			}
		}
	}
	return texts, finishes
}

// serve puts a server that the test made itself on a listener.
func serve(t *testing.T, server *core.Server) *running {
	t.Helper()
	listener := httptest.NewServer(server.Handler(Routes(), Fallbacks()))
	t.Cleanup(listener.Close)
	return &running{Server: server, t: t, url: listener.URL}
}

// waitFor waits until the counters fulfil the condition.
func (r *running) waitFor(condition func(core.Counters) bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer cancel()
	if err := r.Wait(ctx, condition); err != nil {
		r.t.Fatal(err)
	}
}

type tlsClient struct {
	url  string
	http *http.Client
}

// startTLS serves over HTTP/2.
func startTLS(t *testing.T, server *core.Server) tlsClient {
	t.Helper()
	listener := httptest.NewUnstartedServer(server.Handler(Routes(), Fallbacks()))
	listener.EnableHTTP2 = true
	listener.StartTLS()
	t.Cleanup(listener.Close)
	return tlsClient{listener.URL, listener.Client()}
}

// raw is everything that comes over the wire in answer to a chat request.
func (r *running) raw(body string) string {
	r.t.Helper()
	reader, conn := r.dial(body)
	raw, err := io.ReadAll(reader)
	if err := errors.Join(err, conn.Close()); err != nil {
		r.t.Fatal(err)
	}
	return string(raw)
}
