package ledger

import (
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// Budget is a compiled budget with its counters. It is what the request path holds, and is safe for concurrent use.
type Budget struct {
	*table.Budget
	book *Book
	page atomic.Pointer[page]
}

// page is the counters of one window of a budget, found without making the names of their subjects.
type page struct {
	key    Key
	window Window
	// before is the page of another window, for calls that come at the moment when the window changes.
	before *page

	mu       sync.RWMutex
	counters map[who]*counter
}

// maxFound bounds how many counters a page finds without asking for them by name.
const maxFound = 1 << 14

// counter returns the counter that a call belongs to now.
func (b *Budget) counter(now time.Time, by *Claimant) (*counter, error) {
	current, err := b.pageAt(now)
	if err != nil {
		return nil, err
	}
	w := b.who(by)
	current.mu.RLock()
	found := current.counters[w]
	current.mu.RUnlock()
	if found != nil {
		return found, nil
	}
	return b.open(now, current, w), nil
}

// pageAt returns the page of the window that now is in.
func (b *Budget) pageAt(now time.Time) (*page, error) {
	current := b.page.Load()
	for candidate := current; candidate != nil; candidate = candidate.before {
		if candidate.window.Contains(now) {
			return candidate, nil
		}
		if candidate != current {
			break
		}
	}
	window, err := NewWindow(b.Period, b.TimeZone, now)
	if err != nil {
		return nil, err
	}
	made := &page{
		key:    Key{Period: b.Period, TimeZone: b.TimeZone, ResetID: b.ResetID, Start: window.Start}.normal(),
		window: window, counters: map[who]*counter{},
	}
	if current != nil {
		made.before = &page{key: current.key, window: current.window, counters: map[who]*counter{}}
	}
	if b.page.CompareAndSwap(current, made) {
		return made, nil
	}
	return b.pageAt(now)
}

// open returns the counter of a call from its account, and keeps it at hand.
func (b *Budget) open(now time.Time, current *page, w who) *counter {
	at := place{Key: current.key, subject: b.subject(w)}
	if b.crowded(at.subject) {
		at.subject = SubjectOthers
	}
	for {
		found := b.book.open(b.book.documentOf(b.Ledger, at.subject), b.Ledger).counter(now, b, at, current.window)
		if found == nil {
			continue
		}
		current.mu.Lock()
		if len(current.counters) < maxFound {
			current.counters[w] = found
		}
		current.mu.Unlock()
		return found
	}
}

// crowded tells whether a subject that has no document yet gets none, for there are as many as there may be. Other proxies may know other subjects.
func (b *Budget) crowded(subject string) bool {
	if subject == "" || subject == SubjectUntrusted || !b.book.documentPerSubject.Load() || b.book.known(DocumentName(b.Ledger, subject)) {
		return false
	}
	return b.book.subjects(b.Ledger) >= int(max(1, b.MaxCounters))
}

// drop forgets a counter that is closed.
func (b *Budget) drop(closed *counter) {
	for p := b.page.Load(); p != nil; p = p.before {
		p.mu.Lock()
		for w, c := range p.counters {
			if c == closed {
				delete(p.counters, w)
			}
		}
		p.mu.Unlock()
	}
}

// Standing is how a budget stands for one claimant, as far as this proxy knows.
type Standing struct {
	// Subject whose counter it is; empty for the shared one.
	Subject string
	// Limit, Spent, Reserved and Lost in nano-dollars. Reserved is what open calls of this proxy hold and what other proxies hold as allowances.
	Limit, Spent, Reserved, Lost int64
	// Window that is running.
	Window Window
}

// Percent of the limit that is spent or lost, rounded down. Of a limit of zero it is 100.
func (s Standing) Percent() int64 {
	if s.Limit <= 0 {
		return 100
	}
	high, low := bits.Mul64(uint64(max(0, addSaturating(s.Spent, s.Lost))), 100)
	if high >= uint64(s.Limit) {
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(high, low, uint64(s.Limit))
	return int64(min(quotient, math.MaxInt64))
}

// Standing tells how the budget stands for a claimant now. The error is that of a period or a time zone that is not known.
func (b *Budget) Standing(now time.Time, by *Claimant) (Standing, error) {
	found, err := b.counter(b.book.clock(now), by)
	if err != nil {
		return Standing{}, err
	}
	return found.standing(), nil
}
