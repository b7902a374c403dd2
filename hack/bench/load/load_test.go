package load

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
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
	got, err := Run(t.Context(), Job{Addr: addr, Requests: [][]byte{Request("/v1/chat/completions", "k", "m", "")}, Connections: 4, Duration: 50 * time.Millisecond})
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
		"stream with a trailer": {func(w http.ResponseWriter) {
			w.Header().Set("Trailer", "X-Cost")
			flush(w, `data: {"delta":{"content":"a"}}`+"\n\ndata: [DONE]\n\n")
			w.Header().Set("X-Cost", "0.000051")
		}, 1, ""},
		"status": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) }, 0, "status 404"},
		"plain":  {func(w http.ResponseWriter) { _, _ = w.Write([]byte("{}")) }, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := Dial(t.Context(), serve(t, func(w http.ResponseWriter, _ *http.Request) { tc.write(w) }))
			if err != nil {
				t.Fatal(err)
			}
			got, err := conn.Do(Request("/", "k", "m", ""), nil)
			if err == nil {
				// What follows must be read from its beginning.
				got, err = conn.Do(Request("/", "k", "m", ""), nil)
			}
			if got != tc.want || (err == nil) != (tc.wantErr == "") || (err != nil && !strings.Contains(err.Error(), tc.wantErr)) {
				t.Errorf("got %d, %v, want %d, %q", got, err, tc.want, tc.wantErr)
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRefusals: what a full target answers can be what is wanted; each connection that it closes is dialled anew.
func TestRefusals(t *testing.T) {
	for name, tc := range map[string]struct {
		status  int
		after   string
		closing string
		want    int
		wantErr string
	}{
		"wanted":               {status: 503, after: "1", want: 503},
		"wanted, and closed":   {status: 503, after: "1", closing: "close", want: 503},
		"no time to come back": {status: 503, want: 503, wantErr: "without Retry-After"},
		"another status":       {status: 500, want: 503, wantErr: "status 500"},
		"not wanted":           {status: 503, after: "1", wantErr: "status 503"},
		"answered":             {status: 200, want: 503, wantErr: "status 503 was wanted"},
	} {
		t.Run(name, func(t *testing.T) {
			addr := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, tc.status, tc.after, tc.closing) })
			got, err := Run(t.Context(), Job{Addr: addr, Requests: [][]byte{Request("/", "k", "m", "")}, Want: tc.want, Connections: 1, Duration: 20 * time.Millisecond})
			if err != nil || got.Attempts < 2 {
				t.Fatalf("%d attempts, %v", got.Attempts, err)
			}
			if tc.wantErr == "" && (got.Failures != 0 || len(got.Latencies) != got.Attempts) {
				t.Errorf("%d of %d failed: %v", got.Failures, got.Attempts, got.FirstFailure)
			}
			if tc.wantErr != "" && (got.Failures != got.Attempts || got.FirstFailure == nil || !strings.Contains(got.FirstFailure.Error(), tc.wantErr)) {
				t.Errorf("%d of %d failed: %v, want %s", got.Failures, got.Attempts, got.FirstFailure, tc.wantErr)
			}
		})
	}
}

func answer(w http.ResponseWriter, status int, after, connection string) {
	for header, value := range map[string]string{"Retry-After": after, "Connection": connection} {
		if value != "" {
			w.Header().Set(header, value)
		}
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte("{}"))
}

// TestEachConnectionKeepsToOneRequest: calls of one session come from one place.
func TestEachConnectionKeepsToOneRequest(t *testing.T) {
	var mu sync.Mutex
	models := map[string]map[string]bool{}
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Model string }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if models[r.RemoteAddr] == nil {
			models[r.RemoteAddr] = map[string]bool{}
		}
		models[r.RemoteAddr][body.Model] = true
		_, _ = w.Write([]byte("{}"))
	})
	job := Job{Addr: addr, Requests: [][]byte{Request("/", "k", "a", ""), Request("/", "k", "b", "")}, Connections: 4, Duration: 50 * time.Millisecond}
	if got, err := Run(t.Context(), job); err != nil || got.Failures != 0 {
		t.Fatalf("%+v, %v", got.FirstFailure, err)
	}
	counts := map[string]int{}
	for _, seen := range models {
		for model := range seen {
			counts[model]++
		}
	}
	if len(models) != 4 || counts["a"] != 2 || counts["b"] != 2 {
		t.Errorf("got %v", models)
	}
}

func TestFinishStream(t *testing.T) {
	for name, tc := range map[string]struct {
		end     string
		wantErr bool
	}{"ended": {"data: [DONE]\n\n", false}, "cut": {"", true}} {
		conn, err := Dial(t.Context(), serve(t, func(w http.ResponseWriter, _ *http.Request) {
			flush(w, `data: {"delta":{"content":"a"}}`+"\n\n")
			if tc.end != "" {
				flush(w, tc.end)
			}
		}))
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.OpenStream(Request("/", "k", "m", "")); err != nil {
			t.Error(err)
		}
		if err := conn.FinishStream(); (err != nil) != tc.wantErr {
			t.Errorf("%s: got %v", name, err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestRunPacedSendsAllHoweverLongAnswersTake: a slow answer holds no request up.
func TestRunPacedSendsAllHoweverLongAnswersTake(t *testing.T) {
	var seen atomic.Int64
	all := make(chan struct{})
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		number := seen.Add(1)
		if number == 6 {
			close(all)
		}
		select {
		case <-all:
		case <-r.Context().Done():
		}
		switch number {
		case 1, 2, 3:
			w.WriteHeader(http.StatusBadGateway)
		case 4:
			panic(http.ErrAbortHandler)
		}
	})
	got, err := RunPaced(t.Context(), PacedJob{Addr: addr, Request: Request("/", "k", "m", ""), Every: time.Millisecond, Count: 6})
	if err != nil || got.Refused != 3 || got.Broken != 1 || got.Answered != 2 || len(got.Latencies) != 5 || got.FirstBreak == nil {
		t.Errorf("got %+v, %v", got, err)
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
