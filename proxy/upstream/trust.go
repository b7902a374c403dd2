package upstream

import (
	"context"
	"crypto/tls"
)

// trustKey is what a trustContext is found by.
type trustKey struct{}

// trustContext carries a TLS configuration.
type trustContext struct {
	context.Context
	config *tls.Config
}

// WithTrust returns a context whose requests to https hosts use this TLS configuration in place of the Transport's. Its ServerName is required: connections
// are kept by it, so that a request never takes one that was opened under another configuration; two configurations for one host need two names. Such requests
// go through Transport only, and through no proxy; see Selecting.
func WithTrust(ctx context.Context, config *tls.Config) context.Context {
	return &trustContext{Context: ctx, config: config}
}

// Value returns the context itself for its own key.
func (c *trustContext) Value(key any) any {
	if key == (trustKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// trustOf returns the configuration that the context carries; nil when there is none.
func trustOf(ctx context.Context) *tls.Config {
	c, found := ctx.Value(trustKey{}).(*trustContext)
	if !found {
		return nil
	}
	return c.config
}
