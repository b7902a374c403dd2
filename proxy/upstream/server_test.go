package upstream

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// waitLimit bounds how long a test waits for something that happens in another goroutine.
const waitLimit = 30 * time.Second

// newTransport returns a transport with a plain dialer, closed at the end of the test.
func newTransport(t testing.TB, change func(*Options)) *Transport {
	t.Helper()
	options := Options{DialContext: (&net.Dialer{}).DialContext}
	if change != nil {
		change(&options)
	}
	transport := New(options)
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// rawServer speaks bytes: it serves every connection with serve, which gets the connection and how many came before.
type rawServer struct {
	url   string
	conns atomic.Int32
}

func newRawServer(t testing.TB, serve func(conn *rawConn, index int)) *rawServer {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &rawServer{url: "http://" + listener.Addr().String()}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			index := int(server.conns.Add(1)) - 1
			serving.Go(func() {
				defer func() { _ = nc.Close() }()
				_ = nc.SetDeadline(time.Now().Add(waitLimit))
				serve(newRawConn(nc), index)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		serving.Wait()
	})
	return server
}

type rawConn struct {
	net.Conn
	reader *bufio.Reader
}

func newRawConn(nc net.Conn) *rawConn { return &rawConn{Conn: nc, reader: bufio.NewReader(nc)} }

// request reads one request with its body, nil at the end of the connection.
func (c *rawConn) request() *http.Request {
	req, err := http.ReadRequest(c.reader)
	if err != nil {
		return nil
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil
	}
	req.Body = io.NopCloser(strings.NewReader(string(body)))
	return req
}

func (c *rawConn) send(s string) bool {
	_, err := io.WriteString(c, s)
	return err == nil
}

// untilClosed returns when the other side has closed the connection.
func (c *rawConn) untilClosed() {
	_, _ = io.Copy(io.Discard, c.reader)
}

// answering serves every request of every connection with the same bytes.
func answering(reply string) func(*rawConn, int) {
	return func(c *rawConn, _ int) {
		for c.request() != nil && c.send(reply) {
		}
	}
}

func newServer(t testing.TB, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

// echo answers with the request's body. It reads all of it first: net/http's server does not read on once it writes.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	_, _ = w.Write(body)
}

func newRequest(t testing.TB, method, url, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// answer is a response that was read to its end.
type answer struct {
	Status, Proto, Body string
	ContentLength       int64
	Header, Trailer     http.Header
}

// roundTrip sends a request and reads its whole answer.
func roundTrip(t testing.TB, transport http.RoundTripper, req *http.Request) answer {
	t.Helper()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatalf("RoundTrip: %v", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("reading the body: %v", err)
	}
	return answer{resp.Status, resp.Proto, string(body), resp.ContentLength, resp.Header, resp.Trailer}
}

// tryRoundTrip sends a request and returns the error of that alone, nil when there is a response.
func tryRoundTrip(transport http.RoundTripper, req *http.Request) error {
	resp, err := transport.RoundTrip(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	return err
}

// eventually polls until the condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(waitLimit)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}

func receive[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(waitLimit):
		t.Fatalf("not in time: %s", what)
		panic("unreachable")
	}
}
