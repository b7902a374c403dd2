package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/ledger/ledgertest"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/telemetry"
	"signalbox.dev/signalbox/proxy/traffic"
)

// keyed is a provider that answers by key, and counts its calls by key. A key that it does not know is refused.
type keyed struct {
	mu      sync.Mutex
	calls   map[string]int
	answers map[string]http.HandlerFunc
}

func newKeyed(answers map[string]http.HandlerFunc) *keyed {
	return &keyed{calls: map[string]int{}, answers: answers}
}

var refusesKey = refuses(http.StatusUnauthorized, "invalid_api_key", "no such key")

// serve answers one call.
func (k *keyed) serve(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer sk-")
	k.mu.Lock()
	k.calls[name]++
	next, known := k.answers[name]
	k.mu.Unlock()
	if !known {
		next = refusesKey
	}
	next(w, r)
}

// set changes how a key is answered.
func (k *keyed) set(name string, next http.HandlerFunc) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answers[name] = next
}

// take returns the counts since it was called last.
func (k *keyed) take() map[string]int {
	k.mu.Lock()
	defer k.mu.Unlock()
	counts := k.calls
	k.calls = map[string]int{}
	return counts
}

func apiKey(name string) table.Key {
	return table.Key{Name: name, Value: "sk-" + name, Fingerprint: "fp-" + name, Weight: 1}
}

// replacedKey is the value "old" of a key, which that of the key's name has replaced.
func replacedKey(name string, until time.Time) table.Key {
	key := apiKey("old")
	key.Name, key.Role, key.Until = name, table.Previous, until
	return key
}

func withKeys(keys ...table.Key) setup {
	return withTable(func(t *table.Table) { t.Credentials[0].Keys = keys })
}

func sharingKeys(t *table.Table) { t.Credentials[0].SharesKeys = true }

// alone makes the route try one target once, whatever fails.
func alone(f *table.Fallback) { f.MaxAttempts, f.On = 1, nil }

// fakeClock is a clock that moves when it is told to.
type fakeClock struct{ nano atomic.Int64 }

func newFakeClock() *fakeClock {
	c := &fakeClock{}
	c.nano.Store(time.Unix(1_800_000_000, 0).UnixNano())
	return c
}

func (c *fakeClock) now() time.Time                 { return time.Unix(0, c.nano.Load()) }
func (c *fakeClock) advance(d time.Duration)        { c.nano.Add(int64(d)) }
func (c *fakeClock) set(o *Options, _ *table.Table) { o.Now = c.now }
func winning(o *Options, _ *table.Table)            { o.Random = func(int64) int64 { return 0 } }

// count are so many calls by key, names and numbers in turns.
func count(name string, calls int, more ...any) map[string]int {
	counts := map[string]int{name: calls}
	for pair := range slices.Chunk(more, 2) {
		key, _ := pair[0].(string)
		counts[key], _ = pair[1].(int)
	}
	return counts
}

func checkCalls(t *testing.T, when string, k *keyed, want map[string]int) {
	t.Helper()
	if diff := cmp.Diff(want, k.take()); diff != "" {
		t.Errorf("%s, calls by key (-want +got):\n%s", when, diff)
	}
}

// TestADeadKeyIsInvisible: no client notices it, although the route tries one target only and moves on for nothing.
func TestADeadKeyIsInvisible(t *testing.T) {
	cases := map[string]http.HandlerFunc{
		"refused":     refusesKey,
		"quota":       refuses(429, "insufficient_quota", "You exceeded your current quota"),
		"payment":     refuses(402, "", "pay"),
		"rate limit":  limitedFor("30"),
		"deactivated": refuses(401, "account_deactivated", "The account was deactivated"),
	}
	bodies := map[string]ask{
		"whole": {}, "stream": {body: streamBody},
		"form": {path: "/v1/audio/transcriptions", contentType: formTypeOfTests, body: formOfTests(t)},
	}
	for name, dead := range cases {
		for kind, request := range bodies {
			t.Run(name+", "+kind, func(t *testing.T) {
				live := good
				if kind == "stream" {
					live = streams(goodStream)
				}
				k := newKeyed(map[string]http.HandlerFunc{"a": dead, "b": live})
				h := newHarness(t, []http.HandlerFunc{k.serve}, withKeys(apiKey("a"), apiKey("b")), policy(alone), newFakeClock().set)
				for i := range 20 {
					got := h.send(request)
					if want := []string{"2", "1"}[min(i, 1)]; got.status != http.StatusOK || got.header.Get("X-Signalbox-Attempts") != want {
						t.Fatalf("call %d: status %d after %s attempts, want %s\n%s", i, got.status, got.header.Get("X-Signalbox-Attempts"), want, got.body)
					}
				}
				checkCalls(t, "after 20 calls", k, count("a", 1, "b", 20))
			})
		}
	}
}

