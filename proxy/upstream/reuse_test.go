package upstream

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const okEmpty = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// The server closes the connection after each answer without saying so; the next request finds that out beforehand,
// whatever its method.
func TestClosedIdleConnectionIsNotUsed(t *testing.T) {
	server := newRawServer(t, func(c *rawConn, _ int) {
		if c.request() != nil {
			c.send(okEmpty)
		}
	})
	transport := newTransport(t, nil)
	for range 5 {
		roundTrip(t, transport, newRequest(t, http.MethodPost, server.url, "x"))
		eventually(t, "the idle connection is seen closed", func() bool { return !idleAlive(transport) })
	}
	if n := server.conns.Load(); n != 5 {
		t.Errorf("%d connections, want 5", n)
	}
}

func idleAlive(transport *Transport) bool {
	transport.pool.mu.Lock()
	defer transport.pool.mu.Unlock()
	for _, conns := range transport.pool.idle {
		for _, c := range conns {
			if alive(c.raw) {
				return true
			}
		}
	}
	return false
}

// A server that dies after the second request has come in: whether it acted on it cannot be known.
func TestConnectionLostOnReuse(t *testing.T) {
	cases := map[string]struct {
		method     string
		change     func(*http.Request)
		last       string // what the server sends before it dies
		wantRepeat bool
	}{
		"get, an answer had begun":        {method: http.MethodGet, last: "HTTP/1.1 200"},
		"get, an interim answer had come": {method: http.MethodGet, last: "HTTP/1.1 100 Continue\r\n\r\n"},
		"post":                            {method: http.MethodPost},
		"get":                             {method: http.MethodGet, wantRepeat: true},
		"post with idempotency key":       {method: http.MethodPost, change: idempotent, wantRepeat: true},
		"idempotent, body is not at hand": {method: http.MethodPost, change: func(r *http.Request) { idempotent(r); r.GetBody = nil }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			server := newRawServer(t, func(c *rawConn, _ int) {
				for c.request() != nil {
					requests.Add(1)
					if requests.Load() == 2 {
						c.send(tc.last)
						return
					}
					c.send(okEmpty)
				}
			})
			transport := newTransport(t, nil)
			roundTrip(t, transport, newRequest(t, tc.method, server.url, "first"))
			req := newRequest(t, tc.method, server.url, "second")
			if tc.change != nil {
				tc.change(req)
			}
			if tc.wantRepeat {
				if got := roundTrip(t, transport, req); got.Body != "ok" || requests.Load() != 3 {
					t.Errorf("got %q after %d requests", got.Body, requests.Load())
				}
				return
			}
			checkLostOnReuse(t, tryRoundTrip(transport, req))
			if n := requests.Load(); n != 2 {
				t.Errorf("the server got %d requests, want 2", n)
			}
		})
	}
}

func checkLostOnReuse(t *testing.T, err error) {
	t.Helper()
	var failed *Error
	if !errors.As(err, &failed) || failed.Kind != SentNoResponse || !failed.Reused {
		t.Errorf("got %v, want %v on a reused connection", err, SentNoResponse)
	}
}

func idempotent(r *http.Request) { r.Header.Set("Idempotency-Key", "42") }

// A connection that breaks before the first byte of the request is written says nothing about the provider, so the
// request goes out once more, whatever its method.
func TestNothingWrittenOnReuse(t *testing.T) {
	server := newRawServer(t, answering(okEmpty))
	broken := false
	transport := newTransport(t, func(o *Options) {
		o.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			nc, err := (&net.Dialer{}).DialContext(ctx, network, address)
			return &breakableConn{Conn: nc, broken: &broken}, err
		}
	})
	roundTrip(t, transport, newRequest(t, http.MethodPost, server.url, "first"))
	broken = true
	if got := roundTrip(t, transport, newRequest(t, http.MethodPost, server.url, "second")); got.Body != "ok" {
		t.Errorf("got %q", got.Body)
	}
	if n := server.conns.Load(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}

// breakableConn fails its next write once it is said to be broken.
type breakableConn struct {
	net.Conn
	broken *bool
}

