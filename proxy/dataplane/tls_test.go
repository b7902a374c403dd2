package dataplane

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/certificate/certificatetest"
)

// secure is a data plane with TLS.
type secure struct {
	*plane
	authority *certificatetest.Authority
	dir       string
}

// startSecure starts one that has no certificate yet.
func startSecure(t *testing.T, change func(*Options)) *secure {
	t.Helper()
	s := prepareSecure(t, change)
	s.run()
	return s
}

// prepareSecure makes one that does not run yet.
func prepareSecure(t *testing.T, change func(*Options)) *secure {
	t.Helper()
	s := &secure{authority: certificatetest.NewAuthority(t), dir: t.TempDir()}
	s.plane = prepare(t, func(o *Options) {
		o.TLSAddr, o.TLSDir = "127.0.0.1:0", s.dir
		change(o)
	})
	return s
}

// serveSecurely starts one that is ready, with a certificate of serial number 1 and a model that answers so.
func serveSecurely(t *testing.T, answer http.HandlerFunc) *secure {
	t.Helper()
	model := httptest.NewServer(answer)
	t.Cleanup(model.Close)
	s := startSecure(t, unchanged)
	s.mount(1)
	s.source <- tableFor(model.URL)
	s.awaitReady(http.StatusOK)
	s.await(func() bool { return s.certificate.Ready() })
	return s
}

// mount gives the proxy a certificate.
func (s *secure) mount(serial int64) {
	s.t.Helper()
	certificate, key := s.authority.Issue(serial, time.Now().Add(time.Hour))
	certificatetest.Mount(s.t, s.dir, map[string][]byte{"tls.crt": certificate, "tls.key": key})
}

// client trusts the authority, and makes a connection of its own for each request if it is to.
func (s *secure) client(protocol string, keepAlive time.Duration) *http.Client {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(protocol == "HTTP/1.1")
	protocols.SetHTTP2(protocol == "HTTP/2.0")
	transport := &http.Transport{
		Protocols: protocols, DisableKeepAlives: keepAlive == 0,
		TLSClientConfig: &tls.Config{RootCAs: s.authority.Pool, ServerName: "signalbox.team-a", MinVersion: tls.VersionTLS12},
	}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// call asks for a stream.
func (s *secure) call(ctx context.Context, client *http.Client) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+s.TLSAddr().String()+"/v1/chat/completions", strings.NewReader(streamBody))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+appKey)
	request.Header.Set("Content-Type", "application/json")
	return client.Do(request)
}

// shakesHands tells whether a call comes as far as an answer.
func (s *secure) shakesHands(client *http.Client) bool {
	response, err := s.call(s.t.Context(), client)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return true
}

func streaming(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, event+ending)
}

