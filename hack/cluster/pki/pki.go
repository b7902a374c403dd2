// Package pki makes the certificates and keys of a cluster: three authorities (the cluster's, etcd's, and the one for
// aggregated APIs), the leaf certificates that they sign, and the key pair for ServiceAccount tokens.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

const (
	// lifetime of every certificate: longer than anyone keeps a development cluster.
	lifetime = 2 * 365 * 24 * time.Hour
	// backdate lets a container whose clock is a little behind accept a fresh certificate.
	backdate = time.Hour
)

// Pair is a certificate and its private key, or a public and a private key, each in PEM.
type Pair struct {
	Public  []byte
	Private []byte
}

// Authority signs certificates.
type Authority struct {
	// Pair holds the authority's own certificate and key.
	Pair
	certificate *x509.Certificate
	key         crypto.Signer
	now         time.Time
}

// Leaf says what a certificate is for. With Hosts it serves under these names and addresses; it can always be used by a
// client, whose user is Name and whose groups are Groups.
type Leaf struct {
	Name   string
	Groups []string
	Hosts  []string
}

// NewAuthority makes a self-signed authority, valid from a little before now.
func NewAuthority(name string, now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the key of %s: %w", name, err)
	}
	template, err := newTemplate(pkix.Name{CommonName: name}, now)
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("signing %s: %w", name, err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading back %s: %w", name, err)
	}
	pair, err := encode(der, key)
	if err != nil {
		return nil, err
	}
	return &Authority{Pair: pair, certificate: certificate, key: key, now: now}, nil
}

// Issue makes a key and signs a certificate for it.
func (a *Authority) Issue(leaf Leaf) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("making the key of %s: %w", leaf.Name, err)
	}
	template, err := newTemplate(pkix.Name{CommonName: leaf.Name, Organization: leaf.Groups}, a.now)
	if err != nil {
		return Pair{}, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(leaf.Hosts) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	for _, host := range leaf.Hosts {
		if address := net.ParseIP(host); address != nil {
			template.IPAddresses = append(template.IPAddresses, address)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return Pair{}, fmt.Errorf("signing the certificate of %s: %w", leaf.Name, err)
	}
	return encode(der, key)
}

// NewTokenKey makes the key pair that signs ServiceAccount tokens: RSA, as kubeadm's, so that tokens look as they do elsewhere.
func NewTokenKey() (Pair, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return Pair{}, fmt.Errorf("making the token key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return Pair{}, fmt.Errorf("encoding the token key: %w", err)
	}
	private, err := encodeKey(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{Public: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), Private: private}, nil
}

func newTemplate(subject pkix.Name, now time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("making a serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               subject,
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(lifetime),
		BasicConstraintsValid: true,
	}, nil
}

func encode(der []byte, key crypto.Signer) (Pair, error) {
	private, err := encodeKey(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{Public: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Private: private}, nil
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
