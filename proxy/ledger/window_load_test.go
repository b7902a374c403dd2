package ledger

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// truth is what was spent, by the window that each attempt was reserved in.
type truth struct {
	mu    sync.Mutex
	spent map[time.Time]int64
}

// TestWindowChangeUnderLoad goes through the nights in which Lisbon's clock is changed, with three replicas and many calls under way at every change of a window:
// nothing is lost, nothing counted twice, and no window is more than the limit.
func TestWindowChangeUnderLoad(t *testing.T) {
	for name, tc := range map[string]struct {
		period, from string
		windows      []string
	}{
		// The hour from 0:00 UTC is the last of winter time, and the clock shows 2:00 at its end.
		"hours when the clock is set forward": {"Hour", "2026-03-28T23:59:30Z", []string{"2026-03-28T23:00:00Z", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"}},
		// The clock shows one o'clock twice: that is one window of two hours.
		"hours when the clock is set back": {"Hour", "2026-10-24T23:59:30Z", []string{"2026-10-24T23:00:00Z", "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"}},
		"before a day of 23 hours":         {"Day", "2026-03-28T23:59:30Z", []string{"2026-03-28T00:00:00Z", "2026-03-29T00:00:00Z"}},
		"after a day of 23 hours":          {"Day", "2026-03-29T22:59:30Z", []string{"2026-03-29T00:00:00Z", "2026-03-29T23:00:00Z"}},
		"before a day of 25 hours":         {"Day", "2026-10-24T22:59:30Z", []string{"2026-10-23T23:00:00Z", "2026-10-24T23:00:00Z"}},
		"after a day of 25 hours":          {"Day", "2026-10-25T23:59:30Z", []string{"2026-10-24T23:00:00Z", "2026-10-26T00:00:00Z"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				from := instant(t, tc.from)
				skew := time.Until(from)
				store := newMemory()
				store.delay = 3 * time.Millisecond
				b := hard(3_000, func(b *table.Budget) { b.Period, b.TimeZone = tc.period, "Europe/Lisbon" })
				seen := &truth{spent: map[time.Time]int64{}}
				replicas := make([]*replica, 3)
				for i := range replicas {
					r := &replica{book: NewBook(Owner("pod-" + strconv.Itoa(i) + "/1"))}
					r.keeper = NewKeeper(r.book, store, KeeperOptions{Now: func() time.Time { return time.Now().Add(skew) }})
					r.book.Use(tableOf(b), from)
					r.run(t)
					replicas[i] = r
				}
				for i := 0; i+1 < len(tc.windows); i++ {
					// A minute of calls around the change, so that many of them are under way.
					edge := instant(t, tc.windows[i+1])
					after(edge.Add(-30 * time.Second).Sub(time.Now().Add(skew)))
					seen.load(t, replicas, b, skew)
				}
				for i, r := range replicas {
					if err := r.keeper.Flush(t.Context()); err != nil {
						t.Errorf("replica %d: %v", i, err)
					}
				}
				seen.check(t, store, tc.windows)
			})
		})
	}
}

// load makes calls for a minute.
func (s *truth) load(t *testing.T, replicas []*replica, b *table.Budget, skew time.Duration) {
	t.Helper()
	var running sync.WaitGroup
	for i := range 30 {
		random := rand.New(rand.NewPCG(7, uint64(i)))
		r := replicas[i%len(replicas)]
		running.Go(func() {
			for range 60 {
				reservation, refusal := reserve(t.Context(), r.book, time.Now().Add(skew), Ask{Nano: 10}, at(r.book, b))
				if refusal != nil && refusal.Reason != LimitReached {
					t.Errorf("refused: %+v", refusal)
				}
				claims := reservation.Claims(nil)
				<-time.After(time.Duration(200+random.IntN(1600)) * time.Millisecond)
				if len(claims) == 0 {
					continue
				}
				cost := random.Int64N(11)
				reservation.Settle(Charge{Nano: cost}, nil)
				s.mu.Lock()
				s.spent[claims[0].Key.Start] += cost
				s.mu.Unlock()
			}
		})
	}
	running.Wait()
}

// check compares the store with what was spent.
func (s *truth) check(t *testing.T, store *memory, windows []string) {
	t.Helper()
	if len(store.record.Windows) != len(windows) || len(s.spent) != len(windows) {
		t.Errorf("%d windows are stored, %d had calls; want %d", len(store.record.Windows), len(s.spent), len(windows))
	}
	for _, text := range windows {
		start := instant(t, text)
		var count Count
		for _, window := range store.record.Windows {
			if window.Start.Equal(start) {
				count = window
			}
		}
		summary := count.Summarize()
		if summary.Spent != s.spent[start] || summary.Spent == 0 || summary.Spent > 3_000 || summary.Reserved != 0 || summary.Lost != 0 {
			t.Errorf("window of %s holds %+v; %d were spent", text, summary, s.spent[start])
		}
	}
}

// TestLedgerClock has a proxy whose clock is wrong by an hour and a store that says so: its calls are counted in the window of the store's time.
func TestLedgerClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), hard(100, func(b *table.Budget) { b.Period = "Hour" })
		r := &replica{book: NewBook("a/1")}
		wrong := func() time.Time { return time.Now().Add(-time.Hour) }
		r.keeper = NewKeeper(r.book, offsetMemory{store, time.Hour}, KeeperOptions{Now: wrong})
		r.book.Use(tableOf(b), wrong())
		r.run(t)
		after(time.Second)
		reservation, refusal := reserve(t.Context(), r.book, wrong(), Ask{Nano: 10}, at(r.book, b))
		if refusal != nil {
			t.Fatalf("refused: %+v", refusal)
		}
		reservation.Settle(Charge{Nano: 10}, nil)
		after(2 * time.Second)
		if got := store.spent(b).Spent; got != 10 {
			t.Errorf("stored %d in the window of the store's time; want 10", got)
		}
		if clean := r.keeper.Clean(); !clean.Equal(wrong()) {
			t.Errorf("clean until %v by the store's clock; want %v by the proxy's own", clean, wrong())
		}
	})
}

// offsetMemory is a store that knows its clock.
type offsetMemory struct {
	*memory
	offset time.Duration
}

func (m offsetMemory) Offset() (time.Duration, bool) { return m.offset, true }
