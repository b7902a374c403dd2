package server

import (
	"fmt"
	"slices"

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
	// outOverrun: a Hard budget counts the call, and the target has cost more than it could.
	outOverrun
	// outBegun: the upstream was left alone by the time that the call came to it.
	outBegun
	// outOfDate is no reason: the call waited so long that its targets have to be chosen anew.
	outOfDate
)

// plan puts the targets of all legs in order. It says for each leg which budgets count it.
func (s *Server) plan(c *call) {
	c.candidates = c.firstCandidates[:0]
	for i := range c.legs {
		l := &c.legs[i]
		from := len(c.candidates)
		c.candidates = l.route.router.Order(c.candidates, i, &l.query)
		if l.account == i {
			l.budgets = c.appendBudgets(c.roomForBudgets(i), l.route)
			l.hard = hasHard(l.budgets)
			continue
		}
		// What calls the same model whatever the client asks for is there already.
		others := slices.DeleteFunc(c.candidates[from:], func(candidate route.Candidate) bool { return l.route.targets[candidate.Index].model != sameModel })
		c.candidates = c.candidates[:from+len(others)]
	}
	if !c.place.free() {
		c.applyPrices()
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

// roomForBudgets is where the budgets of a leg go; most calls have one leg and few budgets.
func (c *call) roomForBudgets(leg int) []*ledger.Budget {
	if leg > 0 {
		return nil
	}
	return c.firstBudgets[:0]
}

// appendBudgets appends the budgets that count the call on a route.
func (c *call) appendBudgets(budgets []*ledger.Budget, r *routeEntry) []*ledger.Budget {
	for _, budget := range r.budgets {
		if budget.Counts(r.Name, &c.claimant) {
			budgets = append(budgets, budget)
		}
	}
	return budgets
}

// applyPrices leaves out the targets without a price when a budget refuses such calls and other targets of its route are left.
func (c *call) applyPrices() {
	for i := range c.legs {
		if c.legs[i].account == i {
			c.applyPricesOf(i)
		}
	}
}

func (c *call) applyPricesOf(account int) {
	l := &c.legs[account]
	l.unpriced = c.allUnpriced(account)
	if l.unpriced || denying(l.budgets) == nil {
		return
	}
	for i, candidate := range c.candidates {
		canServe := candidate.Out == route.Eligible || candidate.Out == route.AfterFailureOnly
		if canServe && c.legs[candidate.Route].account == account && !c.priced(candidate) {
			c.candidates[i].Out = outUnpriced
		}
	}
}

// allUnpriced tells whether there are targets that can be used, and none of them has a known price.
func (c *call) allUnpriced(account int) bool {
	usable := false
	for _, candidate := range c.candidates {
		if candidate.Out != route.Eligible || c.legs[candidate.Route].account != account {
			continue
		}
		if c.priced(candidate) {
			return false
		}
		usable = true
	}
	return usable
}

// priced tells whether the cost of a call to a candidate will be known.
func (c *call) priced(candidate route.Candidate) bool {
	l := &c.legs[candidate.Route]
	return l.route.targets[candidate.Index].priced(l.model)
}

// denying is the first budget that refuses calls without a price; nil when none does.
func denying(budgets []*ledger.Budget) *ledger.Budget {
	at := slices.IndexFunc(budgets, func(b *ledger.Budget) bool { return b.Enforcement != table.Observe && !b.AllowUnpriced })
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
		return c.refusedReason(candidate)
	case outOverrun:
		return "it has cost more than its prices and limits allow, and a Hard budget counts the call; edit its prices, or its ModelRoute or ProviderCredential, to have it tried again"
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
