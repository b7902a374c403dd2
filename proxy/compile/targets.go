package compile

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/provider/signalbox"
	"signalbox.dev/signalbox/proxy/table"
)

// claims says which route has which model name.
type claims struct {
	owners map[string]string
}

func newClaims(routes int) claims {
	return claims{owners: make(map[string]string, routes)}
}

// take gives a route the models that no earlier one has, and a finding for each of the others.
func (c claims) take(route *table.Route) (won []string, lost []Finding) {
	for i, model := range route.Models {
		owner, taken := c.owners[model]
		if !taken {
			c.owners[model] = route.Name
			won = append(won, model)
			continue
		}
		field := fmt.Sprintf("spec.models[%d]", i)
		lost = append(lost, Finding{
			Condition: v1alpha1.ConditionAccepted,
			Reason:    v1alpha1.ReasonModelConflict,
			Message:   fmt.Sprintf("%s: model %q belongs to ModelRoute %q, which is older or, at the same age, first by name; rename the model or remove it from one of the two", field, model, owner),
			Field:     field,
		})
	}
	return won, lost
}

// resolveTargets finds the credentials of a route's targets and of its mirror. A target without a usable one stays in the table, excluded, so that a caller
// can be told.
func (a *assembly) resolveTargets(route *table.Route, report *ObjectReport) {
	route.Targets = slices.Clone(route.Targets)
	for i := range route.Targets {
		report.Targets = append(report.Targets, a.resolveTarget(route, &route.Targets[i], fmt.Sprintf("spec.targets[%d]", i), report))
	}
	if route.Mirror != nil {
		// Nothing of how a route chooses among its targets is for its mirror.
		mirrored := table.Route{Models: route.Models}
		mirror := *route.Mirror
		resolved := a.resolveTarget(&mirrored, &mirror.Target, mirrorPath, report)
		route.Mirror, report.Mirror = &mirror, &resolved
	}
}

// resolveTarget finds the credential of one target, adds a finding to the report if there is no usable one, and returns what is to be said of the target.
func (a *assembly) resolveTarget(route *table.Route, target *table.Target, path string, report *ObjectReport) TargetReport {
	forgetRemote(target)
	reason, problem, field := a.targetProblem(route, target)
	target.Excluded = problem
	if target.CalledRoute != "" && problem == "" {
		a.applyRemote(target)
	}
	listed := a.applyListing(target)
	a.applyCatalogue(route, target)
	if problem != "" {
		report.Findings = append(report.Findings, Finding{
			Condition: v1alpha1.ConditionResolvedRefs,
			Reason:    reason,
			Message:   fmt.Sprintf("target %q: %s", target.Name, problem),
			Field:     path + "." + field,
		})
	}
	return a.targetReport(route, target, reason, listed)
}

// targetProblem tells why a target cannot be used, and which of its fields is at fault.
func (a *assembly) targetProblem(route *table.Route, target *table.Target) (reason, problem, field string) {
	if target.CalledRoute != "" {
		if reason, problem, field = a.remoteProblem(route, target); problem != "" {
			return reason, problem, field
		}
		vendor, _ := a.providers.Lookup(signalbox.Name)
		return lacksAPI(vendor, target)
	}
	reason, problem = a.backendProblem(target.Credential)
	if problem != "" {
		return reason, problem, "credentialRef.name"
	}
	backend := a.backends[target.Credential]
	vendor, _ := a.providers.Lookup(backend.Provider)
	if reason, problem, field = lacksAPI(vendor.For(provider.AccountOf(backend)), target); problem != "" {
		return reason, problem, field
	}
	if target.OpenRouter != nil && backend.Provider != string(v1alpha1.ProviderOpenRouter) {
		return v1alpha1.ReasonUnsupportedValue, fmt.Sprintf("its preferences are for OpenRouter, and provider %s would not keep them", backend.Provider), "openRouter"
	}
	return "", "", ""
}

// lacksAPI tells whether a target asks for an API that its provider does not have.
func lacksAPI(vendor provider.Provider, target *table.Target) (reason, problem, field string) {
	if api := neutral.API(target.API); api != "" && !vendor.Has(api) {
		return v1alpha1.ReasonUnsupportedValue, fmt.Sprintf("provider %s has no API %s", vendor.Name, target.API), "api"
	}
	return "", "", ""
}

func (a *assembly) backendProblem(name string) (reason, problem string) {
	backend, exists := a.backends[name]
	_, isProxy := table.CalledNamespace(name)
	switch {
	case isProxy || !exists:
		return v1alpha1.ReasonBackendNotFound, fmt.Sprintf("ProviderCredential %q does not exist", name)
	case backend == nil:
		return v1alpha1.ReasonBackendUnusable, fmt.Sprintf("ProviderCredential %q is not valid", name)
	case len(backend.Keys) == 0 && len(a.waiting[name]) > 0 && !a.refused(name):
		return v1alpha1.ReasonPending, fmt.Sprintf("ProviderCredential %q has a key that its provider is being asked about", name)
	case len(backend.Keys) == 0 && !backend.Keyless:
		return v1alpha1.ReasonBackendUnusable, fmt.Sprintf("ProviderCredential %q has no usable key", name)
	default:
		return "", ""
	}
}

// refused tells whether the provider refused a key of a credential that waits.
func (a *assembly) refused(name string) bool {
	return slices.ContainsFunc(a.waiting[name], func(k table.Key) bool { return k.Refused })
}

func (a *assembly) targetReport(route *table.Route, target *table.Target, reason string, listed listedTarget) TargetReport {
	backend := a.backends[target.Credential]
	report := TargetReport{
		Name: target.Name, State: v1alpha1.TargetAvailable, Priced: Unpriced, Listing: string(listed.listing), Model: listed.serving,
	}
	if priced(route, target, backend) {
		report.Priced = Priced
	}
	lacking := unmet(&route.Require, target, backend)
	switch {
	case target.Excluded != "":
		report.State, report.Reason, report.Message = v1alpha1.TargetUnavailable, reason, target.Excluded
	case target.Weight == 0:
		report.State, report.Reason, report.Message = v1alpha1.TargetDrained, v1alpha1.ReasonDrained, "its weight is 0"
	case lacking != "":
		report.State, report.Reason, report.Message = v1alpha1.TargetUnavailable, v1alpha1.ReasonRequirementNotMet, lacking
	case listed.listing == provider.Unlisted:
		report.Reason, report.Message = v1alpha1.ReasonModelNotListed, listed.describe(target, backend.Provider)
	case target.CalledRoute != "" && a.unserved(route, target) != "":
		report.Message = a.unserved(route, target)
	case route.Strategy == table.LowestCost && report.Priced == Unpriced:
		report.Message = "its price is not known, so the strategy LowestCost tries it after those with a price"
	}
	return report
}

// priced tells whether the cost of every call to a target is known. backend is nil when there is none.
func priced(route *table.Route, target *table.Target, backend *table.Credential) bool {
	if pricesOf(target, backend) != nil {
		return true
	}
	if backend == nil || target.Model != wildcard {
		return false
	}
	return !slices.ContainsFunc(route.Models, func(model string) bool {
		_, known := backend.Prices[model]
		return !known || strings.HasSuffix(model, wildcard)
	})
}
