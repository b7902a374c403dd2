package limit

import (
	"sort"
	"time"
)

const (
	// minute is what the limits' figures are for.
	minute = time.Minute
	// tickLength is how finely the past is kept.
	tickLength = 500 * time.Millisecond
	// span is for how many ticks a count stays: all that the minute touches, the oldest one whole though it may be touched in part only.
	span = int64(minute/tickLength) + 1
)

// kind is one of the things that a limit bounds.
type kind int

// The kinds. The first two are counted over a window, the last one is held.
const (
	requests kind = iota
	tokens
	concurrency
	kinds      = 3
	windowKind = 2
)

// what are the kinds in the words of a Refusal.
func (k kind) what() string {
	return [kinds]string{"requests per minute", "tokens per minute", "concurrent calls"}[k]
}

// amounts has a figure for each kind.
type amounts [kinds]int64

// slot counts what was admitted in one tick.
type slot struct {
	tick  int64
	count [windowKind]int64
}

// window counts what was admitted in the last minute. Only ticks in which something was admitted take room, in a ring that is ordered by time.
type window struct {
	slots []slot
	head  int
	size  int
	sum   [windowKind]int64
}

// tickOf is the tick of a time since the start.
func tickOf(now time.Duration) int64 { return int64(now / tickLength) }

func (w *window) at(i int) *slot { return &w.slots[(w.head+i)%len(w.slots)] }

// roll drops what is older than the minute.
func (w *window) roll(tick int64) {
	for w.size > 0 {
		oldest := w.at(0)
		if oldest.tick+span > tick {
			return
		}
		for k := range w.sum {
			w.sum[k] -= oldest.count[k]
		}
		w.head = (w.head + 1) % len(w.slots)
		w.size--
	}
}

// add books a call and returns the tick that it is booked in. A clock that went back books in the newest tick.
func (w *window) add(tick int64, count [windowKind]int64) int64 {
	if w.size == 0 || w.at(w.size-1).tick < tick {
		w.grow()
		w.size++
		*w.at(w.size - 1) = slot{tick: tick}
	}
	newest := w.at(w.size - 1)
	w.book(newest, count)
	return newest.tick
}

func (w *window) grow() {
	if w.size < len(w.slots) {
		return
	}
	larger := make([]slot, max(4, 2*w.size))
	for i := range w.size {
		larger[i] = *w.at(i)
	}
	w.slots, w.head = larger, 0
}

func (w *window) book(s *slot, count [windowKind]int64) {
	for k, n := range count {
		s.count[k] += n
		w.sum[k] += n
	}
}

// correct changes what was booked in a tick; a tick that is older than the minute counts no more.
func (w *window) correct(tick int64, change [windowKind]int64) {
	i := sort.Search(w.size, func(i int) bool { return w.at(i).tick >= tick })
	if i < w.size && w.at(i).tick == tick {
		w.book(w.at(i), change)
	}
}

// frees is the tick in which at least need of a kind will have been dropped; false when the window does not hold as much.
func (w *window) frees(k kind, need int64) (int64, bool) {
	for i := range w.size {
		s := w.at(i)
		if need -= s.count[k]; need <= 0 {
			return s.tick + span, true
		}
	}
	return 0, false
}

// empties is the tick in which the window will hold nothing of a kind; false when it holds nothing now.
func (w *window) empties(k kind) (int64, bool) {
	for i := w.size - 1; i >= 0; i-- {
		if s := w.at(i); s.count[k] != 0 {
			return s.tick + span, true
		}
	}
	return 0, false
}
