package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
)

// dial opens a connection to the URL's host, with TLS for https. Its errors are *Error of kind NotSent.
func (t *Transport) dial(ctx context.Context, key poolKey, target *url.URL) (*conn, error) {
	raw, err := t.connect(ctx, address(target))
	if err != nil {
		return nil, fail(ctx, nil, NotSent, fmt.Errorf("connecting to %s: %w", target.Host, err))
	}
	c := &conn{key: key, nc: raw, raw: raw}
	if key.scheme != "https" {
		return c, nil
	}
	if err := t.handshake(ctx, c); err != nil {
		c.close()
		return nil, fail(ctx, nil, NotSent, fmt.Errorf("TLS handshake with %s: %w", target.Host, err))
	}
	return c, nil
}

func (t *Transport) connect(ctx context.Context, address string) (net.Conn, error) {
	if t.options.DialContext == nil {
		return nil, errors.New("the transport has no dialer")
	}
	ctx, cancel := context.WithTimeout(ctx, t.options.DialTimeout)
	defer cancel()
	return t.options.DialContext(ctx, "tcp", address)
}

func (t *Transport) handshake(ctx context.Context, c *conn) error {
	config := t.tlsConfig.Clone()
	config.ServerName = c.key.serverName
	secured := tls.Client(c.raw, config)
	ctx, cancel := context.WithTimeout(ctx, t.options.TLSHandshakeTimeout)
	defer cancel()
	if err := secured.HandshakeContext(ctx); err != nil {
		return err
	}
	state := secured.ConnectionState()
	c.nc, c.tls = secured, &state
	return nil
}

// address returns host and port to dial, the scheme's port where the URL has none.
func address(target *url.URL) string {
	port := target.Port()
	if port == "" {
		port = "80"
		if target.Scheme == "https" {
			port = "443"
		}
	}
	return net.JoinHostPort(target.Hostname(), port)
}
