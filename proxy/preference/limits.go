package preference

import "strings"

// limit is which of OpenRouter's providers one side allows: those of only, and of order where there are no fallbacks, an empty list being all; but none of
// ignore.
type limit struct{ only, order, ignore []string }

// limits are those of the route and of the request.
type limits [2]limit

// restrict tells whether there is a list that names all that is allowed.
func (l limits) restrict() bool {
	for _, side := range l {
		if len(side.only)+len(side.order) > 0 {
			return true
		}
	}
	return false
}

// leaveSome tells whether a provider is left. own tells which slugs of the request are not OpenRouter's and do not count; nil for none.
func (l limits) leaveSome(own func(slug string) bool) bool {
	restricted := false
	for i, side := range l {
		for _, list := range [...][]string{side.only, side.order} {
			for _, slug := range list {
				if i == 1 && own != nil && own(slug) {
					continue
				}
				restricted = true
				if l.allow(slug, own) {
					return true
				}
			}
		}
	}
	return !restricted
}

// within are the slugs that are allowed, each once.
func (l limits) within(slugs []string) []string {
	var allowed []string
	for _, slug := range slugs {
		if l.allow(slug, nil) {
			allowed = append(allowed, slug)
		}
	}
	return distinct(allowed)
}

// allow tells whether all that a slug names is allowed by both sides, but for parts of it that are ignored.
func (l limits) allow(slug string, own func(slug string) bool) bool {
	return isListed(l[0].only, slug, nil) && isListed(l[0].order, slug, nil) && !isIgnored(l[0].ignore, slug, nil) &&
		isListed(l[1].only, slug, own) && isListed(l[1].order, slug, own) && !isIgnored(l[1].ignore, slug, own)
}

// isListed tells whether a list has a slug. A list that is empty, but for slugs of our own, has all.
func isListed(list []string, slug string, own func(slug string) bool) bool {
	empty := true
	for _, entry := range list {
		if own != nil && own(entry) {
			continue
		}
		if contains(entry, slug) {
			return true
		}
		empty = false
	}
	return empty
}

// isIgnored tells whether a list names all that a slug does. Here a base also stands for its tiers: who does not want a provider wants none of it.
func isIgnored(list []string, slug string, own func(slug string) bool) bool {
	for _, entry := range list {
		if isBase(entry, slug) && (own == nil || !own(entry)) {
			return true
		}
	}
	return false
}

// contains tells whether a slug names all that another does. Tiers, which have their own price, are only named by themselves.
func contains(slug, other string) bool {
	return isBase(slug, other) && (len(slug) == len(other) || !isTier(other[len(slug)+1:]))
}

// isBase tells whether a slug is another, or the base of it: "google-vertex" is that of "google-vertex/us-east5".
func isBase(slug, other string) bool {
	if len(other) <= len(slug) {
		return strings.EqualFold(slug, other)
	}
	return other[len(slug)] == '/' && strings.EqualFold(slug, other[:len(slug)])
}

func isTier(variant string) bool {
	switch strings.ToLower(variant) {
	case "priority", "flex", "fast", "scale":
		return true
	}
	return false
}
