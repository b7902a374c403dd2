package ledger

import (
	"slices"

	"signalbox.dev/signalbox/proxy/table"
)

// Caller is who makes a call: a ServiceAccount, then Namespace and ServiceAccount are set, an access key, then AccessKey is, or a user, then Issuer and User are.
type Caller struct {
	// Namespace of the ServiceAccount.
	Namespace string
	// ServiceAccount is its name.
	ServiceAccount string
	// AccessKey is the name of the access key.
	AccessKey string
	// Issuer is the name of the OIDC issuer of the user.
	Issuer string
	// User is the user's name there.
	User string
}

// Matches tells whether a budget counts the calls of a caller on a route, as far as these two decide. All that the budget names must match; what it leaves
// out matches anything.
func Matches(budget *table.Budget, route string, caller Caller) bool {
	if len(budget.Routes) > 0 && !slices.Contains(budget.Routes, route) {
		return false
	}
	return len(budget.Callers) == 0 || caller.matchesAny(budget.Callers)
}

func (c *Caller) matchesAny(matches []table.CallerMatch) bool {
	for i := range matches {
		if c.matches(&matches[i]) {
			return true
		}
	}
	return false
}

// matches compares without building strings, since it runs for each call.
func (c *Caller) matches(match *table.CallerMatch) bool {
	switch {
	case match.AccessKey != "":
		return match.AccessKey == c.AccessKey
	case match.User != "":
		return c.User != "" && joins(match.User, c.Issuer, c.User)
	case match.UserIssuer != "":
		return c.User != "" && match.UserIssuer == c.Issuer
	case c.ServiceAccount == "":
		return false
	case match.Namespace != "":
		return match.Namespace == c.Namespace
	default:
		return joins(match.ServiceAccount, c.Namespace, c.ServiceAccount)
	}
}

// joins tells whether whole is first and rest with a slash between them.
func joins(whole, first, rest string) bool {
	n := len(first)
	return len(whole) == n+1+len(rest) && whole[:n] == first && whole[n] == '/' && whole[n+1:] == rest
}
