package world

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// fixedHosts are the names that libraries with a fixed address call.
const fixedHosts = "openrouter.ai,api.groq.com"

// Front answers for the vendors' names over TLS, with a certificate of an authority that nobody else has, and passes all on.
type Front struct {
	server    *http.Server
	addr      string
	authority string
	ended     chan error
	log       *os.File
}

// StartFront serves in front of target. It writes the authority's certificate into folder.
func StartFront(ctx context.Context, folder, target string) (*Front, error) {
	upstream, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("reading the address behind the TLS front: %w", err)
	}
	certificate, authority, err := issue(strings.Split(fixedHosts, ","))
	if err != nil {
		return nil, err
	}
	f := &Front{authority: filepath.Join(folder, "authority.pem"), ended: make(chan error, 1)}
	if err := os.WriteFile(f.authority, authority, 0o600); err != nil {
		return nil, fmt.Errorf("writing the authority's certificate: %w", err)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the TLS front: %w", err)
	}
	f.addr = listener.Addr().String()
	f.log, err = os.Create(filepath.Join(folder, "front.log"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("making the log of the TLS front: %w", err), listener.Close())
	}
	complaints := log.New(f.log, "", log.LstdFlags)
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1, ErrorLog: complaints, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(upstream) },
	}
	f.server = &http.Server{
		Handler: fullDuplex(proxy), ErrorLog: complaints,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}, ReadHeaderTimeout: patience,
	}
	go func() { f.ended <- f.server.ServeTLS(listener, "", "") }()
	return f, nil
}

// Env is what makes a Python program call the front: see hostoverride in the clients' sources.
func (f *Front) Env(sources string) []string {
	return []string{
		"CONFORMANCE_HOSTS=" + fixedHosts, "CONFORMANCE_FRONT=" + f.addr, "SSL_CERT_FILE=" + f.authority,
		"PYTHONPATH=" + filepath.Join(sources, "python", "hostoverride"),
	}
}

// fullDuplex lets an answer begin while the request's body is still being read. Otherwise the server takes the rest of the body away as soon as an answer
// begins, and a fast answer is cut off when the transport then looks for the body's end.
func fullDuplex(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Stop ends it.
func (f *Front) Stop() error {
	err := f.server.Close()
	if ended := <-f.ended; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return errors.Join(err, f.log.Close())
}

// issue makes an authority and a certificate for the names.
func issue(hosts []string) (tls.Certificate, []byte, error) {
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("making a key: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("making a key: %w", err)
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "conformance"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: hosts[0]}, DNSNames: hosts, NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	authorityDER, err := x509.CreateCertificate(rand.Reader, authority, authority, &authorityKey.PublicKey, authorityKey)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("signing the authority: %w", err)
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, authority, &key.PublicKey, authorityKey)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("signing a certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authorityDER}), nil
}
