package server

import (
	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

// demand is the most that an attempt can use.
type demand struct {
	meter.Demand
	// outputLimit is the number of tokens that each choice is limited to; 0 where an answer has no tokens.
	outputLimit int64
	// unbounded says what has no upper bound; empty when all has.
	unbounded string
}

// proxyRoom is how much longer than the model's name a request becomes, in bytes, on its way to another proxy: an output limit and a request for usage are
// about half of it.
const proxyRoom = 128

// requestUnbounded is why what nobody can read cannot be bounded.
const requestUnbounded = "what requests of this API use cannot be told before they are sent"

// demandOf is the most that an attempt can use: what the request asks for, within the limits of the target's model. Another proxy bounds what it is sent, which
// has the target's model and what is added to the request besides.
func (s *Server) demandOf(c *call, l *leg, a *attempt) *demand {
	if !l.hard && !c.passage.capped {
		return nil
	}
	demander, ok := c.place.surface.(dialect.Demander)
	if !ok {
		return &demand{unbounded: requestUnbounded}
	}
	if c.demand == nil {
		// What a form holds is known only to who reads it to its end, so that it has no body here.
		read := demander.Demand(c.inbound.Body, c.inbound.Head)
		c.demand = &read
	}
	declared := a.target.limitsOf(a.model)
	limits := dialect.Limits{
		Context: declared.ContextTokens, Output: outputLimit(c.inbound.Head.MaxTokens, declared.MaxOutputTokens),
		Model: a.model, Provider: a.target.provider, Prices: a.prices,
	}
	d := &demand{outputLimit: limits.Output}
	most := *c.demand
	if a.target.callsProxy() {
		most.Prompt = min(dialect.Unlimited, most.Prompt+int64(len(a.model))+proxyRoom)
	}
	d.Demand, d.unbounded = most.Within(limits)
	return d
}

// boundBy notes what an attempt within the demand can cost, and the output limit with which it cannot cost more.
func (a *attempt) boundBy(ask *ledger.Ask, d *demand) {
	a.bound, a.bounded, a.outputLimit = ask.Nano, !ask.Unpriced && !ask.Unbounded, d.outputLimit
}

// bound fills in what the demand can cost.
func (d *demand) bound(ask *ledger.Ask, prices *table.Prices) {
	ask.Unbounded = d.unbounded != ""
	if prices == nil || ask.Unbounded {
		return
	}
	nano, priced := meter.Bound(&d.Demand, prices)
	ask.Nano, ask.Unpriced = nano, !priced
}

// outputLimit is the limit of an answer that is sent: the request's, and no more than the model's. 0 is not known, of either.
func outputLimit(asked, most int64) int64 {
	if asked <= 0 || most > 0 && most < asked {
		return most
	}
	return asked
}

// limitsOf is what is known of a model that the target is asked for. What the target declares is of its own model; of others there may be the provider's list.
func (t *targetEntry) limitsOf(model string) table.ModelListing {
	if model == t.model {
		return table.ModelListing{ContextTokens: t.declared.ContextTokens, MaxOutputTokens: t.declared.MaxOutputTokens}
	}
	return t.listing[model]
}
