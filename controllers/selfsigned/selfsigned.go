// Package selfsigned makes certificates that nobody vouches for: the manager itself gives them to those who are to trust them.
package selfsigned

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

const (
	// Lifetime is how long a certificate is valid.
	Lifetime = 90 * 24 * time.Hour
	// RenewBefore is how long before its end it is replaced: when a third of its life is left.
	RenewBefore = Lifetime / 3

	// clockSkew is by how much the clocks of those who use it may differ.
	clockSkew = time.Hour
	// serialBits is the length of the random serial number.
	serialBits = 127
)

// Pair is a certificate and its key.
type Pair struct {
	// CertificatePEM and KeyPEM are encoded.
	CertificatePEM, KeyPEM []byte
	// NotAfter is when the certificate ends.
	NotAfter time.Time
}

// New makes a key and a certificate of it that is valid from now on. The template says whose it is and what it is for.
func New(template *x509.Certificate, now time.Time) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("generating a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
	if err != nil {
		return Pair{}, fmt.Errorf("generating a serial number: %w", err)
	}
	made := *template
	made.SerialNumber, made.NotBefore, made.NotAfter, made.BasicConstraintsValid = serial, now.Add(-clockSkew), now.Add(Lifetime), true
	if made.IsCA {
		// A bundle holds the new one beside the one before; they are told apart by their subjects.
		made.Subject.SerialNumber = serial.String()
	}
	certificate, err := x509.CreateCertificate(rand.Reader, &made, &made, key.Public(), key)
	if err != nil {
		return Pair{}, fmt.Errorf("signing a certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, fmt.Errorf("encoding a key: %w", err)
	}
	return Pair{
		CertificatePEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		KeyPEM:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		NotAfter:       made.NotAfter.UTC().Truncate(time.Second),
	}, nil
}
