package identity_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"signalbox.dev/signalbox/proxy/identity"
	"signalbox.dev/signalbox/proxy/table"
)

func account(namespace, name string) identity.Caller {
	return identity.Caller{Kind: identity.ServiceAccount, Namespace: namespace, Name: name}
}

func accessKey(name string) identity.Caller {
	return identity.Caller{Kind: identity.AccessKey, Name: name}
}

func user(issuer, name string) identity.Caller {
	return identity.Caller{Kind: identity.User, Issuer: issuer, Name: name}
}

func TestCallerString(t *testing.T) {
	for want, caller := range map[string]identity.Caller{"serviceaccount:team-a/app": account("team-a", "app"), "accesskey:laptop": accessKey("laptop"), "user:corp/a/b@c": user("corp", "a/b@c"), "nobody": {}} {
		if got := caller.String(); got != want {
			t.Errorf("%+v is written %q, want %q", caller, got, want)
		}
	}
}

func TestAllows(t *testing.T) {
	for name, tc := range map[string]struct {
		access table.Access
		caller identity.Caller
		want   bool
	}{
		"nobody is admitted":          {access: table.Access{}, caller: account("a", "b")},
		"any namespace":               {access: table.Access{AnyNamespace: true}, caller: account("a", "b"), want: true},
		"any namespace, access key":   {access: table.Access{AnyNamespace: true}, caller: accessKey("b")},
		"any namespace, no caller":    {access: table.Access{AnyNamespace: true}},
		"namespace":                   {access: table.Access{Namespaces: []string{"x", "a"}}, caller: account("a", "b"), want: true},
		"other namespace":             {access: table.Access{Namespaces: []string{"x"}}, caller: account("a", "b")},
		"access key has no namespace": {access: table.Access{Namespaces: []string{""}}, caller: accessKey("b")},
		"account":                     {access: table.Access{ServiceAccounts: []string{"a/c", "a/b"}}, caller: account("a", "b"), want: true},
		"account elsewhere":           {access: table.Access{ServiceAccounts: []string{"c/b"}}, caller: account("a", "b")},
		"account without namespace":   {access: table.Access{ServiceAccounts: []string{"b"}}, caller: account("", "b")},
		"any access key":              {access: table.Access{AnyAccessKey: true}, caller: accessKey("b"), want: true},
		"any access key, account":     {access: table.Access{AnyAccessKey: true}, caller: account("a", "b")},
		"any access key, no caller":   {access: table.Access{AnyAccessKey: true}},
		"key":                         {access: table.Access{AccessKeys: []string{"x", "b"}}, caller: accessKey("b"), want: true},
		"other key":                   {access: table.Access{AccessKeys: []string{"x"}}, caller: accessKey("b")},
		"account named like a key":    {access: table.Access{AccessKeys: []string{"b"}}, caller: account("a", "b")},
		"issuer":                      {access: table.Access{UserIssuers: []string{"x", "corp"}}, caller: user("corp", "b"), want: true},
		"other issuer":                {access: table.Access{UserIssuers: []string{"x"}}, caller: user("corp", "b")},
		"user":                        {access: table.Access{Users: []string{"corp/x", "corp/a/b"}}, caller: user("corp", "a/b"), want: true},
		"other user":                  {access: table.Access{Users: []string{"corp/a"}}, caller: user("corp", "a/b")},
		"user of another issuer":      {access: table.Access{Users: []string{"corp/b"}}, caller: user("x", "b")},
		"user named like an account":  {access: table.Access{AnyNamespace: true, AnyAccessKey: true, Namespaces: []string{"corp", ""}, ServiceAccounts: []string{"corp/b", "/b"}, AccessKeys: []string{"b"}}, caller: user("corp", "b")},
		"account named like a user":   {access: table.Access{UserIssuers: []string{"a", ""}, Users: []string{"a/b", "/b"}}, caller: account("a", "b")},
		"key named like a user":       {access: table.Access{UserIssuers: []string{""}, Users: []string{"/b"}}, caller: accessKey("b")},
		"any access key, a user":      {access: table.Access{AnyAccessKey: true}, caller: user("corp", "b")},
		"key named like an account":   {access: table.Access{ServiceAccounts: []string{"a/b"}}, caller: accessKey("a/b")},
	} {
		t.Run(name, func(t *testing.T) {
			if got := identity.Allows(&tc.access, tc.caller); got != tc.want {
				t.Errorf("Allows is %v, want %v", got, tc.want)
			}
		})
	}
}

