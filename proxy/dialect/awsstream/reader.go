package awsstream

import (
	"errors"
	"io"

	"signalbox.dev/signalbox/proxy/dialect/sse"
)

const (
	// minRead is the room for one read from the stream.
	minRead = 4 << 10
	// maxEmptyReads is how often a stream may return neither bytes nor an error in a row.
	maxEmptyReads = 100
)

// Mode is what the frames of a stream hold.
type Mode int

// The modes.
const (
	// Converse is the stream of ConverseStream: an event's name is the frame's event type, its data the frame's payload.
	Converse Mode = iota
	// Invoke is the stream of InvokeModelWithResponseStream: each payload wraps an event of the model's own dialect, whose name is its member "type". So
	// the events are those that Anthropic sends, byte for byte.
	Invoke
)

// Reader splits a stream into its events, however the bytes arrive. Exceptions become events with the name "error" in the form in which Anthropic has
// them, in both modes; the exception's name is the code.
type Reader struct {
	source io.Reader
	limit  int
	mode   Mode
	// buffer holds what was read; the current frame begins at start.
	buffer []byte
	start  int
	// raw is the current event, and decoded what it was unwrapped from.
	raw, decoded []byte
	// ended is what the source ended with, and failed what made the stream unreadable.
	ended, failed error
}

// NewReader reads from source. A frame may have at most limit bytes; 0 is sse.DefaultMaxEventBytes.
func NewReader(source io.Reader, limit int, mode Mode) *Reader {
	if limit <= 0 {
		limit = sse.DefaultMaxEventBytes
	}
	return &Reader{source: source, limit: limit, mode: mode}
}

// Next returns the next event, which is valid until the next call. At the end of the stream it returns io.EOF, and io.ErrUnexpectedEOF where that is
// inside a frame. Other errors are those of the source, *sse.TooLargeError, and those of a frame that is damaged or no frame at all.
func (r *Reader) Next() (sse.Event, error) {
	for r.failed == nil {
		data, err := r.frame()
		if err != nil {
			r.failed = err
			break
		}
		event, ok, err := r.event(data)
		if err != nil {
			r.failed = err
			break
		}
		if ok {
			return event, nil
		}
	}
	return sse.Event{}, r.failed
}

// frame returns the bytes of the next frame.
func (r *Reader) frame() ([]byte, error) {
	if err := r.need(preludeBytes); err != nil {
		if errors.Is(err, io.EOF) && r.start < len(r.buffer) {
			return nil, io.ErrUnexpectedEOF
		}
		return nil, err
	}
	size, err := prelude(r.buffer[r.start:])
	if err != nil {
		return nil, err
	}
	if size > r.limit {
		return nil, &sse.TooLargeError{Limit: r.limit}
	}
	if err := r.need(size); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, io.ErrUnexpectedEOF
		}
		return nil, err
	}
	data := r.buffer[r.start : r.start+size]
	r.start += size
	return data, nil
}

// need reads until the buffer holds size bytes of the current frame. What a frame claims to be is never taken for granted: the buffer grows with what
// came.
func (r *Reader) need(size int) error {
	empty := 0
	for len(r.buffer)-r.start < size {
		if r.ended != nil {
			return r.ended
		}
		r.makeRoom()
		n, err := r.source.Read(r.buffer[len(r.buffer):cap(r.buffer)])
		r.buffer = r.buffer[:len(r.buffer)+n]
		r.ended = err
		if n > 0 || err != nil {
			empty = 0
			continue
		}
		if empty++; empty == maxEmptyReads {
			r.ended = io.ErrNoProgress
		}
	}
	return nil
}

// makeRoom leaves at least minRead bytes behind the buffer's content.
func (r *Reader) makeRoom() {
	if r.start > 0 && (r.start == len(r.buffer) || cap(r.buffer)-len(r.buffer) < minRead) {
		kept := copy(r.buffer, r.buffer[r.start:])
		r.buffer, r.start = r.buffer[:kept], 0
	}
	if cap(r.buffer)-len(r.buffer) < minRead {
		grown := make([]byte, len(r.buffer), 2*cap(r.buffer)+minRead)
		copy(grown, r.buffer)
		r.buffer = grown
	}
}
