package control_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/control"
	"signalbox.dev/signalbox/proxy/control/controltest"
	"signalbox.dev/signalbox/proxy/table"
)

// echo answers what was said.
func echo(said []byte) ([]byte, error) { return append([]byte("you said "), said...), nil }

// using starts a server that uses a pair.
func using(t *testing.T, pair table.Control, answer func([]byte) ([]byte, error)) (*control.Server, string) {
	t.Helper()
	server, addr := serve(t, control.Options{Answer: answer})
	if err := server.Use(&table.Table{Sequence: 1, Control: pair}); err != nil {
		t.Fatal(err)
	}
	return server, addr
}

// dials counts the connections of a caller.
func dials(count *atomic.Int64) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		count.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}
}

func TestExchangeKeepsItsConnection(t *testing.T) {
	pair := controltest.NewPair(t)
	_, addr := using(t, pair, echo)
	var opened atomic.Int64
	caller := &control.Caller{Dial: dials(&opened)}
	defer caller.Close()
	as := identity(t, pair)
	for i := range 5 {
		said := fmt.Sprintf("hello %d", i)
		answer, err := caller.Exchange(t.Context(), addr, as, []byte(said))
		if err != nil || string(answer) != "you said "+said {
			t.Fatalf("the answer is %q, %v", answer, err)
		}
	}
	if got := opened.Load(); got != 1 {
		t.Errorf("%d connections", got)
	}
}

// TestExchangeUsesTheNewestIdentity: no connection outlives the identity that it was opened with, at neither end.
func TestExchangeUsesTheNewestIdentity(t *testing.T) {
	first := controltest.NewPair(t)
	second := controltest.Renew(t, first)
	third := controltest.Renew(t, second)
	server, addr := using(t, first, echo)
	var opened atomic.Int64
	caller := &control.Caller{Dial: dials(&opened)}
	defer caller.Close()
	exchange := func(as *control.Identity) error {
		_, err := caller.Exchange(t.Context(), addr, as, []byte("x"))
		return err
	}
	old := identity(t, first)
	if err := exchange(old); err != nil {
		t.Fatal(err)
	}
	use := func(sequence int64, pair table.Control) {
		if err := server.Use(&table.Table{Sequence: sequence, Control: pair}); err != nil {
			t.Fatal(err)
		}
	}
	use(2, second)
	if err := exchange(old); err != nil {
		t.Errorf("the certificate before is refused: %v", err)
	}
	if err := exchange(identity(t, second)); err != nil || opened.Load() != 2 {
		t.Errorf("the new identity: %v, %d connections", err, opened.Load())
	}
	if err := exchange(old); err == nil {
		t.Error("the old identity still knows the server")
	}
	use(3, second)
	if before, err := opened.Load(), exchange(identity(t, second)); err != nil || opened.Load() != before+1 {
		t.Errorf("after a call with another identity: %v, %d connections", err, opened.Load()-before)
	}
	use(4, third)
	if err := exchange(identity(t, second)); err == nil {
		t.Error("an identity that does not know the server was answered")
	}
}

