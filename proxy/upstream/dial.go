package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// destination is where a request goes.
type destination struct {
	key poolKey
	// address is dialled; empty stands for that of the URL.
	address string
	// patience bounds name resolution and TCP connect.
	patience time.Duration
	// server is set, and maxIdle bounds its idle connections, where the host has several servers.
	server  *replica
	maxIdle int
}

// dial opens a connection to the destination, with TLS for https. Its errors are *Error of kind NotSent.
func (t *Transport) dial(ctx context.Context, to *destination, target *url.URL) (*conn, error) {
	dialled := to.address
	if dialled == "" {
		dialled = address(target)
	}
	raw, err := t.connect(ctx, dialled, to.patience)
	if err != nil {
		return nil, fail(ctx, nil, NotSent, fmt.Errorf("connecting to %s: %w", target.Host, err))
	}
	c := &conn{key: to.key, nc: raw, raw: raw}
	if to.key.scheme != "https" {
		return c, nil
	}
	if err := t.handshake(ctx, c); err != nil {
		c.close()
		return nil, fail(ctx, nil, NotSent, fmt.Errorf("TLS handshake with %s: %w", target.Host, err))
	}
	return c, nil
}

func (t *Transport) connect(ctx context.Context, address string, patience time.Duration) (net.Conn, error) {
	if t.options.DialContext == nil {
		return nil, errors.New("the transport has no dialer")
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return t.options.DialContext(ctx, "tcp", address)
}

func (t *Transport) handshake(ctx context.Context, c *conn) error {
	config := trustOf(ctx)
	if config == nil {
		config = t.tlsConfig.Clone()
		config.ServerName = c.key.serverName
	}
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
