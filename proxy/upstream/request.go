package upstream

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// writeBufferSize is how much of a request is gathered before it is written; most requests are one write.
const writeBufferSize = 16 << 10

var (
	errBodyTooLong  = errors.New("request body is longer than its ContentLength")
	errBodyTooShort = errors.New("request body is shorter than its ContentLength")
)

// requestTarget returns what stands in the request line. It refuses requests that could not be written, or could be
// read as something else than meant.
func requestTarget(req *http.Request) (string, error) {
	if req.URL == nil || req.URL.Host == "" {
		return "", errors.New("request has no host")
	}
	if req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return "", fmt.Errorf("unsupported scheme %q", req.URL.Scheme)
	}
	if !validToken(method(req)) {
		return "", errors.New("malformed method")
	}
	target := req.URL.RequestURI()
	if !validTarget(target) || !validTarget(host(req)) {
		return "", errors.New("malformed request target or host")
	}
	if len(req.Trailer) > 0 {
		return "", errors.New("request trailers are not supported")
	}
	return target, checkHeader(req.Header)
}

func checkHeader(header http.Header) error {
	for name, values := range header {
		if !validToken(name) {
			return fmt.Errorf("malformed header name %q", name)
		}
		for _, value := range values {
			if !validValue(value) {
				return fmt.Errorf("control character in the value of header %q", name)
			}
		}
	}
	return nil
}

func validTarget(s string) bool {
	return s != "" && validValue(s) && !strings.ContainsAny(s, " \t")
}

func method(req *http.Request) string {
	if req.Method == "" {
		return http.MethodGet
	}
	return req.Method
}

func host(req *http.Request) string {
	if req.Host != "" {
		return req.Host
	}
	return req.URL.Host
}

// bodyLength returns the length of the request's body, -1 when it is not known.
func bodyLength(req *http.Request) int64 {
	if req.Body == nil || req.Body == http.NoBody {
		return 0
	}
	if req.ContentLength > 0 {
		return req.ContentLength
	}
	return -1
}

// appendHead appends request line and header.
func appendHead(b []byte, req *http.Request, target string) []byte {
	b = append(b, method(req)...)
	b = append(b, ' ')
	b = append(b, target...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, host(req)...)
	b = append(b, "\r\n"...)
	for name, values := range req.Header {
		if ownHeader(name) {
			continue
		}
		for _, value := range values {
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, value...)
			b = append(b, "\r\n"...)
		}
	}
	if req.Close && !hasListToken(req.Header["Connection"], "close") {
		b = append(b, "Connection: close\r\n"...)
	}
	return append(appendLength(b, req), "\r\n"...)
}

// ownHeader says whether the header is written from the request's fields and never from its Header.
func ownHeader(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Host", "Content-Length", "Transfer-Encoding", "Trailer":
		return true
	}
	return false
}

func appendLength(b []byte, req *http.Request) []byte {
	switch length := bodyLength(req); {
	case length < 0:
		return append(b, "Transfer-Encoding: chunked\r\n"...)
	case length > 0 || req.Method == http.MethodPost || req.Method == http.MethodPut || req.Method == http.MethodPatch:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, length, 10)
		return append(b, "\r\n"...)
	}
	return b
}

// requestWriter gathers head and body and writes them with as few system calls as possible: a body that comes in one
// piece, as from a bytes.Reader, goes out together with the head.
type requestWriter struct {
	nc  net.Conn
	buf []byte
	// remaining is what the body may still have; -1 means that it is sent in chunks.
	remaining int64
	// written counts the bytes that the connection took.
	written int64
	// failed is the connection's error, to be told from an error of the body.
	failed error
}

// writeRequest writes the request. bodyTouched says whether anything was read from the body.
func (w *requestWriter) writeRequest(req *http.Request, target string) (bodyTouched bool, err error) {
	w.buf = appendHead(w.buf[:0], req, target)
	w.remaining = bodyLength(req)
	if w.remaining == 0 {
		return false, w.flush()
	}
	if _, err := io.Copy(w, req.Body); err != nil {
		return true, err
	}
	if w.remaining > 0 {
		return true, errBodyTooShort
	}
	if w.remaining < 0 {
		w.buf = append(w.buf, "0\r\n\r\n"...)
	}
	return true, w.flush()
}

// Write takes a piece of the body. It does not keep p.
func (w *requestWriter) Write(p []byte) (int, error) {
	if w.remaining < 0 {
		return w.chunk(p)
	}
	if int64(len(p)) > w.remaining {
		return 0, errBodyTooLong
	}
	w.remaining -= int64(len(p))
	return len(p), w.send(p)
}

func (w *requestWriter) chunk(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	w.buf = strconv.AppendInt(w.buf, int64(len(p)), 16)
	w.buf = append(w.buf, "\r\n"...)
	if err := w.send(p); err != nil {
		return 0, err
	}
	w.buf = append(w.buf, "\r\n"...)
	return len(p), nil
}

// send gathers p where it fits, and else writes what was gathered and p in one go.
func (w *requestWriter) send(p []byte) error {
	if len(w.buf)+len(p) <= writeBufferSize {
		w.buf = append(w.buf, p...)
		return nil
	}
	buffers := net.Buffers{w.buf, p}
	n, err := buffers.WriteTo(w.nc)
	w.written += n
	w.failed = err
	w.buf = w.buf[:0]
	return err
}

func (w *requestWriter) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	n, err := w.nc.Write(w.buf)
	w.written += int64(n)
	w.failed = err
	w.buf = w.buf[:0]
	return err
}
