package server

import (
	"math"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

// bill is what a call has used so far, over all its attempts or those of one route.
type bill struct {
	usage    meter.Usage
	nano     int64
	priced   bool // some of it has a price
	unpriced bool // some of it has none
	reached  bool // a provider was reached, whether or not it did anything
}

// add adds usage at the prices of its target; nil prices are not known.
func (b *bill) add(usage meter.Usage, prices *table.Prices) {
	b.usage.Prompt += usage.Prompt
	b.usage.Cached += usage.Cached
	b.usage.CacheWrite += usage.CacheWrite
	b.usage.Completion += usage.Completion
	b.usage.Reasoning += usage.Reasoning
	b.usage.Estimated = b.usage.Estimated || usage.Estimated
	if prices == nil {
		b.unpriced = true
		return
	}
	b.priced = true
	cost := meter.Cost(&usage, prices)
	b.nano = addSaturating(b.nano, cost.Nano)
	b.unpriced = b.unpriced || cost.Unpriced
}

// charge adds what an attempt used. It is the one place where usage becomes money, for every endpoint and surface, for whole answers and for those that
// broke off.
func (c *call) charge(usage meter.Usage, a *attempt) {
	c.reach(a)
	if c.place.free() {
		return
	}
	a.usage = usage
	c.bill.add(usage, a.prices)
	c.legs[a.account].bill.add(usage, a.prices)
}

// reach notes that an attempt reached its provider.
func (c *call) reach(a *attempt) {
	c.bill.reached = true
	c.legs[a.account].bill.reached = true
}

// settle gives the bill to the budgets and limits, once. A call that reached no provider leaves no trace in them.
func (c *call) settle() {
	if c.settled {
		return
	}
	c.settled = true
	for i := range c.legs {
		if c.legs[i].admitted {
			c.legs[i].settle()
		}
	}
}

func (l *leg) settle() {
	if !l.bill.reached {
		l.limit.Correct(-1)
		l.admission.Release()
		return
	}
	l.limit.Correct(l.bill.usage.Prompt + l.bill.usage.Completion)
	l.admission.Settle(ledger.Charge{Nano: l.bill.nano, Unpriced: l.bill.unpriced})
}

// leave ends the call for limits of concurrency, and settles what has not been settled.
func (c *call) leave() {
	c.settle()
	for i := range c.legs {
		c.legs[i].limit.Release()
	}
}

// addSaturating adds two amounts that are not negative.
func addSaturating(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
