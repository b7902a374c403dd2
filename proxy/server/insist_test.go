package server

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/table"
)

// TestAKeyThatIsGoodAgain serves again a second after it was refused, whatever time was meant to pass, and at once for all calls.
func TestAKeyThatIsGoodAgain(t *testing.T) {
	pools := map[string][]table.Key{"a single key": {apiKey("a")}, "three keys": {apiKey("a"), apiKey("b"), apiKey("c")}}
	for name, keys := range pools {
		for kind, body := range map[string]string{"whole": goodBody, "stream": streamBody} {
			t.Run(name+", "+kind, func(t *testing.T) {
				clock := newFakeClock()
				k := newKeyed(map[string]http.HandlerFunc{})
				h := newHarness(t, []http.HandlerFunc{k.serve}, withKeys(keys...), policy(alone), clock.set)
				answer := good
				if kind == "stream" {
					answer = streams(goodStream)
				}
				if got := h.send(ask{body: body}); got.status != http.StatusBadGateway {
					t.Fatalf("status %d\n%s", got.status, got.body)
				}
				k.take()
				k.set("a", answer)
				clock.advance(999 * time.Millisecond)
				if got := h.send(ask{body: body}); got.status != http.StatusServiceUnavailable {
					t.Errorf("before the second is over: status %d\n%s", got.status, got.body)
				}
				checkCalls(t, "before the second is over", k, map[string]int{})
				clock.advance(time.Millisecond)
				for range 3 {
					if got := h.send(ask{body: body}); got.status != http.StatusOK || got.header.Get("X-Signalbox-Attempts") != "1" {
						t.Errorf("status %d after %s attempts\n%s", got.status, got.header.Get("X-Signalbox-Attempts"), got.body)
					}
				}
				checkCalls(t, "after it", k, count("a", 3))
			})
		}
	}
}

// TestALastTryInVain: the client gets what it would have got without, in time for the next one the provider is asked once a second and key.
func TestALastTryInVain(t *testing.T) {
	clock := newFakeClock()
	k := newKeyed(nil)
	h := newHarness(t, []http.HandlerFunc{k.serve}, withKeys(apiKey("a"), apiKey("b")), policy(alone), clock.set, winning)
	h.send(ask{})
	checkCalls(t, "first call", k, count("a", 1, "b", 1))
	clock.advance(900 * time.Millisecond)
	before := h.send(ask{})
	clock.advance(100 * time.Millisecond)
	after := h.send(ask{})
	checkCalls(t, "after a second", k, count("a", 1, "b", 1))
	told, tried := errorOf(t, before.body), errorOf(t, after.body)
	if before.status != http.StatusServiceUnavailable || after.status != before.status || tried.Code != told.Code || after.header.Get("Retry-After") == "" {
		t.Errorf("status %d without and %d with last tries, Retry-After %q\n%s", before.status, after.status, after.header.Get("Retry-After"), after.body)
	}
	if len(told.Metadata.Attempts) != 0 || len(tried.Metadata.Attempts) != 2 || len(tried.Metadata.Targets) != 1 || !strings.Contains(tried.Message, "refuses the key") {
		t.Errorf("told\n%s", after.body)
	}
	for range 38 {
		clock.advance(100 * time.Millisecond)
		if got := h.send(ask{}); got.status != http.StatusServiceUnavailable {
			t.Errorf("status %d\n%s", got.status, got.body)
		}
	}
	checkCalls(t, "in the next 3.8 seconds", k, count("a", 3, "b", 3))
}

// dying are two targets of one or two keys each, as a call finds them: those of which dead has the name were refused, a while ago.
type dying struct {
	*harness
	clock *fakeClock
	k     *keyed
}

func newDying(t *testing.T, dead string, setups ...setup) *dying {
	t.Helper()
	d := &dying{clock: newFakeClock(), k: newKeyed(map[string]http.HandlerFunc{})}
	all := append([]setup{withTable(func(t *table.Table) {
		t.Credentials[0].Keys, t.Credentials[1].Keys = []table.Key{apiKey("a"), apiKey("b")}, []table.Key{apiKey("c")}
	}), d.clock.set, winning, policy(func(f *table.Fallback) { f.MaxAttempts = 2 })}, setups...)
	all = append(all, func(o *Options, _ *table.Table) {
		o.Health = health.NewRegistry(health.Options{Random: func(n int64) int64 { return n - 1 }})
		for i, key := range strings.Split(dead, "") {
			at := d.clock.now().Add(time.Duration(i) * time.Millisecond)
			credential := map[string]string{"a": "c0", "b": "c0", "c": "c1"}[key]
			begun, _ := o.Health.Upstream(health.Subject{Credential: credential, Key: "fp-" + key, Model: "any"}).Begin(at, 0, false)
			begun.End(at, health.Outcome{Kind: table.KeyRejected})
		}
	})
	d.harness = newHarness(t, []http.HandlerFunc{d.k.serve, d.k.serve}, all...)
	d.clock.advance(2 * time.Second)
	return d
}

