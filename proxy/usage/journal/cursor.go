package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// position is a place between two frames.
type position struct {
	// Segment and Offset of the next frame.
	Segment uint64 `json:"segment"`
	Offset  int64  `json:"offset"`
	// Index is how many records of the segment are before it.
	Index int64 `json:"index"`
	// ordinal is how many records of this run are before it.
	ordinal int64
}

// cursor is how far a sink has come.
type cursor struct {
	sink string
	// at is where what the sink has ends.
	at position
	// taken is the ordinal up to which records were handed out: they are not dropped, for the sink holds them.
	taken int64
	wake  chan struct{}
}

const (
	cursorPrefix = "cursor-"
	cursorNew    = ".new"
	// maxCursorBytes bounds a cursor's file.
	maxCursorBytes = 4 << 10
)

// sinkName matches the names of sinks.
var sinkName = regexp.MustCompile(`\A[a-z0-9]{1,32}\z`)

// Use says which sinks there are. Records are kept until all of them have them; a sink that is new begins with the oldest record that is there. Sinks that are
// not named are forgotten, and their readers end.
func (j *Journal) Use(sinks ...string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	wanted := map[string]bool{}
	for _, name := range sinks {
		if !sinkName.MatchString(name) {
			return fmt.Errorf("the name of a sink cannot be %q", name)
		}
		wanted[name] = true
		if j.cursors[name] == nil {
			j.cursors[name] = &cursor{sink: name, at: j.start(0), wake: make(chan struct{}, 1)}
			j.cursors[name].taken = j.cursors[name].at.ordinal
		}
	}
	var failed error
	for name, c := range j.cursors {
		if !wanted[name] {
			delete(j.cursors, name)
			close(c.wake)
			failed = errors.Join(failed, j.forget(name))
		}
	}
	j.trim()
	j.announce()
	return failed
}

// start is the beginning of a segment; of the oldest one when that is later.
func (j *Journal) start(number uint64) position {
	for _, s := range j.segments {
		if s.number >= number {
			return position{Segment: s.number, Offset: int64(len(segmentHeader)), ordinal: s.first}
		}
	}
	return position{Segment: j.last + 1, Offset: int64(len(segmentHeader)), ordinal: j.recorded}
}

// pass moves a cursor out of a segment that was removed, which is no longer among the segments, and counts the records that its sink never gets.
func (j *Journal) pass(c *cursor, gone *segment) {
	if c.at.Segment > gone.number {
		return
	}
	next := j.start(gone.number + 1)
	if missed := next.ordinal - max(c.at.ordinal, c.taken); missed > 0 {
		j.tally.dropped[c.sink] += missed
	}
	c.at = next
}

// advance moves a cursor on after a delivery, and keeps it on disk.
func (j *Journal) advance(c *cursor, to position) {
	j.mu.Lock()
	if to.ordinal >= c.at.ordinal && to.Segment >= c.at.Segment {
		c.at = to
	}
	at := c.at
	j.trim()
	j.announce()
	known := j.cursors[c.sink] == c && !j.closed
	j.mu.Unlock()
	if !known || j.root == nil {
		return
	}
	if err := j.keep(c.sink, at); err != nil {
		j.mu.Lock()
		j.tell("cursor", "how far a usage sink has come cannot be kept; it gets records again after a restart", "sink", c.sink, "error", err)
		j.mu.Unlock()
	}
}

// keep writes a cursor's file; a rename makes it whole or not at all.
func (j *Journal) keep(sink string, at position) error {
	text, err := json.Marshal(at)
	if err != nil {
		return fmt.Errorf("encoding a cursor: %w", err)
	}
	name := cursorPrefix + sink
	if err := j.root.WriteFile(name+cursorNew, text, 0o600); err != nil {
		return fmt.Errorf("writing a cursor: %w", err)
	}
	if err := j.root.Rename(name+cursorNew, name); err != nil {
		return fmt.Errorf("replacing a cursor: %w", err)
	}
	return nil
}

// forget removes a cursor's file.
func (j *Journal) forget(sink string) error {
	if j.root == nil {
		return nil
	}
	if err := j.root.Remove(cursorPrefix + sink); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the cursor of a sink that is gone: %w", err)
	}
	return nil
}

// load reads the cursor of a file. A cursor that cannot be read is that of a new sink: it gets again what it may have, and nothing is lost.
func (j *Journal) load(file string) {
	sink := strings.TrimPrefix(file, cursorPrefix)
	c := &cursor{sink: sink, wake: make(chan struct{}, 1), at: j.start(0)}
	at, err := j.readCursor(file)
	if err != nil {
		j.tally.foreign++
		j.log.Warn("a cursor of the usage journal cannot be read; its sink gets again what is there", "sink", sink, "error", err)
	} else {
		c.at = j.place(at)
	}
	c.taken = c.at.ordinal
	j.cursors[sink] = c
}

func (j *Journal) readCursor(file string) (position, error) {
	info, err := j.root.Stat(file)
	if err != nil {
		return position{}, err
	}
	if info.Size() > maxCursorBytes {
		return position{}, errors.New("it is too long")
	}
	text, err := j.root.ReadFile(file)
	if err != nil {
		return position{}, err
	}
	var at position
	return at, json.Unmarshal(text, &at)
}

// place finds a position of an earlier run among the segments that are left.
func (j *Journal) place(at position) position {
	for _, s := range j.segments {
		if s.number == at.Segment && at.Offset >= int64(len(segmentHeader)) && at.Offset <= s.size && at.Index >= 0 && at.Index <= s.records {
			at.ordinal = s.first + at.Index
			return at
		}
	}
	return j.start(at.Segment)
}

// announce tells those who wait for cursors to move.
func (j *Journal) announce() {
	close(j.moved)
	j.moved = make(chan struct{})
}
