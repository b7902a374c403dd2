package server

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

// Sizes of buffers.
const (
	// smallBuffer is what every request may have without asking; only what is above it counts towards the bound.
	smallBuffer = 64 << 10
	// pooledBuffer is the largest buffer that is kept for the next request.
	pooledBuffer = 512 << 10
	// firstBuffer is where a buffer starts when nothing is known of what comes.
	firstBuffer = 4 << 10
	// trustedLength is how much is made room for because a length was declared; beyond it a buffer grows by what really comes.
	trustedLength = 1 << 20
)

var (
	errTooLarge  = errors.New("more bytes than the limit")
	errNoBuffers = errors.New("the buffers of all requests together are full")
)

// buffer holds one body.
type buffer struct {
	bytes   []byte
	counted int64
}

// len is the number of bytes held; a nil buffer holds none.
func (b *buffer) len() int64 {
	if b == nil {
		return 0
	}
	return int64(len(b.bytes))
}

// bufferPool lends buffers and bounds what they take together.
type bufferPool struct {
	pool  *sync.Pool
	held  *atomic.Int64
	bound int64
}

func newBufferPool(bound int64) bufferPool {
	return bufferPool{
		pool:  &sync.Pool{New: func() any { return &buffer{bytes: make([]byte, 0, firstBuffer)} }},
		held:  &atomic.Int64{},
		bound: bound,
	}
}

// get lends an empty buffer.
func (p bufferPool) get() *buffer {
	b, _ := p.pool.Get().(*buffer)
	b.bytes = b.bytes[:0]
	b.counted = max(0, int64(cap(b.bytes))-smallBuffer)
	p.held.Add(b.counted)
	return b
}

// put takes a buffer back; nil is fine. Nobody may use it afterwards.
func (p bufferPool) put(b *buffer) {
	if b == nil {
		return
	}
	p.held.Add(-b.counted)
	b.counted = 0
	if cap(b.bytes) <= pooledBuffer {
		p.pool.Put(b)
	}
}

// recount counts what a buffer has grown to while others wrote into it.
func (p bufferPool) recount(b *buffer) {
	counted := max(0, int64(cap(b.bytes))-smallBuffer)
	p.held.Add(counted - b.counted)
	b.counted = counted
}

// drop takes a buffer's memory back without lending it again: others may still read it.
func (p bufferPool) drop(b *buffer) { p.held.Add(-b.counted) }

// grow makes room for at least one more byte, and up to size bytes in all where that is more.
func (p bufferPool) grow(b *buffer, size int64) error {
	return p.resize(b, max(size, 2*int64(cap(b.bytes)), firstBuffer))
}

// resize moves the buffer's bytes to memory of that size, if there is so much.
func (p bufferPool) resize(b *buffer, target int64) error {
	counted := max(0, target-smallBuffer)
	if p.held.Add(counted-b.counted) > p.bound && counted > 0 {
		p.held.Add(b.counted - counted)
		return errNoBuffers
	}
	b.counted = counted
	grown := make([]byte, len(b.bytes), target)
	copy(grown, b.bytes)
	b.bytes = grown
	return nil
}

// append adds bytes.
func (p bufferPool) append(b *buffer, data []byte) error {
	if need := len(b.bytes) + len(data); need > cap(b.bytes) {
		if err := p.grow(b, int64(need)); err != nil {
			return err
		}
	}
	b.bytes = append(b.bytes, data...)
	return nil
}

// reading says how a body is read.
type reading struct {
	// limit of the body; more is errTooLarge.
	limit int64
	// declared is the length that was announced; below 0 if none was.
	declared int64
	// spare is how many bytes more there should be room for in the end.
	spare int64
	// before is called before each read with the bytes read so far; may be nil.
	before func(read int64)
}

// readAll reads until the end, and the end itself, which is what tells net/http's server to watch the connection.
func (p bufferPool) readAll(b *buffer, from io.Reader, o reading) error {
	if o.declared+o.spare >= int64(cap(b.bytes)) {
		// One byte more, so that the end is found without growing.
		if err := p.grow(b, min(o.declared, trustedLength)+o.spare+1); err != nil {
			return err
		}
	}
	for {
		if len(b.bytes) == cap(b.bytes) {
			if err := p.grow(b, 0); err != nil {
				return err
			}
		}
		if o.before != nil {
			o.before(int64(len(b.bytes)))
		}
		n, err := from.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		switch {
		case int64(len(b.bytes)) > o.limit:
			return errTooLarge
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}
