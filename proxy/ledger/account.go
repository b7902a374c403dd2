package ledger

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

const (
	// unreachableAfter is how long a ledger has not been reached before attempts that need it are refused at once.
	unreachableAfter = 10 * time.Second
	// quietFor is how long no allowance is taken after a ledger was found to have forgotten something: the time that the other owners need to enter theirs anew.
	quietFor = 3 * time.Second
	// restAfter is how long a subject's document is kept in memory after its last call.
	restAfter = 10 * time.Minute
	// slowestPace is the longest time between two writes because of a store that is slow.
	slowestPace = 10 * time.Second
	// entriesPerSecond is how many entries of a document make the time between two writes a second longer.
	entriesPerSecond = 2000
)

// account is what a proxy knows of one document of the store: the counters that it keeps there, and what the store last said. It decides what to write and
// when, from the time that it is told; a Keeper does the writing.
type account struct {
	// document is the name in the store, ledger that of the budget's ledger.
	document, ledger string
	// run is the owner whose counters these are, newOwner names one of them.
	run      Owner
	newOwner func() Owner
	// wake holds a token when the Keeper has something to look at.
	wake chan struct{}
	// writing is held by who writes to the store.
	writing chan struct{}
	// failing is since when the store cannot be read or written, in Unix nanoseconds; 0 while it can.
	failing atomic.Int64
	// retiring tells that counters must be looked at when their attempts end.
	retiring atomic.Bool

	mu       sync.Mutex
	counters []*counter
	byPlace  map[place]*counter
	// terms of the counters, and limits of those that have one of their own, by subject.
	terms  terms
	limits map[string]int64
	// current is the key of the budget, without the start.
	current Key
	stored  Stored
	index   map[place]int
	known   bool
	// doubtful tells that the store must be read before the next write: one on top of the order doubted may or may not have been made.
	doubtful bool
	doubted  uint64
	// unwritable tells that writing failed: that the store can be read does not mean that it can be written again.
	unwritable bool
	// swept tells that earlier runs of this pod have been folded in all counters of the document.
	swept bool
	// recovered are owners of earlier runs that are to be brought up to date.
	recovered []Recovered
	// draining tells that the process ends. followed tells that the table has a budget with this ledger, ownDocument that the document is that of one subject.
	draining, followed, ownDocument bool
	// abandonAt is when an account that is no longer followed and cannot be written is given up; zero while it is followed.
	abandonAt time.Time
	closed    bool
	// quietUntil is when allowances are taken again.
	quietUntil time.Time
	// took is how long the last write took.
	took time.Duration
	// preparedAt is when the last write was prepared, retryAt the earliest time for another after a failure.
	preparedAt, retryAt time.Time
	// cleanAt: all that was settled before is in the store.
	cleanAt time.Time
	// forgot tells that the store was found to have forgotten something.
	forgot bool
}

func newAccount(document, ledger string, run Owner, newOwner func() Owner) *account {
	return &account{
		document: document, ledger: ledger, run: run, newOwner: newOwner, wake: make(chan struct{}, 1), writing: make(chan struct{}, 1), byPlace: map[place]*counter{},
		ownDocument: document != ledger, doubtful: true,
	}
}

// counter returns the counter of a subject in a window, and makes it when there is none; the one of SubjectOthers when most have their own. It is nil when the
// account is closed.
func (a *account) counter(now time.Time, budget *Budget, at place, window Window) *counter {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil
	}
	if a.terms.budget == "" {
		a.adopt(budget.Budget)
	}
	if found := a.byPlace[at]; found != nil {
		return found
	}
	if !a.ownDocument && a.crowded(at, budget.MaxCounters) {
		at.subject = SubjectOthers
		if found := a.byPlace[at]; found != nil {
			return found
		}
	}
	made := &counter{account: a, owner: a.newOwner(), place: at, window: window, terms: a.termsOf(at.subject), usedAt: now}
	if a.known {
		made.look(now, a.count(at))
	}
	a.counters = append(a.counters, made)
	a.byPlace[at] = made
	return made
}

