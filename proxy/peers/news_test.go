package peers

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox.dev/signalbox/proxy/control/controltest"
	"signalbox.dev/signalbox/proxy/table"
)

// TestNewsNeedNoInterval: with an interval that never ends, what a part has to say reaches all others without time passing.
func TestNewsNeedNoInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.dns.set(at(1), at(2), at(3), at(4), at(5))
		var all []*replica
		for i, id := range []string{"d", "a", "e", "b", "c"} {
			all = append(all, launch(t, id, g.network.listen(at(byte(i+1))), g.pair, func(o *Options) {
				o.Lookup, o.Dial, o.Interval = g.dns.lookup, g.network.from(at(byte(i+1))), time.Hour
			}))
		}
		pass(time.Second)
		expect(t, "before", all...)
		for _, from := range all {
			from.notes.write("news of " + from.id)
			from.Kick()
			pass(0)
			for _, to := range all {
				if got := to.notes.lastWord(from.id); to != from && got != "news of "+from.id {
					t.Errorf("%s heard %q from %s", to.id, got, from.id)
				}
			}
		}
	})
}

// TestRealConnections: replicas find each other, talk and take leave over TCP, by the real clock.
func TestRealConnections(t *testing.T) {
	pair := controltest.NewPair(t)
	dns := &directory{}
	var listeners []net.Listener
	var addrs []netip.AddrPort
	ids := []string{"d", "a", "e", "b", "c"}
	for range ids {
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners, addrs = append(listeners, listener), append(addrs, netip.MustParseAddrPort(listener.Addr().String()))
	}
	dns.set(addrs...)
	came := make(chan string, 100)
	met := make(chan string, 100)
	var all []*replica
	for i, id := range ids {
		all = append(all, launch(t, id, listeners[i], pair, func(o *Options) {
			heard := newNotebook()
			heard.came = came
			o.Lookup = dns.lookup
			o.Parts = map[string]Part{"notes": heard, "watch": &watcher{id: id, met: met, others: len(ids) - 1}}
		}))
	}
	for range ids {
		receive(t, met)
	}
	for _, r := range all {
		r.notes.write("news of " + r.id)
		r.Kick()
		for range len(ids) - 1 {
			if got := receive(t, came); got != r.id+":news of "+r.id {
				t.Errorf("%q came", got)
			}
		}
	}
	all[0].Goodbye(t.Context())
	for _, r := range all[1:] {
		if got := r.notes.knows(); slices.Contains(got.peers, all[0].id) {
			t.Errorf("%s still knows who said goodbye: %v", r.id, got.peers)
		}
	}
}

func receive(t *testing.T, from <-chan string) string {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(30 * time.Second):
		t.Fatal("nothing came")
		return ""
	}
}

// watcher is a part that tells when its replica is settled with enough others.
type watcher struct {
	id     string
	met    chan<- string
	others int
	once   sync.Once
}

func (w *watcher) Say(string) json.RawMessage { return nil }

func (w *watcher) Hear(string, json.RawMessage) error { return nil }

func (w *watcher) Members(peers []string, settled bool) {
	w.look(announcement{peers: peers, settled: settled})
}

func (w *watcher) look(now announcement) {
	if now.settled && len(now.peers) == w.others {
		w.once.Do(func() { w.met <- w.id })
	}
}

// TestStormOfNews: however often a part has news, calls are bounded, and the last word gets through.
func TestStormOfNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.dns.set(at(1), at(2))
		a, b := g.start("a", 1), g.start("b", 2)
		pass(2 * time.Second)
		before := a.tally.calls()
		for i := range 1000 {
			a.notes.write(strings.Repeat("x", i+1))
			a.Kick()
			pass(time.Millisecond)
		}
		calls := a.tally.calls() - before
		if calls < 40 || calls > 60 {
			t.Errorf("%d calls in a second of news, want about 50", calls)
		}
		pass(kickPause)
		if got := b.notes.lastWord("a"); len(got) != 1000 {
			t.Errorf("the last word heard has %d letters", len(got))
		}
	})
}

// TestNewsDuringAnExchange: what becomes new while an exchange is under way is said right after it.
func TestNewsDuringAnExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.dns.set(at(1), at(2))
		slow := &slowPart{hold: make(chan struct{})}
		a := g.start("a", 1)
		b := launch(t, "b", g.network.listen(at(2)), g.pair, func(o *Options) {
			o.Lookup, o.Dial, o.Interval = g.dns.lookup, g.network.from(at(2)), time.Hour
			o.Parts["slow"] = slow
		})
		pass(2 * time.Second)
		slow.stall()
		a.notes.write("first")
		a.Kick()
		pass(100 * time.Millisecond)
		a.notes.write("second")
		a.Kick()
		pass(100 * time.Millisecond)
		slow.release()
		synctest.Wait()
		if got := b.notes.lastWord("a"); got != "second" {
			t.Errorf("b heard %q", got)
		}
	})
}

// slowPart stalls what it says as long as the test wants, as a slow network would.
type slowPart struct {
	mutex sync.Mutex
	on    bool
	hold  chan struct{}
}

func (s *slowPart) stall() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.on = true
}

