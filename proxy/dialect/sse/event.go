package sse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// DefaultMaxEventBytes bounds one event of a stream where the caller has no bound of its own.
const DefaultMaxEventBytes = 16 << 20

const (
	// minRead is the room for one read from the stream.
	minRead = 4 << 10
	// keepBuffer is the largest buffer that outlives its stream.
	keepBuffer = 64 << 10
	// maxEmptyReads is how often a stream may return neither bytes nor an error in a row.
	maxEmptyReads = 100
)

// Event is one event of a stream. It is valid until the next call of Reader.Next.
type Event struct {
	// Raw are all bytes of the event with the blank line behind it.
	Raw []byte
	// Data is the text of its data lines, joined by line feeds; nil when it has none, as keep-alive comments.
	Data []byte
	// Name is the value of its event line; nil when it has none.
	Name []byte

	// DataAt is the offset of Data in Raw while there is one data line only; otherwise -1.
	DataAt int
}

// TooLargeError is returned for an event above the limit.
type TooLargeError struct {
	// Limit in bytes.
	Limit int
}

// Error implements error.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("an event of the stream has more than %d bytes", e.Limit)
}

// Reader splits a stream of server-sent events into its events, however the bytes arrive. Lines end with LF, CRLF or CR.
type Reader struct {
	source io.Reader
	limit  int
	// buffer holds what was read; the current event begins at start and, once it was returned, has size bytes.
	buffer      []byte
	start, size int
	// joined is the data of an event with several data lines.
	joined []byte
	// begun tells that the beginning of the stream was seen, where a byte order mark may stand.
	begun bool
	// afterCR tells that what was read so far ends with the CR of a line: a LF that comes next belongs to it.
	afterCR bool
	// err ends the stream once the buffer is used up.
	err error
}

// NewReader reads from source. An event may have at most limit bytes; 0 is DefaultMaxEventBytes.
func NewReader(source io.Reader, limit int) *Reader {
	if limit <= 0 {
		limit = DefaultMaxEventBytes
	}
	return &Reader{source: source, limit: limit}
}

// Reset makes r read from source, with the limit it has. It keeps buffers of common size.
func (r *Reader) Reset(source io.Reader) {
	fresh := Reader{source: source, limit: r.limit}
	if cap(r.buffer) <= keepBuffer && cap(r.joined) <= keepBuffer {
		fresh.buffer, fresh.joined = r.buffer[:0], r.joined[:0]
	}
	*r = fresh
}

// Next returns the next event. At the end of the stream it returns io.EOF, after an event that lacks only its blank line. Other errors are those of the
// source, which lose the event that they cut, and *TooLargeError.
func (r *Reader) Next() (Event, error) {
	r.start += r.size
	r.size = 0
	var c cursor
	for {
		from, to, ok := r.nextLine(&c)
		switch {
		case !ok:
			if err := r.fill(); err != nil {
				return r.last(&c, err)
			}
		case from < to:
			r.field(&c, from, to)
		case c.lines > 0:
			return r.event(&c)
		default: // A blank line without an event before it.
			r.start += c.line
			c = cursor{}
		}
	}
}

// cursor is how far the current event was read. All offsets count from its beginning.
type cursor struct {
	// lines of the event so far, and how many of them are data lines.
	lines, dataLines int
	// line is where the current line begins, scanned how far it is known not to end.
	line, scanned int
	// The values of the first data line and of the last event line.
	dataAt, dataEnd, nameAt, nameEnd int
}

// pending is what was read of the current event, and whatever came with it.
func (r *Reader) pending() []byte { return r.buffer[r.start:] }

// nextLine returns where the next line begins and ends; false when more must be read.
func (r *Reader) nextLine(c *cursor) (from, to int, ok bool) {
	if !r.atText(c) {
		return 0, 0, false
	}
	p := r.pending()
	length := bytes.IndexByte(p[c.scanned:], '\n')
	if length < 0 {
		length = len(p) - c.scanned
	}
	if cr := bytes.IndexByte(p[c.scanned:c.scanned+length], '\r'); cr >= 0 {
		length = cr
	}
	end := c.scanned + length
	if end == len(p) {
		c.scanned = end
		return 0, 0, false
	}
	from, c.line = c.line, end+1
	if p[end] == '\r' {
		r.afterCR = c.line == len(p)
		if !r.afterCR && p[c.line] == '\n' {
			c.line++
		}
	}
	c.scanned = c.line
	return from, end, true
}

