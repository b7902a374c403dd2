package file

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/table"
)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	store, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func load(t *testing.T, store *Store, name string) ledger.Stored {
	t.Helper()
	stored, err := store.Load(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func with(stored ledger.Stored, nano, seq int64) ledger.Stored {
	stored.Record = stored.Record.Clone()
	entry := ledger.Entry{Totals: ledger.Totals{Spent: nano, Requests: seq}, Seq: seq, Updated: time.Unix(1_800_000_000, 0).UTC()}
	stored.Record.Put(ledger.Key{Period: "Total", TimeZone: "UTC"}, time.Time{}, "local/1", entry)
	return stored
}

func TestSaveAndLoad(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "on demand")
	store := open(t, dir)
	empty := load(t, store, "b")
	if len(empty.Record.Windows) != 0 {
		t.Errorf("a ledger that was never saved holds %+v", empty.Record)
	}
	saved, err := store.Save(t.Context(), "b", with(empty, 5, 1))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(saved, load(t, store, "b")); diff != "" {
		t.Errorf("loaded (-saved +loaded):\n%s", diff)
	}
	if _, err := store.Save(t.Context(), "b", with(empty, 9, 2)); !errors.Is(err, ledger.ErrConflict) {
		t.Errorf("save of an old version: %v; want a conflict", err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	again := load(t, open(t, dir), "b")
	if diff := cmp.Diff(saved.Record, again.Record); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.new")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestLedgersAreFilesOfTheDirectory(t *testing.T) {
	store := open(t, t.TempDir())
	for _, name := range []string{"", ".", "..", "../x", "a/b", "/etc/x"} {
		if _, err := store.Load(t.Context(), name); err == nil {
			t.Errorf("Load(%q) succeeded", name)
		}
		if _, err := store.Save(t.Context(), name, ledger.Stored{Version: "0"}); err == nil {
			t.Errorf("Save(%q) succeeded", name)
		}
	}
}

// TestReadBesideAnotherProcess reads what a store that is open holds.
func TestReadBesideAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	store := open(t, dir)
	for _, name := range []string{"b", "a"} {
		if _, err := store.Save(t.Context(), name, with(load(t, store, name), 5, 1)); err != nil {
			t.Fatal(err)
		}
	}
	names, err := Ledgers(dir)
	if diff := cmp.Diff([]string{"a", "b"}, names); err != nil || diff != "" {
		t.Errorf("ledgers: %v (-want +got):\n%s", err, diff)
	}
	record, err := Read(dir, "b")
	if diff := cmp.Diff(load(t, store, "b").Record, record); err != nil || diff != "" {
		t.Errorf("Read: %v (-want +got):\n%s", err, diff)
	}
	if _, err := Read(dir, "c"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("Read of no ledger: %v; want ErrNotFound", err)
	}
	if _, err := Read(dir, "../b"); err == nil {
		t.Error("Read of a path succeeded")
	}
	if _, err := Ledgers(filepath.Join(dir, "none")); err == nil {
		t.Error("Ledgers of no directory succeeded")
	}
}

func TestUnreadableFileIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "b."+ledger.DataKey)
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	store := open(t, dir)
	if stored, err := store.Load(t.Context(), "b"); err == nil {
		t.Errorf("Load = %+v; want an error", stored)
	}
	book := ledger.NewBook("local/1")
	budget := &table.Budget{Limit: 10, Period: "Total", TimeZone: "UTC", Enforcement: table.Soft, Ledger: "b"}
	var reservation ledger.Reservation
	if refusal := ask(t, book, budget, &reservation); refusal != nil {
		t.Fatalf("refused: %+v", refusal)
	}
	reservation.Settle(ledger.Charge{Nano: 1}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := ledger.NewKeeper(book, store, ledger.KeeperOptions{}).Flush(ctx); err == nil {
		t.Error("Flush succeeded")
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "{" {
		t.Errorf("the file holds %q, %v", text, err)
	}
}

func TestOneAtATime(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	if second, err := Open(dir); !errors.Is(err, ErrInUse) {
		t.Errorf("Open = %v, %v; want ErrInUse", second, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

// ask reserves in one budget.
func ask(t *testing.T, book *ledger.Book, budget *table.Budget, reservation *ledger.Reservation) *ledger.Refusal {
	t.Helper()
	handles := book.Use([]table.Budget{*budget}, time.Now())
	return book.Reserve(t.Context(), time.Now(), handles, &ledger.Claimant{}, ledger.Ask{}, reservation)
}

// TestRestartGoesOn spends the same budget in two runs.
func TestRestartGoesOn(t *testing.T) {
	dir := t.TempDir()
	budget := &table.Budget{
		Object: table.Object{Name: "b"}, Limit: 100, Period: "Total", TimeZone: "UTC", Enforcement: table.Soft, Ledger: ledger.Name("b"),
	}
	for run, cost := range []int64{60, 40} {
		store := open(t, dir)
		book := ledger.NewBook(ledger.NewOwner("local", time.Unix(int64(run), 0)))
		keeper := ledger.NewKeeper(book, store, ledger.KeeperOptions{})
		var reservation ledger.Reservation
		if refusal := ask(t, book, budget, &reservation); refusal != nil {
			t.Fatalf("run %d: refused: %+v", run, refusal)
		}
		reservation.Settle(ledger.Charge{Nano: cost}, nil)
		if err := errors.Join(keeper.Flush(t.Context()), store.Close()); err != nil {
			t.Fatal(err)
		}
	}
	book := ledger.NewBook("local/3")
	keeper := ledger.NewKeeper(book, open(t, dir), ledger.KeeperOptions{})
	book.Use([]table.Budget{*budget}, time.Now())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); keeper.Run(ctx) }()
	defer func() { cancel(); <-done }()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		var reservation ledger.Reservation
		refusal := ask(t, book, budget, &reservation)
		reservation.Release()
		if refusal != nil && refusal.Spent == 100 {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("third run: %+v; want a refusal at 100", refusal)
		case <-tick.C:
		}
	}
}
