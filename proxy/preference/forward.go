package preference

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
)

// Forward makes the "provider" object for a target that is OpenRouter itself: what the route declares, raw and possibly nil, narrowed by what the request
// asked for. own tells whether a slug names a target of ours rather than one of OpenRouter's providers; such slugs are not passed on. Nil means none.
//
// The result never allows what the route does not. Where nothing is left that both allow there is no such object, and the error is a
// *dialect.RequestError that says so.
func Forward(route, request []byte, own func(slug string) bool) ([]byte, error) {
	ours, err := readMembers(route)
	if err != nil {
		return nil, err
	}
	theirs, err := readMembers(request)
	if err != nil {
		return nil, err
	}
	theirs.disown(own)
	merged, err := ours.narrowed(theirs)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(merged)
	if err != nil || string(raw) == "{}" {
		return nil, err
	}
	return raw, nil
}

// disown drops slugs that are none of OpenRouter's. A list of nothing else asks nothing of OpenRouter.
func (m *members) disown(own func(slug string) bool) {
	m.Order = slices.DeleteFunc(m.Order, own)
	m.Only = slices.DeleteFunc(m.Only, own)
	m.Ignore = slices.DeleteFunc(m.Ignore, own)
}

// narrowed are members that allow what both allow.
func (m *members) narrowed(by *members) (*members, error) {
	both := limits{m.limit(), by.limit()}
	if !both.leaveSome(nil) {
		return nil, wrongValue(object, "allows no provider that the route allows OpenRouter")
	}
	quantizations, ok := common(m.Quantizations, by.Quantizations)
	if !ok {
		return nil, wrongValue(object+".quantizations", "has none that the route allows OpenRouter")
	}
	result := &members{
		Order:             both.within(slices.Concat(by.Order, m.Order)),
		Ignore:            union(m.Ignore, by.Ignore),
		RequireParameters: either(m.RequireParameters, by.RequireParameters),
		DataCollection:    strictest(m.DataCollection, by.DataCollection),
		ZDR:               either(m.ZDR, by.ZDR),
		Distillable:       either(m.Distillable, by.Distillable),
		Quantizations:     quantizations,
		Sort:              cmp.Or(m.Sort, by.Sort),
		MinThroughput:     given(by.MinThroughput, m.MinThroughput),
		MaxLatency:        given(by.MaxLatency, m.MaxLatency),
		MaxPrice:          lowest(m.MaxPrice, by.MaxPrice),
	}
	if both.restrict() {
		result.Only = both.within(slices.Concat(m.Only, by.Only, m.Order, by.Order))
	}
	if m.forbidsFallbacks() || by.forbidsFallbacks() {
		result.AllowFallbacks = new(false)
	}
	return result, nil
}

func (m *members) forbidsFallbacks() bool { return m.AllowFallbacks != nil && !*m.AllowFallbacks }

func (m *members) limit() limit {
	l := limit{only: m.Only, ignore: m.Ignore}
	if m.forbidsFallbacks() {
		l.order = m.Order
	}
	return l
}

// either is true when one of the flags is; a false that was asked for is told only where nothing else is.
func either(a, b *bool) *bool {
	if isTrue(a) || isTrue(b) {
		return new(true)
	}
	return cmp.Or(a, b)
}

func strictest(a, b string) string {
	if a == collectionDeny || b == collectionDeny {
		return collectionDeny
	}
	return cmp.Or(a, b)
}

// common are the words of both lists, where an empty one has all; false when there are none.
func common(a, b []string) ([]string, bool) {
	if len(a) == 0 || len(b) == 0 {
		return slices.Concat(a, b), true
	}
	both := slices.DeleteFunc(slices.Clone(a), func(word string) bool { return !slices.Contains(b, word) })
	return both, len(both) > 0
}

func union(a, b []string) []string { return distinct(slices.Concat(a, b)) }

// distinct keeps the first of slugs that are the same.
func distinct(slugs []string) []string {
	var kept []string
	for _, slug := range slugs {
		if !slices.ContainsFunc(kept, func(other string) bool { return strings.EqualFold(slug, other) }) {
			kept = append(kept, slug)
		}
	}
	return kept
}

func given(a, b percentiles) percentiles {
	if len(a) > 0 {
		return a
	}
	return b
}

// lowest are the bounds of both; of one that both have the lower.
func lowest(a, b prices) prices {
	if len(a)+len(b) == 0 {
		return nil
	}
	result := prices{}
	for _, bounds := range []prices{a, b} {
		for name, price := range bounds {
			if other, ok := result[name]; !ok || price < other {
				result[name] = price
			}
		}
	}
	return result
}

// Meets tells whether anything is left that both the route's preferences for OpenRouter, p, and a request's allow. own tells whether a slug names a target
// of ours; Forward fails where this is false. It allocates nothing.
func (p *Preferences) Meets(request *Preferences, own func(slug string) bool) bool {
	if len(p.Quantizations) > 0 && len(request.Quantizations) > 0 &&
		!slices.ContainsFunc(p.Quantizations, func(word string) bool { return slices.Contains(request.Quantizations, word) }) {
		return false
	}
	both := limits{p.limit(), request.limit()}
	return both.leaveSome(own)
}

func (p *Preferences) limit() limit {
	l := limit{only: p.Only, ignore: p.Ignore}
	if p.NoFallbacks {
		l.order = p.Order
	}
	return l
}
