package server

import (
	"crypto/rand"
	"net/http"
	"slices"
	"time"

	"signalbox.dev/signalbox/proxy/usage"
	"signalbox.dev/signalbox/proxy/usage/journal"
)

// generationPrefix begins the id of a usage record, which OpenRouter's clients know as the generation's.
const generationPrefix = "gen-"

// journalPatience is when a call that the journal had no room for may come again.
const journalPatience = 5 * time.Second

// providerSource is where the price comes from when a provider's own cost was believed.
const providerSource = "provider"

// recordID is the id of the call's usage record.
func (c *call) recordID() string {
	if c.record == "" {
		c.record = generationPrefix + rand.Text()
	}
	return c.record
}

// journalAttempt notes an attempt before it is sent. An error means that it must not be sent.
func (s *Server) journalAttempt(c *call, a *attempt) *Error {
	if s.journal == nil || c.place.free() {
		return nil
	}
	note := &journal.Attempt{Record: c.recordID(), Number: len(c.attempts), Time: a.began}
	if a.reservation != nil {
		note.Claims = a.reservation.Claims(nil)
	}
	if !c.drafted {
		note.Draft = s.draft(c)
		c.describe(note.Draft, a)
	}
	if s.journal.Begin(note) != nil {
		full := &Error{
			Code: CodeJournalFull, Status: http.StatusServiceUnavailable,
			Message: "the proxy has no room for further usage records, and is set up to refuse calls rather than to lose some: their sink has to be reachable again",
		}
		return full.withRetryAfter(journalPatience)
	}
	c.drafted = true
	return nil
}

// draft is what is known of a call before its first attempt.
func (s *Server) draft(c *call) *usage.Record {
	return &usage.Record{
		ID: c.recordID(), RequestID: c.id, Time: c.start, Namespace: c.snapshot.namespace, Pod: s.pod, Caller: c.callerName(),
		EndUser: c.claimant.EndUser, Tags: c.claimant.Tags, Operation: c.place.operation().String(), Model: c.inbound.Head.Model,
		UpstreamID: c.upstreamID, Stream: c.inbound.Head.Stream, Mirror: c.mirror,
	}
}

// describe adds an attempt to a record: where it went, and the budgets that count it, each once.
func (c *call) describe(r *usage.Record, a *attempt) {
	l := &c.legs[a.leg]
	r.Route, r.RoutedFrom, r.Target, r.Provider, r.Served = l.route.Name, "", a.target.name, a.target.provider, a.model
	if l.movedFrom != nil {
		r.RoutedFrom = l.movedFrom.Name
	}
	for _, budget := range c.legs[a.account].budgets {
		if !slices.Contains(r.Budgets, budget.Name) {
			r.Budgets = append(r.Budgets, budget.Name)
			r.Trusted = r.Trusted || budget.Trusts(&c.claimant)
		}
	}
}

// publish makes the record of a call readable, before the client has the last byte of its answer.
func (s *Server) publish(c *call) {
	if !c.bill.reached || c.place.free() {
		return
	}
	c.published = s.recordOf(c, s.success)
	if c.published.Status == 0 {
		c.published.Status = http.StatusOK // It is about to be sent.
	}
	s.recent.Put(c.published)
}

// endRecord notes the record of a call that has ended. One that reached no provider has none.
func (s *Server) endRecord(c *call, failure *Error) {
	if c.place.free() || c.snapshot == nil || len(c.attempts) == 0 && !c.drafted {
		return
	}
	if !c.bill.reached {
		if s.journal != nil {
			s.journal.Drop(c.recordID())
		}
		return
	}
	record := c.published
	if record == nil || failure != s.success {
		record = s.recordOf(c, failure)
		s.recent.Put(record)
	}
	if s.journal != nil {
		s.journal.End(record, c.settlements)
	}
}

// recordOf is the record of a call as far as it has come.
func (s *Server) recordOf(c *call, failure *Error) *usage.Record {
	r := s.draft(c)
	r.Usage, r.Cost, r.Unpriced, r.Estimated = c.bill.usage, c.bill.nano, c.bill.unpriced, c.bill.usage.Estimated
	if c.bill.believed {
		r.ListCost = c.bill.list
	}
	r.FirstToken, r.Upstream, r.Duration = c.firstToken, c.waited, s.now().Sub(c.start)
	r.Status, r.Code, r.Outcome = c.status, string(failure.Code), outcomeOf(failure)
	r.Attempts = make([]usage.Attempt, 0, len(c.attempts))
	for i := range c.attempts {
		a := &c.attempts[i]
		r.Attempts = append(r.Attempts, a.record(s.now()))
		c.describe(r, a)
		r.PriceSource = a.priceSource()
	}
	return r
}

func outcomeOf(failure *Error) usage.Outcome {
	switch failure.Code {
	case CodeOK:
		return usage.Completed
	case CodeClientClosed:
		return usage.Canceled
	default:
		return usage.Failed
	}
}

func (a *attempt) record(now time.Time) usage.Attempt {
	noted := usage.Attempt{
		Target: a.target.name, Provider: a.target.provider, Model: a.model, Key: a.key, Status: a.status, Code: string(CodeOK), Cost: a.spent.nano, Duration: a.duration,
	}
	if noted.Duration == 0 {
		noted.Duration = now.Sub(a.began) // It has answered, and not quite ended.
	}
	if a.failure != nil {
		noted.Code = string(a.failure.Code)
	}
	return noted
}

// priceSource tells where the cost of an attempt comes from; empty when it has none.
func (a *attempt) priceSource() string {
	switch {
	case a.spent.believed:
		return providerSource
	case a.prices != nil:
		return a.prices.Source
	default:
		return ""
	}
}
