package ledger

import (
	"slices"
	"time"
)

const (
	// idleAfter is how long an allowance must have been free before it is given back.
	idleAfter = 5 * time.Second
	// tightFor is how long nothing idle is held after a recall.
	tightFor = 5 * time.Second
	// staleRecall is when a recall that somebody does not answer no longer keeps others from beginning another.
	staleRecall = 2 * time.Second
	// windowGrace is how long the counter of a window that is over is kept for clocks that are set back a little.
	windowGrace = time.Minute
	// openingShare is the part of the limit that an owner who holds nothing takes at most beyond its need, while little is known of its rate.
	openingShare = 64
)

// view is what the ledger said of all but one owner of a counter.
type view struct {
	// known tells that the ledger was read at all.
	known bool
	// spent, lost and reserved are sums in nano-dollars: what was settled, what owners held that are gone, and what living ones hold.
	spent, lost, reserved int64
	// living is how many owners are not lost.
	living int
	// recall is the last one, answered the last that all have answered who hold anything, recallAt when it was first seen.
	recall, answered int64
	recallAt         time.Time
}

// viewOf adds up the others.
func viewOf(count *Count, owner Owner) view {
	seen := view{known: true, spent: count.Folded.Spent, lost: count.Folded.Lost, recall: count.Recall, answered: count.Recall}
	for other, entry := range count.Owners {
		if other == owner {
			continue
		}
		seen.spent = addSaturating(seen.spent, entry.Spent)
		if entry.Lost {
			seen.lost = addSaturating(seen.lost, entry.Held())
			continue
		}
		seen.living++
		seen.reserved = addSaturating(seen.reserved, entry.Held())
		if entry.Held() > 0 {
			seen.answered = min(seen.answered, entry.Answered)
		}
	}
	return seen
}

// look takes in what the ledger holds. rolledBack tells that the ledger has forgotten what it had acknowledged.
func (c *counter) look(now time.Time, count *Count) (rolledBack bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	own, found := count.Owners[c.owner]
	if found || c.account.keeps(now, c) {
		rolledBack = own.Seq < c.stored.Seq
		c.stored = own
	}
	c.see(now, viewOf(count, c.owner))
	if found && own.Seq == c.sent.Seq {
		c.acknowledge()
	}
	if rolledBack {
		c.raises = false
	}
	c.serve(now)
	if rolledBack || own.Lost || c.mustAnswer() || len(c.waiters) > 0 {
		c.flag()
	}
	return rolledBack
}

// see takes in what the ledger says of the others. After a recall nothing idle is held for a while.
func (c *counter) see(now time.Time, seen view) {
	seen.recallAt = c.view.recallAt
	if c.view.known && seen.recall != c.view.recall {
		seen.recallAt = now
		c.tightUntil = now.Add(tightFor)
	}
	c.view = seen
}

// forget drops what the ledger was known to hold: it is another one now.
func (c *counter) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stored, c.unsure, c.raises = Entry{}, false, false
	c.flag()
}

// acknowledge notes that the ledger holds what was sent.
func (c *counter) acknowledge() {
	if !c.unsure {
		return
	}
	c.stored = c.sent
	if c.raises {
		c.granted = max(c.granted, c.sent.Allowance)
	}
	c.unsure, c.raises = false, false
	c.low, c.lowSince = c.free(), time.Time{}
}

// confirm is acknowledge after a write that the store has answered.
func (c *counter) confirm(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acknowledge()
	c.serve(now)
	if len(c.waiters) > 0 {
		c.flag()
	}
}

// adopt takes in new terms. Where the known commitments pass a lowered limit, free no longer counts what is idle from now on.
func (c *counter) adopt(t terms) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.terms == t {
		return
	}
	c.terms = t
	if c.unsure && c.raises && c.sent.Allowance > c.room() {
		c.raises = false
	}
	c.serve(time.Time{})
	c.flag()
}

// lower gives up a part of the allowance before the ledger is told, and never takes it back because it was not.
func (c *counter) lower(to int64) {
	if to < c.granted {
		c.granted = to
		c.raises = false
	}
}

// serve admits the waiting attempts that fit now, and refuses those for which there is nothing to wait. Without a time nobody is refused for want of others.
func (c *counter) serve(now time.Time) {
	c.waiters = slices.DeleteFunc(c.waiters, func(w *waiter) bool {
		switch {
		case !c.terms.hard(), w.nano <= c.free():
			w.held = c.hold(w.nano)
		case c.hopeless(w.nano), c.unfit(now, w):
			w.refusal = c.refuse(LimitReached, w.nano)
		default:
			return false
		}
		close(w.ready)
		return true
	})
}

