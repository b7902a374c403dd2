// Package journal keeps on disk what must survive the end of a proxy's process: which attempts were sent and not settled, what the budgets' counters had
// settled, and the usage records that the sinks do not have yet.
//
// It is written with plain writes and never forced to the disk: it outlives the process, not the machine, for the directory is an emptyDir that lives as long as
// its pod. It is bounded; what happens when it is full is the platform's choice.
//
// The journal is a row of segments, files that are only appended to. The oldest goes when every sink has its records; what is still needed of it, open attempts
// and counters that the ledger may not have, is written anew at the end first. A sink reads through a cursor of its own, which is kept beside the segments.
package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/usage"
)

// Attempt is the note of an attempt, made before it is sent.
type Attempt struct {
	// Record is the request's id, as in usage.Record.
	Record string
	// Number of the attempt in its request, from 0.
	Number int
	// Time of the attempt.
	Time time.Time
	// Draft is what is known of the request: what its record is made from if nothing more comes. It is written with the first attempt only; nil with others.
	Draft *usage.Record
	// Claims are what its reservation holds.
	Claims []ledger.Claim
}

// Noted is what a server writes to. Its methods are safe for concurrent use.
type Noted interface {
	// Begin notes an attempt before it is sent. An error means that it must not be sent: the journal has no room, and refuses when full.
	Begin(a *Attempt) error
	// End notes the record of a request that has ended, with the settlements of all its attempts. Attempts that are not in settled were released. It never fails for
	// want of room; what cannot be written is counted and told once.
	End(record *usage.Record, settled []ledger.Settlement)
	// Drop ends a request none of whose attempts reached a provider: there is no record of it.
	Drop(record string)
}

// ErrFull tells that the journal has no room and that calls are refused rather than records dropped.
var ErrFull = errors.New("the usage journal is full")

// Journal implements Noted. It is safe for concurrent use.
type Journal struct {
	maxBytes, segmentBytes int64
	now                    func() time.Time
	log                    *slog.Logger
	shelf                  shelf
	// root and lock are nil in memory.
	root *os.Root
	lock *os.File
	// frames are buffers for frames in the making.
	frames sync.Pool
	refuse atomic.Bool

	mu       sync.Mutex
	closed   bool
	segments []*segment // the oldest first
	// last is the number of the newest segment that there ever was.
	last  uint64
	bytes int64
	// rotated tells that there is a new segment since the last trim.
	rotated bool
	open    map[string]openRequest
	// counters are those that the ledger may not have.
	counters map[counterKey]*counterNote
	clean    time.Time
	cursors  map[string]*cursor
	recorded int64
	tally    tally
	// told are the kinds of trouble that have been logged, until things are well again.
	told map[string]bool
	// moved is closed when a cursor moves.
	moved chan struct{}
}

// tally is what Stats tells of the past.
type tally struct {
	notes, lost, corruptBytes, foreign int64
	dropped, refused                   map[string]int64
}

// location is where a frame is.
type location struct {
	segment uint64
	offset  int64
	size    int
}

// openRequest is a request with attempts that were begun.
type openRequest struct {
	first location
	rest  []location
}

// Begin implements Noted.
func (j *Journal) Begin(a *Attempt) error {
	if a.Draft != nil {
		a.Draft.Normalize()
	}
	e := j.frame(kindBegin)
	defer j.frames.Put(e)
	begin(e, a)
	text := closeFrame(e.out)
	j.mu.Lock()
	defer j.mu.Unlock()
	refuse := j.refuse.Load()
	if refuse && !j.fits(len(text)) {
		j.tell("full", "the usage journal is full: calls are refused until a sink has taken records", "bytes", j.bytes)
		return ErrFull
	}
	at, err := j.append(text)
	if err != nil {
		j.lose("noting an attempt", err)
		if refuse {
			return fmt.Errorf("noting an attempt in the usage journal: %w", err)
		}
		return nil
	}
	request, known := j.open[a.Record]
	if known {
		request.rest = append(request.rest, at)
	} else {
		request.first = at
	}
	j.open[a.Record] = request
	j.trimRotated()
	return nil
}

// End implements Noted.
func (j *Journal) End(r *usage.Record, settlements []ledger.Settlement) {
	r.Normalize()
	e := j.frame(kindEnd)
	defer j.frames.Put(e)
	settled(e, &r.ID, &settlements)
	record(e, r)
	text := closeFrame(e.out)
	now := j.now()
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.open, r.ID)
	at, err := j.append(text)
	if err != nil {
		j.lose("writing a usage record", err)
	} else {
		j.wake()
	}
	for i := range settlements {
		j.count(&settlements[i], now, at.segment)
	}
	j.trimRotated()
}

// Drop implements Noted.
func (j *Journal) Drop(id string) {
	e := j.frame(kindDrop)
	defer j.frames.Put(e)
	e.text(&id)
	text := closeFrame(e.out)
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, begun := j.open[id]; !begun {
		return
	}
	delete(j.open, id)
	if _, err := j.append(text); err != nil {
		j.lose("noting that a request was not sent", err)
	}
	j.trimRotated()
}

// SetClean tells that the ledger has everything that was settled before t, so the journal need not keep it.
func (j *Journal) SetClean(t time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if t.After(j.clean) {
		j.clean = t
	}
}

// RefuseWhenFull chooses what happens when there is no room: attempts are refused, or the oldest records are dropped.
func (j *Journal) RefuseWhenFull(refuse bool) { j.refuse.Store(refuse) }

// Close writes nothing more and gives the directory back. What comes later is counted as lost.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil
	}
	j.closed = true
	var failed error
	for _, s := range j.segments {
		failed = errors.Join(failed, s.medium.Close())
	}
	if j.root != nil {
		failed = errors.Join(failed, j.lock.Close(), j.root.Close())
	}
	return failed
}

// frame returns an encoder with the beginning of a frame. It goes back into the pool.
func (j *Journal) frame(k kind) *encoder {
	e, ok := j.frames.Get().(*encoder)
	if !ok {
		e = &encoder{}
	}
	e.out = openFrame(e.out, k)
	return e
}

// lose counts what could not be written and tells it once.
func (j *Journal) lose(what string, err error) {
	j.tally.lost++
	j.tell("lost", "the usage journal cannot be written", "doing", what, "error", err)
}

// tell logs trouble of a kind once, until well is called.
func (j *Journal) tell(kind, message string, values ...any) {
	if !j.told[kind] {
		j.told[kind] = true
		j.log.Error(message, values...)
	}
}

// wake tells the readers that there is a record.
func (j *Journal) wake() {
	for _, c := range j.cursors {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}
