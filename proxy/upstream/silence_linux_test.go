package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// vanish has the kernel drop whatever arrives for a connection, unread and unacknowledged, as if its end had vanished. What the end has sent is acknowledged
// before, for it would be repeated, and who vanished repeats nothing.
func vanish(t *testing.T, nc net.Conn) {
	t.Helper()
	for unacknowledged(nc) > 0 {
		runtime.Gosched()
	}
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		t.Fatalf("%T is not over TCP", nc)
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	drop := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}}
	var attached error
	err = raw.Control(func(fd uintptr) {
		attached = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(drop)), Filter: &drop[0]})
	})
	if err := errors.Join(err, attached); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
}

// connKey is what a test's server finds its connection by.
type connKey struct{}

// signal is a Watcher that knows what it was told last.
type signal struct{ lost atomic.Bool }

func (s *signal) Lost()  { s.lost.Store(true) }
func (s *signal) Found() { s.lost.Store(false) }

// TestAServerThatVanishes: a request on a connection whose other end has vanished is told to be lost, and ends although TCP would go on trying for a quarter
// of an hour; one whose other end is there is not.
func TestAServerThatVanishes(t *testing.T) {
	conns := make(chan net.Conn, 2)
	server := newRawServer(t, func(conn *rawConn, _ int) {
		conns <- conn.Conn
		answering(okEmpty)(conn, 0)
	})
	transport := newTransport(t, func(o *Options) { o.vigilance = hasty() })
	roundTrip(t, transport, newRequest(t, http.MethodPost, server.url, "first"))
	expectVanished(t, transport, server.url, <-conns)
}

// hasty is a vigilance for connections that are known to be good or to lead nowhere.
func hasty() vigilance {
	how := vigilant()
	how.lostAfter, how.vanishedAfter, how.lookEvery = 50*time.Millisecond, 200*time.Millisecond, 10*time.Millisecond
	return how
}

// expectVanished makes a request over a connection whose server's end vanishes.
func expectVanished(t *testing.T, transport http.RoundTripper, url string, end net.Conn) {
	t.Helper()
	vanish(t, end)
	var told signal
	request := newRequest(t, http.MethodPost, url, "second")
	ctx, cancel := context.WithTimeout(request.Context(), waitLimit)
	defer cancel()
	response, err := transport.RoundTrip(request.WithContext(WithWatcher(ctx, &told)))
	if err == nil {
		_ = response.Body.Close()
	}
	var failed *Error
	if !errors.As(err, &failed) || failed.Kind != SentNoResponse || !failed.Reused || !errors.Is(err, errVanished) {
		t.Errorf("it ends with %v", err)
	}
	if !told.lost.Load() {
		t.Error("it was not told to be lost")
	}
}

// TestAnHTTP2ServerThatVanishes: the same over the standard library's transport, where all requests share a connection.
func TestAnHTTP2ServerThatVanishes(t *testing.T) {
	conns := make(chan net.Conn, 2)
	server, roots, _ := newHTTP2Server(t, func(_ http.ResponseWriter, r *http.Request) {
		nc, _ := r.Context().Value(connKey{}).(*tls.Conn)
		conns <- nc.NetConn()
	}, func(s *httptest.Server) {
		s.Config.ConnContext = func(ctx context.Context, nc net.Conn) context.Context { return context.WithValue(ctx, connKey{}, nc) }
	})
	selecting := newSelecting(t, roots, nil)
	selecting.fast.options.vigilance = hasty()
	roundTrip(t, selecting, newRequest(t, http.MethodPost, server.URL, "first"))
	expectVanished(t, selecting, server.URL, <-conns)
}
