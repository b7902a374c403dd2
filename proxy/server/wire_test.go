package server

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
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
	if response.StatusCode == http.StatusOK && got.body != strings.Replace(goodBody, `"chat"`, `"upstream-0"`, 1) {
		t.Errorf("the upstream got %q", got.body)
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
	for _, seed := range []string{"/v1/chat/completions", "/api/v1/models/a%2Fb", "/openai/v1/models/", "/v1/models/%zz", "//v1/models", "/v1/models/a/../b", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := url.ParseRequestURI(raw)
		if err != nil {
			return
		}
		found, ok := find(u)
		if !ok && found.action != 0 {
			t.Errorf("%q is not found and is action %d", raw, found.action)
		}
		if ok && found.action == actionGetModel && found.modelID == "" {
			t.Errorf("%q is a model without a name", raw)
		}
		switch found.path {
		case "other", "/v1/other", "/api/v1/other", "/openai/v1/other", "/v1/models/{id}", "/api/v1/models/{id}", "/openai/v1/models/{id}":
		default:
			if found.path != u.Path || len(found.path) > len("/openai/v1/chat/completions") {
				t.Errorf("%q is logged as %q", raw, found.path)
			}
		}
	})
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
