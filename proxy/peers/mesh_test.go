package peers

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestJoin: replicas find each other by the Service, and tell each other what they have to say.
func TestJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.dns.set(at(1))
		a := g.start("a", 1)
		a.notes.write("hello from a")
		pass(time.Second)
		expect(t, "alone", a)
		g.dns.set(at(1), at(2), at(3))
		b, c := g.start("b", 2), g.start("c", 3)
		pass(2 * time.Second)
		expect(t, "together", a, b, c)
		for _, r := range []*replica{b, c} {
			if got := r.notes.lastWord("a"); got != "hello from a" {
				t.Errorf("%s heard %q", r.id, got)
			}
		}
	})
}

// TestFreshStart: replicas that start at the same time are settled only when they know all the others.
func TestFreshStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.dns.set(at(1), at(2), at(3), at(4), at(5))
		var all []*replica
		for i, id := range []string{"c", "a", "e", "b", "d"} {
			all = append(all, g.start(id, byte(i+1)))
		}
		pass(2 * time.Second)
		expect(t, "after the start", all...)
		for _, r := range all {
			first := slices.IndexFunc(r.notes.history, func(told announcement) bool { return told.settled })
			if got := len(r.notes.history[first].peers); got != 4 {
				t.Errorf("%s was settled with %d others", r.id, got)
			}
			if before := r.notes.history[0]; before.settled || len(before.peers) > 0 {
				t.Errorf("%s was told %v at first", r.id, before)
			}
			if !slices.Equal(r.tally.ends, []string{"settled"}) || r.tally.known != 4 {
				t.Errorf("%s: observed %v, %d known", r.id, r.tally.ends, r.tally.known)
			}
		}
	})
}

// TestListedLate: a replica that the Service does not list yet finds the others by the answer that lacks it, and by what they tell; it is not settled
// before it is listed.
func TestListedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.dns.set(at(1), at(2))
		a, b := g.start("a", 1), g.start("b", 2)
		pass(2 * time.Second)
		g.dns.set(at(1))
		c := g.start("c", 3)
		pass(5 * time.Second)
		if got := c.notes.knows(); !slices.Equal(got.peers, []string{"a", "b"}) || got.settled {
			t.Errorf("before it is listed c knows %v, settled %v", got.peers, got.settled)
		}
		g.dns.set(at(1), at(2), at(3))
		pass(2 * time.Second)
		expect(t, "once listed", a, b, c)
	})
}

// TestNeverListed: availability beats exactness after a while.
func TestNeverListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.dns.fail()
		a := g.start("a", 1)
		pass(patience - time.Second)
		a.expect(t, "while it waits", announcement{})
		pass(2 * time.Second)
		expect(t, "when it has waited", a)
		if !slices.Equal(a.tally.ends, []string{"gave up"}) {
			t.Errorf("observed %v", a.tally.ends)
		}
	})
}

// TestGoodbye: the others no longer reckon with a replica that ends, at once and for good, though it is still listed and still answers.
func TestGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.dns.set(at(1), at(2), at(3))
		a, b, c := g.start("a", 1), g.start("b", 2), g.start("c", 3)
		pass(2 * time.Second)
		before := time.Now()
		b.Goodbye(t.Context())
		if took := time.Since(before); took > 0 {
			t.Errorf("the goodbye took %v of the clock", took)
		}
		expect(t, "after the goodbye", a, c)
		heard := a.notes.messages()
		b.notes.write("one more thing")
		b.Kick()
		pass(10 * time.Second)
		expect(t, "later", a, c)
		if got := a.notes.messages(); got != heard {
			t.Errorf("a heard %d messages after the goodbye", got-heard)
		}
	})
}

// TestGoodbyeIsRepeated: a goodbye that gets lost is said again.
func TestGoodbyeIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.dns.set(at(1), at(2))
		a, b := g.start("a", 1), g.start("b", 2)
		pass(2 * time.Second)
		expect(t, "before", a, b)
		g.network.lose(b.addr, a.addr, true)
		heal := time.AfterFunc(time.Second, func() { g.network.lose(b.addr, a.addr, false) })
		defer heal.Stop()
		b.Goodbye(t.Context())
		expect(t, "after", a)
	})
}

// TestCrash: a replica that is gone without a word is reckoned with until the Service no longer lists it.
func TestCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.dns.set(at(1), at(2), at(3))
		a, b, c := g.start("a", 1), g.start("b", 2), g.start("c", 3)
		pass(2 * time.Second)
		b.crash()
		pass(time.Minute)
		for _, r := range []*replica{a, c} {
			if got := r.notes.knows(); !slices.Contains(got.peers, "b") {
				t.Errorf("%s forgot a replica that is listed", r.id)
			}
		}
		g.dns.fail()
		pass(time.Minute)
		if got := a.notes.knows(); !slices.Contains(got.peers, "b") {
			t.Error("a forgot a replica while the Service does not answer")
		}
		g.dns.set(at(1), at(3))
		pass(2 * time.Second)
		expect(t, "once it is not listed", a, c)
	})
}

