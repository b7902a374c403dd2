package identity_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/identity"
	"signalbox.dev/signalbox/proxy/table"
)

const corpURL = "https://login.corp.example"

// withCorp adds an OIDC issuer to a table.
func withCorp(t testing.TB, entries *table.Table, s signer, changes ...func(*table.Issuer)) *table.Table {
	corp := table.Issuer{
		Name: "corp", URL: corpURL, Audience: "llm", CallerClaim: "sub", TagClaims: map[string]string{"team": "department", "groups": "groups"},
		JWKS: keySet(t, s.public()), MaxLifetime: time.Hour,
	}
	for _, change := range changes {
		change(&corp)
	}
	entries.Issuers = append(entries.Issuers, corp)
	return entries
}

// corpClaims are those of a good token of the issuer.
func corpClaims(changes map[string]any) map[string]any {
	set := map[string]any{
		"iss": corpURL, "aud": "llm", "sub": "ada", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "email": "ada@corp.example",
		"email_verified": true, "department": "search",
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

func byEmail(i *table.Issuer) { i.CallerClaim = "email" }

func TestUsers(t *testing.T) {
	s := newSigner(t, "c1")
	long := strings.Repeat("x", 257)
	for name, tc := range map[string]struct {
		claims map[string]any
		change func(*table.Issuer)
		want   string
		reason identity.Reason
	}{
		"good":                   {want: "ada"},
		"a name with a slash":    {claims: map[string]any{"sub": "auth0|a/b c"}, want: "auth0|a/b c"},
		"not ASCII":              {claims: map[string]any{"sub": "Zoë"}, want: "Zoë"},
		"verified e-mail":        {change: byEmail, want: "ada@corp.example"},
		"verified in words":      {claims: map[string]any{"email_verified": "true"}, change: byEmail, want: "ada@corp.example"},
		"e-mail not verified":    {claims: map[string]any{"email_verified": false}, change: byEmail, reason: identity.Malformed},
		"e-mail maybe verified":  {claims: map[string]any{"email_verified": nil}, change: byEmail, reason: identity.Malformed},
		"verified by a number":   {claims: map[string]any{"email_verified": 1}, change: byEmail, reason: identity.Malformed},
		"no name":                {claims: map[string]any{"sub": nil}, reason: identity.Malformed},
		"an empty name":          {claims: map[string]any{"sub": ""}, reason: identity.Malformed},
		"a number for a name":    {claims: map[string]any{"sub": 7}, reason: identity.Malformed},
		"a list for a name":      {claims: map[string]any{"groups": []string{"ada"}}, change: func(i *table.Issuer) { i.CallerClaim = "groups" }, reason: identity.Malformed},
		"a name with a newline":  {claims: map[string]any{"sub": "ada\nbob"}, reason: identity.Malformed},
		"a name that is no text": {claims: map[string]any{"sub": json.RawMessage(`"\ud800"`)}, reason: identity.Malformed},
		"a long name":            {claims: map[string]any{"sub": long}, reason: identity.Malformed},
		"another audience":       {claims: map[string]any{"aud": "signalbox.team-a"}, reason: identity.WrongAudience},
		"expired":                {claims: map[string]any{"iat": now.Add(-2 * time.Hour).Unix(), "exp": now.Add(-time.Hour - time.Minute).Unix()}, reason: identity.Expired},
		"not yet":                {claims: map[string]any{"nbf": now.Add(2 * time.Minute).Unix()}, reason: identity.NotYetValid},
		"for too long":           {claims: map[string]any{"exp": now.Add(time.Hour + time.Second).Unix()}, reason: identity.LifetimeTooLong},
		"without iat":            {claims: map[string]any{"iat": nil}, reason: identity.Malformed},
		"without exp":            {claims: map[string]any{"exp": nil}, reason: identity.Malformed},
		"of a ServiceAccount": {
			claims: map[string]any{"sub": "system:serviceaccount:team-b:app", "kubernetes.io": map[string]any{"namespace": "team-b", "serviceaccount": map[string]any{"name": "app"}}},
			want:   "system:serviceaccount:team-b:app",
		},
	} {
		t.Run(name, func(t *testing.T) {
			change := tc.change
			if change == nil {
				change = func(*table.Issuer) {}
			}
			a := identity.New(withCorp(t, newTable(t, newSigner(t, "k1")), s, change), nil)
			got, err := who(a, s.token(t, corpClaims(tc.claims)), now)
			if tc.reason != 0 {
				wantReason(t, err, tc.reason)
				return
			}
			if want := user("corp", tc.want); err != nil || got != want {
				t.Errorf("caller is %v, %v, want %v", got, err, want)
			}
		})
	}
}

func TestTagsOfUsers(t *testing.T) {
	s := newSigner(t, "c1")
	a := identity.New(withCorp(t, newTable(t), s), nil)
	for name, tc := range map[string]struct {
		groups any
		want   string // of the tag groups; empty for none
	}{
		"none": {}, "a text": {"ml", "ml"}, "a number": {12.5, "12.5"}, "a large number": {json.Number("12345678901234567890"), "12345678901234567890"}, "yes": {true, "true"},
		"texts": {[]string{"b", "a"}, "b,a"}, "no texts": {[]string{}, ""}, "an object": {map[string]any{"a": 1}, ""}, "texts and numbers": {[]any{"a", 1}, ""},
		"a comma in a text": {[]string{"a", "b,admin"}, ""}, "a long text": {strings.Repeat("x", 257), ""}, "a newline": {"a\nb", ""}, "null": {json.RawMessage("null"), ""},
		"more texts than fit": {[]string{strings.Repeat("x", 200), strings.Repeat("y", 100), "z"}, strings.Repeat("x", 200)},
	} {
		t.Run(name, func(t *testing.T) {
			grant, err := a.Authenticate(s.token(t, corpClaims(map[string]any{"groups": tc.groups})), now)
			if err != nil {
				t.Fatal(err)
			}
			want := []table.Tag{{Key: "team", Value: "search"}}
			if tc.want != "" {
				want = []table.Tag{{Key: "groups", Value: tc.want}, want[0]}
			}
			if diff := cmp.Diff(want, grant.Tags); diff != "" {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"groups", "team"}, grant.TagKeys); diff != "" {
				t.Errorf("keys of tags (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNobodyPosesAsTheCluster has an OIDC issuer with the cluster's URL, before the cluster and after it, and one whose tokens look like the cluster's.
func TestNobodyPosesAsTheCluster(t *testing.T) {
	real, forger := newSigner(t, "k1"), newSigner(t, "k1")
	pose := func(i *table.Issuer) { i.URL, i.Audience = issuerURL, audience }
	behind := withCorp(t, newTable(t, real), forger, pose)
	before := withCorp(t, &table.Table{}, forger, pose)
	before.Issuers = append(before.Issuers, newTable(t, real).Issuers...)
	for name, entries := range map[string]*table.Table{"behind": behind, "before": before} {
		a := identity.New(entries, nil)
		if len(a.Problems()) != 1 {
			t.Errorf("%s: problems are %v", name, a.Problems())
		}
		_, err := a.Authenticate(forger.token(t, claimSet(nil)), now)
		wantReason(t, err, identity.BadSignature)
		if got, err := who(a, real.token(t, claimSet(nil)), now); err != nil || got != account("team-b", "app") {
			t.Errorf("%s: the cluster's token is %v, %v", name, got, err)
		}
	}
	both := identity.New(withCorp(t, newTable(t, real), forger), nil)
	_, err := both.Authenticate(forger.token(t, claimSet(nil)), now)
	wantReason(t, err, identity.BadSignature)
	_, err = both.Authenticate(real.token(t, corpClaims(nil)), now)
	wantReason(t, err, identity.BadSignature)
}

func TestIssuerWithoutKeysIsWaitedFor(t *testing.T) {
	s := newSigner(t, "c1")
	a := identity.New(withCorp(t, newTable(t), s, func(i *table.Issuer) { i.JWKS = []byte(`{"keys":[]}`) }), nil)
	_, err := a.Authenticate(s.token(t, corpClaims(nil)), now)
	wantAwait(t, err, corpURL)
}

// FuzzUserClaims checks that whatever stands in the claims of a token with a good signature, a name and tags that come of it are bounded and printable.
func FuzzUserClaims(f *testing.F) {
	s := newSigner(f, "c1")
	a := identity.New(withCorp(f, newTable(f), s), nil)
	for _, seed := range []string{`"ada"`, `["a","b"]`, `{"a":1}`, `1e9`, `null`, `"\u0000"`, `["a,b"]`} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, subject, groups string) {
		if !json.Valid([]byte(subject)) || !json.Valid([]byte(groups)) {
			return
		}
		grant, err := a.Authenticate(s.token(t, corpClaims(map[string]any{"sub": json.RawMessage(subject), "groups": json.RawMessage(groups)})), now)
		if err != nil {
			return
		}
		for _, text := range []string{grant.Name, grant.Tags[0].Value} {
			if text == "" || len(text) > 256 || strings.ContainsAny(text, "\n\r\x00\x1b") {
				t.Fatalf("%q came of %s and %s", text, subject, groups)
			}
		}
	})
}
