package server

import (
	"time"

	"signalbox.dev/signalbox/proxy/telemetry"
	"signalbox.dev/signalbox/proxy/tracing"
)

// traceAttempt begins the span of an attempt; nil without a trace.
func (c *call) traceAttempt(a *attempt) *tracing.Attempt {
	if c.trace == nil {
		return nil
	}
	return c.trace.Attempt(&tracing.Attempted{
		At: a.began, Operation: c.place.operation(), Route: c.legs[a.leg].route.Name, Target: a.target.name, Credential: a.target.credential,
		Provider: a.target.provider, Model: a.model,
	})
}

// endTrace ends the span of an attempt.
func (a *attempt) endTrace(now time.Time) {
	if a.trace == nil {
		return
	}
	code := CodeOK
	if a.failure != nil {
		code = a.failure.Code
	}
	a.trace.End(&tracing.Answered{
		At: now, Status: a.status, Code: string(code), FirstToken: a.firstToken, Priced: a.spent.priced,
		Usage: telemetry.Usage{
			Prompt: a.spent.usage.Prompt, Cached: a.spent.usage.Cached, Completion: a.spent.usage.Completion, Cost: a.spent.nano, Estimated: a.spent.usage.Estimated,
		},
	})
	a.trace = nil
}

// endTrace ends the spans of a call, those of attempts that a panic cut off too.
func (s *Server) endTrace(c *call, entry *telemetry.Entry) {
	if c.trace == nil {
		return
	}
	for i := range c.attempts {
		c.attempts[i].endTrace(s.now())
	}
	outcome := tracing.Outcome{Entry: entry, RecordID: c.record, ResponseID: c.upstreamID}
	if last := len(c.attempts) - 1; last >= 0 {
		if from := c.legs[c.attempts[last].leg].movedFrom; from != nil {
			outcome.RoutedFrom = from.Name
		}
	}
	c.trace.End(&outcome)
}
