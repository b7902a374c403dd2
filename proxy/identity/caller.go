package identity

import (
	"slices"
	"strings"

	"signalbox.dev/signalbox/proxy/table"
)

// Kind is what a caller is.
type Kind int

// The kinds of callers.
const (
	// ServiceAccount is a pod that called with a token of its ServiceAccount.
	ServiceAccount Kind = iota + 1
	// AccessKey is whoever holds an access key.
	AccessKey
	// User is whom an OIDC issuer of the platform's configuration vouches for.
	User
)

// Caller is who calls. The zero Caller is nobody and may use nothing.
type Caller struct {
	// Kind of the caller.
	Kind Kind
	// Namespace of the ServiceAccount; empty for others.
	Namespace string
	// Issuer is the name of the OIDC issuer of a user; empty for others.
	Issuer string
	// Name of the ServiceAccount, of the Secret that holds the access key, or of the user, as the issuer has it.
	Name string
}

// String is how callers are written in logs and usage records: "serviceaccount:namespace/name", "accesskey:name" or "user:issuer/name".
func (c Caller) String() string {
	switch c.Kind {
	case ServiceAccount:
		return "serviceaccount:" + c.Namespace + "/" + c.Name
	case AccessKey:
		return "accesskey:" + c.Name
	case User:
		return "user:" + c.Issuer + "/" + c.Name
	}
	return "nobody"
}

// Grant is what a credential proves: who calls, and what else it says of the caller. It never changes.
type Grant struct {
	Caller
	// Routes are the only ones that the credential may be used for, where their access admits the caller; nil for no such bound.
	Routes []string
	// Tags are what the caller's issuer says of it. They are as good as the credential itself.
	Tags []table.Tag
	// TagKeys are the keys of all tags that the issuer can set: the caller itself can set none of them, not even one that its token lacks.
	TagKeys []string
}

// Allows tells whether the credential may be used for a route.
func (g *Grant) Allows(r *table.Route) bool {
	return (g.Routes == nil || slices.Contains(g.Routes, r.Name)) && Allows(&r.Access, g.Caller)
}

// Allows tells whether access admits the caller; any match admits.
func Allows(access *table.Access, c Caller) bool {
	switch c.Kind {
	case ServiceAccount:
		return access.AnyNamespace || slices.Contains(access.Namespaces, c.Namespace) || contains(access.ServiceAccounts, c.Namespace, c.Name)
	case AccessKey:
		return access.AnyAccessKey || slices.Contains(access.AccessKeys, c.Name)
	case User:
		return slices.Contains(access.UserIssuers, c.Issuer) || contains(access.Users, c.Issuer, c.Name)
	}
	return false
}

// contains tells whether one of the entries is "first/rest". Neither a namespace nor the name of an issuer holds a slash.
func contains(entries []string, first, rest string) bool {
	return slices.ContainsFunc(entries, func(entry string) bool {
		before, after, ok := strings.Cut(entry, "/")
		return ok && before == first && after == rest
	})
}
