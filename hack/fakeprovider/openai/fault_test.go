package openai

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// TestCutStreams reads the wire itself: what is framed, what is missing, and where.
func TestCutStreams(t *testing.T) {
	for name, tc := range map[string]struct {
		fault      core.Fault
		wantEvents int
		wantEnd    string // how the raw stream ends
		wantLength bool   // a Content-Length that promises more than comes
		wantBilled int64
	}{
		"closed in the middle":     {core.Fault{Kind: core.FaultCloseMidBody, AfterEvents: 4}, 4, "}\n\n\r\n", false, 3},
		"closed after the headers": {core.Fault{Kind: core.FaultCloseMidBody}, 0, "\r\n\r\n", false, 0},
		"closed after all events":  {core.Fault{Kind: core.FaultCloseMidBody, AfterEvents: 1000}, 18, "}\n\n\r\n", false, 16},
		"truncated":                {core.Fault{Kind: core.FaultTruncate, AfterEvents: 2}, 2, "}\n\n", true, 1},
		"truncated after all":      {core.Fault{Kind: core.FaultTruncate, AfterEvents: 1000}, 18, "}\n\n", true, 16},
		"ended early":              {core.Fault{Kind: core.FaultEndEarly, AfterEvents: 3}, 3, "0\r\n\r\n", false, 2},
		"error event":              {core.Fault{Kind: core.FaultErrorEvent, AfterEvents: 2, Status: 503}, 2, "0\r\n\r\n", false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, nil)
			r.fault(tc.fault)
			raw := r.raw(helloStream)
			head, body, _ := strings.Cut(raw, "\r\n\r\n")
			if !strings.HasSuffix(raw, tc.wantEnd) || strings.Contains(raw, "[DONE]") {
				t.Errorf("ends with %q, want %q and no [DONE]", raw[max(0, len(raw)-20):], tc.wantEnd)
			}
			if more := promised(t, head) > len(body); more != tc.wantLength || strings.Contains(head, "chunked") == tc.wantLength {
				t.Errorf("headers %q before %d bytes, want a greater length: %v", head, len(body), tc.wantLength)
			}
			if hasError := strings.Contains(raw, `data: {"error":{"message":"The engine is currently overloaded`); hasError != (tc.fault.Kind == core.FaultErrorEvent) {
				t.Errorf("error event: %v", hasError)
			}
			events, record := strings.Count(raw, `data: {"id"`), r.ended(1)
			if events != tc.wantEvents || record.Events != tc.wantEvents || record.State != core.StateBroken || record.Billed.CompletionTokens != tc.wantBilled {
				t.Errorf("got %d events, record %d %s %+v, want %d events, %d billed", events, record.Events, record.State, record.Billed, tc.wantEvents, tc.wantBilled)
			}
		})
	}
}

// promised is the Content-Length in a head, zero if there is none.
func promised(t *testing.T, head string) int {
	t.Helper()
	_, after, found := strings.Cut(head, "Content-Length: ")
	if !found {
		return 0
	}
	number, _, _ := strings.Cut(after, "\r\n")
	length, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	return length
}

func TestBrokenPlainAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		kind    core.FaultKind
		wantErr error
		inJSON  bool
	}{
		"closed":      {core.FaultCloseMidBody, io.ErrUnexpectedEOF, false},
		"truncated":   {core.FaultTruncate, io.ErrUnexpectedEOF, false},
		"ended early": {core.FaultEndEarly, nil, false},
		"error body":  {core.FaultErrorEvent, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, nil)
			r.fault(core.Fault{Kind: tc.kind})
			got, err := r.call(http.MethodPost, "/v1/chat/completions", hello)
			if err != nil || got.status != http.StatusOK || !errors.Is(got.err, tc.wantErr) {
				t.Fatalf("got %d, %v, body error %v, want %v", got.status, err, got.err, tc.wantErr)
			}
			if valid := bytes.HasPrefix(got.body, []byte(`{"error":`)) && bytes.HasSuffix(got.body, []byte("}\n")); valid != tc.inJSON || len(got.body) < 100 {
				t.Errorf("body %q", got.body)
			}
			if record := r.ended(1); record.State != core.StateBroken || record.Reported != nil {
				t.Errorf("recorded %s, reported %v", record.State, record.Reported)
			}
		})
	}
}

func TestNoAnswer(t *testing.T) {
	for name, tc := range map[string]struct {
		kind core.FaultKind
		want string
		err  error
	}{
		"close":       {core.FaultClose, "", nil},
		"reset":       {core.FaultReset, "", syscall.ECONNRESET},
		"mid headers": {core.FaultCloseMidHeaders, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-", nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, nil)
			r.fault(core.Fault{Kind: tc.kind})
			reader, conn := r.dial(hello)
			raw, err := io.ReadAll(reader)
			if string(raw) != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("got %q, %v, want %q, %v", raw, err, tc.want, tc.err)
			}
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			if record := r.ended(1); record.State != core.StateBroken || record.Status != 0 {
				t.Errorf("recorded %s with %d", record.State, record.Status)
			}
		})
	}
}

