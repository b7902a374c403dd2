package control

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// changeover is how long before its end the previous certificate is not presented any more. It was replaced long before, so that whoever calls has had weeks to
// hear of the new one.
const changeover = 10 * 24 * time.Hour

// Called is what the proxies of other namespaces are answered with on a port that speaks TLS alone.
type Called struct {
	current, previous *tls.Certificate
}

// NewCalled reads the key pairs of a table.
func NewCalled(control table.Control) (*Called, error) {
	current, err := tls.X509KeyPair(control.CertificatePEM, control.PrivateKeyPEM)
	if err != nil {
		return nil, fmt.Errorf("reading the control certificate: %w", err)
	}
	called := &Called{current: &current}
	if len(control.PreviousKeyPEM) == 0 {
		return called, nil
	}
	previous, err := tls.X509KeyPair(control.PreviousPEM, control.PreviousKeyPEM)
	if err != nil {
		return nil, fmt.Errorf("reading the previous control certificate: %w", err)
	}
	called.previous = &previous
	return called, nil
}

// Certificate is the one to present at a time: the previous one while it is good for long, for each caller has it, whereas the new one may still be on its way.
func (c *Called) Certificate(now time.Time) *tls.Certificate {
	if c.previous != nil && now.Before(c.previous.Leaf.NotAfter.Add(-changeover)) {
		return c.previous
	}
	return c.current
}

// TrustCalled is the TLS configuration for calls to the proxies of a namespace that has these control certificates, in PEM. They are compared byte by byte, so
// times do not matter: calls go on with a clock that is off, and while the manager, who renews, is away.
func TrustCalled(certificates []byte) (*tls.Config, error) {
	trusted := &Identity{roots: x509.NewCertPool()}
	var at time.Time
	for block, rest := pem.Decode(certificates); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("reading a certificate of another namespace: %w", err)
		}
		trusted.pinned = append(trusted.pinned, certificate.Raw)
		trusted.roots.AddCert(certificate)
		if certificate.NotBefore.After(at) {
			at = certificate.NotBefore
		}
	}
	if len(trusted.pinned) == 0 {
		return nil, errors.New("reading the certificates of another namespace: no PEM block")
	}
	config := trusted.clientConfig()
	config.Certificates = nil
	config.Time = func() time.Time { return at }
	return config, nil
}
