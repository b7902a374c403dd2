package upstream

import (
	"context"
	"crypto/tls"
)

// WithTrust returns a context whose requests to https hosts use this TLS configuration in place of the Transport's. Its ServerName is required: connections
// are kept by it, so that a request never takes one that was opened under another configuration; two configurations for one host need two names. Such requests
// go through Transport only, and through no proxy; see Selecting.
func WithTrust(ctx context.Context, config *tls.Config) context.Context {
	return carry(ctx, config)
}

// trustOf returns the configuration that the context carries; nil when there is none.
func trustOf(ctx context.Context) *tls.Config {
	config, _ := carried[*tls.Config](ctx)
	return config
}
