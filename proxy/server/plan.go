package server

import (
	"fmt"

	"signalbox.dev/signalbox/proxy/identity"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/table"
)

// plan is what a call may do: the targets in order, each exclusion with its reason, and the budgets that count it.
type plan struct {
	candidates []route.WeightCandidate
	budgets    []*table.Budget
	// usable counts the targets that are not excluded, before prices are looked at.
	usable int
	// unpriced tells that no usable target has a known price.
	unpriced bool
}

// makePlan is pure but for the draw among targets of one priority.
func makePlan(r *routeEntry, caller identity.Caller, model string, random route.Random) plan {
	p := plan{candidates: route.OrderByWeight(make([]route.WeightCandidate, 0, len(r.Targets)), r.Targets, random)}
	budgetCaller := ledgerCaller(caller)
	for _, budget := range r.budgets {
		if ledger.Matches(budget, r.Name, budgetCaller) {
			p.budgets = append(p.budgets, budget)
		}
	}
	priced := 0
	for _, candidate := range p.candidates {
		if candidate.Excluded != "" {
			continue
		}
		p.usable++
		if r.targets[candidate.Index].priced(model) {
			priced++
		}
	}
	p.unpriced = priced == 0
	if priced > 0 && priced < p.usable {
		p.excludeUnpriced(r, model)
	}
	return p
}

// priced tells whether the cost of a call to the target will be known.
func (t *targetEntry) priced(asked string) bool { return t.pricesOf(t.upstreamModel(asked)) != nil }

// excludeUnpriced leaves out the targets without a price when a budget refuses such calls and other targets are left.
func (p *plan) excludeUnpriced(r *routeEntry, model string) {
	for _, budget := range p.budgets {
		if budget.Enforcement != table.Soft || budget.AllowUnpriced {
			continue
		}
		reason := fmt.Sprintf("its price is not known, and SpendBudget %q refuses such calls", budget.Name)
		for i, candidate := range p.candidates {
			if candidate.Excluded == "" && !r.targets[candidate.Index].priced(model) {
				p.candidates[i].Excluded = reason
			}
		}
		return
	}
}

func ledgerCaller(c identity.Caller) ledger.Caller {
	if c.Kind == identity.AccessKey {
		return ledger.Caller{AccessKey: c.Name}
	}
	return ledger.Caller{Namespace: c.Namespace, ServiceAccount: c.Name}
}
