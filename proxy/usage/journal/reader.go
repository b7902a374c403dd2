package journal

import (
	"context"
	"errors"
	"fmt"

	"signalbox.dev/signalbox/proxy/usage"
)

// maxBatchBytes bounds what a reader hands out at a time, beside the number of records.
const maxBatchBytes = 1 << 20

// ErrForgotten tells that a sink is not in use any more.
var ErrForgotten = errors.New("the sink is not in use")

// Reader hands the records to one sink, in the order in which they were written. One goroutine uses it at a time.
type Reader struct {
	journal *Journal
	cursor  *cursor
}

// Reader returns the reader of a sink that Use named.
func (j *Journal) Reader(sink string) (*Reader, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := j.cursors[sink]
	if c == nil {
		return nil, fmt.Errorf("reading the usage journal for %q: %w", sink, ErrForgotten)
	}
	return &Reader{journal: j, cursor: c}, nil
}

// batch is what is handed out at a time.
type batch struct {
	records []*usage.Record
	to      position
}

// wait waits until there is a record that the sink does not have.
func (r *Reader) wait(ctx context.Context) error {
	for {
		r.journal.mu.Lock()
		waiting, closed := r.cursor.at.ordinal < r.journal.recorded, r.journal.closed
		r.journal.mu.Unlock()
		if closed {
			return errClosed
		}
		if waiting {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case _, ok := <-r.cursor.wake:
			if !ok {
				return ErrForgotten
			}
		}
	}
}

// waiting is how many records there are that the sink does not have.
func (r *Reader) waiting() int64 {
	r.journal.mu.Lock()
	defer r.journal.mu.Unlock()
	return r.journal.recorded - r.cursor.at.ordinal
}

// read collects up to most records from the cursor on. There can be none, when what was there has been dropped or was damaged.
func (r *Reader) read(most int) (batch, error) {
	b := batch{to: r.position()}
	for bytes := 0; len(b.records) < most && bytes < maxBatchBytes; {
		s, written, more := r.journal.segmentAt(b.to)
		if !more {
			break
		}
		if s.number != b.to.Segment || b.to.Offset >= written.Offset {
			// What is left of the segment is damaged or nothing; the next one begins behind all records of this one.
			b.to = r.journal.behind(b.to, s)
			continue
		}
		n, err := r.collect(&b, s, written, most)
		if err != nil {
			if r.journal.isGone(s) {
				return batch{to: r.position()}, nil
			}
			return batch{}, err
		}
		bytes += n
	}
	r.take(b.to.ordinal)
	return b, nil
}

// collect reads from one segment, up to what was written, and tells how many bytes that were.
func (r *Reader) collect(b *batch, s *segment, written position, most int) (int, error) {
	from := b.to.Offset
	full := false
	skipped, err := walk(s.medium, from, written.Offset, func(f frame) bool {
		b.to.Offset = f.end
		if f.kind == kindEnd {
			b.to.Index++
			b.to.ordinal++
			record, err := decodeEnd(f.payload)
			if err != nil {
				r.journal.damaged(int64(len(f.payload)))
				return true
			}
			b.records = append(b.records, record)
		}
		full = len(b.records) >= most || f.end-from >= maxBatchBytes
		return !full
	})
	if err != nil {
		return 0, err
	}
	if !full {
		// A record that was damaged since it was written is passed, too.
		b.to = written
	}
	if skipped > 0 && !s.scanned {
		r.journal.damaged(skipped)
	}
	return int(b.to.Offset - from), nil
}

func (r *Reader) position() position {
	r.journal.mu.Lock()
	defer r.journal.mu.Unlock()
	return r.cursor.at
}

// take notes that the sink holds the records before an ordinal.
func (r *Reader) take(ordinal int64) {
	r.journal.mu.Lock()
	defer r.journal.mu.Unlock()
	r.cursor.taken = max(r.cursor.taken, ordinal)
}

// segmentAt returns the segment that a position is in, or the next one that there is, and the end of what is written there; false when there is nothing behind
// the position.
func (j *Journal) segmentAt(at position) (*segment, position, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i, s := range j.segments {
		if s.number < at.Segment {
			continue
		}
		written := position{Segment: s.number, Offset: s.size, Index: s.records, ordinal: s.first + s.records}
		return s, written, s.number > at.Segment || at.Offset < s.size || i+1 < len(j.segments)
	}
	return nil, position{}, false
}

// behind is the beginning of the segment behind a position at the end of s, or of s itself when the position is before it.
func (j *Journal) behind(at position, s *segment) position {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s.number > at.Segment {
		return j.start(s.number)
	}
	return j.start(s.number + 1)
}

// isGone tells whether a segment was removed.
func (j *Journal) isGone(s *segment) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.segments) == 0 || s.number < j.segments[0].number
}

// damaged counts bytes that are no records.
func (j *Journal) damaged(bytes int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.tally.corruptBytes += bytes
	j.tell("damaged", "a part of the usage journal is damaged and was left out", "bytes", bytes)
}
