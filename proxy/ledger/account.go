package ledger

import (
	"slices"
	"sync"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// account is what a proxy knows of one ledger: what it counted itself, and what the store last said of the others.
type account struct {
	ledger string
	// newOwner names a counter.
	newOwner func() Owner
	// wake holds a token when the Keeper has something to look at.
	wake chan struct{}
	// writing is held by who writes to the store.
	writing chan struct{}

	mu       sync.Mutex
	counters []*counter
	stored   Stored
	known    bool
	followed bool
	// abandonAt is when an account that is no longer followed and cannot be written is given up; zero while it is followed.
	abandonAt time.Time
	closed    bool
}

// counter counts one window.
type counter struct {
	// owner is the name that the counter is written under. No two counters share one, so that one that is begun anew never looks like an earlier
	// version of the one before.
	owner  Owner
	key    Key
	window Window
	// own is what this proxy settled, seq how often.
	own Totals
	seq int64
	// written is the seq that the store is known to hold.
	written int64
	// others is what the other owners had counted when the store was last read.
	others Totals
	// pending is how many admitted calls have not ended.
	pending int
}

func newAccount(ledger string, newOwner func() Owner) *account {
	return &account{ledger: ledger, newOwner: newOwner, wake: make(chan struct{}, 1), writing: make(chan struct{}, 1)}
}

// admit asks the account for one budget. open is false when the account was closed meanwhile; the counter is nil when the budget observes and its window
// is not known.
func (a *account) admit(now time.Time, budget *table.Budget, call Call) (admitted *counter, refusal *Refusal, open bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, nil, false
	}
	observe := budget.Enforcement == table.Observe
	c, err := a.counterAt(now, budget)
	if err != nil {
		if observe {
			return nil, nil, true
		}
		return nil, &Refusal{Budget: budget.Name, Reason: WindowUnknown, Limit: budget.Limit}, true
	}
	spent := addSaturating(c.own.Spent, c.others.Spent)
	refuse := func(reason Reason) *Refusal {
		return &Refusal{Budget: budget.Name, Reason: reason, Limit: budget.Limit, Spent: spent, Start: c.window.Start, End: c.window.End}
	}
	switch {
	case observe:
	case spent >= budget.Limit:
		return nil, refuse(LimitReached), true
	case call.Unpriced && !budget.AllowUnpriced:
		return nil, refuse(Unpriced), true
	}
	c.pending++
	return c, nil, true
}

// counterAt returns the counter of the window that a budget is in now.
func (a *account) counterAt(now time.Time, budget *table.Budget) (*counter, error) {
	for _, c := range slices.Backward(a.counters) {
		if c.key.Period == budget.Period && c.key.TimeZone == budget.TimeZone && c.key.ResetID == budget.ResetID && c.window.Contains(now) {
			return c, nil
		}
	}
	window, err := NewWindow(budget.Period, budget.TimeZone, now)
	if err != nil {
		return nil, err
	}
	made := &counter{
		owner:  a.newOwner(),
		key:    Key{Period: budget.Period, TimeZone: budget.TimeZone, ResetID: budget.ResetID, Start: window.Start},
		window: window,
	}
	made.learn(a.stored.Record)
	a.counters = append(a.counters, made)
	return made, nil
}

// learn takes from a record what the other owners counted.
func (c *counter) learn(record Record) {
	found, _ := record.Find(c.key)
	c.others = found.others(c.owner)
}

func (a *account) settle(c *counter, charge Charge) {
	a.mu.Lock()
	defer a.mu.Unlock()
	add := Totals{Spent: max(0, charge.Nano), Requests: 1}
	if charge.Unpriced {
		add.Unpriced = 1
	}
	c.own = c.own.Plus(add)
	c.seq++
	c.pending--
	signal(a.wake)
}

func (a *account) release(c *counter) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c.pending--
	signal(a.wake)
}

// observe takes in what the store holds. What is older than what is known already changes nothing. A ledger that was deleted and made again gets all
// that this proxy counted once more.
func (a *account) observe(stored Stored) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known && stored.Order < a.stored.Order {
		return
	}
	remade := a.known && stored.Identity != a.stored.Identity
	a.stored, a.known = stored, true
	for _, c := range a.counters {
		c.learn(stored.Record)
		if remade {
			c.written = 0
		}
	}
	if remade {
		signal(a.wake)
	}
}

// latest returns what the store is known to hold, and whether anything is known.
func (a *account) latest() (Stored, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stored, a.known
}

// merge returns a copy of a record with all that is not written yet, and how far that goes. changed is false when the record holds all of it already.
func (a *account) merge(record Record, now time.Time) (merged Record, written map[*counter]int64, changed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	merged = record.Clone()
	written = map[*counter]int64{}
	for _, c := range a.counters {
		if c.seq == c.written {
			continue
		}
		written[c] = c.seq
		entry := Entry{Totals: c.own, Seq: c.seq, Updated: now.UTC().Truncate(time.Second)}
		if merged.Put(c.key, c.window.End, c.owner, entry) {
			changed = true
		}
	}
	merged.Prune(now)
	return merged, written, changed
}

// acknowledge notes what the ledger of an identity holds now, and drops the counters of windows that are over for good.
func (a *account) acknowledge(identity string, written map[*counter]int64, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if identity != a.stored.Identity {
		return
	}
	for c, seq := range written {
		c.written = max(c.written, seq)
	}
	a.counters = slices.DeleteFunc(a.counters, func(c *counter) bool {
		return !c.window.Unbounded() && !c.window.End.After(now.Add(-Retention))
	})
}

// dirty tells whether something is not written yet.
func (a *account) dirty() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.unwritten()
}

func (a *account) unwritten() bool {
	return slices.ContainsFunc(a.counters, func(c *counter) bool { return c.seq != c.written })
}

// follow notes that the table has a budget with this ledger.
func (a *account) follow() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.followed, a.abandonAt = true, time.Time{}
}

// unfollow notes that the table has no budget with this ledger any more.
func (a *account) unfollow(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.followed {
		a.followed, a.abandonAt = false, now.Add(Retention)
	}
	signal(a.wake)
}

// closeRetired closes an account that is not followed, when no call waits for it and nothing is left to write, or the time for that is over. It tells
// whether it did; a closed account admits nothing.
func (a *account) closeRetired(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	waiting := slices.ContainsFunc(a.counters, func(c *counter) bool { return c.pending > 0 })
	abandoned := !a.abandonAt.IsZero() && !now.Before(a.abandonAt)
	a.closed = !a.followed && !waiting && (abandoned || !a.unwritten())
	return a.closed
}
