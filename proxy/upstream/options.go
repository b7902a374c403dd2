package upstream

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

const (
	defaultMaxIdlePerHost      = 256
	defaultIdleTimeout         = 60 * time.Second
	defaultMaxHeaderBytes      = 64 << 10
	defaultDialTimeout         = 6 * time.Second
	defaultTLSHandshakeTimeout = 10 * time.Second
)

// DialFunc opens a network connection; endpoint.Dialer has one that keeps to the endpoint rules.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Options configure a Transport. Everything but DialContext has a default that zero stands for.
type Options struct {
	// DialContext opens the connections. It is required: without it every request fails as NotSent, so that the rules
	// about which addresses may be dialled cannot be forgotten.
	DialContext DialFunc
	// Resolver finds the servers behind hosts that may have several, for requests to be spread over them; see WithAffinity.
	// Nil means that every host is dialled by its name.
	Resolver Resolver
	// TLSClientConfig holds roots and client certificates of https hosts; nil means the system's roots. It is cloned.
	// Connections are pooled per Transport, so two different configurations need two Transports.
	TLSClientConfig *tls.Config
	// MaxIdlePerHost bounds the idle connections kept per scheme and host; 256 when zero. The servers behind a host share
	// it evenly, rounded up.
	MaxIdlePerHost int
	// IdleTimeout is how long an idle connection is kept; 60 s when zero. A shorter one that the server announces
	// ("Keep-Alive: timeout=5") is honoured with a second to spare.
	IdleTimeout time.Duration
	// MaxHeaderBytes bounds the head of a response, interim responses and trailers each; 64 KiB when zero.
	MaxHeaderBytes int
	// DialTimeout bounds name resolution and TCP connect; 6 s when zero, which is one more than resolvers wait until they ask again. Where a host has several servers, all of it is
	// for those that one request tries.
	DialTimeout time.Duration
	// TLSHandshakeTimeout bounds the TLS handshake; 10 s when zero.
	TLSHandshakeTimeout time.Duration

	vigilance vigilance
}

func (o Options) withDefaults() Options {
	o.MaxIdlePerHost = positive(o.MaxIdlePerHost, defaultMaxIdlePerHost)
	o.MaxHeaderBytes = positive(o.MaxHeaderBytes, defaultMaxHeaderBytes)
	o.IdleTimeout = positive(o.IdleTimeout, defaultIdleTimeout)
	o.DialTimeout = positive(o.DialTimeout, defaultDialTimeout)
	o.TLSHandshakeTimeout = positive(o.TLSHandshakeTimeout, defaultTLSHandshakeTimeout)
	if o.vigilance.unacknowledged == nil {
		o.vigilance = vigilant()
	}
	return o
}

func positive[T int | time.Duration](value, fallback T) T {
	if value <= 0 {
		return fallback
	}
	return value
}
