package ledger

import (
	"context"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// Claimant is whose call it is, as budgets see it.
type Claimant struct {
	// Caller is the authenticated identity.
	Caller Caller
	// EndUser is whom the caller says that it calls for; empty for nobody. A budget believes it from its trusted callers only.
	EndUser string
	// Tags are what the caller says of the call, each key once. They are believed likewise.
	Tags []table.Tag
}

// Budget is a compiled budget with its counters. It is what the request path holds, and is safe for concurrent use.
type Budget struct {
	*table.Budget
}

// Use tells the book which budgets there are, with each new table before it is served, and returns a handle for each in their order. A budget whose ledger,
// window and resetID are those of one before goes on with its counters, whatever else has changed; a changed limit holds from now on. The ledgers of budgets
// that are gone are given up once all calls that they wait for have ended and everything is written.
func (b *Book) Use(budgets []table.Budget, now time.Time) []*Budget {
	handles := make([]*Budget, len(budgets))
	for i := range budgets {
		handles[i] = &Budget{Budget: &budgets[i]}
	}
	return handles
}

// Counts tells whether the budget counts the calls of a claimant on a route. All that the budget names must match; what it leaves out matches anything.
func (b *Budget) Counts(route string, by *Claimant) bool {
	return Matches(b.Budget, route, by.Caller)
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

// Reserve asks all budgets for one attempt, in their order, before it is sent. Either all admit it and reservation holds it, or none keeps anything and the
// first that does not is returned. From Hard budgets the most that the attempt can cost is taken out of the proxy's allowance; only when that does not suffice
// does it wait for the ledger. Soft budgets compare what is known to be spent with their limit, and budgets that observe admit everything. reservation must be
// zero; it is not written to when nothing counts the attempt. Nothing is allocated while the allowance suffices.
func (b *Book) Reserve(ctx context.Context, now time.Time, budgets []*Budget, by *Claimant, ask Ask, reservation *Reservation) *Refusal {
	return nil
}

// inlineClaims is how many budgets a Reservation holds without an allocation.
const inlineClaims = 4

// Reservation is what the budgets of one attempt keep for it. It belongs to the windows that it was made in, however long the attempt takes. Its zero value
// holds nothing, and its methods do nothing then.
type Reservation struct {
	inline [inlineClaims]Claim
	more   []Claim
	count  int
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

// Claims appends what the reservation holds, for a journal.
func (r *Reservation) Claims(to []Claim) []Claim {
	return to
}

// Settle counts an attempt that reached a provider with what it cost, gives back the rest of what was reserved, and appends the state of its counters to to, which
// may be nil. Only the first Settle or Release does anything.
func (r *Reservation) Settle(charge Charge, to []Settlement) []Settlement {
	return to
}

// Release ends an attempt that reached no provider: it is not counted.
func (r *Reservation) Release() {}

// Standing is how a budget stands for one claimant, as far as this proxy knows.
type Standing struct {
	// Subject whose counter it is; empty for the shared one.
	Subject string
	// Limit, Spent, Reserved and Lost in nano-dollars. Reserved is what open calls of this proxy hold and what other proxies hold as allowances.
	Limit, Spent, Reserved, Lost int64
	// Window that is running.
	Window Window
}

// Percent of the limit that is spent or lost, rounded down.
func (s Standing) Percent() int64 {
	return 0
}

// Standing tells how the budget stands for a claimant now. The error is that of a period or a time zone that is not known.
func (b *Budget) Standing(now time.Time, by *Claimant) (Standing, error) {
	return Standing{}, nil
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

// Recover has the counters of earlier runs brought up to date in their ledgers: what they settled is spent, what was open when they ended is lost, and the rest
// of their allowances is free again. It is called before the keeper runs.
func (b *Book) Recover(counters []Recovered) {}
