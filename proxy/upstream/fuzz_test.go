package upstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// scripted is a connection that swallows what is written and gives out prepared bytes, some at a time.
type scripted struct {
	net.Conn
	data  []byte
	piece int
}

func (s *scripted) Read(p []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.piece)], s.data)
	s.data = s.data[n:]
	return n, nil
}

func (s *scripted) Write(p []byte) (int, error) { return len(p), nil }

func (s *scripted) Close() error { return nil }

func (s *scripted) SetReadDeadline(time.Time) error { return nil }

// FuzzParseHead holds the parser of response heads against the standard library's, which accepts more: what both
// accept they have to read alike.
func FuzzParseHead(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nx-a: 1\r\nX-A:2 \r\n\r\n")
	f.Add("HTTP/1.0 404\n\n")
	f.Add("HTTP/1.1 200 OK\r\n X: folded\r\n\r\n")
	f.Add("HTTP/1.1 999 \xff\r\nX: \x7f\r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		var scanned int
		size := headSize([]byte(text), &scanned)
		if size == 0 {
			return
		}
		head, err := parseHead(text[:size])
		if err != nil {
			return
		}
		if head.code < 100 || head.code > 999 || (head.minor != 0 && head.minor != 1) {
			t.Errorf("accepted status %d of HTTP/1.%d", head.code, head.minor)
		}
		for name, values := range head.header {
			if !validToken(name) || len(values) == 0 {
				t.Errorf("accepted header %q: %q", name, values)
			}
		}
		if diff := cmp.Diff(standardFields(t, text[:size]), head.header); diff != "" {
			t.Errorf("fields (-standard library +ours):\n%s", diff)
		}
	})
}

// standardFields reads the header fields of a response head with the standard library.
func standardFields(t *testing.T, head string) http.Header {
	t.Helper()
	reader := textproto.NewReader(bufio.NewReader(strings.NewReader(head)))
	if _, err := reader.ReadLine(); err != nil {
		t.Fatalf("the standard library refuses the status line: %v", err)
	}
	fields, err := reader.ReadMIMEHeader()
	if err != nil {
		t.Fatalf("the standard library refuses %q: %v", head, err)
	}
	return http.Header(fields)
}

// FuzzChunked reads a chunked body whole and byte by byte, and holds it against the standard library's reader.
func FuzzChunked(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\n\r\n"), 3)
	f.Add([]byte("5;ext=1\r\nhello\r\n0\r\nX-A: 1\r\n\r\n"), 1)
	f.Add([]byte("ffffffffffffffff\r\nhello"), 100)
	f.Add([]byte("5\nhello\r\n0\r\n\r\n"), 100)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		size = 1 + size&0xffff
		whole, wholeErr := readChunked(data, len(data)+1, size)
		pieces, piecesErr := readChunked(data, 1, 1)
		if !bytes.Equal(whole, pieces) || fmt.Sprint(wholeErr) != fmt.Sprint(piecesErr) {
			t.Errorf("whole: %q, %v; in pieces: %q, %v", whole, wholeErr, pieces, piecesErr)
		}
		if wholeErr != nil {
			return
		}
		want, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(data)))
		if err != nil || !bytes.Equal(want, whole) {
			t.Errorf("the standard library reads %q, %v; we read %q", want, err, whole)
		}
	})
}

// readChunked decodes a chunked body that arrives in pieces and is read with a buffer of the given size.
func readChunked(data []byte, piece, size int) ([]byte, error) {
	nc := &scripted{data: data, piece: piece}
	decoder := &chunked{conn: &conn{nc: nc, raw: nc}, limit: 1 << 10, setTrailer: func(http.Header) {}}
	var all []byte
	buffer := make([]byte, size)
	for {
		n, err := decoder.read(buffer)
		all = append(all, buffer[:n]...)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}

// FuzzResponse reads whole responses. What we read to its end without complaint the standard library has to read to
// the same end.
func FuzzResponse(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), 100)
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), 7)
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"), 1)
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 100)
	f.Fuzz(func(t *testing.T, data []byte, piece int) {
		transport := New(Options{DialContext: func(context.Context, string, string) (net.Conn, error) {
			return &scripted{data: data, piece: 1 + piece&0xffff}, nil
		}})
		defer transport.CloseIdleConnections()
		resp, err := transport.RoundTrip(newRequest(t, http.MethodPost, "http://upstream.test/", "x"))
		if err != nil {
			if _, ok := KindOf(err); !ok {
				t.Errorf("error without a kind: %v", err)
			}
			return
		}
		defer func() { _ = resp.Body.Close() }()
		got, err := io.ReadAll(resp.Body)
		if err != nil {
			return
		}
		want, err := standardResponse(data)
		if err != nil {
			t.Fatalf("the standard library refuses the response: %v", err)
		}
		if want.code != resp.StatusCode || want.body != string(got) {
			t.Errorf("the standard library reads %d %q, we read %d %q", want.code, want.body, resp.StatusCode, got)
		}
	})
}

type readResponse struct {
	code int
	body string
}

func standardResponse(data []byte) (readResponse, error) {
	reader := bufio.NewReader(bytes.NewReader(data))
	for {
		resp, err := http.ReadResponse(reader, &http.Request{Method: http.MethodPost})
		if err != nil {
			return readResponse{}, err
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode >= 200 || err != nil {
			return readResponse{resp.StatusCode, string(body)}, err
		}
	}
}
