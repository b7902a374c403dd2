package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"time"
)

const (
	// readBufferSize holds the head of a usual response and a short body, so that one read fetches both.
	readBufferSize = 4 << 10
	// maxKeptBuffer is the largest read buffer that an idle connection keeps.
	maxKeptBuffer = 16 << 10
	httpPrefix    = "HTTP/1."
)

var (
	errHeadTooLarge = errors.New("response head exceeds the limit")
	errNotHTTP      = errors.New("the answer is not HTTP/1")
	errLineTooLong  = errors.New("line exceeds the limit")
	errBareLF       = errors.New("line ends without carriage return")
)

// conn is one connection to an upstream. It belongs to one request at a time; only close may be called by another
// goroutine.
type conn struct {
	key poolKey
	// nc is read and written: the TCP connection, or TLS on top of it.
	nc net.Conn
	// raw is the connection beneath TLS, or nc itself. Closing it never blocks, closing TLS may.
	raw net.Conn
	tls *tls.ConnectionState

	buf        []byte
	start, end int

	reused bool
	// maxIdle is how long the server lets the connection be idle, where it said so; else zero.
	maxIdle time.Duration
	expires time.Time
	// maxPerKey bounds the idle connections of this one's key; zero stands for the pool's own bound.
	maxPerKey int
}

func (c *conn) buffered() int { return c.end - c.start }

// close ends the connection at once, and with it every read and write on it.
func (c *conn) close() { _ = c.raw.Close() }

// fill reads once from the connection into the buffer, and grows the buffer to at most limit bytes when it is full.
func (c *conn) fill(limit int) error {
	if c.start == c.end {
		c.start, c.end = 0, 0
	}
	if c.buf == nil {
		c.buf = make([]byte, readBufferSize)
	}
	if c.end == len(c.buf) {
		if err := c.makeRoom(limit); err != nil {
			return err
		}
	}
	n, err := c.nc.Read(c.buf[c.end:])
	c.end += n
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

func (c *conn) makeRoom(limit int) error {
	if c.start > 0 {
		c.end = copy(c.buf, c.buf[c.start:c.end])
		c.start = 0
		return nil
	}
	if len(c.buf) >= limit {
		return errHeadTooLarge
	}
	grown := make([]byte, min(2*len(c.buf), max(limit, readBufferSize)))
	c.end = copy(grown, c.buf[:c.end])
	c.buf = grown
	return nil
}

// read returns buffered bytes, or else reads once from the connection directly into p.
func (c *conn) read(p []byte) (int, error) {
	if c.buffered() > 0 {
		n := copy(p, c.buf[c.start:c.end])
		c.start += n
		return n, nil
	}
	return c.nc.Read(p)
}

// head returns the next response head with its final empty line. What does not begin like one, such as an HTTP/2 frame
// or a TLS alert, is refused at once: an empty line might never come.
func (c *conn) head(limit int) (string, error) {
	scanned := 0
	for {
		if size := headSize(c.buf[c.start:c.end], &scanned); size > 0 {
			if size > limit {
				return "", errHeadTooLarge
			}
			head := string(c.buf[c.start : c.start+size])
			c.start += size
			return head, nil
		}
		if !beginsLikeHead(c.buf[c.start:c.end]) {
			return "", errNotHTTP
		}
		if c.buffered() >= limit {
			return "", errHeadTooLarge
		}
		if err := c.fill(limit); err != nil {
			return "", err
		}
	}
}

func beginsLikeHead(b []byte) bool {
	n := min(len(b), len(httpPrefix))
	return string(b[:n]) == httpPrefix[:n]
}

// headSize returns the length of the head that b starts with, or zero when its end has not come yet. It remembers in
// scanned up to which line it has looked.
func headSize(b []byte, scanned *int) int {
	for {
		i := bytes.IndexByte(b[*scanned:], '\n')
		if i < 0 {
			return 0
		}
		line := b[*scanned : *scanned+i]
		*scanned += i + 1
		if len(line) == 0 || (len(line) == 1 && line[0] == '\r') {
			return *scanned
		}
	}
}

// line takes one line, without its CRLF, from the buffer; false means that its end is not in the buffer yet. A line
// end without carriage return is refused: in chunk framing it is read differently by different programs.
func (c *conn) line(limit int) ([]byte, bool, error) {
	pending := c.buf[c.start:c.end]
	i := bytes.IndexByte(pending, '\n')
	if i < 0 {
		if len(pending) > limit {
			return nil, false, errLineTooLong
		}
		return nil, false, nil
	}
	if i > limit {
		return nil, false, errLineTooLong
	}
	if i == 0 || pending[i-1] != '\r' {
		return nil, false, errBareLF
	}
	c.start += i + 1
	return pending[:i-1], true, nil
}

// clean says whether nothing is left over from the last response. Bytes that nobody asked for would be taken for the
// answer to the next request. It never waits.
func (c *conn) clean() bool {
	if c.buffered() > 0 {
		return false
	}
	if c.tls == nil {
		return true
	}
	return c.tlsClean()
}

// tlsClean looks for bytes that TLS has read and decrypted already, which no look at the socket shows: a read whose
// deadline has passed returns them, or else the deadline's error.
func (c *conn) tlsClean() bool {
	if err := c.nc.SetReadDeadline(time.Unix(1, 0)); err != nil {
		return false
	}
	var probe [1]byte
	n, err := c.nc.Read(probe[:])
	if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	return c.nc.SetReadDeadline(time.Time{}) == nil
}

// park readies the connection for the pool.
func (c *conn) park() {
	c.reused = true
	c.start, c.end = 0, 0
	if len(c.buf) > maxKeptBuffer {
		c.buf = nil
	}
}

// watch closes the connection when ctx ends. The function it returns stops that, and says whether it came in time;
// false means that the connection is closed or about to be.
func (c *conn) watch(ctx context.Context) func() bool {
	if ctx.Done() == nil {
		return func() bool { return true }
	}
	return context.AfterFunc(ctx, c.close)
}