// TestConnectionEndsWithItsCertificate: a connection of a certificate that is no longer accepted is answered no more.
func TestConnectionEndsWithItsCertificate(t *testing.T) {
	first := controltest.NewPair(t)
	server, addr := using(t, first, echo)
	var opened atomic.Int64
	caller := &control.Caller{Dial: dials(&opened)}
	defer caller.Close()
	as := identity(t, first)
	if _, err := caller.Exchange(t.Context(), addr, as, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := server.Use(&table.Table{Sequence: 2, Control: controltest.Renew(t, controltest.Renew(t, first))}); err != nil {
		t.Fatal(err)
	}
	if _, err := caller.Exchange(t.Context(), addr, as, []byte("x")); err == nil || !strings.Contains(err.Error(), "status 403") || opened.Load() != 1 {
		t.Errorf("the open connection: %v, %d connections", err, opened.Load())
	}
	if _, err := caller.Exchange(t.Context(), addr, as, []byte("x")); err == nil || opened.Load() != 2 {
		t.Errorf("the connection was kept: %v, %d connections", err, opened.Load())
	}
}

func TestIdentityStaysWithItsCertificate(t *testing.T) {
	pair := controltest.NewPair(t)
	server, _ := using(t, pair, echo)
	before := server.Identity()
	if err := server.Use(&table.Table{Sequence: 2, Control: pair}); err != nil {
		t.Fatal(err)
	}
	if server.Identity() != before {
		t.Error("the same certificate is another identity")
	}
	if err := server.Use(&table.Table{Sequence: 3, Control: controltest.Renew(t, pair)}); err != nil {
		t.Fatal(err)
	}
	if server.Identity() == before {
		t.Error("another certificate is the same identity")
	}
}

func TestStrangersAreNotAnswered(t *testing.T) {
	pair := controltest.NewPair(t)
	var asked atomic.Int64
	_, addr := using(t, pair, func(said []byte) ([]byte, error) {
		asked.Add(1)
		return said, nil
	})
	for name, as := range map[string]table.Control{"unknown": controltest.NewPair(t), "one who knows us": controltest.Renew(t, pair)} {
		t.Run(name, func(t *testing.T) {
			caller := &control.Caller{}
			defer caller.Close()
			if answer, err := caller.Exchange(t.Context(), addr, identity(t, as), []byte("x")); err == nil {
				t.Errorf("answered %q", answer)
			}
		})
	}
	if got := asked.Load(); got != 0 {
		t.Errorf("%d messages came through", got)
	}
}

func TestExchangeIsBounded(t *testing.T) {
	pair := controltest.NewPair(t)
	as := identity(t, pair)
	full := bytes.Repeat([]byte("x"), control.MaxExchangeBytes)
	cases := map[string]struct {
		said   []byte
		answer func([]byte) ([]byte, error)
		want   string
	}{
		"the longest":       {said: full, answer: func(said []byte) ([]byte, error) { return said, nil }},
		"too long a word":   {said: append([]byte("x"), full...), answer: echo, want: "status 413"},
		"too long a reply":  {said: []byte("x"), answer: func([]byte) ([]byte, error) { return append([]byte("x"), full...), nil }, want: "too long"},
		"not to be read":    {said: []byte("x"), answer: func([]byte) ([]byte, error) { return nil, errors.New("secret") }, want: "status 400"},
		"nobody to ask":     {said: []byte("x"), want: "status 404"},
		"nothing, for once": {answer: echo},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, addr := using(t, pair, tc.answer)
			caller := &control.Caller{}
			defer caller.Close()
			_, err := caller.Exchange(t.Context(), addr, as, tc.said)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	pair := controltest.NewPair(t)
	_, addr := using(t, pair, echo)
	conn := raw(t, pair, addr)
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", control.PeersPath); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("status %d", response.StatusCode)
	}
}

// raw is a connection of somebody with the right certificate.
func raw(t *testing.T, pair table.Control, addr string) net.Conn {
	t.Helper()
	certificate, err := tls.X509KeyPair(pair.CertificatePEM, pair.PrivateKeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pair.CertificatePEM)
	conn, err := (&tls.Dialer{Config: &tls.Config{
		Certificates: []tls.Certificate{certificate}, RootCAs: roots, ServerName: control.ServerName, MinVersion: tls.VersionTLS13,
	}}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// TestSlowMessageIsGivenUp: who sends a part of a message and stops holds nothing for long.
func TestSlowMessageIsGivenUp(t *testing.T) {
	pair := controltest.NewPair(t)
	_, addr := using(t, pair, echo)
	conn := raw(t, pair, addr)
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx", control.PeersPath); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusOK {
		t.Error("half a message was answered")
	}
}

func TestRefusedConnectionIsToldApart(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	caller := &control.Caller{}
	if _, err := caller.Exchange(t.Context(), addr, identity(t, controltest.NewPair(t)), []byte("x")); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("error %v", err)
	}
}

// TestTooManyExchangesAreRefused: what is answered at a time is bounded; more are turned away at once, and it goes on after that.
func TestTooManyExchangesAreRefused(t *testing.T) {
	pair := controltest.NewPair(t)
	hold, begun := make(chan struct{}), make(chan struct{}, 1000)
	_, addr := using(t, pair, func(said []byte) ([]byte, error) {
		begun <- struct{}{}
		<-hold
		return said, nil
	})
	as := identity(t, pair)
	const most = 64
	results := make(chan error, most)
	for range most {
		go func() {
			caller := &control.Caller{}
			defer caller.Close()
			_, err := caller.Exchange(t.Context(), addr, as, []byte("x"))
			results <- err
		}()
		receive(t, begun)
	}
	caller := &control.Caller{}
	defer caller.Close()
	if _, err := caller.Exchange(t.Context(), addr, as, []byte("x")); err == nil || !strings.Contains(err.Error(), "status 503") {
		t.Errorf("one too many: %v", err)
	}
	close(hold)
	for range most {
		// Calls that were held for too long were given up by the caller.
		if err := <-results; err != nil {
			t.Log(err)
		}
	}
	if _, err := caller.Exchange(t.Context(), addr, as, []byte("x")); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