// unfit tells whether an attempt does not fit although all others have given back what they do not use. They have gone on since, so it is only certain when
// each has had the time for another write.
func (c *counter) unfit(now time.Time, w *waiter) bool {
	if now.IsZero() || !c.answered(w) || addSaturating(c.floor(), w.nano) <= c.room() {
		return false
	}
	if w.unfitSince.IsZero() || now.Before(w.unfitSince) {
		w.unfitSince = now
	}
	return now.Sub(w.unfitSince) >= WriteInterval
}

// answered tells whether all others have given back what they do not use since an attempt came.
func (c *counter) answered(w *waiter) bool {
	return c.view.known && c.view.answered > w.seen
}

// mustAnswer tells whether others wait for this counter to give back what it does not need.
func (c *counter) mustAnswer() bool {
	return c.view.recall > c.stored.Answered && c.stored.Held() > 0
}

// room is the largest allowance that this counter can have under the limit, given what all others have. It can be less than zero.
func (c *counter) room() int64 {
	return c.terms.limit - addSaturating(addSaturating(c.view.spent, c.view.lost), c.view.reserved)
}

// decision is what a counter wants the ledger to hold.
type decision struct {
	// write tells whether that differs from what it holds.
	write bool
	// allowance in nano-dollars. One above what is granted may be spent once it is written.
	allowance int64
	// recall is the one that is known, or the next, to begin it.
	recall int64
	// spare is how much should be free for attempts to come, as far as there is room.
	spare int64
}

// mode is how an account takes allowances at the moment.
type mode struct {
	// returning tells that the proxy ends or the budget is gone: nothing idle is held.
	returning bool
	// quiet tells that no more is taken, for the ledger has forgotten something and the others must have the time to say so.
	quiet bool
}

// decide says what the ledger should hold of this counter. What was looked at last must be the record that is to be replaced. What may still reach the store
// from a write before is written once more under a larger number, so that the earlier one comes too late.
func (c *counter) decide(now time.Time, how mode) decision {
	c.tightUntil = earlier(c.tightUntil, now.Add(tightFor))
	c.view.recallAt = earlier(c.view.recallAt, now)
	room := c.room()
	need, unmet := c.need(room)
	d := decision{recall: c.view.recall}
	if unmet && !how.quiet && c.mayRecall(now) {
		d.recall++
	}
	switch {
	case !c.terms.hard():
		// Attempts that were reserved while the budget was Hard hold what they have until they end.
		d.allowance = min(c.granted, c.held())
	case d.recall > c.view.recall || c.tight(now, how, room):
		d.allowance = need
	default:
		d.spare = c.spare(now, room-need)
		d.allowance = c.want(now, need, d.spare)
	}
	if d.allowance > c.granted {
		d.allowance = c.most(d.allowance, room, how)
	}
	d.write = d.recall > c.view.recall || d.allowance != c.stored.Allowance || c.differs()
	return d
}

// tight tells whether nothing may be held that no attempt needs.
func (c *counter) tight(now time.Time, how mode, room int64) bool {
	return how.returning || c.mustAnswer() || now.Before(c.tightUntil) || c.granted > room || c.window.ended(now)
}

// differs tells whether the ledger must be written whatever the allowance is.
func (c *counter) differs() bool {
	return c.unsure || c.own != c.stored.Totals || c.stored.Lost || c.mustAnswer()
}

// need is what must be granted for what is spent, reserved and waited for. Attempts that do not fit under room are left out; unmet tells that there are some.
func (c *counter) need(room int64) (need int64, unmet bool) {
	need = c.floor()
	for _, w := range c.waiters {
		if with := addSaturating(need, w.nano); with <= room {
			need = with
		} else {
			unmet = true
		}
	}
	return need, unmet
}

// want is the allowance that attempts of the usual size and frequency need. It is filled up when half of it is used, and with any write; what has been idle
// for some time is not wanted.
func (c *counter) want(now time.Time, need, spare int64) int64 {
	free := c.granted - need
	idle := c.idle(now)
	switch {
	case free < spare/2, free < spare && c.own != c.stored.Totals:
		return addSaturating(need, spare)
	case idle > spare:
		return max(need, c.granted-(idle-spare))
	}
	return max(c.granted, need)
}

