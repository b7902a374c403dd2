package limit

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// exchange lets two sets, of the replicas a and b, talk once, both ways.
func exchange(t *testing.T, a, b *Set) {
	t.Helper()
	if err := b.Hear("a", a.Say("b")); err != nil {
		t.Fatal(err)
	}
	if err := a.Hear("b", b.Say("a")); err != nil {
		t.Fatal(err)
	}
}

// admits is how many calls a set admits at once.
func admits(s *Set) int {
	n := 0
	for {
		a, _ := s.Admit(context.Background(), call("a", 1))
		if a == nil {
			return n
		}
		n++
	}
}

func TestNewReplicaAdmitsNothing(t *testing.T) {
	c := newClock()
	limit := table.Limit{Per: table.PerRoute, RequestsPerMinute: 10}
	s, other := newSet(c, limit), newSet(c, limit)
	s.Members(nil, false)
	if got := refuse(t, s, call("a", 1)); got.RetryAfter != time.Second {
		t.Errorf("retry after %v, want 1s", got.RetryAfter)
	}
	s.Members([]string{"b"}, true)
	refuse(t, s, call("a", 1))
	other.Members([]string{"a"}, true)
	exchange(t, s, other)
	if n := admits(s) + admits(other); n != 10 {
		t.Errorf("admitted %d calls, want 10", n)
	}
}

func TestAloneIsAll(t *testing.T) {
	s := newSet(newClock(), table.Limit{Per: table.PerRoute, RequestsPerMinute: 10})
	s.Members(nil, true)
	if n := admits(s); n != 10 {
		t.Errorf("admitted %d calls, want 10", n)
	}
}

func TestRemaindersGoToTheLowest(t *testing.T) {
	for name, tc := range map[string]struct {
		limit, size int64
		want        []int64
	}{
		"even":            {limit: 9, size: 3, want: []int64{3, 3, 3}},
		"remainder":       {limit: 11, size: 3, want: []int64{4, 4, 3}},
		"fewer than many": {limit: 2, size: 4, want: []int64{1, 1, 0, 0}},
		"nothing":         {size: 2, want: []int64{0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			for rank, want := range tc.want {
				if got := share(tc.limit, tc.size, int64(rank)); got != want {
					t.Errorf("rank %d owns %d, want %d", rank, got, want)
				}
			}
		})
	}
}

// TestChangedIsCalledWhenShort has the peers called at once, but not with every refusal.
func TestChangedIsCalledWhenShort(t *testing.T) {
	c := newClock()
	called := 0
	s := NewSet(Options{Now: c.Now, Changed: func() { called++ }})
	limit := table.Limit{Per: table.PerRoute, RequestsPerMinute: 10}
	s.Use(routesOf(limit))
	other := newSet(c, limit)
	s.Members([]string{"b"}, true)
	other.Members([]string{"a"}, true)
	exchange(t, s, other)
	c.advance(time.Second)
	for range 50 {
		_, _ = s.Admit(context.Background(), call("a", 1))
	}
	if called != 1 {
		t.Errorf("called %d times, want 1", called)
	}
	exchange(t, s, other)
	exchange(t, s, other)
	if n := admits(s); n != 5 {
		t.Errorf("borrowed %d, want 5", n)
	}
}

// TestWaiterGetsWhatPeersLend has a call wait though its turn here is known to come too late.
func TestWaiterGetsWhatPeersLend(t *testing.T) {
	c := newClock()
	limit := table.Limit{Per: table.PerRoute, RequestsPerMinute: 2, MaxWait: time.Second, MaxQueue: 5}
	s, other := newSet(c, limit), newSet(c, limit)
	s.Members([]string{"b"}, true)
	other.Members([]string{"a"}, true)
	exchange(t, s, other)
	admit(t, s, call("a", 1))
	results := make(chan result, 1)
	c.queue(context.Background(), s, call("a", 1), "waiter", results)
	exchange(t, s, other)
	if got := <-results; got.refusal != nil {
		t.Errorf("refused: %+v", got.refusal)
	}
	if left := other.routeOf("chat").all.cap[requests]; left != 0 {
		t.Errorf("the lender kept %d", left)
	}
}

