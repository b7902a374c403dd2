package upstream

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
)

var errTooLate = errors.New("too late")

// passing is a check that passes so many times.
func passing(times int32) func() error {
	var asked atomic.Int32
	return func() error {
		if asked.Add(1) > times {
			return errTooLate
		}
		return nil
	}
}

func checking(r *http.Request, times int32) *http.Request {
	return r.WithContext(WithCheck(r.Context(), passing(times)))
}

func checkTooLate(t *testing.T, err error) {
	t.Helper()
	if kind, _ := KindOf(err); kind != NotSent || !errors.Is(err, errTooLate) {
		t.Errorf("got %v, want %v of kind %v", err, errTooLate, NotSent)
	}
}

// TestNothingIsWrittenAgainstTheCheck, on a connection that took its time, on one that is reused, and where a request is sent again.
func TestNothingIsWrittenAgainstTheCheck(t *testing.T) {
	var requests atomic.Int32
	dies := false
	server := newRawServer(t, func(c *rawConn, _ int) {
		for c.request() != nil {
			requests.Add(1)
			if dies {
				return
			}
			c.send(okEmpty)
		}
	})
	var late atomic.Bool
	transport := newTransport(t, func(o *Options) {
		o.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			late.Store(true)
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}
	})
	onTime := func() error {
		if late.Load() {
			return errTooLate
		}
		return nil
	}
	slow := newRequest(t, http.MethodPost, server.url, "x")
	checkTooLate(t, tryRoundTrip(transport, slow.WithContext(WithCheck(slow.Context(), onTime))))
	if n := requests.Load(); n != 0 {
		t.Errorf("the server got %d requests of one that connected too late", n)
	}
	roundTrip(t, transport, checking(newRequest(t, http.MethodPost, server.url, "x"), 1))
	checkTooLate(t, tryRoundTrip(transport, checking(newRequest(t, http.MethodPost, server.url, "x"), 0)))
	if n := requests.Load(); n != 1 {
		t.Errorf("the server got %d requests, want the one in time", n)
	}
	roundTrip(t, transport, newRequest(t, http.MethodPost, server.url, "x"))
	dies = true
	checkTooLate(t, tryRoundTrip(transport, checking(newRequest(t, http.MethodGet, server.url, ""), 1)))
	if n := requests.Load(); n != 3 {
		t.Errorf("the server got %d requests, want no second try of the last", n)
	}
}

// TestTheStandardTransportIsChecked before it begins, and once it has a connection.
func TestTheStandardTransportIsChecked(t *testing.T) {
	var requests atomic.Int32
	server, roots, _ := newHTTP2Server(t, func(http.ResponseWriter, *http.Request) { requests.Add(1) })
	selecting := newSelecting(t, roots, nil)
	roundTrip(t, selecting, newRequest(t, http.MethodPost, server.URL, "x"))
	for times := range int32(2) {
		checkTooLate(t, tryRoundTrip(selecting, checking(newRequest(t, http.MethodPost, server.URL, "x"), times)))
	}
	roundTrip(t, selecting, checking(newRequest(t, http.MethodPost, server.URL, "x"), 2))
	if n := requests.Load(); n != 2 {
		t.Errorf("the server got %d requests, want 2", n)
	}
	proxied := newSelecting(t, nil, http.ProxyURL(&url.URL{Scheme: "http", Host: "127.0.0.1:1"}))
	checkTooLate(t, tryRoundTrip(proxied, checking(newRequest(t, http.MethodPost, "http://provider.test", "x"), 0)))
}