// held is what attempts of a budget that is no longer Hard keep.
func (c *counter) held() int64 {
	if c.open == 0 {
		return 0
	}
	return c.floor()
}

// most cuts an allowance that is to be raised to what fits.
func (c *counter) most(allowance, room int64, how mode) int64 {
	if how.quiet {
		return c.granted
	}
	return max(c.granted, min(allowance, room))
}

// mayRecall tells whether an attempt that does not fit makes the others give back what they do not use: when no recall since it came was answered, and no
// other is under way.
func (c *counter) mayRecall(now time.Time) bool {
	if c.view.reserved == 0 || (c.view.answered < c.view.recall && now.Sub(c.view.recallAt) < staleRecall) {
		return false
	}
	return slices.ContainsFunc(c.waiters, func(w *waiter) bool { return !c.answered(w) })
}

// spare is how much should be free for the attempts to come: some seconds' worth, and near the limit a fair part of what nobody holds.
func (c *counter) spare(now time.Time, unallocated int64) int64 {
	if unallocated <= 0 {
		return 0
	}
	c.recent.advance(now)
	want := c.recent.total
	if want > 0 && c.stored.Held() == 0 {
		want = max(want, c.terms.limit/openingShare)
	}
	return min(want, unallocated/(2*int64(c.view.living+1)))
}

// idle is what has been free for some time.
func (c *counter) idle(now time.Time) int64 {
	if c.lowSince.IsZero() || now.Before(c.lowSince) {
		c.low, c.lowSince = c.free(), now
	}
	if now.Sub(c.lowSince) < idleAfter {
		return 0
	}
	return max(0, c.low)
}

// review is what a counter has to do.
type review struct {
	// write tells that there is something to write, urgent that somebody waits for it, later that there may be something after a while.
	write, urgent, later bool
}

// review tells what there is to do.
func (c *counter) review(now time.Time, how mode) review {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serve(now)
	d := c.decide(now, how)
	if d.write {
		return review{write: true, urgent: len(c.waiters) > 0 || c.stored.Lost || c.mustAnswer() || now.Before(c.tightUntil) || c.free() < d.spare/2}
	}
	c.rest(now, d)
	return review{later: c.granted > c.floor() || len(c.waiters) > 0}
}

// rest notes that nothing is to be written now.
func (c *counter) rest(now time.Time, d decision) {
	c.flagged = false
	c.refillBelow = min(d.spare, max(0, c.free())) / 2
	if now.Sub(c.lowSince) >= idleAfter {
		c.lowSince = time.Time{}
	}
}

// propose returns the entry that the ledger should hold, and the recall. From now on nothing is spent that the entry gives back.
func (c *counter) propose(now time.Time, how mode) (Entry, int64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.decide(now, how)
	if !d.write {
		c.rest(now, d)
		return Entry{}, 0, false
	}
	c.lower(d.allowance)
	c.seq++
	c.sent = Entry{
		Totals: c.own, Allowance: d.allowance, Seq: c.seq, Answered: d.recall, Updated: now.UTC().Truncate(time.Second),
		Routes: c.routes.by.top(), Callers: c.callers.by.top(),
	}
	c.unsure, c.raises = true, d.allowance > c.granted
	c.flagged, c.lowSince = false, time.Time{}
	c.refillBelow = d.spare / 2
	return c.sent, d.recall, true
}

// unwritten tells whether the ledger does not hold yet what was settled, or still holds what was given back.
func (c *counter) unwritten() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.own != c.stored.Totals
}

// poke has the account look at the counter.
func (c *counter) poke() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flag()
}

// unusedSince tells whether no call came since t.
func (c *counter) unusedSince(t time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.usedAt.Before(t)
}

// closing is why counters are closed.
type closing struct {
	now time.Time
	// unused tells that a counter is not needed whatever its window is; abandoned, that what is left to write is given up.
	unused, abandoned bool
}

// close closes a counter whose window is over, or that is unused, when no attempt is under way and nothing is left to write, and tells whether it did. What
// could not be written for a day is not waited for.
func (c *counter) close(why closing) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	needed := !why.unused && !c.window.ended(why.now.Add(-windowGrace))
	if needed || c.pending > 0 || len(c.waiters) > 0 {
		return false
	}
	clean := !c.unsure && c.own == c.stored.Totals && c.stored.Held() == 0
	c.closed = clean || why.abandoned || c.window.ended(why.now.Add(-Retention))
	return c.closed
}
