package compile

import (
	"fmt"
	"strings"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/table"
)

// issuers are the names of the OIDC issuers of the platform's configuration. It is nil where there are no issuers at all, as on a laptop: then nothing is known
// of them.
type issuers map[string]bool

func knownIssuers(known []table.Issuer) issuers {
	if len(known) == 0 {
		return nil
	}
	names := make(issuers, len(known))
	for i := range known {
		names[known[i].Name] = true
	}
	return names
}

// missing tells once of each issuer that a field names and that is not there, and what follows from it.
func (i issuers) missing(named []string, field, consequence string) []Finding {
	if i == nil {
		return nil
	}
	var findings []Finding
	for _, name := range unique(named) {
		if i[name] {
			continue
		}
		findings = append(findings, Finding{
			Condition: v1alpha1.ConditionResolvedRefs, Reason: v1alpha1.ReasonIssuerNotFound, Field: field,
			Message: fmt.Sprintf("%s: the platform's configuration has no token issuer %q, so %s; ask the platform team for the right one", field, bounded(name), consequence),
		})
	}
	return findings
}

// accessIssuers are the issuers that access names.
func accessIssuers(access *table.Access) []string {
	named := append([]string(nil), access.UserIssuers...)
	for _, user := range access.Users {
		named = append(named, issuerOf(user))
	}
	return named
}

// issuerOf is the issuer of a user, "issuer/name".
func issuerOf(user string) string {
	issuer, _, _ := strings.Cut(user, "/")
	return issuer
}

// issuerDefect is what is wrong with the name of an issuer; empty if nothing is. A slash would make two different users one.
func issuerDefect(name string) string {
	if name == "" || strings.Contains(name, "/") {
		return "it is the name of an issuer in the platform's configuration, without a slash"
	}
	return ""
}
