package limit

import (
	"context"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

func TestQueueIsFirstInFirstOut(t *testing.T) {
	c := newClock()
	s := newSet(c, table.Limit{Per: table.PerRoute, Concurrency: 1, MaxWait: time.Minute, MaxQueue: 10})
	under := admit(t, s, call("a", 1))
	results := make(chan result, 3)
	for _, name := range []string{"first", "second", "third"} {
		c.queue(context.Background(), s, call(name, 1), name, results)
	}
	for _, want := range []string{"first", "second", "third"} {
		under.Release()
		got := <-results
		if got.name != want || got.refusal != nil {
			t.Fatalf("admitted %s (%v), want %s", got.name, got.refusal, want)
		}
		under = got.admission
	}
	under.Release()
	admit(t, s, call("a", 1))
}

func TestBigWaiterIsNotOvertaken(t *testing.T) {
	c := newClock()
	s := newSet(c, table.Limit{Per: table.PerRoute, TokensPerMinute: 100, MaxWait: time.Minute, MaxQueue: 10})
	a := admit(t, s, call("a", 60))
	results := make(chan result, 2)
	c.advance(time.Second)
	c.queue(context.Background(), s, call("big", 90), "big", results)
	c.queue(context.Background(), s, call("small", 10), "small", results)
	a.Correct(20)
	a.Correct(5)
	got := <-results
	if got.name != "big" || got.refusal != nil {
		t.Fatalf("got %s, %v", got.name, got.refusal)
	}
	// The small one follows when the first call's minute is over.
	got.admission.Correct(80)
	if got = <-results; got.name != "small" || got.refusal != nil {
		t.Fatalf("got %s, %v", got.name, got.refusal)
	}
}

func TestTurnComesWithTime(t *testing.T) {
	c := newClock()
	s := newSet(c, table.Limit{Per: table.PerRoute, RequestsPerMinute: 1, MaxWait: 30 * time.Second, MaxQueue: 10})
	admit(t, s, call("a", 1))
	c.advance(40 * time.Second)
	results := make(chan result, 1)
	if slept := c.queue(context.Background(), s, call("b", 1), "b", results); slept != 20500*time.Millisecond {
		t.Errorf("sleeps %v, want 20.5s", slept)
	}
	c.advance(20500 * time.Millisecond)
	if got := <-results; got.refusal != nil {
		t.Errorf("refused: %+v", got.refusal)
	}
}

func TestQueueRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		limit table.Limit
		queue int
		want  bool
	}{
		"the turn is known to come too late": {limit: table.Limit{Per: table.PerRoute, RequestsPerMinute: 1, MaxWait: time.Second, MaxQueue: 10}, want: true},
		"the turn after those who wait":      {limit: table.Limit{Per: table.PerRoute, RequestsPerMinute: 1, MaxWait: 61 * time.Second, MaxQueue: 10}, queue: 1, want: false},
		"full":                               {limit: table.Limit{Per: table.PerRoute, Concurrency: 1, MaxWait: time.Second, MaxQueue: 2}, queue: 2, want: true},
		"no queue":                           {limit: table.Limit{Per: table.PerRoute, Concurrency: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClock()
			s := newSet(c, tc.limit)
			admit(t, s, call("a", 1))
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			results := make(chan result, 10)
			for range tc.queue {
				c.queue(ctx, s, call("b", 1), "b", results)
			}
			if tc.queue == 1 {
				// Who waits takes what comes free.
				c.queue(ctx, s, call("c", 1), "c", results)
				c.advance(60500 * time.Millisecond)
				if got := <-results; got.name != "b" || got.refusal != nil {
					t.Fatalf("got %s, %+v", got.name, got.refusal)
				}
				c.advance(time.Second)
				if got := <-results; got.refusal == nil || !got.refusal.Queue || got.refusal.RetryAfter != 59500*time.Millisecond {
					t.Fatalf("got %s, %+v", got.name, got.refusal)
				}
				return
			}
			if got := refuse(t, s, call("c", 1)); got.Queue != tc.want {
				t.Errorf("refusal is %+v", got)
			}
		})
	}
}