// crowded tells whether a subject that has no counter yet gets none, for its window has as many as it may.
func (a *account) crowded(at place, most int32) bool {
	if at.subject == "" || at.subject == SubjectUntrusted || at.subject == SubjectOthers {
		return false
	}
	if _, known := a.index[at]; known {
		return false
	}
	subjects := 0
	for other := range a.byPlace {
		if _, stored := a.index[other]; !stored && other.Key == at.Key {
			subjects++
		}
	}
	for other := range a.index {
		if other.Key == at.Key && other.subject != SubjectUntrusted && other.subject != SubjectOthers {
			subjects++
		}
	}
	return subjects >= int(max(1, most))
}

// count returns what the store holds of a counter.
func (a *account) count(at place) *Count {
	if i, found := a.index[at]; found {
		return &a.stored.Record.Windows[i]
	}
	return &Count{Key: at.Key, Subject: at.subject}
}

// adopt takes in what a budget says now.
func (a *account) adopt(b *table.Budget) {
	a.terms = terms{budget: b.Name, limit: b.Limit, enforcement: b.Enforcement, allowUnpriced: b.AllowUnpriced, allowWithoutLedger: b.AllowWithoutLedger}
	a.current = Key{Period: b.Period, TimeZone: b.TimeZone, ResetID: b.ResetID}
	a.limits = make(map[string]int64, len(b.Limits))
	for name, limit := range b.Limits {
		a.limits[SubjectName(name)] = limit
	}
	for _, c := range a.counters {
		c.adopt(a.termsOf(c.place.subject))
	}
}

func (a *account) termsOf(subject string) terms {
	t := a.terms
	if limit, found := a.limits[subject]; found {
		t.limit = limit
	}
	return t
}

// observe takes in what the store holds, as a watch tells it. What is older than what is known already changes nothing. A ledger that was deleted and made
// again, or that has forgotten something, gets all that this proxy counted once more.
func (a *account) observe(now time.Time, stored Stored) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.canRead(now)
	if a.known && stored.Order < a.stored.Order {
		return
	}
	a.take(now, stored)
}

// reload takes in what was read from the store itself, which is what it holds whatever was known before. order is what was known when the reading began.
func (a *account) reload(now time.Time, stored Stored, order uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.canRead(now)
	a.doubtful = false
	if a.known && stored.Order < a.stored.Order && order < a.stored.Order {
		return
	}
	a.take(now, stored)
}

// take looks at a record.
func (a *account) take(now time.Time, stored Stored) {
	remade := a.known && stored.Identity != a.stored.Identity
	a.stored, a.known = stored, true
	if stored.Order > a.doubted {
		// A write on top of an older record can be made no more.
		a.doubtful = false
	}
	a.index = indexOf(stored.Record)
	forgot := remade
	for _, c := range a.counters {
		if remade {
			c.forget()
		}
		if c.look(now, a.count(c.place)) {
			forgot = true
		}
	}
	if forgot {
		a.forgot = true
		a.quietUntil = now.Add(quietFor)
		signal(a.wake)
	}
}

// keeps tells whether the store must hold a counter that was written there: windows that are over, and those of a former resetID, may have been pruned.
func (a *account) keeps(now time.Time, c *counter) bool {
	key := c.place.Key
	key.Start = time.Time{}
	return key == a.current && !c.window.ended(now)
}

// order returns the order of what is known.
func (a *account) order() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stored.Order
}

// mustLoad tells whether the store must be read before something can be written.
func (a *account) mustLoad() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.known || a.doubtful
}

// doubt notes that a write on top of a record of an order may or may not have been made. It takes a look at a later record to know.
func (a *account) doubt(order uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.unwritable = true
	if a.stored.Order <= order {
		a.doubtful, a.doubted = true, order
	}
}

// failed notes that the store was not reached, and when to try again.
func (a *account) failed(now, retryAt time.Time) {
	a.failing.CompareAndSwap(0, now.UnixNano())
	a.postpone(retryAt)
}

