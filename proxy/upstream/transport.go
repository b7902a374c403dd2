package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
)

// maxInterim bounds the 1xx responses before the final one.
const maxInterim = 5

// Transport is an http.RoundTripper for HTTP/1.1 with pooled connections. It is safe for concurrent use.
type Transport struct {
	options   Options
	tlsConfig *tls.Config
	pool      *pool
	services  *services
	spread    atomic.Uint64 // what the next request that is spread without affinity draws its luck from
	buffers   sync.Pool     // of *[]byte, for writing requests
}

// New returns a Transport. It opens nothing before the first request.
func New(options Options) *Transport {
	options = options.withDefaults()
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if options.TLSClientConfig != nil {
		config = options.TLSClientConfig.Clone()
	}
	config.NextProtos = []string{"http/1.1"}
	idle := newPool(options.MaxIdlePerHost, options.IdleTimeout)
	t := &Transport{
		options:   options,
		tlsConfig: config,
		pool:      idle,
		services:  newServices(options.Resolver, idle, options.DialTimeout),
		buffers: sync.Pool{New: func() any {
			buffer := make([]byte, 0, writeBufferSize)
			return &buffer
		}},
	}
	t.spread.Store(maphash.Comparable(maphash.MakeSeed(), 0))
	return t
}

// RoundTrip sends one request and returns once the head of the response is there. All its errors are *Error. The
// request's body is closed when it returns; its context ends the whole exchange, the response's body included.
//
// The body of the response has to be read to io.EOF for its connection to be used again, or closed.
//
// A request that fails on a connection which had served earlier ones is sent once more, on a fresh one, if nothing of
// it was written, or if it is safe to repeat (GET, HEAD, OPTIONS, TRACE, or an Idempotency-Key header) and no byte of
// a response had come; and if its body can be had again.
//
// The request is written before the response is read: an upstream that answers early and stops reading is noticed
// when it closes the connection, or when the context ends.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	defer closeBody(req)
	return t.exchange(req)
}

