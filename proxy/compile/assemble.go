package compile

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/catalogue"
	"signalbox.dev/signalbox/proxy/provider/registry"
	"signalbox.dev/signalbox/proxy/table"
)

// drafts are all objects of a namespace, read.
type drafts struct {
	in     *Input
	bounds bounds
	salt   []byte
	// next is the sequence of a table that differs from the previous one.
	next int64
	// providers that can be called.
	providers   registry.Registry
	catalogue   *catalogue.Catalogue
	accessKeys  []*accessKeyDraft
	credentials []*credentialDraft
	// routes are ordered by age, for the older one wins a model name.
	routes  []*routeDraft
	budgets []*budgetDraft
	// graph says which routes call which; nil until a target refers to another namespace's.
	graph *callGraph
}

func newDrafts(in *Input, bounds bounds) *drafts {
	d := &drafts{in: in, bounds: bounds, salt: in.salt(), next: in.nextSequence(), providers: registry.Default(), catalogue: catalogue.Standard()}
	d.accessKeys = accessKeyDrafts(in, d.salt)
	credentials := newCredentialCompiler(in, d.providers)
	for i := range in.Credentials {
		d.credentials = append(d.credentials, credentials.compile(&in.Credentials[i]))
	}
	routes := newRouteCompiler(in)
	for i := range in.Routes {
		d.routes = append(d.routes, routes.compile(&in.Routes[i]))
	}
	slices.SortFunc(d.routes, (*routeDraft).compareAge)
	budgets := newBudgetCompiler(in)
	for i := range in.Budgets {
		d.budgets = append(d.budgets, budgets.compile(&in.Budgets[i]))
	}
	return d
}

// assembly is a table that is being put together.
type assembly struct {
	*drafts
	// states are of the objects that do not go in as they are.
	states map[objectKey]settled
	// backends are the credentials of the table, by name; a nil entry exists in the namespace but is not usable.
	backends map[string]*table.Credential
	listings listings
	table    table.Table
	objects  []ObjectReport
	// waiting are the values of keys that do not go in.
	waiting map[string][]table.Key
	// again is when to compile again though nothing changed; zero for never.
	again time.Time
}

// wake asks for another compilation at a time; the zero time asks for none.
func (a *assembly) wake(at time.Time) {
	if !at.IsZero() && (a.again.IsZero() || at.Before(a.again)) {
		a.again = at
	}
}

// assemble puts a table together. states holds the objects that do not go in as they are.
func (d *drafts) assemble(states map[objectKey]settled) Result {
	a := &assembly{
		drafts:   d,
		states:   states,
		backends: make(map[string]*table.Credential, len(d.credentials)),
		listings: listings{},
		waiting:  map[string][]table.Key{},
		table: table.Table{
			Format:        table.Format,
			Namespace:     d.in.Namespace,
			AccessKeySalt: d.salt,
			Control:       d.in.control(),
			Issuers:       slices.Clone(d.in.Issuers),
			Endpoints:     d.in.Endpoints,
			Ledgers:       d.in.Ledgers,
			Usage:         d.in.Usage,
			Tracing:       d.in.Tracing,
		},
	}
	slices.SortFunc(a.table.Issuers, func(x, y table.Issuer) int {
		return cmp.Or(cmp.Compare(x.URL, y.URL), cmp.Compare(x.Audience, y.Audience))
	})
	a.addAccessKeys()
	a.addCredentials()
	a.addRoutes()
	a.addRemotes()
	a.addListings()
	a.addPrices()
	a.addBudgets()
	return a.finish()
}

func (a *assembly) finish() Result {
	a.table.Sequence = a.next
	a.table.Revision = table.Revision(a.table)
	if before := a.in.Previous; before != nil && before.Revision == a.table.Revision {
		a.table.Sequence = before.Sequence
	}
	slices.SortFunc(a.objects, func(x, y ObjectReport) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Name, y.Name))
	})
	return Result{
		Table:   a.table,
		Report:  Report{Sequence: a.table.Sequence, Revision: a.table.Revision, Objects: a.objects},
		Next:    a.again,
		Waiting: a.waiting,
	}
}

