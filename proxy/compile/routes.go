package compile

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/table"
)

// wildcard ends a pattern, and alone as a target's model it stands for what the client asked for.
const wildcard = "*"

// Bounds and defaults of the API, for objects that were stored under an older schema or never met one.
const (
	defaultFirstToken = 30 * time.Second
	defaultIdle       = time.Minute
	defaultTotal      = 10 * time.Minute
	minTimeout        = 100 * time.Millisecond
	maxStreamTimeout  = time.Hour
	maxTotal          = 24 * time.Hour
	maxModelName      = 256
	maxPriority       = 100
	maxWeight         = 1000
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
		d.last, d.before = &last, previous.Object
	}
	entry := table.Route{Object: d.identity(), Access: access, Created: d.created}
	var modelDefects, targetDefects, timeoutDefects []Finding
	entry.Models, modelDefects = models(object.Spec.Models)
	entry.Targets, targetDefects = targets(object.Spec.Targets)
	timeoutDefects = timeouts(&entry, object.Spec.Timeouts)
	d.findings = slices.Concat(modelDefects, targetDefects, timeoutDefects, accessDefects)
	d.accept(&entry)
	if d.last != nil && !reflect.DeepEqual(d.last.Access, access) {
		d.changed = d.fresh != nil
	}
	return &d
}

func models(spec []v1alpha1.ModelPattern) ([]string, []Finding) {
	if len(spec) == 0 {
		return nil, []Finding{invalid(v1alpha1.ConditionAccepted, "spec.models", "a route needs at least one model")}
	}
	names := make([]string, 0, len(spec))
	var findings []Finding
	for i, pattern := range spec {
		name := string(pattern)
		prefix := strings.TrimSuffix(name, wildcard)
		if name == "" || len(name) > maxModelName || strings.Contains(prefix, wildcard) || strings.ContainsFunc(name, notPrintable) {
			findings = append(findings, invalid(v1alpha1.ConditionAccepted, fmt.Sprintf("spec.models[%d]", i),
				fmt.Sprintf("%q is not a model name: it has 1 to %d printable characters and at most one *, at its end", bounded(name), maxModelName)))
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, findings
}

func notPrintable(r rune) bool { return r <= ' ' || r > '~' }

func targets(spec []v1alpha1.RouteTarget) ([]table.Target, []Finding) {
	if len(spec) == 0 {
		return nil, []Finding{invalid(v1alpha1.ConditionAccepted, "spec.targets", "a route needs at least one target")}
	}
	read := make([]table.Target, 0, len(spec))
	var findings []Finding
	for i := range spec {
		path := fmt.Sprintf("spec.targets[%d]", i)
		entry, defects := target(&spec[i], path)
		if slices.ContainsFunc(read, func(t table.Target) bool { return t.Name == entry.Name }) {
			defects = append(defects, invalid(v1alpha1.ConditionAccepted, path+".name", fmt.Sprintf("%q is there twice", bounded(entry.Name))))
		}
		findings = append(findings, defects...)
		read = append(read, entry)
	}
	return read, findings
}

func target(spec *v1alpha1.RouteTarget, path string) (table.Target, []Finding) {
	read := table.Target{Name: spec.Name, Credential: spec.CredentialRef.Name, Model: spec.Model, API: string(spec.API), Weight: 1}
	var findings []Finding
	required := func(value, field string) {
		if value == "" {
			findings = append(findings, invalid(v1alpha1.ConditionAccepted, path+"."+field, "it is required"))
		}
	}
	required(read.Name, "name")
	required(read.Credential, "credentialRef.name")
	required(read.Model, "model")
	if api := neutral.API(read.API); api != "" && (api.Family() != neutral.Generation || api == neutral.Completions) {
		findings = append(findings, unsupported(v1alpha1.ConditionAccepted, path+".api", read.API))
	}
	within := func(value *int32, into *int32, highest int32, field string) {
		if value == nil {
			return
		}
		*into = *value
		if *value < 0 || *value > highest {
			findings = append(findings, invalid(v1alpha1.ConditionAccepted, path+"."+field, fmt.Sprintf("%d is not between 0 and %d", *value, highest)))
		}
	}
	within(spec.Priority, &read.Priority, maxPriority, "priority")
	within(spec.Weight, &read.Weight, maxWeight, "weight")
	if spec.Prices != nil {
		price, defects := prices(*spec.Prices, path+".prices", v1alpha1.ConditionAccepted)
		read.Prices = &price
		findings = append(findings, defects...)
	}
	return read, findings
}

// timeouts fills in the timeouts of an entry.
func timeouts(entry *table.Route, spec v1alpha1.RouteTimeouts) []Finding {
	var findings []Finding
	take := func(given metav1.Duration, standard, highest time.Duration, field string) time.Duration {
		if given.Duration == 0 {
			return standard
		}
		if given.Duration < minTimeout || given.Duration > highest {
			findings = append(findings, invalid(v1alpha1.ConditionAccepted, "spec.timeouts."+field,
				fmt.Sprintf("%s is not between %s and %s", given.Duration, minTimeout, highest)))
		}
		return given.Duration
	}
	entry.FirstToken = take(spec.FirstToken, defaultFirstToken, maxStreamTimeout, "firstToken")
	entry.Idle = take(spec.Idle, defaultIdle, maxStreamTimeout, "idle")
	entry.Total = take(spec.Total, defaultTotal, maxTotal, "total")
	if entry.FirstToken > entry.Total {
		findings = append(findings, invalid(v1alpha1.ConditionAccepted, "spec.timeouts.firstToken", "firstToken must not be longer than total"))
	}
	if entry.Idle > entry.Total {
		findings = append(findings, invalid(v1alpha1.ConditionAccepted, "spec.timeouts.idle", "idle must not be longer than total"))
	}
	return findings
}
