// Package controltest makes what control ports are tested with.
package controltest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/control"
	"signalbox.dev/signalbox/proxy/table"
)

// NewPair makes the certificate of a namespace's control ports, valid for a day.
func NewPair(t testing.TB) table.Control {
	t.Helper()
	return NewPairUntil(t, time.Now().Add(24*time.Hour))
}

// NewPairUntil makes one that became valid an hour ago, until a time.
func NewPairUntil(t testing.TB, notAfter time.Time) table.Control {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{control.ServerName}, NotBefore: time.Now().Add(-time.Hour), NotAfter: notAfter,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return table.Control{
		CertificatePEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		PrivateKeyPEM:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}
}

// Renew makes a new one that still accepts the old one.
func Renew(t testing.TB, old table.Control) table.Control {
	t.Helper()
	fresh := NewPair(t)
	fresh.PreviousPEM = old.CertificatePEM
	return fresh
}
