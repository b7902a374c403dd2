package ledger

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/table"
)

// hard returns a Hard budget that never ends.
func hard(limit int64, modify ...func(*table.Budget)) *table.Budget {
	return budget("b", append([]func(*table.Budget){func(b *table.Budget) {
		b.Limit, b.Period, b.Enforcement = limit, "Total", table.Hard
	}}, modify...)...)
}

// spend reserves and settles one attempt, which must be admitted.
func (r *replica) spend(t *testing.T, b *table.Budget, ask, cost int64) {
	t.Helper()
	r.reserve(t, b, ask).Settle(Charge{Nano: cost, Route: "chat", Caller: "app"}, nil)
}

// reserve reserves for one attempt, which must be admitted.
func (r *replica) reserve(t *testing.T, b *table.Budget, ask int64) *Reservation {
	t.Helper()
	reservation, refusal := reserve(t.Context(), r.book, time.Now(), Ask{Nano: ask}, at(r.book, b))
	if refusal != nil {
		t.Fatalf("refused: %+v", refusal)
	}
	return reservation
}

// refuse asks for one attempt, which must be refused, and returns how long that took.
func (r *replica) refuse(t *testing.T, b *table.Budget, ask Ask) (*Refusal, time.Duration) {
	t.Helper()
	begun := time.Now()
	_, refusal := reserve(t.Context(), r.book, time.Now(), ask, at(r.book, b))
	if refusal == nil {
		t.Fatalf("%+v was admitted", ask)
	}
	return refusal, time.Since(begun)
}

// stood returns the shared counter as the store holds it.
func (m *memory) stood() Count {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.record.Windows) == 0 {
		return Count{}
	}
	return m.record.Windows[0].clone()
}

func TestHardRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		ask  Ask
		want Reason
	}{
		"what has no price":            {Ask{Unpriced: true}, Unpriced},
		"what has no bound":            {Ask{Unbounded: true}, Unbounded},
		"more than is left":            {Ask{Nano: 61}, LimitReached},
		"the largest number":           {Ask{Nano: math.MaxInt64}, LimitReached},
		"unpriced even if it is small": {Ask{Nano: 1, Unpriced: true}, Unpriced},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, b := newMemory(), hard(100, func(b *table.Budget) { b.AllowUnpriced = true })
				r := start(t, "a/1", store, b)
				r.spend(t, b, 40, 30)
				open := r.reserve(t, b, 10)
				refusal, took := r.refuse(t, b, tc.ask)
				want := &Refusal{Budget: "b", Reason: tc.want, Limit: 100, Spent: 30, Reserved: 10, Ask: tc.ask.Nano, Available: 60}
				if diff := cmp.Diff(want, refusal); diff != "" || took != 0 {
					t.Errorf("after %v (-want +got):\n%s", took, diff)
				}
				open.Release()
				r.spend(t, b, 70, 70)
			})
		})
	}
}

// TestHardSpendsOnlyWhatIsAcknowledged holds the reply of the first write back: nothing is admitted before it comes.
func TestHardSpendsOnlyWhatIsAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), hard(100)
		store.delay, store.reply = time.Second, time.Second
		r := start(t, "a/1", store, b)
		begun := time.Now()
		r.reserve(t, b, 10).Release()
		// The watch tells of the write as soon as the store has made it, before its reply comes.
		if took := time.Since(begun); took != time.Second {
			t.Errorf("admitted after %v; want 1 s", took)
		}
		if held := store.stood().Reserved(); held < 10 {
			t.Errorf("the store holds an allowance of %d", held)
		}
	})
}

