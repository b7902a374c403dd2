package ledger

import (
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

// settle admits and settles calls of a cost, which must be admitted.
func settle(t *testing.T, book *Book, now time.Time, budget *table.Budget, costs ...int64) {
	t.Helper()
	for _, nano := range costs {
		admission, refusal := book.Admit(now, []*table.Budget{budget}, Call{})
		if refusal != nil {
			t.Fatalf("refused: %+v", refusal)
		}
		admission.Settle(Charge{Nano: nano})
	}
}

func TestAdmit(t *testing.T) {
	day := Refusal{Budget: "b", Limit: 100, Start: noon().Truncate(24 * time.Hour), End: noon().Truncate(24*time.Hour).AddDate(0, 0, 1)}
	refusal := func(reason Reason, spent int64) *Refusal {
		r := day
		r.Reason, r.Spent = reason, spent
		return &r
	}
	observe := func(b *table.Budget) { b.Enforcement = table.Observe }
	for name, tc := range map[string]struct {
		before []int64
		budget *table.Budget
		call   Call
		now    time.Time
		want   *Refusal
	}{
		"nothing is spent":                        {nil, budget("b"), Call{}, noon(), nil},
		"one less than the limit":                 {[]int64{99}, budget("b"), Call{}, noon(), nil},
		"the limit":                               {[]int64{60, 40}, budget("b"), Call{}, noon(), refusal(LimitReached, 100)},
		"past the limit":                          {[]int64{99, 1000}, budget("b"), Call{}, noon(), refusal(LimitReached, 1099)},
		"a sum that does not fit":                 {[]int64{50, math.MaxInt64}, budget("b"), Call{}, noon(), refusal(LimitReached, math.MaxInt64)},
		"less than nothing is nothing":            {[]int64{-500, 100}, budget("b"), Call{}, noon(), refusal(LimitReached, 100)},
		"a budget that observes":                  {[]int64{1000}, budget("b", observe), Call{Unpriced: true}, noon(), nil},
		"the next window":                         {[]int64{1000}, budget("b"), Call{}, noon().AddDate(0, 0, 1), nil},
		"the last instant of the window":          {[]int64{1000}, budget("b"), Call{}, day.End.Add(-1), refusal(LimitReached, 1000)},
		"another resetID":                         {[]int64{1000}, budget("b", func(b *table.Budget) { b.ResetID = "again" }), Call{}, noon(), nil},
		"a raised limit":                          {[]int64{100}, budget("b", func(b *table.Budget) { b.Limit = 101 }), Call{}, noon(), nil},
		"a budget made anew":                      {[]int64{100}, budget("b", func(b *table.Budget) { b.UID = "other" }), Call{}, noon(), refusal(LimitReached, 100)},
		"unpriced":                                {[]int64{40}, budget("b"), Call{Unpriced: true}, noon(), refusal(Unpriced, 40)},
		"unpriced that is allowed":                {[]int64{40}, budget("b", func(b *table.Budget) { b.AllowUnpriced = true }), Call{Unpriced: true}, noon(), nil},
		"an unknown zone":                         {nil, budget("b", func(b *table.Budget) { b.TimeZone = "Nowhere" }), Call{}, noon(), &Refusal{Budget: "b", Reason: WindowUnknown, Limit: 100}},
		"a budget that observes an unknown zone":  {nil, budget("b", observe, func(b *table.Budget) { b.TimeZone = "Nowhere" }), Call{}, noon(), nil},
		"the clock was set back into this window": {[]int64{100}, budget("b"), Call{}, day.Start, refusal(LimitReached, 100)},
	} {
		t.Run(name, func(t *testing.T) {
			book := NewBook("a/1")
			settle(t, book, noon(), budget("b", func(b *table.Budget) { b.Limit = math.MaxInt64 }), tc.before...)
			admission, got := book.Admit(tc.now, []*table.Budget{tc.budget}, tc.call)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
			if (admission == nil) == (got == nil) {
				t.Errorf("admission is %v beside refusal %v", admission, got)
			}
			admission.Release()
		})
	}
}

func TestAdmitWithoutBudgets(t *testing.T) {
	admission, refusal := NewBook("a/1").Admit(noon(), nil, Call{Unpriced: true})
	if admission != nil || refusal != nil {
		t.Errorf("Admit = %v, %v; want nothing", admission, refusal)
	}
	admission.Settle(Charge{Nano: 5})
	admission.Release()
}

// pending returns how many calls the counters of a ledger wait for.
func pending(book *Book, ledger string) int {
	waiting := 0
	for _, counter := range book.open(ledger).counters {
		waiting += counter.pending
	}
	return waiting
}

func TestRefusalByOneBudgetHoldsNoOther(t *testing.T) {
	book := NewBook("a/1")
	first, second := budget("first"), budget("second", func(b *table.Budget) { b.Limit = 0 })
	admission, refusal := book.Admit(noon(), []*table.Budget{first, second}, Call{})
	if admission != nil || refusal == nil || refusal.Budget != "second" {
		t.Fatalf("Admit = %v, %+v; want a refusal by second", admission, refusal)
	}
	if waiting := pending(book, first.Ledger); waiting != 0 {
		t.Errorf("first waits for %d calls", waiting)
	}
}

func TestAdmissionEndsOnce(t *testing.T) {
	for name, tc := range map[string]struct {
		end  func(*Admission)
		want Totals
	}{
		"settled":              {func(a *Admission) { a.Settle(Charge{Nano: 5}) }, Totals{Spent: 5, Requests: 1}},
		"settled twice":        {func(a *Admission) { a.Settle(Charge{Nano: 5}); a.Settle(Charge{Nano: 7}) }, Totals{Spent: 5, Requests: 1}},
		"settled, released":    {func(a *Admission) { a.Settle(Charge{Nano: 5}); a.Release() }, Totals{Spent: 5, Requests: 1}},
		"released":             {func(a *Admission) { a.Release() }, Totals{}},
		"released, settled":    {func(a *Admission) { a.Release(); a.Settle(Charge{Nano: 5}) }, Totals{}},
		"unpriced":             {func(a *Admission) { a.Settle(Charge{Unpriced: true}) }, Totals{Requests: 1, Unpriced: 1}},
		"unpriced only a part": {func(a *Admission) { a.Settle(Charge{Nano: 5, Unpriced: true}) }, Totals{Spent: 5, Requests: 1, Unpriced: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			book := NewBook("a/1")
			one, two := budget("one"), budget("two", func(b *table.Budget) { b.Period = "Total" })
			admission, _ := book.Admit(noon(), []*table.Budget{one, two}, Call{})
			tc.end(admission)
			for _, b := range []*table.Budget{one, two} {
				counter := book.open(b.Ledger).counters[0]
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
	admission, _ := book.Admit(noon(), []*table.Budget{b}, Call{})
	settle(t, book, noon().AddDate(0, 0, 1), b, 1)
	admission.Settle(Charge{Nano: 100})
	if _, refusal := book.Admit(noon(), []*table.Budget{b}, Call{}); refusal == nil || refusal.Spent != 100 {
		t.Errorf("first window: %+v; want 100 spent", refusal)
	}
	next, refusal := book.Admit(noon().AddDate(0, 0, 1), []*table.Budget{b}, Call{})
	if refusal != nil {
		t.Errorf("second window: %+v; want an admission", refusal)
	}
	next.Release()
}

// TestSettleFromManyGoroutines adds up exactly.
func TestSettleFromManyGoroutines(t *testing.T) {
	const callers, calls = 64, 500
	book := NewBook("a/1")
	budgets := []*table.Budget{
		budget("day", func(b *table.Budget) { b.Limit = math.MaxInt64 }),
		budget("total", func(b *table.Budget) { b.Limit, b.Period = math.MaxInt64, "Total" }),
	}
	var running sync.WaitGroup
	for caller := range callers {
		running.Go(func() {
			for call := range calls {
				admission, refusal := book.Admit(noon(), budgets, Call{})
				if refusal != nil {
					t.Errorf("refused: %+v", refusal)
					return
				}
				admission.Settle(Charge{Nano: int64(caller*calls + call)})
			}
		})
	}
	running.Wait()
	const n = callers * calls
	want := Totals{Spent: n * (n - 1) / 2, Requests: n}
	for _, b := range budgets {
		if diff := cmp.Diff(want, book.open(b.Ledger).counters[0].own); diff != "" {
			t.Errorf("%s (-want +got):\n%s", b.Name, diff)
		}
	}
}

func BenchmarkAdmitSettle(b *testing.B) {
	book := NewBook("a/1")
	budgets := []*table.Budget{budget("day", func(b *table.Budget) { b.Limit, b.TimeZone = math.MaxInt64, "Europe/Lisbon" })}
	now := noon()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			admission, _ := book.Admit(now, budgets, Call{})
			admission.Settle(Charge{Nano: 1})
		}
	})
}
