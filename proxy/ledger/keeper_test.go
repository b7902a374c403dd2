package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

var errAway = errors.New("the store is away")

// memory is a Store of one ledger with optimistic concurrency. Its faults are functions that a test sets.
type memory struct {
	// before is asked by each Load and Save; its error is the answer.
	before func() error
	// lose tells whether the reply to a Save that succeeded is lost.
	lose func() bool
	// delay is how long a Save takes, reply how long its answer does.
	delay, reply time.Duration

	mu       sync.Mutex
	absent   bool
	identity int
	version  uint64
	record   Record
	changed  chan struct{}
	saves    map[Owner][]time.Time
}

func newMemory() *memory {
	return &memory{
		before: func() error { return nil }, lose: func() bool { return false },
		changed: make(chan struct{}), saves: map[Owner][]time.Time{},
	}
}

func (m *memory) stored() (Stored, error) {
	if m.absent {
		return Stored{}, ErrNotFound
	}
	return Stored{Record: m.record, Version: strconv.FormatUint(m.version, 10), Order: m.version, Identity: strconv.Itoa(m.identity)}, nil
}

// travel waits for as long as a message takes. The race detector crashes on timers of a bubble that are due at once.
func travel(d time.Duration) {
	if d > 0 {
		<-time.After(d)
	}
}

func (m *memory) Load(context.Context, string) (Stored, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.before(); err != nil {
		return Stored{}, err
	}
	return m.stored()
}

func (m *memory) Save(_ context.Context, _ string, stored Stored) (Stored, error) {
	travel(m.delay)
	defer func() { travel(m.reply) }()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.before(); err != nil {
		return Stored{}, err
	}
	current, err := m.stored()
	if err != nil {
		return Stored{}, err
	}
	if current.Version != stored.Version || current.Identity != stored.Identity {
		return Stored{}, fmt.Errorf("saving: %w", ErrConflict)
	}
	for _, window := range stored.Record.Windows {
		before, _ := m.record.Find(window.Key)
		for owner, entry := range window.Owners {
			if entry.Seq != before.Owners[owner].Seq {
				m.saves[owner] = append(m.saves[owner], time.Now())
			}
		}
	}
	m.record = stored.Record
	m.change()
	if m.lose() {
		return Stored{}, errAway
	}
	return m.stored()
}

// change publishes a new version.
func (m *memory) change() {
	m.version++
	close(m.changed)
	m.changed = make(chan struct{})
}

// remake deletes the ledger and makes it again.
func (m *memory) remake() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.absent, m.record = false, Record{}
	m.identity++
	m.change()
}

