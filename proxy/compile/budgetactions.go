package compile

import (
	"cmp"
	"fmt"
	"slices"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/table"
)

// mostThrottledRequests bounds requestsPerMinute of an action.
const mostThrottledRequests = 1_000_000

// readActions reads what a budget does at shares of its limit, in their order: telling comes before moving, and moving before slowing down.
func readActions(entry *table.Budget, spec *v1alpha1.SpendBudgetSpec) []Finding {
	var findings []Finding
	for i := range spec.Actions {
		path := fmt.Sprintf("spec.actions[%d]", i)
		action, defects := readAction(&spec.Actions[i], path)
		findings = append(findings, defects...)
		if action.RequestsPerMinute > 0 && entry.Enforcement == table.Observe {
			findings = append(findings, misfit(path+".do", "enforcement Observe cannot Throttle, for it refuses nothing"))
		}
		if slices.ContainsFunc(spec.Actions[:i], func(before v1alpha1.BudgetAction) bool {
			return before.AtPercent == spec.Actions[i].AtPercent && before.Do == spec.Actions[i].Do
		}) {
			findings = append(findings, misfit(path, fmt.Sprintf("%s at %d percent is there twice", bounded(string(spec.Actions[i].Do)), action.AtPercent)))
		}
		entry.Actions = append(entry.Actions, action)
	}
	slices.SortStableFunc(entry.Actions, func(a, b table.BudgetAction) int {
		return cmp.Or(cmp.Compare(a.AtPercent, b.AtPercent), cmp.Compare(actionRank(a), actionRank(b)))
	})
	return findings
}

func readAction(spec *v1alpha1.BudgetAction, path string) (table.BudgetAction, []Finding) {
	var findings []Finding
	action := table.BudgetAction{AtPercent: spec.AtPercent}
	if spec.AtPercent < 1 || spec.AtPercent > 100 {
		findings = append(findings, misfit(path+".atPercent", fmt.Sprintf("%d is not between 1 and 100", spec.AtPercent)))
	}
	switch spec.Do {
	case v1alpha1.ActionNotify:
		action.Notify = true
	case v1alpha1.ActionReroute:
		action.Route = spec.Route
	case v1alpha1.ActionThrottle:
		if spec.RequestsPerMinute != nil {
			action.RequestsPerMinute = int64(*spec.RequestsPerMinute)
		}
	default:
		return action, append(findings, unsupported(v1alpha1.ConditionEnforced, path+".do", string(spec.Do)))
	}
	if (spec.Route != "") != (spec.Do == v1alpha1.ActionReroute) {
		findings = append(findings, misfit(path+".route", "route is needed with do: Reroute, and only there"))
	}
	if (spec.RequestsPerMinute != nil) != (spec.Do == v1alpha1.ActionThrottle) {
		findings = append(findings, misfit(path+".requestsPerMinute", "requestsPerMinute is needed with do: Throttle, and only there"))
	}
	if spec.RequestsPerMinute != nil && (*spec.RequestsPerMinute < 1 || *spec.RequestsPerMinute > mostThrottledRequests) {
		findings = append(findings, misfit(path+".requestsPerMinute", fmt.Sprintf("%d is not between 1 and %d", *spec.RequestsPerMinute, mostThrottledRequests)))
	}
	return action, findings
}

func actionRank(action table.BudgetAction) int {
	switch {
	case action.Notify:
		return 0
	case action.Route != "":
		return 1
	default:
		return 2
	}
}
