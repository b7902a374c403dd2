package load

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// TestRunCountsEveryAttempt: nothing is retried, and what the server saw is what was counted.
func TestRunCountsEveryAttempt(t *testing.T) {
	var seen atomic.Int64
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if seen.Add(1)%3 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte(`{"object":"chat.completion"}`))
	})
	got, err := Run(t.Context(), Job{Addr: addr, Request: Request("/v1/chat/completions", "k", "m", ""), Connections: 4, Duration: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	total := int(seen.Load())
	if got.Attempts != total || got.Failures != total/3 || len(got.Latencies) != total-total/3 || got.FirstFailure == nil || total < 4 {
		t.Errorf("server saw %d; got %d attempts, %d failures, %d latencies, %v", total, got.Attempts, got.Failures, len(got.Latencies), got.FirstFailure)
	}
}

func TestDo(t *testing.T) {
	for name, tc := range map[string]struct {
		write   func(http.ResponseWriter)
		want    int64
		wantErr string
	}{
		"stream": {func(w http.ResponseWriter) {
			flush(w, `data: {"delta":{"content":"a"}}`+"\n\n", `data: {"delta":{"content":"b`, `"}}`+"\n\ndata: [DO", "NE]\n\n")
		}, 2, ""},
		"stream cut": {func(w http.ResponseWriter) { flush(w, `data: {"delta":{"content":"a"}}`+"\n\n") }, 1, "without [DONE]"},
		"status":     {func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) }, 0, "status 404"},
		"plain":      {func(w http.ResponseWriter) { _, _ = w.Write([]byte("{}")) }, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := Dial(t.Context(), serve(t, func(w http.ResponseWriter, _ *http.Request) { tc.write(w) }))
			if err != nil {
				t.Fatal(err)
			}
			got, err := conn.Do(Request("/", "k", "m", ""), nil)
			if got != tc.want || (err == nil) != (tc.wantErr == "") || (err != nil && !strings.Contains(err.Error(), tc.wantErr)) {
				t.Errorf("got %d, %v, want %d, %q", got, err, tc.want, tc.wantErr)
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func flush(w http.ResponseWriter, pieces ...string) {
	for _, piece := range pieces {
		_, _ = w.Write([]byte(piece))
		_ = http.NewResponseController(w).Flush()
	}
}

func TestSendTimes(t *testing.T) {
	got := sendTimes([]byte(`data: {"delta":{"role":"assistant","content":""}}` + "\n\n" + `data: {"delta":{"content":"1500"}}` + "\n\n" + `data: {"delta":{"content":"2500"}}`))
	if len(got) != 2 || got[0] != 1500 || got[1] != 2500 {
		t.Errorf("got %v, want 1.5µs and 2.5µs", got)
	}
}

func TestBadAnswers(t *testing.T) {
	for name, answer := range map[string]string{
		"no status": "HTTP\r\n\r\n", "status in words": "HTTP/1.1 two\r\n\r\n", "negative length": "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "cut": "HTTP/1.1 200 OK\r\n",
	} {
		if head, err := readHead(bufio.NewReader(strings.NewReader(answer))); err == nil {
			t.Errorf("%s: got %+v, want an error", name, head)
		}
	}
	for name, chunk := range map[string]string{"not hexadecimal": "xyz\r\n", "huge": "ffffffffff\r\n", "cut": "5\r\nab"} {
		if data, err := readChunk(bufio.NewReader(strings.NewReader(chunk))); err == nil {
			t.Errorf("%s: got %q, want an error", name, data)
		}
	}
}
