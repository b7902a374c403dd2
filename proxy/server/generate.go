package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/identity"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/table"
)

// maxListedModels bounds the names that a model_not_found tells.
const maxListedModels = 50

var errTotalTimeout = errors.New("the call took longer than its route's total timeout")

// generate answers a request whose body is JSON.
func (s *Server) generate(c *call) error {
	if err := s.readBody(c); err != nil {
		return err
	}
	if err := c.readHead(); err != nil {
		return err
	}
	return s.serve(c)
}

// generateFromForm answers a request whose body is a form.
func (s *Server) generateFromForm(c *call) error {
	defer c.closeForm()
	if err := s.readForm(c); err != nil {
		return err
	}
	return s.serve(c)
}

func (c *call) closeForm() {
	if c.form != nil {
		c.form.spool.close()
	}
}

// serve answers a request whose head was read.
func (s *Server) serve(c *call) error {
	if err := c.findRoute(); err != nil {
		return err
	}
	plan := makePlan(c.route, c.caller, c.inbound.Head.Model, s.random)
	if plan.usable == 0 {
		return c.noEligibleTarget(plan.candidates)
	}
	if !c.place.free() {
		if err := s.admit(c, plan); err != nil {
			return err
		}
		defer c.settle()
	}
	deadline := time.Now().Add(c.route.Total)
	if c.form != nil {
		c.form.paced.until = deadline
	}
	ctx, cancel := context.WithDeadlineCause(c.r.Context(), deadline, errTotalTimeout)
	defer cancel()
	return s.tryTargets(ctx, c, plan.candidates)
}

func (c *call) readHead() error {
	head, err := c.place.surface.ReadHead(c.body.bytes)
	if err == nil && c.place.modelID != "" {
		head.Model, head.Stream, head.Array = c.place.modelID, c.place.stream, c.place.array
		err = dialect.CheckModel(head.Model)
	}
	if err != nil {
		return requestError(err)
	}
	c.inbound = dialect.Inbound{Body: c.body.bytes, Head: head}
	return nil
}

// requestError makes a refusal of a *dialect.RequestError.
func requestError(err error) error {
	var refusal *dialect.RequestError
	if !errors.As(err, &refusal) {
		return err
	}
	return &Error{
		Code: CodeInvalidRequest, Status: http.StatusBadRequest, Message: refusal.Message, Param: refusal.Param, DialectCode: string(refusal.Code),
	}
}

// findRoute finds the route of the model and asks whether the caller may use it.
func (c *call) findRoute() error {
	found, ok := c.snapshot.index.Lookup(c.inbound.Head.Model)
	if !ok {
		return c.modelNotFound(c.inbound.Head.Model)
	}
	if !identity.Allows(found.Access, c.caller) {
		return c.accessDenied(c.inbound.Head.Model, found.Name)
	}
	c.route = c.snapshot.routes[found]
	return nil
}

func (c *call) accessDenied(model, routeName string) error {
	return &Error{
		Code: CodeAccessDenied, Status: http.StatusForbidden,
		Message: fmt.Sprintf("%s may not use model %q: the access rules of ModelRoute %q in namespace %q do not admit it",
			c.caller, model, routeName, c.snapshot.namespace),
	}
}

// modelNotFound lists what the caller may use instead.
func (c *call) modelNotFound(model string) error {
	names := make([]string, 0, maxListedModels)
	more := 0
	for _, m := range c.visibleModels() {
		if len(names) == maxListedModels {
			more++
			continue
		}
		names = append(names, m.Name)
	}
	message := fmt.Sprintf("no ModelRoute in namespace %q serves model %q", c.snapshot.namespace, model)
	switch {
	case len(names) == 0:
		message += "; there is no model that " + c.caller.String() + " may use"
	case more > 0:
		message += fmt.Sprintf("; you may use %s and %d more", strings.Join(names, ", "), more)
	default:
		message += "; you may use " + strings.Join(names, ", ")
	}
	return &Error{
		Code: CodeModelNotFound, Status: http.StatusNotFound, Message: message, Param: "model", Metadata: &dialect.Metadata{Models: names},
	}
}

// visibleModels are the names and patterns that the caller may use.
func (c *call) visibleModels() []route.Model {
	return c.snapshot.index.Models(func(r *table.Route) bool { return identity.Allows(r.Access, c.caller) })
}

// noEligibleTarget tells each target and what excluded it.
func (c *call) noEligibleTarget(candidates []route.WeightCandidate) error {
	exclusions := make([]dialect.Exclusion, 0, len(candidates))
	reasons := make([]string, 0, len(candidates))
	for _, candidate := range candidates {
		name := c.route.targets[candidate.Index].name
		exclusions = append(exclusions, dialect.Exclusion{Target: name, Reason: candidate.Excluded})
		reasons = append(reasons, name+": "+candidate.Excluded)
	}
	return &Error{
		Code: CodeNoEligibleTarget, Status: http.StatusServiceUnavailable,
		Message:  fmt.Sprintf("no target of ModelRoute %q can be used: %s", c.route.Name, strings.Join(reasons, "; ")),
		Metadata: &dialect.Metadata{Targets: exclusions},
	}
}

// admit asks the budgets.
func (s *Server) admit(c *call, p plan) error {
	now := s.now()
	admission, refusal := s.book.Admit(now, p.budgets, ledger.Call{Unpriced: p.unpriced})
	if refusal != nil {
		return budgetRefusal(refusal, now)
	}
	c.admission = admission
	return nil
}

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
	default:
		refusal := &Error{
			Code: CodeLedgerUnavailable, Status: http.StatusServiceUnavailable,
			Message:  fmt.Sprintf("SpendBudget %q cannot be counted by this proxy", r.Budget),
			Metadata: &dialect.Metadata{Budget: &dialect.BudgetState{Name: r.Budget}},
		}
		return refusal.withRetryAfter(time.Minute)
	}
}

func limitReached(r *ledger.Refusal, now time.Time) *Error {
	state := &dialect.BudgetState{Name: r.Budget, Limit: meter.FormatUSD(r.Limit), Spent: meter.FormatUSD(r.Spent)}
	message := fmt.Sprintf("SpendBudget %q is spent: %s of %s USD", r.Budget, state.Spent, state.Limit)
	if r.End.IsZero() {
		message += "; it does not reset by itself"
		return &Error{Code: CodeBudgetExceeded, Status: http.StatusPaymentRequired, Message: message, Metadata: &dialect.Metadata{Budget: state}}
	}
	state.Resets = r.End.Format(time.RFC3339)
	refusal := &Error{
		Code: CodeBudgetExceeded, Status: http.StatusPaymentRequired,
		Message: message + "; it resets at " + state.Resets, Metadata: &dialect.Metadata{Budget: state},
	}
	return refusal.withRetryAfter(r.End.Sub(now))
}
