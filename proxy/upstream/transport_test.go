package upstream

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRequestOnTheWire(t *testing.T) {
	type received struct {
		Method, URI, Host, Body string
		ContentLength           int64
		TransferEncoding        []string
		Header                  http.Header
	}
	large := strings.Repeat("0123456789", 10_000)
	cases := map[string]struct {
		change func(*http.Request)
		method string
		body   io.Reader
		want   received
	}{
		"small body": {
			method: http.MethodPost, body: strings.NewReader("hello"),
			want: received{Method: "POST", URI: "/v1/x?a=b%20c", Body: "hello", ContentLength: 5},
		},
		"body larger than the write buffer": {
			method: http.MethodPost, body: strings.NewReader(large),
			want: received{Method: "POST", URI: "/v1/x?a=b%20c", Body: large, ContentLength: 100_000},
		},
		"body of unknown length": {
			method: http.MethodPost, body: io.MultiReader(strings.NewReader("hello "), strings.NewReader("there")),
			want: received{
				Method: "POST", URI: "/v1/x?a=b%20c", Body: "hello there", ContentLength: -1, TransferEncoding: []string{"chunked"},
			},
		},
		"large body of unknown length": {
			method: http.MethodPost, body: io.MultiReader(strings.NewReader(large)),
			want: received{
				Method: "POST", URI: "/v1/x?a=b%20c", Body: large, ContentLength: -1, TransferEncoding: []string{"chunked"},
			},
		},
		"post without body": {
			method: http.MethodPost, want: received{Method: "POST", URI: "/v1/x?a=b%20c"},
		},
		"get": {
			method: http.MethodGet, want: received{Method: "GET", URI: "/v1/x?a=b%20c"},
		},
		"host and headers; framing headers are ours": {
			method: http.MethodPost, body: strings.NewReader("hello"),
			change: func(r *http.Request) {
				r.Host = "api.example.com"
				r.Header = http.Header{
					"X-Two": {"1", "2"}, "Authorization": {"Bearer k"}, "Content-Length": {"99"}, "Transfer-Encoding": {"chunked"},
				}
			},
			want: received{
				Method: "POST", URI: "/v1/x?a=b%20c", Host: "api.example.com", Body: "hello", ContentLength: 5,
				Header: http.Header{"X-Two": {"1", "2"}, "Authorization": {"Bearer k"}, "Content-Length": {"5"}},
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got received
			server := newServer(t, func(_ http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Errorf("server reading the body: %v", err)
				}
				got = received{r.Method, r.RequestURI, r.Host, string(body), r.ContentLength, r.TransferEncoding, r.Header}
			})
			req, err := http.NewRequestWithContext(t.Context(), tc.method, server.URL+"/v1/x?a=b%20c", tc.body)
			if err != nil {
				t.Fatal(err)
			}
			if tc.change != nil {
				tc.change(req)
			} else {
				tc.want.Host = req.URL.Host
			}
			if tc.want.Header == nil {
				tc.want.Header = http.Header{}
				if tc.want.ContentLength >= 0 && tc.method == http.MethodPost {
					tc.want.Header.Set("Content-Length", strconv.FormatInt(tc.want.ContentLength, 10))
				}
			}
			roundTrip(t, newTransport(t, nil), req)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("server received (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRequestRefused(t *testing.T) {
	cases := map[string]struct {
		change func(*http.Request)
		want   string
	}{
		"line break in a value":  {func(r *http.Request) { r.Header["X-A"] = []string{"a\r\nX-B: b"} }, "control character"},
		"space in a name":        {func(r *http.Request) { r.Header["X A"] = []string{"a"} }, "malformed header name"},
		"line break in the host": {func(r *http.Request) { r.Host = "a\r\nX-B: b" }, "target or host"},
		"space in the method":    {func(r *http.Request) { r.Method = "GET /x" }, "malformed method"},
		"opaque target":          {func(r *http.Request) { r.URL.Opaque = "/x HTTP/1.1\r\n" }, "target or host"},
		"scheme":                 {func(r *http.Request) { r.URL.Scheme = "ftp" }, "unsupported scheme"},
		"no host":                {func(r *http.Request) { r.URL.Host = "" }, "no host"},
		"trailers":               {func(r *http.Request) { r.Trailer = http.Header{"X": nil} }, "trailers"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := newRawServer(t, answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
			req := newRequest(t, http.MethodPost, server.url, "body")
			tc.change(req)
			err := tryRoundTrip(newTransport(t, nil), req)
			if kind, _ := KindOf(err); kind != NotSent || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q of kind %v", err, tc.want, NotSent)
			}
			if n := server.conns.Load(); n != 0 {
				t.Errorf("%d connections were opened, want none", n)
			}
		})
	}
}

func TestResponse(t *testing.T) {
	cases := map[string]struct {
		method, reply string
		want          answer
		wantReuse     bool
	}{
		"content length": {
			reply:     "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nX-A: 1\r\nx-a:  2 \r\nContent-Length: 5\r\n\r\nhello",
			wantReuse: true,
			want: answer{
				Status: "200 OK", Proto: "HTTP/1.1", Body: "hello", ContentLength: 5,
				Header: http.Header{"Content-Type": {"application/json"}, "X-A": {"1", "2"}, "Content-Length": {"5"}},
			},
		},
		"the same content length twice": {
			reply:     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
			wantReuse: true,
			want: answer{
				Status: "200 OK", Proto: "HTTP/1.1", Body: "hello", ContentLength: 5, Header: http.Header{"Content-Length": {"5", "5"}},
			},
		},
		"chunks": {
			reply: "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n" +
				"5\r\nhello\r\n1;ext=\"a\"\r\n \r\n00A\r\n0123456789\r\n0\r\n\r\n",
			wantReuse: true,
			want: answer{
				Status: "200 OK", Proto: "HTTP/1.1", Body: "hello 0123456789", ContentLength: -1,
				Header: http.Header{"Transfer-Encoding": {"Chunked"}},
			},
		},
		"trailers": {
			reply: "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n" +
				"5\r\nhello\r\n0\r\nX-Sum: 42\r\nX-More: 1\r\n\r\n",
			wantReuse: true,
			want: answer{
				Status: "200 OK", Proto: "HTTP/1.1", Body: "hello", ContentLength: -1,
				Header:  http.Header{"Transfer-Encoding": {"chunked"}},
				Trailer: http.Header{"X-Sum": {"42"}, "X-More": {"1"}},
			},
		},
		"until close": {
			reply: "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
			want: answer{
				Status: "200 OK", Proto: "HTTP/1.1", Body: "hello", ContentLength: -1, Header: http.Header{"Connection": {"close"}},
			},
		},
		"HTTP/1.0, no reason": {
			reply: "HTTP/1.0 404\r\nContent-Length: 2\r\n\r\nno",
			want:  answer{Status: "404", Proto: "HTTP/1.0", Body: "no", ContentLength: 2, Header: http.Header{"Content-Length": {"2"}}},
		},
		"HTTP/1.0 kept alive": {
			reply:     "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok",
			wantReuse: true,
			want: answer{
				Status: "200 OK", Proto: "HTTP/1.0", Body: "ok", ContentLength: 2,
				Header: http.Header{"Connection": {"Keep-Alive"}, "Content-Length": {"2"}},
			},
		},
		"interim responses are skipped": {
			reply: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" +
				"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
			wantReuse: true,
			want: answer{
				Status: "200 OK", Proto: "HTTP/1.1", Body: "ok", ContentLength: 2, Header: http.Header{"Content-Length": {"2"}},
			},
		},
		"no content": {
			reply: "HTTP/1.1 204 No Content\r\n\r\n", wantReuse: true,
			want: answer{Status: "204 No Content", Proto: "HTTP/1.1", Header: http.Header{}},
		},
		"not modified with a length": {
			reply: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", wantReuse: true,
			want: answer{Status: "304 Not Modified", Proto: "HTTP/1.1", Header: http.Header{"Content-Length": {"5"}}},
		},
		"head": {
			method: http.MethodHead, wantReuse: true,
			reply: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
			want: answer{
				Status: "200 OK", Proto: "HTTP/1.1", ContentLength: 5, Header: http.Header{"Content-Length": {"5"}},
			},
		},
		"line feeds only, Latin-1 value": {
			reply: "HTTP/1.1 200 OK\nX-Name: caf\xe9\nContent-Length: 2\n\nok", wantReuse: true,
			want: answer{
				Status: "200 OK", Proto: "HTTP/1.1", Body: "ok", ContentLength: 2,
				Header: http.Header{"X-Name": {"caf\xe9"}, "Content-Length": {"2"}},
			},
		},
		"bytes after the end are not taken for the next answer": {
			reply: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 Smuggled\r\nContent-Length: 0\r\n\r\n",
			want: answer{
				Status: "200 OK", Proto: "HTTP/1.1", Body: "ok", ContentLength: 2, Header: http.Header{"Content-Length": {"2"}},
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := newRawServer(t, func(c *rawConn, _ int) {
				for c.request() != nil && c.send(tc.reply) {
					if tc.want.ContentLength == -1 && !tc.wantReuse {
						return
					}
				}
			})
			transport := newTransport(t, nil)
			for range 2 {
				got := roundTrip(t, transport, newRequest(t, tc.method, server.url, ""))
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("response (-want +got):\n%s", diff)
				}
			}
			if reused := server.conns.Load() == 1; reused != tc.wantReuse {
				t.Errorf("connection reused: %v, want %v", reused, tc.wantReuse)
			}
		})
	}
}

func TestResponseInPieces(t *testing.T) {
	reply := "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"10\r\n0123456789abcdef\r\n3\r\nxyz\r\n0\r\nX-Sum: 1\r\n\r\n"
	server := newRawServer(t, func(c *rawConn, _ int) {
		for c.request() != nil {
			for i := range len(reply) {
				if !c.send(reply[i : i+1]) {
					return
				}
			}
		}
	})
	transport := newTransport(t, nil)
	for range 3 {
		got := roundTrip(t, transport, newRequest(t, http.MethodPost, server.url, "x"))
		if got.Body != "0123456789abcdefxyz" || got.Trailer.Get("X-Sum") != "1" {
			t.Errorf("got body %q and trailer %v", got.Body, got.Trailer)
		}
	}
	if n := server.conns.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// Every event has to come out of Read before the server sends the next one.
func TestStreamIsNotBuffered(t *testing.T) {
	const events = 20
	next := make(chan struct{})
	server := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := range events {
			_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Errorf("flushing: %v", err)
			}
			select {
			case <-next:
			case <-t.Context().Done():
				return
			}
		}
	})
	resp, err := newTransport(t, nil).RoundTrip(newRequest(t, http.MethodPost, server.URL, "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	buffer := make([]byte, 32<<10)
	for i := range events {
		n, err := resp.Body.Read(buffer)
		if want := fmt.Sprintf("data: %d\n\n", i); string(buffer[:n]) != want || err != nil {
			t.Fatalf("read %q, %v; want %q", buffer[:n], err, want)
		}
		next <- struct{}{}
	}
	if n, err := resp.Body.Read(buffer); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("read %d, %v at the end", n, err)
	}
}

