package ledger

import (
	"context"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/table"
)

// budget returns a Soft budget of 100 nano-dollars a day.
func budget(name string, modify ...func(*table.Budget)) *table.Budget {
	made := &table.Budget{
		Object: table.Object{Name: name}, Limit: 100, Period: "Day", TimeZone: "UTC", Enforcement: table.Soft, Ledger: Name(name),
	}
	for _, m := range modify {
		m(made)
	}
	return made
}

// use tells a book of one budget and returns its handle.
func use(book *Book, b *table.Budget) *Budget {
	return book.Use([]table.Budget{*b}, noon())[0]
}

// at returns a handle for a budget that a book was told of.
func at(book *Book, b *table.Budget) *Budget {
	return &Budget{Budget: b, book: book}
}

// reserve asks budgets for an attempt of nobody in particular.
func reserve(ctx context.Context, book *Book, now time.Time, ask Ask, budgets ...*Budget) (*Reservation, *Refusal) {
	reservation := &Reservation{}
	return reservation, book.Reserve(ctx, now, budgets, &Claimant{}, ask, reservation)
}

// settle reserves and settles calls of a cost, which must be admitted.
func settle(t *testing.T, book *Book, now time.Time, budget *table.Budget, costs ...int64) {
	t.Helper()
	for _, nano := range costs {
		reservation, refusal := reserve(t.Context(), book, now, Ask{}, at(book, budget))
		if refusal != nil {
			t.Fatalf("refused: %+v", refusal)
		}
		reservation.Settle(Charge{Nano: nano}, nil)
	}
}

func TestReserveSoft(t *testing.T) {
	day := Refusal{Budget: "b", Limit: 100, Start: noon().Truncate(24 * time.Hour), End: noon().Truncate(24*time.Hour).AddDate(0, 0, 1)}
	refusal := func(reason Reason, spent int64) *Refusal {
		r := day
		r.Reason, r.Spent, r.Available = reason, spent, max(0, 100-spent)
		return &r
	}
	observe := func(b *table.Budget) { b.Enforcement = table.Observe }
	for name, tc := range map[string]struct {
		before []int64
		budget *table.Budget
		ask    Ask
		now    time.Time
		want   *Refusal
	}{
		"nothing is spent":                        {nil, budget("b"), Ask{}, noon(), nil},
		"one less than the limit":                 {[]int64{99}, budget("b"), Ask{}, noon(), nil},
		"an ask above the limit":                  {[]int64{99}, budget("b"), Ask{Nano: 1000}, noon(), nil},
		"an ask without a bound":                  {nil, budget("b"), Ask{Unbounded: true}, noon(), nil},
		"the limit":                               {[]int64{60, 40}, budget("b"), Ask{}, noon(), refusal(LimitReached, 100)},
		"past the limit":                          {[]int64{99, 1000}, budget("b"), Ask{}, noon(), refusal(LimitReached, 1099)},
		"a sum that does not fit":                 {[]int64{50, math.MaxInt64}, budget("b"), Ask{}, noon(), refusal(LimitReached, math.MaxInt64)},
		"less than nothing is nothing":            {[]int64{-500, 100}, budget("b"), Ask{}, noon(), refusal(LimitReached, 100)},
		"a budget that observes":                  {[]int64{1000}, budget("b", observe), Ask{Unpriced: true}, noon(), nil},
		"the next window":                         {[]int64{1000}, budget("b"), Ask{}, noon().AddDate(0, 0, 1), nil},
		"the last instant of the window":          {[]int64{1000}, budget("b"), Ask{}, day.End.Add(-1), refusal(LimitReached, 1000)},
		"another resetID":                         {[]int64{1000}, budget("b", func(b *table.Budget) { b.ResetID = "again" }), Ask{}, noon(), nil},
		"a raised limit":                          {[]int64{100}, budget("b", func(b *table.Budget) { b.Limit = 101 }), Ask{}, noon(), nil},
		"a budget made anew":                      {[]int64{100}, budget("b", func(b *table.Budget) { b.UID = "other" }), Ask{}, noon(), refusal(LimitReached, 100)},
		"unpriced":                                {[]int64{40}, budget("b"), Ask{Unpriced: true}, noon(), refusal(Unpriced, 40)},
		"unpriced that is allowed":                {[]int64{40}, budget("b", func(b *table.Budget) { b.AllowUnpriced = true }), Ask{Unpriced: true}, noon(), nil},
		"an unknown zone":                         {nil, budget("b", func(b *table.Budget) { b.TimeZone = "Nowhere" }), Ask{}, noon(), &Refusal{Budget: "b", Reason: WindowUnknown, Limit: 100}},
		"a budget that observes an unknown zone":  {nil, budget("b", observe, func(b *table.Budget) { b.TimeZone = "Nowhere" }), Ask{}, noon(), nil},
		"the clock was set back into this window": {[]int64{100}, budget("b"), Ask{}, day.Start, refusal(LimitReached, 100)},
	} {
		t.Run(name, func(t *testing.T) {
			book := NewBook("a/1")
			generous := budget("b", func(b *table.Budget) { b.Limit = math.MaxInt64 })
			use(book, generous)
			settle(t, book, noon(), generous, tc.before...)
			reservation, got := reserve(t.Context(), book, tc.now, tc.ask, use(book, tc.budget))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
			reservation.Release()
		})
	}
}

func TestReserveWithoutBudgets(t *testing.T) {
	reservation, refusal := reserve(t.Context(), NewBook("a/1"), noon(), Ask{Unpriced: true})
	if refusal != nil || reservation.Claims(nil) != nil || reservation.Settle(Charge{Nano: 5}, nil) != nil {
		t.Errorf("refusal %v, reservation %+v; want nothing", refusal, reservation)
	}
	reservation.Release()
}