// TestHardPrefetches shows that a steady load waits for the ledger only at its beginning.
func TestHardPrefetches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), hard(1_000_000)
		store.delay = 20 * time.Millisecond
		r := start(t, "a/1", store, b)
		r.spend(t, b, 10, 5)
		for range 3000 {
			begun := time.Now()
			r.spend(t, b, 10, 5)
			if took := time.Since(begun); took != 0 {
				t.Fatalf("an attempt waited for %v", took)
			}
			after(10 * time.Millisecond)
		}
		if held := store.stood().Reserved(); held > 1_000_000/openingShare+10*100*2*recentSeconds {
			t.Errorf("the proxy holds %d at a rate of 1000 a second", held)
		}
		after(20 * time.Second)
		if count := store.stood(); count.Reserved() != 0 || count.Total().Spent != 15005 {
			t.Errorf("after a rest the proxy holds %d, spent %d; want 0 and 15005", count.Reserved(), count.Total().Spent)
		}
		before := len(store.saves["a/1.1"])
		after(time.Minute)
		if writes := len(store.saves["a/1.1"]) - before; writes != 0 {
			t.Errorf("%d writes without a call", writes)
		}
	})
}

// TestHardRecall has one replica hold open what it needs and an idle rest, which another one asks for.
func TestHardRecall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), hard(1000)
		one, two := start(t, "a/1", store, b), start(t, "b/1", store, b)
		for range 20 {
			one.spend(t, b, 20, 1)
			after(100 * time.Millisecond)
		}
		open := one.reserve(t, b, 20)
		after(2 * time.Second)
		held := store.stood().Reserved()
		if held < 40 {
			t.Fatalf("the first replica holds %d; it should hold something idle", held)
		}
		begun := time.Now()
		all := two.reserve(t, b, 1000-20-20)
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("what was idle came after %v", took)
		}
		if refusal, took := two.refuse(t, b, Ask{Nano: 1}); refusal.Reason != LimitReached || took > 3*time.Second {
			t.Errorf("%+v after %v; want the limit", refusal, took)
		}
		open.Settle(Charge{Nano: 20}, nil)
		all.Settle(Charge{Nano: 960}, nil)
		after(2 * time.Second)
		if refusal, took := one.refuse(t, b, Ask{Nano: 1}); refusal.Reason != LimitReached || took != 0 || refusal.Available != 0 {
			t.Errorf("%+v after %v; want the limit at once", refusal, took)
		}
	})
}

// TestHardNeverTakesMoreThanThereIs has many replicas ask for all they can get, over a store that loses replies.
func TestHardNeverTakesMoreThanThereIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), hard(10_000)
		store.delay = 5 * time.Millisecond
		replies := 0
		store.lose = func() bool { replies++; return replies%4 == 0 }
		var mu sync.Mutex
		spent := int64(0)
		var running sync.WaitGroup
		for i := range 6 {
			r := start(t, Owner(fmt.Sprintf("pod-%d/1", i)), store, b)
			running.Go(func() {
				for n := range int64(200) {
					reservation, refusal := reserve(t.Context(), r.book, time.Now(), Ask{Nano: 10 + n%20}, at(r.book, b))
					if refusal != nil {
						continue
					}
					<-time.After(10 * time.Millisecond)
					reservation.Settle(Charge{Nano: 10 + n%20}, nil)
					mu.Lock()
					spent += 10 + n%20
					mu.Unlock()
				}
			})
		}
		running.Wait()
		after(30 * time.Second)
		total := store.stood().Total()
		if spent > 10_000 || spent < 9_900 || total.Spent != spent {
			t.Errorf("spent %d, stored %+v; want all but a little of 10000", spent, total)
		}
	})
}

func TestHardOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), hard(6400)
		var away sync.Mutex
		down := false
		store.before = func() error {
			away.Lock()
			defer away.Unlock()
			if down {
				return errAway
			}
			return nil
		}
		r := start(t, "a/1", store, b)
		r.spend(t, b, 10, 10)
		after(2 * time.Second)
		away.Lock()
		down = true
		away.Unlock()
		held := r.book.Held()
		if held < 10 {
			t.Fatalf("nothing in hand: %d", held)
		}
		r.spend(t, b, held, held)
		if refusal, took := r.refuse(t, b, Ask{Nano: 10}); refusal.Reason != LedgerUnreachable || took != DefaultPatience {
			t.Errorf("%+v after %v; want LedgerUnreachable after %v", refusal, took, DefaultPatience)
		}
		after(unreachableAfter)
		if refusal, took := r.refuse(t, b, Ask{Nano: 10}); refusal.Reason != LedgerUnreachable || took != 0 {
			t.Errorf("%+v after %v; want LedgerUnreachable at once", refusal, took)
		}
		away.Lock()
		down = false
		away.Unlock()
		after(lastBackoff)
		r.spend(t, b, 10, 10)
		after(2 * time.Second)
		if got := store.stood().Total().Spent; got != 20+held {
			t.Errorf("stored %d; want %d", got, 20+held)
		}
	})
}

func TestSoftOutage(t *testing.T) {
	for name, tc := range map[string]struct {
		modify func(*table.Budget)
		want   Reason
	}{
		"deny":    {func(*table.Budget) {}, LedgerUnreachable},
		"allow":   {func(b *table.Budget) { b.AllowWithoutLedger = true }, ""},
		"observe": {func(b *table.Budget) { b.Enforcement = table.Observe }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, b := newMemory(), budget("b", tc.modify)
				r := start(t, "a/1", store, b)
				after(time.Second)
				store.mu.Lock()
				store.before = func() error { return errAway }
				store.mu.Unlock()
				settle(t, r.book, time.Now(), b, 1)
				after(unreachableAfter - time.Second)
				settle(t, r.book, time.Now(), b, 1)
				after(2 * time.Second)
				_, refusal := reserve(t.Context(), r.book, time.Now(), Ask{}, at(r.book, b))
				if (refusal == nil) != (tc.want == "") || refusal != nil && refusal.Reason != tc.want {
					t.Errorf("%+v; want %q", refusal, tc.want)
				}
			})
		})
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), hard(100)
		store.absent = true
		r := start(t, "a/1", store, b)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		reservation, refusal := reserve(ctx, r.book, time.Now(), Ask{Nano: 5}, at(r.book, b))
		if refusal == nil || refusal.Reason != Canceled || time.Since(begun) != time.Second || len(reservation.Claims(nil)) != 0 {
			t.Errorf("%+v after %v; want Canceled after a second", refusal, time.Since(begun))
		}
		if _, took := r.refuse(t, b, Ask{Nano: 5, Patience: 2 * time.Second}); took != 2*time.Second {
			t.Errorf("a patience of 2 s ended after %v", took)
		}
	})
}

// TestLimitChanges raises and lowers a limit while calls go on.
func TestLimitChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), hard(100)
		one, two := start(t, "a/1", store, b), start(t, "b/1", store, b)
		one.spend(t, b, 60, 60)
		two.spend(t, b, 40, 40)
		after(tightFor + 2*time.Second)
		one.refuse(t, b, Ask{Nano: 1})
		raised := hard(6400)
		for _, r := range []*replica{one, two} {
			r.book.Use(tableOf(raised), time.Now())
		}
		one.spend(t, raised, 50, 50)
		two.spend(t, raised, 50, 50)
		if one.book.Held() == 0 || two.book.Held() == 0 {
			t.Fatalf("hold %d and %d; want something idle", one.book.Held(), two.book.Held())
		}
		after(100 * time.Millisecond)
		lowered := hard(220)
		for _, r := range []*replica{one, two} {
			r.book.Use(tableOf(lowered), time.Now())
		}
		if held := one.book.Held() + two.book.Held(); held > 20 {
			t.Errorf("%d are still held of 20 that are left", held)
		}
		after(2 * time.Second)
		one.spend(t, lowered, 15, 15)
		for _, r := range []*replica{one, two} {
			if refusal, _ := r.refuse(t, lowered, Ask{Nano: 6}); refusal.Reason != LimitReached || refusal.Limit != 220 {
				t.Errorf("%+v; want the new limit", refusal)
			}
		}
	})
}

