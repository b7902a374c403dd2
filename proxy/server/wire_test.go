package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// TestSmuggling sends requests that two servers could read differently, and a good one behind each. Nothing may reach the upstream but what the proxy
// itself answers as one request.
func TestSmuggling(t *testing.T) {
	head := "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + appKey + "\r\nContent-Type: application/json\r\n"
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(goodBody), goodBody)
	length := fmt.Sprintf("Content-Length: %d\r\n", len(goodBody))
	hidden := head + length + "\r\n" + goodBody
	cases := map[string]string{
		"two lengths":              head + "Content-Length: 0\r\n" + length + "\r\n" + goodBody,
		"signed length":            head + fmt.Sprintf("Content-Length: +%d\r\n\r\n%s", len(goodBody), goodBody),
		"unknown transfer coding":  head + "Transfer-Encoding: identity, chunked\r\n\r\n" + chunk,
		"coding of another name":   head + "Transfer-Encoding: xchunked\r\n\r\n" + chunk,
		"space before the colon":   head + "Transfer-Encoding : chunked\r\n\r\n" + chunk,
		"bare CR in a header":      head + length + "X-A: b\rTransfer-Encoding: chunked\r\n\r\n" + goodBody,
		"huge chunk":               head + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + goodBody + "\r\n0\r\n\r\n",
		"malformed chunk size":     head + "Transfer-Encoding: chunked\r\n\r\n0x10\r\n" + goodBody + "\r\n0\r\n\r\n",
		"request line with spaces": strings.Replace(head, " HTTP", " x HTTP", 1) + length + "\r\n" + goodBody,
		"no host":                  strings.Replace(head, "Host: x\r\n", "", 1) + length + "\r\n" + goodBody,
		"two hosts":                head + "Host: y\r\n" + length + "\r\n" + goodBody,
		"large header":             head + "X-A: " + strings.Repeat("a", 64<<10) + "\r\n" + length + "\r\n" + goodBody,
	}
	for name, raw := range cases {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int64
			h := newHarness(t, []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) { calls.Add(1); good(w, r) }})
			conn := h.dial()
			go func() { _, _ = io.WriteString(conn, raw+hidden) }()
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			_, _ = io.Copy(io.Discard, response.Body)
			// However the connection ends, what came behind must have been ignored by then.
			_, _ = io.Copy(io.Discard, conn)
			refused := response.StatusCode >= 400 && response.StatusCode < 500 || response.StatusCode == http.StatusNotImplemented
			if !refused || !response.Close {
				t.Errorf("status %d, close %v", response.StatusCode, response.Close)
			}
			if calls.Load() != 0 {
				t.Errorf("the upstream was called %d times", calls.Load())
			}
		})
	}
}

// TestLengthAndChunks: RFC 9112 lets a server take the chunks when both are there. The upstream must get one request with one length.
func TestLengthAndChunks(t *testing.T) {
	var got seen
	h := newHarness(t, []http.HandlerFunc{got.then(good)})
	conn := h.dial()
	_, _ = fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n",
		appKey, len(goodBody), goodBody)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if want := strings.Replace(goodBody, `"chat"`, `"upstream-0"`, 1); response.StatusCode != http.StatusOK || got.body != want {
		t.Errorf("status %d, the upstream got %q", response.StatusCode, got.body)
	}
	if got.header.Get("Transfer-Encoding") != "" {
		t.Error("the transfer coding is passed on")
	}
}

// TestLargeBodyIsRefusedUnread: 100 MB are announced, in both ways; the client reads its answer after it has written all that it could.
func TestLargeBodyIsRefusedUnread(t *testing.T) {
	const size = 100 << 20
	for name, framing := range map[string]string{"length": fmt.Sprintf("Content-Length: %d", size), "chunks": "Transfer-Encoding: chunked"} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, []http.HandlerFunc{good}, withLimits(Limits{BodyBytes: 1 << 20}))
			conn := h.dial()
			_, _ = fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nX-Request-Id: r\r\n%s\r\n\r\n", appKey, framing)
			piece := strings.Repeat(" ", 1<<20)
			if name == "chunks" {
				piece = fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece)
			}
			written := 0
			for written < size {
				n, err := io.WriteString(conn, piece)
				written += n
				if err != nil {
					break
				}
			}
			if written >= size {
				t.Error("the whole body was read")
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("after %d bytes: %v", written, err)
			}
			defer func() { _ = response.Body.Close() }()
			body, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != http.StatusRequestEntityTooLarge || errorOf(t, string(body)).Code != string(CodePayloadTooLarge) {
				t.Errorf("%d %v %s", response.StatusCode, err, body)
			}
		})
	}
}

// TestBodyThatIsKeptBack: net/http reads what is left of a body before it replies, and a stranger who sends none of it must not keep a connection for it.
func TestBodyThatIsKeptBack(t *testing.T) {
	for name, tc := range map[string]struct {
		line, key string
		status    int
	}{
		"stranger":     {"POST /v1/chat/completions", "sbk-wrong", http.StatusUnauthorized},
		"unknown path": {"POST /elsewhere", appKey, http.StatusNotFound},
		"no body due":  {"GET /v1/models", appKey, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, []http.HandlerFunc{good}, withLimits(Limits{BodyGrace: 100 * time.Millisecond}))
			conn := h.dial()
			_, _ = fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n", tc.line, tc.key)
			reader := bufio.NewReader(conn)
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			if response.StatusCode != tc.status || !response.Close {
				t.Errorf("status %d, close %v", response.StatusCode, response.Close)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			if _, err := reader.ReadByte(); !errors.Is(err, io.EOF) {
				t.Errorf("the connection goes on: %v", err)
			}
		})
	}
}

