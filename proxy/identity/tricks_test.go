package identity_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signalbox.dev/signalbox/proxy/identity"
	"signalbox.dev/signalbox/proxy/table"
)

// raw signs a payload as it is, with more in the header.
func (s signer) raw(t testing.TB, payload string, header map[jose.HeaderKey]any) string {
	t.Helper()
	options := (&jose.SignerOptions{ExtraHeaders: header}).WithHeader("kid", s.id)
	sign, err := jose.NewSigner(jose.SigningKey{Algorithm: s.algorithm, Key: s.key}, options)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := sign.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func encoded(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func wantAwait(t *testing.T, err error, url string) {
	t.Helper()
	var refusal *identity.Error
	if !errors.As(err, &refusal) || refusal.AwaitKeysOf != url {
		t.Errorf("error %#v, want one that waits for the keys of %q", err, url)
	}
}

// TestTricks shows tokens that a signer who is trusted, or not, could bend.
func TestTricks(t *testing.T) {
	s, forger := newSigner(t, "k1"), newSigner(t, "evil")
	a := identity.New(newTable(t, s), nil)
	plain, err := json.Marshal(claimSet(nil))
	if err != nil {
		t.Fatal(err)
	}
	claims := string(plain)
	with := func(members string) string { return strings.TrimSuffix(claims, "}") + "," + members + "}" }
	good := s.raw(t, claims, nil)
	embedded := forger.public()
	parts := strings.Split(good, ".")
	for name, tc := range map[string]struct {
		token  string
		reason identity.Reason
	}{
		"audience twice": {s.raw(t, with(`"aud":["signalbox.team-a"]`), nil), identity.Malformed},
		"subject twice":  {s.raw(t, with(`"sub":"system:serviceaccount:team-b:app"`), nil), identity.Malformed},
		"claims of Kubernetes twice": {
			s.raw(t, with(`"kubernetes.io":{"namespace":"team-b","serviceaccount":{"name":"app"}}`), nil), identity.Malformed,
		},
		"names in another case":   {s.raw(t, strings.Replace(claims, `"aud"`, `"AUD"`, 1), nil), identity.WrongAudience},
		"something behind":        {s.raw(t, claims+`{"aud":"x"}`, nil), identity.Malformed},
		"a token in a token":      {s.raw(t, good, map[jose.HeaderKey]any{"cty": "JWT"}), identity.Malformed},
		"critical extension":      {s.raw(t, claims, map[jose.HeaderKey]any{"crit": []string{"exp"}}), identity.BadSignature},
		"key in the header":       {forger.raw(t, claims, map[jose.HeaderKey]any{"jwk": embedded}), identity.UnknownKey},
		"address of a key":        {forger.raw(t, claims, map[jose.HeaderKey]any{"jku": "https://evil.example/keys"}), identity.UnknownKey},
		"address of certificates": {forger.raw(t, claims, map[jose.HeaderKey]any{"x5u": "https://evil.example/c"}), identity.UnknownKey},
		"id that is a path":       {signer{forger.key, forger.algorithm, "../../etc/passwd"}.raw(t, claims, nil), identity.UnknownKey},
		"id that is a query":      {signer{forger.key, forger.algorithm, "k1' OR '1'='1"}.raw(t, claims, nil), identity.UnknownKey},
		"alg none, in capitals":   {encoded(`{"alg":"NONE","kid":"k1"}`) + "." + parts[1] + ".", identity.Malformed},
		"alg twice":               {encoded(`{"alg":"ES256","alg":"none","kid":"k1"}`) + "." + parts[1] + "." + parts[2], identity.Malformed},
		"alg of another size":     {encoded(`{"alg":"ES384","kid":"k1"}`) + "." + parts[1] + "." + parts[2], identity.UnknownKey},
		"no alg":                  {encoded(`{"kid":"k1"}`) + "." + parts[1] + "." + parts[2], identity.Malformed},
		"four parts":              {good + "." + parts[2], identity.UnknownKey},
		"five parts":              {good + ".x.y", identity.UnknownKey},
		"padding":                 {good + "==", identity.Malformed},
		"a blank inside":          {parts[0] + "." + parts[1] + " ." + parts[2], identity.Malformed},
		"a newline behind":        {good + "\n", identity.Malformed},
		"too large":               {s.raw(t, with(`"x":"`+strings.Repeat("x", 16<<10)+`"`), nil), identity.Malformed},
		"as JSON":                 {`{"payload":"` + parts[1] + `"}`, identity.UnknownKey},
	} {
		t.Run(name, func(t *testing.T) {
			grant, err := a.Authenticate(tc.token, now)
			wantReason(t, err, tc.reason)
			if grant != nil {
				t.Errorf("it names %v", grant.Caller)
			}
		})
	}
	if _, err := a.Authenticate(good, now); err != nil {
		t.Errorf("the token that all of these come from: %v", err)
	}
}

// TestOnlyGoodTokensAreWaitedFor shows that an unknown key is worth waiting for only where all else is good, and once it is there, the token too.
func TestOnlyGoodTokensAreWaitedFor(t *testing.T) {
	old, fresh := newSigner(t, "k1"), newSigner(t, "k2")
	a := identity.New(newTable(t, old), nil)
	for name, tc := range map[string]struct {
		token string
		want  string
	}{
		"a new key":        {fresh.token(t, claimSet(nil)), issuerURL},
		"a key with no id": {signer{key: fresh.key, algorithm: fresh.algorithm}.token(t, claimSet(nil)), ""},
		"another kind":     {strings.Replace(old.token(t, claimSet(nil)), encoded(`{"alg":"ES256"`), encoded(`{"alg":"RS256"`), 1), ""},
		"a forged one":     {signer{fresh.key, fresh.algorithm, "k1"}.token(t, claimSet(nil)), ""},
		"another audience": {fresh.token(t, claimSet(map[string]any{"aud": "x"})), ""},
		"another issuer":   {fresh.token(t, claimSet(map[string]any{"iss": "https://x"})), ""},
		"expired":          {fresh.token(t, claimSet(map[string]any{"iat": now.Add(-time.Hour).Unix(), "nbf": nil, "exp": now.Add(-time.Minute).Unix()})), ""},
		"for too long":     {fresh.token(t, claimSet(map[string]any{"exp": now.Add(48 * time.Hour).Unix()})), ""},
		"no account":       {fresh.token(t, claimSet(map[string]any{"sub": "admin"})), ""},
		"a wrong key":      {"sk-wrong", ""},
	} {
		_, err := a.Authenticate(tc.token, now)
		wantAwait(t, err, tc.want)
		if err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	token := fresh.token(t, claimSet(nil))
	after := identity.New(newTable(t, old, fresh), a)
	if _, err := after.Authenticate(token, now); err != nil {
		t.Errorf("with the new key: %v", err)
	}
	removed := identity.New(newTable(t, fresh), after)
	_, err := removed.Authenticate(old.token(t, claimSet(nil)), now)
	wantReason(t, err, identity.UnknownKey)
}

// TestTokenWithoutKeyID shows that a token that does not name its key is looked at with one key, and not with all that its issuer has.
func TestTokenWithoutKeyID(t *testing.T) {
	s, second := newSigner(t, "k1"), newSigner(t, "k2")
	exchange, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	another := signer{key: exchange, algorithm: jose.RS256, id: "r1"}
	anonymous := signer{key: s.key, algorithm: s.algorithm}.token(t, claimSet(nil))
	if _, err := identity.New(newTable(t, s, another), nil).Authenticate(anonymous, now); err != nil {
		t.Errorf("with one key of its kind: %v", err)
	}
	for name, entries := range map[string]*table.Table{"the signer first": newTable(t, s, second), "the signer last": newTable(t, second, s)} {
		_, err := identity.New(entries, nil).Authenticate(anonymous, now)
		wantReason(t, err, identity.UnknownKey)
		wantAwait(t, err, "")
		if err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}

// TestRemovedKeyIsForgotten shows that a token that was verified is not honoured by a table that has its key no more, nor one that was refused refused by a
// table that has it.
func TestRemovedKeyIsForgotten(t *testing.T) {
	s, other := newSigner(t, "k1"), newSigner(t, "k1")
	token := s.token(t, claimSet(nil))
	entries := newTable(t, s)
	first := identity.New(entries, nil)
	if _, err := first.Authenticate(token, now); err != nil {
		t.Fatal(err)
	}
	same := *entries
	same.AccessKeys = []table.AccessKey{{Name: "new", HMAC: make([]byte, 32)}}
	if _, err := identity.New(&same, first).Authenticate(token, now); err != nil {
		t.Errorf("after a change of something else: %v", err)
	}
	second := identity.New(newTable(t, other), first)
	for range 2 {
		_, err := second.Authenticate(token, now)
		wantReason(t, err, identity.BadSignature)
	}
	if _, err := identity.New(entries, second).Authenticate(token, now); err != nil {
		t.Errorf("with its key again: %v", err)
	}
}

// TestTermsOfKeys shows the end of an access key, to the second, and its routes.
func TestTermsOfKeys(t *testing.T) {
	entries := withAccessKey(withAccessKey(newTable(t), "ending", "sk-ending"), "bound", "sk-bound")
	entries.AccessKeys[0].ExpiresAt, entries.AccessKeys[1].Routes = now.Add(time.Minute), []string{"chat"}
	a := identity.New(entries, nil)
	if _, err := a.Authenticate("sk-ending", now.Add(time.Minute-1)); err != nil {
		t.Errorf("before its end: %v", err)
	}
	_, err := a.Authenticate("sk-ending", now.Add(time.Minute))
	wantReason(t, err, identity.Expired)
	everybody := table.Access{AnyAccessKey: true}
	chat, other := &table.Route{Object: table.Object{Name: "chat"}, Access: everybody}, &table.Route{Object: table.Object{Name: "other"}, Access: everybody}
	closed := &table.Route{Object: table.Object{Name: "chat"}}
	bound, err := a.Authenticate("sk-bound", now)
	if err != nil {
		t.Fatal(err)
	}
	free, err := a.Authenticate("sk-ending", now)
	if err != nil {
		t.Fatal(err)
	}
	if !bound.Allows(chat) || bound.Allows(other) || bound.Allows(closed) || !free.Allows(other) || free.Allows(closed) {
		t.Error("routes do not narrow, or widen, what access gives")
	}
}

// BenchmarkWrong measures what refusals cost while good callers come as well. Not one of them is to cost more than one look at a signature.
func BenchmarkWrong(b *testing.B) {
	s, forger := newSigner(b, "k1"), newSigner(b, "k1")
	entries := newTable(b, s)
	for range 1000 {
		withAccessKey(entries, "laptop", "sk-laptop")
	}
	a := identity.New(entries, nil)
	good := s.token(b, claimSet(nil))
	distinct := make([]string, 256)
	for i := range distinct {
		distinct[i] = forger.token(b, claimSet(map[string]any{"jti": strconv.Itoa(i)}))
	}
	for name, next := range map[string]func(int) string{
		"access key":    func(int) string { return "sb-wrong-wrong-wrong-wrong-wrong-wrong-wrong" },
		"one bad token": func(int) string { return distinct[0] },
		"new bad tokens": func(i int) string {
			return distinct[i%len(distinct)][:len(distinct[0])-8] + string(rune('A'+i%26)) + distinct[i%len(distinct)][len(distinct[0])-7:]
		},
		"another audience's tokens": func(int) string { return "" },
	} {
		if name == "another audience's tokens" {
			foreign := s.token(b, claimSet(map[string]any{"aud": "other"}))
			next = func(int) string { return foreign }
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if _, err := a.Authenticate(next(i), now); err == nil {
						b.Error("it was taken")
					}
					if i%8 == 0 {
						if _, err := a.Authenticate(good, now); err != nil {
							b.Error(err)
						}
					}
				}
			})
		})
	}
}
