package server

import (
	"fmt"
	"net/http"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/route"
)

// capRefuses tells whether an attempt must be passed over, as the Hard budget of a calling namespace has reserved too little for it.
func (c *call) capRefuses(candidate route.Candidate, a *attempt, d *demand) bool {
	if !c.passage.capped {
		return false
	}
	why := c.aboveCap(a, d)
	if why != nil {
		c.refusals = append(c.refusals, refused{leg: candidate.Route, index: candidate.Index, why: why})
	}
	return why != nil
}

// aboveCap is why an attempt must not be made under the call's bound; nil when it may. What the attempts before
// it cost counts, so that the whole call never costs more than was reserved. The attempt is held to the output limit that its bound assumes.
func (c *call) aboveCap(a *attempt, d *demand) *Error {
	ask := ledger.Ask{Unpriced: a.prices == nil}
	d.bound(&ask, a.prices)
	a.boundBy(&ask, d)
	switch left := c.passage.maxCost - c.bill.nano; {
	case ask.Unbounded:
		return &Error{
			Code: CodeUnboundedCost, Status: http.StatusBadRequest,
			Message: fmt.Sprintf("what this call can cost has no upper bound, and a Hard SpendBudget of a calling namespace counts it (by way of %s): %s; %s",
				c.passage.way(), d.unbounded, bounding),
		}
	case ask.Unpriced:
		return &Error{
			Code: CodeUnpriced, Status: http.StatusPaymentRequired,
			Message: fmt.Sprintf("the price of this call is not known, and a Hard SpendBudget of a calling namespace counts it (by way of %s): add prices to the target or its ProviderCredential",
				c.passage.way()),
		}
	case ask.Nano > left:
		return &Error{
			Code: CodeBudgetExceeded, Status: http.StatusPaymentRequired,
			Message: fmt.Sprintf("a Hard SpendBudget of a calling namespace (by way of %s) has %s USD left for this call, and this target could cost %s: "+
				"lower the output limit of the call or shorten it",
				c.passage.way(), meter.FormatUSD(max(0, left)), meter.FormatUSD(ask.Nano)),
		}
	default:
		return nil
	}
}
