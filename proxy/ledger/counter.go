package ledger

import (
	"slices"
	"sync"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// terms are what a budget says about one of its counters.
type terms struct {
	// budget is the name of the SpendBudget.
	budget string
	// limit in nano-dollars.
	limit       int64
	enforcement table.Enforcement
	// allowUnpriced and allowWithoutLedger are as in table.Budget.
	allowUnpriced, allowWithoutLedger bool
}

func (t *terms) hard() bool { return t.enforcement == table.Hard }

// counter is one proxy's part of one counter: a subject in a window. Reserve and Settle work on it alone, under its lock. Everything that depends on the
// ledger is decided in grant.go, from what was read and the time that is given.
type counter struct {
	// account is where the counter is written to.
	account *account
	// owner is the name that the counter is written under. No two counters share one, so that one that is begun anew never looks like an earlier version of
	// the one before.
	owner  Owner
	place  place
	window Window

	mu    sync.Mutex
	terms terms
	// own is what this proxy settled. seq grows with each settlement and each write.
	own Totals
	seq int64
	// open is what is reserved for attempts that have not ended, pending how many of them there are.
	open    int64
	pending int
	// granted is the most that may be spent and reserved. It is not above the allowance that the ledger is known to hold, and is lowered before that is.
	granted int64
	// waiters are the attempts that wait for an allowance, in the order in which they came.
	waiters []*waiter
	// routes and callers say what was spent on what.
	routes, callers spending

	// view is what the ledger said of the others, and stored what it said of this counter.
	view   view
	stored Entry
	// sent is the last entry that was to be written; it is not known to be in the ledger while unsure is set.
	sent   Entry
	unsure bool
	// raises tells that the allowance of sent may be spent once it is in the ledger.
	raises bool

	// usedAt is when the last call came, recent what was reserved lately.
	usedAt time.Time
	recent recent
	// refillBelow is the free allowance under which the ledger is asked for more ahead of need.
	refillBelow int64
	// low is the least free allowance since lowSince.
	low      int64
	lowSince time.Time
	// tightUntil is when the last recall no longer keeps this counter from holding more than it needs.
	tightUntil time.Time
	// flagged tells that the account was told to look at the counter.
	flagged bool
	// closed tells that the counter counts no more.
	closed bool
}

// waiter is an attempt that waits for an allowance.
type waiter struct {
	nano int64
	// seen is the Recall when the attempt came: only a later one was for it, too.
	seen int64
	// ready is closed when the attempt is admitted or refused.
	ready chan struct{}
	// unfitSince is when it was first known not to fit; zero before.
	unfitSince time.Time
	// held is what it got, when it is admitted; refusal is set when it is refused.
	held    hold
	refusal *Refusal
}

// outcome is what became of an attempt that no longer waits.
func (w *waiter) outcome() (answer, hold, *Refusal) {
	if w.refusal != nil {
		return refused, hold{}, w.refusal
	}
	return admitted, w.held, nil
}

// answer is what a counter says to an attempt.
type answer int

const (
	admitted answer = iota
	refused
	// mustWait: the allowance does not suffice and the ledger may have more.
	mustWait
	// gone: the counter is closed; there may be another one.
	gone
)

// ask asks for one attempt, without waiting.
func (c *counter) ask(now time.Time, ask *Ask) (answer, hold, *Refusal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return gone, hold{}, nil
	}
	var reason Reason
	if c.terms.hard() {
		reason = c.askHard(now, ask)
	} else {
		reason = c.askSoft(now, ask)
	}
	c.usedAt = now
	if reason == "" || reason == waitForLedger {
		c.recent.add(now, max(0, ask.Nano))
	}
	switch reason {
	case "":
		held := c.hold(ask.Nano)
		if c.free() < c.refillBelow {
			c.flag()
		}
		return admitted, held, nil
	case waitForLedger:
		return mustWait, hold{}, nil
	default:
		return refused, hold{}, c.refuse(reason, ask.Nano)
	}
}

