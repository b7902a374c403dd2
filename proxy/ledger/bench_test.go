package ledger

import (
	"context"
	"fmt"
	"math"
	"testing"

	"signalbox.dev/signalbox/proxy/table"
)

// granted returns a book whose budgets are Hard and hold as much as anybody can ask for, and a claimant.
func granted(tb testing.TB, budgets int, modify ...func(*table.Budget)) (*Book, []*Budget, *Claimant) {
	tb.Helper()
	book := NewBook("a/1")
	list := make([]table.Budget, budgets)
	for i := range list {
		list[i] = *budget(fmt.Sprintf("b%d", i), append(modify, func(b *table.Budget) {
			b.Limit, b.Enforcement, b.TimeZone, b.MaxCounters = math.MaxInt64, table.Hard, "Europe/Lisbon", 1000
		})...)
	}
	by := &Claimant{Caller: Caller{Namespace: "team-a", ServiceAccount: "app"}, EndUser: "somebody"}
	handles := book.Use(list, noon())
	for _, handle := range handles {
		found, err := handle.counter(noon(), by)
		if err != nil {
			tb.Fatal(err)
		}
		found.granted = math.MaxInt64 / 2
	}
	return book, handles, by
}

func BenchmarkReserveSettle(b *testing.B) {
	perCaller := func(t *table.Budget) { t.Counter = table.CountPerCaller }
	for name, tc := range map[string]struct {
		budgets int
		modify  []func(*table.Budget)
	}{
		"1budgets":           {1, nil},
		"4budgets":           {4, nil},
		"1budgets-percaller": {1, []func(*table.Budget){perCaller}},
		"4budgets-percaller": {4, []func(*table.Budget){perCaller}},
	} {
		b.Run(name, func(b *testing.B) {
			book, handles, by := granted(b, tc.budgets, tc.modify...)
			settlements, now := make([]Settlement, 0, 8), noon()
			b.ReportAllocs()
			for b.Loop() {
				var reservation Reservation
				if refusal := book.Reserve(context.Background(), now, handles, by, Ask{Nano: 1000}, &reservation); refusal != nil {
					b.Fatal(refusal)
				}
				settlements = reservation.Settle(Charge{Nano: 10, Route: "chat", Caller: "team-a/app"}, settlements[:0])
			}
		})
	}
}

func BenchmarkReserveSettleContended(b *testing.B) {
	book, handles, by := granted(b, 1)
	now := noon()
	b.SetParallelism(25)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		settlements := make([]Settlement, 0, 8)
		for pb.Next() {
			var reservation Reservation
			if refusal := book.Reserve(context.Background(), now, handles, by, Ask{Nano: 1000}, &reservation); refusal != nil {
				b.Error(refusal)
				return
			}
			settlements = reservation.Settle(Charge{Nano: 10, Route: "chat", Caller: "team-a/app"}, settlements[:0])
		}
	})
}

// TestReserveAllocatesNothing holds while the allowance suffices, with four budgets of one caller each.
func TestReserveAllocatesNothing(t *testing.T) {
	book, handles, by := granted(t, 4, func(b *table.Budget) { b.Counter = table.CountPerCaller })
	settlements, now := make([]Settlement, 0, 8), noon()
	var reservation Reservation
	allocated := testing.AllocsPerRun(1000, func() {
		reservation.count = 0
		reservation.done.Store(false)
		if refusal := book.Reserve(t.Context(), now, handles, by, Ask{Nano: 1000}, &reservation); refusal != nil {
			t.Fatal(refusal)
		}
		settlements = reservation.Settle(Charge{Nano: 10, Route: "chat", Caller: "team-a/app"}, settlements[:0])
	})
	if allocated != 0 {
		t.Errorf("%v allocations for each attempt", allocated)
	}
}
