package ledger

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// Book holds the counters of one proxy. It is safe for concurrent use.
type Book struct {
	owner Owner
	// numbers tells the counters of the owner apart.
	numbers atomic.Int64
	// opened holds a token when there is an account that the Keeper may not know.
	opened chan struct{}
	// offset is the ledger's clock minus the proxy's, in nanoseconds.
	offset atomic.Int64
	// documentPerSubject tells that each subject has a document of its own.
	documentPerSubject atomic.Bool

	mu sync.RWMutex
	// accounts by the name of their document.
	accounts map[string]*account
	// budgets of the table in use, by the name of their ledger.
	budgets  map[string]*table.Budget
	draining bool
}

// NewBook returns an empty book. What it counts is written under the owner's name, which must be new with each start of a process.
func NewBook(owner Owner) *Book {
	return &Book{owner: owner, opened: make(chan struct{}, 1), accounts: map[string]*account{}, budgets: map[string]*table.Budget{}}
}

// Use tells the book which budgets there are, with each new table before it is served, and returns a handle for each in their order. A budget whose ledger,
// window and resetID are those of one before goes on with its counters, whatever else has changed; a changed limit holds from now on. The ledgers of budgets
// that are gone are given up once all calls that they wait for have ended and everything is written, at the latest after Retention.
func (b *Book) Use(budgets []table.Budget, now time.Time) []*Budget {
	b.mu.Lock()
	defer b.mu.Unlock()
	handles := make([]*Budget, len(budgets))
	clear(b.budgets)
	for i := range budgets {
		handles[i] = &Budget{Budget: &budgets[i], book: b}
		b.budgets[budgets[i].Ledger] = &budgets[i]
		b.openLocked(budgets[i].Ledger, budgets[i].Ledger)
	}
	for _, account := range b.accounts {
		if budget := b.budgets[account.ledger]; budget != nil {
			account.follow(budget)
		} else {
			account.unfollow(b.clock(now))
		}
	}
	return handles
}

// Recover has the counters of earlier runs brought up to date in their ledgers: what they settled is spent, what was open when they ended is lost, and the rest
// of their allowances is free again. It is called after NewKeeper and before the keeper runs.
func (b *Book) Recover(counters []Recovered) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, known := range counters {
		b.openLocked(b.documentOf(known.Ledger, known.Subject), known.Ledger).restore(known)
	}
}

// clock is the ledger's time.
func (b *Book) clock(now time.Time) time.Time {
	return now.Add(time.Duration(b.offset.Load()))
}

// documentOf is the name of the document that holds the counters of a subject.
func (b *Book) documentOf(ledger, subject string) string {
	if b.documentPerSubject.Load() {
		return DocumentName(ledger, subject)
	}
	return ledger
}

// open returns the account of a document and makes it when there is none.
func (b *Book) open(document, ledger string) *account {
	b.mu.RLock()
	found := b.accounts[document]
	b.mu.RUnlock()
	if found != nil {
		return found
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.openLocked(document, ledger)
}

// openLocked is open for who holds the lock.
func (b *Book) openLocked(document, ledger string) *account {
	if found := b.accounts[document]; found != nil {
		return found
	}
	made := newAccount(document, ledger, b.owner, b.newOwner)
	if budget := b.budgets[ledger]; budget != nil {
		made.follow(budget)
	}
	if b.draining {
		made.drain()
	}
	b.accounts[document] = made
	signal(b.opened)
	return made
}

// subjects is how many documents the subjects of a ledger have.
func (b *Book) subjects(ledger string) int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	n := 0
	for _, account := range b.accounts {
		if account.ledger == ledger && account.ownDocument {
			n++
		}
	}
	return n
}

// known tells whether a document is open.
func (b *Book) known(document string) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.accounts[document] != nil
}

// newOwner returns the name of a new counter.
func (b *Book) newOwner() Owner {
	return b.owner.numbered(b.numbers.Add(1))
}

// drain has all that is not needed given back, for good.
func (b *Book) drain() []*account {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.draining = true
	for _, account := range b.accounts {
		account.drain()
	}
	return slices.Collect(maps.Values(b.accounts))
}

// all returns every account.
func (b *Book) all() []*account {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.Collect(maps.Values(b.accounts))
}

// Held is what the proxy holds of the limits of Hard budgets and has neither spent nor reserved, in nano-dollars.
func (b *Book) Held() int64 {
	held := int64(0)
	for _, account := range b.all() {
		held = addSaturating(held, account.held())
	}
	return held
}

// closeRetired removes an account that nobody needs any more and tells whether it did.
func (b *Book) closeRetired(account *account, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !account.closeRetired(now) {
		return false
	}
	delete(b.accounts, account.document)
	return true
}

// signal leaves a token in a channel of capacity one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
