package server

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/table"
)

// TestAPreviousKeyIsNeverSentFromItsDeadlineOn, whenever that comes.
func TestAPreviousKeyIsNeverSentFromItsDeadlineOn(t *testing.T) {
	cases := map[string]struct {
		// left until the deadline when the call comes, and advance by the time that the new key is refused.
		left, advance time.Duration
		want          map[string]int
		status        int
	}{
		"just before":              {left: time.Nanosecond, want: count("main", 1, "old", 1), status: http.StatusOK},
		"at it":                    {left: 0, want: count("main", 1), status: http.StatusBadGateway},
		"after it":                 {left: -time.Hour, want: count("main", 1), status: http.StatusBadGateway},
		"it comes during the call": {left: time.Minute, advance: time.Minute, want: count("main", 1), status: http.StatusBadGateway},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			clock := newFakeClock()
			k := newKeyed(map[string]http.HandlerFunc{"old": good, "main": func(w http.ResponseWriter, r *http.Request) {
				clock.advance(tc.advance)
				refusesKey(w, r)
			}})
			h := newHarness(t, []http.HandlerFunc{k.serve}, withKeys(apiKey("main"), replacedKey("main", clock.now().Add(tc.left))), policy(func(f *table.Fallback) {
				f.MaxRetries, f.RetryOn = 2, []table.FailureKind{table.KeyRejected}
			}), clock.set)
			if got := h.send(ask{}); got.status != tc.status {
				t.Errorf("status %d, want %d\n%s", got.status, tc.status, got.body)
			}
			checkCalls(t, name, k, tc.want)
		})
	}
}

// dialling moves a clock while it connects.
type dialling struct {
	http.RoundTripper
	before func()
}

func (d dialling) RoundTrip(r *http.Request) (*http.Response, error) {
	d.before()
	return d.RoundTripper.RoundTrip(r)
}

// TestADeadlineThatComesWhileConnecting: the key was chosen in time, and is not sent all the same. It is no fault of the provider's.
func TestADeadlineThatComesWhileConnecting(t *testing.T) {
	clock := newFakeClock()
	k := newKeyed(map[string]http.HandlerFunc{"old": good})
	var registry *health.Registry
	h := newHarness(t, []http.HandlerFunc{k.serve}, withKeys(replacedKey("main", clock.now().Add(time.Minute))), clock.set, func(o *Options, _ *table.Table) {
		o.Health = health.NewRegistry(health.Options{})
		registry = o.Health
		o.NewTransport = func(rules table.EndpointRules) (http.RoundTripper, error) {
			transport, err := loopbackTransport(rules)
			return dialling{transport, func() { clock.advance(time.Minute) }}, err
		}
	})
	got := h.send(ask{})
	if failure := errorOf(t, got.body); got.status != http.StatusBadGateway || !strings.Contains(failure.Message, "was replaced or deleted") {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	checkCalls(t, "at the deadline", k, map[string]int{})
	if view := registry.Upstream(health.Subject{Credential: "c0", Key: "fp-old"}).View(clock.now()); view.Block != health.Open {
		t.Errorf("the key is left alone: %v", view.Block)
	}
}

// TestAMirrorGetsNoDroppedKey: copies go when the client has its answer, which can be after the overlap.
func TestAMirrorGetsNoDroppedKey(t *testing.T) {
	clock := newFakeClock()
	k := newKeyed(map[string]http.HandlerFunc{"old": good})
	serves := func(w http.ResponseWriter, r *http.Request) {
		clock.advance(time.Minute)
		good(w, r)
	}
	until := clock.now().Add(time.Minute)
	h := newHarness(t, []http.HandlerFunc{serves, k.serve}, withTable(func(t *table.Table) { t.Credentials[1].Keys = []table.Key{replacedKey("main", until)} }),
		mirroring(func(*table.Mirror) {}), clock.set)
	if got := h.send(ask{}); got.status != http.StatusOK {
		t.Fatalf("status %d\n%s", got.status, got.body)
	}
	if line := h.log.wait(t, isMirror); line["code"] != string(CodeNoEligibleTarget) {
		t.Errorf("logged %v", line)
	}
	checkCalls(t, "the mirror", k, map[string]int{})
}

func serviceAccountKey(t *testing.T, tokenURI string) table.Key {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "bot@acme.iam.gserviceaccount.com", "token_uri": tokenURI,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return table.Key{Name: "main", Kind: table.GoogleKey, Value: string(file), Fingerprint: "fp-google"}
}

// TestATokenServiceThatRefusesAKey is like a provider that does: the previous key serves, in the same request and from then on.
func TestATokenServiceThatRefusesAKey(t *testing.T) {
	clock := newFakeClock()
	k := newKeyed(map[string]http.HandlerFunc{"old": good})
	var tokens atomic.Int64
	provider := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/token" {
			tokens.Add(1)
			answers(http.StatusBadRequest, "application/json", `{"error":"invalid_grant"}`)(w, r)
			return
		}
		k.serve(w, r)
	}
	h := newHarness(t, []http.HandlerFunc{provider}, policy(alone), clock.set, withTable(func(made *table.Table) {
		account := &made.Credentials[0]
		account.Keys = []table.Key{serviceAccountKey(t, account.Endpoint+"/token"), replacedKey("main", clock.now().Add(time.Minute))}
	}))
	for i, want := range []string{"2", "1", "1"} {
		if got := h.send(ask{}); got.status != http.StatusOK || got.header.Get("X-Signalbox-Attempts") != want {
			t.Errorf("call %d: status %d after %s attempts, want %s\n%s", i, got.status, got.header.Get("X-Signalbox-Attempts"), want, got.body)
		}
	}
	if checkCalls(t, "three calls", k, count("old", 3)); tokens.Load() == 0 {
		t.Error("no token was asked for")
	}
}

