package ledgertest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/ledger/ledgertest"
)

const name = "signalbox-ledger-team"

// with returns what is stored with one more owner in it.
func with(stored ledger.Stored, owner ledger.Owner) ledger.Stored {
	stored.Record = stored.Record.Clone()
	stored.Record.Put(ledger.Key{Period: "Total", TimeZone: "UTC"}, time.Time{}, owner, ledger.Entry{Seq: 1, Updated: time.Unix(0, 0)})
	return stored
}

func TestStore(t *testing.T) {
	ctx := t.Context()
	store := ledgertest.NewStore(nil)
	if _, err := store.Load(ctx, name); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("loading what is not there: %v", err)
	}
	store.Create(name)
	first, err := store.Load(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Save(ctx, name, with(first, "a/1.1")); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Save(ctx, name, with(first, "b/1.1")); !errors.Is(err, ledger.ErrConflict) {
		t.Errorf("saving on top of an older version: %v", err)
	}
	store.LoseReplies(1)
	second, err := store.Load(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Save(ctx, name, with(second, "c/1.1")); !errors.Is(err, ledgertest.ErrAway) {
		t.Errorf("a reply that is lost: %v", err)
	}
	if got := owners(t, store); got != 2 {
		t.Errorf("%d owners after a reply was lost", got)
	}
	store.Undo(name, 1)
	if got := owners(t, store); got != 1 {
		t.Errorf("%d owners after a change was undone", got)
	}
	if got := len(store.Writes(name)); got != 2 {
		t.Errorf("%d writes", got)
	}
	store.Create(name)
	if _, err := store.Save(ctx, name, with(second, "d/1.1")); !errors.Is(err, ledger.ErrConflict) {
		t.Errorf("saving into a ledger that was made anew: %v", err)
	}
	store.Stop()
	if _, err := store.Load(ctx, name); !errors.Is(err, ledgertest.ErrAway) {
		t.Errorf("loading from a stopped store: %v", err)
	}
}

// owners is how many owners the ledger has.
func owners(t *testing.T, store *ledgertest.Store) int {
	t.Helper()
	record, err := store.Record(name)
	if err != nil {
		t.Fatal(err)
	}
	found, _ := record.Find(ledger.Key{Period: "Total", TimeZone: "UTC"})
	return len(found.Owners)
}

func TestWatchTellsEachChangeAfterItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const latency = 5 * time.Millisecond
		store := ledgertest.NewStore(func() time.Duration { return latency })
		ctx, cancel := context.WithCancel(t.Context())
		seen := make(chan ledger.Stored, 8)
		done := make(chan struct{})
		go func() {
			defer close(done)
			store.Watch(ctx, name, func(stored ledger.Stored) { seen <- stored })
		}()
		synctest.Wait()
		store.Create(name)
		begun := time.Now()
		first := <-seen
		if took := time.Since(begun); took != latency {
			t.Errorf("a new ledger was told after %s", took)
		}
		store.Stop()
		store.Start()
		if again := <-seen; again.Order != first.Order {
			t.Errorf("order %d after an outage, not %d", again.Order, first.Order)
		}
		cancel()
		<-done
	})
}
