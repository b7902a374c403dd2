package limit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/table"
)

func TestRefusal(t *testing.T) {
	for name, tc := range map[string]struct {
		limits []table.Limit
		before []Call
		// gap passes after each call.
		gap  time.Duration
		call Call
		want *Refusal
	}{
		"fits": {
			limits: []table.Limit{{Per: table.PerRoute, RequestsPerMinute: 2}},
			before: []Call{call("a", 1)}, call: call("b", 1),
		},
		"requests": {
			limits: []table.Limit{{Per: table.PerRoute, RequestsPerMinute: 2}},
			before: []Call{call("a", 1), call("b", 1)}, gap: 10 * time.Second, call: call("c", 1),
			want: &Refusal{Per: table.PerRoute, What: "requests per minute", Limit: 2, RetryAfter: 40500 * time.Millisecond,
				Standing: Standing{LimitRequests: 2, ResetRequests: 50500 * time.Millisecond, LimitTokens: -1, RemainingTokens: -1}},
		},
		"tokens, when enough of the oldest has gone": {
			limits: []table.Limit{{Per: table.PerRoute, TokensPerMinute: 100}},
			before: []Call{call("a", 10), call("b", 40), call("c", 50)}, gap: 5 * time.Second, call: call("d", 45),
			want: &Refusal{Per: table.PerRoute, What: "tokens per minute", Limit: 100, RetryAfter: 50500 * time.Millisecond,
				Standing: Standing{LimitTokens: 100, ResetTokens: 55500 * time.Millisecond, LimitRequests: -1, RemainingRequests: -1}},
		},
		"larger than the limit": {
			limits: []table.Limit{{Per: table.PerRoute, TokensPerMinute: 100}},
			call:   call("a", 101),
			want: &Refusal{Per: table.PerRoute, What: "tokens per minute", Limit: 100,
				Standing: Standing{LimitTokens: 100, RemainingTokens: 100, LimitRequests: -1, RemainingRequests: -1}},
		},
		"no estimate, but no tokens left": {
			limits: []table.Limit{{Per: table.PerRoute, TokensPerMinute: 100}},
			before: []Call{call("a", 100)}, call: call("a", 0),
			want: &Refusal{Per: table.PerRoute, What: "tokens per minute", Limit: 100, RetryAfter: 60500 * time.Millisecond,
				Standing: Standing{LimitTokens: 100, ResetTokens: 60500 * time.Millisecond, LimitRequests: -1, RemainingRequests: -1}},
		},
		"concurrency": {
			limits: []table.Limit{{Per: table.PerRoute, Concurrency: 1}},
			before: []Call{call("a", 1)}, call: call("b", 1),
			want: &Refusal{Per: table.PerRoute, What: "concurrent calls", Limit: 1, RetryAfter: time.Second, Standing: noStanding()},
		},
		"another caller": {
			limits: []table.Limit{{Per: table.PerCaller, RequestsPerMinute: 1}},
			before: []Call{call("a", 1)}, call: call("b", 1),
		},
		"the same caller, and the later of both": {
			limits: []table.Limit{{Per: table.PerCaller, RequestsPerMinute: 1}, {Per: table.PerRoute, RequestsPerMinute: 2}},
			before: []Call{call("b", 1), call("a", 1)}, gap: 5 * time.Second, call: call("a", 1),
			want: &Refusal{Per: table.PerCaller, What: "requests per minute", Limit: 1, RetryAfter: 55500 * time.Millisecond,
				Standing: Standing{LimitRequests: 1, ResetRequests: 55500 * time.Millisecond, LimitTokens: -1, RemainingTokens: -1}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClock()
			s := newSet(c, tc.limits...)
			for _, b := range tc.before {
				admit(t, s, b)
				c.advance(tc.gap)
			}
			_, got := s.Admit(context.Background(), tc.call)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if got == nil || got.RetryAfter == 0 || got.What == "concurrent calls" {
				return
			}
			c.advance(got.RetryAfter - time.Millisecond)
			refuse(t, s, tc.call)
			c.advance(time.Millisecond)
			admit(t, s, tc.call)
		})
	}
}

