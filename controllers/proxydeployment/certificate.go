package proxydeployment

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"

	"signalbox.dev/signalbox/proxy/control"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// certificateLifetime is how long a control certificate is valid.
	certificateLifetime = 90 * 24 * time.Hour
	// renewBefore is when it is replaced: when a third of its life is left.
	renewBefore = certificateLifetime / 3
	// clockSkew is by how much the clocks of manager and proxies may differ.
	clockSkew = time.Hour
	// saltBytes is the length of the key under which access keys are hashed.
	saltBytes = 32
	// serialBits is the length of a certificate's random serial number.
	serialBits = 127
)

// renewAt is when the control certificate of a table has to be replaced; the zero time means now.
func renewAt(previous *table.Table) time.Time {
	if previous == nil {
		return time.Time{}
	}
	if _, err := control.NewIdentity(previous.Control); err != nil {
		return time.Time{}
	}
	return previous.Control.NotAfter.Add(-renewBefore)
}

// newSalt returns the random key under which a namespace's access keys are hashed.
func newSalt() []byte {
	salt := make([]byte, saltBytes)
	// Read of crypto/rand never returns an error; it ends the program instead.
	_, _ = rand.Read(salt)
	return salt
}

// newControl makes a key pair for a namespace's control port.
func newControl(namespace string, now time.Time) (table.Control, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return table.Control{}, fmt.Errorf("generating a control key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
	if err != nil {
		return table.Control{}, fmt.Errorf("generating a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: control.ServerName + "." + namespace},
		DNSNames:              []string{control.ServerName},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(certificateLifetime),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return table.Control{}, fmt.Errorf("signing a control certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return table.Control{}, fmt.Errorf("encoding a control key: %w", err)
	}
	return table.Control{
		CertificatePEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		PrivateKeyPEM:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		NotAfter:       template.NotAfter.UTC().Truncate(time.Second),
	}, nil
}
