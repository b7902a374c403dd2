package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// maxHTTP2Hosts bounds how many HTTP/2-only hosts are remembered; past it such a host costs a refused handshake each
// time, nothing else.
const maxHTTP2Hosts = 1024

// pingAfter is how long an HTTP/2 connection may be silent until it is asked whether it is still there, and how long that may take.
const pingAfter = 10 * time.Second

// Selecting is an http.RoundTripper that sends a request through Transport wherever that can, and through the
// standard library's transport in two cases:
//
//   - a proxy (HTTP_PROXY, HTTPS_PROXY) is configured for the request. The dialer then sees the proxy's address; names
//     are resolved by the proxy, so rules about addresses hold for it and not for what is behind it;
//   - the host refuses a TLS handshake that offers HTTP/1.1 only. It is tried once more with HTTP/2 on offer and
//     remembered when that works.
//
// There, a host is dialled by its name: requests are not spread over its servers, and affinity means nothing.
//
// Errors are *Error in all cases.
type Selecting struct {
	fast     *Transport
	standard *http.Transport
	proxy    func(*http.Request) (*url.URL, error)

	mu    sync.RWMutex
	http2 map[string]struct{}
}

// NewSelecting returns a Selecting with both of its transports. proxy says which proxy a request takes, nil for none;
// http.ProxyFromEnvironment is the usual one. A nil function means that there is never a proxy.
func NewSelecting(options Options, proxy func(*http.Request) (*url.URL, error)) *Selecting {
	fast := New(options)
	standard := &http.Transport{
		Proxy:                  proxy,
		DialContext:            fast.connectTo,
		TLSClientConfig:        options.TLSClientConfig.Clone(),
		TLSHandshakeTimeout:    fast.options.TLSHandshakeTimeout,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    fast.options.MaxIdlePerHost,
		IdleConnTimeout:        fast.options.IdleTimeout,
		MaxResponseHeaderBytes: int64(fast.options.MaxHeaderBytes),
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingAfter},
	}
	return &Selecting{fast: fast, standard: standard, proxy: proxy, http2: map[string]struct{}{}}
}

func (t *Transport) connectTo(ctx context.Context, _, address string) (net.Conn, error) {
	return t.connect(ctx, address, t.options.DialTimeout)
}

// RoundTrip sends one request; see Transport.RoundTrip.
func (s *Selecting) RoundTrip(req *http.Request) (*http.Response, error) {
	if trustOf(req.Context()) != nil {
		return s.fast.RoundTrip(req)
	}
	proxied, err := s.proxied(req)
	if err != nil {
		closeBody(req)
		return nil, &Error{Kind: NotSent, Err: fmt.Errorf("choosing the proxy: %w", err)}
	}
	if proxied || s.takesHTTP2(req.URL) {
		return s.roundTripStandard(req)
	}
	resp, err := s.fast.exchange(req)
	if err == nil || !handshakeRefused(err) {
		closeBody(req)
		return resp, err
	}
	resp, second := s.roundTripStandard(req)
	if second != nil {
		return nil, err
	}
	s.rememberHTTP2(req.URL, resp)
	return resp, nil
}

// CloseIdleConnections closes the connections that no request uses.
func (s *Selecting) CloseIdleConnections() {
	s.fast.CloseIdleConnections()
	s.standard.CloseIdleConnections()
}

func (s *Selecting) proxied(req *http.Request) (bool, error) {
	if s.proxy == nil {
		return false, nil
	}
	proxy, err := s.proxy(req)
	return proxy != nil, err
}

func (s *Selecting) takesHTTP2(target *url.URL) bool {
	if target == nil || target.Scheme != "https" {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, found := s.http2[target.Host]
	return found
}

func (s *Selecting) rememberHTTP2(target *url.URL, resp *http.Response) {
	if resp.ProtoMajor != 2 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.http2) < maxHTTP2Hosts {
		s.http2[target.Host] = struct{}{}
	}
}

// handshakeRefused says whether the server ended the TLS handshake with an alert. Which alert it was cannot be asked:
// crypto/tls keeps the type to itself, and servers differ in the one they send for an unknown protocol.
func handshakeRefused(err error) bool {
	var failed *Error
	var op *net.OpError
	return errors.As(err, &failed) && failed.Kind == NotSent && errors.As(err, &op) && op.Op == "remote error"
}

// roundTripStandard sends the request through the standard library and gives its errors their kind.
func (s *Selecting) roundTripStandard(req *http.Request) (*http.Response, error) {
	if err := checked(req.Context()); err != nil {
		closeBody(req)
		return nil, fail(req.Context(), nil, NotSent, err)
	}
	ctx, giveUp := context.WithCancelCause(req.Context())
	progress := &progress{vigil: newVigil(ctx, &s.fast.options.vigilance, nil), giveUp: giveUp}
	ctx = httptrace.WithClientTrace(ctx, progress.trace(ctx))
	traced := req.WithContext(ctx)
	if _, given := req.Header["User-Agent"]; !given {
		// The standard library adds its own name where there is none.
		traced.Header = req.Header.Clone()
		if traced.Header == nil {
			traced.Header = http.Header{}
		}
		traced.Header["User-Agent"] = []string{""}
	}
	resp, err := s.standard.RoundTrip(traced)
	if err != nil {
		failure := progress.vigil.end(ctx, progress.fail(ctx, err))
		giveUp(nil)
		return nil, failure
	}
	_ = progress.vigil.end(ctx, nil) // nil, as what it is given
	resp.Request = req
	resp.Body = &standardBody{ReadCloser: resp.Body, ctx: ctx, giveUp: giveUp}
	return resp, nil
}

// progress is how far a request got in the standard library's transport, whose errors do not tell.
type progress struct {
	wrote, answered, reused atomic.Bool
	vigil                   *vigil
	giveUp                  context.CancelCauseFunc
}

func (p *progress) trace(ctx context.Context) *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			p.reused.Store(info.Reused)
			p.vigil.connected(beneath(info.Conn), poolKey{})
			if err := checked(ctx); err != nil {
				p.giveUp(err)
			}
		},
		GetConn:              func(string) { p.vigil.connecting() },
		WroteRequest:         func(httptrace.WroteRequestInfo) { p.vigil.wrote() },
		WroteHeaderField:     func(string, []string) { p.wrote.Store(true) },
		GotFirstResponseByte: func() { p.answered.Store(true) },
	}
}

// beneath is the connection that TLS is spoken on, or the one itself.
func beneath(nc net.Conn) net.Conn {
	if secured, ok := nc.(*tls.Conn); ok {
		return secured.NetConn()
	}
	return nc
}

func (p *progress) fail(ctx context.Context, err error) *Error {
	kind := NotSent
	switch {
	case p.answered.Load() && ctx.Err() == nil:
		kind = BadResponse
	case p.wrote.Load():
		kind = SentNoResponse
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return &Error{Kind: kind, Reused: p.reused.Load(), Err: err}
}

// standardBody gives the errors of a response body of the standard library their kind.
type standardBody struct {
	io.ReadCloser
	ctx    context.Context // a body outlives RoundTrip and is cancelled with its request
	giveUp context.CancelCauseFunc
}

// Close ends the request.
func (b *standardBody) Close() error {
	defer b.giveUp(nil)
	return b.ReadCloser.Close()
}

// Read returns io.EOF or an *Error of kind BodyBroken.
func (b *standardBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fail(b.ctx, nil, BodyBroken, err)
	}
	return n, err
}
