package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/certificate/certificatetest"
)

// twoNamed has a certificate of an authority of its own for one name, and the test server's for all others. It tells the names that connections were opened for.
type twoNamed struct {
	*httptest.Server
	authority *certificatetest.Authority

	mu    sync.Mutex
	names []string
}

func newTwoNamed(t *testing.T) *twoNamed {
	t.Helper()
	s := &twoNamed{authority: certificatetest.NewAuthority(t)}
	certificate, key := s.authority.Issue(1, time.Now().Add(time.Hour))
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Server-Name", r.TLS.ServerName) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	s.TLS.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.names = append(s.names, hello.ServerName)
		if hello.ServerName == certificatetest.Name {
			return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
		}
		return nil, nil
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *twoNamed) opened() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.names)
}

// A connection that was opened under one configuration is never used for a request under another, and one that is not trusted is not tried in any other way.
func TestTrust(t *testing.T) {
	server := newTwoNamed(t)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	strangers := certificatetest.NewAuthority(t)
	selecting := NewSelecting(Options{
		DialContext:     (&net.Dialer{}).DialContext,
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12},
	}, func(r *http.Request) (*url.URL, error) {
		if trustOf(r.Context()) != nil {
			t.Error("a request with a configuration of its own asks for a proxy")
		}
		return nil, nil
	})
	t.Cleanup(selecting.CloseIdleConnections)
	trusting := func(authority *certificatetest.Authority) context.Context {
		return WithAffinity(WithTrust(t.Context(), &tls.Config{RootCAs: authority.Pool, ServerName: certificatetest.Name, MinVersion: tls.VersionTLS12}), 1)
	}
	for _, step := range []struct {
		ctx         context.Context
		want        string
		connections int
	}{
		{t.Context(), "example.com", 1},
		{trusting(server.authority), certificatetest.Name, 2},
		{t.Context(), "example.com", 2},
		{trusting(server.authority), certificatetest.Name, 2},
	} {
		got := roundTrip(t, selecting, newRequest(t, http.MethodPost, server.URL, "x").WithContext(step.ctx))
		if name := got.Header.Get("Server-Name"); name != step.want || server.opened() != step.connections {
			t.Errorf("answered as %q over %d connections, want %q over %d", name, server.opened(), step.want, step.connections)
		}
	}
	selecting.CloseIdleConnections()
	before := server.opened()
	err := tryRoundTrip(selecting, newRequest(t, http.MethodPost, server.URL, "x").WithContext(trusting(strangers)))
	if kind, known := KindOf(err); !known || kind != NotSent || server.opened() != before+1 {
		t.Errorf("a stranger's certificate gives %v after %d handshakes", err, server.opened()-before)
	}
}
