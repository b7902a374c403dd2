package server

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/table"
)

// leastShrunk is the shortest answer, in tokens, that a call is shrunk to; below it a refusal helps more.
const leastShrunk = 16

// bounding is what makes a cost bounded.
const bounding = "send an output limit such as max_tokens, declare contextTokens and maxOutputTokens of the target's model, or leave out what is named"

// refused is a candidate that a budget refused for what it would cost, while others may cost less.
type refused struct {
	leg, index int
	why        *Error
}

// reserve asks the budgets for an attempt before it is sent. A failure is the refusal of the whole leg; what only this target is too dear or too open for is
// passed over.
func (s *Server) reserve(ctx context.Context, c *call, candidate route.Candidate, a *attempt) (*Error, route.Exclusion) {
	l := &c.legs[a.account]
	if len(l.budgets) == 0 && !c.passage.capped || c.place.free() {
		return nil, 0
	}
	if (l.hard || c.passage.capped) && s.overruns.has(overrunOf(l.route, a)) {
		return nil, outOverrun
	}
	demand := s.demandOf(c, l, a)
	if c.capRefuses(candidate, a, demand) {
		return nil, outRefused
	}
	return s.reserveWithin(ctx, c, candidate, a, demand)
}

// reserveWithin asks the budgets of this namespace for an attempt, within its demand.
func (s *Server) reserveWithin(ctx context.Context, c *call, candidate route.Candidate, a *attempt, demand *demand) (*Error, route.Exclusion) {
	l := &c.legs[a.account]
	refusal := s.askBudgets(ctx, c, l, a, demand)
	if refusal != nil && s.shrinks(c, l, a, demand, refusal) {
		refusal = s.askBudgets(ctx, c, l, a, demand)
	}
	if refusal == nil {
		return nil, 0
	}
	a.reservation = nil
	if refusal.Reason == ledger.Canceled {
		return s.outOfTime(c), 0
	}
	why := budgetRefusal(refusal, s.now())
	if refusal.Reason == ledger.Unbounded {
		why.Message += ": " + demand.unbounded + "; " + bounding
	}
	if !dependsOnTarget(refusal) {
		l.refuse(why)
		return nil, outRefused
	}
	c.refusals = append(c.refusals, refused{leg: candidate.Route, index: candidate.Index, why: why})
	return nil, outRefused
}

// dependsOnTarget tells whether a budget that refuses this attempt might admit one at another target.
func dependsOnTarget(r *ledger.Refusal) bool {
	switch r.Reason {
	case ledger.Unpriced, ledger.Unbounded:
		return true
	case ledger.LimitReached:
		return r.Ask > 0 && r.Available > 0
	default:
		return false
	}
}

// askBudgets makes one request to the budgets, and notes how long it waited.
func (s *Server) askBudgets(ctx context.Context, c *call, l *leg, a *attempt, d *demand) *ledger.Refusal {
	ask := ledger.Ask{Unpriced: a.prices == nil, Retry: c.counted, Patience: c.patience()}
	if l.hard {
		d.bound(&ask, a.prices)
		a.boundBy(&ask, d)
	}
	a.reservation = c.newReservation()
	began := s.now()
	refusal := s.book.Reserve(ctx, began, l.budgets, &c.claimant, ask, a.reservation)
	if waited := s.now().Sub(began); waited >= leastQueued {
		c.ledgerWait += waited
		c.waited += waited
		a.began = began.Add(waited) // The target has no part in it.
	}
	return refusal
}

// patience is how much longer the call waits for ledgers, over all its attempts.
func (c *call) patience() time.Duration {
	return max(time.Millisecond, ledger.DefaultPatience-c.ledgerWait)
}

// newReservation is one that nothing is held in. Most calls need no more than the one that is part of the call.
func (c *call) newReservation() *ledger.Reservation {
	if !c.reserved {
		c.reserved = true
		return &c.firstReservation
	}
	return &ledger.Reservation{}
}

// shrinks lowers the demand's output to what is left in the budget that refused it, and tells whether it did.
func (s *Server) shrinks(c *call, l *leg, a *attempt, d *demand, r *ledger.Refusal) bool {
	willing := slices.ContainsFunc(l.budgets, func(b *ledger.Budget) bool { return b.Name == r.Budget && b.Shrink })
	if r.Reason != ledger.LimitReached || !willing || !l.hard || a.prices == nil || d.outputLimit == 0 || c.form != nil {
		return false
	}
	// The limit applies to each answer of each round, and some of the completion is beyond it.
	answers := max(1, c.demand.Choices) * max(1, c.demand.Rounds)
	beyond := d.Completion - d.outputLimit*answers
	if beyond < 0 {
		return false // The answers are longer than can be told.
	}
	fits := (meter.FitCompletion(&d.Demand, a.prices, r.Available) - beyond) / answers
	if fits < leastShrunk || fits >= d.outputLimit {
		return false
	}
	d.outputLimit, d.Completion = fits, beyond+fits*answers
	a.shrunkBy = r.Budget
	return true
}

