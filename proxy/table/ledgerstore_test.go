package table

import "testing"

// TestLedgerStoreDigest: whatever makes a difference to a proxy's connection makes one to the digest.
func TestLedgerStoreDigest(t *testing.T) {
	base := Valkey{Addresses: []string{"a:1"}, Username: "u", Password: "p", Prefix: "x"}
	cases := map[string]func(*Valkey){
		"an address":      func(v *Valkey) { v.Addresses = []string{"a:2"} },
		"another address": func(v *Valkey) { v.Addresses = []string{"a:1", "b:1"} },
		"a cluster":       func(v *Valkey) { v.Cluster = true },
		"a user":          func(v *Valkey) { v.Username = "v" },
		"a password":      func(v *Valkey) { v.Password = "q" },
		"a prefix":        func(v *Valkey) { v.Prefix = "y" },
		"authorities":     func(v *Valkey) { v.CAPEM = []byte("pem") },
	}
	digest := func(store LedgerStore) string {
		t.Helper()
		sum, err := store.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	if got := digest(LedgerStore{}); got != ConfigMaps {
		t.Errorf("ConfigMaps have the digest %q", got)
	}
	same := base
	want := digest(LedgerStore{Valkey: &base})
	if got := digest(LedgerStore{Valkey: &same}); got != want || len(got) != 2*digestBytes {
		t.Errorf("the same store has the digests %q and %q", got, want)
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			changed := base
			change(&changed)
			if got := digest(LedgerStore{Valkey: &changed}); got == want {
				t.Errorf("it makes no difference: %q", got)
			}
		})
	}
}
