package upstream

import (
	"errors"
	"io"
	"net/http"
)

const (
	// maxChunkLine bounds a chunk-size line with its extensions, which no provider is known to use.
	maxChunkLine = 512
	// maxTrailerLine bounds one trailer field; a line has to fit into the read buffer.
	maxTrailerLine = readBufferSize - 2
)

var (
	errChunkSize    = errors.New("malformed chunk size")
	errChunkEnd     = errors.New("chunk is longer than its size")
	errTrailerField = errors.New("trailer field that is not allowed in a trailer")
)

type chunkState int

const (
	atSize chunkState = iota
	inData
	atDataEnd
	inTrailer
)

// chunked is a body in the chunked transfer coding. It is stricter than RFC 9112 asks: line ends are CRLF, nothing
// stands around a chunk size but extensions.
type chunked struct {
	conn      *conn
	limit     int // bytes of trailer
	state     chunkState
	remaining int64 // of the chunk
	trailer   []byte
	// setTrailer receives the trailer fields, if there are any, before the body's end is reported.
	setTrailer func(http.Header)
}

func (d *chunked) read(p []byte) (int, error) {
	n := 0
	for n < len(p) || d.state != inData {
		var err error
		if d.state == inData {
			if n > 0 && d.conn.buffered() == 0 {
				return n, nil
			}
			var m int
			m, err = d.data(p[n:])
			n += m
		} else {
			var found bool
			found, err = d.frameLine()
			if !found && err == nil {
				if n > 0 {
					return n, nil
				}
				err = truncated(d.conn.fill(readBufferSize))
			}
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// data reads bytes of the current chunk. A short chunk is read through the buffer, so that its end and the next
// chunk's size come with the same system call.
func (d *chunked) data(p []byte) (int, error) {
	if int64(len(p)) > d.remaining {
		p = p[:d.remaining]
		if d.conn.buffered() == 0 && d.remaining < readBufferSize {
			if err := d.conn.fill(readBufferSize); err != nil {
				return 0, truncated(err)
			}
		}
	}
	n, err := d.conn.read(p)
	d.consumed(n)
	return n, truncated(err)
}

func (d *chunked) consumed(n int) {
	d.remaining -= int64(n)
	if d.remaining == 0 {
		d.state = atDataEnd
	}
}

// frameLine takes one line of framing from the buffer; false means that its end has not arrived. It returns io.EOF
// at the end of the body.
func (d *chunked) frameLine() (bool, error) {
	limit := maxChunkLine
	if d.state == inTrailer {
		limit = maxTrailerLine
	}
	line, found, err := d.conn.line(limit)
	if err != nil || !found {
		return false, err
	}
	switch d.state {
	case atSize:
		d.remaining, err = parseChunkSize(line)
		d.state = inData
		if d.remaining == 0 {
			d.state = inTrailer
		}
	case atDataEnd:
		d.state = atSize
		if len(line) > 0 {
			err = errChunkEnd
		}
	case inTrailer:
		err = d.trailerLine(line)
	case inData:
		err = errChunkEnd
	}
	return true, err
}

func (d *chunked) trailerLine(line []byte) error {
	d.trailer = append(append(d.trailer, line...), '\r', '\n')
	if len(d.trailer) > d.limit {
		return errHeadTooLarge
	}
	if len(line) > 0 {
		return nil
	}
	if len(d.trailer) == 2 {
		return io.EOF
	}
	fields, err := parseFields(string(d.trailer))
	if err != nil {
		return err
	}
	for _, name := range []string{"Transfer-Encoding", "Content-Length", "Trailer", "Connection", "Host"} {
		if _, found := fields[name]; found {
			return errTrailerField
		}
	}
	d.setTrailer(fields)
	return io.EOF
}

func (d *chunked) discardBuffered() bool {
	for {
		if d.state != inData {
			found, err := d.frameLine()
			if err != nil || !found {
				return errors.Is(err, io.EOF)
			}
			continue
		}
		if d.conn.buffered() == 0 {
			return false
		}
		skipped := int(min(d.remaining, int64(d.conn.buffered())))
		d.conn.start += skipped
		d.consumed(skipped)
	}
}

// parseChunkSize reads hexadecimal digits, then nothing or an extension.
func parseChunkSize(line []byte) (int64, error) {
	var size int64
	digits := 0
	for _, b := range line {
		nibble, ok := fromHex(b)
		if !ok {
			break
		}
		if digits++; digits > 15 {
			return 0, errChunkSize // 15 digits are an exbibyte and leave no room for overflow
		}
		size = size<<4 | int64(nibble)
	}
	if digits == 0 {
		return 0, errChunkSize
	}
	extension := line[digits:]
	for len(extension) > 0 && (extension[0] == ' ' || extension[0] == '\t') {
		extension = extension[1:]
	}
	if len(extension) > 0 && extension[0] != ';' {
		return 0, errChunkSize
	}
	return size, nil
}

func fromHex(b byte) (byte, bool) {
	switch {
	case '0' <= b && b <= '9':
		return b - '0', true
	case 'a' <= b && b <= 'f':
		return b - 'a' + 10, true
	case 'A' <= b && b <= 'F':
		return b - 'A' + 10, true
	}
	return 0, false
}
