package upstream

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

const okHead = "HTTP/1.1 200 OK\r\n"

func TestBadHeads(t *testing.T) {
	cases := map[string]struct {
		reply string
		kind  Kind
	}{
		"nothing":                        {"", SentNoResponse},
		"half a head":                    {"HTTP/1.1 200 OK\r\nContent-Le", SentNoResponse},
		"interim only":                   {"HTTP/1.1 100 Continue\r\n\r\n", SentNoResponse},
		"not HTTP":                       {"SSH-2.0-OpenSSH_9.2\r\n", BadResponse},
		"HTTP/2 frame":                   {"\x00\x00\x12\x04\x00\x00\x00\x00\x00", BadResponse},
		"HTTP/2 version":                 {"HTTP/2 200 OK\r\n\r\n", BadResponse},
		"version 1.2":                    {"HTTP/1.2 200 OK\r\n\r\n", BadResponse},
		"status of two digits":           {"HTTP/1.1 20 OK\r\n\r\n", BadResponse},
		"status of four digits":          {"HTTP/1.1 2000 OK\r\n\r\n", BadResponse},
		"status below 100":               {"HTTP/1.1 099 OK\r\n\r\n", BadResponse},
		"switching protocols":            {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", BadResponse},
		"endless interim responses":      {strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 100), BadResponse},
		"no colon":                       {okHead + "Nonsense\r\nContent-Length: 0\r\n\r\n", BadResponse},
		"empty name":                     {okHead + ": x\r\nContent-Length: 0\r\n\r\n", BadResponse},
		"space before colon":             {okHead + "Content-Length : 0\r\n\r\n", BadResponse},
		"folded line":                    {okHead + "X-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n", BadResponse},
		"null byte":                      {okHead + "X-A: a\x00b\r\nContent-Length: 0\r\n\r\n", BadResponse},
		"bare carriage return":           {okHead + "X-A: a\rContent-Length: 5\r\nContent-Length: 0\r\n\r\n", BadResponse},
		"length and chunked":             {okHead + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BadResponse},
		"differing lengths":              {okHead + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", BadResponse},
		"list of lengths":                {okHead + "Content-Length: 5, 5\r\n\r\nhello", BadResponse},
		"negative length":                {okHead + "Content-Length: -5\r\n\r\nhello", BadResponse},
		"signed length":                  {okHead + "Content-Length: +5\r\n\r\nhello", BadResponse},
		"hexadecimal length":             {okHead + "Content-Length: 0x5\r\n\r\nhello", BadResponse},
		"empty length":                   {okHead + "Content-Length:\r\n\r\nhello", BadResponse},
		"length beyond int64":            {okHead + "Content-Length: 9223372036854775808\r\n\r\nhello", BadResponse},
		"unknown transfer coding":        {okHead + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", BadResponse},
		"obfuscated transfer coding":     {okHead + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", BadResponse},
		"two transfer codings":           {okHead + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", BadResponse},
		"chunked in HTTP/1.0":            {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BadResponse},
		"bad framing without body":       {"HTTP/1.1 204 No Content\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", BadResponse},
		"endless head":                   {okHead + "X-A: " + strings.Repeat("a", 1<<20), BadResponse},
		"head just over the limit":       {okHead + "X-A: " + strings.Repeat("a", 8<<10) + "\r\n\r\n", BadResponse},
		"more fields than anybody needs": {okHead + strings.Repeat("a:b\r\n", maxFields+1) + "\r\n", BadResponse},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := newRawServer(t, func(c *rawConn, _ int) {
				if c.request() != nil {
					c.send(tc.reply)
				}
			})
			transport := newTransport(t, func(o *Options) { o.MaxHeaderBytes = 8 << 10 })
			resp, err := transport.RoundTrip(newRequest(t, http.MethodPost, server.url, "x"))
			if err == nil {
				_ = resp.Body.Close()
				t.Fatalf("got %s, want an error", resp.Status)
			}
			if kind, _ := KindOf(err); kind != tc.kind {
				t.Errorf("got %v, want kind %v", err, tc.kind)
			}
			if n := server.conns.Load(); n != 1 {
				t.Errorf("%d connections, want 1: a request that was sent is not sent again", n)
			}
		})
	}
}

func TestBadBodies(t *testing.T) {
	const chunkedHead = okHead + "Transfer-Encoding: chunked\r\n\r\n"
	cases := map[string]struct {
		reply, before string
		want          error
	}{
		"short of its length":         {okHead + "Content-Length: 10\r\n\r\nhello", "hello", io.ErrUnexpectedEOF},
		"no last chunk":               {chunkedHead + "5\r\nhello\r\n", "hello", io.ErrUnexpectedEOF},
		"cut inside a chunk":          {chunkedHead + "a\r\nhello", "hello", io.ErrUnexpectedEOF},
		"cut inside a size":           {chunkedHead + "5\r\nhello\r\n1", "hello", io.ErrUnexpectedEOF},
		"cut before the last line":    {chunkedHead + "5\r\nhello\r\n0\r\n", "hello", io.ErrUnexpectedEOF},
		"cut inside the trailer":      {chunkedHead + "5\r\nhello\r\n0\r\nX-A: 1\r\n", "hello", io.ErrUnexpectedEOF},
		"empty size":                  {chunkedHead + "\r\nhello\r\n0\r\n\r\n", "", errChunkSize},
		"size that is no number":      {chunkedHead + "zz\r\nhello\r\n0\r\n\r\n", "", errChunkSize},
		"size with prefix":            {chunkedHead + "0x5\r\nhello\r\n0\r\n\r\n", "", errChunkSize},
		"signed size":                 {chunkedHead + "+5\r\nhello\r\n0\r\n\r\n", "", errChunkSize},
		"negative size":               {chunkedHead + "-5\r\nhello\r\n0\r\n\r\n", "", errChunkSize},
		"space before the size":       {chunkedHead + " 5\r\nhello\r\n0\r\n\r\n", "", errChunkSize},
		"text after the size":         {chunkedHead + "5 5\r\nhello\r\n0\r\n\r\n", "", errChunkSize},
		"size that overflows":         {chunkedHead + "10000000000000005\r\nhello\r\n0\r\n\r\n", "", errChunkSize},
		"size line without return":    {chunkedHead + "5\nhello\r\n0\r\n\r\n", "", errBareLF},
		"bare line feed in extension": {chunkedHead + "5;a\nb\r\nhello\r\n0\r\n\r\n", "", errBareLF},
		"endless size line":           {chunkedHead + "5;" + strings.Repeat("a", 1<<20), "", errLineTooLong},
		"chunk longer than its size":  {chunkedHead + "3\r\nhello\r\n0\r\n\r\n", "hel", errChunkEnd},
		"chunk end without return":    {chunkedHead + "5\r\nhello\n0\r\n\r\n", "hello", errBareLF},
		"framing in the trailer":      {chunkedHead + "5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n", "hello", errTrailerField},
		"endless trailer":             {chunkedHead + "5\r\nhello\r\n0\r\n" + strings.Repeat("X-A: 1\r\n", 1<<17), "hello", errHeadTooLarge},
		"endless trailer line":        {chunkedHead + "5\r\nhello\r\n0\r\nX-A: " + strings.Repeat("a", 1<<20), "hello", errLineTooLong},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := newRawServer(t, func(c *rawConn, _ int) {
				if c.request() != nil {
					c.send(tc.reply)
				}
			})
			resp, err := newTransport(t, nil).RoundTrip(newRequest(t, http.MethodPost, server.url, "x"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			got, err := io.ReadAll(resp.Body)
			if kind, _ := KindOf(err); kind != BodyBroken || !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v of kind %v", err, tc.want, BodyBroken)
			}
			if string(got) != tc.before {
				t.Errorf("read %q before the error, want %q", got, tc.before)
			}
			if n, again := resp.Body.Read(make([]byte, 1)); n != 0 || !errors.Is(again, tc.want) {
				t.Errorf("the next read returned %d, %v", n, again)
			}
		})
	}
}