func TestRefusalLeavesNoTrace(t *testing.T) {
	c := newClock()
	s := newSet(c, table.Limit{Per: table.PerCaller, RequestsPerMinute: 10, TokensPerMinute: 100, Concurrency: 5}, table.Limit{Per: table.PerRoute, RequestsPerMinute: 1})
	first := admit(t, s, call("a", 10))
	want, _ := first.Standing()
	for range 20 {
		refuse(t, s, call("a", 10))
	}
	if got, _ := first.Standing(); got != want {
		t.Errorf("standing is %+v, was %+v", got, want)
	}
	s.Use(routesOf(table.Limit{Per: table.PerCaller, RequestsPerMinute: 2, TokensPerMinute: 20, Concurrency: 2}))
	admit(t, s, call("a", 10))
}

func TestNoLimits(t *testing.T) {
	s := newSet(newClock())
	a, refusal := s.Admit(context.Background(), call("a", 1))
	if a != nil || refusal != nil {
		t.Fatalf("got %v, %v", a, refusal)
	}
	a.Correct(1)
	a.Release()
	if _, ok := a.Standing(); ok {
		t.Error("a standing without limits")
	}
	if _, ok := (&Admission{}).Standing(); ok {
		t.Error("a standing of no call")
	}
	(&Admission{}).Correct(1)
	(&Admission{}).Release()
}

func TestCorrect(t *testing.T) {
	for name, tc := range map[string]struct {
		corrections []int64
		after       time.Duration
		want        Standing
	}{
		"as estimated":         {want: Standing{LimitRequests: 10, RemainingRequests: 9, LimitTokens: 100, RemainingTokens: 60}},
		"less":                 {corrections: []int64{15}, want: Standing{LimitRequests: 10, RemainingRequests: 9, LimitTokens: 100, RemainingTokens: 85}},
		"more":                 {corrections: []int64{150}, want: Standing{LimitRequests: 10, RemainingRequests: 9, LimitTokens: 100, RemainingTokens: 0}},
		"nothing sent":         {corrections: []int64{-1}, want: Standing{LimitRequests: 10, RemainingRequests: 10, LimitTokens: 100, RemainingTokens: 100}},
		"nothing sent, twice":  {corrections: []int64{-1, -1}, want: Standing{LimitRequests: 10, RemainingRequests: 10, LimitTokens: 100, RemainingTokens: 100}},
		"twice":                {corrections: []int64{15, 20}, want: Standing{LimitRequests: 10, RemainingRequests: 9, LimitTokens: 100, RemainingTokens: 80}},
		"in its minute's end":  {corrections: []int64{15}, after: time.Minute, want: Standing{LimitRequests: 10, RemainingRequests: 9, LimitTokens: 100, RemainingTokens: 85}},
		"after its own minute": {corrections: []int64{15}, after: time.Minute + tickLength, want: Standing{LimitRequests: 10, RemainingRequests: 10, LimitTokens: 100, RemainingTokens: 100}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClock()
			s := newSet(c, table.Limit{Per: table.PerRoute, RequestsPerMinute: 10, TokensPerMinute: 100})
			a := admit(t, s, call("a", 40))
			c.advance(tc.after)
			for _, n := range tc.corrections {
				a.Correct(n)
			}
			got, ok := a.Standing()
			got.ResetRequests, got.ResetTokens = 0, 0
			if diff := cmp.Diff(tc.want, got); diff != "" || !ok {
				t.Error(diff)
			}
		})
	}
}

func TestCorrectionRollsOutWithItsCall(t *testing.T) {
	c := newClock()
	s := newSet(c, table.Limit{Per: table.PerRoute, TokensPerMinute: 100})
	a := admit(t, s, call("a", 10))
	c.advance(50 * time.Second)
	a.Correct(100)
	if got := refuse(t, s, call("a", 1)).RetryAfter; got != 10500*time.Millisecond {
		t.Errorf("retry after %v, want 10.5s", got)
	}
}

func TestReleaseCountsOnce(t *testing.T) {
	s := newSet(newClock(), table.Limit{Per: table.PerRoute, Concurrency: 2})
	a := admit(t, s, call("a", 1))
	admit(t, s, call("a", 1))
	a.Release()
	a.Release()
	admit(t, s, call("a", 1))
	refuse(t, s, call("a", 1))
}