// counterOf returns the shared counter of a budget at noon.
func counterOf(t *testing.T, book *Book, b *table.Budget) *counter {
	t.Helper()
	found, err := at(book, b).counter(noon(), &Claimant{})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestRefusalByOneBudgetHoldsNoOther(t *testing.T) {
	book := NewBook("a/1")
	first, second := budget("first"), budget("second", func(b *table.Budget) { b.Limit = 0 })
	handles := book.Use([]table.Budget{*first, *second}, noon())
	reservation, refusal := reserve(t.Context(), book, noon(), Ask{}, handles...)
	if refusal == nil || refusal.Budget != "second" || reservation.Claims(nil) != nil {
		t.Fatalf("Reserve = %v, %+v; want a refusal by second", reservation, refusal)
	}
	if waiting := counterOf(t, book, first).pending; waiting != 0 {
		t.Errorf("first waits for %d calls", waiting)
	}
	if refusal := book.Reserve(t.Context(), noon(), handles[:1], &Claimant{}, Ask{}, reservation); refusal != nil || len(reservation.Claims(nil)) != 1 {
		t.Errorf("the reservation cannot be used for another attempt: %+v", refusal)
	}
}

func TestReservationEndsOnce(t *testing.T) {
	settled := Charge{Nano: 5}
	for name, tc := range map[string]struct {
		ask  Ask
		end  func(*Reservation)
		want Totals
	}{
		"settled":              {Ask{}, func(r *Reservation) { r.Settle(settled, nil) }, Totals{Spent: 5, Requests: 1}},
		"settled twice":        {Ask{}, func(r *Reservation) { r.Settle(settled, nil); r.Settle(Charge{Nano: 7}, nil) }, Totals{Spent: 5, Requests: 1}},
		"settled, released":    {Ask{}, func(r *Reservation) { r.Settle(settled, nil); r.Release() }, Totals{Spent: 5, Requests: 1}},
		"released":             {Ask{}, func(r *Reservation) { r.Release() }, Totals{}},
		"released, settled":    {Ask{}, func(r *Reservation) { r.Release(); r.Settle(settled, nil) }, Totals{}},
		"a second attempt":     {Ask{Retry: true}, func(r *Reservation) { r.Settle(settled, nil) }, Totals{Spent: 5}},
		"unpriced":             {Ask{}, func(r *Reservation) { r.Settle(Charge{Unpriced: true}, nil) }, Totals{Requests: 1, Unpriced: 1}},
		"unpriced only a part": {Ask{}, func(r *Reservation) { r.Settle(Charge{Nano: 5, Unpriced: true}, nil) }, Totals{Spent: 5, Requests: 1, Unpriced: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			book := NewBook("a/1")
			one, two := budget("one"), budget("two", func(b *table.Budget) { b.Period = "Total" })
			reservation, _ := reserve(t.Context(), book, noon(), tc.ask, book.Use([]table.Budget{*one, *two}, noon())...)
			tc.end(reservation)
			for _, b := range []*table.Budget{one, two} {
				counter := counterOf(t, book, b)
				if diff := cmp.Diff(tc.want, counter.own); diff != "" || counter.pending != 0 {
					t.Errorf("%s waits for %d; counted (-want +got):\n%s", b.Name, counter.pending, diff)
				}
			}
		})
	}
}

// TestCallBelongsToItsWindow settles a call after midnight that was admitted before.
func TestCallBelongsToItsWindow(t *testing.T) {
	book := NewBook("a/1")
	b := budget("b")
	handle := use(book, b)
	reservation, _ := reserve(t.Context(), book, noon(), Ask{}, handle)
	settle(t, book, noon().AddDate(0, 0, 1), b, 1)
	reservation.Settle(Charge{Nano: 100}, nil)
	if _, refusal := reserve(t.Context(), book, noon(), Ask{}, handle); refusal == nil || refusal.Spent != 100 {
		t.Errorf("first window: %+v; want 100 spent", refusal)
	}
	if _, refusal := reserve(t.Context(), book, noon().AddDate(0, 0, 1), Ask{}, handle); refusal != nil {
		t.Errorf("second window: %+v; want an admission", refusal)
	}
}

// TestSettleFromManyGoroutines adds up exactly.
func TestSettleFromManyGoroutines(t *testing.T) {
	const callers, calls = 64, 500
	book := NewBook("a/1")
	budgets := []table.Budget{
		*budget("day", func(b *table.Budget) { b.Limit = math.MaxInt64 }),
		*budget("total", func(b *table.Budget) { b.Limit, b.Period = math.MaxInt64, "Total" }),
	}
	handles := book.Use(budgets, noon())
	var running sync.WaitGroup
	for caller := range callers {
		running.Go(func() {
			for call := range calls {
				reservation, refusal := reserve(t.Context(), book, noon(), Ask{}, handles...)
				if refusal != nil {
					t.Errorf("refused: %+v", refusal)
					return
				}
				reservation.Settle(Charge{Nano: int64(caller*calls + call)}, nil)
			}
		})
	}
	running.Wait()
	const n = callers * calls
	want := Totals{Spent: n * (n - 1) / 2, Requests: n}
	for i := range budgets {
		if diff := cmp.Diff(want, counterOf(t, book, &budgets[i]).own); diff != "" {
			t.Errorf("%s (-want +got):\n%s", budgets[i].Name, diff)
		}
	}
}