// limitedFor is the answer of a key at its rate limit.
func limitedFor(seconds string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", seconds)
		refuses(http.StatusTooManyRequests, "rate_limit_exceeded", "slow down")(w, r)
	}
}

func formOfTests(t *testing.T) string {
	t.Helper()
	return formText(t, formPart{name: "model", value: "chat"}, formPart{"file", "a.wav", "sound"})
}

// TestARefusedNewKeyFallsBackToThePrevious in the same request, and is left alone afterwards until its time is over.
func TestARefusedNewKeyFallsBackToThePrevious(t *testing.T) {
	clock := newFakeClock()
	k := newKeyed(map[string]http.HandlerFunc{"old": good, "other": good})
	h := newHarness(t, []http.HandlerFunc{k.serve}, withKeys(apiKey("main"), replacedKey("main", clock.now().Add(10*time.Minute)), apiKey("other")),
		policy(alone), clock.set, winning)
	for i, want := range []map[string]int{count("main", 1, "old", 1), count("old", 1), count("old", 1)} {
		if got := h.send(ask{}); got.status != http.StatusOK {
			t.Fatalf("call %d: status %d\n%s", i, got.status, got.body)
		}
		checkCalls(t, fmt.Sprint("call ", i), k, want)
	}
	// The first cool-down of a refused key is over, and one call finds out how it is.
	clock.advance(10 * time.Second)
	h.send(ask{})
	checkCalls(t, "after its time", k, count("main", 1, "old", 1))
	clock.advance(20 * time.Second)
	k.set("main", good)
	h.send(ask{})
	checkCalls(t, "once it is taken", k, count("main", 1))
	clock.advance(10 * time.Second)
	h.send(ask{})
	checkCalls(t, "after that", k, count("main", 1))
}

// TestRateLimitsOfKeys: a key at its limit is left alone for as long as the provider says, and no client notices while one of four is not.
func TestRateLimitsOfKeys(t *testing.T) {
	clock := newFakeClock()
	k := newKeyed(map[string]http.HandlerFunc{"a": limitedFor("30"), "b": limitedFor("60"), "c": limitedFor("90"), "d": good, "e": good})
	h := newHarness(t, []http.HandlerFunc{k.serve}, withKeys(apiKey("a"), apiKey("b"), apiKey("c"), apiKey("d"), apiKey("e")), policy(alone), clock.set, winning)
	for i, want := range []map[string]int{count("a", 1, "b", 1, "c", 1, "d", 1), count("d", 1)} {
		if got := h.send(ask{}); got.status != http.StatusOK {
			t.Errorf("call %d: status %d\n%s", i, got.status, got.body)
		}
		checkCalls(t, fmt.Sprint("call ", i), k, want)
	}
	k.set("a", good)
	clock.advance(31 * time.Second)
	h.send(ask{})
	checkCalls(t, "the first is back", k, count("a", 1))
	for _, key := range []string{"a", "b", "c", "d"} {
		k.set(key, limitedFor("40"))
	}
	clock.advance(time.Minute)
	got := h.send(ask{})
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") != "40" {
		t.Errorf("status %d, Retry-After %q\n%s", got.status, got.header.Get("Retry-After"), got.body)
	}
	checkCalls(t, "of five keys four are at their limits", k, count("a", 1, "b", 1, "c", 1, "d", 1))
}

