package endpoint

import (
	"errors"
	"fmt"
	"net/netip"
)

// DeniedError says that the rules forbid an address or name. Its text is a sentence for the user whose endpoint it is.
type DeniedError struct {
	// Host is the name as written; empty where an address was written.
	Host string
	// Addr is the denied address; invalid where the name alone is denied.
	Addr netip.Addr
	// Rule is what denies it.
	Rule Rule
}

// Error returns such as "llama.test leads to 127.0.0.1, which is a loopback address; endpoints may not lead there".
func (e *DeniedError) Error() string {
	subject := e.Host
	switch {
	case subject == "" && e.Addr.IsValid():
		subject = e.Addr.String()
	case e.Addr.IsValid():
		subject = fmt.Sprintf("%s leads to %s, which", e.Host, e.Addr)
	case subject == "":
		subject = "the endpoint"
	}
	if e.Rule == RuleOutOfReach {
		return subject + " is " + e.Rule.reason()
	}
	return subject + " is " + e.Rule.reason() + "; an endpoint may lead there only if the platform's configuration allows it"
}

// IsDenied says whether err's chain holds a *DeniedError.
func IsDenied(err error) bool {
	var denied *DeniedError
	return errors.As(err, &denied)
}

// URLError says that an endpoint is not written as one. Its text is a sentence for the user whose endpoint it is.
type URLError struct {
	// Problem says what is wrong and what to write instead. It repeats no part of the URL that could be a secret.
	Problem string
}

// Error returns the problem.
func (e *URLError) Error() string { return "endpoint " + e.Problem }

// IsURLError says whether err's chain holds a *URLError.
func IsURLError(err error) bool {
	var malformed *URLError
	return errors.As(err, &malformed)
}
