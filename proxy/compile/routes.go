package compile

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/table"
)

// wildcard ends a pattern, and alone as a target's model it stands for what the client asked for.
const wildcard = "*"

// Bounds and defaults of the API for names and targets.
const (
	maxModelName  = 256
	maxPriority   = 100
	defaultWeight = 1
	maxWeight     = 1000
)

// routeDraft is a ModelRoute on its way into the table.
type routeDraft = draft[table.Route]

// routeCompiler reads ModelRoutes.
type routeCompiler struct {
	access   accessCompiler
	previous map[string]*table.Route
}

func newRouteCompiler(in *Input) routeCompiler {
	c := routeCompiler{access: newAccessCompiler(in), previous: map[string]*table.Route{}}
	if in.Previous != nil {
		for i := range in.Previous.Routes {
			c.previous[in.Previous.Routes[i].Name] = &in.Previous.Routes[i]
		}
	}
	return c
}

func (c routeCompiler) compile(object *v1alpha1.ModelRoute) *routeDraft {
	d := newDraft[table.Route](KindModelRoute, object.ObjectMeta)
	access, accessDefects := c.access.compile(object.Spec.Access)
	if previous := c.previous[object.Name]; previous != nil && previous.UID == d.uid {
		last := *previous
		last.Access = narrow(previous.Access, access)
		if last.Fallback.MaxAttempts == 0 {
			last.Fallback = table.DefaultFallback()
		}
		d.last, d.before = &last, previous.Object
	}
	entry, defects := readRoute(object.Name, &object.Spec)
	entry.Object, entry.Access, entry.Created = d.identity(), access, d.created
	d.findings = slices.Concat(defects, accessDefects)
	d.accept(&entry)
	if d.last != nil && !reflect.DeepEqual(d.last.Access, access) {
		d.changed = d.fresh != nil
	}
	return &d
}

// readRoute reads all of a spec but who may call.
func readRoute(name string, spec *v1alpha1.ModelRouteSpec) (table.Route, []Finding) {
	c := complaints{route: name}
	entry := table.Route{
		Models:   c.models(spec.Models),
		Targets:  c.targets(spec.Targets),
		Strategy: c.strategy(spec.Strategy),
		Affinity: c.affinity(spec.Affinity),
		Fallback: c.fallback(spec.Fallback),
		Require:  c.require(spec.Require),
		Limits:   c.limits(spec.Limits),
		Listing:  listingOf(spec.Listing),
	}
	entry.Mirror = c.mirror(spec.Mirror, &entry)
	c.checkOnlyFor(&entry)
	c.timeouts(&entry, spec.Timeouts)
	return entry, c.findings
}

// listingOf leaves out the default.
func listingOf(spec v1alpha1.RouteListing) string {
	if spec == v1alpha1.ListingMark {
		return ""
	}
	return string(spec)
}

func (c *complaints) models(spec []v1alpha1.ModelPattern) []string {
	if len(spec) == 0 {
		c.invalid("spec.models", "a route needs at least one model")
		return nil
	}
	names := make([]string, 0, len(spec))
	for i, pattern := range spec {
		name := string(pattern)
		prefix := strings.TrimSuffix(name, wildcard)
		if name == "" || len(name) > maxModelName || strings.Contains(prefix, wildcard) || strings.ContainsFunc(name, notPrintable) {
			c.invalid(fmt.Sprintf("spec.models[%d]", i),
				fmt.Sprintf("%q is not a model name: it has 1 to %d printable characters and at most one *, at its end", bounded(name), maxModelName))
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func notPrintable(r rune) bool { return r <= ' ' || r > '~' }

func (c *complaints) targets(spec []v1alpha1.RouteTarget) []table.Target {
	if len(spec) == 0 {
		c.invalid("spec.targets", "a route needs at least one target")
		return nil
	}
	read := make([]table.Target, 0, len(spec))
	for i := range spec {
		path := fmt.Sprintf("spec.targets[%d]", i)
		entry := c.target(&spec[i], path)
		if slices.ContainsFunc(read, func(t table.Target) bool { return t.Name == entry.Name }) {
			c.invalid(path+".name", fmt.Sprintf("%q is there twice", bounded(entry.Name)))
		}
		read = append(read, entry)
	}
	return read
}

func (c *complaints) target(spec *v1alpha1.RouteTarget, path string) table.Target {
	c.required(spec.Name, path+".name")
	c.required(spec.Model, path+".model")
	if api := neutral.API(spec.API); api != "" && (api.Family() != neutral.Generation || api == neutral.Completions) {
		c.unsupported(path+".api", string(spec.API))
	}
	read := table.Target{
		Name: spec.Name, Credential: spec.CredentialRef.Name, Model: spec.Model, API: string(spec.API),
		Priority:   c.rank(spec.Priority, 0, maxPriority, path+".priority"),
		Weight:     c.rank(spec.Weight, defaultWeight, maxWeight, path+".weight"),
		Declared:   c.declared(spec.Declares, path+".declares"),
		Successor:  c.successor(spec, path+".successor"),
		OnlyFor:    c.kinds(spec.OnlyFor, path+".onlyFor"),
		OpenRouter: c.openRouter(spec.OpenRouter, path+".openRouter"),
	}
	c.called(spec, &read, path)
	if spec.Prices != nil {
		price, defects := prices(spec.Prices, path+".prices", v1alpha1.ConditionAccepted, KindModelRoute+" "+c.route)
		read.Prices = &price
		c.add(defects...)
	}
	return read
}

// rank reads an optional number from 0 up.
func (c *complaints) rank(given *int32, standard, highest int32, field string) int32 {
	if given == nil {
		return standard
	}
	wide := int64(*given)
	c.number(&wide, span{0, int64(highest)}, field)
	return *given
}

func (c *complaints) required(value, field string) {
	if value == "" {
		c.invalid(field, "it is required")
	}
}

// successor reads which model takes over from a withdrawn one.
func (c *complaints) successor(spec *v1alpha1.RouteTarget, field string) string {
	switch {
	case spec.Successor == "":
	case spec.Successor == spec.Model:
		c.invalid(field, "it is the target's own model; name another one, or leave it out")
	case len(spec.Successor) > maxModelName || strings.Contains(spec.Successor, wildcard):
		c.invalid(field, fmt.Sprintf("%q is not one model of the provider", bounded(spec.Successor)))
	}
	return spec.Successor
}