func TestWaitEnds(t *testing.T) {
	c := newClock()
	s := newSet(c, table.Limit{Per: table.PerRoute, Concurrency: 1, MaxWait: time.Second, MaxQueue: 2})
	under := admit(t, s, call("a", 1))
	results := make(chan result, 2)
	c.queue(context.Background(), s, call("b", 1), "b", results)
	c.advance(time.Second)
	got := <-results
	if got.refusal == nil || !got.refusal.Queue || got.refusal.Left || got.refusal.What != "concurrent calls" {
		t.Errorf("got %+v", got.refusal)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.queue(ctx, s, call("b", 1), "b", results)
	cancel()
	if got = <-results; got.refusal == nil || !got.refusal.Left || got.refusal.Queue {
		t.Errorf("got %+v", got.refusal)
	}
	// Both places are free again.
	c.queue(context.Background(), s, call("c", 1), "c", results)
	c.queue(context.Background(), s, call("d", 1), "d", results)
	refuse(t, s, call("e", 1))
	under.Release()
	if got = <-results; got.name != "c" || got.refusal != nil {
		t.Errorf("got %s, %+v", got.name, got.refusal)
	}
}

// TestLeavingBringsTheNextForward has a waiter whose turn comes sooner because the one before it left.
func TestLeavingBringsTheNextForward(t *testing.T) {
	c := newClock()
	s := newSet(c, table.Limit{Per: table.PerRoute, TokensPerMinute: 100, MaxWait: time.Minute, MaxQueue: 5})
	admit(t, s, call("a", 50))
	c.advance(30 * time.Second)
	admit(t, s, call("a", 50))
	results := make(chan result, 2)
	ctx, cancel := context.WithCancel(context.Background())
	c.advance(5 * time.Second)
	c.queue(ctx, s, call("big", 60), "big", results)
	c.queue(context.Background(), s, call("small", 40), "small", results)
	cancel()
	if got := <-results; got.name != "big" || !got.refusal.Left {
		t.Fatalf("got %s, %+v", got.name, got.refusal)
	}
	if slept := <-c.sleeping; slept != 25500*time.Millisecond {
		t.Errorf("sleeps %v, want 25.5s", slept)
	}
	c.advance(25500 * time.Millisecond)
	if got := <-results; got.name != "small" || got.refusal != nil {
		t.Fatalf("got %s, %+v", got.name, got.refusal)
	}
}

// TestBusyCallerHoldsUpNobody has a caller over its own limit who waits, and another who does not.
func TestBusyCallerHoldsUpNobody(t *testing.T) {
	c := newClock()
	s := newSet(c,
		table.Limit{Per: table.PerCaller, Concurrency: 1, MaxWait: time.Minute, MaxQueue: 5},
		table.Limit{Per: table.PerRoute, Concurrency: 2, MaxWait: time.Minute, MaxQueue: 5})
	a := admit(t, s, call("a", 1))
	results := make(chan result, 3)
	c.queue(context.Background(), s, call("a", 1), "a2", results)
	b := admit(t, s, call("b", 1))
	// The route is full now: c waits there, and so does a's second call once its first has ended.
	c.queue(context.Background(), s, call("c", 1), "c", results)
	a.Release()
	got := <-results
	if got.name != "c" || got.refusal != nil {
		t.Fatalf("got %s, %+v", got.name, got.refusal)
	}
	b.Release()
	if got = <-results; got.name != "a2" || got.refusal != nil {
		t.Fatalf("got %s, %+v", got.name, got.refusal)
	}
}

func TestUseEndsWaits(t *testing.T) {
	c := newClock()
	s := newSet(c, table.Limit{Per: table.PerRoute, Concurrency: 1, MaxWait: time.Minute, MaxQueue: 5})
	admit(t, s, call("a", 1))
	results := make(chan result, 1)
	c.queue(context.Background(), s, call("b", 1), "b", results)
	s.Use(routesOf(table.Limit{Per: table.PerRoute, Concurrency: 2}))
	if got := <-results; got.refusal != nil {
		t.Errorf("got %+v", got.refusal)
	}
}