// TestAllKeysAreDead: at most four are tried, and the error says what to do without telling any of them.
func TestAllKeysAreDead(t *testing.T) {
	k := newKeyed(map[string]http.HandlerFunc{"b": refuses(401, "invalid_api_key", "no such key: sk-b, nor sk-e")})
	h := newHarness(t, []http.HandlerFunc{k.serve}, withKeys(apiKey("a"), apiKey("b"), apiKey("c"), apiKey("d"), apiKey("e")), policy(alone), newFakeClock().set)
	got := h.send(ask{id: "dead"})
	failure := errorOf(t, got.body)
	for _, part := range []string{`key "d" of ProviderCredential "c0"`, "none of the 4 keys", "status"} {
		if !strings.Contains(failure.Message, part) {
			t.Errorf("the message lacks %q: %s", part, failure.Message)
		}
	}
	if got.status != http.StatusBadGateway || len(failure.Metadata.Attempts) != 4 || strings.Contains(got.body, "sk-") {
		t.Errorf("status %d after %d attempts\n%s", got.status, len(failure.Metadata.Attempts), got.body)
	}
	checkCalls(t, "first call", k, count("a", 1, "b", 1, "c", 1, "d", 1))
	h.send(ask{})
	checkCalls(t, "the fifth", k, count("e", 1))
	if got = h.send(ask{}); got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, "key") {
		t.Errorf("with nothing left: status %d\n%s", got.status, got.body)
	}
	checkCalls(t, "nothing is left", k, map[string]int{})
	h.log.request(t, "dead")
	if strings.Contains(h.log.text(), "sk-") {
		t.Error("a key is in the log")
	}
}

// TestOtherTargetsComeAfterOtherKeys: the policy of the route begins where no key of the target is left, and keys count for none of its attempts.
func TestOtherTargetsComeAfterOtherKeys(t *testing.T) {
	first, second := newKeyed(nil), newKeyed(map[string]http.HandlerFunc{"provider-secret-0123456789": good})
	h := newHarness(t, []http.HandlerFunc{first.serve, second.serve}, withKeys(apiKey("a"), apiKey("b"), apiKey("c")), policy(func(f *table.Fallback) { f.MaxAttempts = 2 }))
	got := h.send(ask{})
	if got.status != http.StatusOK || got.header.Get("X-Signalbox-Target") != "t1" || got.header.Get("X-Signalbox-Attempts") != "4" {
		t.Errorf("status %d by %q after %s attempts\n%s", got.status, got.header.Get("X-Signalbox-Target"), got.header.Get("X-Signalbox-Attempts"), got.body)
	}
	checkCalls(t, "the first target", first, count("a", 1, "b", 1, "c", 1))
}

// TestFailuresOfTheProviderAreNotTheKeys: they are the route's matter, as with one key.
func TestFailuresOfTheProviderAreNotTheKeys(t *testing.T) {
	cases := map[string]http.HandlerFunc{
		"server error": refuses(500, "", "oops"), "bad request": refuses(400, "", "what is this"), "capacity": refuses(503, "", "busy"),
		"broken": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "after the first token": cuts(roleEvent, tokenEvent),
	}
	for name, fails := range cases {
		t.Run(name, func(t *testing.T) {
			k := newKeyed(map[string]http.HandlerFunc{"a": fails, "b": good})
			h := newHarness(t, []http.HandlerFunc{k.serve}, withKeys(apiKey("a"), apiKey("b")), policy(alone))
			request := h.open(t.Context(), ask{body: streamBody})
			_ = request.Body.Close()
			checkCalls(t, name, k, count("a", 1))
		})
	}
}

// TestEveryKeyReserves: each attempt holds what it can cost for itself, nothing is left held, and the books have what was served.
func TestEveryKeyReserves(t *testing.T) {
	n := &notes{}
	k := newKeyed(map[string]http.HandlerFunc{"c": good})
	h := newHarness(t, []http.HandlerFunc{k.serve}, withKeys(apiKey("a"), apiKey("b"), apiKey("c")), policy(alone), hard(1<<40), withLedger(t, ledgertest.NewStore(nil)),
		func(o *Options, _ *table.Table) { o.Journal = n })
	for range 3 {
		if got := h.send(ask{body: hardBody}); got.status != http.StatusOK {
			t.Fatalf("status %d\n%s", got.status, got.body)
		}
	}
	h.front.Close()
	if standing := h.standing(); standing.Spent != 3*goodCost || standing.Reserved != 0 {
		t.Errorf("%d spent, %d reserved", standing.Spent, standing.Reserved)
	}
	if len(n.records) != 3 || len(n.records[0].Attempts) != 3 || len(n.records[1].Attempts) != 1 {
		t.Fatalf("recorded %+v", n.records)
	}
	var told []string
	for _, a := range n.records[0].Attempts {
		told = append(told, fmt.Sprintf("%s %d %s %d", a.Key, a.Status, a.Code, a.Cost))
	}
	want := []string{"a 401 upstream_auth_failed 0", "b 401 upstream_auth_failed 0", fmt.Sprintf("c 200 ok %d", goodCost)}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
}