func (c *breakableConn) Write(p []byte) (int, error) {
	if *c.broken {
		*c.broken = false
		return 0, errors.New("broken pipe")
	}
	return c.Conn.Write(p)
}

func TestCloseBeforeTheEnd(t *testing.T) {
	const chunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	cases := map[string]struct {
		reply     string
		wantReuse bool
	}{
		"the rest has come, known length": {okEmpty, true},
		"the rest has come, chunked":      {chunkedHead + "5\r\nhello\r\n5\r\nhello\r\n0\r\nX-A: 1\r\n\r\n", true},
		"the rest is missing, length":     {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", false},
		"the rest is missing, chunk":      {chunkedHead + "9\r\nhello", false},
		"the last chunk is missing":       {chunkedHead + "5\r\nhello\r\n", false},
		"the rest is malformed":           {chunkedHead + "5\r\nhello\r\nzz\r\n", false},
		"until close":                     {"HTTP/1.1 200 OK\r\n\r\nhello", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			closed := make(chan struct{}, 2)
			server := newRawServer(t, func(c *rawConn, _ int) {
				for c.request() != nil {
					c.send(tc.reply)
				}
				closed <- struct{}{}
			})
			transport := newTransport(t, nil)
			for range 2 {
				resp, err := transport.RoundTrip(newRequest(t, http.MethodPost, server.url, "x"))
				if err != nil {
					t.Fatal(err)
				}
				if n, err := resp.Body.Read(make([]byte, 1)); n != 1 || err != nil {
					t.Fatalf("read %d, %v", n, err)
				}
				if err := resp.Body.Close(); err != nil {
					t.Errorf("closing: %v", err)
				}
				if n, err := resp.Body.Read(make([]byte, 1)); n != 0 || !errors.Is(err, errReadAfterClose) {
					t.Errorf("read %d, %v after close", n, err)
				}
				if !tc.wantReuse {
					receive(t, "the server sees the connection closed", closed)
				}
			}
			if reused := server.conns.Load() == 1; reused != tc.wantReuse {
				t.Errorf("connection reused: %v, want %v", reused, tc.wantReuse)
			}
		})
	}
}

func TestRequestedCloseIsKept(t *testing.T) {
	headers := make(chan string, 2)
	server := newRawServer(t, func(c *rawConn, _ int) {
		for req := c.request(); req != nil && c.send(okEmpty); req = c.request() {
			headers <- req.Header.Get("Connection")
		}
	})
	transport := newTransport(t, nil)
	for range 2 {
		req := newRequest(t, http.MethodPost, server.url, "x")
		req.Close = true
		roundTrip(t, transport, req)
		if got := receive(t, "the request", headers); got != "close" {
			t.Errorf("the request says Connection: %q", got)
		}
	}
	if n := server.conns.Load(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}

func TestIdleConnectionsAreBounded(t *testing.T) {
	release := make(chan struct{})
	server := newServer(t, func(_ http.ResponseWriter, _ *http.Request) { <-release })
	transport := newTransport(t, func(o *Options) { o.MaxIdlePerHost = 2 })
	var requests sync.WaitGroup
	for range 5 {
		requests.Go(func() {
			resp, err := transport.RoundTrip(newRequest(t, http.MethodGet, server.URL, ""))
			if err != nil {
				t.Error(err)
				return
			}
			_ = resp.Body.Close()
		})
	}
	for range 5 {
		release <- struct{}{}
	}
	requests.Wait()
	if n := idleCount(transport); n != 2 {
		t.Errorf("%d idle connections, want 2", n)
	}
	transport.CloseIdleConnections()
	if n := idleCount(transport); n != 0 {
		t.Errorf("%d idle connections after closing them", n)
	}
}

func idleCount(transport *Transport) int {
	transport.pool.mu.Lock()
	defer transport.pool.mu.Unlock()
	n := 0
	for _, conns := range transport.pool.idle {
		n += len(conns)
	}
	return n
}

// Time is faked: inside the bubble the clock moves when everybody waits.
func TestIdleTimeout(t *testing.T) {
	cases := map[string]struct {
		reply    string
		pause    time.Duration
		wantDial int
	}{
		"in time":                            {okEmpty, 59 * time.Second, 1},
		"too late":                           {okEmpty, 61 * time.Second, 2},
		"the server allows less, in time":    {keepAliveReply("timeout=10, max=5"), 8 * time.Second, 1},
		"the server allows less, too late":   {keepAliveReply("max=5, timeout=10"), 9 * time.Second, 2},
		"the server allows more":             {keepAliveReply("timeout=3600"), 61 * time.Second, 2},
		"the server allows none":             {keepAliveReply("timeout=0"), 0, 2},
		"the server's number makes no sense": {keepAliveReply("timeout=-1"), 59 * time.Second, 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dials := 0
				closed := make(chan struct{}, 10)
				transport := New(Options{DialContext: func(context.Context, string, string) (net.Conn, error) {
					dials++
					ours, theirs := net.Pipe()
					go func() {
						(&pipeServer{conn: theirs, reply: tc.reply}).run()
						closed <- struct{}{}
					}()
					return ours, nil
				}})
				get(t, transport)
				<-time.After(tc.pause)
				get(t, transport)
				if dials != tc.wantDial {
					t.Errorf("%d dials, want %d", dials, tc.wantDial)
				}
				<-time.After(2 * time.Minute)
				if n := idleCount(transport); n != 0 {
					t.Errorf("%d idle connections are left for good", n)
				}
				for range dials {
					<-closed
				}
			})
		})
	}
}