// tokenService gives out token sk-token-1, -2 and so on, and takes calls with those that are good.
type tokenService struct {
	*keyed
	given atomic.Int64
}

func (s *tokenService) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v1/token" {
		answers(http.StatusOK, "application/json", fmt.Sprintf(`{"access_token":"sk-token-%d","expires_in":3600}`, s.given.Add(1)))(w, r)
		return
	}
	s.keyed.serve(w, r)
}

// TestARevokedTokenIsRenewed in the request that finds out, and neither for one that was only just given nor more than once.
func TestARevokedTokenIsRenewed(t *testing.T) {
	clock := newFakeClock()
	service := &tokenService{keyed: newKeyed(map[string]http.HandlerFunc{"token-1": good})}
	h := newHarness(t, []http.HandlerFunc{service.serve}, policy(alone), clock.set, withTable(func(made *table.Table) {
		account := &made.Credentials[0]
		account.Keys = []table.Key{serviceAccountKey(t, account.Endpoint+"/token")}
	}))
	call := func(when string, status int, calls map[string]int) {
		t.Helper()
		if got := h.send(ask{}); got.status != status {
			t.Errorf("%s: status %d, want %d\n%s", when, got.status, status, got.body)
		}
		checkCalls(t, when, service.keyed, calls)
	}
	call("with the first token", http.StatusOK, count("token-1", 1))
	clock.advance(2 * time.Minute)
	service.set("token-1", refusesKey)
	service.set("token-2", good)
	call("revoked", http.StatusOK, count("token-1", 1, "token-2", 1))
	call("renewed", http.StatusOK, count("token-2", 1))
	service.set("token-2", refusesKey)
	call("refused though it is new", http.StatusBadGateway, count("token-2", 1))
	clock.advance(10 * time.Minute)
	service.set("token-3", refusesKey)
	call("refused whatever the token", http.StatusBadGateway, count("token-2", 1, "token-3", 1))
	if given := service.given.Load(); given != 3 {
		t.Errorf("%d tokens were given", given)
	}
}

// TestARenewedTokenIsOneTry: what keeps that from a provider, such as a budget, does not have the call try for ever.
func TestARenewedTokenIsOneTry(t *testing.T) {
	c, v := &call{}, &visit{renewing: true}
	failure := &Error{Kind: table.KeyRejected}
	if !(&Server{}).again(t.Context(), c, v, failure) {
		t.Error("it is not tried")
	}
	if (&Server{}).again(t.Context(), c, v, failure) {
		t.Error("it is tried again and again")
	}
}

// hangingTokens hang until they are given up.
type hangingTokens struct{ giveUp func() }

func (h hangingTokens) Token(ctx context.Context, _ string) (string, error) {
	<-ctx.Done()
	h.giveUp()
	return "", ctx.Err()
}

func (h hangingTokens) Refused(string, time.Time) bool { return false }

