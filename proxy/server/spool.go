package server

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
)

// spoolMemory is how much of a form is kept in memory, which is what every request may have without asking; what is beyond goes to a file.
const spoolMemory = smallBuffer

var (
	errFormTooLarge = errors.New("the form is larger than the limit")
	errSpool        = errors.New("the form cannot be kept on disk")
	errSpoolFull    = errors.New("the forms of all requests together fill the disk")
	errBodyClosed   = errors.New("the body was closed")
)

// spool keeps what was read of a client's body, so that it can be sent more than once: the beginning in memory, the rest in a file that has no name.
// It reads the source no faster than its readers do.
type spool struct {
	mu     sync.Mutex
	source io.Reader
	limit  int64
	size   int64 // read so far
	memory []byte
	file   *os.File
	err    error // of the source, once it has ended
	disk   *disk
}

// disk bounds what the files of all spools take together.
type disk struct {
	bound int64
	held  atomic.Int64
}

func newSpool(source io.Reader, limit int64, d *disk) *spool {
	return &spool{source: source, limit: limit, disk: d}
}

// received is how much of the source was read so far.
func (s *spool) received() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// broken is what kept the source from being read to its end; nil if nothing did.
func (s *spool) broken() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(s.err, io.EOF) {
		return nil
	}
	return s.err
}

// whole tells whether nothing has kept the source from being read.
func (s *spool) whole() bool { return s.broken() == nil }

// close gives the file back.
func (s *spool) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		_ = s.file.Close()
		s.disk.held.Add(int64(len(s.memory)) - s.size)
		s.file = nil
	}
	s.err = errBodyClosed
}

// readAt reads what was read before at that offset, or else more of the source.
func (s *spool) readAt(p []byte, at int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at < s.size && !errors.Is(s.err, errBodyClosed) {
		return s.again(p, at)
	}
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.source.Read(p)
	s.err = err
	if n > 0 {
		if kept := s.keep(p[:n]); kept != nil {
			s.err = kept
			return 0, kept
		}
	}
	return n, err
}

// again reads bytes that are kept.
func (s *spool) again(p []byte, at int64) (int, error) {
	if at < int64(len(s.memory)) {
		return copy(p, s.memory[at:]), nil
	}
	n, err := s.file.ReadAt(p[:min(int64(len(p)), s.size-at)], at-int64(len(s.memory)))
	if err != nil {
		return n, fmt.Errorf("%w: %w", errSpool, err)
	}
	return n, nil
}

// keep stores bytes of the source.
func (s *spool) keep(p []byte) error {
	if s.size+int64(len(p)) > s.limit {
		return errFormTooLarge
	}
	room := min(spoolMemory-len(s.memory), len(p))
	s.memory = append(s.memory, p[:room]...)
	s.size += int64(room)
	if p = p[room:]; len(p) == 0 {
		return nil
	}
	if s.file == nil {
		if err := s.open(); err != nil {
			return err
		}
	}
	if s.disk.held.Add(int64(len(p))) > s.disk.bound {
		s.disk.held.Add(-int64(len(p)))
		return errSpoolFull
	}
	s.size += int64(len(p))
	if _, err := s.file.Write(p); err != nil {
		return fmt.Errorf("%w: %w", errSpool, err)
	}
	return nil
}

// open makes a file that vanishes with its handle.
func (s *spool) open() error {
	file, err := os.CreateTemp("", "signalbox-form-*")
	if err != nil {
		return fmt.Errorf("%w: %w", errSpool, err)
	}
	if err := os.Remove(file.Name()); err != nil {
		_ = file.Close()
		return fmt.Errorf("%w: %w", errSpool, err)
	}
	s.file = file
	return nil
}

// span is a part of a body that is replaced.
type span struct {
	from, to int64
	text     string
}

// spoolReader reads the body from its beginning, with one span replaced. Once it is closed it reads no more, so that the spool is free for the next one.
type spoolReader struct {
	spool  *spool
	edit   span
	at     int64  // in the spool
	text   string // of the edit, not read yet
	edited bool
	mu     sync.Mutex
	closed bool
}

// Read returns bytes before, in or behind the edit.
func (r *spoolReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return 0, errBodyClosed
	}
	if !r.edited && r.at == r.edit.from {
		r.edited, r.text, r.at = true, r.edit.text, r.edit.to
	}
	if r.text != "" {
		n := copy(p, r.text)
		r.text = r.text[n:]
		return n, nil
	}
	if !r.edited {
		p = p[:min(int64(len(p)), r.edit.from-r.at)]
	}
	n, err := r.spool.readAt(p, r.at)
	r.at += int64(n)
	return n, err
}

// Close ends reading. It waits for a read that is under way.
func (r *spoolReader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return nil
}
