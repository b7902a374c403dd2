package upstream

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

var errReadAfterClose = errors.New("read on closed response body")

// decoder finds the end of one response body on a connection.
type decoder interface {
	// read returns what is there, and io.EOF, with the last bytes or alone, at the end of the body.
	read(p []byte) (int, error)
	// discardBuffered skips body bytes that have arrived already, and says whether that reached the body's end.
	discardBuffered() bool
}

// body is a response body that gives its connection back at its end. Read never waits for more than the first byte.
type body struct {
	ctx     context.Context // a body outlives RoundTrip and is cancelled with its request
	conn    *conn
	decoder decoder
	// stop ends the watch on ctx; false means that the connection is closed or about to be.
	stop func() bool
	// release takes the connection back after the body's end.
	release func(*conn)
	reuse   bool
	// server is the one of several servers that sends the body; nil where the host has one.
	server *replica

	mu   sync.Mutex // held while reading; Close takes it only when it is free
	err  error      // what every further read returns
	done atomic.Bool
}

// Read returns body bytes as they arrive. Its errors are io.EOF and *Error of kind BodyBroken.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return 0, b.err
	}
	if b.done.Load() {
		return 0, errReadAfterClose
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := b.decoder.read(p)
	if err == nil {
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		b.err = io.EOF
		b.finish()
		return n, io.EOF
	}
	b.err = fail(b.ctx, b.conn, BodyBroken, err)
	if b.end() {
		b.stop()
		b.conn.close()
	}
	return n, b.err
}

// Close ends the body. Before the body's end it closes the connection, and thereby tells the server to stop, unless
// the rest has arrived already. It may be called while another goroutine reads.
func (b *body) Close() error {
	if b.mu.TryLock() {
		if !b.done.Load() && b.decoder.discardBuffered() {
			b.finish()
		}
		b.mu.Unlock()
	}
	if b.end() {
		b.stop()
		b.conn.close()
	}
	return nil
}

// end says whether this is the call that ends the body.
func (b *body) end() bool {
	if !b.done.CompareAndSwap(false, true) {
		return false
	}
	b.server.leave()
	return true
}

// finish gives the connection back after the last byte of the body.
func (b *body) finish() {
	if !b.end() {
		return
	}
	if b.stop() && b.reuse && b.conn.clean() {
		b.release(b.conn)
		return
	}
	b.conn.close()
}

// fixed is a body of known length.
type fixed struct {
	conn      *conn
	remaining int64
}

func (f *fixed) read(p []byte) (int, error) {
	if int64(len(p)) > f.remaining {
		p = p[:f.remaining]
	}
	n, err := f.conn.read(p)
	f.remaining -= int64(n)
	if f.remaining == 0 {
		return n, io.EOF
	}
	return n, truncated(err)
}

func (f *fixed) discardBuffered() bool {
	skipped := min(f.remaining, int64(f.conn.buffered()))
	f.conn.start += int(skipped)
	f.remaining -= skipped
	return f.remaining == 0
}

// closeDelimited is a body that ends with its connection.
type closeDelimited struct {
	conn *conn
}

func (c *closeDelimited) read(p []byte) (int, error) { return c.conn.read(p) }

func (c *closeDelimited) discardBuffered() bool { return false }

// truncated turns the end of the connection into what it means inside a body whose end is marked otherwise.
func truncated(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