func TestTLS(t *testing.T) {
	model := httptest.NewServer(http.HandlerFunc(streaming))
	defer model.Close()
	s := startSecure(t, unchanged)
	s.source <- tableFor(model.URL)
	s.awaitReady(http.StatusOK)
	if s.shakesHands(s.client("HTTP/1.1", 0)) {
		t.Error("without a certificate there was a handshake")
	}
	s.mount(1)
	s.await(func() bool { return s.certificate.Ready() })
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		response, err := s.call(t.Context(), s.client(protocol, time.Minute))
		if err != nil {
			t.Fatalf("%s: %v", protocol, err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || response.Proto != protocol || !strings.Contains(string(body), "[DONE]") || response.TLS.Version < tls.VersionTLS12 {
			t.Errorf("%s: %s %d %q, %v", protocol, response.Proto, response.StatusCode, body, err)
		}
	}
	old := s.client("HTTP/1.1", 0)
	transport, _ := old.Transport.(*http.Transport)
	transport.TLSClientConfig.MinVersion, transport.TLSClientConfig.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if s.shakesHands(old) {
		t.Error("TLS 1.1 is spoken")
	}
	s.terminate()
	if err := s.end(); err != nil {
		t.Error(err)
	}
}

// await polls until something holds.
func (s *secure) await(holds func() bool) {
	s.t.Helper()
	late := time.After(patience)
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !holds() {
		select {
		case <-look.C:
		case <-late:
			s.t.Fatal("it does not come")
		}
	}
}

func TestCertificateIsRenewedUnderLoad(t *testing.T) {
	s := serveSecurely(t, streaming)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var newest atomic.Int64
	var clients sync.WaitGroup
	for i := range 6 {
		client := s.client([]string{"HTTP/1.1", "HTTP/2.0"}[i%2], time.Duration(i/3)*time.Minute)
		clients.Go(func() {
			for ctx.Err() == nil {
				response, err := s.call(t.Context(), client)
				if err != nil {
					t.Errorf("a request failed: %v", err)
					return
				}
				_, err = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
				if err != nil || response.StatusCode != http.StatusOK {
					t.Errorf("a request ended with %d, %v", response.StatusCode, err)
				}
				serial := response.TLS.PeerCertificates[0].SerialNumber.Int64()
				newest.Store(max(newest.Load(), serial))
			}
		})
	}
	for serial := int64(2); serial <= 4; serial++ {
		s.mount(serial)
		s.await(func() bool { return newest.Load() >= serial })
	}
	stop()
	clients.Wait()
}

func TestConnectionKeepsItsCertificate(t *testing.T) {
	s := serveSecurely(t, streaming)
	kept, fresh := s.client("HTTP/2.0", time.Minute), s.client("HTTP/1.1", 0)
	serial := func(client *http.Client) int64 {
		response, err := s.call(t.Context(), client)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		return response.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	if serial(kept) != 1 {
		t.Error("the first certificate is not served")
	}
	s.mount(2)
	s.await(func() bool { return serial(fresh) == 2 })
	if serial(kept) != 1 {
		t.Error("the open connection was cut")
	}
}

func TestClientLeavesOverTLS(t *testing.T) {
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(protocol, func(t *testing.T) {
			canceled := make(chan struct{})
			s := serveSecurely(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, event)
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
				close(canceled)
			})
			ctx, leave := context.WithCancel(t.Context())
			response, err := s.call(ctx, s.client(protocol, time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			leave()
			select {
			case <-canceled:
			case <-time.After(patience):
				t.Error("the provider was not told that the client left")
			}
		})
	}
}

func TestTLSAlone(t *testing.T) {
	s := startSecure(t, func(o *Options) { o.Addr = "" })
	s.source <- tableFor("http://127.0.0.1:1")
	if body := s.awaitReady(http.StatusServiceUnavailable); s.Addr() != nil {
		t.Errorf("requests are served at %s, readiness says %q", s.Addr(), body)
	}
	s.await(func() bool {
		_, body := s.get("/readyz")
		return strings.Contains(body, "no certificate")
	})
	s.mount(1)
	s.awaitReady(http.StatusOK)
	s.terminate()
	if err := s.end(); err != nil {
		t.Error(err)
	}
}

// A client that speaks no TLS is told so.
func TestPlainRequestToTheTLSPort(t *testing.T) {
	s := startSecure(t, unchanged)
	s.mount(1)
	s.await(func() bool { return s.certificate.Ready() })
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.TLSAddr().String()+"/v1/chat/completions", strings.NewReader(streamBody))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), "HTTP request to an HTTPS server") {
		t.Errorf("it is told %d %q, %v", response.StatusCode, text, err)
	}
}

// A client that begins a handshake and says no more must not hold its connection.
func TestHandshakeIsBounded(t *testing.T) {
	s := prepareSecure(t, unchanged)
	s.mount(1)
	if s.requests.ReadHeaderTimeout != 10*time.Second {
		t.Errorf("a handshake may take %s", s.requests.ReadHeaderTimeout)
	}
	s.requests.ReadHeaderTimeout = 50 * time.Millisecond
	s.run()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", s.TLSAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte{0x16, 0x03, 0x01}); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := conn.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("the connection is held: %v", err)
	}
}

func TestTLSLogs(t *testing.T) {
	var log bytes.Buffer
	s := startSecure(t, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	s.terminate()
	_ = s.end()
	if !strings.Contains(log.String(), "no certificate to serve TLS with") {
		t.Errorf("the log is %s", log.String())
	}
}