// TestBodiesThatDoNotSayWhatTheyAre: a body must be said to be JSON, once, and must not have to be inflated first.
func TestBodiesThatDoNotSayWhatTheyAre(t *testing.T) {
	for name, tc := range map[string]struct {
		change  func(http.Header)
		message string
	}{
		"no type":    {func(h http.Header) { h.Del("Content-Type") }, "application/json"},
		"two types":  {func(h http.Header) { h.Add("Content-Type", "text/plain") }, "application/json"},
		"text":       {func(h http.Header) { h.Set("Content-Type", "text/plain") }, "application/json"},
		"compressed": {func(h http.Header) { h.Set("Content-Encoding", "gzip") }, "Content-Encoding"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, []http.HandlerFunc{good})
			request := h.request(t.Context(), ask{})
			tc.change(request.Header)
			response, err := h.front.Client().Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			body, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != http.StatusUnsupportedMediaType || !strings.Contains(errorOf(t, string(body)).Message, tc.message) {
				t.Errorf("%d %v %s", response.StatusCode, err, body)
			}
		})
	}
}

// TestBadInputDisturbsNobody sends everything that is refused, from the client and from a second route's provider, while good calls go on.
func TestBadInputDisturbsNobody(t *testing.T) {
	const rounds = 5
	worst := []http.HandlerFunc{
		answers(200, "text/html", "<html>"), cuts(`{"id":`), cuts(tokenEvent), streams("data: " + strings.Repeat("x", 1<<20) + "\n\n"),
		answers(200, "application/json", "\xff"), answersEncoded(200, "gzip"),
	}
	var turn atomic.Int64
	h := newHarness(t, []http.HandlerFunc{good, func(w http.ResponseWriter, r *http.Request) {
		worst[int(turn.Add(1))%len(worst)](w, r)
	}}, withTable(budgeted), withTable(func(tb *table.Table) {
		bad := tb.Routes[0]
		bad.Name, bad.Models, bad.Targets = "bad-route", []string{"bad"}, tb.Routes[0].Targets[1:]
		tb.Routes[0].Targets = tb.Routes[0].Targets[:1]
		tb.Routes = append(tb.Routes, bad)
		tb.Budgets[0].Routes = []string{"chat-route"}
	}))
	var group sync.WaitGroup
	for name, tc := range clientRefusals() {
		if tc.setups != nil {
			continue
		}
		group.Go(func() {
			for range rounds {
				if got := h.send(tc.ask); got.status != tc.status {
					t.Errorf("%s: status %d, want %d", name, got.status, tc.status)
				}
				h.send(ask{body: `{"model":"bad","messages":[]}`})
				h.send(ask{body: `{"model":"bad","stream":true,"messages":[]}`})
			}
		})
		group.Go(func() {
			for range rounds {
				if got := h.send(ask{}); got.status != http.StatusOK {
					t.Errorf("a good call got %d %s", got.status, got.body)
				}
			}
		})
	}
	group.Wait()
	good := int64(0)
	for _, tc := range clientRefusals() {
		if tc.setups == nil {
			good += rounds
		}
	}
	if want := good * goodCost; h.spent() != want {
		t.Errorf("spent %d, want %d", h.spent(), want)
	}
}

func TestRequestIDs(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good})
	cases := map[string]struct {
		sent string
		kept bool
	}{
		"plain":     {"req_1.a-b:c", true},
		"too long":  {strings.Repeat("a", 129), false},
		"with HTML": {"<script>", false},
		"empty":     {"", false},
		"quotes":    {`a"b`, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := h.send(ask{id: tc.sent}).header.Get("X-Request-Id")
			if (got == tc.sent) != tc.kept || got == "" {
				t.Errorf("sent %q, got %q", tc.sent, got)
			}
		})
	}
}

func FuzzFind(f *testing.F) {
	for _, seed := range []string{"/v1/chat/completions", "/api/v1/models/a%2Fb", "/openai/v1/models/", "/v1/models/%zz", "//v1/models", "/v1/models/a/../b", "",
		"/v1beta/models/a%2Fb:generateContent", "/v1beta/models/:streamGenerateContent?alt=sse", "/v2/rerank", "/v1/messages/batches"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := url.ParseRequestURI(raw)
		if err != nil {
			return
		}
		found, ok := find(&http.Request{URL: u})
		if !ok && found.action != 0 {
			t.Errorf("%q is not found and is action %d", raw, found.action)
		}
		if ok && found.action == actionGetModel && found.modelID == "" {
			t.Errorf("%q is a model without a name", raw)
		}
		if found.path != u.Path && !slices.Contains(madePaths(), found.path) {
			t.Errorf("%q is logged as %q", raw, found.path)
		}
		if len(found.path) > len("/openai/v1/models/{id}:streamGenerateContent") {
			t.Errorf("%q is logged as a long path", raw)
		}
	})
}

// madePaths stand in the log for paths that clients can make up.
func madePaths() []string {
	paths := []string{"other"}
	for _, prefix := range []string{"/v1/", "/api/v1/", "/openai/v1/", "/v1beta/", "/v2/"} {
		for _, rest := range []string{"other", "models", "models/{id}", "models/{id}:generateContent", "models/{id}:streamGenerateContent"} {
			paths = append(paths, prefix+rest)
		}
	}
	return paths
}

func FuzzRequestID(f *testing.F) {
	f.Add("abc")
	f.Add("a\nb")
	f.Fuzz(func(t *testing.T, given string) {
		got := requestID(http.Header{headerRequestID: {given}})
		if got == "" || len(got) > maxRequestID || strings.ContainsAny(got, " \t\r\n\"'<>{}\\\x00") {
			t.Errorf("%q became %q", given, got)
		}
	})
}
