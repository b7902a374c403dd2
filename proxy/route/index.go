// Package route finds the route of a model name and puts its targets in the order in which they are tried. It is pure: values in, values out.
package route

import (
	"cmp"
	"slices"
	"strings"

	"signalbox.dev/signalbox/proxy/table"
)

// wildcard ends a pattern.
const wildcard = "*"

// Index finds routes by model name. It does not change after NewIndex and may be used by any number of goroutines.
type Index struct {
	exact    map[string]*table.Route
	patterns []pattern
}

type pattern struct {
	prefix string
	route  *table.Route
}

// Model is a name that can be asked for.
type Model struct {
	// Name is the exact model name or the pattern.
	Name string
	// Route serves it.
	Route *table.Route
}

// IsPattern tells whether the name ends in "*" and stands for many.
func (m Model) IsPattern() bool { return strings.HasSuffix(m.Name, wildcard) }

// NewIndex returns the index of a table's routes. The table must not change afterwards.
func NewIndex(t *table.Table) *Index {
	index := &Index{exact: make(map[string]*table.Route, len(t.Routes))}
	for i := range t.Routes {
		index.add(&t.Routes[i])
	}
	slices.SortStableFunc(index.patterns, func(a, b pattern) int {
		return cmp.Or(
			cmp.Compare(len(b.prefix), len(a.prefix)),
			compareAge(a.route, b.route),
		)
	})
	return index
}

func (x *Index) add(r *table.Route) {
	for _, name := range r.Models {
		if prefix, ok := strings.CutSuffix(name, wildcard); ok {
			x.patterns = append(x.patterns, pattern{prefix: prefix, route: r})
			continue
		}
		if other, taken := x.exact[name]; !taken || compareAge(r, other) < 0 {
			x.exact[name] = r
		}
	}
}

// compareAge puts the older route first, and then the smaller name.
func compareAge(a, b *table.Route) int {
	return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Name, b.Name))
}

// Lookup returns the route that serves a model name: an exact name beats a pattern, a longer pattern a shorter one, an older route a younger one,
// and then the smaller name of the route.
func (x *Index) Lookup(model string) (*table.Route, bool) {
	if r, ok := x.exact[model]; ok {
		return r, true
	}
	for i := range x.patterns {
		if strings.HasPrefix(model, x.patterns[i].prefix) {
			return x.patterns[i].route, true
		}
	}
	return nil, false
}

// Exact tells whether a route lists exactly this name.
func (x *Index) Exact(model string) bool {
	_, ok := x.exact[model]
	return ok
}

// Models returns the names and patterns whose route passes the filter, by name, each once with the route that wins it.
func (x *Index) Models(allowed func(*table.Route) bool) []Model {
	models := make([]Model, 0, len(x.exact)+len(x.patterns))
	for name, r := range x.exact {
		if allowed(r) {
			models = append(models, Model{Name: name, Route: r})
		}
	}
	for i, p := range x.patterns {
		beaten := i > 0 && x.patterns[i-1].prefix == p.prefix
		if !beaten && allowed(p.route) {
			models = append(models, Model{Name: p.prefix + wildcard, Route: p.route})
		}
	}
	slices.SortFunc(models, func(a, b Model) int { return cmp.Compare(a.Name, b.Name) })
	return models
}
