package control_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/control"
	"signalbox.dev/signalbox/proxy/control/controltest"
	"signalbox.dev/signalbox/proxy/table"
)

// expired is a key pair whose time is over.
func expired(t *testing.T) table.Control {
	t.Helper()
	return controltest.NewPairUntil(t, time.Now().Add(-time.Minute))
}

func identity(t *testing.T, pair table.Control) *control.Identity {
	t.Helper()
	made, err := control.NewIdentity(pair)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// serve runs a server on a port of its own until the test ends.
func serve(t *testing.T, options control.Options) (*control.Server, string) {
	t.Helper()
	options.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	if options.Stats == nil {
		options.Stats = func() control.Stats { return control.Stats{} }
	}
	server := control.NewServer(options)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serving ended with %v", err)
		}
	})
	return server, listener.Addr().String()
}

// follow reads reports in the background; ended gets the stream's error.
func follow(t *testing.T, addr string, as *control.Identity) (reports <-chan control.Report, ended <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	got, done := make(chan control.Report, 100), make(chan error, 1)
	var group sync.WaitGroup
	group.Go(func() {
		done <- control.Client{}.Stream(ctx, addr, as, func(report control.Report) { got <- report })
	})
	t.Cleanup(func() {
		cancel()
		group.Wait()
	})
	return got, done
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func TestStreamReportsEveryChange(t *testing.T) {
	pair := controltest.NewPair(t)
	var inFlight atomic.Int64
	server, addr := serve(t, control.Options{
		Pod: "signalbox-1", PodUID: "uid-1", Interval: time.Hour,
		Stats: func() control.Stats { return control.Stats{InFlight: inFlight.Load()} },
	})
	if err := server.Use(&table.Table{Sequence: 7, Revision: "seven", Control: pair}); err != nil {
		t.Fatal(err)
	}
	reports, _ := follow(t, addr, identity(t, pair))
	if first := receive(t, reports); first.Sequence != 7 || first.Revision != "seven" || first.Pod != "signalbox-1" || first.PodUID != "uid-1" {
		t.Errorf("the first report is %+v", first)
	}
	if err := server.Use(&table.Table{Sequence: 8, Revision: "eight", Control: pair}); err != nil {
		t.Fatal(err)
	}
	if second := receive(t, reports); second.Sequence != 8 || second.Revision != "eight" {
		t.Errorf("after a new table the report is %+v", second)
	}
	inFlight.Store(3)
	server.Announce()
	if third := receive(t, reports); third.InFlight != 3 {
		t.Errorf("after an announcement the report is %+v", third)
	}
}

func TestStreamReportsAtAnInterval(t *testing.T) {
	pair := controltest.NewPair(t)
	server, addr := serve(t, control.Options{Interval: time.Millisecond})
	if err := server.Use(&table.Table{Sequence: 1, Control: pair}); err != nil {
		t.Fatal(err)
	}
	reports, _ := follow(t, addr, identity(t, pair))
	for range 3 {
		receive(t, reports)
	}
}

func TestOnlyPinnedCertificatesConnect(t *testing.T) {
	first := controltest.NewPair(t)
	second := controltest.Renew(t, first)
	third := controltest.Renew(t, second)
	stranger := controltest.NewPair(t)
	cases := map[string]struct {
		server, client table.Control
		want           bool
	}{
		"the same certificate":                       {server: first, client: first, want: true},
		"the server was renewed":                     {server: second, client: first, want: false}, // the client does not know the new one yet
		"the client was renewed":                     {server: first, client: second, want: false}, // nor does the server
		"the server is one ahead and both know both": {server: second, client: second, want: true},
		"a stranger calls":                           {server: first, client: stranger, want: false},
		"a stranger who says that he knows us calls": {server: first, client: controltest.Renew(t, first), want: false},
		"two renewals apart":                         {server: third, client: first, want: false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server, addr := serve(t, control.Options{Interval: time.Hour})
			if err := server.Use(&table.Table{Sequence: 1, Control: tc.server}); err != nil {
				t.Fatal(err)
			}
			reports, ended := follow(t, addr, identity(t, tc.client))
			select {
			case <-reports:
				if !tc.want {
					t.Error("a report came")
				}
			case err := <-ended:
				if tc.want {
					t.Errorf("the stream ended: %v", err)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("nothing happened")
			}
		})
	}
}

func TestServerTakesThePreviousCertificate(t *testing.T) {
	old := controltest.NewPair(t)
	current := controltest.Renew(t, old)
	server, addr := serve(t, control.Options{Interval: time.Hour})
	if err := server.Use(&table.Table{Sequence: 1, Control: current}); err != nil {
		t.Fatal(err)
	}
	// A caller with the old key that knows the new certificate: what the manager is while it renews.
	caller := old
	caller.PreviousPEM = current.CertificatePEM
	reports, _ := follow(t, addr, identity(t, caller))
	receive(t, reports)
}

func TestOpenStreamEndsWhenItsCertificateIsNoLongerAccepted(t *testing.T) {
	first := controltest.NewPair(t)
	server, addr := serve(t, control.Options{Interval: time.Hour})
	if err := server.Use(&table.Table{Sequence: 1, Control: first}); err != nil {
		t.Fatal(err)
	}
	reports, ended := follow(t, addr, identity(t, first))
	receive(t, reports)
	second := controltest.Renew(t, first)
	if err := server.Use(&table.Table{Sequence: 2, Control: second}); err != nil {
		t.Fatal(err)
	}
	if report := receive(t, reports); report.Sequence != 2 {
		t.Errorf("the previous certificate's stream got %+v", report)
	}
	if err := server.Use(&table.Table{Sequence: 3, Control: controltest.Renew(t, second)}); err != nil {
		t.Fatal(err)
	}
	if err := receive(t, ended); !errors.Is(err, io.EOF) {
		t.Errorf("the stream ended with %v", err)
	}
}

func TestServerWithoutTableTakesNobody(t *testing.T) {
	_, addr := serve(t, control.Options{})
	_, ended := follow(t, addr, identity(t, controltest.NewPair(t)))
	if err := receive(t, ended); err == nil {
		t.Error("the stream ended without an error")
	}
}

func TestServerKeepsItsIdentityWhenATableHasNone(t *testing.T) {
	pair := controltest.NewPair(t)
	server, addr := serve(t, control.Options{Interval: time.Hour})
	if err := server.Use(&table.Table{Sequence: 1, Control: pair}); err != nil {
		t.Fatal(err)
	}
	if err := server.Use(&table.Table{Sequence: 2}); err == nil {
		t.Error("a table without certificate was taken")
	}
	if err := server.Use(&table.Table{Sequence: 2, Control: table.Control{CertificatePEM: pair.CertificatePEM, PrivateKeyPEM: pair.PrivateKeyPEM, PreviousPEM: []byte("x")}}); err == nil {
		t.Error("a table with a broken previous certificate was taken")
	}
	reports, _ := follow(t, addr, identity(t, pair))
	if report := receive(t, reports); report.Sequence != 1 {
		t.Errorf("the report is %+v", report)
	}
}

func TestServerBoundsItsStreams(t *testing.T) {
	pair := controltest.NewPair(t)
	server, addr := serve(t, control.Options{Interval: time.Hour, MaxStreams: 1})
	if err := server.Use(&table.Table{Sequence: 1, Control: pair}); err != nil {
		t.Fatal(err)
	}
	reports, _ := follow(t, addr, identity(t, pair))
	receive(t, reports)
	_, ended := follow(t, addr, identity(t, pair))
	if err := receive(t, ended); !strings.Contains(err.Error(), "status 503") {
		t.Errorf("the second stream ended with %v", err)
	}
}

func TestServerRefusesOlderTLS(t *testing.T) {
	pair := controltest.NewPair(t)
	server, addr := serve(t, control.Options{})
	if err := server.Use(&table.Table{Sequence: 1, Control: pair}); err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(pair.CertificatePEM, pair.PrivateKeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pair.CertificatePEM)
	dialer := &tls.Dialer{Config: &tls.Config{
		Certificates: []tls.Certificate{certificate}, RootCAs: roots, ServerName: control.ServerName, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12,
	}}
	if conn, err := dialer.DialContext(t.Context(), "tcp", addr); err == nil {
		_ = conn.Close()
		t.Error("TLS 1.2 was accepted")
	}
}

// evil is a server with the right certificate that answers whatever it likes.
func evil(t *testing.T, pair table.Control, answer func(net.Conn)) string {
	t.Helper()
	certificate, err := tls.X509KeyPair(pair.CertificatePEM, pair.PrivateKeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		answer(conn)
	})
	t.Cleanup(func() {
		_ = listener.Close()
		group.Wait()
	})
	return listener.Addr().String()
}