func TestEarlyAnswerToALargeBody(t *testing.T) {
	server := newRawServer(t, func(c *rawConn, _ int) {
		if _, err := http.ReadRequest(c.reader); err != nil {
			return
		}
		c.send("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig")
		c.untilClosed()
	})
	req := newRequest(t, http.MethodPost, server.url, strings.Repeat("x", 1<<20))
	got := roundTrip(t, newTransport(t, nil), req)
	if got.Status != "413 Too Large" || got.Body != "big" {
		t.Errorf("got %s %q", got.Status, got.Body)
	}
}

func TestRequestBodyIsClosedAndItsErrorsReported(t *testing.T) {
	broken := errors.New("disk on fire")
	cases := map[string]struct {
		content  io.Reader
		length   int64
		wantKind Kind
		wantErr  error
	}{
		"fine":                     {content: strings.NewReader("12345"), length: 5},
		"too long":                 {content: strings.NewReader("123456"), length: 5, wantKind: NotSent, wantErr: errBodyTooLong},
		"too short":                {content: strings.NewReader("1234"), length: 5, wantKind: NotSent, wantErr: errBodyTooShort},
		"broken before any write":  {content: &failingReader{err: broken}, length: 5, wantKind: NotSent, wantErr: broken},
		"broken after some writes": {content: &failingReader{left: 1 << 17, err: broken}, length: 1 << 18, wantKind: SentNoResponse, wantErr: broken},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := newRawServer(t, answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
			body := &closeCounter{Reader: tc.content}
			req := newRequest(t, http.MethodPost, server.url, "")
			req.Body, req.GetBody, req.ContentLength = body, nil, tc.length
			resp, err := newTransport(t, nil).RoundTrip(req)
			if err == nil {
				_ = resp.Body.Close()
			}
			if kind, _ := KindOf(err); kind != tc.wantKind || !errors.Is(err, tc.wantErr) {
				t.Errorf("got kind %v of %v, want kind %v of %v", kind, err, tc.wantKind, tc.wantErr)
			}
			if body.closed != 1 {
				t.Errorf("request body closed %d times", body.closed)
			}
		})
	}
}

