// Package lint says what is wrong with manifests beyond what the API server sees, and where a request would go.
package lint

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/manifest"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

// placeholderSalt stands for the random salt of access keys: the tables that are made here serve nobody.
const placeholderSalt = "0123456789abcdef0123456789abcdef"

// Linter checks the objects of one set.
type Linter struct {
	// Set to check.
	Set *manifest.Set
	// Endpoints are the platform's rules for what may be dialled.
	Endpoints table.EndpointRules
}

// Problems returns what is wrong with the objects, all namespaces together, in the order of the files.
func (l Linter) Problems() []manifest.Problem {
	var problems []manifest.Problem
	for _, namespace := range l.Set.Names() {
		input := l.input(namespace)
		result := compile.Compile(input)
		n := namespaceLint{set: l.Set, namespace: namespace, input: input, result: result}
		problems = append(problems, n.findings()...)
		problems = append(problems, n.warnings()...)
	}
	manifest.Sort(problems)
	return problems
}

func (l Linter) input(namespace string) compile.Input {
	in := l.Set.Input(namespace)
	in.Endpoints = l.Endpoints
	in.Fresh.AccessKeySalt = []byte(placeholderSalt)
	in.Remote = l.remote(namespace)
	return in
}

// remote are the routes of the other namespaces in the files. Their prices are not known, for that takes their tables.
func (l Linter) remote(namespace string) map[string]compile.RemoteRoute {
	reader := compile.RemoteReader{Namespaces: l.Set.Input(namespace).Namespaces}
	remote := map[string]compile.RemoteRoute{}
	for i := range l.Set.Routes {
		if route := &l.Set.Routes[i]; route.Namespace != namespace {
			remote[route.Namespace+"/"+route.Name] = reader.Read(route, nil)
		}
	}
	return remote
}

// namespaceLint checks one namespace.
type namespaceLint struct {
	set       *manifest.Set
	namespace string
	input     compile.Input
	result    compile.Result
}

// Findings returns the findings of a report as problems with positions. A finding that follows from a problem elsewhere in the manifests is a warning,
// for that problem is reported itself; and so is a missing Secret, for many keep theirs elsewhere.
func Findings(set *manifest.Set, namespace string, report compile.Report) []manifest.Problem {
	n := namespaceLint{set: set, namespace: namespace, result: compile.Result{Report: report}}
	return n.findings()
}

func (n namespaceLint) findings() []manifest.Problem {
	var problems []manifest.Problem
	for _, object := range n.result.Report.Objects {
		for _, finding := range object.Findings {
			severity, message := manifest.Error, strings.TrimPrefix(finding.Message, finding.Field+": ")
			switch finding.Reason {
			case v1alpha1.ReasonSecretNotFound:
				severity, message = manifest.Warning, message+" in these files"
			case v1alpha1.ReasonBackendUnusable, v1alpha1.ReasonRouteNotFound:
				severity = manifest.Warning
			case v1alpha1.ReasonBackendNotFound:
				if strings.HasSuffix(finding.Field, ".routeRef.name") {
					severity, message = manifest.Warning, message+" in these files"
				}
				if n.isRejected(object.Name, finding.Field) {
					severity, message = manifest.Warning, "this ProviderCredential has errors"
				}
			}
			problems = append(problems, n.problem(severity, object.Kind, object.Name, finding.Field, message))
		}
	}
	return problems
}

// isRejected tells whether the credential that a target names is declared, but with errors.
func (n namespaceLint) isRejected(route, field string) bool {
	index := slices.IndexFunc(n.input.Routes, func(r v1alpha1.ModelRoute) bool { return r.Name == route })
	if index < 0 {
		return false
	}
	for i, target := range n.input.Routes[index].Spec.Targets {
		if field == fmt.Sprintf("spec.targets[%d].credentialRef.name", i) {
			return n.set.Declares(compile.KindProviderCredential, n.namespace, target.CredentialRef.Name)
		}
	}
	return false
}

func (n namespaceLint) problem(severity manifest.Severity, kind, name, field, message string) manifest.Problem {
	return manifest.Problem{
		Position: n.set.Position(kind, n.namespace, name, field), Severity: severity, Kind: kind, Name: name, Field: field, Message: message,
	}
}

func (n namespaceLint) warnings() []manifest.Problem {
	return slices.Concat(n.budgetWarnings(), n.routeWarnings())
}

// budgetWarnings finds budgets that count less than they seem to.
func (n namespaceLint) budgetWarnings() []manifest.Problem {
	var problems []manifest.Problem
	for _, budget := range n.input.Budgets {
		if budget.Spec.AppliesTo == nil {
			continue
		}
		for i, caller := range budget.Spec.AppliesTo.Callers {
			if caller.AccessKey != "" && !n.set.Declares(compile.KindSecret, n.namespace, caller.AccessKey) {
				problems = append(problems, n.problem(manifest.Warning, compile.KindSpendBudget, budget.Name, fmt.Sprintf("spec.appliesTo.callers[%d].accessKey", i),
					fmt.Sprintf("no access-key Secret %q is declared", caller.AccessKey)))
			}
		}
	}
	return problems
}

// routeWarnings finds routes that no call gets through.
func (n namespaceLint) routeWarnings() []manifest.Problem {
	var problems []manifest.Problem
	for i := range n.result.Table.Routes {
		route := &n.result.Table.Routes[i]
		warn := func(field, message string) {
			problems = append(problems, n.problem(manifest.Warning, compile.KindModelRoute, route.Name, field, message))
		}
		if admitsNobody(route.Access) {
			warn("spec.access", "nobody may call this route")
		}
		report, _ := n.result.Report.Object(compile.KindModelRoute, route.Name)
		available := 0
		for at, target := range report.Targets {
			if target.State != v1alpha1.TargetAvailable {
				continue
			}
			available++
			if budget := n.refusesUnpriced(route.Name); target.Priced == compile.Unpriced && budget != "" {
				warn(fmt.Sprintf("spec.targets[%d]", at), fmt.Sprintf("target %q has no known price and SpendBudget %q refuses unpriced calls; give it prices, or set spec.unpriced of the budget to Allow",
					target.Name, budget))
			}
		}
		if available == 0 {
			warn("spec.targets", "no target can be used, so every call fails")
		}
	}
	return problems
}

func admitsNobody(access table.Access) bool {
	return !access.AnyNamespace && !access.AnyAccessKey && len(access.Namespaces)+len(access.ServiceAccounts)+len(access.AccessKeys) == 0
}

// refusesUnpriced returns a budget that refuses unpriced calls of a route, or "".
func (n namespaceLint) refusesUnpriced(route string) string {
	for _, budget := range n.result.Table.Budgets {
		if !budget.AllowUnpriced && (len(budget.Routes) == 0 || slices.Contains(budget.Routes, route)) {
			return budget.Name
		}
	}
	return ""
}