func TestStandingIsOfTheTightest(t *testing.T) {
	s := newSet(newClock(), table.Limit{Per: table.PerCaller, RequestsPerMinute: 10, TokensPerMinute: 1000}, table.Limit{Per: table.PerRoute, RequestsPerMinute: 4, TokensPerMinute: 10_000})
	admit(t, s, call("b", 10))
	got, _ := admit(t, s, call("a", 10)).Standing()
	want := Standing{LimitRequests: 4, RemainingRequests: 2, LimitTokens: 1000, RemainingTokens: 990, ResetRequests: 60500 * time.Millisecond, ResetTokens: 60500 * time.Millisecond}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestAnyMinute admits at random times and checks every minute there is.
func TestAnyMinute(t *testing.T) {
	for seed := range uint64(5) {
		random := rand.New(rand.NewPCG(seed, 2))
		c := newClock()
		s := newSet(c, table.Limit{Per: table.PerRoute, RequestsPerMinute: 50})
		var at []time.Time
		for range 5000 {
			c.advance(time.Duration(random.Int64N(int64(200 * time.Millisecond))))
			if a, _ := s.Admit(context.Background(), call("a", 1)); a != nil {
				at = append(at, c.Now())
			}
		}
		for i := range at {
			if i >= 50 && at[i].Sub(at[i-50]) < time.Minute {
				t.Fatalf("seed %d: 51 calls within %v", seed, at[i].Sub(at[i-50]))
			}
		}
		if minutes := at[len(at)-1].Sub(at[0]).Minutes(); float64(len(at)) < 0.95*50*minutes {
			t.Errorf("seed %d: %d calls in %.1f minutes", seed, len(at), minutes)
		}
	}
}

func TestUseKeepsCounts(t *testing.T) {
	c := newClock()
	s := newSet(c, table.Limit{Per: table.PerRoute, RequestsPerMinute: 10}, table.Limit{Per: table.PerCaller, RequestsPerMinute: 10})
	for range 5 {
		admit(t, s, call("a", 10))
	}
	s.Use(routesOf(table.Limit{Per: table.PerRoute, RequestsPerMinute: 5}))
	refuse(t, s, call("b", 10))
	s.Use(routesOf(table.Limit{Per: table.PerRoute, TokensPerMinute: 50}))
	refuse(t, s, call("b", 10))
	s.Use(nil)
	if a := admit(t, s, call("a", 10)); a != nil {
		t.Error("a route that is gone has limits")
	}
	s.Use(routesOf(table.Limit{Per: table.PerCaller, RequestsPerMinute: 6}))
	admit(t, s, call("a", 10))
	refuse(t, s, call("a", 10))
	s.Use(nil)
	c.advance(2 * time.Minute)
	for _, r := range s.routes {
		for l := range r.every {
			l.under = 0
		}
	}
	s.Use(nil)
	if len(s.routes) != 0 {
		t.Errorf("%d routes are kept", len(s.routes))
	}
}

func TestCallersAreBounded(t *testing.T) {
	c := newClock()
	s := newSet(c, table.Limit{Per: table.PerCaller, RequestsPerMinute: 2})
	s.maxCallers = 10
	for i := range 10 {
		admit(t, s, call(fmt.Sprint(i), 1)).Release()
	}
	// All are busy: the eleventh and twelfth share a counter.
	admit(t, s, call("x", 1)).Release()
	admit(t, s, call("y", 1)).Release()
	refuse(t, s, call("x", 1))
	refuse(t, s, call("y", 1))
	// Nobody's window was refilled.
	for i := range 10 {
		admit(t, s, call(fmt.Sprint(i), 1)).Release()
		refuse(t, s, call(fmt.Sprint(i), 1))
	}
	c.advance(2 * time.Minute)
	for i := range 10 {
		admit(t, s, call(fmt.Sprint("new", i), 1)).Release()
	}
	if n := len(s.routeOf("chat").callers); n != 10 {
		t.Errorf("%d callers are kept, want 10", n)
	}
	admit(t, s, call("new3", 1)).Release()
	refuse(t, s, call("new3", 1))
}

// TestCrowdLeavesWithItsMinute keeps a caller of the crowd there until what it did in the crowd counts no more.
func TestCrowdLeavesWithItsMinute(t *testing.T) {
	c := newClock()
	s := newSet(c, table.Limit{Per: table.PerCaller, RequestsPerMinute: 1})
	s.maxCallers = 1
	admit(t, s, call("a", 1)).Release()
	c.advance(40 * time.Second)
	admit(t, s, call("b", 1)).Release()
	c.advance(30 * time.Second)
	refuse(t, s, call("b", 1))
	c.advance(31 * time.Second)
	admit(t, s, call("b", 1)).Release()
}