func (s *slowPart) release() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.on = false
	close(s.hold)
}

func (s *slowPart) Say(string) json.RawMessage {
	s.mutex.Lock()
	on := s.on
	s.mutex.Unlock()
	if on {
		<-s.hold
	}
	return nil
}

func (s *slowPart) Hear(string, json.RawMessage) error { return nil }

func (s *slowPart) Members([]string, bool) {}

// TestRotation: certificates change under the replicas, at different times, without anybody being forgotten and with what is said getting through in the
// end. A replica that has missed two changes is not heard until it has caught up.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.dns.set(at(1), at(2))
		a, b := g.start("a", 1), g.start("b", 2)
		pass(2 * time.Second)
		pair := g.pair
		said := func(word string) string {
			a.notes.write(word)
			pass(5 * time.Second)
			expect(t, word, a, b)
			return b.notes.lastWord("a")
		}
		pair = controltest.Renew(t, pair)
		a.use(t, pair)
		said("one is ahead")
		b.use(t, pair)
		if got := said("both have it"); got != "both have it" {
			t.Errorf("b heard %q", got)
		}
		// Connections are open now; they end with the certificate that they were opened with.
		pair = controltest.Renew(t, controltest.Renew(t, pair))
		a.use(t, pair)
		if got := said("two ahead"); got != "both have it" {
			t.Errorf("b heard %q", got)
		}
		b.use(t, pair)
		if got := said("caught up"); got != "caught up" {
			t.Errorf("b heard %q", got)
		}
	})
}

// TestWithoutTable: a replica without a certificate calls nobody, is not settled, and begins when it gets one.
func TestWithoutTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.dns.set(at(1))
		a := launch(t, "a", g.network.listen(at(1)), table.Control{}, func(o *Options) { o.Lookup, o.Dial = g.dns.lookup, g.network.from(at(1)) })
		pass(time.Minute)
		a.Goodbye(t.Context())
		if got := a.notes.knows(); got.settled {
			t.Error("settled without a table")
		}
		a.use(t, g.pair)
		pass(2 * time.Second)
		expect(t, "with a table", a)
	})
}

// TestOwnAddressByAnotherName: an address at which a replica finds itself is nobody else.
func TestOwnAddressByAnotherName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.dns.set(at(1), at(2))
		own := g.network.from(at(1))
		a := launch(t, "a", g.network.listen(at(1)), g.pair, func(o *Options) {
			o.Lookup = g.dns.lookup
			o.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return own(ctx, network, at(1).String())
			}
		})
		pass(10 * time.Second)
		expect(t, "alone", a)
		if got := a.tally.calls(); got != 1 {
			t.Errorf("it called itself %d times", got)
		}
	})
}

// TestAddressOfMany: behind an address that leads to another replica each time nobody is called without end.
func TestAddressOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.dns.set(at(1), at(9))
		a := g.start("a", 1)
		ids := make(chan string, 1000)
		for i := range cap(ids) {
			ids <- strings.Repeat("x", i%200+1)
		}
		launchLiar(t, g, func() []byte {
			text, _ := json.Marshal(message{From: <-ids, Addr: at(9), To: "a"})
			return text
		})
		pass(10 * time.Second)
		if got := a.tally.calls(); got > 100 {
			t.Errorf("%d calls in ten seconds", got)
		}
	})
}

// TestPartsAreApart: what one part says or cannot read does no harm to the others, and is logged once and without what was said.
func TestPartsAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.dns.set(at(1), at(2))
		var log lockedBuffer
		change := func(machine byte, more map[string]Part) func(*Options) {
			return func(o *Options) {
				o.Lookup, o.Dial, o.Log = g.dns.lookup, g.network.from(at(machine)), slog.New(slog.NewTextHandler(&log, nil))
				for name, part := range more {
					o.Parts[name] = part
				}
			}
		}
		broken, long, odd := &fixed{said: "{"}, &fixed{said: `"` + strings.Repeat("x", maxPartBytes) + `"`}, &fixed{said: `["secret"]`}
		a := launch(t, "a", g.network.listen(at(1)), g.pair, change(1, map[string]Part{"broken": broken, "long": long, "odd": odd, "new": odd}))
		b := launch(t, "b", g.network.listen(at(2)), g.pair, change(2, map[string]Part{"broken": newNotebook(), "long": newNotebook(), "odd": newNotebook()}))
		a.notes.write("all the same")
		pass(5 * time.Second)
		if got := b.notes.lastWord("a"); got != "all the same" {
			t.Errorf("b heard %q", got)
		}
		text := log.String()
		if strings.Contains(text, "secret") {
			t.Error("the log holds what was said")
		}
		if got := strings.Count(text, "cannot be read"); got != 1 {
			t.Errorf("logged %d times that something cannot be read:\n%s", got, text)
		}
	})
}

// fixed is a part that always says the same.
type fixed struct{ said string }

func (f *fixed) Say(string) json.RawMessage { return json.RawMessage(f.said) }

func (f *fixed) Hear(string, json.RawMessage) error { return nil }

func (f *fixed) Members([]string, bool) {}

// lockedBuffer is a log that tests can read while it is written.
type lockedBuffer struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}
