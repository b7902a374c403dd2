package server

import (
	"fmt"
	"slices"

	"signalbox.dev/signalbox/proxy/identity"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/table"
)

// maxCandidates bounds the targets that one call considers, over all its models.
const maxCandidates = 64

// Exclusions by the server, beside those of package route.
const (
	// outUnpriced: a budget refuses calls without a price, and other targets have one.
	outUnpriced route.Exclusion = 255 - iota
	// outRefused: a limit or a budget of the target's route refused the call.
	outRefused
	// outUnsuitable: the request cannot be said in the words of the target's API.
	outUnsuitable
	// outParameters: the request wants all its parameters to count, and the target lacks one.
	outParameters
	// outTooDear: the estimated cost of the attempt and of those before it is above the route's bound.
	outTooDear
	// outBegun: the upstream was left alone by the time that the call came to it.
	outBegun
)

// plan puts the targets of all legs in order. It says for each leg which budgets count it.
func (s *Server) plan(c *call) {
	c.candidates = c.firstCandidates[:0]
	for i := range c.legs {
		l := &c.legs[i]
		from := len(c.candidates)
		c.candidates = l.route.router.Order(c.candidates, i, &l.query)
		if l.account == i {
			l.budgets = c.budgetsOf(l.route)
		}
		l.applyPrices(c.legs[l.account].budgets, c.candidates[from:])
	}
	if len(c.legs) > 1 {
		c.joinLegs()
	}
	if len(c.candidates) > maxCandidates {
		c.candidates = c.candidates[:maxCandidates]
	}
}

// joinLegs makes one order of the targets of all models.
func (c *call) joinLegs() {
	first := &c.legs[0].query
	if first.Preferences != nil && first.Preferences.AcrossModels {
		route.JoinSorted(c.candidates)
		return
	}
	route.Join(c.candidates)
}

func (c *call) routers() []*route.Router {
	routers := c.firstRouters[:0]
	for i := range c.legs {
		routers = append(routers, c.legs[i].route.router)
	}
	return routers
}

// budgetsOf are the budgets that count the call on a route.
func (c *call) budgetsOf(r *routeEntry) []*table.Budget {
	var budgets []*table.Budget
	caller := ledgerCaller(c.caller)
	for _, budget := range r.budgets {
		if ledger.Matches(budget, r.Name, caller) {
			budgets = append(budgets, budget)
		}
	}
	return budgets
}

// applyPrices leaves out the targets without a price when a budget refuses such calls and other targets are left.
func (l *leg) applyPrices(budgets []*table.Budget, candidates []route.Candidate) {
	usable, priced := 0, 0
	for _, candidate := range candidates {
		if candidate.Out != 0 {
			continue
		}
		usable++
		if l.route.targets[candidate.Index].priced(l.model) {
			priced++
		}
	}
	l.unpriced = usable > 0 && priced == 0
	if priced == 0 || priced == usable || denying(budgets) == nil {
		return
	}
	for i, candidate := range candidates {
		if candidate.Out == 0 && !l.route.targets[candidate.Index].priced(l.model) {
			candidates[i].Out = outUnpriced
		}
	}
}

// denying is the first budget that refuses calls without a price; nil when none does.
func denying(budgets []*table.Budget) *table.Budget {
	at := slices.IndexFunc(budgets, func(b *table.Budget) bool { return b.Enforcement == table.Soft && !b.AllowUnpriced })
	if at < 0 {
		return nil
	}
	return budgets[at]
}

// reason says why a candidate is left out.
func (c *call) reason(candidate route.Candidate) string {
	l := &c.legs[candidate.Route]
	switch candidate.Out {
	case outUnpriced:
		return fmt.Sprintf("its price is not known, and SpendBudget %q refuses such calls", denying(c.legs[l.account].budgets).Name)
	case outRefused:
		return c.legs[l.account].refusal.Message
	case outUnsuitable, outParameters:
		return c.unsuitedReason(l.route.targets[candidate.Index].name)
	case outTooDear:
		return "with the attempts before it, it would cost more than the route's fallback.maxCost"
	case outBegun:
		return "it has just been found to be down, or another call is trying whether it is back"
	default:
		return l.route.router.Reason(candidate, &l.query)
	}
}

func ledgerCaller(c identity.Caller) ledger.Caller {
	if c.Kind == identity.AccessKey {
		return ledger.Caller{AccessKey: c.Name}
	}
	return ledger.Caller{Namespace: c.Namespace, ServiceAccount: c.Name}
}
