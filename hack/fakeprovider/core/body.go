package core

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strconv"
)

// splitWriter passes bytes on in pieces, each flushed on its own. Size 0 passes every write on whole.
type splitWriter struct {
	w    http.ResponseWriter
	size int
}

func (s splitWriter) Write(p []byte) (int, error) {
	for written := 0; written < len(p); {
		size := len(p) - written
		if s.size > 0 {
			size = min(size, s.size)
		}
		n, err := s.w.Write(p[written : written+size])
		written += n
		if err == nil {
			err = http.NewResponseController(s.w).Flush()
		}
		if err != nil {
			return written, err
		}
	}
	return len(p), nil
}

// corruptWriter flips all bits after the ten bytes of a gzip header.
type corruptWriter struct {
	w    io.Writer
	seen int
}

func (c *corruptWriter) Write(p []byte) (int, error) {
	flipped := bytes.Clone(p)
	for i := range flipped {
		if c.seen+i >= 10 {
			flipped[i] = ^flipped[i]
		}
	}
	c.seen += len(p)
	return c.w.Write(flipped)
}

// replyBody is the body of an answer behind compression and splitting.
type replyBody struct {
	x    *Exchange
	out  io.Writer
	gzip *gzip.Writer
	// frame puts an event on the wire, in a stream.
	frame func(Event) []byte
	sent  int // events
}

// openBody sends the headers of a 200 answer. Length -1 means chunked.
func (x *Exchange) openBody(contentType string, length int) *replyBody {
	split := splitWriter{x.w, x.Settings.WriteBytes}
	if x.Fault.Kind == FaultSplit {
		split.size = max(1, x.Fault.Bytes)
	}
	body := &replyBody{x: x, out: split}
	x.setHeaders(contentType)
	switch {
	case x.Fault.Kind == FaultBrokenGzip:
		body.gzip = gzip.NewWriter(&corruptWriter{w: split})
	case x.compresses():
		body.gzip = gzip.NewWriter(split)
	case length >= 0:
		x.w.Header().Set("Content-Length", strconv.Itoa(length))
	}
	if body.gzip != nil {
		body.out = body.gzip
		x.w.Header().Set("Content-Encoding", "gzip")
	}
	x.w.WriteHeader(http.StatusOK)
	x.update(func(r *Record) { r.Status = http.StatusOK })
	return body
}

// compresses tells whether the answer is sent as gzip. Truncate speaks of a length, which excludes it.
func (x *Exchange) compresses() bool {
	switch {
	case x.Fault.Kind == FaultTruncate:
		return false
	case x.Fault.Kind == FaultGzip, x.Settings.Compression == CompressAlways:
		return true
	}
	return x.Settings.Compression == CompressWhenAsked && x.acceptsGzip()
}

// write sends bytes to the wire now.
func (b *replyBody) write(p []byte) error {
	if b.x.R.Context().Err() != nil {
		return errClientLeft
	}
	if _, err := b.out.Write(p); err != nil {
		return errClientLeft
	}
	if b.gzip == nil {
		return nil
	}
	if err := b.gzip.Flush(); err != nil {
		return errClientLeft
	}
	return nil
}

// close ends the body properly.
func (b *replyBody) close() error {
	if b.gzip == nil {
		return nil
	}
	if err := b.gzip.Close(); err != nil {
		return errClientLeft
	}
	return nil
}

// cuts tells whether the fault has a cut point.
func (f Fault) cuts() bool {
	switch f.Kind {
	case FaultCloseMidBody, FaultTruncate, FaultEndEarly, FaultStall, FaultErrorEvent:
		return true
	case FaultStatus, FaultHTML, FaultDelay, FaultHang, FaultClose, FaultReset, FaultCloseMidHeaders, FaultHugeLine, FaultInvalidUTF8, FaultGzip,
		FaultBrokenGzip, FaultSplit, FaultNoUsage:
	}
	return false
}

// cut plays the fault at its cut point. It never returns nil.
func (b *replyBody) cut() error {
	switch b.x.Fault.Kind {
	case FaultStall:
		return b.x.untilClientLeaves()
	case FaultEndEarly:
		return errors.Join(errEndedEarly, b.close())
	case FaultErrorEvent:
		if err := b.writeEvent(b.x.errorEvent()); err != nil {
			return err
		}
		return errors.Join(errEndedEarly, b.close())
	default:
		return errBroken
	}
}

// SSE frames an event as server-sent events do, with its name if it has one.
func SSE(e Event) []byte {
	var out []byte
	if e.Name != "" {
		out = append(append(append(out, "event: "...), e.Name...), '\n')
	}
	return append(append(append(out, "data: "...), e.Data...), "\n\n"...)
}
