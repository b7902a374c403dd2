package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/identity"
	"signalbox.dev/signalbox/proxy/table"
)

const tokenIssuerURL = "https://kubernetes.default.svc"

// tokenSigner makes tokens as an issuer does.
type tokenSigner struct {
	key *ecdsa.PrivateKey
	id  string
}

func newTokenSigner(t *testing.T, id string) tokenSigner {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return tokenSigner{key, id}
}

// token is good for an hour; more claims are added.
func (s tokenSigner) token(t *testing.T, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: s.key}, (&jose.SignerOptions{}).WithHeader("kid", s.id))
	if err != nil {
		t.Fatal(err)
	}
	times := map[string]any{"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	text, err := jwt.Signed(signer).Claims(times).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func accountClaims() map[string]any {
	return map[string]any{
		"iss": tokenIssuerURL, "aud": "signalbox.team-a", "sub": "system:serviceaccount:team-a:app",
		"kubernetes.io": map[string]any{"namespace": "team-a", "serviceaccount": map[string]any{"name": "app"}},
	}
}

func issuedBy(t *testing.T, issuer table.Issuer, signers ...tokenSigner) table.Issuer {
	t.Helper()
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, s := range signers {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: s.key.Public(), KeyID: s.id})
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	issuer.JWKS, issuer.MaxLifetime = text, 24*time.Hour
	return issuer
}

// recognizer is a server that does nothing but recognise callers.
type recognizer struct {
	*Server
	announced atomic.Int32
}

func newRecognizer(t *testing.T, signers ...tokenSigner) *recognizer {
	t.Helper()
	r := &recognizer{}
	r.Server = &Server{now: time.Now, keyWaiters: newKeyWaiters(func() { r.announced.Add(1) })}
	r.swap(t, signers...)
	return r
}

func (r *recognizer) swap(t *testing.T, signers ...tokenSigner) {
	t.Helper()
	entries := &table.Table{Issuers: []table.Issuer{issuedBy(t, table.Issuer{URL: tokenIssuerURL, Audience: "signalbox.team-a"}, signers...)}}
	r.current.Store(&snapshot{authenticator: identity.New(entries, nil)})
	r.keyWaiters.wake()
}

func (r *recognizer) call(ctx context.Context) *call {
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/chat/completions", http.NoBody)
	return &call{r: request, snapshot: r.current.Load(), start: time.Now()}
}

// TestNewSigningKeyRefusesNobody follows a rotation: tokens of a key that the table does not have yet wait for the table that does.
func TestNewSigningKeyRefusesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, next := newTokenSigner(t, "k1"), newTokenSigner(t, "k2")
		s := newRecognizer(t, old)
		errs := make(chan error, 10)
		for range 10 {
			go func() {
				c := s.call(t.Context())
				grant, err := s.recognise(c, next.token(t, accountClaims()))
				if err == nil && (grant.Name != "app" || c.snapshot != s.current.Load()) {
					err = errors.New("the call goes on with the old table")
				}
				errs <- err
			}()
		}
		synctest.Wait()
		wanted, asked := s.KeysWanted()
		if diff := cmp.Diff([]string{tokenIssuerURL}, wanted); diff != "" || s.announced.Load() != 10 || asked != 10 {
			t.Errorf("announced %d times for %d requests, wanted (-want +got):\n%s", s.announced.Load(), asked, diff)
		}
		s.swap(t, old) // A table that changes something else decides nothing.
		<-time.After(time.Second)
		synctest.Wait()
		s.swap(t, old, next)
		for range 10 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if wanted, _ := s.KeysWanted(); len(wanted) > 0 {
			t.Errorf("still wanted are %v", wanted)
		}
	})
}

func TestWaitForKeysIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, next := newTokenSigner(t, "k1"), newTokenSigner(t, "k2")
		s := newRecognizer(t, old)
		waited := make(chan time.Duration, 2*maxKeyWaiters)
		for range maxKeyWaiters {
			go func() {
				began := time.Now()
				if _, err := s.recognise(s.call(t.Context()), next.token(t, accountClaims())); err == nil {
					t.Error("a token of an unknown key is taken")
				}
				waited <- time.Since(began)
			}()
		}
		synctest.Wait()
		for name, token := range map[string]string{"one more": next.token(t, accountClaims()), "a forged one": tokenSigner{next.key, "k1"}.token(t, accountClaims())} {
			began := time.Now()
			if _, err := s.recognise(s.call(t.Context()), token); err == nil || time.Since(began) > 0 {
				t.Errorf("%s waits %s, %v", name, time.Since(began), err)
			}
		}
		if _, err := s.recognise(s.call(t.Context()), old.token(t, accountClaims())); err != nil {
			t.Errorf("a good token has to wait: %v", err)
		}
		for range maxKeyWaiters {
			if wait := <-waited; wait != maxKeyPatience {
				t.Errorf("one waited %s", wait)
			}
		}
	})
}

// keysOf is the digest of what the issuer publishes with these keys.
func keysOf(t *testing.T, signers ...tokenSigner) string {
	t.Helper()
	return identity.KeysDigest(issuedBy(t, table.Issuer{}, signers...).JWKS)
}

// TestATokenIsRefusedOnceItsIssuerWasAsked shows which word of the manager ends a request's wait, and that without one it is no verdict on the token.
func TestATokenIsRefusedOnceItsIssuerWasAsked(t *testing.T) {
	old, next := newTokenSigner(t, "k1"), newTokenSigner(t, "k2")
	unchanged, changed := keysOf(t, old), keysOf(t, old, next)
	type word struct {
		at     time.Duration
		issuer string
		asked  int64
		digest string
		table  []tokenSigner
	}
	for name, tc := range map[string]struct {
		words  []word
		wait   time.Duration
		status int
	}{
		"nobody answers":                  {nil, maxKeyPatience, http.StatusServiceUnavailable},
		"the issuer has no other keys":    {[]word{{time.Second, tokenIssuerURL, 1, unchanged, nil}}, keyPatience, http.StatusUnauthorized},
		"it answers late":                 {[]word{{9 * time.Second, tokenIssuerURL, 1, unchanged, nil}}, 9 * time.Second, http.StatusUnauthorized},
		"it was asked before":             {[]word{{time.Second, tokenIssuerURL, 0, unchanged, nil}}, maxKeyPatience, http.StatusServiceUnavailable},
		"words overtake each other":       {[]word{{time.Second, tokenIssuerURL, 1, unchanged, nil}, {2 * time.Second, tokenIssuerURL, 0, changed, nil}}, keyPatience, http.StatusUnauthorized},
		"another issuer answers":          {[]word{{time.Second, "https://corp", 1, unchanged, nil}}, maxKeyPatience, http.StatusServiceUnavailable},
		"new keys, and no table":          {[]word{{time.Second, tokenIssuerURL, 1, changed, nil}}, maxKeyPatience, http.StatusServiceUnavailable},
		"new keys, and the table late":    {[]word{{time.Second, tokenIssuerURL, 1, changed, nil}, {20 * time.Second, "", 0, "", []tokenSigner{old, next}}}, 20 * time.Second, http.StatusOK},
		"another table with new keys":     {[]word{{time.Second, tokenIssuerURL, 1, keysOf(t, old, old), nil}, {20 * time.Second, "", 0, "", []tokenSigner{old, old}}}, 20 * time.Second, http.StatusUnauthorized},
		"the table comes before the word": {[]word{{time.Second, "", 0, "", []tokenSigner{old, next}}}, time.Second, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newRecognizer(t, old)
				token := next.token(t, accountClaims())
				began, ended := time.Now(), make(chan error, 1)
				go func() {
					_, err := s.recognise(s.call(t.Context()), token)
					ended <- err
				}()
				for _, said := range tc.words {
					<-time.After(said.at - time.Since(began))
					synctest.Wait()
					if said.table != nil {
						s.swap(t, said.table...)
						continue
					}
					s.KeysFound(said.issuer, said.asked, said.digest)
				}
				err := <-ended
				if wait, status := time.Since(began), statusOf(err); wait != tc.wait || status != tc.status {
					t.Errorf("after %s status %d, %v; want %d after %s", wait, status, err, tc.status, tc.wait)
				}
			})
		})
	}
}

