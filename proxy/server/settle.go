package server

import (
	"math"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

// charge adds what one attempt used. It is the one place where usage becomes money, for every endpoint and surface, for whole answers and for those
// that broke off.
func (c *call) charge(usage meter.Usage, prices *table.Prices) {
	c.bill.reached = true
	if c.place.free() {
		return
	}
	c.bill.usage.Prompt += usage.Prompt
	c.bill.usage.Cached += usage.Cached
	c.bill.usage.CacheWrite += usage.CacheWrite
	c.bill.usage.Completion += usage.Completion
	c.bill.usage.Reasoning += usage.Reasoning
	c.bill.usage.Estimated = c.bill.usage.Estimated || usage.Estimated
	if prices == nil {
		c.bill.unpriced = true
		return
	}
	c.bill.priced = true
	c.bill.nano = addSaturating(c.bill.nano, meter.Cost(usage, *prices))
}

// settle gives the bill to the budgets, once. A call that reached no provider leaves no trace in them.
func (c *call) settle() {
	if c.bill.settled {
		return
	}
	c.bill.settled = true
	if !c.bill.reached {
		c.admission.Release()
		return
	}
	c.admission.Settle(ledger.Charge{Nano: c.bill.nano, Unpriced: c.bill.unpriced})
}

// addSaturating adds two amounts that are not negative.
func addSaturating(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
