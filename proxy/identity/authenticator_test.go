package identity_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"signalbox.dev/signalbox/proxy/identity"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	issuerURL = "https://kubernetes.default.svc.cluster.local"
	audience  = "signalbox.team-a"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// signer makes tokens with one key.
type signer struct {
	key       crypto.Signer
	algorithm jose.SignatureAlgorithm
	id        string
}

func newSigner(t testing.TB, id string) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{key: key, algorithm: jose.ES256, id: id}
}

func (s signer) public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: s.key.Public(), KeyID: s.id, Algorithm: string(s.algorithm), Use: "sig"}
}

// claimSet is the claims of a token as the API server makes them.
func claimSet(changes map[string]any) map[string]any {
	set := map[string]any{
		"iss": issuerURL, "aud": []string{audience}, "sub": "system:serviceaccount:team-b:app",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": "c4f1",
		"kubernetes.io": map[string]any{
			"namespace": "team-b", "serviceaccount": map[string]any{"name": "app", "uid": "u1"}, "pod": map[string]any{"name": "app-0", "uid": "u2"},
		},
	}
	for name, value := range changes {
		if value == nil {
			delete(set, name)
		} else {
			set[name] = value
		}
	}
	return set
}

// token signs the claims.
func (s signer) token(t testing.TB, claims map[string]any) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType("JWT")
	if s.id != "" {
		options = options.WithHeader("kid", s.id)
	}
	sign, err := jose.NewSigner(jose.SigningKey{Algorithm: s.algorithm, Key: s.key}, options)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(sign).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func keySet(t testing.TB, keys ...jose.JSONWebKey) []byte {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func newTable(t testing.TB, signers ...signer) *table.Table {
	t.Helper()
	var keys []jose.JSONWebKey
	for _, s := range signers {
		keys = append(keys, s.public())
	}
	return &table.Table{
		Namespace: "team-a", AccessKeySalt: []byte("0123456789abcdef0123456789abcdef"),
		Issuers: []table.Issuer{{URL: issuerURL, Audience: audience, JWKS: keySet(t, keys...), MaxLifetime: 24 * time.Hour}},
	}
}

func withAccessKey(t *table.Table, name, key string) *table.Table {
	mac := hmac.New(sha256.New, t.AccessKeySalt)
	mac.Write([]byte(key))
	t.AccessKeys = append(t.AccessKeys, table.AccessKey{Name: name, HMAC: mac.Sum(nil)})
	return t
}

// who is the caller that an authenticator sees.
func who(a *identity.Authenticator, token string, at time.Time) (identity.Caller, error) {
	grant, err := a.Authenticate(token, at)
	if err != nil {
		if grant != nil {
			return grant.Caller, err
		}
		return identity.Caller{}, err
	}
	return grant.Caller, nil
}

func TestAccessKeys(t *testing.T) {
	entries := withAccessKey(withAccessKey(withAccessKey(newTable(t, newSigner(t, "k")), "laptop", "sk-laptop"), "copy", "sk-laptop"), "odd", "eyJ.looks.signed")
	entries.AccessKeys = append(entries.AccessKeys, table.AccessKey{Name: "broken", HMAC: []byte("short")})
	a := identity.New(entries, nil)
	if len(a.Problems()) != 1 || !strings.Contains(a.Problems()[0].Error(), "broken") {
		t.Errorf("problems are %v, want one of access key broken", a.Problems())
	}
	for key, want := range map[string]identity.Caller{"sk-laptop": accessKey("laptop"), "eyJ.looks.signed": accessKey("odd")} {
		if got, err := who(a, key, now); err != nil || got != want {
			t.Errorf("%s is %v, %v, want %v", key, got, err, want)
		}
	}
	for key, reason := range map[string]identity.Reason{
		"sk-laptop ": identity.Malformed, "": identity.Missing, "sk-lapto": identity.UnknownKey, "sk-laptoq": identity.UnknownKey, "short": identity.UnknownKey,
		strings.Repeat("k", 1<<20): identity.Malformed, "eyJ.not.signed": identity.Malformed,
	} {
		got, err := who(a, key, now)
		wantReason(t, err, reason)
		if got != (identity.Caller{}) {
			t.Errorf("%.20s fails, but names %v", key, got)
		}
	}
}

func TestAccessKeysWithoutSalt(t *testing.T) {
	entries := &table.Table{}
	withAccessKey(entries, "laptop", "sk-laptop")
	a := identity.New(entries, nil)
	_, err := a.Authenticate("sk-laptop", now)
	wantReason(t, err, identity.UnknownKey)
	if len(a.Problems()) != 1 {
		t.Errorf("problems are %v, want one", a.Problems())
	}
}

func TestServiceAccountToken(t *testing.T) {
	s := newSigner(t, "k1")
	a := identity.New(newTable(t, newSigner(t, "k0"), s), nil)
	kubernetes := func(namespace, name any) map[string]any {
		return map[string]any{"namespace": namespace, "serviceaccount": map[string]any{"name": name}}
	}
	at := func(offset time.Duration) int64 { return now.Add(offset).Unix() }
	for name, tc := range map[string]struct {
		changes map[string]any
		reason  identity.Reason
	}{
		"good":                   {},
		"audience as text":       {changes: map[string]any{"aud": audience}},
		"one of two audiences":   {changes: map[string]any{"aud": []string{"other", audience}}},
		"no nbf":                 {changes: map[string]any{"nbf": nil}},
		"times are fractions":    {changes: map[string]any{"exp": float64(at(time.Hour)) + 0.5}},
		"about to expire":        {changes: map[string]any{"iat": at(-time.Hour), "nbf": nil, "exp": at(time.Second)}},
		"iat ahead a little":     {changes: map[string]any{"iat": at(50 * time.Second), "nbf": nil}},
		"at the lifetime":        {changes: map[string]any{"exp": at(24 * time.Hour)}},
		"expired":                {changes: map[string]any{"iat": at(-time.Hour), "nbf": nil, "exp": at(0)}, reason: identity.Expired},
		"iat ahead":              {changes: map[string]any{"iat": at(61 * time.Second), "nbf": nil}, reason: identity.NotYetValid},
		"nbf ahead":              {changes: map[string]any{"nbf": at(61 * time.Second)}, reason: identity.NotYetValid},
		"lifetime":               {changes: map[string]any{"exp": at(24*time.Hour + time.Second)}, reason: identity.LifetimeTooLong},
		"no exp":                 {changes: map[string]any{"exp": nil}, reason: identity.Malformed},
		"no iat":                 {changes: map[string]any{"iat": nil}, reason: identity.Malformed},
		"exp as text":            {changes: map[string]any{"exp": "soon"}, reason: identity.Malformed},
		"endless exp":            {changes: map[string]any{"exp": 1e300}, reason: identity.Malformed},
		"other audience":         {changes: map[string]any{"aud": []string{"signalbox.team-c"}}, reason: identity.WrongAudience},
		"the API server's":       {changes: map[string]any{"aud": []string{issuerURL}}, reason: identity.WrongAudience},
		"no audience":            {changes: map[string]any{"aud": nil}, reason: identity.WrongAudience},
		"part of the audience":   {changes: map[string]any{"aud": "signalbox.team-ab"}, reason: identity.WrongAudience},
		"other issuer":           {changes: map[string]any{"iss": "https://evil.example"}, reason: identity.WrongIssuer},
		"no issuer":              {changes: map[string]any{"iss": nil}, reason: identity.WrongIssuer},
		"a user":                 {changes: map[string]any{"sub": "admin", "kubernetes.io": nil}, reason: identity.Malformed},
		"sub of another":         {changes: map[string]any{"sub": "system:serviceaccount:team-b:other"}, reason: identity.Malformed},
		"claims of another":      {changes: map[string]any{"kubernetes.io": kubernetes("team-a", "app")}, reason: identity.Malformed},
		"empty names":            {changes: map[string]any{"sub": "system:serviceaccount::", "kubernetes.io": kubernetes("", "")}, reason: identity.Malformed},
		"slash in a name":        {changes: map[string]any{"sub": "system:serviceaccount:team-b:a/b", "kubernetes.io": kubernetes("team-b", "a/b")}, reason: identity.Malformed},
		"names are not texts":    {changes: map[string]any{"kubernetes.io": kubernetes(1, 2)}, reason: identity.Malformed},
		"names are not together": {changes: map[string]any{"kubernetes.io": "team-b/app"}, reason: identity.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			text := s.token(t, claimSet(tc.changes))
			for _, attempt := range []string{"first", "second"} { // The second one may come from memory.
				got, err := who(a, text, now)
				if tc.reason != 0 {
					wantReason(t, err, tc.reason)
					continue
				}
				if want := account("team-b", "app"); err != nil || got != want {
					t.Errorf("%s: caller is %v, %v, want %v", attempt, got, err, want)
				}
			}
		})
	}
}