// TestRestart: a container that starts again has another id at the same address, and the old one is gone.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.dns.set(at(1), at(2), at(3))
		a, b, c := g.start("a", 1), g.start("b/1", 2), g.start("c", 3)
		pass(2 * time.Second)
		b.crash()
		pass(time.Minute)
		again := g.start("b/2", 2)
		again.notes.write("anew")
		pass(2 * time.Second)
		expect(t, "after the restart", a, again, c)
		if got := a.notes.lastWord("b/2"); got != "anew" {
			t.Errorf("a heard %q", got)
		}
	})
}

// TestWordsForAnother: what was meant for the process that was at an address before is not heard by the one that is there now.
func TestWordsForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.dns.set(at(1), at(2))
		a, b := g.start("a", 1), g.start("b/1", 2)
		pass(2 * time.Second)
		b.crash()
		again := g.start("b/2", 2)
		text := fmt.Sprintf(`{"from":"a","addr":%q,"to":"b/1","parts":{"notes":{"word":"for the old one"}}}`, a.addr)
		if _, err := again.Answer([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if got := again.notes.lastWord("a"); got != "" {
			t.Errorf("it heard %q", got)
		}
	})
}

// TestPartition: replicas that cannot reach each other reckon with each other, and go on when they can.
func TestPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.dns.set(at(1), at(2))
		a, b := g.start("a", 1), g.start("b", 2)
		pass(2 * time.Second)
		g.network.lose(a.addr, b.addr, true)
		g.network.lose(b.addr, a.addr, true)
		a.notes.write("during")
		pass(time.Minute)
		expect(t, "apart", a, b)
		if got := b.notes.lastWord("a"); got != "" {
			t.Errorf("b heard %q", got)
		}
		g.network.lose(a.addr, b.addr, false)
		g.network.lose(b.addr, a.addr, false)
		pass(5 * time.Second)
		expect(t, "together again", a, b)
		if got := b.notes.lastWord("a"); got != "during" {
			t.Errorf("b heard %q", got)
		}
	})
}

// TestLostAnswers: what is said gets through though no answer comes back, and the other side speaks for itself.
func TestLostAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.dns.set(at(1), at(2))
		a, b := g.start("a", 1), g.start("b", 2)
		pass(2 * time.Second)
		a.notes.write("from a")
		b.notes.write("from b")
		failed := a.tally.failures()
		g.network.lose(b.addr, a.addr, true)
		pass(10 * time.Second)
		if a.tally.failures() == failed {
			t.Error("no call failed")
		}
		expect(t, "while answers get lost", a, b)
		g.network.lose(b.addr, a.addr, false)
		pass(5 * time.Second)
		if a.notes.lastWord("b") != "from b" || b.notes.lastWord("a") != "from a" {
			t.Errorf("a heard %q, b heard %q", a.notes.lastWord("b"), b.notes.lastWord("a"))
		}
	})
}

// TestPairsTakeTurns: each pair exchanges once in an interval, whoever calls.
func TestPairsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.dns.set(at(1), at(2), at(3), at(4))
		var all []*replica
		for i, id := range []string{"a", "b", "c", "d"} {
			all = append(all, g.start(id, byte(i+1)))
		}
		pass(10 * time.Second)
		before := 0
		for _, r := range all {
			before += r.tally.calls()
		}
		const seconds = 10
		pass(seconds * time.Second)
		calls := -before
		for _, r := range all {
			calls += r.tally.calls()
		}
		// 6 pairs, twice a second, and some more when the Service has answered.
		if least := 6 * 2 * seconds; calls < least || calls > least*5/4 {
			t.Errorf("%d calls in %d seconds, want about %d", calls, seconds, least)
		}
	})
}

// TestOneWayOut: of two replicas the one with the higher id calls if the other one cannot.
func TestOneWayOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.dns.set(at(2))
		b := g.start("b", 2)
		pass(time.Second)
		a := launch(t, "a", g.network.listen(at(1)), g.pair, func(o *Options) { o.Lookup, o.Dial = g.dns.lookup, newNetwork().from(at(1)) })
		g.dns.set(at(1), at(2))
		pass(10 * time.Second)
		expect(t, "by one side", a, b)
		before := a.notes.messages()
		b.notes.write("once a second")
		pass(10 * time.Second)
		if got := a.notes.messages() - before; got < 9 {
			t.Errorf("a heard %d messages in 10 s", got)
		}
	})
}
