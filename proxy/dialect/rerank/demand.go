package rerank

import "signalbox.dev/signalbox/proxy/dialect"

// Demand is the most that a request can use.
func (Codec) Demand(body []byte, _ dialect.Head) dialect.Demand { return dialect.RerankDemand(body) }
