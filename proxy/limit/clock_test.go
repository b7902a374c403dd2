package limit

import (
	"context"
	"sync"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// clock is a clock that tests set. Those who wait on it say so on sleeping.
type clock struct {
	mu       sync.Mutex
	now      time.Time
	timers   []timer
	sleeping chan time.Duration
}

type timer struct {
	at time.Time
	c  chan time.Time
}

func newClock() *clock {
	return &clock{now: time.Unix(1_800_000_000, 0), sleeping: make(chan time.Duration, 1000)}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	t := timer{at: c.now.Add(d), c: make(chan time.Time, 1)}
	c.timers = append(c.timers, t)
	c.mu.Unlock()
	c.sleeping <- d
	return t.c
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	var left []timer
	for _, t := range c.timers {
		if t.at.After(c.now) {
			left = append(left, t)
			continue
		}
		t.c <- c.now
	}
	c.timers = left
}

func newSet(c *clock, limits ...table.Limit) *Set {
	s := NewSet(Options{Now: c.Now, After: c.After})
	s.Use(routesOf(limits...))
	return s
}

func routesOf(limits ...table.Limit) []table.Route {
	return []table.Route{{Object: table.Object{Name: "chat"}, Limits: limits}}
}

func call(caller string, tokens int64) Call {
	return Call{Route: "chat", Caller: caller, Tokens: tokens}
}

// admit admits a call that must fit.
func admit(t *testing.T, s *Set, c Call) *Admission {
	t.Helper()
	a, refusal := s.Admit(context.Background(), c)
	if refusal != nil {
		t.Fatalf("refused: %+v", refusal)
	}
	return a
}

// refuse refuses a call that must not fit.
func refuse(t *testing.T, s *Set, c Call) *Refusal {
	t.Helper()
	_, refusal := s.Admit(context.Background(), c)
	if refusal == nil {
		t.Fatal("admitted")
	}
	return refusal
}

// result is how a call ended that may have waited.
type result struct {
	name      string
	admission *Admission
	refusal   *Refusal
}

// queue lets a call wait, and returns when it does.
func (c *clock) queue(ctx context.Context, s *Set, call Call, name string, results chan<- result) time.Duration {
	go func() {
		a, refusal := s.Admit(ctx, call)
		results <- result{name, a, refusal}
	}()
	return <-c.sleeping
}
