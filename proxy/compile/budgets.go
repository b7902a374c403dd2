package compile

import (
	"fmt"
	"slices"
	"time"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

type budgetDraft = draft[table.Budget]

// budgetCompiler reads SpendBudgets.
type budgetCompiler struct {
	previous map[string]*table.Budget
	// zones remembers which time zones exist.
	zones map[string]bool
}

func newBudgetCompiler(in *Input) budgetCompiler {
	c := budgetCompiler{previous: map[string]*table.Budget{}, zones: map[string]bool{}}
	if in.Previous != nil {
		for i := range in.Previous.Budgets {
			c.previous[in.Previous.Budgets[i].Name] = &in.Previous.Budgets[i]
		}
	}
	return c
}

func (c budgetCompiler) compile(object *v1alpha1.SpendBudget) *budgetDraft {
	d := newDraft[table.Budget](KindSpendBudget, object.ObjectMeta)
	if previous := c.previous[object.Name]; previous != nil && previous.UID == d.uid {
		d.last, d.before = previous, previous.Object
	}
	spec := &object.Spec
	entry := table.Budget{
		Object:        d.identity(),
		Period:        string(spec.Window.Period),
		TimeZone:      spec.Window.TimeZone,
		ResetID:       spec.Window.ResetID,
		Enforcement:   table.Soft,
		AllowUnpriced: spec.Unpriced == v1alpha1.UnpricedAllow || spec.Enforcement == v1alpha1.EnforcementObserve,
		Ledger:        ledger.Name(object.Name),
	}
	if entry.TimeZone == "" {
		entry.TimeZone = time.UTC.String()
	}
	if spec.Enforcement == v1alpha1.EnforcementObserve {
		entry.Enforcement = table.Observe
	}
	var defects []Finding
	entry.Limit, defects = limit(spec.Limit)
	d.findings = append(d.findings, defects...)
	d.findings = append(d.findings, c.windowDefects(spec.Window.Period, entry.TimeZone)...)
	d.findings = append(d.findings, choiceDefects(spec)...)
	entry.Routes, entry.Callers, defects = scope(spec.AppliesTo)
	d.findings = append(d.findings, defects...)
	d.accept(&entry)
	return &d
}

func limit(spec v1alpha1.SpendLimit) (int64, []Finding) {
	nano, err := meter.ParseUSD(string(spec.Amount))
	if err != nil {
		return 0, []Finding{invalid(v1alpha1.ConditionEnforced, "spec.limit.amount",
			fmt.Sprintf("%q is not an amount: an amount is a decimal such as 250.00, with at most nine digits before the point and nine after it", bounded(string(spec.Amount))))}
	}
	if nano <= 0 {
		return 0, []Finding{invalid(v1alpha1.ConditionEnforced, "spec.limit.amount", "amount must be greater than zero")}
	}
	if spec.Currency != "" && spec.Currency != "USD" {
		return 0, []Finding{invalid(v1alpha1.ConditionEnforced, "spec.limit.currency", "only USD is supported")}
	}
	return nano, nil
}

func (c budgetCompiler) windowDefects(period v1alpha1.BudgetPeriod, zone string) []Finding {
	var findings []Finding
	switch period {
	case v1alpha1.PeriodHour, v1alpha1.PeriodDay, v1alpha1.PeriodWeek, v1alpha1.PeriodMonth, v1alpha1.PeriodTotal:
	default:
		findings = append(findings, invalid(v1alpha1.ConditionEnforced, "spec.window.period", fmt.Sprintf("%q is not Hour, Day, Week, Month or Total", bounded(string(period)))))
	}
	if !c.zoneExists(zone) {
		findings = append(findings, Finding{
			Condition: v1alpha1.ConditionEnforced,
			Reason:    v1alpha1.ReasonInvalidTimeZone,
			Message:   fmt.Sprintf("spec.window.timeZone: %q is not in the IANA time zone database; use a name such as Europe/Lisbon", bounded(zone)),
			Field:     "spec.window.timeZone",
		})
	}
	return findings
}

// zoneExists looks the zone up once for all budgets. "Local" would mean another zone on each machine.
func (c budgetCompiler) zoneExists(zone string) bool {
	exists, known := c.zones[zone]
	if !known {
		_, err := time.LoadLocation(zone)
		exists = err == nil && zone != "Local"
		c.zones[zone] = exists
	}
	return exists
}

func choiceDefects(spec *v1alpha1.SpendBudgetSpec) []Finding {
	var findings []Finding
	switch spec.Enforcement {
	case "", v1alpha1.EnforcementSoft, v1alpha1.EnforcementObserve:
	default:
		findings = append(findings, unsupported(v1alpha1.ConditionEnforced, "spec.enforcement", string(spec.Enforcement)))
	}
	switch spec.Unpriced {
	case "", v1alpha1.UnpricedDeny, v1alpha1.UnpricedAllow:
	default:
		findings = append(findings, unsupported(v1alpha1.ConditionEnforced, "spec.unpriced", string(spec.Unpriced)))
	}
	return findings
}

// scope reads what a budget applies to.
func scope(spec *v1alpha1.BudgetScope) ([]string, []table.CallerMatch, []Finding) {
	if spec == nil {
		return nil, nil, nil
	}
	routes := slices.Clone(spec.Routes)
	slices.Sort(routes)
	var callers []table.CallerMatch
	var findings []Finding
	for i, caller := range spec.Callers {
		match := table.CallerMatch{AccessKey: caller.AccessKey, Namespace: caller.Namespace}
		if caller.ServiceAccount != nil {
			match.ServiceAccount = caller.ServiceAccount.Namespace + "/" + caller.ServiceAccount.Name
		}
		if given(match.ServiceAccount, match.AccessKey, match.Namespace) != 1 {
			findings = append(findings, invalid(v1alpha1.ConditionEnforced, fmt.Sprintf("spec.appliesTo.callers[%d]", i),
				"a caller needs exactly one of serviceAccount, accessKey and namespace"))
		}
		callers = append(callers, match)
	}
	return routes, callers, findings
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
