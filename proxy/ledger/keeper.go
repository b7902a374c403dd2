package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"sync"
	"time"
)

const (
	// WriteInterval is the shortest time between two writes of one owner to one ledger, and so the most that is lost when a process is killed.
	WriteInterval = time.Second
	// writeTimeout bounds one request to the store.
	writeTimeout = 5 * time.Second
	// firstBackoff and lastBackoff bound the wait after a write that did not succeed; it doubles with each.
	firstBackoff = 250 * time.Millisecond
	lastBackoff  = 5 * time.Second
	// maxConflicts is how often a write is merged anew at once before it waits.
	maxConflicts = 16
	// conflictPause is the longest wait after the first conflict; it grows with each.
	conflictPause = 10 * time.Millisecond
)

// KeeperOptions are the settings of a Keeper.
type KeeperOptions struct {
	// Now is the wall clock; nil is time.Now.
	Now func() time.Time
	// Logger gets a line when a ledger cannot be written and when it can be again; nil discards.
	Logger *slog.Logger
	// Wrote is called after each attempt to write a ledger, with nil when it succeeded; it may be nil. It must not block.
	Wrote func(ledger string, err error)
	// DocumentPerSubject keeps each subject of a budget in a document of its own, named by DocumentName. It is for stores with room for many documents, which
	// appear by themselves.
	DocumentPerSubject bool
}

// Offsetter is a Store that knows its own clock.
type Offsetter interface {
	// Offset is the store's clock minus the local one; false while it is not known.
	Offset() (time.Duration, bool)
}

// Keeper moves what a Book counted to a Store, and what the other owners counted to the Book. A store that is away costs nothing but time: what was
// counted stays in memory and is written once it is back.
type Keeper struct {
	book  *Book
	store Store
	now   func() time.Time
	log   *slog.Logger
	wrote func(ledger string, err error)

	mu   sync.Mutex
	kept map[*account]bool
}

// NewKeeper returns a keeper for a book.
func NewKeeper(book *Book, store Store, options KeeperOptions) *Keeper {
	keeper := &Keeper{book: book, store: store, now: options.Now, log: options.Logger, wrote: options.Wrote, kept: map[*account]bool{}}
	if keeper.now == nil {
		keeper.now = time.Now
	}
	if keeper.log == nil {
		keeper.log = slog.New(slog.DiscardHandler)
	}
	if keeper.wrote == nil {
		keeper.wrote = func(string, error) {}
	}
	book.documentPerSubject.Store(options.DocumentPerSubject)
	return keeper
}

// Clean returns a time before which everything that was settled is in the store. Before the first write it may be zero.
func (k *Keeper) Clean() time.Time {
	now := k.now()
	clean := now
	for _, account := range k.book.all() {
		if at := account.clean(k.book.clock(now)).Add(now.Sub(k.book.clock(now))); at.Before(clean) {
			clean = at
		}
	}
	return clean
}

// clock is the ledger's time, by the store's clock where it is known.
func (k *Keeper) clock() time.Time {
	if store, knows := k.store.(Offsetter); knows {
		if offset, known := store.Offset(); known {
			k.book.offset.Store(int64(offset))
		}
	}
	return k.book.clock(k.now())
}

// Run writes and watches until ctx is done. What is not written then is left for Flush.
func (k *Keeper) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	signal(k.book.opened)
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.book.opened:
		}
		for _, account := range k.book.all() {
			if k.take(account) {
				running.Go(func() { k.keep(ctx, account) })
			}
		}
	}
}

// take marks an account as kept and tells whether it was not.
func (k *Keeper) take(account *account) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	taken := !k.kept[account]
	k.kept[account] = true
	return taken
}

// leave takes the mark back.
func (k *Keeper) leave(account *account) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.kept, account)
}

// keep watches one ledger and writes to it until ctx is done or nobody needs it any more.
func (k *Keeper) keep(ctx context.Context, account *account) {
	defer k.leave(account)
	ctx, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer cancel()
	watch.Go(func() {
		k.store.Watch(ctx, account.document, func(stored Stored) { account.observe(k.clock(), stored) })
	})
	backoff := time.Duration(0)
	for !k.book.closeRetired(account, k.clock()) {
		now := k.clock()
		at, write := account.due(now)
		if write && at.After(now) {
			// Nothing makes a write due any earlier.
			if pause(ctx, at.Sub(now)) != nil {
				return
			}
			continue
		}
		if !write {
			if account.sleep(ctx, now, at) != nil {
				return
			}
			continue
		}
		err := k.write(ctx, account)
		k.report(ctx, account, err, backoff)
		if err == nil {
			backoff = 0
			continue
		}
		if errors.Is(err, ErrConflict) {
			account.postpone(k.clock().Add(jitter(firstBackoff)))
			continue
		}
		backoff = min(max(firstBackoff, 2*backoff), lastBackoff)
		account.failed(k.clock(), k.clock().Add(jitter(backoff)))
	}
}

