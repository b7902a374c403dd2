package server

import (
	"time"

	"signalbox.dev/signalbox/proxy/dialect"
)

// wantsMetadata tells whether the client asks how its call was routed.
func (c *call) wantsMetadata() bool {
	for _, name := range [...]string{dialect.MetadataHeader, dialect.OldMetadataHeader} {
		for _, value := range c.r.Header[name] {
			if dialect.AsksForMetadata(value) {
				return true
			}
		}
	}
	return false
}

// routingMetadata tells how the call was routed until now.
func (c *call) routingMetadata(now time.Time) *dialect.RoutingMetadata {
	told := &dialect.RoutingMetadata{Requested: c.inbound.Head.Model, Strategy: c.routingStrategy()}
	for i := range c.attempts {
		a := &c.attempts[i]
		told.Attempts = append(told.Attempts, dialect.RoutingAttempt{Target: a.target.name, Provider: a.target.provider, Model: a.model, Status: a.status})
	}
	served := none
	if last := len(c.attempts) - 1; last >= 0 {
		served, told.Elapsed = c.attempts[last].leg, now.Sub(c.attempts[last].began)
	}
	for _, candidate := range c.candidates {
		l := &c.legs[candidate.Route]
		t := &l.route.targets[candidate.Index]
		upstream := t.serving(l.query.Now, l.model)
		told.Endpoints = append(told.Endpoints, dialect.RoutingEndpoint{
			Target: t.name, Provider: t.provider, Model: upstream.model, Selected: t == c.target && candidate.Route == served, Excluded: c.reason(candidate),
		})
	}
	return told
}

// routingStrategy says in OpenRouter's words how the model was chosen.
func (c *call) routingStrategy() dialect.RoutingStrategy {
	if len(c.attempts) > 0 && c.attempts[len(c.attempts)-1].leg > 0 {
		return dialect.RoutedByFallback
	}
	return dialect.RoutedDirectly
}