// canRead notes that the store was read; it can be tried again at once.
func (a *account) canRead(now time.Time) {
	a.retryAt = earlier(a.retryAt, now)
	if !a.unwritable {
		a.failing.Store(0)
	}
}

// canWrite notes that the store holds all that it should.
func (a *account) canWrite() {
	a.unwritable = false
	a.failing.Store(0)
}

// postpone says when to try again.
func (a *account) postpone(retryAt time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.retryAt = retryAt
}

// unreachable tells whether the store could not be read or written for long.
func (a *account) unreachable(now time.Time) bool {
	since := a.failing.Load()
	return since != 0 && now.UnixNano()-since >= int64(unreachableAfter)
}

// due tells when to write next; write is false when there is nothing to write yet, and at is then when to look again, zero if that is only when woken.
func (a *account) due(now time.Time) (at time.Time, write bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.setBack(now)
	if !a.known {
		return later(now, a.retryAt), true
	}
	// What could not be written once is tried again even if there is nothing to write any more: only that shows that it is possible.
	write = a.unwritable || a.unfinished()
	urgent, again := write, false
	for _, c := range a.counters {
		review := c.review(now, a.mode(now))
		write, urgent, again = write || review.write, urgent || review.urgent, again || review.later
	}
	switch {
	case write:
		pace := a.pace()
		if !urgent {
			pace = max(pace, a.slowPace())
		}
		return later(now, later(a.retryAt, a.preparedAt.Add(pace))), true
	case again:
		return now.Add(WriteInterval), false
	case a.ownDocument:
		return now.Add(restAfter), false
	}
	return time.Time{}, false
}

// unfinished tells whether there is something to be done about earlier runs.
func (a *account) unfinished() bool {
	return len(a.recovered) > 0 || (!a.swept && slices.ContainsFunc(a.stored.Record.Windows, a.hasEarlier))
}

// hasEarlier tells whether a counter has an entry of an earlier run of this pod.
func (a *account) hasEarlier(c Count) bool {
	for owner := range c.Owners {
		if a.earlier(owner) {
			return true
		}
	}
	return false
}

func (a *account) earlier(owner Owner) bool {
	return owner.Pod() == a.run.Pod() && owner.run() != string(a.run)
}

// setBack corrects what lies too far ahead because the clock was set back.
func (a *account) setBack(now time.Time) {
	a.preparedAt = earlier(a.preparedAt, now)
	a.retryAt = earlier(a.retryAt, now.Add(lastBackoff))
	a.quietUntil = earlier(a.quietUntil, now.Add(quietFor))
}

func earlier(a, b time.Time) time.Time {
	if a.After(b) {
		return b
	}
	return a
}

// pace is the time between two writes: longer for large documents, which all owners write.
func (a *account) pace() time.Duration {
	entries := 0
	for i := range a.stored.Record.Windows {
		entries += len(a.stored.Record.Windows[i].Owners)
	}
	return WriteInterval * time.Duration(1+entries/entriesPerSecond)
}