// TestATokenServiceThatHangs does not hold a key beyond its deadline.
func TestATokenServiceThatHangs(t *testing.T) {
	clock := newFakeClock()
	stuck := table.Key{
		Name: "main", Kind: table.ServiceAccountToken, Fingerprint: "fp-stuck", Cloud: &table.CloudIdentity{Audience: "signalbox.b"},
		Role: table.Previous, Until: clock.now().Add(time.Millisecond),
	}
	k := newKeyed(nil)
	h := newHarness(t, []http.HandlerFunc{k.serve}, withKeys(stuck), policy(alone), clock.set, func(o *Options, _ *table.Table) {
		o.Tokens = hangingTokens{giveUp: func() { clock.advance(time.Millisecond) }}
	})
	if got := h.send(ask{}); got.status != http.StatusBadGateway || !strings.Contains(got.body, "was replaced or deleted") {
		t.Errorf("status %d\n%s", got.status, got.body)
	}
	checkCalls(t, "the token hangs", k, map[string]int{})
}

// TestKeysRotateUnderLoad has many clients call while tables with new keys, canaries and replaced keys follow each other, and some new keys are bad: no call fails,
// and no key is sent that was not in the table of the moment.
func TestKeysRotateUnderLoad(t *testing.T) {
	const rotations, clients = 30, 64
	k := newKeyed(map[string]http.HandlerFunc{"0": good})
	h := newHarness(t, []http.HandlerFunc{k.serve}, withKeys(apiKey("0")), policy(alone))
	done := make(chan struct{})
	var calls sync.WaitGroup
	for range clients {
		calls.Go(func() { h.callUntil(done) })
	}
	current := "0"
	for i := 1; i <= rotations; i++ {
		next := fmt.Sprint(i)
		bad, tried := i%10 == 0, i%3 == 0
		if !bad {
			k.set(next, good)
		}
		rotated := *h.table
		rotated.Sequence = int64(i + 1)
		rotated.Credentials = []table.Credential{h.table.Credentials[0]}
		rotated.Credentials[0].Keys = rotatedKeys(next, current)
		if tried {
			rotated.Credentials[0].Keys = triedKeys(next, current)
		}
		if err := h.server.Use(&rotated); err != nil {
			t.Fatal(err)
		}
		h.send(ask{})
		if !bad && !tried {
			current = next
		}
	}
	close(done)
	calls.Wait()
	if bad := k.take()["10"]; bad == 0 {
		t.Error("no call was made with a bad key, so that nothing was shown")
	}
}

// TestAKeyThatIsPutBack is used at once, however long the provider has refused it before it was replaced.
func TestAKeyThatIsPutBack(t *testing.T) {
	clock := newFakeClock()
	k := newKeyed(map[string]http.HandlerFunc{"2": good})
	h := newHarness(t, []http.HandlerFunc{k.serve, good}, withKeys(apiKey("1")), clock.set)
	for range 40 {
		h.send(ask{})
		clock.advance(time.Second)
	}
	lead := func(sequence int64, next, before string) {
		t.Helper()
		rotated := *h.table
		rotated.Sequence = sequence
		rotated.Credentials = slices.Clone(h.table.Credentials)
		rotated.Credentials[0].Keys = rotatedKeys(next, before)
		rotated.Credentials[0].Keys[1].Until = clock.now().Add(time.Hour)
		if err := h.server.Use(&rotated); err != nil {
			t.Fatal(err)
		}
	}
	lead(2, "2", "1")
	k.take()
	h.send(ask{})
	checkCalls(t, "replaced", k, count("2", 1))
	k.set("1", good)
	k.set("2", refusesKey)
	lead(3, "1", "2")
	h.send(ask{})
	checkCalls(t, "put back", k, count("1", 1))
}

// callUntil calls until the channel is closed. Every call has to be answered.
func (h *harness) callUntil(done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		default:
		}
		if got := h.send(ask{}); got.status != http.StatusOK {
			h.t.Errorf("status %d\n%s", got.status, got.body)
			return
		}
	}
}

// triedKeys are a key and the one that is to replace it after its trial.
func triedKeys(next, current string) []table.Key {
	fresh, old := apiKey(next), apiKey(current)
	fresh.Name, old.Name = "main", "main"
	fresh.Role, fresh.Permille = table.Canary, 300
	return []table.Key{old, fresh}
}

// rotatedKeys are a new key and the one that it replaces.
func rotatedKeys(next, current string) []table.Key {
	fresh, old := apiKey(next), apiKey(current)
	fresh.Name, old.Name = "main", "main"
	old.Role, old.Until = table.Previous, time.Now().Add(time.Hour)
	return []table.Key{fresh, old}
}
