package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/hack/bench/load"
)

func start(t *testing.T) (server *Server, addr string, stop func() error) {
	t.Helper()
	server = New(3, time.Millisecond)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	t.Cleanup(cancel)
	return server, listener.Addr().String(), func() error { cancel(); return <-served }
}

func post(t *testing.T, addr, body string) (http.Header, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v", response.StatusCode, err)
	}
	return response.Header, string(data)
}

func TestPlainAnswers(t *testing.T) {
	_, addr, _ := start(t)
	for _, body := range []string{`{"model":"bench-plain"}`, `{}`} {
		if header, plain := post(t, addr, body); !json.Valid([]byte(plain)) || header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: got %v %q", body, header, plain)
		}
	}
}

// TestStreamsAreFaithful reads with net/http, which accepts no sloppy framing.
func TestStreamsAreFaithful(t *testing.T) {
	server, addr, stop := start(t)
	for name, tc := range map[string]struct {
		body       string
		wantEvents int
		wantUsage  int // events that carry a usage field
	}{
		"without usage": {`{"model":"bench-stream","stream":true}`, 6, 0},
		"with usage":    {`{"model":"bench-stream","stream":true,"stream_options":{"include_usage": true}}`, 7, 6},
	} {
		_, stream := post(t, addr, tc.body)
		events := strings.Split(strings.TrimSuffix(stream, "\n\n"), "\n\n")
		if len(events) != tc.wantEvents || events[len(events)-1] != "data: [DONE]" || strings.Count(stream, `"usage":`) != tc.wantUsage {
			t.Fatalf("%s: got %d events: %q", name, len(events), stream)
		}
		for _, event := range events[:len(events)-1] {
			if !json.Valid([]byte(strings.TrimPrefix(event, "data: "))) {
				t.Errorf("%s: not JSON: %q", name, event)
			}
		}
	}
	if server.Answered() != 2 || server.Sent() != 6 {
		t.Errorf("counted %d answers, %d events, want 2 and 6", server.Answered(), server.Sent())
	}
	if err := stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
}

func TestMessages(t *testing.T) {
	server, addr, stop := start(t)
	if _, body := post(t, addr, `{"model":"bench-claude-plain"}`); !json.Valid([]byte(body)) || !strings.Contains(body, `"type":"message"`) {
		t.Errorf("not a message: %q", body)
	}
	_, stream := post(t, addr, `{"model":"bench-claude-stream","stream":true}`)
	var names []string
	for event := range strings.SplitSeq(strings.TrimSuffix(stream, "\n\n"), "\n\n") {
		name, data, ok := strings.Cut(strings.TrimPrefix(event, "event: "), "\ndata: ")
		var decoded struct{ Type string }
		if err := json.Unmarshal([]byte(data), &decoded); err != nil || !ok || decoded.Type != name {
			t.Errorf("%q: %v", event, err)
		}
		names = append(names, name)
	}
	want := "message_start content_block_start content_block_delta content_block_delta content_block_delta content_block_stop message_delta message_stop"
	if got := strings.Join(names, " "); got != want || server.Sent() != 3 {
		t.Errorf("got %s and %d texts", got, server.Sent())
	}
	if err := stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
}

func TestClockEventsCarryTheirTime(t *testing.T) {
	server, addr, _ := start(t)
	before := time.Since(server.Epoch)
	delays, inTime, err := load.Delays(t.Context(), addr, load.Request("/", "k", ModelClock, `,"stream":true`), server.Epoch, time.Minute)
	if err != nil || len(delays) != 3 || inTime != 3 {
		t.Fatalf("got %v, %d in time, %v", delays, inTime, err)
	}
	for _, delay := range delays {
		if delay <= 0 || delay > time.Since(server.Epoch)-before {
			t.Errorf("delay %v is impossible", delay)
		}
	}
}

// TestIdleStreamIsHeldUntilStop: the end of the run ends held streams too.
func TestIdleStreamIsHeldUntilStop(t *testing.T) {
	_, addr, stop := start(t)
	conn, err := load.Dial(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.OpenStream(load.Request("/", "k", ModelIdle, `,"stream":true`)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(stop(), conn.Close()); err != nil {
		t.Error(err)
	}
}

func TestReleasedStreamEnds(t *testing.T) {
	server, addr, stop := start(t)
	conn, err := load.Dial(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.OpenStream(load.Request("/", "k", ModelHeld, `,"stream":true`)); err != nil {
		t.Fatal(err)
	}
	server.Release()
	server.Release()
	if err := conn.FinishStream(); err != nil {
		t.Error(err)
	}
	if err := errors.Join(conn.Close(), stop()); err != nil {
		t.Error(err)
	}
}

// TestHeldStreamEndsWithTheRun: nothing waits for a Release that does not come.
func TestHeldStreamEndsWithTheRun(t *testing.T) {
	_, addr, stop := start(t)
	conn, err := load.Dial(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.OpenStream(load.Request("/", "k", ModelHeld, `,"stream":true`)); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := conn.FinishStream(); err == nil {
		t.Error("a stream that was cut ended well")
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

func TestOutage(t *testing.T) {
	server, addr, _ := start(t)
	for i := range 3 {
		conn, err := load.Dial(t.Context(), addr)
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.Do(load.Request("/", "k", ModelOutage+"-2", ""), nil)
		if refusal, ok := errors.AsType[*load.Refusal](err); !ok || refusal.Status != http.StatusServiceUnavailable {
			t.Errorf("got %v", err)
		}
		if got := server.Outages(); got != int64(i)+1 {
			t.Errorf("counted %d", got)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestBadRequestsCloseTheConnection(t *testing.T) {
	_, addr, _ := start(t)
	for _, request := range []string{
		"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: " + strconv.Itoa(maxBody+1) + "\r\n\r\n",
	} {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(conn); err != nil || len(got) != 0 {
			t.Errorf("%q: got %q, %v", request, got, err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}
