package compile

import (
	"fmt"
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
	// routes are the names of the namespace's ModelRoutes.
	routes map[string]bool
	// issuers are those of the platform's configuration.
	issuers issuers
	// zones remembers which time zones exist.
	zones map[string]bool
}

func newBudgetCompiler(in *Input) budgetCompiler {
	c := budgetCompiler{previous: map[string]*table.Budget{}, routes: map[string]bool{}, issuers: knownIssuers(in.Issuers), zones: map[string]bool{}}
	if in.Previous != nil {
		for i := range in.Previous.Budgets {
			c.previous[in.Previous.Budgets[i].Name] = &in.Previous.Budgets[i]
		}
	}
	for i := range in.Routes {
		c.routes[in.Routes[i].Name] = true
	}
	return c
}

// compile reads a budget. A route or an issuer that it names and that does not exist is told, and does not keep the budget from being applied: a limit is not
// lifted because some route is gone.
func (c budgetCompiler) compile(object *v1alpha1.SpendBudget) *budgetDraft {
	d := newDraft[table.Budget](KindSpendBudget, object.ObjectMeta)
	if previous := c.previous[object.Name]; previous != nil && previous.UID == d.uid {
		d.last, d.before = previous, previous.Object
	}
	spec := &object.Spec
	entry := table.Budget{
		Object:   d.identity(),
		Period:   string(spec.Window.Period),
		TimeZone: spec.Window.TimeZone,
		ResetID:  spec.Window.ResetID,
		Ledger:   ledger.Name(object.Name),
	}
	if entry.TimeZone == "" {
		entry.TimeZone = time.UTC.String()
	}
	d.findings = append(d.findings, readLimit(&entry, spec.Limit)...)
	d.findings = append(d.findings, c.windowDefects(spec.Window.Period, entry.TimeZone)...)
	d.findings = append(d.findings, readPolicies(&entry, spec)...)
	d.findings = append(d.findings, readScope(&entry, spec)...)
	d.findings = append(d.findings, readCounters(&entry, spec)...)
	d.findings = append(d.findings, readActions(&entry, spec)...)
	d.accept(&entry)
	d.findings = append(d.findings, c.unresolved(spec)...)
	return &d
}

// misfit is the finding for a field of a budget with an error that its schema does not see.
func misfit(field, problem string) Finding {
	return invalid(v1alpha1.ConditionEnforced, field, problem)
}

func readLimit(entry *table.Budget, spec v1alpha1.SpendLimit) []Finding {
	limit, findings := budgetAmount(spec.Amount, "spec.limit.amount")
	entry.Limit = limit
	if spec.Currency != "" && spec.Currency != "USD" {
		findings = append(findings, misfit("spec.limit.currency", "only USD is supported"))
	}
	return findings
}

// budgetAmount reads an amount that must be greater than zero.
func budgetAmount(amount v1alpha1.USDAmount, field string) (int64, []Finding) {
	nano, err := meter.ParseUSD(string(amount))
	if err != nil {
		return 0, []Finding{misfit(field,
			fmt.Sprintf("%q is not an amount: an amount is a decimal such as 250.00, with at most nine digits before the point and nine after it", bounded(string(amount))))}
	}
	if nano <= 0 {
		return 0, []Finding{misfit(field, "amount must be greater than zero")}
	}
	return nano, nil
}

func (c budgetCompiler) windowDefects(period v1alpha1.BudgetPeriod, zone string) []Finding {
	var findings []Finding
	switch period {
	case v1alpha1.PeriodHour, v1alpha1.PeriodDay, v1alpha1.PeriodWeek, v1alpha1.PeriodMonth, v1alpha1.PeriodTotal:
	default:
		findings = append(findings, misfit("spec.window.period", fmt.Sprintf("%q is not Hour, Day, Week, Month or Total", bounded(string(period)))))
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

// readPolicies reads what the budget does at its limit and what it does without a price or a ledger. Observe refuses nothing, whatever the others say.
func readPolicies(entry *table.Budget, spec *v1alpha1.SpendBudgetSpec) []Finding {
	var findings []Finding
	observe := spec.Enforcement == v1alpha1.EnforcementObserve
	hard := spec.Enforcement == v1alpha1.EnforcementHard
	switch spec.Enforcement {
	case "", v1alpha1.EnforcementSoft, v1alpha1.EnforcementHard, v1alpha1.EnforcementObserve:
	default:
		findings = append(findings, unsupported(v1alpha1.ConditionEnforced, "spec.enforcement", string(spec.Enforcement)))
	}
	entry.Enforcement = table.Soft
	if observe || hard {
		entry.Enforcement = table.Enforcement(spec.Enforcement)
	}

	entry.AllowUnpriced = observe || spec.Unpriced == v1alpha1.UnpricedAllow
	entry.AllowWithoutLedger = observe || !hard && spec.OnLedgerUnavailable != v1alpha1.LedgerUnavailableDeny
	entry.Shrink = spec.OnTight == v1alpha1.TightShrink
	findings = append(findings, budgetPolicy(spec.Unpriced, v1alpha1.UnpricedAllow, v1alpha1.UnpricedDeny, "spec.unpriced")...)
	findings = append(findings, budgetPolicy(spec.OnLedgerUnavailable, v1alpha1.LedgerUnavailableAllow, v1alpha1.LedgerUnavailableDeny, "spec.onLedgerUnavailable")...)
	findings = append(findings, budgetPolicy(spec.OnTight, v1alpha1.TightShrink, v1alpha1.TightDeny, "spec.onTight")...)
	return append(findings, hardDefects(spec)...)
}

// hardDefects tells of policies that do not go together with the enforcement.
func hardDefects(spec *v1alpha1.SpendBudgetSpec) []Finding {
	var findings []Finding
	hard := spec.Enforcement == v1alpha1.EnforcementHard
	if hard && spec.Unpriced == v1alpha1.UnpricedAllow {
		findings = append(findings, misfit("spec.unpriced", "enforcement Hard cannot have unpriced: Allow, for what a call costs must be known before it is sent"))
	}
	if hard && spec.OnLedgerUnavailable == v1alpha1.LedgerUnavailableAllow {
		findings = append(findings, misfit("spec.onLedgerUnavailable", "enforcement Hard cannot have onLedgerUnavailable: Allow, for what nobody counts has no limit"))
	}
	if !hard && spec.OnTight == v1alpha1.TightShrink {
		findings = append(findings, misfit("spec.onTight", "onTight: Shrink needs enforcement Hard, for nothing is reserved otherwise"))
	}
	return findings
}

// budgetPolicy is the finding for a policy that is neither left out nor one of two.
func budgetPolicy[P ~string](given, one, other P, field string) []Finding {
	if given == "" || given == one || given == other {
		return nil
	}
	return []Finding{unsupported(v1alpha1.ConditionEnforced, field, string(given))}
}