// TestABudgetMayRefuseTheNextKey: then the failure of the key before is told.
func TestABudgetRefusesTheNextKey(t *testing.T) {
	store := ledgertest.NewStore(nil)
	var h *harness
	k := newKeyed(map[string]http.HandlerFunc{"b": good, "a": func(w http.ResponseWriter, r *http.Request) {
		spent := *h.table
		spent.Budgets = []table.Budget{h.table.Budgets[0]}
		spent.Budgets[0].Limit = 0
		if err := h.server.Use(&spent); err != nil {
			panic(err)
		}
		refusesKey(w, r)
	}})
	h = newHarness(t, []http.HandlerFunc{k.serve}, withKeys(apiKey("a"), apiKey("b")), policy(alone), hard(1<<40), withLedger(t, store))
	got := h.send(ask{body: hardBody})
	if got.status == http.StatusOK {
		t.Errorf("status %d\n%s", got.status, got.body)
	}
	checkCalls(t, "the limit was lowered", k, count("a", 1))
	if standing := h.standing(); standing.Spent != 0 || standing.Reserved != 0 {
		t.Errorf("%d spent, %d reserved", standing.Spent, standing.Reserved)
	}
}

// TestTheNextKeyIsOfTheNewestTable: one that was removed while a call was under way is not sent, one that was added is.
func TestTheNextKeyIsOfTheNewestTable(t *testing.T) {
	var h *harness
	k := newKeyed(map[string]http.HandlerFunc{"b": good, "c": good, "a": func(w http.ResponseWriter, r *http.Request) {
		changed := *h.table
		changed.Credentials = []table.Credential{h.table.Credentials[0]}
		changed.Credentials[0].Keys = []table.Key{apiKey("c"), apiKey("a")}
		if err := h.server.Use(&changed); err != nil {
			panic(err)
		}
		refusesKey(w, r)
	}})
	h = newHarness(t, []http.HandlerFunc{k.serve}, withKeys(apiKey("a"), apiKey("b")), policy(alone))
	if got := h.send(ask{}); got.status != http.StatusOK {
		t.Errorf("status %d\n%s", got.status, got.body)
	}
	checkCalls(t, "the table was changed", k, count("a", 1, "c", 1))
}

// TestCoolDownsOutlastTables: what is known of each key stays known, and what is known of keys that are gone is forgotten.
func TestCoolDownsOutlastTables(t *testing.T) {
	clock := newFakeClock()
	registry := health.NewRegistry(health.Options{})
	k := newKeyed(map[string]http.HandlerFunc{"c": good})
	h := newHarness(t, []http.HandlerFunc{k.serve}, withKeys(apiKey("a"), apiKey("b"), apiKey("c")), policy(alone), clock.set,
		func(o *Options, _ *table.Table) { o.Health = registry })
	h.send(ask{})
	k.take()
	again := *h.table
	if err := h.server.Use(&again); err != nil {
		t.Fatal(err)
	}
	h.send(ask{})
	checkCalls(t, "the same keys", k, count("c", 1))
	fewer := *h.table
	fewer.Credentials = []table.Credential{h.table.Credentials[0]}
	fewer.Credentials[0].Keys = []table.Key{apiKey("c"), apiKey("b")}
	if err := h.server.Use(&fewer); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	registry.Each(clock.now(), func(s health.Subject, _ health.View) { known[s.Key] = true })
	if diff := cmp.Diff(map[string]bool{"fp-b": true, "fp-c": true}, known); diff != "" {
		t.Errorf("keys that are known (-want +got):\n%s", diff)
	}
}

