package compile

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
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

// resolveTargets finds the credentials of a route's targets. A target without a usable one stays in the table, excluded, so that a caller can be told.
func (a *assembly) resolveTargets(route *table.Route, report *ObjectReport) {
	route.Targets = slices.Clone(route.Targets)
	for i := range route.Targets {
		target := &route.Targets[i]
		reason, problem, field := a.targetProblem(target)
		target.Excluded = problem
		report.Targets = append(report.Targets, a.targetReport(route, target, reason))
		if problem == "" {
			continue
		}
		report.Findings = append(report.Findings, Finding{
			Condition: v1alpha1.ConditionResolvedRefs,
			Reason:    reason,
			Message:   fmt.Sprintf("target %q: %s", target.Name, problem),
			Field:     fmt.Sprintf("spec.targets[%d].%s", i, field),
		})
	}
}

// targetProblem tells why a target cannot be used, and which of its fields is at fault.
func (a *assembly) targetProblem(target *table.Target) (reason, problem, field string) {
	reason, problem = a.backendProblem(target.Credential)
	if problem != "" || target.API == "" {
		return reason, problem, "credentialRef.name"
	}
	backend := a.backends[target.Credential]
	vendor, known := a.providers.Lookup(backend.Provider)
	if known && vendor.For(provider.AccountOf(backend)).Has(neutral.API(target.API)) {
		return "", "", ""
	}
	return v1alpha1.ReasonUnsupportedValue, fmt.Sprintf("provider %s has no API %s", backend.Provider, target.API), "api"
}

func (a *assembly) backendProblem(name string) (reason, problem string) {
	backend, exists := a.backends[name]
	switch {
	case !exists:
		return v1alpha1.ReasonBackendNotFound, fmt.Sprintf("ProviderCredential %q does not exist", name)
	case backend == nil:
		return v1alpha1.ReasonBackendUnusable, fmt.Sprintf("ProviderCredential %q is not valid", name)
	case len(backend.Keys) == 0 && !backend.Keyless:
		return v1alpha1.ReasonBackendUnusable, fmt.Sprintf("ProviderCredential %q has no usable key", name)
	default:
		return "", ""
	}
}

func (a *assembly) targetReport(route *table.Route, target *table.Target, reason string) TargetReport {
	report := TargetReport{Name: target.Name, State: v1alpha1.TargetAvailable, Priced: Unpriced}
	switch {
	case target.Excluded != "":
		report.State, report.Reason, report.Message = v1alpha1.TargetUnavailable, reason, target.Excluded
	case target.Weight == 0:
		report.State, report.Reason, report.Message = v1alpha1.TargetDrained, v1alpha1.ReasonDrained, "its weight is 0"
	}
	if priced(route, target, a.backends[target.Credential]) {
		report.Priced = Priced
	}
	return report
}

// priced tells whether the cost of every call to a target is known. backend is nil when there is none.
func priced(route *table.Route, target *table.Target, backend *table.Credential) bool {
	if target.Prices != nil {
		return true
	}
	if backend == nil {
		return false
	}
	if target.Model != wildcard {
		_, known := backend.Prices[target.Model]
		return known
	}
	return !slices.ContainsFunc(route.Models, func(model string) bool {
		_, known := backend.Prices[model]
		return !known || strings.HasSuffix(model, wildcard)
	})
}