type failingReader struct {
	left int
	err  error
}

func (r *failingReader) Read(p []byte) (int, error) {
	n := min(len(p), r.left)
	r.left -= n
	if n == 0 {
		return 0, r.err
	}
	return n, nil
}

type closeCounter struct {
	io.Reader
	closed int
}

func (c *closeCounter) Close() error {
	c.closed++
	return nil
}

func TestTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(echo))
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	cases := map[string]struct {
		config   *tls.Config
		wantKind Kind
	}{
		"trusted":        {config: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
		"other name":     {config: &tls.Config{RootCAs: roots, ServerName: "other.test", MinVersion: tls.VersionTLS12}, wantKind: NotSent},
		"system's roots": {wantKind: NotSent},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			transport := newTransport(t, func(o *Options) { o.TLSClientConfig = tc.config })
			for i := range 3 {
				body := strings.Repeat("z", 1+i*20_000)
				resp, err := transport.RoundTrip(newRequest(t, http.MethodPost, server.URL, body))
				if kind, _ := KindOf(err); kind != tc.wantKind {
					t.Fatalf("got %v, want kind %v", err, tc.wantKind)
				}
				if err != nil {
					continue
				}
				got, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if string(got) != body || err != nil || resp.TLS == nil {
					t.Errorf("got %d bytes, %v, TLS state %v; want %d bytes", len(got), err, resp.TLS, len(body))
				}
			}
		})
	}
}

