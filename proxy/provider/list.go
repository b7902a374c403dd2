package provider

import "strings"

// List says how a vendor's list of models is asked for, and what it means that an id is in it or not. Without a Path there is none.
type List struct {
	// Path, RootPath and Endpoint are where it is, with the meaning that they have in Probe. Where that is the address of the probe too, one call does both.
	Path, RootPath, Endpoint string
	// ID is the member of a model that holds its id; empty stands for "id". Aliases are members with other ids of the same model: a text or a list of them.
	ID      string
	Aliases []string
	// Prefix may stand before an id or not.
	Prefix string
	// Mark begins a part at the end of a called id that chooses how the model is served.
	Mark string
	// Tag may stand at the end of an id or not.
	Tag string
	// Regional tells that a called id may begin with a region and a point.
	Regional bool
	// Dated tells that the ids of the list end in dates and can be called without. So only the absence of an id with a date means anything.
	Dated bool
	// Owner ends the name of a model's owner, with which ids begin. Nothing can be said of owners that the list does not know: it may leave out what
	// belongs to one account.
	Owner string
	// Partial tells that the list does not have all that can be called.
	Partial bool
	// Unlisted are patterns of ids, with "*" at either end, that can be called without being in the list.
	Unlisted []string
}

// ListURL returns the address to GET for the list of models; empty where the vendor has none.
func (p Provider) ListURL(a Account) (string, error) {
	if p.List.Path == "" {
		return "", nil
	}
	return p.freeURL(a, place{p.List.Path, p.List.RootPath, p.List.Endpoint})
}

// Listing says whether a model is in a list.
type Listing string

const (
	// ListingUnknown means that the list does not tell.
	ListingUnknown Listing = ""
	// Listed means that it is there.
	Listed Listing = "Listed"
	// Unlisted means that it is not, and would be if it could be called.
	Unlisted Listing = "Unlisted"
)

// Find looks for a model by the id that calls give it.
func (p Provider) Find(list *ModelList, upstreamModel string) (ListedModel, Listing) {
	id := strings.TrimPrefix(upstreamModel, p.List.Prefix)
	for _, name := range p.List.names(id) {
		if found, ok := list.lookup(name); ok {
			return found, Listed
		}
	}
	if list.matchesPattern(id) {
		return ListedModel{ID: id}, Listed
	}
	if p.List.Dated && !endsInDate(id) {
		return list.dated(id)
	}
	if !list.Complete || p.List.Partial || matchesAny(p.List.Unlisted, id) {
		return ListedModel{}, ListingUnknown
	}
	if p.List.Owner != "" && !list.knowsOwner(id, p.List.Owner) {
		return ListedModel{}, ListingUnknown
	}
	return ListedModel{}, Unlisted
}

// names are what a list may have for an id, the likeliest first.
func (l List) names(id string) []string {
	names := []string{id}
	if before, _, marked := strings.Cut(id, l.Mark); l.Mark != "" && marked {
		names = append(names, before)
	}
	if l.Tag != "" {
		names = append(names, id+l.Tag, strings.TrimSuffix(id, l.Tag))
	}
	if _, rest, regional := strings.Cut(id, "."); l.Regional && regional {
		names = append(names, rest)
	}
	return names
}

// endsInDate tells whether an id ends in a day, as in -20250929, or in a month, as in -08-2024.
func endsInDate(id string) bool {
	const day, month = "-20250929", "-08-2024"
	return endsLike(id, day) || endsLike(id, month)
}

// endsLike tells whether an id ends in hyphens and digits where the example has them.
func endsLike(id, example string) bool {
	if len(id) < len(example) {
		return false
	}
	end := id[len(id)-len(example):]
	for i := range len(example) {
		if isDigit(example[i]) != isDigit(end[i]) || !isDigit(end[i]) && end[i] != example[i] {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
