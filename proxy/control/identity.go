package control

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"signalbox.dev/signalbox/proxy/table"
)

// ServerName is the DNS name in the control certificate.
const ServerName = "signalbox-control"

// ErrNotPinned is returned for a peer whose certificate is neither the namespace's current one nor the one before it.
var ErrNotPinned = errors.New("the peer's certificate is not the namespace's")

// Identity is the certificate that this end presents and those that it accepts.
type Identity struct {
	certificate tls.Certificate
	pinned      [][]byte
	roots       *x509.CertPool
}

// NewIdentity reads the key pair of a table.
func NewIdentity(control table.Control) (*Identity, error) {
	pair, err := tls.X509KeyPair(control.CertificatePEM, control.PrivateKeyPEM)
	if err != nil {
		return nil, fmt.Errorf("reading the control certificate: %w", err)
	}
	identity := &Identity{certificate: pair, pinned: [][]byte{pair.Certificate[0]}, roots: x509.NewCertPool()}
	identity.roots.AppendCertsFromPEM(control.CertificatePEM)
	if len(control.PreviousPEM) == 0 {
		return identity, nil
	}
	block, _ := pem.Decode(control.PreviousPEM)
	if block == nil {
		return nil, errors.New("reading the previous control certificate: no PEM block")
	}
	identity.pinned = append(identity.pinned, block.Bytes)
	identity.roots.AppendCertsFromPEM(control.PreviousPEM)
	return identity, nil
}

// same tells whether two identities present and accept the same certificates. An identity may be nil.
func (i *Identity) same(other *Identity) bool {
	return i != nil && other != nil && slices.EqualFunc(i.pinned, other.pinned, bytes.Equal)
}

// pins tells whether a certificate, in DER, is accepted.
func (i *Identity) pins(certificate []byte) bool {
	for _, pinned := range i.pinned {
		if bytes.Equal(pinned, certificate) {
			return true
		}
	}
	return false
}

// verify accepts a connection whose peer presented a pinned certificate.
func (i *Identity) verify(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 || !i.pins(state.PeerCertificates[0].Raw) {
		return ErrNotPinned
	}
	return nil
}

// serverConfig is the TLS configuration of the port. The possession of the client's key is proven by the handshake; whose it is, by verify.
func (i *Identity) serverConfig() *tls.Config {
	return &tls.Config{
		MinVersion:       tls.VersionTLS13,
		Certificates:     []tls.Certificate{i.certificate},
		ClientAuth:       tls.RequireAnyClientCert,
		VerifyConnection: i.verify,
		NextProtos:       []string{"http/1.1"},
		// A resumed session would outlive the certificate that it was opened with.
		SessionTicketsDisabled: true,
	}
}

// clientConfig is the TLS configuration of the caller. Each pinned certificate is its own authority; verify compares the bytes as well.
func (i *Identity) clientConfig() *tls.Config {
	return &tls.Config{
		MinVersion:       tls.VersionTLS13,
		Certificates:     []tls.Certificate{i.certificate},
		RootCAs:          i.roots,
		ServerName:       ServerName,
		VerifyConnection: i.verify,
		NextProtos:       []string{"http/1.1"},
	}
}