// TestOverrun settles more than was reserved: it is counted as it is and told apart.
func TestOverrun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), hard(100)
		r := start(t, "a/1", store, b)
		r.spend(t, b, 10, 150)
		after(2 * time.Second)
		if got, want := store.stood().Total(), (Totals{Spent: 150, Requests: 1, Overrun: 140}); got != want {
			t.Errorf("stored %+v; want %+v", got, want)
		}
		if refusal, took := r.refuse(t, b, Ask{Nano: 1}); refusal.Reason != LimitReached || took != 0 || refusal.Available != 0 {
			t.Errorf("%+v after %v; want the limit at once", refusal, took)
		}
	})
}

// TestKilledOwner leaves its slice behind. The next container of the pod counts it as lost, unless the journal knows better.
func TestKilledOwner(t *testing.T) {
	for name, tc := range map[string]struct {
		recovers bool
		want     CounterSummary
	}{
		"without a journal": {false, CounterSummary{Totals: Totals{Spent: 30, Requests: 1}, Lost: 70}},
		"with a journal":    {true, CounterSummary{Totals: Totals{Spent: 55, Requests: 2}, Lost: 20}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, b := newMemory(), hard(1000)
				first := start(t, "a/1", store, b)
				settled := first.reserve(t, b, 100).Settle(Charge{Nano: 30}, nil)
				after(500 * time.Millisecond)
				if err := first.keeper.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				first.stop()
				synctest.Wait()
				// What follows never reaches the store but as the allowance that it was taken from.
				store.mu.Lock()
				entry := store.record.Windows[0].Owners["a/1.1"]
				entry.Allowance, entry.Seq = 100, entry.Seq+1
				store.record.Windows[0].Owners["a/1.1"] = entry
				store.change()
				store.mu.Unlock()
				known := Recovered{Claim: settled[0].Claim, Totals: Totals{Spent: 55, Requests: 2}, Seq: 9}
				known.Nano = 20

				second := prepare(t, "a/2", store, b)
				for range 2 {
					if tc.recovers {
						second.book.Recover([]Recovered{known})
					}
				}
				second.run(t)
				after(2 * time.Second)
				if diff := cmp.Diff(tc.want, store.stood().Summarize(), cmp.Transformer("count", func(s CounterSummary) []int64 {
					return []int64{s.Spent, s.Requests, s.Lost, s.Reserved}
				})); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				second.spend(t, b, 10, 10)
				if err := second.keeper.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				second.stop()
				third := prepare(t, "a/3", store, b)
				third.book.Recover([]Recovered{known})
				third.run(t)
				after(2 * time.Second)
				if lost := store.stood().Lost(); tc.recovers && lost != 20 {
					t.Errorf("lost %d after the same journal was read again; want 20", lost)
				}
			})
		})
	}
}

// TestReservationNamesItsCounters is what a journal lives on.
func TestReservationNamesItsCounters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), hard(1000, func(b *table.Budget) { b.Period, b.Counter, b.MaxCounters = "Day", table.CountPerCaller, 5 })
		r := start(t, "a/1", store, b)
		by := &Claimant{Caller: Caller{AccessKey: "laptop"}}
		reservation := &Reservation{}
		if refusal := r.book.Reserve(t.Context(), time.Now(), []*Budget{at(r.book, b)}, by, Ask{Nano: 7}, reservation); refusal != nil {
			t.Fatal(refusal)
		}
		window, err := NewWindow("Day", "UTC", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		claim := Claim{Owner: "a/1.1", Ledger: b.Ledger, Key: Key{Period: "Day", TimeZone: "UTC", Start: window.Start}, End: window.End, Subject: "accesskey:laptop", Nano: 7}
		if diff := cmp.Diff([]Claim{claim}, reservation.Claims(nil)); diff != "" {
			t.Errorf("claims (-want +got):\n%s", diff)
		}
		settled := reservation.Settle(Charge{Nano: 3}, nil)
		if len(settled) != 1 || settled[0].Claim != claim || settled[0].Totals != (Totals{Spent: 3, Requests: 1}) || settled[0].Seq < 1 {
			t.Errorf("settled %+v", settled)
		}
	})
}