// slowPace is the time between two writes that nobody waits for: they leave the other owners of a slow store the time for theirs.
func (a *account) slowPace() time.Duration {
	owners := 0
	for i := range a.stored.Record.Windows {
		owners = max(owners, len(a.stored.Record.Windows[i].Owners))
	}
	return min(2*time.Duration(owners)*a.took, slowestPace)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (a *account) mode(now time.Time) mode {
	return mode{returning: a.retiring.Load(), quiet: now.Before(a.quietUntil) || a.stored.Record.Moved != ""}
}

// prepare returns the record with all that is to be written, for the store to put in the place of the one that is known. changed is false when there is nothing.
func (a *account) prepare(now time.Time) (next Stored, changed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	edited := draftOf(a.stored.Record)
	for _, known := range a.recovered {
		at := place{Key: known.Key.normal(), subject: known.Subject}
		edited.change(at, known.End).recover(known)
	}
	if !a.swept {
		a.sweep(edited)
	}
	for _, c := range a.counters {
		entry, recall, write := c.propose(now, a.mode(now))
		if !write {
			continue
		}
		count := edited.change(c.place, c.window.End)
		count.Recall = max(count.Recall, recall)
		count.enter(c.owner, entry)
	}
	if !edited.changed() {
		a.cleanAt = later(a.cleanAt, now)
		a.canWrite()
		return a.stored, false
	}
	a.preparedAt = now
	next = a.stored
	next.Record.Windows = edited.windows
	next.Record.Prune(now)
	return next, true
}

// sweep folds earlier runs of this pod wherever they are: they have ended, and nobody else would answer a recall for them.
func (a *account) sweep(edited *draft) {
	for i := range edited.windows {
		if !a.hasEarlier(edited.windows[i]) {
			continue
		}
		count := edited.change(edited.windows[i].place(), edited.windows[i].End)
		for owner := range count.Owners {
			if a.earlier(owner) {
				count.remember(owner)
				count.fold(owner)
			}
		}
	}
}

// acknowledge notes that the store has made the last write. When something later was seen already, only what that shows counts: the rest is written anew.
func (a *account) acknowledge(now time.Time, saved Stored) {
	a.observe(now, saved)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.canWrite()
	a.took = now.Sub(a.preparedAt)
	if saved.Identity != a.stored.Identity || saved.Order < a.stored.Order {
		return
	}
	a.recovered, a.swept = nil, true
	a.cleanAt = later(a.cleanAt, a.preparedAt)
	for _, c := range a.counters {
		c.confirm(now)
	}
}

// clean returns the time before which all that was settled is in the store.
func (a *account) clean(now time.Time) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.recovered) == 0 && !slices.ContainsFunc(a.counters, (*counter).unwritten) {
		a.cleanAt = later(a.cleanAt, now)
	}
	return a.cleanAt
}

// restore adds an owner of an earlier run.
func (a *account) restore(known Recovered) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.recovered = append(a.recovered, known)
	signal(a.wake)
}

// follow notes that the table has a budget with this ledger, and what it says.
func (a *account) follow(b *table.Budget) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.followed, a.abandonAt = true, time.Time{}
	a.retiring.Store(a.draining)
	a.adopt(b)
}

// unfollow notes that the table has no budget with this ledger any more.
func (a *account) unfollow(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.followed = false
	if a.abandonAt.IsZero() {
		a.abandonAt = now.Add(Retention)
	}
	a.retire()
}

// drain has everything given back that is not needed, for good.
func (a *account) drain() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.draining = true
	a.retire()
}

func (a *account) retire() {
	a.retiring.Store(true)
	for _, c := range a.counters {
		c.poke()
	}
	signal(a.wake)
}

// dirty tells whether there is something to write.
func (a *account) dirty(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.unfinished() || slices.ContainsFunc(a.counters, func(c *counter) bool { return c.review(now, a.mode(now)).write })
}

// closeRetired closes the counters that nobody needs any more, and the account when none is left and its budget is gone, or its subject has long not called. It
// tells whether the account is closed.
func (a *account) closeRetired(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	why := closing{now: now, abandoned: !a.abandonAt.IsZero() && !now.Before(a.abandonAt)}
	a.counters = slices.DeleteFunc(a.counters, func(c *counter) bool {
		why.unused = !a.followed || (a.ownDocument && c.unusedSince(now.Add(-restAfter)))
		if !c.close(why) {
			return false
		}
		delete(a.byPlace, c.place)
		return true
	})
	if a.followed && !a.ownDocument {
		return false
	}
	a.closed = len(a.counters) == 0 && (why.abandoned || len(a.recovered) == 0)
	return a.closed
}

// held is what all counters together could still give to attempts, in nano-dollars.
func (a *account) held() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	held := int64(0)
	for _, c := range a.counters {
		held = addSaturating(held, c.spareNow())
	}
	return held
}

// tookNote tells, once, that the store was found to have forgotten something.
func (a *account) tookNote() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	forgot := a.forgot
	a.forgot = false
	return forgot
}
