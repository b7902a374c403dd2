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
)

// Caller is who calls. The zero Caller is nobody and may use nothing.
type Caller struct {
	// Kind of the caller.
	Kind Kind
	// Namespace of the ServiceAccount; empty for an access key.
	Namespace string
	// Name of the ServiceAccount, or of the Secret that holds the access key.
	Name string
}

// String is how callers are written in logs and usage records: "serviceaccount:namespace/name" or "accesskey:name".
func (c Caller) String() string {
	switch c.Kind {
	case ServiceAccount:
		return "serviceaccount:" + c.Namespace + "/" + c.Name
	case AccessKey:
		return "accesskey:" + c.Name
	}
	return "nobody"
}

// Allows tells whether access admits the caller; any match admits.
func Allows(access table.Access, c Caller) bool {
	switch c.Kind {
	case ServiceAccount:
		return access.AnyNamespace || slices.Contains(access.Namespaces, c.Namespace) ||
			slices.ContainsFunc(access.ServiceAccounts, func(entry string) bool { return names(entry, c) })
	case AccessKey:
		return access.AnyAccessKey || slices.Contains(access.AccessKeys, c.Name)
	}
	return false
}

// names tells whether entry, a namespace/name, is this ServiceAccount.
func names(entry string, c Caller) bool {
	namespace, name, ok := strings.Cut(entry, "/")
	return ok && namespace == c.Namespace && name == c.Name
}
