package compile

import (
	"cmp"
	"fmt"
	"slices"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/table"
)

// readScope reads which calls a budget applies to, and whose word it takes for it.
func readScope(entry *table.Budget, spec *v1alpha1.SpendBudgetSpec) []Finding {
	trusted, findings := callerMatches(spec.TrustedCallers, "spec.trustedCallers")
	entry.TrustedCallers = trusted
	scope := spec.AppliesTo
	if scope == nil {
		return findings
	}
	callers, defects := callerMatches(scope.Callers, "spec.appliesTo.callers")
	findings = append(findings, defects...)
	entry.Callers = callers
	entry.Routes = unique(scope.Routes)
	entry.EndUsers = unique(scope.EndUsers)
	for i, tag := range scope.Tags {
		if slices.ContainsFunc(entry.Tags, func(t table.Tag) bool { return t.Key == tag.Key }) {
			findings = append(findings, misfit(fmt.Sprintf("spec.appliesTo.tags[%d]", i), fmt.Sprintf("tag %q is there twice", bounded(tag.Key))))
		}
		entry.Tags = append(entry.Tags, table.Tag{Key: tag.Key, Value: tag.Value})
	}
	slices.SortFunc(entry.Tags, func(a, b table.Tag) int { return cmp.Compare(a.Key, b.Key) })
	if len(trusted) == 0 && len(entry.Tags)+len(entry.EndUsers) > 0 {
		findings = append(findings, misfit("spec.trustedCallers",
			"appliesTo.tags and appliesTo.endUsers need trustedCallers: nobody else is believed when it names an end user or a tag"))
	}
	return findings
}

func callerMatches(callers []v1alpha1.BudgetCaller, path string) ([]table.CallerMatch, []Finding) {
	var matches []table.CallerMatch
	var findings []Finding
	for i, caller := range callers {
		match := table.CallerMatch{AccessKey: caller.AccessKey, Namespace: caller.Namespace}
		if caller.ServiceAccount != nil {
			match.ServiceAccount = caller.ServiceAccount.Namespace + "/" + caller.ServiceAccount.Name
		}
		if caller.User != nil {
			findings = append(findings, matchUser(&match, caller.User, fmt.Sprintf("%s[%d].user", path, i))...)
		}
		if given(match.ServiceAccount, match.AccessKey, match.Namespace, match.User, match.UserIssuer) != 1 {
			findings = append(findings, misfit(fmt.Sprintf("%s[%d]", path, i), "a caller needs exactly one of serviceAccount, accessKey, namespace and user"))
		}
		matches = append(matches, match)
	}
	return matches, findings
}

// matchUser matches one caller of an OIDC issuer, or all of them.
func matchUser(match *table.CallerMatch, user *v1alpha1.BudgetUser, path string) []Finding {
	if user.Name == "" {
		match.UserIssuer = user.Issuer
	} else {
		match.User = user.Issuer + "/" + user.Name
	}
	if problem := issuerDefect(user.Issuer); problem != "" {
		return []Finding{misfit(path+".issuer", problem)}
	}
	return nil
}

func given(values ...string) int {
	count := 0
	for _, value := range values {
		if value != "" {
			count++
		}
	}
	return count
}

// unresolved tells of the routes and issuers that a budget names and that do not exist.
func (c budgetCompiler) unresolved(spec *v1alpha1.SpendBudgetSpec) []Finding {
	var findings []Finding
	if spec.AppliesTo != nil {
		for i, name := range spec.AppliesTo.Routes {
			findings = append(findings, c.missing(name, fmt.Sprintf("spec.appliesTo.routes[%d]", i), "nothing is counted on it")...)
		}
	}
	for i, action := range spec.Actions {
		if action.Route != "" {
			findings = append(findings, c.missing(action.Route, fmt.Sprintf("spec.actions[%d].route", i), "calls stay where they are")...)
		}
	}
	return append(findings, c.unknownIssuers(spec)...)
}

// unknownIssuers tells of the issuers that a budget names and that do not exist.
func (c budgetCompiler) unknownIssuers(spec *v1alpha1.SpendBudgetSpec) []Finding {
	var findings []Finding
	if spec.AppliesTo != nil {
		findings = c.issuers.missing(callerIssuers(spec.AppliesTo.Callers), "spec.appliesTo.callers", "nobody is counted by its name")
	}
	findings = append(findings, c.issuers.missing(callerIssuers(spec.TrustedCallers), "spec.trustedCallers", "nobody is believed by its name")...)
	var limited []string
	for i := range spec.Limits {
		if user := spec.Limits[i].User; user != nil {
			limited = append(limited, user.Issuer)
		}
	}
	return append(findings, c.issuers.missing(limited, "spec.limits", "nobody has a limit by its name")...)
}

func callerIssuers(callers []v1alpha1.BudgetCaller) []string {
	var named []string
	for i := range callers {
		if user := callers[i].User; user != nil {
			named = append(named, user.Issuer)
		}
	}
	return named
}

func (c budgetCompiler) missing(route, field, consequence string) []Finding {
	if c.routes[route] {
		return nil
	}
	return []Finding{{
		Condition: v1alpha1.ConditionResolvedRefs,
		Reason:    v1alpha1.ReasonRouteNotFound,
		Message:   fmt.Sprintf("%s: there is no ModelRoute %q in this namespace; %s until there is", field, bounded(route), consequence),
		Field:     field,
	}}
}
