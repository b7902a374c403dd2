package ledger

import (
	"context"
	"sync/atomic"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// Claimant is whose call it is, as budgets see it.
type Claimant struct {
	// Caller is the authenticated identity.
	Caller Caller
	// EndUser is whom the caller says that it calls for; empty for nobody. A budget believes it from its trusted callers only.
	EndUser string
	// Tags are what the caller says of the call, each key once. They are believed likewise, but for the first ones.
	Tags []table.Tag
	// Vouched is how many of Tags, from the first on, the caller's issuer says. Every budget believes them.
	Vouched int
}

// Ask is what an attempt may cost.
type Ask struct {
	// Nano is the most that it can cost in nano-dollars, over all that is priced.
	Nano int64
	// Unpriced tells that some of it has no known price.
	Unpriced bool
	// Unbounded tells that some of it has no upper bound; Hard budgets refuse it.
	Unbounded bool
	// Retry tells that the call has been counted as a request before, by an attempt that was settled.
	Retry bool
	// Patience is the longest to wait for an allowance from the ledger; 0 is DefaultPatience. The context can end the wait, too.
	Patience time.Duration
}

// DefaultPatience is how long a call waits for its budgets' ledgers when what the proxy holds is not enough: for a write, for the other replicas to give back
// what they do not need, and for another write.
const DefaultPatience = 4 * time.Second

// Charge is what a call cost.
type Charge struct {
	// Nano is the cost in nano-dollars; less than zero counts as zero.
	Nano int64
	// Unpriced tells that the call, or a part of it, had no known price; Nano is then the cost of the rest.
	Unpriced bool
	// Route and Caller are the names under which the cost is shown.
	Route, Caller string
}

// Reason says why a call is refused.
type Reason string

// The reasons.
const (
	// LimitReached: what is spent or lost in the window, and reserved by calls that are under way, leaves no room for the call.
	LimitReached Reason = "LimitReached"
	// Unpriced: the price of the call is not known and the budget does not allow such calls.
	Unpriced Reason = "Unpriced"
	// Unbounded: nobody knows the most that the call can cost.
	Unbounded Reason = "Unbounded"
	// WindowUnknown: the budget's period or time zone is not known to this program, so nothing can be counted.
	WindowUnknown Reason = "WindowUnknown"
	// LedgerUnreachable: what the proxy holds does not suffice, and the ledger, or another proxy that holds a part of the limit, did not answer in time.
	LedgerUnreachable Reason = "LedgerUnreachable"
	// Canceled: the call ended while it waited for the ledger.
	Canceled Reason = "Canceled"
)

// Refusal says which budget refuses a call, and why.
type Refusal struct {
	// Budget is the name of the SpendBudget.
	Budget string
	// Reason of the refusal.
	Reason Reason
	// Subject whose counter refused; empty for the shared one.
	Subject string
	// Limit of the counter in nano-dollars.
	Limit int64
	// Spent and Lost in the window in nano-dollars, and what is reserved besides, as far as this proxy knows.
	Spent, Lost, Reserved int64
	// Ask is what was asked for, Available the largest ask that the ledger had room for; in nano-dollars.
	Ask, Available int64
	// Start of the window; zero with the period Total and with WindowUnknown.
	Start time.Time
	// End of the window, when the budget starts afresh; zero with the period Total and with WindowUnknown.
	End time.Time
}

// inlineHolds is how many budgets a Reservation holds without an allocation.
const inlineHolds = 4

// Reservation is what the budgets of one attempt keep for it. It belongs to the windows that it was made in, however long the attempt takes. Its zero value
// holds nothing, and its methods do nothing then. It must not be copied once it holds something.
type Reservation struct {
	inline [inlineHolds]hold
	more   []hold
	count  int
	// request is 1 when the attempt counts as a request.
	request int64
	done    atomic.Bool
}

// hold is what a reservation has of one counter.
type hold struct {
	counter *counter
	nano    int64
	// hard tells that nano was taken out of an allowance.
	hard bool
}

// Claim is what a reservation holds of one counter.
type Claim struct {
	// Owner is the counter's name in the ledger.
	Owner Owner
	// Ledger is the name of the ledger object.
	Ledger string
	// Key of the window.
	Key Key
	// End of the window, in UTC; zero with the period Total.
	End time.Time
	// Subject whose counter it is; empty for the shared one.
	Subject string
	// Nano that is reserved, in nano-dollars; 0 from budgets that are not Hard.
	Nano int64
}

// Settlement is the state of a counter after an attempt was settled in it. It is enough to bring the ledger up to date after the process has ended: of two
// settlements of one Owner, Ledger, Key and Subject the one with the larger Seq holds all that the other does.
type Settlement struct {
	Claim
	// Totals that the counter has settled since it began.
	Totals Totals
	// Seq grows with each settlement.
	Seq int64
}

// Recovered is what a journal knows of a counter of an earlier run of the same pod.
type Recovered struct {
	// Claim names the counter; Nano is what was reserved for attempts that may have been sent and whose end is not known. It is counted as lost.
	Claim
	// Totals that were settled; zero if nothing was.
	Totals Totals
	// Seq of Totals; 0 if nothing was settled.
	Seq int64
}

// Reserve asks all budgets for one attempt, in their order, before it is sent. Either all admit it and reservation holds it, or none keeps anything and the
// first that does not is returned. From Hard budgets the most that the attempt can cost is taken out of the proxy's allowance; only when that does not suffice
// does it wait for the ledger. Soft budgets compare what is known to be spent with their limit, and budgets that observe admit everything. reservation must be
// zero; it is not written to when nothing counts the attempt. Nothing is allocated while the allowance suffices.
//
//nolint:revive // six arguments: a struct of them would be filled and read for each attempt
func (b *Book) Reserve(ctx context.Context, now time.Time, budgets []*Budget, by *Claimant, ask Ask, reservation *Reservation) *Refusal {
	now = b.clock(now)
	for _, budget := range budgets {
		if refusal := budget.reserve(ctx, now, by, &ask, reservation); refusal != nil {
			reservation.undo()
			return refusal
		}
	}
	if !ask.Retry && reservation.count > 0 {
		reservation.request = 1
	}
	return nil
}

// reserve asks one budget.
func (b *Budget) reserve(ctx context.Context, now time.Time, by *Claimant, ask *Ask, to *Reservation) *Refusal {
	for {
		found, err := b.counter(now, by)
		if err != nil {
			if b.Enforcement == table.Observe {
				return nil
			}
			return &Refusal{Budget: b.Name, Reason: WindowUnknown, Limit: b.Limit, Ask: ask.Nano}
		}
		said, held, refusal := found.ask(now, ask)
		if said == mustWait {
			said, held, refusal = found.await(ctx, ask)
		}
		switch said {
		case admitted:
			to.add(held)
			return nil
		case refused:
			return refusal
		case gone, mustWait:
			b.drop(found)
		}
	}
}

// await waits until an attempt is admitted or refused.
func (c *counter) await(ctx context.Context, ask *Ask) (answer, hold, *Refusal) {
	w, said, held := c.enlist(ask.Nano)
	if w == nil {
		return said, held, nil
	}
	patience := ask.Patience
	if patience <= 0 {
		patience = DefaultPatience
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-w.ready:
	case <-ctx.Done():
		c.giveUp(w, Canceled)
	case <-timer.C:
		c.giveUp(w, LedgerUnreachable)
	}
	return w.outcome()
}

// add keeps what a counter gave.
func (r *Reservation) add(held hold) {
	if r.count < inlineHolds {
		r.inline[r.count] = held
	} else {
		r.more = append(r.more, held)
	}
	r.count++
}

// hold returns one of what is held.
func (r *Reservation) hold(i int) hold {
	if i < inlineHolds {
		return r.inline[i]
	}
	return r.more[i-inlineHolds]
}

// undo gives back what was reserved before a budget refused, and leaves the reservation as it was.
func (r *Reservation) undo() {
	for i := range r.count {
		held := r.hold(i)
		held.counter.release(held)
	}
	if r.count > 0 {
		r.inline, r.more, r.count = [inlineHolds]hold{}, nil, 0
	}
}

// Claims appends what the reservation holds, for a journal.
func (r *Reservation) Claims(to []Claim) []Claim {
	for i := range r.count {
		to = append(to, r.hold(i).claim())
	}
	return to
}

// claim names what is held.
func (h hold) claim() Claim {
	c := h.counter
	return Claim{Owner: c.owner, Ledger: c.account.ledger, Key: c.place.Key, End: c.window.End, Subject: c.place.subject, Nano: h.nano}
}

// Settle counts an attempt that reached a provider with what it cost, gives back the rest of what was reserved, and appends the state of its counters to to, which
// may be nil. Only the first Settle or Release does anything.
func (r *Reservation) Settle(charge Charge, to []Settlement) []Settlement {
	if r.count == 0 || !r.done.CompareAndSwap(false, true) {
		return to
	}
	for i := range r.count {
		held := r.hold(i)
		totals, seq := held.counter.settle(held, &charge, r.request)
		to = append(to, Settlement{Claim: held.claim(), Totals: totals, Seq: seq})
	}
	return to
}

// Release ends an attempt that reached no provider: it is not counted.
func (r *Reservation) Release() {
	if r.count == 0 || !r.done.CompareAndSwap(false, true) {
		return
	}
	for i := range r.count {
		held := r.hold(i)
		held.counter.release(held)
	}
}