// TestProxiesTellEachOtherOfKeys: what one has found out of a key spares the others the call.
func TestProxiesTellEachOtherOfKeys(t *testing.T) {
	clock := newFakeClock()
	k := newKeyed(map[string]http.HandlerFunc{"c": good, "b": limitedFor("30")})
	registries := [2]*health.Registry{health.NewRegistry(health.Options{}), health.NewRegistry(health.Options{})}
	var proxies [2]*harness
	for i := range proxies {
		proxies[i] = newHarness(t, []http.HandlerFunc{k.serve}, withKeys(apiKey("a"), apiKey("b"), apiKey("c")), policy(alone), clock.set,
			func(o *Options, _ *table.Table) { o.Health = registries[i] })
	}
	proxies[0].send(ask{})
	checkCalls(t, "the first proxy", k, count("a", 1, "b", 1, "c", 1))
	if err := registries[1].Hear(registries[0].Say(clock.now()), clock.now()); err != nil {
		t.Fatal(err)
	}
	proxies[1].send(ask{})
	checkCalls(t, "the second proxy", k, count("c", 1))
}

// TestKeysShareByHeadroom: a key that the provider says has nothing left is not called while another has.
func TestKeysShareByHeadroom(t *testing.T) {
	left := func(requests string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Ratelimit-Limit-Requests", "100")
			w.Header().Set("X-Ratelimit-Remaining-Requests", requests)
			w.Header().Set("X-Ratelimit-Reset-Requests", "50s")
			good(w, r)
		}
	}
	clock := newFakeClock()
	k := newKeyed(map[string]http.HandlerFunc{"a": left("0"), "b": left("100")})
	h := newHarness(t, []http.HandlerFunc{k.serve}, withKeys(apiKey("a"), apiKey("b")), withTable(sharingKeys), clock.set, winning)
	for range 10 {
		if got := h.send(ask{}); got.status != http.StatusOK {
			t.Fatalf("status %d\n%s", got.status, got.body)
		}
	}
	checkCalls(t, "within the minute", k, count("a", 1, "b", 9))
	clock.advance(51 * time.Second)
	h.send(ask{})
	checkCalls(t, "after the reset", k, count("a", 1))
}

// TestMirrorsAndCountersHaveKeysToo: a copy whose key is dead goes with another one, and so does the count of tokens.
func TestMirrorsAndCountersHaveKeysToo(t *testing.T) {
	k := newKeyed(map[string]http.HandlerFunc{"b": good})
	clock := newFakeClock()
	h := newHarness(t, []http.HandlerFunc{good, k.serve}, withTable(func(t *table.Table) { t.Credentials[1].Keys = []table.Key{apiKey("a"), apiKey("b")} }),
		mirroring(func(*table.Mirror) {}), clock.set)
	h.send(ask{})
	if line := h.log.wait(t, isMirror); line["code"] != "ok" || line["attempts"] != float64(2) {
		t.Errorf("logged %v", line)
	}
	checkCalls(t, "the mirror", k, count("a", 1, "b", 1))

	var byKey [2]atomic.Int64
	counter := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Api-Key") == "sk-a" {
			byKey[0].Add(1)
			refusesKey(w, r)
			return
		}
		byKey[1].Add(1)
		answers(http.StatusOK, "application/json", `{"input_tokens":21}`)(w, r)
	}
	h = newHarness(t, []http.HandlerFunc{counter}, vendor("Anthropic"), withKeys(apiKey("a"), apiKey("b")), policy(alone))
	got := h.send(ask{path: "/v1/messages/count_tokens", body: `{"model":"chat","messages":[{"role":"user","content":"hello"}]}`})
	if got.body != `{"input_tokens":21}` || byKey[0].Load() != 1 || byKey[1].Load() != 1 {
		t.Errorf("status %d after %d and %d calls\n%s", got.status, byKey[0].Load(), byKey[1].Load(), got.body)
	}
}