// TestForgedTokens shows tokens that somebody other than the cluster made.
func TestForgedTokens(t *testing.T) {
	real, forger := newSigner(t, "k1"), newSigner(t, "k1")
	a := identity.New(newTable(t, real), nil)
	good := strings.Split(real.token(t, claimSet(nil)), ".")
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	changed, err := json.Marshal(claimSet(map[string]any{"sub": "system:serviceaccount:team-b:boss", "kubernetes.io": map[string]any{"namespace": "team-b", "serviceaccount": map[string]any{"name": "boss"}}}))
	if err != nil {
		t.Fatal(err)
	}
	publicKey, err := json.Marshal(real.public())
	if err != nil {
		t.Fatal(err)
	}
	symmetric, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: publicKey}, (&jose.SignerOptions{}).WithHeader("kid", "k1"))
	if err != nil {
		t.Fatal(err)
	}
	confused, err := jwt.Signed(symmetric).Claims(claimSet(nil)).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	other := newSigner(t, "k2")
	for name, tc := range map[string]struct {
		token  string
		reason identity.Reason
	}{
		"another's key, same id": {forger.token(t, claimSet(nil)), identity.BadSignature},
		"another's key":          {other.token(t, claimSet(nil)), identity.UnknownKey},
		"another's, no id":       {signer{key: forger.key, algorithm: forger.algorithm}.token(t, claimSet(nil)), identity.BadSignature},
		"changed claims":         {good[0] + "." + encode(string(changed)) + "." + good[2], identity.BadSignature},
		"no signature":           {good[0] + "." + good[1] + ".", identity.BadSignature},
		"algorithm none":         {encode(`{"alg":"none"}`) + "." + good[1] + ".", identity.Malformed},
		"shared secret":          {confused, identity.Malformed},
		"key inside the token":   {encode(`{"alg":"ES256","jwk":`+string(publicKey)+`}`) + "." + good[1] + "." + good[2], identity.BadSignature},
		"unknown critical":       {encode(`{"alg":"ES256","kid":"k1","crit":["x"],"x":1}`) + "." + good[1] + "." + good[2], identity.BadSignature},
		"not base64":             {"eyJ!." + good[1] + "." + good[2], identity.Malformed},
		"claims are no object":   {good[0] + "." + encode(`[]`) + "." + good[2], identity.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := a.Authenticate(tc.token, now)
			wantReason(t, err, tc.reason)
		})
	}
}

