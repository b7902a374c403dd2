// Package oidc learns the keys of the OIDC issuers that the platform's configuration names: it finds them as OpenID Connect Discovery says, asks again every
// few minutes, and keeps what it knows while an issuer does not answer. The proxies verify tokens with these keys by themselves, and call nobody.
package oidc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"signalbox.dev/signalbox/controllers/apiserver"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/proxy/endpoint"
)

const (
	// configurationPath is where an issuer says what it is.
	configurationPath = "/.well-known/openid-configuration"
	// maxConfiguration and maxKeySet bound what is read of an issuer's answers.
	maxConfiguration = 64 << 10
	maxKeySet        = 512 << 10
	// maxHeader bounds the headers of an answer.
	maxHeader = 64 << 10
	// userAgent tells issuers who asks.
	userAgent = "signalbox-manager"
)

// Facts tell where the API server is, and who issues the cluster's own tokens.
type Facts interface {
	Facts() (facts apiserver.Facts, ok bool)
}

// Asker asks issuers for their keys. It reaches what proxies may reach: no loopback, link-local or metadata address, and not the API server, unless the
// platform's configuration opens it.
type Asker struct {
	// Config is the platform's configuration.
	Config *platform.Config
	// Facts tell where the API server is.
	Facts Facts
	// Resolver resolves names; nil means net.DefaultResolver.
	Resolver *net.Resolver
}

// Keys asks an issuer for its signing keys, and returns them as a JSON Web Key Set of nothing else. The error holds nothing of what the issuer answered.
func (a Asker) Keys(ctx context.Context, issuer *platform.OIDCIssuer) ([]byte, error) {
	transport, err := a.connect(issuer)
	if err != nil {
		return nil, err
	}
	defer transport.CloseIdleConnections()
	plain, err := get(ctx, transport, strings.TrimSuffix(issuer.URL, "/")+configurationPath, maxConfiguration)
	if err != nil {
		return nil, fmt.Errorf("reading the issuer's configuration: %w", err)
	}
	var configuration struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	switch {
	case json.Unmarshal(plain, &configuration) != nil:
		return nil, errors.New("the issuer's configuration is not JSON of the right form")
	case configuration.Issuer != issuer.URL:
		return nil, errors.New("the issuer's configuration names another issuer than the one that was asked; tokens.issuers must have its URL exactly as its tokens have it")
	}
	where, err := url.Parse(configuration.JWKSURI)
	if err != nil || where.Scheme != "https" || where.Host == "" || where.User != nil {
		return nil, errors.New("the issuer's configuration has no https URL for its keys")
	}
	keys, err := get(ctx, transport, configuration.JWKSURI, maxKeySet)
	if err != nil {
		return nil, fmt.Errorf("reading the issuer's keys: %w", err)
	}
	return Normalize(keys)
}

// connect makes a connection of its own for one round of questions.
func (a Asker) connect(issuer *platform.OIDCIssuer) (*http.Transport, error) {
	facts, _ := a.Facts.Facts()
	allow, deny, err := a.Config.EndpointRules(facts.Addresses).Parse()
	if err != nil {
		return nil, fmt.Errorf("reading the rules for endpoints: %w", err)
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	authorities, err := issuer.CA()
	if err != nil {
		return nil, fmt.Errorf("reading the authorities of the issuer: %w", err)
	}
	if authorities != nil {
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(authorities) {
			return nil, errors.New("caFile of the issuer has no certificate in PEM")
		}
	}
	policy := endpoint.ProxyPolicy(endpoint.Rules{Allow: allow, APIServers: deny, ClusterDomain: a.Config.ClusterDomain})
	dialer := &endpoint.Dialer{Policy: policy, Resolver: a.Resolver}
	return &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: settings, MaxResponseHeaderBytes: maxHeader, ForceAttemptHTTP2: true}, nil
}

// get reads one answer. A redirect is none: what it leads to is not what the configuration named.
func get(ctx context.Context, transport http.RoundTripper, address string, most int64) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, errors.New("the address is no URL")
	}
	request.Header.Set("User-Agent", userAgent)
	request.Header.Set("Accept", "application/json")
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, most+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the answer: %w", err)
	case int64(len(body)) > most:
		return nil, fmt.Errorf("the answer is longer than %d bytes", most)
	}
	return body, nil
}
