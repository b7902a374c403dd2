package server

import (
	"net/http"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

// bill is what a call has used so far, over all its attempts or those of one route.
type bill struct {
	usage    meter.Usage
	nano     int64
	list     int64 // what the prices make of it, where a provider's own cost was believed
	believed bool  // a provider's own cost is in it
	priced   bool  // some of it has a price
	unpriced bool  // some of it has none
	reached  bool  // a provider was reached, whether or not it did anything
}

// add adds usage and what it costs.
func (b *bill) add(usage *meter.Usage, cost cost) {
	b.usage = b.usage.Plus(*usage)
	b.nano = meter.AddSaturating(b.nano, cost.nano)
	b.list = meter.AddSaturating(b.list, cost.list)
	b.believed = b.believed || cost.believed
	b.priced = b.priced || cost.priced
	b.unpriced = b.unpriced || cost.unpriced
}

// cost is what usage comes to.
type cost struct {
	nano, list                 int64
	believed, priced, unpriced bool
}

// costOf is the one place where usage becomes money, for every endpoint and surface, for whole answers and for those that broke off. An aggregator that says
// what the call cost is believed. What was not measured costs a Hard budget as much as it can have been, for nobody knows that it was less.
func (a *attempt) costOf(usage *meter.Usage) cost {
	var c cost
	if a.prices != nil {
		amount := meter.Cost(usage, a.prices)
		c = cost{nano: amount.Nano, list: amount.Nano, priced: true, unpriced: amount.Unpriced}
	} else {
		c.unpriced = true
	}
	switch {
	case usage.ReportedCost != nil && a.target.believesCost():
		c = cost{nano: *usage.ReportedCost, list: c.list, believed: true, priced: true}
	case usage.Estimated, c.unpriced:
		c.nano = max(c.nano, a.bound)
	}
	return c
}

// charge adds what an attempt used.
func (c *call) charge(usage meter.Usage, a *attempt) {
	c.reach(a)
	if c.place.free() {
		return
	}
	a.usage, a.charged = usage, true
	spent := a.costOf(&usage)
	a.spent.add(&usage, spent)
	c.bill.add(&usage, spent)
	c.legs[a.account].bill.add(&usage, spent)
}

// reach notes that an attempt reached its provider.
func (c *call) reach(a *attempt) {
	a.spent.reached = true
	c.bill.reached = true
	c.legs[a.account].bill.reached = true
}

// settle gives the bill to the budgets and limits, once. A call that reached no provider leaves no trace in them.
func (s *Server) settle(c *call) {
	if c.settled {
		return
	}
	c.settled = true
	for i := range c.attempts {
		s.settleAttempt(c, &c.attempts[i])
	}
	for i := range c.legs {
		if c.legs[i].admitted {
			c.legs[i].settle()
		}
	}
}

// settleAttempt ends an attempt for the budgets, once.
func (s *Server) settleAttempt(c *call, a *attempt) {
	s.noteOverrun(c, a)
	reservation := a.reservation
	if reservation == nil {
		return
	}
	a.reservation = nil
	if !a.spent.reached {
		reservation.Release()
		return
	}
	c.counted = true
	charge := ledger.Charge{Nano: a.spent.nano, Unpriced: a.spent.unpriced, Route: c.legs[a.account].route.Name, Caller: c.callerName()}
	c.settlements = reservation.Settle(charge, c.settlements)
}

// noteOverrun notes a target that has cost more than it can.
func (s *Server) noteOverrun(c *call, a *attempt) {
	if a.bounded && a.spent.nano > a.bound && s.overruns.add(overrunOf(c.legs[a.account].route, a)) {
		s.log.Error("a target cost more than it can by its prices and the limits that it was sent; Hard budgets are not spent on it until its ModelRoute or ProviderCredential is edited",
			"request_id", c.id, "route", c.legs[a.account].route.Name, "target", a.target.name, "model", a.model,
			"cost", meter.FormatUSD(a.spent.nano), "bound", meter.FormatUSD(a.bound))
	}
}

func (l *leg) settle() {
	if !l.bill.reached {
		l.correctLimits(-1)
		return
	}
	l.correctLimits(l.bill.usage.Prompt + l.bill.usage.Completion)
}

// chargeCutOff charges what a panic cut off, as far as it was sent: the provider may have done all of it.
func (c *call) chargeCutOff() {
	for i := range c.attempts {
		a := &c.attempts[i]
		if !a.sent || a.ended || a.charged || c.settled {
			continue
		}
		a.failure = a.fail(table.None, CodeInternal, http.StatusInternalServerError, "the proxy failed before its answer was read")
		c.charge(meter.EstimateUsage(c.promptBytes(), 0, 0), a)
	}
}

// leave ends the call for limits of concurrency, and settles what has not been settled.
func (s *Server) leave(c *call) {
	c.chargeCutOff()
	s.settle(c)
	for i := range c.legs {
		c.legs[i].releaseLimits()
	}
}
