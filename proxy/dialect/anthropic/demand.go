package anthropic

import "signalbox.dev/signalbox/proxy/dialect"

// Demand is the most that a request can use.
func (Messages) Demand(body []byte, h dialect.Head) dialect.Demand {
	return dialect.GenerationDemand(body, h)
}

// Demand is nothing: tokens are counted for free.
func (CountTokens) Demand([]byte, dialect.Head) dialect.Demand { return dialect.Demand{} }