// statusOf is what a client gets for what recognise returns; 0 for what it should not.
func statusOf(err error) int {
	var reply *Error
	switch {
	case err == nil:
		return http.StatusOK
	case !errors.As(unauthorized(err), &reply):
		return 0
	case reply.Status == http.StatusServiceUnavailable && (reply.Code != CodeIssuerUnavailable || reply.Header.Get("Retry-After") != "5"):
		return 0
	}
	return reply.Status
}

func TestNobodyWaitsForKeysInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := newTokenSigner(t, "k2")
		alone := newRecognizer(t, newTokenSigner(t, "k1"))
		alone.keyWaiters.announce = nil
		began := time.Now()
		if _, err := alone.recognise(alone.call(t.Context()), next.token(t, accountClaims())); err == nil || time.Since(began) > 0 {
			t.Errorf("without a manager it waits %s, %v", time.Since(began), err)
		}
		s := newRecognizer(t, newTokenSigner(t, "k1"))
		gone, leave := context.WithCancel(t.Context())
		leave()
		if _, err := s.recognise(s.call(gone), next.token(t, accountClaims())); err == nil || time.Since(began) > 0 {
			t.Errorf("for a client that is gone it waits %s, %v", time.Since(began), err)
		}
	})
}

// TestTagsOfTheIssuerWin calls as a user whose issuer names its team: the request can name neither that nor the tag that the issuer left out, and a budget
// believes the issuer without trusting the caller.
func TestTagsOfTheIssuerWin(t *testing.T) {
	s := newTokenSigner(t, "c1")
	h := newHarness(t, []http.HandlerFunc{good}, withTable(budgeted), withTable(func(tb *table.Table) {
		tb.Issuers = []table.Issuer{issuedBy(t, table.Issuer{
			Name: "corp", URL: "https://corp", Audience: "llm", CallerClaim: "sub", TagClaims: map[string]string{"team": "department", "level": "level"},
		}, s)}
		tb.Routes[0].Access = table.Access{Users: []string{"corp/ada"}}
		tb.Budgets[0].Tags = []table.Tag{{Key: "team", Value: "search"}}
	}))
	claims := func(name, team string) map[string]any {
		return map[string]any{"iss": "https://corp", "aud": "llm", "sub": name, "department": team}
	}
	for _, step := range []struct {
		name, team string
		status     int
		counted    bool
	}{{"ada", "search", http.StatusOK, true}, {"ada", "sales", http.StatusOK, false}, {"bob", "search", http.StatusForbidden, false}} {
		before := h.spent()
		request := h.request(t.Context(), ask{key: s.token(t, claims(step.name, step.team)), id: step.name + "-" + step.team})
		request.Header.Set("X-Signalbox-Tags", "team=search, level=boss, env=prod")
		response, err := h.front.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		line := h.log.request(t, step.name+"-"+step.team)
		if response.StatusCode != step.status || line["caller"] != "user:corp/"+step.name {
			t.Errorf("%s of %s gets %d as %v", step.name, step.team, response.StatusCode, line["caller"])
		}
		if counted := h.spent() > before; counted != step.counted {
			t.Errorf("the call of %s of %s is counted: %v", step.name, step.team, counted)
		}
	}
}

// TestUsersHaveLimitsOfTheirOwn calls as users of an issuer that a budget counts apart, one of them with another limit, and as a caller that it does not count.
func TestUsersHaveLimitsOfTheirOwn(t *testing.T) {
	s := newTokenSigner(t, "c1")
	h := newHarness(t, []http.HandlerFunc{good}, withTable(budgeted), withTable(func(tb *table.Table) {
		tb.Issuers = []table.Issuer{issuedBy(t, table.Issuer{Name: "corp", URL: "https://corp", Audience: "llm", CallerClaim: "sub"}, s)}
		tb.Routes[0].Access.UserIssuers = []string{"corp"}
		budget := &tb.Budgets[0]
		budget.Counter, budget.MaxCounters, budget.Callers = table.CountPerCaller, 10, []table.CallerMatch{{UserIssuer: "corp"}}
		budget.Limit, budget.Limits = goodCost, map[string]int64{"user:corp/ada": 2 * goodCost}
	}))
	user := func(name string) string {
		return s.token(t, map[string]any{"iss": "https://corp", "aud": "llm", "sub": name})
	}
	for name, tc := range map[string]struct {
		key  string
		want []int
	}{
		"a limit of her own":     {user("ada"), []int{http.StatusOK, http.StatusOK, http.StatusPaymentRequired}},
		"the limit of each user": {user("bob"), []int{http.StatusOK, http.StatusPaymentRequired}},
		"no user":                {"", []int{http.StatusOK, http.StatusOK, http.StatusOK}},
	} {
		var got []int
		for range tc.want {
			response, err := h.front.Client().Do(h.request(t.Context(), ask{key: tc.key}))
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			got = append(got, response.StatusCode)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v; want %v", name, got, tc.want)
		}
	}
}

