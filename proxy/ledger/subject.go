package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/table"
)

const (
	// SubjectOthers is the subject of the counter that all share who come when a window has MaxCounters of its own.
	SubjectOthers = "*others"
	// SubjectUntrusted is the subject of the counter that calls share which nobody is believed to have named an end user or a tag for.
	SubjectUntrusted = "*untrusted"
	// maxSubjectBytes is the longest name that is a subject as it is.
	maxSubjectBytes = 400
	// hashBytes is how much of a longer name's hash is in its subject.
	hashBytes = 16
)

// SubjectName returns the subject of an end user, a tag's value or a caller. It is the name itself, but for names that begin with "*", which get another one,
// so that nobody can choose one of the subjects that are shared, and names that are too long or no text, which are cut and told apart by a hash.
func SubjectName(name string) string {
	if len(name) > maxSubjectBytes || !utf8.ValidString(name) {
		return hashed(name)
	}
	if name != "" && (name[0] == '*' || name[0] == '#') {
		return "*" + name
	}
	return name
}

// maxDocumentSubject is the longest subject that is in the name of a document as it is.
const maxDocumentSubject = 200

// DocumentName returns the name under which a store keeps the counters of a subject, when each subject has a document of its own. The name of a ledger holds
// no slash. Long subjects are cut and told apart by a hash; the document itself holds their full name.
func DocumentName(ledger, subject string) string {
	switch {
	case subject == "":
		return ledger
	case len(subject) > maxDocumentSubject:
		return ledger + "/" + hashed(subject)
	default:
		return ledger + "/" + subject
	}
}

// SplitDocument returns the name of the ledger that a document belongs to, and what DocumentName made of its subject.
func SplitDocument(document string) (ledger, subject string) {
	ledger, subject, _ = strings.Cut(document, "/")
	return ledger, subject
}

// hashed stands for a name that cannot be used as it is.
func hashed(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "#" + hex.EncodeToString(sum[:hashBytes])
}

// who is a subject before its name is made, so that finding the counter of a call builds no string. Either caller or name is set, or neither is: then it is
// the shared counter, or that of the untrusted.
type who struct {
	caller Caller
	name   string
}

// who tells which counter of a budget a call belongs to.
func (b *Budget) who(by *Claimant) who {
	switch b.Counter {
	case table.CountPerCaller:
		return who{caller: by.Caller}
	case table.CountPerEndUser:
		if b.Trusts(by) {
			return who{name: by.EndUser}
		}
	case table.CountPerTag:
		if b.Trusts(by) || by.vouched(b.TagKey) {
			return who{name: tagValue(by.Tags, b.TagKey)}
		}
	case table.CountShared:
	}
	return who{}
}

// Trusts tells whether the budget believes what a claimant's caller says of end users and tags.
func (b *Budget) Trusts(by *Claimant) bool {
	return by.Caller.matchesAny(b.TrustedCallers)
}

// vouched tells whether a tag comes from the caller's issuer rather than from the caller itself.
func (c *Claimant) vouched(key string) bool {
	return slices.ContainsFunc(c.Tags[:min(c.Vouched, len(c.Tags))], func(t table.Tag) bool { return t.Key == key })
}

func tagValue(tags []table.Tag, key string) string {
	for i := range tags {
		if tags[i].Key == key {
			return tags[i].Value
		}
	}
	return ""
}

// subject returns the name of the counter of a call.
func (b *Budget) subject(w who) string {
	switch {
	case b.Counter == table.CountShared:
		return ""
	case w == who{}:
		return SubjectUntrusted
	case w.name != "":
		return SubjectName(w.name)
	default:
		return SubjectName(w.caller.Subject())
	}
}

// Subject is the name of a caller's own counter.
func (c Caller) Subject() string {
	if c.AccessKey != "" {
		return "accesskey:" + c.AccessKey
	}
	if c.User != "" {
		return "user:" + c.Issuer + "/" + c.User
	}
	return "serviceaccount:" + c.Namespace + "/" + c.ServiceAccount
}

// Counts tells whether the budget counts the calls of a claimant on a route. All that the budget names must match; what it leaves out matches anything.
func (b *Budget) Counts(route string, by *Claimant) bool {
	if !Matches(b.Budget, route, by.Caller) {
		return false
	}
	if len(b.Tags) == 0 && len(b.EndUsers) == 0 {
		return true
	}
	trusts := b.Trusts(by)
	for _, tag := range b.Tags {
		if !trusts && !by.vouched(tag.Key) || !slices.Contains(by.Tags, tag) {
			return false
		}
	}
	return len(b.EndUsers) == 0 || trusts && slices.Contains(b.EndUsers, by.EndUser)
}