func TestErrorsHoldNothingOfTheToken(t *testing.T) {
	s := newSigner(t, "secretkid")
	a := identity.New(newTable(t, newSigner(t, "k1")), nil)
	for _, token := range []string{"secret", "eyJsecret.secret.secret", s.token(t, claimSet(map[string]any{"iss": "secret"})), s.token(t, claimSet(nil)), "secret\x01"} {
		_, err := a.Authenticate(token, now)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("error is %v", err)
		}
	}
}

func TestWrongAudienceNamesTheRightOne(t *testing.T) {
	s := newSigner(t, "k1")
	_, err := identity.New(newTable(t, s), nil).Authenticate(s.token(t, claimSet(map[string]any{"aud": "other"})), now)
	if err == nil || !strings.Contains(err.Error(), audience) {
		t.Errorf("error is %v, want one that names %s", err, audience)
	}
}

// TestTokenIsRemembered shows that what was verified once is still honoured until it expires, and no longer, and not by another table.
func TestTokenIsRemembered(t *testing.T) {
	s := newSigner(t, "k1")
	entries := newTable(t, s)
	a := identity.New(entries, nil)
	token := s.token(t, claimSet(nil))
	for _, tc := range []struct {
		at     time.Duration
		reason identity.Reason
	}{{0, 0}, {time.Hour - 1, 0}, {time.Hour, identity.Expired}, {-2 * time.Minute, identity.NotYetValid}, {time.Minute, 0}} {
		_, err := a.Authenticate(token, now.Add(tc.at))
		if tc.reason == 0 && err != nil {
			t.Errorf("after %v: %v", tc.at, err)
		}
		if tc.reason != 0 {
			wantReason(t, err, tc.reason)
		}
	}
	entries.Issuers[0].JWKS = keySet(t, newSigner(t, "k2").public())
	_, err := identity.New(entries, nil).Authenticate(token, now)
	wantReason(t, err, identity.UnknownKey)
}