func (m *memory) Watch(ctx context.Context, _ string, seen func(Stored)) {
	for {
		m.mu.Lock()
		stored, err := m.stored()
		changed := m.changed
		away := m.before() != nil
		m.mu.Unlock()
		if err == nil && !away {
			seen(stored)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// shelf is a Store of many ledgers, which appear by themselves.
type shelf struct {
	mu        sync.Mutex
	documents map[string]*memory
}

func (s *shelf) document(name string) *memory {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.documents[name] == nil {
		s.documents[name] = newMemory()
	}
	return s.documents[name]
}

func (s *shelf) Load(ctx context.Context, name string) (Stored, error) {
	return s.document(name).Load(ctx, name)
}

func (s *shelf) Save(ctx context.Context, name string, stored Stored) (Stored, error) {
	return s.document(name).Save(ctx, name, stored)
}

func (s *shelf) Watch(ctx context.Context, name string, seen func(Stored)) {
	s.document(name).Watch(ctx, name, seen)
}

// spent is the sum of the window that contains now.
func (m *memory) spent(b *table.Budget) Totals {
	m.mu.Lock()
	defer m.mu.Unlock()
	window, err := NewWindow(b.Period, b.TimeZone, time.Now())
	if err != nil {
		panic(err)
	}
	count, _ := m.record.Find(Key{Period: b.Period, TimeZone: b.TimeZone, ResetID: b.ResetID, Start: window.Start})
	return count.Total()
}

// replica is one proxy: a book and a keeper that runs until stop.
type replica struct {
	book   *Book
	keeper *Keeper
	stop   context.CancelFunc
	log    *bytes.Buffer
}

func start(t *testing.T, owner Owner, store Store, budgets ...*table.Budget) *replica {
	t.Helper()
	r := prepare(t, owner, store, budgets...)
	r.run(t)
	return r
}

// prepare makes a replica that does not run yet.
func prepare(t *testing.T, owner Owner, store Store, budgets ...*table.Budget) *replica {
	t.Helper()
	r := &replica{book: NewBook(owner), log: &bytes.Buffer{}}
	r.keeper = NewKeeper(r.book, store, KeeperOptions{Logger: slog.New(slog.NewTextHandler(r.log, nil))})
	r.book.Use(tableOf(budgets...), time.Now())
	return r
}

// run starts the keeper.
func (r *replica) run(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r.stop = stop
	var running sync.WaitGroup
	running.Go(func() { r.keeper.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
}

func tableOf(budgets ...*table.Budget) []table.Budget {
	var list []table.Budget
	for _, b := range budgets {
		list = append(list, *b)
	}
	return list
}

// wide is a budget that is not reached.
func wide() *table.Budget {
	return budget("b", func(b *table.Budget) { b.Limit, b.Period, b.AllowWithoutLedger = math.MaxInt64, "Total", true })
}

// after waits for a time of the bubble's fake clock and until all is quiet.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestKeeperWritesOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), wide()
		store.delay = 20 * time.Millisecond
		r := start(t, "a/1", store, b)
		for range 500 {
			settle(t, r.book, time.Now(), b, 1)
			after(10 * time.Millisecond)
		}
		after(time.Second)
		if total := store.spent(b); total != (Totals{Spent: 500, Requests: 500}) {
			t.Errorf("stored %+v; want 500", total)
		}
		writes := store.saves["a/1.1"]
		if len(writes) < 5 || len(writes) > 7 {
			t.Errorf("%d writes in 6 s", len(writes))
		}
		for i, at := range writes[1:] {
			if at.Sub(writes[i]) < WriteInterval {
				t.Errorf("writes at %v and %v", writes[i], at)
			}
		}
	})
}

// TestKillLosesAtMostASecond stops a replica without a flush, at many moments: what was settled more than a second and one write before is stored.
func TestKillLosesAtMostASecond(t *testing.T) {
	for lived := 100 * time.Millisecond; lived < 4*time.Second; lived += 230 * time.Millisecond {
		t.Run(lived.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, b := newMemory(), wide()
				store.delay = 5 * time.Millisecond
				r := start(t, "a/1", store, b)
				steps := int64(lived / (10 * time.Millisecond))
				for range steps {
					settle(t, r.book, time.Now(), b, 1)
					after(10 * time.Millisecond)
				}
				r.stop()
				stored := store.spent(b).Spent
				if lost := steps - stored; lost > 101 {
					t.Errorf("lost %d of %d, at 100 a second", lost, steps)
				}
			})
		})
	}
}

func TestReplicasLearnFromEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), budget("b", func(b *table.Budget) { b.Period = "Total" })
		one, two := start(t, "a/1", store, b), start(t, "b/1", store, b)
		after(0)
		settle(t, one.book, time.Now(), b, 60)
		settle(t, two.book, time.Now(), b, 40)
		after(2 * time.Second)
		for name, r := range map[string]*replica{"one": one, "two": two} {
			if _, refusal := reserve(t.Context(), r.book, time.Now(), Ask{}, at(r.book, b)); refusal == nil || refusal.Spent != 100 {
				t.Errorf("%s: %+v; want a refusal at 100", name, refusal)
			}
		}
	})
}

// TestReplicasWithConflictsAndLostReplies lets several replicas write to a store that is slow and loses every third reply. The sum is exact.
func TestReplicasWithConflictsAndLostReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), wide()
		store.delay = 30 * time.Millisecond
		replies := 0
		store.lose = func() bool { replies++; return replies%3 == 0 }
		random := rand.New(rand.NewPCG(5, 6))
		replicas := make([]*replica, 8)
		for i := range replicas {
			replicas[i] = start(t, Owner(fmt.Sprintf("pod-%d/1", i)), store, b)
		}
		var want Totals
		for range 3000 {
			nano := random.Int64N(1_000_000)
			settle(t, replicas[random.IntN(len(replicas))].book, time.Now(), b, nano)
			want = want.Plus(Totals{Spent: nano, Requests: 1})
			after(2 * time.Millisecond)
		}
		for i, r := range replicas {
			if err := r.keeper.Flush(t.Context()); err != nil {
				t.Errorf("replica %d: %v", i, err)
			}
		}
		if got := store.spent(b); got != want {
			t.Errorf("stored %+v; want %+v", got, want)
		}
	})
}

func TestOutageCostsNothingButTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), wide()
		away := false
		store.before = func() error {
			if away {
				return errAway
			}
			return nil
		}
		r := start(t, "a/1", store, b)
		settle(t, r.book, time.Now(), b, 1)
		after(2 * time.Second)
		store.mu.Lock()
		away = true
		store.mu.Unlock()
		for range 300 {
			settle(t, r.book, time.Now(), b, 10)
			after(time.Second)
		}
		if got := store.spent(b).Spent; got != 1 {
			t.Errorf("stored %d during the outage", got)
		}
		store.mu.Lock()
		away = false
		store.mu.Unlock()
		after(lastBackoff + time.Second)
		if got := store.spent(b); got != (Totals{Spent: 3001, Requests: 301}) {
			t.Errorf("stored %+v after the outage; want 3001", got)
		}
		if log := r.log.String(); strings.Count(log, "cannot be written") != 1 || strings.Count(log, "written again") != 1 {
			t.Errorf("log:\n%s\nwant one line for the outage and one for its end", log)
		}
	})
}

func TestLedgerThatIsMadeLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), wide()
		store.absent = true
		r := start(t, "a/1", store, b)
		settle(t, r.book, time.Now(), b, 7)
		after(time.Minute)
		store.remake()
		after(lastBackoff + time.Second)
		if got := store.spent(b).Spent; got != 7 {
			t.Errorf("stored %d; want 7", got)
		}
	})
}

// TestLedgerThatIsMadeAnew deletes a ledger: every replica enters again what it counted.
func TestLedgerThatIsMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), wide()
		one, two := start(t, "a/1", store, b), start(t, "b/1", store, b)
		settle(t, one.book, time.Now(), b, 7)
		settle(t, two.book, time.Now(), b, 5)
		after(3 * time.Second)
		store.remake()
		after(3 * time.Second)
		if got := store.spent(b); got != (Totals{Spent: 12, Requests: 2}) {
			t.Errorf("stored %+v; want 12", got)
		}
	})
}

// TestLedgerThatIsMadeAnewDuringAWrite is made anew between a write and its reply, which then speaks of a ledger that is gone.
func TestLedgerThatIsMadeAnewDuringAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), wide()
		store.reply = 100 * time.Millisecond
		r := start(t, "a/1", store, b)
		settle(t, r.book, time.Now(), b, 7)
		after(50 * time.Millisecond)
		if got := store.spent(b).Spent; got != 7 {
			t.Fatalf("stored %d; want 7 before the reply", got)
		}
		store.remake()
		after(3 * time.Second)
		if got := store.spent(b).Spent; got != 7 {
			t.Errorf("stored %d; want 7 again", got)
		}
	})
}

func TestContainerThatStartsAgainGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), budget("b", func(b *table.Budget) { b.Period = "Total" })
		first := start(t, "a/1", store, b)
		settle(t, first.book, time.Now(), b, 60)
		after(2 * time.Second)
		first.stop()
		second := start(t, "a/2", store, b)
		after(0)
		settle(t, second.book, time.Now(), b, 40)
		if _, refusal := reserve(t.Context(), second.book, time.Now(), Ask{}, at(second.book, b)); refusal == nil || refusal.Spent != 100 {
			t.Errorf("%+v; want a refusal at 100", refusal)
		}
		after(2 * time.Second)
		if got := store.spent(b); got != (Totals{Spent: 100, Requests: 2}) {
			t.Errorf("stored %+v; want 100", got)
		}
	})
}

func TestFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), wide()
		r := start(t, "a/1", store, b)
		settle(t, r.book, time.Now(), b, 1)
		synctest.Wait()
		settle(t, r.book, time.Now(), b, 2)
		if err := r.keeper.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := store.spent(b).Spent; got != 3 {
			t.Errorf("stored %d; want 3 before the second is over", got)
		}
		r.stop()
		synctest.Wait()
		settle(t, r.book, time.Now(), b, 4)
		if err := r.keeper.Flush(t.Context()); err != nil || store.spent(b).Spent != 7 {
			t.Errorf("Flush after Run: %v, stored %d; want 7", err, store.spent(b).Spent)
		}
	})
}

// TestFlushWithoutWatch writes what another owner has overtaken: the conflict is answered by reading anew.
func TestFlushWithoutWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), wide()
		one, two := NewBook("a/1"), NewBook("b/1")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		keepers := map[*Book]*Keeper{one: NewKeeper(one, store, KeeperOptions{}), two: NewKeeper(two, store, KeeperOptions{})}
		for _, book := range []*Book{one, two, one, two} {
			settle(t, book, time.Now(), b, 5)
			if err := keepers[book].Flush(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if got := store.spent(b); got != (Totals{Spent: 20, Requests: 4}) {
			t.Errorf("stored %+v; want 20", got)
		}
	})
}

func TestFlushEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), wide()
		r := start(t, "a/1", store, b)
		store.before = func() error { return errAway }
		settle(t, r.book, time.Now(), b, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		begun := time.Now()
		err := r.keeper.Flush(ctx)
		if !errors.Is(err, errAway) || !strings.Contains(err.Error(), b.Ledger) {
			t.Errorf("Flush = %v; want what kept %s from being written", err, b.Ledger)
		}
		if took := time.Since(begun); took != 10*time.Second {
			t.Errorf("Flush took %v", took)
		}
	})
}

// TestUnfollowedLedger is given up once its last call is settled and written.
func TestUnfollowedLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), wide()
		r := start(t, "a/1", store, b)
		reservation, _ := reserve(t.Context(), r.book, time.Now(), Ask{}, at(r.book, b))
		r.book.Use(nil, time.Now())
		after(time.Hour)
		if len(r.book.all()) != 1 {
			t.Error("the ledger was given up while a call was running")
		}
		reservation.Settle(Charge{Nano: 9}, nil)
		after(2 * time.Second)
		if got := store.spent(b).Spent; got != 9 || len(r.book.all()) != 0 {
			t.Errorf("stored %d, %d ledgers kept; want 9 and none", got, len(r.book.all()))
		}
		r.book.Use(tableOf(b), time.Now())
		after(time.Second)
		settle(t, r.book, time.Now(), b, 1)
		after(2 * time.Second)
		if got := store.spent(b).Spent; got != 10 {
			t.Errorf("stored %d after the budget came back; want 10", got)
		}
	})
}

// TestUnfollowedLedgerThatCannotBeWritten is tried for a day and then given up.
func TestUnfollowedLedgerThatCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), wide()
		store.absent = true
		r := start(t, "a/1", store, b)
		settle(t, r.book, time.Now(), b, 9)
		r.book.Use(nil, time.Now())
		after(Retention - time.Minute)
		if len(r.book.all()) != 1 {
			t.Error("the ledger was given up early")
		}
		after(2 * time.Minute)
		if len(r.book.all()) != 0 {
			t.Error("the ledger is kept for ever")
		}
	})
}

// TestOldCountersAreDropped runs through the hours of three days.
func TestOldCountersAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		b := budget("b", func(b *table.Budget) { b.Limit, b.Period = math.MaxInt64, "Hour" })
		r := start(t, "a/1", store, b)
		for range 72 {
			settle(t, r.book, time.Now(), b, 5)
			after(time.Hour)
		}
		settle(t, r.book, time.Now(), b, 5)
		after(2 * time.Second)
		account := r.book.open(b.Ledger, b.Ledger)
		if got := len(account.counters); got > 26 {
			t.Errorf("%d counters in memory", got)
		}
		if got := len(store.record.Windows); got > 1+maxEndedWindows {
			t.Errorf("%d windows stored", got)
		}
		if got := store.spent(b).Spent; got != 5 {
			t.Errorf("stored %d in this hour; want 5", got)
		}
	})
}