// TLS decrypts whole records: what follows an answer in its last record is in nobody's buffer that Transport looks at,
// and must not become the answer to the next request.
func TestBytesAfterTheEndOverTLS(t *testing.T) {
	const size = 9000
	var conns atomic.Int32
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conns.Add(1)
		nc, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Errorf("hijacking: %v", err)
			return
		}
		defer func() { _ = nc.Close() }()
		raw := &rawConn{Conn: nc, reader: bufio.NewReader(nc)}
		raw.send("HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n")
		raw.send(strings.Repeat("a", size) + "HTTP/1.1 500 Smuggled\r\nContent-Length: 0\r\n\r\n")
		raw.untilClosed()
	}))
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	transport := newTransport(t, func(o *Options) {
		o.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	})
	for range 2 {
		if got := roundTrip(t, transport, newRequest(t, http.MethodPost, server.URL, "x")); len(got.Body) != size {
			t.Errorf("got %s with %d bytes", got.Status, len(got.Body))
		}
	}
	if n := conns.Load(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}

func TestConcurrentRequestsLeakNothing(t *testing.T) {
	server := newServer(t, echo)
	transport := newTransport(t, nil)
	before := runtime.NumGoroutine()
	var requests sync.WaitGroup
	for worker := range 50 {
		requests.Go(func() {
			for i := range 20 {
				body := bytes.Repeat([]byte{byte('a' + worker%26)}, 1+i*1000)
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, bytes.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				resp, err := transport.RoundTrip(req)
				if err != nil {
					t.Errorf("worker %d: %v", worker, err)
					return
				}
				got, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || !bytes.Equal(got, body) {
					t.Errorf("worker %d got %d bytes, %v; want %d", worker, len(got), err, len(body))
				}
			}
		})
	}
	requests.Wait()
	transport.CloseIdleConnections()
	server.CloseClientConnections()
	eventually(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= before })
}