func TestClientBoundsWhatItReads(t *testing.T) {
	pair := controltest.NewPair(t)
	head := "HTTP/1.1 200 OK\r\nContent-Type: " + control.ContentType + "\r\n\r\n"
	cases := map[string]struct {
		answer string
		want   error
	}{
		"a line without end": {answer: head + strings.Repeat("x", 2*control.MaxReportBytes), want: control.ErrReportTooLong},
		"no JSON":            {answer: head + "hello\n"},
		"the end":            {answer: head, want: io.EOF},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			addr := evil(t, pair, func(conn net.Conn) {
				buffer := make([]byte, 4096)
				_, _ = conn.Read(buffer)
				_, _ = io.Copy(conn, bytes.NewReader([]byte(tc.answer)))
			})
			_, ended := follow(t, addr, identity(t, pair))
			err := receive(t, ended)
			if tc.want != nil && !errors.Is(err, tc.want) || err == nil {
				t.Errorf("the stream ended with %v, want %v", err, tc.want)
			}
		})
	}
}

func TestClientGivesUpASilentStream(t *testing.T) {
	pair := controltest.NewPair(t)
	released := make(chan struct{})
	addr := evil(t, pair, func(conn net.Conn) {
		buffer := make([]byte, 4096)
		_, _ = conn.Read(buffer)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		<-released
	})
	defer close(released)
	err := control.Client{Silence: 50 * time.Millisecond}.Stream(t.Context(), addr, identity(t, pair), func(control.Report) {})
	if !errors.Is(err, control.ErrSilent) {
		t.Errorf("the stream ended with %v", err)
	}
}

func TestClientStopsWithItsContext(t *testing.T) {
	pair := controltest.NewPair(t)
	server, addr := serve(t, control.Options{Interval: time.Hour})
	if err := server.Use(&table.Table{Sequence: 1, Control: pair}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := control.Client{}.Stream(ctx, addr, identity(t, pair), func(control.Report) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the stream ended with %v", err)
	}
}