// TestClientLeaves: silence ends when the client goes, and only what was generated is billed.
func TestClientLeaves(t *testing.T) {
	for name, tc := range map[string]struct {
		fault      core.Fault
		wantEvents int
		wantBilled core.Usage
	}{
		"hang":  {core.Fault{Kind: core.FaultHang}, 0, core.Usage{}},
		"stall": {core.Fault{Kind: core.FaultStall, AfterEvents: 5}, 5, core.Usage{PromptTokens: 9, CompletionTokens: 4}},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, nil)
			r.fault(tc.fault)
			reader, conn := r.dial(helloStream)
			for range tc.wantEvents {
				readEvent(t, reader)
			}
			r.waitFor(func(c core.Counters) bool { return c.InFlight == 1 })
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			record := r.ended(1)
			if record.State != core.StateClientLeft || record.Events != tc.wantEvents || record.Billed != tc.wantBilled || record.Reported != nil || record.End.IsZero() {
				t.Errorf("got %+v, want %d events and %+v", record, tc.wantEvents, tc.wantBilled)
			}
			if total := r.Counters().Total; total.ClientLeft != 1 || total.Billed != tc.wantBilled || total.ReportedAnswers != 0 {
				t.Errorf("counted %+v", total)
			}
		})
	}
}

// TestClientLeavesWhileTokensCome: the server notices between two tokens.
func TestClientLeavesWhileTokensCome(t *testing.T) {
	settings := core.DefaultSettings()
	settings.TokensPerSecond = 1
	third := make(chan struct{})
	sleeps := 0
	server, err := core.New(core.Options{Settings: &settings, Now: func() time.Time { return time.Time{} }, Sleep: func(ctx context.Context, _ time.Duration) error {
		if sleeps++; sleeps < 3 {
			return nil
		}
		close(third)
		<-ctx.Done()
		return ctx.Err()
	}})
	if err != nil {
		t.Fatal(err)
	}
	r := serve(t, server)
	_, conn := r.dial(helloStream)
	<-third
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if record := r.ended(1); record.State != core.StateClientLeft || record.Billed.CompletionTokens != 2 {
		t.Errorf("got %s with %+v, want ClientLeft with 2 tokens", record.State, record.Billed)
	}
}

func readEvent(t *testing.T, reader io.Reader) {
	t.Helper()
	one, seen := make([]byte, 1), ""
	for !strings.HasSuffix(seen, "}\n\n") {
		if _, err := reader.Read(one); err != nil {
			t.Fatalf("after %q: %v", seen, err)
		}
		seen += string(one)
	}
}

func TestStatusFaults(t *testing.T) {
	r := start(t, nil)
	r.fault(
		core.Fault{Kind: core.FaultStatus, Status: 429, Headers: map[string]string{"Retry-After": "7"}},
		core.Fault{Kind: core.FaultStatus, Status: 503, Body: "upstream is sad"},
		core.Fault{Kind: core.FaultStatus, Status: 400, Error: &core.APIError{Message: "too long", Type: "invalid_request_error", Code: orNull("context_length_exceeded")}},
		core.Fault{Kind: core.FaultHTML},
		core.Fault{Kind: core.FaultHTML, Status: 403},
	)
	for i, want := range []struct {
		status          int
		contains, media string
	}{
		{429, "rate_limit_exceeded", "application/json"}, {503, "upstream is sad", "application/json"}, {400, "context_length_exceeded", "application/json"},
		{502, "<h1>502 Bad Gateway</h1>", "text/html"}, {403, "<h1>403 Forbidden</h1>", "text/html"}, {200, "chat.completion", "application/json"},
	} {
		got := r.post("/v1/chat/completions", hello)
		if got.status != want.status || !strings.Contains(string(got.body), want.contains) || got.header.Get("Content-Type") != want.media {
			t.Errorf("request %d: got %d %q %s", i, got.status, got.header.Get("Content-Type"), got.body)
		}
		if i == 0 && got.header.Get("Retry-After") != "7" {
			t.Errorf("no Retry-After: %v", got.header)
		}
	}
}