// TestLastTriesComeLast: after all keys and targets that can be used, and not against the policy of the route.
func TestLastTriesComeLast(t *testing.T) {
	bound := `{"model":"chat","messages":[],"provider":{"allow_fallbacks":false}}`
	cases := map[string]struct {
		dead    string
		answers map[string]http.HandlerFunc
		setups  []setup
		body    string
		status  int
		want    map[string]int
	}{
		"another key can be used":      {dead: "a", answers: map[string]http.HandlerFunc{"a": good, "b": good, "c": good}, status: 200, want: count("b", 1)},
		"another target can be used":   {dead: "ab", answers: map[string]http.HandlerFunc{"a": good, "c": good}, status: 200, want: count("c", 1)},
		"the last key dies":            {dead: "a", answers: map[string]http.HandlerFunc{"a": good}, status: 200, want: count("b", 1, "c", 1, "a", 1)},
		"the last target dies":         {dead: "ab", answers: map[string]http.HandlerFunc{"b": good}, status: 200, want: count("c", 1, "a", 1, "b", 1)},
		"no quota is left of the last": {dead: "ab", answers: map[string]http.HandlerFunc{"a": good, "c": refuses(402, "", "pay")}, status: 200, want: count("c", 1, "a", 1)},
		"the last is at its limit":     {dead: "ab", answers: map[string]http.HandlerFunc{"c": limitedFor("30")}, status: 429, want: count("c", 1, "a", 1, "b", 1)},
		"the last target fails":        {dead: "ab", answers: map[string]http.HandlerFunc{"a": good, "c": refuses(500, "", "oops")}, status: 502, want: count("c", 1)},
		"the last finds fault":         {dead: "ab", answers: map[string]http.HandlerFunc{"a": good, "c": refuses(400, "", "what")}, status: 400, want: count("c", 1)},
		"all were refused":             {dead: "cab", answers: map[string]http.HandlerFunc{"c": good}, status: 200, want: count("c", 1)},
		"all were refused, oldest":     {dead: "cba", answers: map[string]http.HandlerFunc{"a": good}, status: 200, want: count("c", 1, "b", 1, "a", 1)},
		"all are dead":                 {dead: "abc", status: 503, want: count("a", 1, "b", 1, "c", 1)},
		"all die":                      {dead: "a", status: 502, want: count("a", 1, "b", 1, "c", 1)},
		"a failure of the last try":    {dead: "abc", answers: map[string]http.HandlerFunc{"a": refuses(500, "", "oops"), "c": good}, status: 502, want: count("a", 1)},
		"the policy stays":             {dead: "c", answers: map[string]http.HandlerFunc{"c": good}, setups: []setup{policy(alone)}, status: 502, want: count("a", 1, "b", 1)},
		"the policy moves on for other failures": {dead: "c", answers: map[string]http.HandlerFunc{"c": good}, setups: []setup{policy(func(f *table.Fallback) {
			f.MaxAttempts, f.On = 2, []table.FailureKind{table.Unavailable}
		})}, status: 502, want: count("a", 1, "b", 1)},
		"no attempt is left": {dead: "c", answers: map[string]http.HandlerFunc{"c": good}, setups: []setup{policy(func(f *table.Fallback) { f.MaxAttempts = 1 })}, status: 502, want: count("a", 1, "b", 1)},
		"without a price": {dead: "cab", answers: map[string]http.HandlerFunc{"c": good}, setups: []setup{withTable(func(t *table.Table) {
			budgeted(t)
			t.Budgets[0].Enforcement, t.Routes[0].Targets[1].Prices = table.Soft, nil
		})}, status: 503, want: count("a", 1, "b", 1)},
		"the policy stays, own key":   {dead: "b", answers: map[string]http.HandlerFunc{"b": good}, setups: []setup{policy(alone)}, status: 200, want: count("a", 1, "b", 1)},
		"the request stays":           {dead: "c", answers: map[string]http.HandlerFunc{"c": good}, body: bound, status: 502, want: count("a", 1, "b", 1)},
		"the request stays, all dead": {dead: "cab", body: bound, status: 503, want: count("c", 1)},
		"drained":                     {dead: "abc", answers: map[string]http.HandlerFunc{"c": good}, setups: []setup{withTable(func(t *table.Table) { t.Routes[0].Targets[1].Weight = 0 })}, status: 503, want: count("a", 1, "b", 1)},
		"for other failures": {dead: "abc", answers: map[string]http.HandlerFunc{"c": good}, setups: []setup{withTable(func(t *table.Table) {
			t.Routes[0].Targets[1].OnlyFor = []table.FailureKind{table.Capacity}
		})}, status: 503, want: count("a", 1, "b", 1)},
		"for this failure": {dead: "ab", answers: map[string]http.HandlerFunc{"c": good}, setups: []setup{withTable(func(t *table.Table) {
			t.Routes[0].Targets[1].OnlyFor = []table.FailureKind{table.KeyRejected}
		})}, status: 200, want: count("a", 1, "b", 1, "c", 1)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := newDying(t, tc.dead, tc.setups...)
			for key, answer := range tc.answers {
				d.k.set(key, answer)
			}
			if got := d.send(ask{body: tc.body}); got.status != tc.status {
				t.Errorf("status %d, want %d\n%s", got.status, tc.status, got.body)
			}
			checkCalls(t, name, d.k, tc.want)
		})
	}
}