// TestLedgerThatForgets restores an older state of the store: the owner enters all that it counted anew, and says so.
func TestLedgerThatForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), hard(6400)
		r := start(t, "a/1", store, b)
		r.spend(t, b, 10, 10)
		after(2 * time.Second)
		store.mu.Lock()
		old := store.record
		store.mu.Unlock()
		r.spend(t, b, 10, 10)
		after(2 * time.Second)
		store.mu.Lock()
		store.record = old
		store.change()
		store.mu.Unlock()
		after(2 * time.Second)
		if got := store.stood().Total(); got != (Totals{Spent: 20, Requests: 2}) {
			t.Errorf("stored %+v; want 20", got)
		}
		if strings.Count(r.log.String(), "forgotten") != 1 {
			t.Errorf("log:\n%s\nwant one line", r.log)
		}
	})
}

func TestClean(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), wide()
		r := start(t, "a/1", store, b)
		after(2 * time.Second)
		if clean := r.keeper.Clean(); !clean.Equal(time.Now()) {
			t.Errorf("clean until %v without a call; want now", clean)
		}
		store.mu.Lock()
		store.before = func() error { return errAway }
		store.mu.Unlock()
		before := time.Now()
		after(time.Second)
		settle(t, r.book, time.Now(), b, 1)
		after(time.Minute)
		if clean := r.keeper.Clean(); clean.After(before.Add(time.Second)) {
			t.Errorf("clean until %v, after what was settled at %v", clean, before.Add(time.Second))
		}
		store.mu.Lock()
		store.before = func() error { return nil }
		store.mu.Unlock()
		after(lastBackoff)
		if clean := r.keeper.Clean(); !clean.Equal(time.Now()) {
			t.Errorf("clean until %v after all was written; want now", clean)
		}
	})
}

// TestMarkedLostStaysCounted has one replica killed and marked: what it held is neither free nor waited for.
func TestMarkedLostStaysCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), hard(1000)
		one, two := start(t, "a/1", store, b), start(t, "b/1", store, b)
		one.reserve(t, b, 300)
		two.spend(t, b, 10, 10)
		after(20 * time.Second)
		one.stop()
		synctest.Wait()
		store.mu.Lock()
		marked := store.record.Clone()
		lost, _ := marked.MarkLost(func(pod string) bool { return pod == "b" })
		store.record = marked
		store.change()
		store.mu.Unlock()
		if diff := cmp.Diff(map[Owner]int64{"a/1.1": 300}, slicesOf(lost)); diff != "" {
			t.Errorf("lost (-want +got):\n%s", diff)
		}
		after(2 * time.Second)
		if refusal, took := two.refuse(t, b, Ask{Nano: 691}); refusal.Lost != 300 || refusal.Reason != LimitReached || took != 0 {
			t.Errorf("%+v after %v; want the limit at once", refusal, took)
		}
		two.spend(t, b, 690, 690)
	})
}

// TestEarlierRunIsFoldedEverywhere starts a container anew that makes no call: the others need not wait for the one before.
func TestEarlierRunIsFoldedEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), hard(1000)
		first, other := start(t, "a/1", store, b), start(t, "b/1", store, b)
		first.reserve(t, b, 300)
		after(time.Second)
		first.stop()
		start(t, "a/2", store, b)
		after(3 * time.Second)
		count := store.stood()
		if _, kept := count.Owners["a/1.1"]; kept || count.Folded.Lost < 300 {
			t.Errorf("stored %+v; want the first container folded", count)
		}
		if refusal, took := other.refuse(t, b, Ask{Nano: 900}); refusal.Reason != LimitReached || took != 0 {
			t.Errorf("%+v after %v; want the limit at once", refusal, took)
		}
	})
}