// waitForLedger is no reason yet: the allowance does not suffice and the ledger may have more.
const waitForLedger Reason = "wait"

// askHard tells why a Hard budget refuses an attempt; "" when it does not.
func (c *counter) askHard(now time.Time, ask *Ask) Reason {
	switch {
	case ask.Unpriced:
		return Unpriced
	case ask.Unbounded:
		return Unbounded
	}
	nano := max(0, ask.Nano)
	switch {
	case nano <= c.free():
		return ""
	case c.hopeless(nano):
		return LimitReached
	case c.account.unreachable(now):
		return LedgerUnreachable
	}
	return waitForLedger
}

// askSoft tells why a budget that is not Hard refuses an attempt; "" when it does not.
func (c *counter) askSoft(now time.Time, ask *Ask) Reason {
	switch {
	case c.terms.enforcement == table.Observe:
	case c.used() >= c.terms.limit:
		return LimitReached
	case ask.Unpriced && !c.terms.allowUnpriced:
		return Unpriced
	case !c.terms.allowWithoutLedger && c.account.unreachable(now):
		return LedgerUnreachable
	}
	return ""
}

// hold admits an attempt. A Hard budget's allowance suffices for it.
func (c *counter) hold(nano int64) hold {
	c.pending++
	if !c.terms.hard() {
		return hold{counter: c}
	}
	nano = max(0, nano)
	c.open += nano
	c.low = min(c.low, c.free())
	return hold{counter: c, nano: nano, hard: true}
}

// floor is what is spent and reserved.
func (c *counter) floor() int64 {
	return addSaturating(c.own.Spent, c.open)
}

// free is what can be reserved without asking the ledger; less than zero after an overrun. Where the known commitments pass the limit, because it was lowered, the
// allowance is not spent beyond it.
func (c *counter) free() int64 {
	if c.view.known {
		return min(c.granted, c.room()) - c.floor()
	}
	return c.granted - c.floor()
}

// spareNow is what is free at the moment.
func (c *counter) spareNow() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(0, c.free())
}

// used is what is known to be spent or lost in the counter, by all.
func (c *counter) used() int64 {
	return addSaturating(c.own.Spent, addSaturating(c.view.spent, c.view.lost))
}

// hopeless tells that an attempt does not fit even if all other proxies gave back what they hold.
func (c *counter) hopeless(nano int64) bool {
	return c.view.known && addSaturating(addSaturating(c.used(), c.open), nano) > c.terms.limit
}

// enlist lets an attempt wait, or tells at once what becomes of it: the answer is gone when the counter is closed, and admitted when it fits by now.
func (c *counter) enlist(nano int64) (*waiter, answer, hold) {
	c.mu.Lock()
	defer c.mu.Unlock()
	nano = max(0, nano)
	switch {
	case c.closed:
		return nil, gone, hold{}
	case !c.terms.hard() || nano <= c.free():
		return nil, admitted, c.hold(nano)
	}
	w := &waiter{nano: nano, seen: c.view.recall, ready: make(chan struct{})}
	c.waiters = append(c.waiters, w)
	c.flag()
	return w, mustWait, hold{}
}

// giveUp ends a wait that nobody has answered. Whether the limit has room was not found out then, so it is the reason only if next to nothing was left.
func (c *counter) giveUp(w *waiter, reason Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := slices.Index(c.waiters, w)
	if at < 0 {
		return
	}
	c.waiters = slices.Delete(c.waiters, at, at+1)
	if reason == LedgerUnreachable && c.hopeless(addSaturating(w.nano, c.terms.limit/100)) {
		reason = LimitReached
	}
	w.refusal = c.refuse(reason, w.nano)
	close(w.ready)
}