// TestOneLastTryForManyCalls: while one call finds out whether the only key is good again, the others do not call the provider.
func TestOneLastTryForManyCalls(t *testing.T) {
	const clients = 24
	clock := newFakeClock()
	k := newKeyed(map[string]http.HandlerFunc{})
	h := newHarness(t, []http.HandlerFunc{k.serve}, withKeys(apiKey("a")), policy(alone), clock.set)
	h.send(ask{})
	clock.advance(time.Second)
	k.take()
	var calls sync.WaitGroup
	var answered, refused atomic.Int64
	othersDone := make(chan struct{})
	k.set("a", func(w http.ResponseWriter, r *http.Request) {
		<-othersDone
		good(w, r)
	})
	for range clients {
		calls.Go(func() {
			if got := h.send(ask{}); got.status == http.StatusOK {
				answered.Add(1)
				return
			}
			if refused.Add(1) == clients-1 {
				close(othersDone)
			}
		})
	}
	calls.Wait()
	if answered.Load() != 1 {
		t.Errorf("%d calls were answered", answered.Load())
	}
	checkCalls(t, "at once", k, count("a", 1))
	if got := h.send(ask{}); got.status != http.StatusOK {
		t.Errorf("afterwards: status %d\n%s", got.status, got.body)
	}
}

// TestAClientThatLeavesALastTry keeps no other from it for longer than a second.
func TestAClientThatLeavesALastTry(t *testing.T) {
	clock := newFakeClock()
	ctx, leave := context.WithCancel(t.Context())
	k := newKeyed(map[string]http.HandlerFunc{})
	h := newHarness(t, []http.HandlerFunc{k.serve}, withKeys(apiKey("a")), policy(alone), clock.set)
	h.send(ask{})
	clock.advance(time.Second)
	k.set("a", func(w http.ResponseWriter, r *http.Request) {
		leave()
		silent(w, r)
	})
	if response, err := h.front.Client().Do(h.request(ctx, ask{id: "gone"})); err == nil {
		_ = response.Body.Close()
		t.Error("there was an answer")
	}
	if line := h.log.request(t, "gone"); line["code"] != string(CodeClientClosed) {
		t.Errorf("logged %v", line)
	}
	k.take()
	k.set("a", good)
	h.send(ask{})
	checkCalls(t, "at once", k, map[string]int{})
	clock.advance(time.Second)
	if got := h.send(ask{}); got.status != http.StatusOK {
		t.Errorf("status %d\n%s", got.status, got.body)
	}
}

// TestLastTriesOverRandomHistories has the keys of two targets die and recover in any order. A key that was refused is called once a second at most until it
// answers, and only when no other key can be used; and while one can be, no call fails but for what it finds out itself.
func TestLastTriesOverRandomHistories(t *testing.T) {
	tries := 0
	for seed := range uint64(6) {
		past := newHistory(t, seed)
		for range 150 {
			past.step()
		}
		tries += past.tries
	}
	if tries < 50 {
		t.Errorf("%d last tries are too few to show anything", tries)
	}
}

