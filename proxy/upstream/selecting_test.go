package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// newHTTP2Server refuses every handshake that does not offer HTTP/2, and counts handshakes.
func newHTTP2Server(t *testing.T, handler http.HandlerFunc, changes ...func(*httptest.Server)) (server *httptest.Server, roots *x509.CertPool, handshakes *atomic.Int32) {
	t.Helper()
	handshakes = &atomic.Int32{}
	server = httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.TLS.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		handshakes.Add(1)
		if !slices.Contains(hello.SupportedProtos, "h2") {
			return nil, errors.New("HTTP/2 only")
		}
		return server.TLS, nil
	}
	for _, change := range changes {
		change(server)
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	roots = x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return server, roots, handshakes
}

func newSelecting(t *testing.T, roots *x509.CertPool, proxy func(*http.Request) (*url.URL, error)) *Selecting {
	t.Helper()
	selecting := NewSelecting(Options{
		DialContext:     (&net.Dialer{}).DialContext,
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}, proxy)
	t.Cleanup(selecting.CloseIdleConnections)
	return selecting
}

func TestHTTP2OnlyHost(t *testing.T) {
	server, roots, handshakes := newHTTP2Server(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("server reading the body: %v", err)
		}
		w.Header().Set("X-User-Agent", r.UserAgent())
		w.Header().Set("X-Request", r.Proto+" "+string(body))
	})
	selecting := newSelecting(t, roots, nil)
	for range 3 {
		got := roundTrip(t, selecting, newRequest(t, http.MethodPost, server.URL, "hello")).Header
		if got.Get("X-Request") != "HTTP/2.0 hello" || got.Get("X-User-Agent") != "" {
			t.Errorf("got %q, User-Agent %q", got.Get("X-Request"), got.Get("X-User-Agent"))
		}
	}
	if n := handshakes.Load(); n != 2 {
		t.Errorf("%d handshakes, want 2: the refused one and one for HTTP/2", n)
	}
}

func TestHTTP1HostTakesTheFastWay(t *testing.T) {
	server := newServer(t, echo)
	selecting := newSelecting(t, nil, func(*http.Request) (*url.URL, error) { return nil, nil })
	if got := roundTrip(t, selecting, newRequest(t, http.MethodPost, server.URL, "hello")); got.Body != "hello" {
		t.Errorf("got %q", got.Body)
	}
	if n := idleCount(selecting.fast); n != 1 {
		t.Errorf("the fast transport has %d idle connections, want 1", n)
	}
}

func TestProxiedHost(t *testing.T) {
	proxy := newServer(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Target", r.RequestURI) })
	proxyURL, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	selecting := newSelecting(t, nil, http.ProxyURL(proxyURL))
	req := newRequest(t, http.MethodPost, "http://provider.test/v1", "x")
	if got := roundTrip(t, selecting, req).Header.Get("X-Target"); got != "http://provider.test/v1" {
		t.Errorf("the proxy was asked for %q", got)
	}
}

// The standard library's errors get the kinds that Transport's have.
func TestStandardErrorKinds(t *testing.T) {
	cases := map[string]struct {
		reply string
		kind  Kind
		body  bool
	}{
		"closed without an answer": {reply: "", kind: SentNoResponse},
		"not HTTP":                 {reply: "nonsense\r\n\r\n", kind: BadResponse},
		"truncated body":           {reply: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", kind: BodyBroken, body: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			proxy := newRawServer(t, func(c *rawConn, _ int) {
				if c.request() != nil {
					c.send(tc.reply)
				}
			})
			proxyURL, err := url.Parse(proxy.url)
			if err != nil {
				t.Fatal(err)
			}
			selecting := newSelecting(t, nil, http.ProxyURL(proxyURL))
			resp, err := selecting.RoundTrip(newRequest(t, http.MethodPost, "http://provider.test/v1", "x"))
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
			if kind, _ := KindOf(err); kind != tc.kind || (resp != nil) != tc.body {
				t.Errorf("got %v (response: %v), want kind %v", err, resp != nil, tc.kind)
			}
		})
	}
}

func TestStandardNotSent(t *testing.T) {
	failed := errors.New("no such proxy")
	cases := map[string]func(*http.Request) (*url.URL, error){
		"proxy refuses connections": http.ProxyURL(&url.URL{Scheme: "http", Host: "127.0.0.1:1"}),
		"proxy function fails":      func(*http.Request) (*url.URL, error) { return nil, failed },
	}
	for name, proxy := range cases {
		t.Run(name, func(t *testing.T) {
			body := &closeCounter{Reader: strings.NewReader("x")}
			req := newRequest(t, http.MethodPost, "http://provider.test/v1", "x")
			req.Body = body
			err := tryRoundTrip(newSelecting(t, nil, proxy), req)
			if kind, _ := KindOf(err); kind != NotSent {
				t.Errorf("got %v, want kind %v", err, NotSent)
			}
			if body.closed == 0 {
				t.Error("the request body was not closed")
			}
		})
	}
}

func TestStandardCancel(t *testing.T) {
	server, roots, _ := newHTTP2Server(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	resp, err := newSelecting(t, roots, nil).RoundTrip(newRequest(t, http.MethodPost, server.URL, "x").WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	cancel(errHungUp)
	_, err = resp.Body.Read(make([]byte, 1))
	checkCancelled(t, err, BodyBroken)
}