func keepAliveReply(value string) string {
	return "HTTP/1.1 200 OK\r\nKeep-Alive: " + value + "\r\nContent-Length: 2\r\n\r\nok"
}

type pipeServer struct {
	conn  net.Conn
	reply string
}

func (s *pipeServer) run() {
	raw := &rawConn{Conn: s.conn}
	buffer := make([]byte, 4<<10)
	for {
		if _, err := s.conn.Read(buffer); err != nil || !raw.send(s.reply) {
			return
		}
	}
}

func get(t *testing.T, transport *Transport) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://upstream.test/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := roundTrip(t, transport, req); got.Body != "ok" {
		t.Fatalf("got %q", got.Body)
	}
}

// Hosts, schemes and ports have connections of their own.
func TestConnectionsAreNotSharedBetweenHosts(t *testing.T) {
	names := []string{}
	for _, host := range []string{"one", "two"} {
		server := newRawServer(t, answering("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"+host))
		names = append(names, server.url)
	}
	transport := newTransport(t, nil)
	for range 3 {
		for i, want := range []string{"one", "two"} {
			if got := roundTrip(t, transport, newRequest(t, http.MethodGet, names[i], "")); got.Body != want {
				t.Errorf("%s answered %q, want %q", names[i], got.Body, want)
			}
		}
	}
}

func TestDialErrors(t *testing.T) {
	denied := errors.New("denied")
	cases := map[string]struct {
		dial DialFunc
		want string
	}{
		"denied":    {func(context.Context, string, string) (net.Conn, error) { return nil, denied }, "denied"},
		"no dialer": {nil, "no dialer"},
		"timeout": {func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, "deadline exceeded"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			transport := New(Options{DialContext: tc.dial, DialTimeout: time.Millisecond})
			err := tryRoundTrip(transport, newRequest(t, http.MethodPost, "http://upstream.test", "x"))
			if kind, _ := KindOf(err); kind != NotSent || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q of kind %v", err, tc.want, NotSent)
			}
		})
	}
}

func TestHandshakeTimeout(t *testing.T) {
	server := newRawServer(t, func(c *rawConn, _ int) { c.untilClosed() })
	transport := newTransport(t, func(o *Options) { o.TLSHandshakeTimeout = time.Millisecond })
	url := strings.Replace(server.url, "http:", "https:", 1)
	err := tryRoundTrip(transport, newRequest(t, http.MethodPost, url, "x"))
	if kind, _ := KindOf(err); kind != NotSent || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want a timeout of kind %v", err, NotSent)
	}
}