// sleep waits until a time, or until the account is woken; for ever when the time is zero.
func (a *account) sleep(ctx context.Context, now, at time.Time) error {
	var timer <-chan time.Time
	if !at.IsZero() {
		if !at.After(now) {
			return ctx.Err()
		}
		made := time.NewTimer(at.Sub(now))
		defer made.Stop()
		timer = made.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-a.wake:
	case <-timer:
	}
	return nil
}

// report logs the first of a row of failures, and its end.
func (k *Keeper) report(ctx context.Context, account *account, err error, backoff time.Duration) {
	switch {
	case err != nil && (ctx.Err() != nil || errors.Is(err, ErrConflict)):
	case err != nil && backoff == 0:
		k.log.WarnContext(ctx, "ledger cannot be written; it is tried again until it can", "ledger", account.document, "error", err)
	case err == nil && backoff > 0:
		k.log.InfoContext(ctx, "ledger is written again", "ledger", account.document)
	}
}

// write brings the store up to date with an account. Conflicts are merged and tried again at once.
func (k *Keeper) write(ctx context.Context, account *account) error {
	select {
	case account.writing <- struct{}{}:
		defer func() { <-account.writing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err := k.save(ctx, account)
	k.wrote(account.document, err)
	if account.tookNote() {
		k.log.WarnContext(ctx, "ledger has forgotten what it had acknowledged; this proxy enters all it counted anew", "ledger", account.document)
	}
	return err
}

// save loads, merges and saves until that meets no conflict.
func (k *Keeper) save(ctx context.Context, account *account) error {
	for conflicts := 0; ; conflicts++ {
		if account.mustLoad() {
			order := account.order()
			loaded, err := k.store.Load(ctx, account.document)
			if err != nil {
				return fmt.Errorf("loading ledger %s: %w", account.document, err)
			}
			account.reload(k.clock(), loaded, order)
		}
		next, changed := account.prepare(k.clock())
		if !changed {
			return nil
		}
		saved, err := k.store.Save(ctx, account.document, next)
		if err == nil {
			account.acknowledge(k.clock(), saved)
			return nil
		}
		account.doubt(next.Order)
		if !errors.Is(err, ErrConflict) || conflicts == maxConflicts {
			return fmt.Errorf("saving ledger %s: %w", account.document, err)
		}
		if err := pause(ctx, jitter(conflictPause*time.Duration(conflicts+1))); err != nil {
			return fmt.Errorf("saving ledger %s: %w", account.document, err)
		}
	}
}

// Flush gives back all allowances and writes all that is not written yet, without regard to WriteInterval, and tries again until it is done or ctx is. The
// error names the ledgers that could not be written. It is meant for the end of a process, when all calls are settled: from then on the book holds nothing
// that no call needs.
func (k *Keeper) Flush(ctx context.Context) error {
	accounts := k.book.drain()
	errs := make([]error, len(accounts))
	var running sync.WaitGroup
	for i, account := range accounts {
		running.Go(func() { errs[i] = k.flush(ctx, account) })
	}
	running.Wait()
	return errors.Join(errs...)
}

// flush writes one account.
func (k *Keeper) flush(ctx context.Context, account *account) error {
	for backoff := firstBackoff; account.dirty(k.clock()); backoff = min(2*backoff, lastBackoff) {
		err := k.write(ctx, account)
		if err == nil {
			continue
		}
		if pause(ctx, jitter(backoff)) != nil {
			return err
		}
	}
	return nil
}

// jitter spreads waits over the upper half of a duration, so that owners that met in a conflict do not meet again.
func jitter(d time.Duration) time.Duration {
	spread, err := rand.Int(rand.Reader, big.NewInt(int64(d/2)+1))
	if err != nil {
		return d
	}
	return d/2 + time.Duration(spread.Int64())
}

// pause waits, and returns an error when ctx is done before.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