func TestTagsAreMerged(t *testing.T) {
	for name, tc := range map[string]struct {
		grant *identity.Grant
		want  []table.Tag
	}{
		"no grant":         {nil, []table.Tag{{Key: "team", Value: "mine"}, {Key: "env", Value: "prod"}}},
		"no tags":          {&identity.Grant{}, []table.Tag{{Key: "team", Value: "mine"}, {Key: "env", Value: "prod"}}},
		"its own":          {&identity.Grant{Tags: []table.Tag{{Key: "team", Value: "its"}}, TagKeys: []string{"team"}}, []table.Tag{{Key: "team", Value: "its"}, {Key: "env", Value: "prod"}}},
		"not in the token": {&identity.Grant{TagKeys: []string{"env", "team"}}, nil},
	} {
		c := &call{r: httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", http.NoBody), grant: tc.grant}
		c.r.Header.Set("X-Signalbox-Tags", "team=mine,env=prod")
		if got := c.tags(); !slices.Equal(got, tc.want) {
			t.Errorf("%s: tags are %v, want %v", name, got, tc.want)
		}
	}
}

// TestRoutesOfAnAccessKey shows that a key's list of routes hides and refuses all others, and says so.
func TestRoutesOfAnAccessKey(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good}, withTable(func(tb *table.Table) {
		tb.AccessKeys[0].Routes = []string{"another"}
		tb.AccessKeys[1].Routes = []string{"chat-route"}
	}))
	if got := h.send(ask{}); got.status != http.StatusForbidden || !strings.Contains(got.body, "annotation") {
		t.Errorf("another route's key gets %d: %s", got.status, got.body)
	}
	if got := h.send(ask{key: strangerKey}); got.status != http.StatusForbidden || strings.Contains(got.body, "annotation") {
		t.Errorf("a key that the route does not admit gets %d: %s", got.status, got.body)
	}
	if got := h.send(ask{method: http.MethodGet, path: "/v1/models"}); got.status != http.StatusOK || strings.Contains(got.body, `"chat"`) {
		t.Errorf("the list is %s", got.body)
	}
}

// TestTwoCredentials shows that another credential beside the first gives nothing, wherever it stands.
func TestTwoCredentials(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good})
	for name, change := range map[string]func(*http.Request){
		"x-api-key":      func(r *http.Request) { r.Header.Set("X-Api-Key", appKey) },
		"api-key":        func(r *http.Request) { r.Header.Set("Api-Key", appKey) },
		"another bearer": func(r *http.Request) { r.Header.Add("Authorization", "Bearer "+appKey) },
		"Gemini's query": func(r *http.Request) {
			r.URL.Path, r.URL.RawQuery = "/v1beta/models/chat:generateContent", "key="+appKey
		},
		"no such header": func(r *http.Request) { r.Header.Set("X-Signalbox-Caller", "accesskey:app") },
		"forwarded names": func(r *http.Request) {
			r.Header.Set("X-Forwarded-User", "app")
			r.Header.Set("Impersonate-User", "app")
		},
	} {
		request := h.request(t.Context(), ask{key: strangerKey})
		change(request)
		response, err := h.front.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized && response.StatusCode != http.StatusForbidden {
			t.Errorf("%s: status %d", name, response.StatusCode)
		}
	}
}
