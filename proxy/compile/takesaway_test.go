package compile_test

import (
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

func TestTakesAway(t *testing.T) {
	base := func() *table.Table {
		return &table.Table{
			AccessKeys:  []table.AccessKey{{Name: "ci", HMAC: []byte{1}, ExpiresAt: start(), Routes: []string{"a", "b"}}, {Name: "dev", HMAC: []byte{2}}},
			Issuers:     []table.Issuer{{URL: "https://cluster", JWKS: []byte("1")}},
			Credentials: []table.Credential{{Object: table.Object{Name: "groq"}, Keys: []table.Key{{Name: "main", Fingerprint: "f1"}}}},
			Routes: []table.Route{{
				Object: table.Object{Name: "chat"},
				Access: table.Access{Namespaces: []string{"x", "y"}, ServiceAccounts: []string{"z/app"}, AnyAccessKey: true, UserIssuers: []string{"corp"}, Users: []string{"lab/a"}},
			}},
		}
	}
	for name, tc := range map[string]struct {
		change func(*table.Table)
		want   bool
	}{
		"nothing": {func(*table.Table) {}, false},
		"another key": {func(t *table.Table) {
			t.AccessKeys = append(t.AccessKeys, table.AccessKey{Name: "new", HMAC: []byte{3}})
		}, false},
		"a later end":     {func(t *table.Table) { t.AccessKeys[0].ExpiresAt = start().Add(time.Hour) }, false},
		"no end":          {func(t *table.Table) { t.AccessKeys[0].ExpiresAt = time.Time{} }, false},
		"more routes":     {func(t *table.Table) { t.AccessKeys[0].Routes = []string{"a", "b", "c"} }, false},
		"all routes":      {func(t *table.Table) { t.AccessKeys[0].Routes = nil }, false},
		"more namespaces": {func(t *table.Table) { t.Routes[0].Access.Namespaces = []string{"w", "x", "y", "z"} }, false},
		"every namespace": {func(t *table.Table) {
			t.Routes[0].Access = table.Access{AnyNamespace: true, AnyAccessKey: true, UserIssuers: []string{"corp", "lab"}}
		}, false},
		"another route": {func(t *table.Table) { t.Routes = append(t.Routes, table.Route{Object: table.Object{Name: "new"}}) }, false},
		"another provider key": {func(t *table.Table) {
			t.Credentials[0].Keys = append(t.Credentials[0].Keys, table.Key{Fingerprint: "f2"})
		}, false},
		"a key is gone":     {func(t *table.Table) { t.AccessKeys = t.AccessKeys[:1] }, true},
		"a key is another":  {func(t *table.Table) { t.AccessKeys[1].HMAC = []byte{9} }, true},
		"an earlier end":    {func(t *table.Table) { t.AccessKeys[0].ExpiresAt = start().Add(-time.Hour) }, true},
		"an end":            {func(t *table.Table) { t.AccessKeys[1].ExpiresAt = start() }, true},
		"fewer routes":      {func(t *table.Table) { t.AccessKeys[0].Routes = []string{"a"} }, true},
		"some routes":       {func(t *table.Table) { t.AccessKeys[1].Routes = []string{"a"} }, true},
		"an issuer is gone": {func(t *table.Table) { t.Issuers = nil }, true},
		"an issuer's keys":  {func(t *table.Table) { t.Issuers[0].JWKS = []byte("2") }, true},
		"a route is gone":   {func(t *table.Table) { t.Routes = nil }, true},
		"fewer namespaces":  {func(t *table.Table) { t.Routes[0].Access.Namespaces = []string{"x"} }, true},
		"no account":        {func(t *table.Table) { t.Routes[0].Access.ServiceAccounts = nil }, true},
		"some access keys": {func(t *table.Table) {
			t.Routes[0].Access.AnyAccessKey, t.Routes[0].Access.AccessKeys = false, []string{"ci"}
		}, true},
		"some of an issuer": {func(t *table.Table) {
			t.Routes[0].Access.UserIssuers, t.Routes[0].Access.Users = nil, []string{"corp/a", "lab/a"}
		}, true},
		"no user":                {func(t *table.Table) { t.Routes[0].Access.Users = nil }, true},
		"a provider key is gone": {func(t *table.Table) { t.Credentials[0].Keys[0].Fingerprint = "f2" }, true},
		"a credential is gone":   {func(t *table.Table) { t.Credentials = nil }, true},
	} {
		t.Run(name, func(t *testing.T) {
			next := base()
			tc.change(next)
			if got := compile.TakesAway(base(), next); got != tc.want {
				t.Errorf("TakesAway is %v, want %v", got, tc.want)
			}
		})
	}
}
