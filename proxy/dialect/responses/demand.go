package responses

import "signalbox.dev/signalbox/proxy/dialect"

// Demand is the most that a request can use.
func (Codec) Demand(body []byte, h dialect.Head) dialect.Demand {
	return dialect.GenerationDemand(body, h)
}