// refusedReason is why budgets refused a candidate.
func (c *call) refusedReason(candidate route.Candidate) string {
	if l := &c.legs[c.legs[candidate.Route].account]; l.refusal != nil {
		return l.refusal.Message
	}
	for _, r := range c.refusals {
		if r.leg == candidate.Route && r.index == candidate.Index {
			return r.why.Message
		}
	}
	return ""
}

// budgetRefusal is the error of a refusal.
func budgetRefusal(r *ledger.Refusal, now time.Time) *Error {
	switch r.Reason {
	case ledger.LimitReached:
		return limitReached(r, now)
	case ledger.Unpriced:
		return &Error{
			Code: CodeUnpriced, Status: http.StatusPaymentRequired,
			Message: fmt.Sprintf("the price of this call is not known, and SpendBudget %q refuses such calls: add prices to the target or its "+
				"ProviderCredential, or set unpriced: Allow", r.Budget),
			Metadata: &dialect.Metadata{Budget: &dialect.BudgetState{Name: r.Budget}},
		}
	case ledger.Unbounded:
		return &Error{
			Code: CodeUnboundedCost, Status: http.StatusBadRequest,
			Message:  fmt.Sprintf("what this call can cost has no upper bound, and SpendBudget %q is Hard", r.Budget),
			Metadata: &dialect.Metadata{Budget: &dialect.BudgetState{Name: r.Budget}},
		}
	default:
		return uncountable(r)
	}
}

func uncountable(r *ledger.Refusal) *Error {
	why := "cannot be counted by this proxy"
	wait := time.Minute
	if r.Reason == ledger.LedgerUnreachable {
		why = "cannot be counted, for its ledger cannot be reached and what this proxy had left of it is used up"
		wait = 2 * time.Second
	}
	refusal := &Error{
		Code: CodeLedgerUnavailable, Status: http.StatusServiceUnavailable,
		Message:  fmt.Sprintf("SpendBudget %q %s; try again", r.Budget, why),
		Metadata: &dialect.Metadata{Budget: &dialect.BudgetState{Name: r.Budget}},
	}
	return refusal.withRetryAfter(wait)
}

func limitReached(r *ledger.Refusal, now time.Time) *Error {
	state := &dialect.BudgetState{Name: r.Budget, Limit: meter.FormatUSD(r.Limit), Spent: meter.FormatUSD(r.Spent)}
	refusal := &Error{Code: CodeBudgetExceeded, Status: http.StatusPaymentRequired, Metadata: &dialect.Metadata{Budget: state}}
	if !r.End.IsZero() {
		state.Resets = r.End.Format(time.RFC3339)
	}
	refusal.Message = describeLimit(r, state)
	if r.End.IsZero() {
		return refusal
	}
	return refusal.withRetryAfter(r.End.Sub(now))
}

// describeLimit says what is left, what would have been needed, and when calls go on.
func describeLimit(r *ledger.Refusal, state *dialect.BudgetState) string {
	if r.Available > 0 {
		text := fmt.Sprintf("SpendBudget %q has %s USD left of %s, and this call could cost %s: lower its output limit or shorten it",
			r.Budget, meter.FormatUSD(r.Available), state.Limit, meter.FormatUSD(r.Ask))
		if state.Resets == "" {
			return text + "; it does not reset by itself"
		}
		return text + "; it resets at " + state.Resets
	}
	text := fmt.Sprintf("SpendBudget %q is spent: %s of %s USD", r.Budget, state.Spent, state.Limit)
	if r.Lost > 0 {
		text += fmt.Sprintf(", and %s lost with proxies that ended", meter.FormatUSD(r.Lost))
	}
	if state.Resets == "" {
		return text + "; it does not reset by itself: calls go on when its limit is raised or its window.resetID changed"
	}
	return text + "; it resets at " + state.Resets + ", and calls go on before that if its limit is raised"
}

// hasHard tells whether one of the budgets reserves before it admits.
func hasHard(budgets []*ledger.Budget) bool {
	for _, budget := range budgets {
		if budget.Enforcement == table.Hard {
			return true
		}
	}
	return false
}
