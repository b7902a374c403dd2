package dataplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// cleanInterval is how often the journal is told what the ledger has.
	cleanInterval = time.Second
	// ledgerFlushLimit is how long the last write of the ledger may take.
	ledgerFlushLimit = 10 * time.Second
)

// errOtherStore is for a table that names another store of the ledgers than the one that this process was started for.
var errOtherStore = errors.New("the table names another store of the ledgers than the one that this proxy was started for")

// LedgerStore is a store that can be closed.
type LedgerStore interface {
	ledger.Store
	io.Closer
}

// ledgers keep a book in the store that the first table names. It is the same one until the process ends, whatever later tables say: what the process holds
// of a limit was granted there, and counts nowhere else. The manager replaces the proxies when the store changes.
type ledgers struct {
	options *Options
	book    *ledger.Book
	// before are the counters of earlier processes of this pod.
	before []ledger.Recovered
	wrote  func(ledger string, err error)

	// begun is closed once there is a keeper.
	begun chan struct{}

	mu     sync.Mutex
	digest string
	keeper *ledger.Keeper
	store  LedgerStore // nil for the one of the options
	moved  string      // digest of another store that was told of
}

// use opens the store of the first table. The error is errOtherStore for a table that must not be served, for its ledgers are not those that this process
// was started for. A store that cannot be opened is not reached, and budgets refuse or admit as they do when a ledger is away.
func (l *ledgers) use(t *table.Table) error {
	digest, err := t.Ledgers.Digest()
	if err != nil {
		return fmt.Errorf("reading where the ledgers are: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keeper != nil {
		l.noteMove(digest)
		return nil
	}
	if l.options.LedgerStore != "" && digest != l.options.LedgerStore {
		return errOtherStore
	}
	store, err := l.open(t.Ledgers)
	if err != nil {
		l.options.Log.Error("the store of the ledgers cannot be opened", "error", err)
		return nil
	}
	l.digest = digest
	l.keeper = ledger.NewKeeper(l.book, store, ledger.KeeperOptions{
		Logger: l.options.Log, Wrote: l.wrote, DocumentPerSubject: t.Ledgers.Valkey != nil,
	})
	l.book.Recover(l.before)
	close(l.begun)
	return nil
}

// noteMove tells once of a table that names another store. It needs the mutex to be held.
func (l *ledgers) noteMove(digest string) {
	if digest == l.digest || digest == l.moved {
		return
	}
	l.moved = digest
	l.options.Log.Warn("the ledgers have moved to another store; this proxy keeps its own until it ends", "store", l.digest, "new_store", digest)
}

// open needs the mutex to be held.
func (l *ledgers) open(where table.LedgerStore) (ledger.Store, error) {
	if where.Valkey == nil {
		return l.options.Store, nil
	}
	if l.options.OpenValkey == nil {
		return nil, errors.New("this proxy has no way to a Valkey server")
	}
	store, err := l.options.OpenValkey(*where.Valkey)
	if err != nil {
		return nil, err
	}
	l.store = store
	return store, nil
}

// current is the keeper; nil before the first table.
func (l *ledgers) current() *ledger.Keeper {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.keeper
}

// run keeps the ledgers until the context ends, and tells clean up to when everything that was settled is in the store.
func (l *ledgers) run(ctx context.Context, clean func(time.Time)) {
	select {
	case <-ctx.Done():
		return
	case <-l.begun:
	}
	keeper := l.current()
	var telling sync.WaitGroup
	defer telling.Wait()
	telling.Go(func() {
		ticker := time.NewTicker(cleanInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				clean(keeper.Clean())
			}
		}
	})
	keeper.Run(ctx)
}

// flush writes what is not written yet, and gives back what this process holds of limits.
func (l *ledgers) flush(parts context.Context, clean func(time.Time)) error {
	keeper := l.current()
	if keeper == nil {
		return nil
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(parts), ledgerFlushLimit)
	defer cancel()
	if err := keeper.Flush(limited); err != nil {
		return fmt.Errorf("writing the ledger: %w", err)
	}
	clean(keeper.Clean())
	return nil
}

// close closes the store, unless it is that of the options.
func (l *ledgers) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.store == nil {
		return nil
	}
	store := l.store
	l.store = nil
	return store.Close()
}