func TestToken(t *testing.T) {
	for name, tc := range map[string]struct {
		header http.Header
		want   string
		reason identity.Reason
	}{
		"bearer":             {header: http.Header{"Authorization": {"Bearer sk-1"}}, want: "sk-1"},
		"scheme in any case": {header: http.Header{"Authorization": {"bEARER  sk-1 "}}, want: "sk-1"},
		"x-api-key":          {header: http.Header{"X-Api-Key": {"sk-2"}}, want: "sk-2"},
		"x-goog-api-key":     {header: http.Header{"X-Goog-Api-Key": {"sk-4"}}, want: "sk-4"},
		"api-key":            {header: http.Header{"Api-Key": {"sk-3"}}, want: "sk-3"},
		"the same twice":     {header: http.Header{"Authorization": {"Bearer sk-1"}, "X-Api-Key": {"sk-1"}, "Api-Key": {" sk-1"}}, want: "sk-1"},
		"bearer and another": {header: http.Header{"Authorization": {"Bearer sk-1"}, "X-Api-Key": {"sk-2"}}, reason: identity.Ambiguous},
		"two different keys": {header: http.Header{"X-Goog-Api-Key": {"sk-1"}, "Api-Key": {"sk-2"}}, reason: identity.Ambiguous},
		"empty bearer":       {header: http.Header{"Authorization": {"Bearer "}, "X-Api-Key": {"sk-2"}}, want: "sk-2"},
		"basic beside a key": {header: http.Header{"Authorization": {"Basic eDp5"}, "Api-Key": {"sk-3"}}, want: "sk-3"},
		"nothing":            {header: http.Header{}, reason: identity.Missing},
		"all empty":          {header: http.Header{"Authorization": {"Bearer"}, "X-Api-Key": {""}}, reason: identity.Missing},
		"basic":              {header: http.Header{"Authorization": {"Basic eDp5"}}, reason: identity.Malformed},
		"no scheme":          {header: http.Header{"Authorization": {"sk-1"}}, reason: identity.Malformed},
		"two headers":        {header: http.Header{"Authorization": {"Bearer sk-1", "Bearer sk-2"}}, reason: identity.Malformed},
		"two keys":           {header: http.Header{"X-Api-Key": {"sk-1", "sk-2"}}, reason: identity.Malformed},
		"blank inside":       {header: http.Header{"Authorization": {"Bearer sk-1 sk-2"}}, reason: identity.Malformed},
		"control character":  {header: http.Header{"X-Api-Key": {"sk\x01"}}, reason: identity.Malformed},
		"not ASCII":          {header: http.Header{"X-Api-Key": {"clé"}}, reason: identity.Malformed},
		"too long":           {header: http.Header{"X-Api-Key": {strings.Repeat("k", 20_000)}}, reason: identity.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := identity.Token(tc.header)
			if tc.reason == 0 {
				if err != nil || got != tc.want {
					t.Errorf("Token = %q, %v, want %q", got, err, tc.want)
				}
				return
			}
			wantReason(t, err, tc.reason)
		})
	}
}

func wantReason(t *testing.T, err error, want identity.Reason) {
	t.Helper()
	var problem *identity.Error
	if !errors.As(err, &problem) {
		t.Fatalf("error %v, want an identity.Error", err)
	}
	if problem.Reason != want || problem.Message == "" {
		t.Errorf("error %s: %q, want %s", problem.Reason, problem.Message, want)
	}
}

func TestReasonsHaveWords(t *testing.T) {
	seen := map[string]bool{"unknown": true}
	for reason := identity.Missing; reason <= identity.Ambiguous; reason++ {
		if word := reason.String(); seen[word] {
			t.Errorf("reason %d is %q, as another one", reason, word)
		} else {
			seen[word] = true
		}
	}
}

// FuzzToken checks that whatever is taken from a header is fit to be looked up.
func FuzzToken(f *testing.F) {
	f.Add("Bearer sk-1", "", "")
	f.Add("bearer  ", "sk-2", "sk-3")
	f.Add("Basic eDp5", "", "k\x00")
	f.Fuzz(func(t *testing.T, authorization, key, azureKey string) {
		token, err := identity.Token(http.Header{"Authorization": {authorization}, "X-Api-Key": {key}, "Api-Key": {azureKey}})
		if err != nil {
			var problem *identity.Error
			if !errors.As(err, &problem) || (problem.Reason != identity.Missing && problem.Reason != identity.Malformed && problem.Reason != identity.Ambiguous) {
				t.Fatalf("error %#v", err)
			}
			return
		}
		if token == "" || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) || !strings.Contains(authorization+"\n"+key+"\n"+azureKey, token) {
			t.Fatalf("token %q", token)
		}
	})
}