// CloseIdleConnections closes the connections that no request uses.
func (t *Transport) CloseIdleConnections() {
	t.pool.closeIdle()
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// exchange is RoundTrip but for closing the request's body, which is untouched after a failed dial.
func (t *Transport) exchange(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	target, err := requestTarget(req)
	if err != nil {
		return nil, &Error{Kind: NotSent, Err: err}
	}
	if ctx.Err() != nil {
		return nil, fail(ctx, nil, NotSent, nil)
	}
	d := delivery{transport: t, req: req, target: target, vigil: newVigil(ctx, &t.options.vigilance, t.pool)}
	resp, err := d.deliver()
	return resp, d.vigil.end(ctx, err)
}

func (t *Transport) key(req *http.Request) poolKey {
	key := poolKey{scheme: req.URL.Scheme, host: req.URL.Host}
	if key.scheme != "https" {
		return key
	}
	key.serverName = t.tlsConfig.ServerName
	if trusted := trustOf(req.Context()); trusted != nil {
		key.serverName = trusted.ServerName
	}
	if key.serverName == "" {
		key.serverName = req.URL.Hostname()
	}
	return key
}

// attempt is one request on one connection.
type attempt struct {
	transport *Transport
	conn      *conn
	vigil     *vigil
	server    *replica // nil unless the host has several
	req       *http.Request
	target    string // of the request line

	bodyTouched bool  // something was read from the request's body
	written     int64 // bytes that the connection took
	answered    bool  // a byte of a response came
}

// mayRepeat says whether a failed attempt may be followed by another one; see RoundTrip.
func (a *attempt) mayRepeat() bool {
	if !a.conn.reused || a.answered || a.req.Context().Err() != nil {
		return false
	}
	if a.bodyTouched && a.req.GetBody == nil {
		return false
	}
	return a.written == 0 || repeatable(a.req)
}

// rewound returns the request with its body at its beginning.
func (a *attempt) rewound() (*http.Request, error) {
	if !a.bodyTouched {
		return a.req, nil
	}
	fresh, err := a.req.GetBody()
	if err != nil {
		return nil, &Error{Kind: NotSent, Err: fmt.Errorf("reading the request body again: %w", err)}
	}
	copied := *a.req
	copied.Body = fresh
	return &copied, nil
}

func repeatable(req *http.Request) bool {
	switch method(req) {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return req.Header.Get("Idempotency-Key") != "" || req.Header.Get("X-Idempotency-Key") != ""
}

// run writes the request and reads the response's head.
func (a *attempt) run() (*http.Response, error) {
	if err := checked(a.req.Context()); err != nil {
		a.conn.close()
		return nil, fail(a.req.Context(), a.conn, NotSent, err)
	}
	stop := a.conn.watch(a.req.Context())
	keepAlive, err := a.write()
	if err == nil {
		a.vigil.wrote()
		var resp *http.Response
		if resp, err = a.read(stop, keepAlive); err == nil {
			return resp, nil
		}
	}
	stop()
	a.conn.close()
	return nil, err
}

// write writes the request. keepAlive is false when the connection cannot take another one, either because the
// request asked for that or because the server stopped reading and may have answered early.
func (a *attempt) write() (keepAlive bool, err error) {
	buffer, _ := a.transport.buffers.Get().(*[]byte)
	defer a.transport.buffers.Put(buffer)
	w := requestWriter{nc: a.conn.nc, buf: *buffer}
	a.bodyTouched, err = w.writeRequest(a.req, a.target)
	a.written = w.written
	if err == nil {
		return !a.req.Close && !hasListToken(a.req.Header["Connection"], "close"), nil
	}
	if w.written == 0 {
		return false, fail(a.req.Context(), a.conn, NotSent, fmt.Errorf("writing the request: %w", err))
	}
	if w.failed == nil || a.req.Context().Err() != nil {
		return false, fail(a.req.Context(), a.conn, SentNoResponse, fmt.Errorf("writing the request: %w", err))
	}
	return false, nil
}

// read reads heads until the final one and makes the response of it.
func (a *attempt) read(stop func() bool, keepAlive bool) (*http.Response, error) {
	ctx := a.req.Context()
	for range maxInterim + 1 {
		text, err := a.conn.head(a.transport.options.MaxHeaderBytes)
		a.answered = a.answered || text != "" || a.conn.buffered() > 0
		if err != nil {
			return nil, a.headError(ctx, err)
		}
		head, err := parseHead(text)
		if err != nil {
			return nil, fail(ctx, a.conn, BadResponse, err)
		}
		if head.code >= 200 {
			return a.response(head, stop, keepAlive)
		}
		if head.code == http.StatusSwitchingProtocols {
			return nil, fail(ctx, a.conn, BadResponse, errors.New("unasked switch of protocols"))
		}
	}
	return nil, fail(ctx, a.conn, BadResponse, errors.New("too many interim responses"))
}

func (a *attempt) headError(ctx context.Context, err error) *Error {
	if errors.Is(err, errHeadTooLarge) || errors.Is(err, errNotHTTP) {
		return fail(ctx, a.conn, BadResponse, err)
	}
	if a.answered {
		err = truncated(err)
	}
	return fail(ctx, a.conn, SentNoResponse, fmt.Errorf("reading the response: %w", err))
}

func (a *attempt) response(head responseHead, stop func() bool, keepAlive bool) (*http.Response, error) {
	f, err := frame(method(a.req), head)
	if err != nil {
		return nil, fail(a.req.Context(), a.conn, BadResponse, err)
	}
	a.conn.maxIdle = f.maxIdle
	resp := &http.Response{
		Status:        head.status,
		StatusCode:    head.code,
		Proto:         protocol(head.minor),
		ProtoMajor:    1,
		ProtoMinor:    head.minor,
		Header:        head.header,
		ContentLength: f.length,
		Close:         !f.keepAlive,
		Request:       a.req,
		TLS:           a.conn.tls,
	}
	if f.kind == chunkedBody {
		resp.TransferEncoding = []string{"chunked"}
		announceTrailer(resp)
	}
	a.attachBody(resp, f.kind, stop, keepAlive && f.keepAlive)
	return resp, nil
}

// attachBody gives the response its body. A response without one gives its connection back at once.
func (a *attempt) attachBody(resp *http.Response, kind bodyKind, stop func() bool, reuse bool) {
	b := &body{ctx: a.req.Context(), conn: a.conn, stop: stop, release: a.transport.pool.put, reuse: reuse, server: a.server}
	resp.Body = b
	switch kind {
	case noBody:
		resp.Body = http.NoBody
		b.finish()
	case fixedBody:
		b.decoder = &fixed{conn: a.conn, remaining: resp.ContentLength}
	case chunkedBody:
		b.decoder = &chunked{
			conn:       a.conn,
			limit:      a.transport.options.MaxHeaderBytes,
			setTrailer: func(fields http.Header) { resp.Trailer = fields },
		}
	case untilClose:
		b.decoder = &closeDelimited{conn: a.conn}
	}
}

// announceTrailer moves the names in the Trailer header to the keys of resp.Trailer, as http.Response documents.
func announceTrailer(resp *http.Response) {
	for _, value := range resp.Header["Trailer"] {
		for name := range strings.SplitSeq(value, ",") {
			if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); name != "" {
				if resp.Trailer == nil {
					resp.Trailer = http.Header{}
				}
				resp.Trailer[name] = nil
			}
		}
	}
	delete(resp.Header, "Trailer")
}

func protocol(minor int) string {
	if minor == 0 {
		return "HTTP/1.0"
	}
	return "HTTP/1.1"
}
