package proxydeployment

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"time"

	"signalbox.dev/signalbox/controllers/selfsigned"
	"signalbox.dev/signalbox/proxy/control"
	"signalbox.dev/signalbox/proxy/table"
)

// saltBytes is the length of the key under which access keys are hashed.
const saltBytes = 32

// renewAt is when the control certificate of a table has to be replaced; the zero time means now.
func renewAt(previous *table.Table) time.Time {
	if previous == nil {
		return time.Time{}
	}
	if _, err := control.NewIdentity(previous.Control); err != nil {
		return time.Time{}
	}
	return previous.Control.NotAfter.Add(-selfsigned.RenewBefore)
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
	pair, err := selfsigned.New(&x509.Certificate{
		Subject:     pkix.Name{CommonName: control.ServerName + "." + namespace},
		DNSNames:    []string{control.ServerName},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, now)
	if err != nil {
		return table.Control{}, fmt.Errorf("making a control certificate: %w", err)
	}
	return table.Control{CertificatePEM: pair.CertificatePEM, PrivateKeyPEM: pair.KeyPEM, NotAfter: pair.NotAfter}, nil
}