func TestCompression(t *testing.T) {
	for name, tc := range map[string]struct {
		fault       core.FaultKind
		setting     core.Compression
		accept      string
		wantGzip    bool
		wantCorrupt bool
	}{
		"never":              {"", core.CompressNever, "gzip", false, false},
		"asked":              {"", core.CompressWhenAsked, "gzip, br", true, false},
		"not asked":          {"", core.CompressWhenAsked, "identity", false, false},
		"always":             {"", core.CompressAlways, "identity", true, false},
		"fault, not asked":   {core.FaultGzip, core.CompressNever, "identity", true, false},
		"broken":             {core.FaultBrokenGzip, core.CompressNever, "gzip", true, true},
		"truncate has plain": {core.FaultTruncate, core.CompressAlways, "gzip", false, true},
	} {
		for form, body := range map[string]string{"plain": hello, "stream": helloStream} {
			t.Run(name+", "+form, func(t *testing.T) {
				r := start(t, func(s *core.Settings) { s.Compression = tc.setting })
				if tc.fault != "" {
					r.fault(core.Fault{Kind: tc.fault, AfterEvents: 1})
				}
				got, err := r.call(http.MethodPost, "/v1/chat/completions", body, "Accept-Encoding", tc.accept)
				if err != nil {
					t.Fatal(err)
				}
				if isGzip := got.header.Get("Content-Encoding") == "gzip"; isGzip != tc.wantGzip {
					t.Fatalf("gzip: got %v, want %v", isGzip, tc.wantGzip)
				}
				content, err := got.body, got.err
				if tc.wantGzip {
					content, err = unzip(got.body)
				}
				if corrupt := err != nil; corrupt != tc.wantCorrupt {
					t.Fatalf("corrupt: got %v, want %v", err, tc.wantCorrupt)
				}
				if !tc.wantCorrupt && !bytes.Contains(content, []byte("chat.completion")) {
					t.Errorf("content %q", content)
				}
			})
		}
	}
}

func unzip(data []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(reader)
}

// TestSplit looks at the chunk sizes on the wire: every one is as small as asked, and together they make the whole stream.
func TestSplit(t *testing.T) {
	r := start(t, func(s *core.Settings) { s.CompletionTokens = 3 })
	whole := r.post("/v1/chat/completions", helloStream).body
	r.fault(core.Fault{Kind: core.FaultSplit})
	raw := r.raw(helloStream)
	_, body, _ := strings.Cut(raw, "\r\n\r\n")
	var joined strings.Builder
	for body != "0\r\n\r\n" {
		size, rest, _ := strings.Cut(body, "\r\n")
		n, err := strconv.ParseInt(size, 16, 32)
		if err != nil || n != 1 {
			t.Fatalf("chunk of %q bytes", size)
		}
		joined.WriteString(rest[:n])
		body = rest[n+2:]
	}
	if got, want := len(joined.String()), len(whole); got != want || len(dataLines(t, []byte(joined.String()))) != len(dataLines(t, whole)) {
		t.Errorf("got %d bytes, want %d", got, want)
	}
}

func TestHugeLineAndInvalidUTF8(t *testing.T) {
	r := start(t, nil)
	longest := func(body []byte) int {
		return len(slices.MaxFunc(bytes.Split(body, []byte("\n")), func(a, b []byte) int { return len(a) - len(b) }))
	}
	for form, body := range map[string]string{"plain": hello, "stream": helloStream} {
		r.fault(core.Fault{Kind: core.FaultHugeLine}, core.Fault{Kind: core.FaultHugeLine, Bytes: 5000}, core.Fault{Kind: core.FaultInvalidUTF8})
		if got := longest(r.post("/v1/chat/completions", body).body); got < 10<<20 || got > 10<<20+2000 {
			t.Errorf("%s: line of %d bytes, want ten MiB", form, got)
		}
		if got := longest(r.post("/v1/chat/completions", body).body); got < 5000 || got > 7000 {
			t.Errorf("%s: line of %d bytes, want 5000", form, got)
		}
		if utf8.Valid(r.post("/v1/chat/completions", body).body) {
			t.Errorf("%s: valid UTF-8", form)
		}
		if !utf8.Valid(r.post("/v1/chat/completions", body).body) {
			t.Errorf("%s: invalid UTF-8 without a fault", form)
		}
	}
}

func TestNoUsageFault(t *testing.T) {
	r := start(t, nil)
	r.fault(core.Fault{Kind: core.FaultNoUsage})
	for _, want := range []bool{false, true} {
		answer := decodeJSON[chatAnswer](t, r.post("/v1/chat/completions", hello).body)
		if got := answer.Usage != nil; got != want {
			t.Errorf("usage: got %v, want %v", got, want)
		}
	}
	r.ended(2)
	if total := r.Counters().Total; total.ReportedAnswers != 1 || total.Billed.CompletionTokens != 32 || total.Reported.CompletionTokens != 16 {
		t.Errorf("counted %+v", total)
	}
}

func TestDelayFault(t *testing.T) {
	r := start(t, nil)
	r.fault(core.Fault{Kind: core.FaultDelay, Delay: core.Duration(3 * time.Second)})
	before := r.clock.Now()
	if got := r.post("/v1/chat/completions", hello); got.status != http.StatusOK || r.clock.Now().Sub(before) != 3*time.Second {
		t.Errorf("got %d after %v", got.status, r.clock.Now().Sub(before))
	}
}

// TestResetOverHTTP2: faults that need the connection still end the exchange where there is none to take over.
func TestResetOverHTTP2(t *testing.T) {
	r := start(t, nil)
	r.fault(core.Fault{Kind: core.FaultReset})
	client := startTLS(t, r.Server)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, client.url+"/v1/chat/completions", strings.NewReader(hello))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer sk-test")
	response, err := client.http.Do(request)
	if err == nil {
		t.Fatalf("got status %d, want an error; close: %v", response.StatusCode, response.Body.Close())
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("ran into a timeout: %v", err)
	}
}
