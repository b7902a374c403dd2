package ledger

import (
	"sync"
	"sync/atomic"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// Book holds the counters of one proxy. It answers from memory: Admit and Settle never wait for a store. It is safe for concurrent use.
type Book struct {
	owner Owner
	// numbers tells the counters of the owner apart.
	numbers atomic.Int64
	// opened holds a token when there is an account that the Keeper may not know.
	opened chan struct{}

	mu       sync.RWMutex
	accounts map[string]*account
}

// NewBook returns an empty book. What it counts is written under the owner's name, which must be new with each start of a process.
func NewBook(owner Owner) *Book {
	return &Book{owner: owner, opened: make(chan struct{}, 1), accounts: map[string]*account{}}
}

// Call is what is known of a call before it is made.
type Call struct {
	// Unpriced tells that none of the targets that the call may go to has a known price.
	Unpriced bool
}

// Charge is what a call cost.
type Charge struct {
	// Nano is the cost in nano-dollars; less than zero counts as zero.
	Nano int64
	// Unpriced tells that the call, or a part of it, had no known price; Nano is then the cost of the rest.
	Unpriced bool
}

// Reason says why a call is refused.
type Reason string

// The reasons.
const (
	// LimitReached: what is known to be spent in the window has reached the limit.
	LimitReached Reason = "LimitReached"
	// Unpriced: the price of the call is not known and the budget does not allow such calls.
	Unpriced Reason = "Unpriced"
	// WindowUnknown: the budget's period or time zone is not known to this program, so nothing can be counted.
	WindowUnknown Reason = "WindowUnknown"
)

// Refusal says which budget refuses a call, and why.
type Refusal struct {
	// Budget is the name of the SpendBudget.
	Budget string
	// Reason of the refusal.
	Reason Reason
	// Limit of the budget in nano-dollars.
	Limit int64
	// Spent in the window in nano-dollars, as far as this proxy knows.
	Spent int64
	// Start of the window; zero with the period Total and with WindowUnknown.
	Start time.Time
	// End of the window, when the budget starts afresh; zero with the period Total and with WindowUnknown.
	End time.Time
}

// Admission is a call that all its budgets let pass. The call belongs to the windows that admitted it, however long it takes. A nil Admission, that of a
// call that no budget counts, takes Settle and Release and does nothing.
type Admission struct {
	done     atomic.Bool
	counters []held
}

// held is a counter that waits for a call to end.
type held struct {
	account *account
	counter *counter
}

// Admit asks all budgets that match a call, in their order. Either all admit it, or the first that does not is returned and none of them waits for it.
// Budgets that observe admit everything. Without budgets both results are nil. The caller must call Settle or Release once on what it gets.
func (b *Book) Admit(now time.Time, budgets []*table.Budget, call Call) (*Admission, *Refusal) {
	if len(budgets) == 0 {
		return nil, nil
	}
	admission := &Admission{counters: make([]held, 0, len(budgets))}
	for _, budget := range budgets {
		entry, refusal := b.admit(now, budget, call)
		if refusal != nil {
			admission.Release()
			return nil, refusal
		}
		if entry.counter != nil {
			admission.counters = append(admission.counters, entry)
		}
	}
	return admission, nil
}

// admit asks one budget. A budget that observes and cannot count yields an empty held.
func (b *Book) admit(now time.Time, budget *table.Budget, call Call) (held, *Refusal) {
	for {
		account := b.open(budget.Ledger)
		counter, refusal, open := account.admit(now, budget, call)
		if open {
			return held{account: account, counter: counter}, refusal
		}
	}
}

// Settle counts a call that reached a provider, with what it cost. Only the first Settle or Release of an Admission does anything.
func (a *Admission) Settle(charge Charge) {
	if a == nil || !a.done.CompareAndSwap(false, true) {
		return
	}
	for _, entry := range a.counters {
		entry.account.settle(entry.counter, charge)
	}
}

// Release ends a call that reached no provider: it is not counted.
func (a *Admission) Release() {
	if a == nil || !a.done.CompareAndSwap(false, true) {
		return
	}
	for _, entry := range a.counters {
		entry.account.release(entry.counter)
	}
}

// open returns the account of a ledger and makes it when there is none.
func (b *Book) open(ledger string) *account {
	b.mu.RLock()
	found := b.accounts[ledger]
	b.mu.RUnlock()
	if found != nil {
		return found
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.openLocked(ledger)
}

// openLocked is open for who holds the lock.
func (b *Book) openLocked(ledger string) *account {
	if found := b.accounts[ledger]; found != nil {
		return found
	}
	made := newAccount(ledger, b.newOwner)
	b.accounts[ledger] = made
	signal(b.opened)
	return made
}

// newOwner returns the name of a new counter.
func (b *Book) newOwner() Owner {
	return b.owner.numbered(b.numbers.Add(1))
}

// follow opens an account that stays while the table has a budget with its ledger.
func (b *Book) follow(ledger string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.openLocked(ledger).follow()
}

// all returns every account.
func (b *Book) all() []*account {
	b.mu.RLock()
	defer b.mu.RUnlock()
	accounts := make([]*account, 0, len(b.accounts))
	for _, account := range b.accounts {
		accounts = append(accounts, account)
	}
	return accounts
}

// closeRetired removes an account that nobody needs any more and tells whether it did.
func (b *Book) closeRetired(account *account, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !account.closeRetired(now) {
		return false
	}
	delete(b.accounts, account.ledger)
	return true
}

// signal leaves a token in a channel of capacity one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