// TestAKeyThatCannotBeUsedIsLeftOut: the others serve, and none of them is told of in what providers say.
func TestAKeyThatCannotBeUsedIsLeftOut(t *testing.T) {
	k := newKeyed(map[string]http.HandlerFunc{"b": refuses(400, "", "not you, sk-b, nor sk-b-longer nor sk-c")})
	broken := apiKey("a")
	broken.Kind = "OfAnotherVersion"
	h := newHarness(t, []http.HandlerFunc{k.serve}, withKeys(broken, apiKey("b"), apiKey("b-longer"), apiKey("c")))
	got := h.send(ask{})
	if got.status != http.StatusBadRequest || strings.Contains(got.body, "sk-") || strings.Contains(got.body, "longer") {
		t.Errorf("status %d\n%s", got.status, got.body)
	}
	checkCalls(t, "the first that can be used", k, count("b", 1))
}

// serviceAccountKey is a key file of a service account that asks for tokens at a URI.
// TestASuccessorServesForAllKeys: a model that was withdrawn for one key is not asked for with each of the others.
func TestASuccessorServesForAllKeys(t *testing.T) {
	var asked atomic.Int64
	gone := func(w http.ResponseWriter, r *http.Request) {
		sent, _ := io.ReadAll(r.Body)
		if strings.Contains(string(sent), `"upstream-0"`) {
			asked.Add(1)
			refuses(404, "model_not_found", "The model does not exist")(w, r)
			return
		}
		good(w, r)
	}
	k := newKeyed(map[string]http.HandlerFunc{"a": gone, "b": gone})
	h := newHarness(t, []http.HandlerFunc{k.serve}, withKeys(apiKey("a"), apiKey("b")), newFakeClock().set, withTable(func(t *table.Table) {
		sharingKeys(t)
		t.Routes[0].Targets[0].Successor = "upstream-new"
	}))
	for range 20 {
		if got := h.send(ask{}); got.status != http.StatusOK {
			t.Fatalf("status %d\n%s", got.status, got.body)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("the model that is gone was asked for %d times", asked.Load())
	}
}

// TestTargetsAreToldByTheirBestKey: a route is well while one key of its target is.
func TestTargetsAreToldByTheirBestKey(t *testing.T) {
	for name, models := range map[string]func(*table.Table){"a model": func(*table.Table) {}, "any model": anyModel} {
		t.Run(name, func(t *testing.T) {
			clock := newFakeClock()
			k := newKeyed(map[string]http.HandlerFunc{"b": good})
			h := newHarness(t, []http.HandlerFunc{k.serve}, withKeys(apiKey("a"), apiKey("b"), replacedKey("b", clock.now())), policy(alone), withTable(models), clock.set)
			for _, want := range []traffic.Block{traffic.Open, traffic.KeyRefused} {
				h.send(ask{})
				told := h.server.Targets(clock.now())
				if len(told) != 1 || told[0].Block != want {
					t.Errorf("told %+v, want it %q", told, want)
				}
				k.set("b", refusesKey)
				h.send(ask{})
			}
		})
	}
}

// TestKeysAreTold: which key would be taken, and which were switched.
func TestKeysAreTold(t *testing.T) {
	metrics := telemetry.NewMetrics()
	k := newKeyed(map[string]http.HandlerFunc{"b": good})
	h := newHarness(t, []http.HandlerFunc{k.serve}, withKeys(apiKey("a"), apiKey("b")), policy(alone), newFakeClock().set,
		func(o *Options, _ *table.Table) { o.Metrics = metrics })
	explained := func() string {
		var told Explanation
		if got := h.send(ask{path: "/v1/route/explain"}); json.Unmarshal([]byte(got.body), &told) != nil || len(told.Targets) != 1 {
			t.Fatalf("status %d\n%s", got.status, got.body)
		}
		return told.Targets[0].Key
	}
	if before := explained(); before != "a" {
		t.Errorf("before the first call the key is %q", before)
	}
	h.send(ask{})
	if after := explained(); after != "b" {
		t.Errorf("after the first call the key is %q", after)
	}
	checkCalls(t, "explanations call nobody", k, count("a", 1, "b", 1))
	scraped := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(scraped, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	if line := `signalbox_key_switches_total{kind="KeyRejected",provider="OpenAICompatible",route="chat-route",target="t0"} 1`; !strings.Contains(scraped.Body.String(), line) {
		t.Errorf("the metrics lack %s", line)
	}
}