func (a *assembly) addAccessKeys() {
	for _, d := range a.accessKeys {
		report := d.report()
		a.noteSize(&report, d.key, v1alpha1.ConditionReady)
		if entry := d.choose(a.states[d.key]); entry != nil {
			a.table.AccessKeys = append(a.table.AccessKeys, *entry)
			a.wake(entry.ExpiresAt)
			report.Findings = append(report.Findings, unknownRoutes(entry, a.in.Routes)...)
		}
		if len(report.Findings) > 0 {
			a.objects = append(a.objects, report)
		}
	}
	slices.SortFunc(a.table.AccessKeys, func(x, y table.AccessKey) int { return cmp.Compare(x.Name, y.Name) })
}

func (a *assembly) addCredentials() {
	for _, d := range a.credentials {
		report := d.report()
		a.noteSize(&report, d.key, v1alpha1.ConditionReady)
		a.backends[d.key.name] = nil
		entry := d.choose(a.states[d.key])
		if entry != nil {
			placed := *entry
			placed.Prices = declaredPrices(entry.Prices)
			placed.Since = a.since(placed.Object, d.before)
			a.serve(&report, placed.Object)
			a.backends[d.key.name] = &placed
			a.table.Credentials = append(a.table.Credentials, placed)
			for i := range placed.Keys {
				a.wake(placed.Keys[i].Until)
			}
		}
		kept := d.kept(entry)
		report.Values = kept.values
		report.Keys = KeyReports(kept.values, entry)
		if len(kept.waiting) > 0 {
			a.waiting[d.key.name] = kept.waiting
		}
		a.objects = append(a.objects, report)
	}
	slices.SortFunc(a.table.Credentials, func(x, y table.Credential) int { return cmp.Compare(x.Name, y.Name) })
}

func (a *assembly) addRoutes() {
	claims, known := newClaims(len(a.routes)), knownIssuers(a.in.Issuers)
	for _, d := range a.routes {
		report := d.report()
		a.noteSize(&report, d.key, v1alpha1.ConditionAccepted)
		if entry := d.choose(a.states[d.key]); entry != nil {
			placed := *entry
			placed.Since = a.since(placed.Object, d.before)
			var lost []Finding
			placed.Models, lost = claims.take(entry)
			report.Findings = append(report.Findings, lost...)
			a.resolveTargets(&placed, &report)
			report.Findings = append(report.Findings, known.missing(accessIssuers(&placed.Access), "spec.access.allow", "nobody is admitted by its name")...)
			if len(placed.Models) > 0 {
				a.serve(&report, placed.Object)
				a.table.Routes = append(a.table.Routes, placed)
			}
		}
		a.objects = append(a.objects, report)
	}
	slices.SortFunc(a.table.Routes, func(x, y table.Route) int { return cmp.Compare(x.Name, y.Name) })
}

func (a *assembly) addBudgets() {
	for _, d := range a.budgets {
		report := d.report()
		a.noteSize(&report, d.key, v1alpha1.ConditionEnforced)
		if entry := d.choose(a.states[d.key]); entry != nil {
			placed := *entry
			placed.Since = a.since(placed.Object, d.before)
			a.serve(&report, placed.Object)
			a.table.Budgets = append(a.table.Budgets, placed)
		}
		a.objects = append(a.objects, report)
	}
	slices.SortFunc(a.table.Budgets, func(x, y table.Budget) int { return cmp.Compare(x.Name, y.Name) })
}

// since is the sequence of the first table that holds this generation of an object, of which the previous table held before.
func (a *assembly) since(placed, before table.Object) int64 {
	if before.UID == placed.UID && before.Generation == placed.Generation {
		return before.Since
	}
	return a.next
}

func (a *assembly) serve(report *ObjectReport, placed table.Object) {
	report.Served, report.Since = placed.Generation, placed.Since
}

// noteSize adds the finding for an object that the table has no room for.
func (a *assembly) noteSize(report *ObjectReport, key objectKey, condition string) {
	if a.states[key] == current {
		return
	}
	report.Findings = append(report.Findings, Finding{
		Condition: condition,
		Reason:    v1alpha1.ReasonTableTooLarge,
		Message: fmt.Sprintf("the routing table of namespace %s has no room for this: it may have %d KiB; what was served before stays. "+
			"Remove objects or shorten price lists, or move some to another namespace", a.in.Namespace, a.bounds.table>>10),
	})
}
