package oidc_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"signalbox.dev/signalbox/controllers/oidc"
)

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func keySet(t testing.TB, keys ...jose.JSONWebKey) []byte {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// names are the ids of a set's keys.
func names(t testing.TB, set []byte) string {
	t.Helper()
	var parsed jose.JSONWebKeySet
	if err := json.Unmarshal(set, &parsed); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, key := range parsed.Keys {
		ids = append(ids, key.KeyID)
	}
	return strings.Join(ids, " ")
}

func TestNormalizeKeepsWhatChecksSignatures(t *testing.T) {
	private, first, second := ecKey(t), ecKey(t), rsaKey(t, 2048)
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public := func(id string, key crypto.PublicKey) jose.JSONWebKey { return jose.JSONWebKey{KeyID: id, Key: key} }
	t.Setenv("GODEBUG", "rsa1024min=0")
	weak := rsaKey(t, 1024)
	encryption := public("enc", first.Public())
	encryption.Use = "enc"
	set := keySet(t, public("c", first.Public()), public("b", second.Public()), public("a", edwards), public("weak", weak.Public()), encryption,
		jose.JSONWebKey{KeyID: "private", Key: private}, jose.JSONWebKey{KeyID: "shared", Key: []byte("secret")},
		public(strings.Repeat("x", 300), first.Public()), public("c", first.Public()))
	set = []byte(strings.Replace(string(set), `{"keys":[`, `{"keys":[{"kty":"new","kid":"new"},{"kty":"RSA","kid":"half"},7,`, 1))
	got, err := oidc.Normalize(set)
	if err != nil {
		t.Fatal(err)
	}
	if ids := names(t, got); ids != "c a b" {
		t.Errorf("kept are %q", ids)
	}
	for _, secret := range []string{`"d"`, `"k"`, "x5c"} {
		if strings.Contains(string(got), secret) {
			t.Errorf("the set holds %s", secret)
		}
	}
}

func TestNormalizeDoesNotDependOnTheOrder(t *testing.T) {
	a, b := jose.JSONWebKey{KeyID: "a", Key: ecKey(t).Public()}, jose.JSONWebKey{KeyID: "b", Key: ecKey(t).Public()}
	one, err := oidc.Normalize(keySet(t, a, b))
	if err != nil {
		t.Fatal(err)
	}
	other, err := oidc.Normalize(keySet(t, b, a, b))
	if err != nil || string(one) != string(other) {
		t.Errorf("sets are %s and %s, %v", one, other, err)
	}
}

func TestNormalizeRefuses(t *testing.T) {
	var many []jose.JSONWebKey
	key := ecKey(t)
	for i := range 33 {
		many = append(many, jose.JSONWebKey{KeyID: string(rune('a' + i)), Key: key.Public()})
	}
	for name, set := range map[string][]byte{
		"nothing": nil, "no JSON": []byte("<html>"), "no set": []byte("[]"), "no keys": []byte(`{}`), "no good key": []byte(`{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`),
		"too many": keySet(t, many...),
	} {
		if got, err := oidc.Normalize(set); err == nil || strings.Contains(err.Error(), "html") {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

// FuzzNormalize checks that whatever an issuer sends, the set that comes of it is bounded, public and stays the same when it is read again.
func FuzzNormalize(f *testing.F) {
	f.Add(keySet(f, jose.JSONWebKey{KeyID: "a", Key: ecKey(f).Public()}))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"","y":""}]}`))
	f.Fuzz(func(t *testing.T, set []byte) {
		got, err := oidc.Normalize(set)
		if err != nil {
			return
		}
		again, err := oidc.Normalize(got)
		if err != nil || string(again) != string(got) {
			t.Fatalf("%s becomes %s, %v", got, again, err)
		}
		var parsed jose.JSONWebKeySet
		if err := json.Unmarshal(got, &parsed); err != nil {
			t.Fatal(err)
		}
		for _, key := range parsed.Keys {
			if !key.IsPublic() {
				t.Fatalf("key %q is not public", key.KeyID)
			}
		}
	})
}