// refuse makes a refusal.
func (c *counter) refuse(reason Reason, nano int64) *Refusal {
	return &Refusal{
		Budget: c.terms.budget, Reason: reason, Subject: c.place.subject, Limit: c.terms.limit,
		Spent: addSaturating(c.own.Spent, c.view.spent), Lost: c.view.lost, Reserved: addSaturating(c.open, c.view.reserved),
		Ask: nano, Available: c.available(), Start: c.window.Start, End: c.window.End,
	}
}

// available is the most that an attempt could reserve as far as is known: what is free here, and what nobody holds.
func (c *counter) available() int64 {
	if !c.terms.hard() {
		return max(0, c.terms.limit-c.used())
	}
	most := c.granted
	if c.view.known {
		most = max(most, c.room())
	}
	return max(0, most-c.floor())
}

// settle counts an attempt that was admitted, and returns the state of the counter.
func (c *counter) settle(held hold, charge *Charge, request int64) (Totals, int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cost := max(0, charge.Nano)
	add := Totals{Spent: cost, Requests: request}
	if held.hard {
		add.Overrun = max(0, cost-held.nano)
	}
	c.own = c.own.Plus(add)
	if charge.Unpriced {
		// A request that takes several attempts is one, however many of them have no price.
		c.own.Unpriced = min(addSaturating(c.own.Unpriced, 1), c.own.Requests)
	}
	if c.place.subject == "" {
		c.routes.add(charge.Route, cost)
		c.callers.add(charge.Caller, cost)
	}
	c.seq++
	c.end(held.nano)
	c.flag()
	return c.own, c.seq
}

// release ends an attempt that was not made.
func (c *counter) release(held hold) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end(held.nano)
}

// end gives back what an attempt held.
func (c *counter) end(nano int64) {
	c.open -= nano
	c.pending--
	if len(c.waiters) > 0 {
		c.serve(time.Time{})
	}
	if c.account.retiring.Load() {
		c.flag()
	}
}

// flag tells the account to look at the counter.
func (c *counter) flag() {
	if !c.flagged {
		c.flagged = true
		signal(c.account.wake)
	}
}

// standing tells how the counter stands.
func (c *counter) standing() Standing {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Standing{
		Subject: c.place.subject, Limit: c.terms.limit, Spent: addSaturating(c.own.Spent, c.view.spent),
		Reserved: addSaturating(c.open, c.view.reserved), Lost: c.view.lost, Window: c.window,
	}
}

// recentSeconds is for how long it is remembered what was reserved, and so how many seconds of the burn rate a slice is worth. It is a power of two.
const recentSeconds = 8

// recent is what was reserved within the last seconds.
type recent struct {
	last    int64
	seconds [recentSeconds]int64
	total   int64
}

// add counts what is reserved now.
func (r *recent) add(now time.Time, nano int64) {
	r.advance(now)
	at := &r.seconds[r.last&(recentSeconds-1)]
	nano = min(nano, maxRecent-*at)
	*at += nano
	r.total += nano
}

// maxRecent bounds what one second can count, so that the sum never overflows.
const maxRecent = 1 << 59

// advance forgets what is too old, and everything when the clock is set back by more than that.
func (r *recent) advance(now time.Time) {
	second := now.Unix()
	if second-r.last >= recentSeconds || r.last-second >= recentSeconds {
		*r = recent{last: second}
		return
	}
	for r.last < second {
		r.last++
		at := &r.seconds[r.last&(recentSeconds-1)]
		r.total -= *at
		*at = 0
	}
}

// spending is what was spent by name, for more names than are stored.
type spending struct {
	by Breakdown
}

// maxNames bounds the names that a proxy tells apart before it stores the largest.
const maxNames = 256

func (s *spending) add(name string, nano int64) {
	if name == "" || nano == 0 {
		return
	}
	if s.by == nil {
		s.by = Breakdown{}
	}
	before, found := s.by[name]
	if !found && (len(s.by) >= maxNames || len(name) > maxNameBytes) {
		name = ""
		before = s.by[name]
	}
	s.by[name] = addSaturating(before, nano)
}
