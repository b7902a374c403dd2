package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// medium is where the bytes of a segment are: a file, or memory where there is no directory.
type medium interface {
	io.Writer
	io.ReaderAt
	Truncate(size int64) error
	Close() error
}

// segment is one file of the journal. The journal's lock guards it, but for reads of what has been written.
type segment struct {
	number uint64
	medium medium
	// size is how much of it counts; behind it may be the rest of a write that failed.
	size int64
	// first is the ordinal of its first record in this run, and records is how many it holds.
	first, records int64
	// torn tells that what is behind size could not be removed, so nothing can be appended.
	torn bool
	// scanned tells that it is of an earlier run and what is damaged in it has been counted.
	scanned bool
}

// shelf makes and removes segments.
type shelf interface {
	create(number uint64) (medium, error)
	remove(number uint64) error
}

// folder keeps segments as files of a directory.
type folder struct{ root *os.Root }

const (
	segmentPrefix = "segment-"
	segmentSuffix = ".log"
)

func segmentName(number uint64) string {
	return fmt.Sprintf("%s%016x%s", segmentPrefix, number, segmentSuffix)
}

func (f folder) create(number uint64) (medium, error) {
	return f.root.OpenFile(segmentName(number), os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
}

func (f folder) remove(number uint64) error { return f.root.Remove(segmentName(number)) }

// memory keeps segments in the process.
type memory struct{}

func (memory) create(uint64) (medium, error) { return &buffer{}, nil }

func (memory) remove(uint64) error { return nil }

// buffer is a segment in memory.
type buffer struct {
	mu   sync.RWMutex
	text []byte
}

// Write implements io.Writer.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	return len(p), nil
}

// ReadAt implements io.ReaderAt.
func (b *buffer) ReadAt(p []byte, at int64) (int, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if at < 0 || at > int64(len(b.text)) {
		return 0, errors.New("reading outside of a segment")
	}
	n := copy(p, b.text[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Truncate implements medium.
func (b *buffer) Truncate(size int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = b.text[:min(max(size, 0), int64(len(b.text)))]
	return nil
}

// Close implements medium.
func (b *buffer) Close() error { return nil }
