package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

var errHungUp = errors.New("client hung up")

// Wherever a request is when its context ends, the upstream sees the connection closed, and the error says how far it
// got and why it ended.
func TestCancel(t *testing.T) {
	cases := map[string]struct {
		reply    string
		readTo   int // bytes of the body to be read before
		body     string
		wantKind Kind
	}{
		"while writing":                {body: strings.Repeat("x", 64<<20), wantKind: SentNoResponse},
		"before the response":          {body: "x", wantKind: SentNoResponse},
		"within the head":              {body: "x", reply: "HTTP/1.1 200 OK\r\nConte", wantKind: SentNoResponse},
		"after an interim response":    {body: "x", reply: "HTTP/1.1 100 Continue\r\n\r\n", wantKind: SentNoResponse},
		"within a body":                {body: "x", reply: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", readTo: 5, wantKind: BodyBroken},
		"within a chunk":               {body: "x", reply: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello", readTo: 5, wantKind: BodyBroken},
		"between chunks":               {body: "x", reply: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", readTo: 5, wantKind: BodyBroken},
		"within a body without length": {body: "x", reply: "HTTP/1.1 200 OK\r\n\r\nhello", readTo: 5, wantKind: BodyBroken},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			closed := make(chan struct{})
			ctx, cancel := context.WithCancelCause(t.Context())
			server := newRawServer(t, func(c *rawConn, _ int) {
				defer close(closed)
				if _, err := http.ReadRequest(c.reader); err != nil {
					return
				}
				c.send(tc.reply)
				if tc.readTo == 0 {
					cancel(errHungUp)
				}
				c.untilClosed()
			})
			req := newRequest(t, http.MethodPost, server.url, tc.body).WithContext(ctx)
			resp, err := newTransport(t, nil).RoundTrip(req)
			if err == nil {
				defer func() { _ = resp.Body.Close() }()
				if _, err := io.ReadFull(resp.Body, make([]byte, tc.readTo)); err != nil {
					t.Fatal(err)
				}
				cancel(errHungUp)
				_, err = resp.Body.Read(make([]byte, 1))
				checkCancelled(t, err, tc.wantKind)
			} else {
				checkCancelled(t, err, tc.wantKind)
			}
			receive(t, "the server sees the connection closed", closed)
		})
	}
}

func checkCancelled(t *testing.T, err error, want Kind) {
	t.Helper()
	if kind, _ := KindOf(err); kind != want || !errors.Is(err, errHungUp) {
		t.Errorf("got %v, want %v of kind %v", err, errHungUp, want)
	}
}

func TestCancelledBeforehand(t *testing.T) {
	server := newRawServer(t, answering(okEmpty))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errHungUp)
	err := tryRoundTrip(newTransport(t, nil), newRequest(t, http.MethodPost, server.url, "x").WithContext(ctx))
	checkCancelled(t, err, NotSent)
	if n := server.conns.Load(); n != 0 {
		t.Errorf("%d connections, want none", n)
	}
}

// A context that ends after the body was read to its end leaves the pooled connection alone.
func TestCancelAfterTheEnd(t *testing.T) {
	server := newRawServer(t, answering(okEmpty))
	transport := newTransport(t, nil)
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		roundTrip(t, transport, newRequest(t, http.MethodPost, server.url, "x").WithContext(ctx))
		cancel()
	}
	if n := server.conns.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// Close is allowed while another goroutine reads, and ends that read.
func TestCloseDuringRead(t *testing.T) {
	server := newRawServer(t, func(c *rawConn, _ int) {
		if c.request() != nil {
			c.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")
			c.untilClosed()
		}
	})
	transport := newTransport(t, nil)
	for range 20 {
		resp, err := transport.RoundTrip(newRequest(t, http.MethodPost, server.url, "x"))
		if err != nil {
			t.Fatal(err)
		}
		var reading sync.WaitGroup
		reading.Go(func() {
			if got, err := io.ReadAll(resp.Body); err == nil {
				t.Errorf("read %q to its end", got)
			}
		})
		_ = resp.Body.Close()
		reading.Wait()
	}
}