// history is what the keys a and b of one target and c of another went through.
type history struct {
	*dying
	t      *testing.T
	random *rand.Rand
	mu     sync.Mutex
	// asked is when a key was called last that is refused since then.
	asked map[string]time.Time
	// open tells, for the call that is under way, whether a key could be used when it began or by now.
	open  map[string]bool
	tries int
}

func newHistory(t *testing.T, seed uint64) *history {
	t.Helper()
	past := &history{t: t, random: rand.New(rand.NewPCG(seed, 3)), asked: map[string]time.Time{}}
	past.dying = newDying(t, "", func(o *Options, _ *table.Table) { o.Health = health.NewRegistry(health.Options{}) })
	for _, name := range []string{"a", "b", "c"} {
		past.turn(name)
	}
	return past
}

// turn draws how a key is answered from now on.
func (p *history) turn(name string) {
	answer, dead := good, p.random.IntN(4) > 0
	if dead {
		answer = refusesKey
	}
	p.k.set(name, func(w http.ResponseWriter, r *http.Request) {
		p.called(name)
		if dead {
			p.died(name)
		}
		answer(w, r)
	})
}

// called notes a call, which must be one that may be made.
func (p *history) called(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.now()
	if since, refused := p.asked[name]; refused && now.Sub(since) < time.Second {
		p.t.Errorf("%q was called %s after it was refused", name, now.Sub(since))
	}
	if !p.open[name] {
		p.tries++
		for other, open := range p.open {
			if open {
				p.t.Errorf("a last try was made with %q while %q could be used", name, other)
			}
		}
	}
	delete(p.asked, name)
}

// died notes that the call under way is refused.
func (p *history) died(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked[name], p.open[name] = p.clock.now(), false
}

// step lets time pass, has keys die and recover, and makes a call.
func (p *history) step() {
	p.clock.advance(time.Duration(p.random.Int64N(int64(1200 * time.Millisecond))))
	for _, name := range []string{"a", "b", "c"} {
		if p.random.IntN(6) == 0 {
			p.turn(name)
		}
	}
	usable := p.look()
	got := p.send(ask{})
	for name := range p.open {
		if p.open[name] && got.status != http.StatusOK {
			p.t.Errorf("status %d, although %q can be used\n%s", got.status, name, got.body)
		}
	}
	if got.status == http.StatusServiceUnavailable && usable {
		p.t.Errorf("nothing could be used, and a key could\n%s", got.body)
	}
}

// look notes which keys a call may be made with now, and tells whether there is one.
func (p *history) look() bool {
	p.open = map[string]bool{}
	usable := false
	for _, target := range p.server.current.Load().routes[p.server.current.Load().index.Models(func(*table.Route) bool { return true })[0].Route].targets {
		for place := range target.primary.ring.Len() {
			view := target.primary.state(place).View(p.clock.now())
			open := view.Block == health.Open
			p.open[target.primary.ring.Key(place).Name] = open
			usable = usable || open
		}
	}
	return usable
}

// TestOtherProxiesDoNotRestoreARefusal that one has found to be over.
func TestOtherProxiesDoNotRestoreARefusal(t *testing.T) {
	clock := newFakeClock()
	k := newKeyed(map[string]http.HandlerFunc{})
	registries := [2]*health.Registry{health.NewRegistry(health.Options{}), health.NewRegistry(health.Options{})}
	var proxies [2]*harness
	for i := range proxies {
		proxies[i] = newHarness(t, []http.HandlerFunc{k.serve}, withKeys(apiKey("a")), policy(alone), clock.set,
			func(o *Options, _ *table.Table) { o.Health = registries[i] })
		proxies[i].send(ask{})
	}
	hear := func(by, of int) {
		t.Helper()
		if err := registries[by].Hear(registries[of].Say(clock.now()), clock.now()); err != nil {
			t.Fatal(err)
		}
	}
	hear(0, 1)
	hear(1, 0)
	k.set("a", good)
	clock.advance(time.Second)
	statuses := []int{proxies[0].send(ask{}).status}
	hear(0, 1)
	hear(1, 0)
	for _, proxy := range []int{0, 1, 0, 1} {
		statuses = append(statuses, proxies[proxy].send(ask{}).status)
	}
	if diff := cmp.Diff([]int{200, 200, 200, 200, 200}, statuses); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	checkCalls(t, "of both", k, count("a", 7))
	if said := fmt.Sprintf("%s%s", registries[0].Say(clock.now()), registries[1].Say(clock.now())); said != "" {
		t.Errorf("they go on telling %s", said)
	}
}
