package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/table"
)

func now() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func nobody(context.Context) (func(string) bool, error) {
	return func(string) bool { return false }, nil
}

// put enters what an owner counted, without what a store of proxies would do besides.
func put(t *testing.T, store *memory, name string, owner ledger.Owner, entry ledger.Entry) {
	t.Helper()
	err := single("x", store).Change(t.Context(), name, func(record *ledger.Record) (bool, error) {
		count := ledger.Count{Key: ledger.Key{Period: "Total", TimeZone: "UTC"}, Owners: map[ledger.Owner]ledger.Entry{}}
		i := find(record, count)
		if i < 0 {
			record.Windows = append(record.Windows, count)
			i = len(record.Windows) - 1
		}
		record.Windows[i].Owners[owner] = entry
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestNewDocumentsOfAMovedLedgerAreMarked makes a document after the migration has looked for the last time.
func TestNewDocumentsOfAMovedLedgerAreMarked(t *testing.T) {
	from, to := newMemory(), newMemory()
	migration := Migration{From: many("a", from), To: many("b", to), Running: nobody, Now: now}
	if _, err := migration.Pass(t.Context(), budget); err != nil {
		t.Fatal(err)
	}
	late, err := from.Load(t.Context(), ledger.DocumentName(budget, "late"))
	if err != nil || late.Record.Moved == "" {
		t.Errorf("a new document says it was moved to %q, %v", late.Record.Moved, err)
	}
	other, err := from.Load(t.Context(), "signalbox-ledger-other/late")
	if err != nil || other.Record.Moved != "" {
		t.Errorf("a document of another ledger says it was moved to %q, %v", other.Record.Moved, err)
	}
}

// TestPodsThatStartLate has a pod write to the source right after the pods were listed. It is not among them, and runs.
func TestPodsThatStartLate(t *testing.T) {
	from, to := newMemory(), newMemory()
	entry := ledger.Entry{Totals: ledger.Totals{Spent: 5, Requests: 1}, Seq: 1, Updated: now()}
	put(t, from, budget, "gone/1", entry)
	migration := Migration{From: single("a", from), To: single("b", to), Now: now}
	migration.Running = func(ctx context.Context) (func(string) bool, error) {
		put(t, from, budget, "late/1", entry)
		return nobody(ctx)
	}
	progress, err := migration.Pass(t.Context(), budget)
	if err != nil || progress.Done || progress.Living != 1 {
		t.Errorf("progress: %+v, %v; want one that lives", progress, err)
	}
	progress, err = migration.Pass(t.Context(), budget)
	if want := (Progress{Counters: 1, Spent: 10, Done: true}); err != nil || progress != want {
		t.Errorf("progress: %+v, %v; want %+v", progress, err, want)
	}
	if progress, err = migration.Pass(t.Context(), budget); err != nil || progress.Changed || !progress.Done {
		t.Errorf("once more: %+v, %v; want nothing changed", progress, err)
	}
}

// TestWritesAfterTheEnd has an owner that was believed gone settle when all is done; migrating again carries it over.
func TestWritesAfterTheEnd(t *testing.T) {
	from, to := newMemory(), newMemory()
	put(t, from, budget, "zombie/1", ledger.Entry{Totals: ledger.Totals{Spent: 5, Requests: 1}, Allowance: 20, Seq: 1, Updated: now()})
	migration := Migration{From: single("a", from), To: single("b", to), Running: nobody, Now: now}
	for _, spent := range []int64{5, 17} {
		put(t, from, budget, "zombie/1", ledger.Entry{Totals: ledger.Totals{Spent: spent, Requests: 1}, Allowance: 20, Seq: spent, Updated: now()})
		progress, err := migration.Pass(t.Context(), budget)
		if want := (Progress{Counters: 1, Spent: spent, Lost: 20 - spent, Changed: true, Done: true}); err != nil || progress != want {
			t.Errorf("progress: %+v, %v; want %+v", progress, err, want)
		}
		got := to.counters()[0]
		if got.Total().Spent != spent || got.Lost() != 20-spent || got.Reserved() != 0 {
			t.Errorf("carried: spent %d, lost %d, reserved %d; want %d and %d", got.Total().Spent, got.Lost(), got.Reserved(), spent, 20-spent)
		}
	}
}

func TestCarry(t *testing.T) {
	key := ledger.Key{Period: "Month", TimeZone: "Europe/Lisbon", Start: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
	end := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	entry := func(spent, allowance, seq int64) ledger.Entry {
		return ledger.Entry{Totals: ledger.Totals{Spent: spent, Requests: 1}, Allowance: allowance, Seq: seq, Updated: now()}
	}
	count := func(owners map[ledger.Owner]ledger.Entry) ledger.Count {
		return ledger.Count{Key: key, End: end, Owners: owners}
	}
	carried := func(entry ledger.Entry) ledger.Entry {
		entry.Lost = true
		return entry
	}
	for name, tc := range map[string]struct {
		there []ledger.Count
		count ledger.Count
		want  []ledger.Count
	}{
		"nothing": {count: count(nil)},
		"first": {
			count: count(map[ledger.Owner]ledger.Entry{"p/1": entry(5, 9, 3)}),
			want:  []ledger.Count{count(map[ledger.Owner]ledger.Entry{"moved-a/1": carried(entry(5, 9, 1))})},
		},
		"folded and lost": {
			count: ledger.Count{Key: key, End: end, Folded: ledger.Folded{Totals: ledger.Totals{Spent: 7, Requests: 2}, Lost: 4}},
			want: []ledger.Count{count(map[ledger.Owner]ledger.Entry{"moved-a/1": carried(ledger.Entry{
				Totals: ledger.Totals{Spent: 7, Requests: 2}, Allowance: 11, Seq: 1, Updated: now(),
			})})},
		},
		"others stay": {
			there: []ledger.Count{count(map[ledger.Owner]ledger.Entry{"q/1": entry(1, 2, 3), "moved-a/1": carried(entry(5, 9, 4))})},
			count: count(map[ledger.Owner]ledger.Entry{"p/1": entry(6, 6, 5)}),
			want:  []ledger.Count{count(map[ledger.Owner]ledger.Entry{"q/1": entry(1, 2, 3), "moved-a/1": carried(entry(6, 6, 5))})},
		},
		"nothing new": {
			there: []ledger.Count{count(map[ledger.Owner]ledger.Entry{"moved-a/1": carried(entry(5, 9, 4))})},
			count: count(map[ledger.Owner]ledger.Entry{"p/1": entry(5, 9, 50)}),
			want:  []ledger.Count{count(map[ledger.Owner]ledger.Entry{"moved-a/1": carried(entry(5, 9, 4))})},
		},
		"a source that was rolled back": {
			there: []ledger.Count{count(map[ledger.Owner]ledger.Entry{"moved-a/1": carried(entry(5, 9, 4))})},
			count: count(map[ledger.Owner]ledger.Entry{"p/1": entry(2, 3, 1)}),
			want:  []ledger.Count{count(map[ledger.Owner]ledger.Entry{"moved-a/1": carried(entry(5, 6, 5))})},
		},
		"what came from there stays there": {
			there: []ledger.Count{count(map[ledger.Owner]ledger.Entry{"q/1": entry(8, 8, 3)})},
			count: count(map[ledger.Owner]ledger.Entry{"p/1": entry(1, 1, 1), "moved-b/1": carried(entry(8, 8, 7))}),
			want:  []ledger.Count{count(map[ledger.Owner]ledger.Entry{"q/1": entry(8, 8, 3), "moved-a/1": carried(entry(1, 1, 1))})},
		},
		"another window": {
			there: []ledger.Count{{Key: ledger.Key{Period: "Day", TimeZone: "UTC", Start: key.Start}, End: end}},
			count: count(map[ledger.Owner]ledger.Entry{"p/1": entry(1, 1, 1)}),
			want: []ledger.Count{
				{Key: ledger.Key{Period: "Day", TimeZone: "UTC", Start: key.Start}, End: end},
				count(map[ledger.Owner]ledger.Entry{"moved-a/1": carried(entry(1, 1, 1))}),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			record := ledger.Record{Windows: tc.there}.Clone()
			changed := carry(&record, Place{Name: "a"}, Place{Name: "b"}, tc.count, now())
			if diff := cmp.Diff(ledger.Record{Windows: tc.want}.Clone(), record); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
			if same := cmp.Equal(ledger.Record{Windows: tc.there}.Clone(), record); changed == same {
				t.Errorf("changed = %v", changed)
			}
			if _, err := ledger.Encode(record); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBreakdown(t *testing.T) {
	var shares []ledger.Share
	var sum int64
	for i := range 40 {
		name := fmt.Sprint("route ", i)
		if i == 3 {
			name = ""
		}
		shares = append(shares, ledger.Share{Name: name, Nano: int64(100 - i)})
		sum += int64(100 - i)
	}
	kept := breakdown(shares)
	if len(kept) != maxShares-1 || kept["route 0"] != 100 {
		t.Errorf("%d names are kept: %v", len(kept), kept)
	}
	for _, nano := range kept {
		sum -= nano
	}
	if sum != 0 {
		t.Errorf("%d is missing", sum)
	}
	key := ledger.Key{Period: "Total", TimeZone: "UTC"}
	entry := ledger.Entry{Seq: 1, Updated: now(), Routes: kept, Callers: kept}
	text, err := ledger.Encode(ledger.Record{Windows: []ledger.Count{{Key: key, Owners: map[ledger.Owner]ledger.Entry{ledger.CarriedOwner("a"): entry}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Decode(text); err != nil {
		t.Errorf("what is carried cannot be read: %v", err)
	}
}

// TestRefusals has migrations that cannot go on. None changes anything but the mark that it made itself.
func TestRefusals(t *testing.T) {
	moved := func(to string) func(*testing.T, *memory) {
		return func(t *testing.T, store *memory) {
			t.Helper()
			err := single("x", store).Change(t.Context(), budget, func(record *ledger.Record) (bool, error) {
				record.Moved = to
				return true, nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, tc := range map[string]struct {
		source, destination string
		from, to            string
		want                error
		unusable            bool
	}{
		"source moved elsewhere":           {source: "c", want: ErrElsewhere},
		"source moved elsewhere and done":  {source: "c" + doneMark, want: ErrElsewhere},
		"destination moved elsewhere":      {destination: "c" + doneMark, want: ErrElsewhere},
		"destination moves the other way":  {destination: "a", want: ErrOpposite},
		"destination moved the other way":  {destination: "a" + doneMark},
		"the same place":                   {from: "b", unusable: true},
		"a name that is no name":           {from: "a b", unusable: true},
		"a name that is a path":            {to: "a/b", unusable: true},
		"a name that does not fit":         {to: strings.Repeat("x", maxPlace+1), unusable: true},
		"a name that is empty":             {to: "-", unusable: true},
		"source that is moved already":     {source: "b"},
		"source that is moved and is done": {source: "b" + doneMark},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := newMemory(), newMemory()
			if tc.source != "" {
				moved(tc.source)(t, from)
			}
			if tc.destination != "" {
				moved(tc.destination)(t, to)
			}
			migration := Migration{From: single("a", from), To: single("b", to), Running: nobody, Now: now}
			if tc.from != "" {
				migration.From.Name = tc.from
			}
			if tc.to != "" {
				migration.To.Name = strings.TrimSuffix(tc.to, "-")
			}
			_, err := migration.Pass(t.Context(), budget)
			if tc.unusable && err == nil || !tc.unusable && !errors.Is(err, tc.want) {
				t.Errorf("Pass: %v; want %v", err, tc.want)
			}
		})
	}
	migration := Migration{From: single("a", newMemory()), To: single("b", newMemory()), Now: now}
	migration.Running = func(context.Context) (func(string) bool, error) { return nil, errKilled }
	if _, err := migration.Pass(t.Context(), budget); !errors.Is(err, errKilled) {
		t.Errorf("Pass without a list of pods: %v", err)
	}
}

// TestRun repeats passes until the last pod is gone.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := newMemory(), newMemory()
		for _, of := range []string{"one", "two"} {
			put(t, from, of, ledger.Owner(of+"/1"), ledger.Entry{Totals: ledger.Totals{Spent: 5, Requests: 1}, Seq: 1, Updated: now()})
		}
		began := time.Now()
		ends := map[string]time.Duration{"one": 3 * time.Second, "two": 9 * time.Second}
		migration := Migration{From: single("a", from), To: single("b", to), Now: time.Now}
		migration.Running = func(context.Context) (func(string) bool, error) {
			return func(pod string) bool { return time.Since(began) < ends[pod] }, nil
		}
		passes := map[string]int{}
		err := migration.Run(t.Context(), 2*time.Second, []string{"one", "two"}, func(of string, _ Progress) { passes[of]++ })
		if diff := cmp.Diff(map[string]int{"one": 3, "two": 6}, passes); err != nil || diff != "" {
			t.Errorf("passes: %v (-want +got):\n%s", err, diff)
		}
		ends["one"] = time.Hour
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := migration.Run(ctx, 2*time.Second, []string{"one"}, func(string, Progress) {}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Run until a deadline: %v", err)
		}
	})
}

// replica is a proxy's book and keeper on a store.
type replica struct {
	book    *ledger.Book
	keeper  *ledger.Keeper
	handles []*ledger.Budget
	spent   int64
	refused map[ledger.Reason]int
	stop    func()
}

func startReplica(pod string, store ledger.Store) *replica {
	r := &replica{book: ledger.NewBook(ledger.NewOwner(pod, time.Now())), refused: map[ledger.Reason]int{}}
	r.handles = r.book.Use([]table.Budget{{
		Object: table.Object{Name: "b"}, Limit: 1_000_000, Period: "Total", TimeZone: "UTC", Enforcement: table.Hard, Ledger: budget,
	}}, time.Now())
	r.keeper = ledger.NewKeeper(r.book, store, ledger.KeeperOptions{})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { r.keeper.Run(ctx) })
	running.Go(func() { r.spend(ctx) })
	r.stop = func() { cancel(); running.Wait() }
	return r
}

// spend makes a call every few milliseconds, each for at most 500, and settles it for less.
func (r *replica) spend(ctx context.Context) {
	for i := int64(0); ctx.Err() == nil; i++ {
		var reservation ledger.Reservation
		refusal := r.book.Reserve(ctx, time.Now(), r.handles, &ledger.Claimant{}, ledger.Ask{Nano: 500, Patience: 500 * time.Millisecond}, &reservation)
		if refusal == nil {
			nano := 100 + i*37%400
			reservation.Settle(ledger.Charge{Nano: nano}, nil)
			r.spent += nano
		} else {
			r.refused[refusal.Reason]++
		}
		timer := time.NewTimer(5 * time.Millisecond)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
}

// handover is a set of proxies that is replaced while their ledger is moved.
type handover struct {
	t        *testing.T
	from, to *memory
	old, new []*replica

	mu     sync.Mutex
	living map[string]bool
}

func oldPod(i int) string { return fmt.Sprint("old-", i) }

// startOld starts the proxies of the old store.
func (h *handover) startOld(count int) {
	h.living = map[string]bool{}
	for i := range count {
		h.old = append(h.old, startReplica(oldPod(i), h.from))
		h.living[oldPod(i)] = true
	}
}

func (h *handover) running(context.Context) (func(string) bool, error) {
	return func(pod string) bool { h.mu.Lock(); defer h.mu.Unlock(); return h.living[pod] }, nil
}

// finish drains a proxy and returns what it spent.
func (h *handover) finish(r *replica) int64 {
	r.stop()
	if err := r.keeper.Flush(h.t.Context()); err != nil {
		h.t.Error(err)
	}
	return r.spent
}

// replace replaces the proxies one after the other, and returns what the old ones spent.
func (h *handover) replace() int64 {
	var spent int64
	for i, r := range h.old {
		h.new = append(h.new, startReplica(fmt.Sprint("new-", i), h.to))
		<-time.After(2 * time.Second)
		spent += h.finish(r)
		if r.refused[ledger.LimitReached] > 0 {
			h.t.Errorf("%s was told that the limit is reached", oldPod(i))
		}
		h.mu.Lock()
		delete(h.living, oldPod(i))
		h.mu.Unlock()
	}
	return spent
}

// TestLivingProxies moves a ledger from under three proxies, which are then replaced. What they spent is in the new store to the last nano-dollar, and all of
// the limit can be spent.
func TestLivingProxies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &handover{t: t, from: newMemory(), to: newMemory()}
		h.startOld(3)
		<-time.After(3 * time.Second)
		migration := Migration{From: single("a", h.from), To: single("b", h.to), Running: h.running, Now: time.Now}
		if progress, err := migration.Pass(t.Context(), budget); err != nil || progress.Done || progress.Spent == 0 || progress.Reserved == 0 {
			t.Fatalf("the first pass: %+v, %v", progress, err)
		}
		ended := make(chan error)
		go func() { ended <- migration.Run(t.Context(), time.Second, []string{budget}, func(string, Progress) {}) }()
		truth := h.replace()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		<-time.After(60 * time.Second)
		for _, r := range h.new {
			truth += h.finish(r)
		}
		total := h.to.counters()[0]
		if total.Total().Spent != truth || truth > 1_000_000 || truth < 999_000 {
			t.Errorf("the ledger says %d, %d was spent of 1000000", total.Total().Spent, truth)
		}
		if total.Lost() != 0 || total.Reserved() != 0 {
			t.Errorf("lost %d, reserved %d; want none", total.Lost(), total.Reserved())
		}
	})
}