// TestFlushGivesBack ends a process that holds something.
func TestFlushGivesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), hard(64_000)
		r := start(t, "a/1", store, b)
		r.spend(t, b, 10, 4)
		if r.book.Held() == 0 {
			t.Fatal("nothing is held")
		}
		if err := r.keeper.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if count := store.stood(); count.Reserved() != 0 || count.Total().Spent != 4 || r.book.Held() != 0 {
			t.Errorf("stored %+v, held %d; want nothing held and 4 spent", count, r.book.Held())
		}
		r.spend(t, b, 10, 10)
		if held := r.book.Held(); held != 0 {
			t.Errorf("%d are held by a process that ends", held)
		}
	})
}

// TestFlushAfterALostReply looks for what a write did whose reply was lost.
func TestFlushAfterALostReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), hard(1000)
		r := prepare(t, "a/1", blind{store}, b)
		r.run(t)
		after(time.Second)
		store.mu.Lock()
		store.lose = func() bool { return true }
		store.mu.Unlock()
		r.refuse(t, b, Ask{Nano: 10, Patience: time.Millisecond})
		if store.stood().Reserved() == 0 {
			t.Fatal("the write was not made")
		}
		store.mu.Lock()
		store.lose = func() bool { return false }
		store.mu.Unlock()
		if err := r.keeper.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if held := store.stood().Reserved(); held != 0 {
			t.Errorf("%d are left behind", held)
		}
	})
}

// blind is a store that tells of no change.
type blind struct{ *memory }

func (blind) Watch(ctx context.Context, _ string, _ func(Stored)) { <-ctx.Done() }

// TestMovedLedger gives nobody an allowance any more, and takes what was settled.
func TestMovedLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), hard(1000)
		r := start(t, "a/1", store, b)
		open := r.reserve(t, b, 10)
		after(time.Second)
		store.mu.Lock()
		moved := store.record.Clone()
		moved.Moved = "valkey"
		store.record = moved
		store.change()
		store.mu.Unlock()
		after(20 * time.Second)
		if refusal, took := r.refuse(t, b, Ask{Nano: 50}); refusal.Reason != LedgerUnreachable || took != DefaultPatience {
			t.Errorf("%+v after %v; want LedgerUnreachable", refusal, took)
		}
		open.Settle(Charge{Nano: 7}, nil)
		after(20 * time.Second)
		store.mu.Lock()
		mark := store.record.Moved
		store.mu.Unlock()
		if count := store.stood(); count.Total().Spent != 7 || count.Reserved() != 0 || mark != "valkey" {
			t.Errorf("stored %+v, moved to %q; want 7 spent and nothing held", count, mark)
		}
	})
}

// TestLedgerThatIsRemadeInAnOutage leaves nothing to write when the store is back: the calls go on all the same.
func TestLedgerThatIsRemadeInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), hard(1000)
		r := start(t, "a/1", store, b)
		after(time.Second)
		store.mu.Lock()
		store.before = func() error { return errAway }
		store.mu.Unlock()
		r.refuse(t, b, Ask{Nano: 10})
		after(time.Minute)
		store.mu.Lock()
		store.before = func() error { return nil }
		store.mu.Unlock()
		store.remake()
		after(lastBackoff + quietFor)
		r.spend(t, b, 10, 10)
	})
}

// TestLoweredLimitIsNotSpentByWhatEnds lowers a limit below what is open: what ends then is not free again.
func TestLoweredLimitIsNotSpentByWhatEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), hard(1000)
		r := start(t, "a/1", store, b)
		r.spend(t, b, 60, 60)
		open := r.reserve(t, b, 440)
		store.mu.Lock()
		store.before = func() error { return errAway }
		store.mu.Unlock()
		lowered := hard(300)
		r.book.Use(tableOf(lowered), time.Now())
		open.Release()
		if refusal, _ := r.refuse(t, lowered, Ask{Nano: 241}); refusal.Reason != LimitReached {
			t.Errorf("%+v; want the new limit", refusal)
		}
	})
}
