package journal

import (
	"errors"
	"fmt"
	"syscall"
)

// endReserve is what is kept free for the end of each open request when calls are refused for want of room.
const endReserve = 4 << 10

var errClosed = errors.New("the usage journal is closed")

// fits tells whether there is room for a frame and for the ends of all open requests.
func (j *Journal) fits(size int) bool {
	return j.bytes+int64(size)+int64(len(j.open)+1)*endReserve <= j.maxBytes
}

// append writes a frame. Where calls are not refused, the oldest segments go for want of room, on the disk too.
func (j *Journal) append(text []byte) (location, error) {
	if j.closed {
		return location{}, errClosed
	}
	drop := !j.refuse.Load()
	if drop {
		j.makeRoom(int64(len(text)))
	}
	at, err := j.write(text)
	for range len(j.segments) {
		if err == nil || !drop || !isFull(err) || !j.retire() {
			break
		}
		at, err = j.write(text)
	}
	if err == nil {
		j.tally.notes++
		delete(j.told, "lost")
	}
	return at, err
}

// makeRoom drops the oldest segments. What is open is carried on, so a journal of nothing else does not become smaller by it.
func (j *Journal) makeRoom(size int64) {
	for range len(j.segments) {
		if j.bytes+size <= j.maxBytes || !j.retire() {
			return
		}
		j.tell("full", "the usage journal is full: its oldest records are dropped", "bytes", j.bytes)
	}
}

// isFull tells that the disk has no room.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// write appends a frame to the newest segment, or to a new one.
func (j *Journal) write(text []byte) (location, error) {
	s, err := j.writable(int64(len(text)))
	if err != nil {
		return location{}, err
	}
	n, err := s.medium.Write(text)
	if err != nil {
		s.torn = n > 0 && s.medium.Truncate(s.size) != nil
		return location{}, fmt.Errorf("appending to a segment: %w", err)
	}
	at := location{segment: s.number, offset: s.size, size: len(text)}
	s.size += int64(len(text))
	j.bytes += int64(len(text))
	if kind(text[6]) == kindEnd {
		s.records++
		j.recorded++
	}
	return at, nil
}

// writable is a segment with room for so many bytes.
func (j *Journal) writable(size int64) (*segment, error) {
	if n := len(j.segments); n > 0 {
		s := j.segments[n-1]
		if !s.torn && (s.size == int64(len(segmentHeader)) || s.size+size <= j.segmentBytes) {
			return s, nil
		}
	}
	number := j.last + 1
	medium, err := j.shelf.create(number)
	if err != nil {
		return nil, fmt.Errorf("making a segment: %w", err)
	}
	j.last = number
	if _, err := medium.Write([]byte(segmentHeader)); err != nil {
		return nil, errors.Join(fmt.Errorf("beginning a segment: %w", err), medium.Close(), j.shelf.remove(number))
	}
	s := &segment{number: number, medium: medium, size: int64(len(segmentHeader)), first: j.recorded}
	j.segments = append(j.segments, s)
	j.bytes += s.size
	j.rotated = true
	return s, nil
}

// trim removes the oldest segments as long as every sink has their records. It is called when everything in them is accounted for.
func (j *Journal) trim() {
	j.rotated = false
	for range len(j.segments) {
		if len(j.segments) < 2 || !j.delivered(j.segments[0]) || !j.retire() {
			return
		}
		delete(j.told, "full")
	}
}

// trimRotated trims after a new segment was begun.
func (j *Journal) trimRotated() {
	if j.rotated {
		j.trim()
	}
}

// delivered tells whether every sink has the records of a segment.
func (j *Journal) delivered(s *segment) bool {
	for _, c := range j.cursors {
		if c.at.ordinal < s.first+s.records {
			return false
		}
	}
	return true
}

// retire removes the oldest segment, unless it is the only one, and tells whether it did. What is still needed of it is written anew first; where the disk
// has no room for that, after it.
func (j *Journal) retire() bool {
	if len(j.segments) < 2 {
		return false
	}
	oldest := j.segments[0]
	needed := j.neededOf(oldest)
	rest, err := j.carry(needed)
	if err != nil && !isFull(err) {
		j.tell("lost", "the usage journal cannot be written", "doing", "carrying on what is open", "error", err)
		return false
	}
	j.segments = j.segments[1:]
	j.bytes -= oldest.size
	for _, c := range j.cursors {
		j.pass(c, oldest)
	}
	if err := errors.Join(oldest.medium.Close(), j.shelf.remove(oldest.number)); err != nil {
		j.tell("remove", "a segment of the usage journal cannot be removed", "error", err)
	}
	if rest, err = j.carry(rest); err != nil {
		j.tally.lost += int64(len(rest))
		j.tell("lost", "the usage journal cannot be written", "doing", "carrying on what is open", "error", err)
	}
	return true
}

// carried is a frame that is needed beyond its segment, and what notes its new place.
type carried struct {
	text  []byte
	place func(location)
}

// carry writes frames anew. On an error it returns those that are not written.
func (j *Journal) carry(frames []carried) ([]carried, error) {
	for i, f := range frames {
		at, err := j.write(f.text)
		if err != nil {
			return frames[i:], err
		}
		f.place(at)
	}
	return nil, nil
}

// neededOf collects what of a segment must outlive it: open attempts, and counters that the ledger may not have.
func (j *Journal) neededOf(s *segment) []carried {
	var needed []carried
	for id, request := range j.open {
		if request.first.segment == s.number {
			needed = j.take(needed, s, request.first, func(at location) {
				request := j.open[id]
				request.first = at
				j.open[id] = request
			})
		}
		for i, at := range request.rest {
			if at.segment == s.number {
				needed = j.take(needed, s, at, func(at location) { request.rest[i] = at })
			}
		}
	}
	for key, note := range j.counters {
		switch {
		case !note.needed(j.clean):
			delete(j.counters, key)
		case note.segment <= s.number:
			needed = append(needed, carried{text: note.text(), place: func(at location) { note.segment = at.segment }})
		}
	}
	return needed
}

// take reads a frame of a segment.
func (j *Journal) take(needed []carried, s *segment, at location, place func(location)) []carried {
	text := make([]byte, at.size)
	if n, err := s.medium.ReadAt(text, at.offset); n < len(text) {
		j.tally.lost++
		j.tell("read", "an open attempt in the usage journal cannot be read", "error", orUnexpected(err))
		return needed
	}
	return append(needed, carried{text: text, place: place})
}
