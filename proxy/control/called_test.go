package control_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/control"
	"signalbox.dev/signalbox/proxy/control/controltest"
	"signalbox.dev/signalbox/proxy/table"
)

// derOf is the certificate of a key pair.
func derOf(t *testing.T, certificatePEM []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(certificatePEM)
	if block == nil {
		t.Fatal("no PEM block")
	}
	return block.Bytes
}

func TestCertificateForCallers(t *testing.T) {
	first := controltest.NewPair(t)
	second := controltest.NewPair(t)
	second.PreviousPEM, second.PreviousKeyPEM = first.CertificatePEM, first.PrivateKeyPEM
	keyless := second
	keyless.PreviousKeyPEM = nil
	block, err := x509.ParseCertificate(derOf(t, first.CertificatePEM))
	if err != nil {
		t.Fatal(err)
	}
	const changeover = 10 * 24 * time.Hour
	cases := map[string]struct {
		pair table.Control
		at   time.Time
		want []byte
	}{
		"the only one":                      {first, block.NotAfter.Add(-2 * changeover), first.CertificatePEM},
		"the only one, over":                {first, block.NotAfter.Add(time.Hour), first.CertificatePEM},
		"just renewed":                      {second, block.NotAfter.Add(-2 * changeover), first.CertificatePEM},
		"renewed weeks ago":                 {second, block.NotAfter.Add(-changeover), second.CertificatePEM},
		"renewed by a manager without keys": {keyless, block.NotAfter.Add(-2 * changeover), second.CertificatePEM},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			called, err := control.NewCalled(tc.pair)
			if err != nil {
				t.Fatal(err)
			}
			if got := called.Certificate(tc.at).Certificate[0]; !bytes.Equal(got, derOf(t, tc.want)) {
				t.Error("another certificate is presented")
			}
		})
	}
}

func TestCalledOfABrokenTable(t *testing.T) {
	pair, other := controltest.NewPair(t), controltest.NewPair(t)
	cases := map[string]table.Control{
		"nothing":                     {},
		"a key of another":            {CertificatePEM: pair.CertificatePEM, PrivateKeyPEM: other.PrivateKeyPEM},
		"a previous key of another":   {CertificatePEM: pair.CertificatePEM, PrivateKeyPEM: pair.PrivateKeyPEM, PreviousPEM: other.CertificatePEM, PreviousKeyPEM: pair.PrivateKeyPEM},
		"a previous key and no block": {CertificatePEM: pair.CertificatePEM, PrivateKeyPEM: pair.PrivateKeyPEM, PreviousKeyPEM: pair.PrivateKeyPEM},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := control.NewCalled(tc); err == nil {
				t.Error("it is taken")
			}
		})
	}
}

// shake tells how a handshake ends for a client that trusts some certificates, with a server that presents one.
func shake(t *testing.T, trusted []byte, presented table.Control) error {
	t.Helper()
	config, err := control.TrustCalled(trusted)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(presented.CertificatePEM, presented.PrivateKeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	defer func() { _ = near.Close() }()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		server := tls.Server(far, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
		_, _ = io.Copy(io.Discard, server)
		_ = far.Close()
	}()
	client := tls.Client(near, config)
	err = client.HandshakeContext(t.Context())
	_ = near.Close()
	<-ended
	return err
}

func TestTrustCalled(t *testing.T) {
	current, previous, stranger := controltest.NewPair(t), controltest.NewPair(t), controltest.NewPair(t)
	over := expired(t)
	both := slices.Concat(current.CertificatePEM, previous.CertificatePEM)
	cases := map[string]struct {
		trusted   []byte
		presented table.Control
		want      bool
	}{
		"the current one":                          {both, current, true},
		"the previous one":                         {both, previous, true},
		"one of the same name, made by a stranger": {both, stranger, false},
		"one that is over, the only one":           {over.CertificatePEM, over, true},
		"one that is over, for another":            {both, over, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if err := shake(t, tc.trusted, tc.presented); (err == nil) != tc.want {
				t.Errorf("the handshake ends with %v", err)
			}
		})
	}
	for name, broken := range map[string][]byte{
		"nothing": nil, "no PEM": []byte("x"), "no certificate": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}),
	} {
		if _, err := control.TrustCalled(broken); err == nil {
			t.Errorf("%s is trusted", name)
		}
	}
}