// atText steps over what may stand before a line and is not part of it: a byte order mark, and the LF of a CRLF that was split. It returns false when
// that cannot be told yet.
func (r *Reader) atText(c *cursor) bool {
	if !r.begun {
		const mark = "\xef\xbb\xbf"
		p := r.pending()
		if len(p) < len(mark) && string(p) == mark[:len(p)] && r.err == nil {
			return false
		}
		if bytes.HasPrefix(p, []byte(mark)) {
			r.start += len(mark)
		}
		r.begun = true
	}
	p := r.pending()
	if !r.afterCR || c.line == len(p) {
		return c.line < len(p)
	}
	r.afterCR = false
	switch {
	case p[c.line] != '\n':
	case c.line == 0:
		r.start++
	default:
		c.line++
		c.scanned = c.line
	}
	return true
}

// field takes in one line that is not blank.
func (r *Reader) field(c *cursor, from, to int) {
	c.lines++
	p := r.pending()
	name, value, hasValue := bytes.Cut(p[from:to], []byte(":"))
	at := to - len(value)
	if hasValue && at < to && p[at] == ' ' {
		at++
	}
	switch string(name) {
	case "event":
		c.nameAt, c.nameEnd = at, to
	case "data":
		c.dataLines++
		if c.dataLines == 1 {
			c.dataAt, c.dataEnd = at, to
			return
		}
		if c.dataLines == 2 {
			r.joined = append(r.joined[:0], p[c.dataAt:c.dataEnd]...)
		}
		r.joined = append(append(r.joined, '\n'), p[at:to]...)
	}
}

// event returns the event that c went over.
func (r *Reader) event(c *cursor) (Event, error) {
	if c.line > r.limit {
		r.err = &TooLargeError{Limit: r.limit}
		return Event{}, r.err
	}
	r.size = c.line
	p := r.pending()
	event := Event{Raw: p[:c.line], DataAt: -1}
	switch {
	case c.dataLines == 1:
		event.Data, event.DataAt = p[c.dataAt:c.dataEnd], c.dataAt
	case c.dataLines > 1:
		event.Data = r.joined
	}
	if c.nameEnd > 0 {
		event.Name = p[c.nameAt:c.nameEnd]
	}
	return event, nil
}

// last returns the event that the end of the stream left without its blank line, if there is one.
func (r *Reader) last(c *cursor, err error) (Event, error) {
	if !errors.Is(err, io.EOF) {
		return Event{}, err
	}
	if rest := len(r.pending()); c.line < rest {
		r.field(c, c.line, rest)
		r.buffer = append(r.buffer, '\n')
	}
	if c.lines == 0 {
		r.size = len(r.pending())
		return Event{}, io.EOF
	}
	r.buffer = append(r.buffer, '\n')
	c.line = len(r.pending())
	return r.event(c)
}

// fill reads more of the current event. A nil error means that there is more, or that the end was not yet looked at.
func (r *Reader) fill() error {
	if r.err != nil {
		return r.err
	}
	if len(r.pending()) > r.limit {
		r.err = &TooLargeError{Limit: r.limit}
		return r.err
	}
	r.makeRoom()
	for range maxEmptyReads {
		n, err := r.source.Read(r.buffer[len(r.buffer):cap(r.buffer)])
		r.buffer = r.buffer[:len(r.buffer)+n]
		r.err = err
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	r.err = io.ErrNoProgress
	return r.err
}

// makeRoom leaves at least minRead bytes behind the buffer's content.
func (r *Reader) makeRoom() {
	if r.start == len(r.buffer) {
		r.buffer, r.start = r.buffer[:0], 0
	}
	if cap(r.buffer)-len(r.buffer) >= minRead {
		return
	}
	if r.start > 0 {
		kept := copy(r.buffer, r.pending())
		r.buffer, r.start = r.buffer[:kept], 0
	}
	if cap(r.buffer)-len(r.buffer) < minRead {
		grown := make([]byte, len(r.buffer), 2*cap(r.buffer)+minRead)
		copy(grown, r.buffer)
		r.buffer = grown
	}
}