func TestIssuers(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaSigner := signer{key: rsaKey, algorithm: jose.RS256, id: "rsa"}
	old, encryption := newSigner(t, "old"), newSigner(t, "enc")
	forEncryption := encryption.public()
	forEncryption.Use = "enc"
	noAlgorithm := old.public()
	noAlgorithm.Algorithm, noAlgorithm.KeyID = "", ""
	entries := &table.Table{Issuers: []table.Issuer{
		{URL: "https://broken", Name: "broken", Audience: audience, JWKS: []byte("not JSON")},
		{URL: "https://empty", Name: "empty", Audience: audience, JWKS: []byte(`{"keys":[{"kty":"oct","k":"c2VjcmV0"},{"kty":"new"}]}`)},
		{URL: issuerURL, Audience: audience, JWKS: keySet(t, forEncryption, noAlgorithm, rsaSigner.public())},
	}}
	a := identity.New(entries, nil)
	if len(a.Problems()) != 2 {
		t.Errorf("problems are %v, want those of two issuers", a.Problems())
	}
	anonymous := signer{key: old.key, algorithm: old.algorithm}
	for name, token := range map[string]string{"RSA": rsaSigner.token(t, claimSet(nil)), "no key id": anonymous.token(t, claimSet(nil))} {
		if _, err := a.Authenticate(token, now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = a.Authenticate(rsaSigner.token(t, claimSet(map[string]any{"exp": now.Add(25 * time.Hour).Unix()})), now)
	wantReason(t, err, identity.LifetimeTooLong)
	_, err = a.Authenticate(encryption.token(t, claimSet(nil)), now)
	wantReason(t, err, identity.UnknownKey)
}

// TestManyCallers authenticates from many goroutines at once.
func TestManyCallers(t *testing.T) {
	s := newSigner(t, "k1")
	a := identity.New(withAccessKey(newTable(t, s), "laptop", "sk-laptop"), nil)
	const workers, each = 8, 50
	tokens := make([]string, workers*each)
	for i := range tokens {
		tokens[i] = s.token(t, claimSet(map[string]any{"jti": strconv.Itoa(i), "exp": now.Add(time.Duration(i%2+1) * time.Hour).Unix()}))
	}
	var group sync.WaitGroup
	failures := make(chan error, workers)
	for worker := range workers {
		group.Go(func() {
			var failed error
			for i := range each {
				_, tokenErr := a.Authenticate(tokens[worker*each+i], now.Add(time.Duration(i)*time.Second))
				_, keyErr := a.Authenticate("sk-laptop", now)
				failed = errors.Join(failed, tokenErr, keyErr)
			}
			failures <- failed
		})
	}
	group.Wait()
	close(failures)
	for err := range failures {
		if err != nil {
			t.Error(err)
		}
	}
}

// FuzzAuthenticate checks that nothing but what is known gets in, however it looks.
func FuzzAuthenticate(f *testing.F) {
	s := newSigner(f, "k1")
	a := identity.New(withAccessKey(newTable(f, s), "laptop", "sk-laptop"), nil)
	good := s.token(f, claimSet(nil))
	for _, seed := range []string{good, good[:len(good)-1], "sk-laptop", "", "eyJ..", "eyJhbGciOiJub25lIn0.e30.", strings.Replace(good, ".", "..", 1)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		caller, err := who(a, token, now)
		if err == nil {
			if token != "sk-laptop" && caller != account("team-b", "app") {
				t.Fatalf("%q is %v", token, caller)
			}
			return
		}
		var problem *identity.Error
		if !errors.As(err, &problem) || caller != (identity.Caller{}) {
			t.Fatalf("%q: caller %v, error %#v", token, caller, err)
		}
	})
}

func BenchmarkAuthenticate(b *testing.B) {
	s := newSigner(b, "k1")
	a := identity.New(withAccessKey(newTable(b, s), "laptop", "sk-laptop"), nil)
	for name, token := range map[string]string{"access key": "sk-laptop", "known token": s.token(b, claimSet(nil))} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Authenticate(token, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