func TestMessagesAreBounded(t *testing.T) {
	c := newClock()
	limit := table.Limit{Per: table.PerCaller, RequestsPerMinute: 2}
	s, other := newSet(c, limit), newSet(c, limit)
	s.Members([]string{"b"}, true)
	other.Members([]string{"a"}, true)
	exchange(t, s, other)
	for i := range 2000 {
		name := fmt.Sprintf("%0500d", i)
		for range 3 {
			_, _ = s.Admit(context.Background(), call(name, 1))
		}
	}
	for range 3 {
		said := s.Say("b")
		if len(said) > maxMessage {
			t.Fatalf("a message of %d bytes", len(said))
		}
		if err := other.Hear("a", said); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHearRefuses(t *testing.T) {
	for name, said := range map[string]string{
		"no JSON":         `{`,
		"no name":         `{"n":1}`,
		"no number":       `{"to":"a"}`,
		"negative":        `{"to":"a","n":1,"limits":[{"route":"chat","per":"Route","mine":1,"given":[-1,0,0]}]}`,
		"too much":        `{"to":"a","n":1,"limits":[{"route":"chat","per":"Route","mine":1,"given":[9000000000000000000,0,0]}]}`,
		"negative want":   `{"to":"a","n":1,"limits":[{"route":"chat","per":"Route","mine":1,"want":[-1,0,0]}]}`,
		"negative freed":  `{"to":"a","n":1,"limits":[{"route":"chat","per":"Route","freed":[-2,0,0]}]}`,
		"a rank too high": `{"to":"a","n":1,"ghosts":[{"id":"x","size":1,"rank":2}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newSet(newClock(), table.Limit{Per: table.PerRoute, RequestsPerMinute: 10})
			s.Members([]string{"b"}, true)
			if err := s.Hear("b", json.RawMessage(said)); err == nil {
				t.Error("taken in")
			}
			refuse(t, s, call("a", 1))
		})
	}
}

func FuzzHear(f *testing.F) {
	c := newClock()
	limit := table.Limit{Per: table.PerRoute, RequestsPerMinute: 10, Concurrency: 3}
	a, b := newSet(c, limit), newSet(c, limit)
	a.Members([]string{"b"}, true)
	b.Members([]string{"a", "x"}, true)
	f.Add([]byte(a.Say("b")))
	_ = b.Hear("a", a.Say("b"))
	b.Members([]string{"a"}, true)
	_ = admits(b)
	f.Add([]byte(b.Say("a")))
	f.Add([]byte(`{"to":"a","n":1,"ghosts":[{"id":"x","size":2,"rank":1}],"gone":["y"],"others":["z"],"complete":true,"limits":[{"route":"chat","per":"Route","mine":3,"theirs":1,"given":[5,0,1],"received":[1,1,1],"want":[3,0,2],"freed":[-1,2,0]}]}`))
	f.Fuzz(func(t *testing.T, said []byte) {
		s := newSet(c, limit, table.Limit{Per: table.PerCaller, TokensPerMinute: 100})
		s.Members([]string{"b", "d"}, true)
		_ = s.Hear("b", said)
		_ = s.Say("b")
		_ = s.Say("d")
		s.Members([]string{"d"}, true)
		for range 3 {
			if _, refusal := s.Admit(context.Background(), call("a", 1)); refusal != nil && refusal.RetryAfter < 0 {
				t.Errorf("retry after %v", refusal.RetryAfter)
			}
		}
	})
}

func BenchmarkAdmit(b *testing.B) {
	for name, limits := range map[string][]table.Limit{
		"none":   nil,
		"route":  {{Per: table.PerRoute, RequestsPerMinute: most, TokensPerMinute: most, Concurrency: most}},
		"both":   {{Per: table.PerRoute, RequestsPerMinute: most, TokensPerMinute: most, Concurrency: most}, {Per: table.PerCaller, RequestsPerMinute: most, TokensPerMinute: most}},
		"refuse": {{Per: table.PerRoute, RequestsPerMinute: 1}},
	} {
		b.Run(name, func(b *testing.B) {
			s := NewSet(Options{})
			s.Use(routesOf(limits...))
			b.ReportAllocs()
			for b.Loop() {
				a, _ := s.Admit(context.Background(), call("a", 100))
				a.Correct(50)
				a.Release()
			}
		})
	}
}

// joined is a set that b has told something, and which takes part if it can.
func joined(t *testing.T, said ...string) *Set {
	t.Helper()
	s := newSet(newClock(), table.Limit{Per: table.PerRoute, RequestsPerMinute: 12})
	s.Members([]string{"b"}, true)
	for _, m := range said {
		if err := s.Hear("b", json.RawMessage(m)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestJoinerHasWhatIsFreed(t *testing.T) {
	for name, tc := range map[string]struct {
		said []string
		want int
	}{
		"all settled":                  {said: []string{`{"to":"a","n":1,"complete":true}`}, want: 6},
		"not all told":                 {said: []string{`{"to":"a","n":1}`}},
		"some freed":                   {said: []string{`{"to":"a","n":1,"complete":true,"limits":[{"route":"chat","per":"Route","freed":[2,-1,-1]}]}`}, want: 2},
		"more freed than its share":    {said: []string{`{"to":"a","n":1,"complete":true,"limits":[{"route":"chat","per":"Route","freed":[11,-1,-1]}]}`}, want: 6},
		"freed, though not all told":   {said: []string{`{"to":"a","n":1,"limits":[{"route":"chat","per":"Route","freed":[2,-1,-1]}]}`}, want: 2},
		"a ghost keeps its part":       {said: []string{`{"to":"a","n":1,"complete":true,"ghosts":[{"id":"z","size":2,"rank":1}]}`}, want: 3},
		"a stranger holds up all":      {said: []string{`{"to":"a","n":1,"complete":true,"others":["z"]}`}},
		"a stranger becomes a ghost":   {said: []string{`{"to":"a","n":1,"complete":true,"others":["z"]}`, `{"to":"a","n":2,"complete":true,"ghosts":[{"id":"z","size":2,"rank":1}]}`}, want: 3},
		"an old message after the new": {said: []string{`{"to":"a","n":2,"complete":true,"limits":[{"route":"chat","per":"Route","freed":[4,-1,-1]}]}`, `{"to":"a","n":1,"complete":true}`}, want: 4},
	} {
		t.Run(name, func(t *testing.T) {
			if n := admits(joined(t, tc.said...)); n != tc.want {
				t.Errorf("admits %d, want %d", n, tc.want)
			}
		})
	}
}
