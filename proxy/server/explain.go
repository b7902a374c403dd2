package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/table"
)

// Explanation says what would become of a request, without calling anything.
type Explanation struct {
	// RequestID of the request for the explanation.
	RequestID string `json:"request_id,omitempty"`
	// Caller that asks.
	Caller string `json:"caller,omitempty"`
	// Model that the request asks for.
	Model string `json:"model"`
	// Needs are the capabilities that the request cannot do without, as far as a route asked.
	Needs []string `json:"needs,omitempty"`
	// PromptTokens is an estimate.
	PromptTokens int64 `json:"prompt_tokens"`
	// Routes are those of the model and of the alternatives that the request names.
	Routes []ExplainedRoute `json:"routes"`
	// Targets are in the order in which they would be tried; those that are left out come last.
	Targets []ExplainedTarget `json:"targets"`
}

// ExplainedRoute is a route that serves a model of the request.
type ExplainedRoute struct {
	// Route is the ModelRoute's name, and Model what it serves.
	Route string `json:"route"`
	Model string `json:"model"`
	// Strategy that orders its targets, and Affinity what keeps calls together; empty for nothing.
	Strategy string `json:"strategy"`
	Affinity string `json:"affinity,omitempty"`
	// Bound tells whether the request belongs to something that affinity goes by.
	Bound bool `json:"bound,omitempty"`
	// Budgets count the call.
	Budgets []string `json:"budgets,omitempty"`
	// Refusal is why a budget would refuse the call now; empty when none would.
	Refusal string `json:"refusal,omitempty"`
}

// ExplainedTarget is one target.
type ExplainedTarget struct {
	// Order in which it would be tried, from 1; 0 when it would not.
	Order int `json:"order,omitempty"`
	// Route and Target name it.
	Route  string `json:"route"`
	Target string `json:"target"`
	// Provider, and the upstream Model that it would be asked for.
	Provider string `json:"provider,omitempty"`
	Model    string `json:"model"`
	// Key is the name of the key of the ProviderCredential that it would be called with; empty without one.
	Key string `json:"key,omitempty"`
	// Priority and Weight as declared.
	Priority int32 `json:"priority"`
	Weight   int32 `json:"weight"`
	// EstimatedCost of one attempt in USD; empty when the price is not known.
	EstimatedCost string `json:"estimated_cost,omitempty"`
	// Dropped are parameters of the request that the target would not get.
	Dropped []string `json:"dropped,omitempty"`
	// LastResort tells that it would be tried only because nothing better is left.
	LastResort bool `json:"last_resort,omitempty"`
	// Excluded is why it would not be tried; empty when it would.
	Excluded string `json:"excluded,omitempty"`
}

// explain answers what would become of a request.
func (s *Server) explain(c *call) error {
	if c.place.explains == actionForm {
		return &Error{Code: CodeInvalidRequest, Status: http.StatusBadRequest, Message: "uploads cannot be explained", Param: "path"}
	}
	if err := s.readBody(c); err != nil {
		return err
	}
	explained, err := s.explanation(c)
	if err != nil {
		return err
	}
	explained.RequestID, explained.Caller = c.id, c.caller.String()
	body, err := json.Marshal(explained)
	if err != nil {
		return fmt.Errorf("encoding an explanation: %w", err)
	}
	return s.sendJSON(c, body)
}

// Explain says what would become of a request to a path, whoever made it. It is for a table that is not in use; nothing is called.
func (s *Server) Explain(ctx context.Context, path string, body []byte) (Explanation, error) {
	address, err := url.Parse(path)
	if err != nil {
		return Explanation{}, fmt.Errorf("reading the path: %w", err)
	}
	request := (&http.Request{Method: http.MethodPost, URL: address, Header: http.Header{}, Body: http.NoBody}).WithContext(ctx)
	found, ok := find(request)
	if !ok || found.action != actionGenerate && found.action != actionCountTokens {
		return Explanation{}, fmt.Errorf("there is no request to explain at the path %s", path)
	}
	found.surface = s.codecs.Surface(found.api)
	c := &call{
		w: discard{header: http.Header{}}, r: request, start: s.now(), place: found, snapshot: s.current.Load(), everybody: true,
		body: &buffer{bytes: body}, bytesIn: int64(len(body)),
	}
	return s.explanation(c)
}

// explanation goes the way of a call up to its first attempt.
func (s *Server) explanation(c *call) (Explanation, error) {
	if err := c.readHead(); err != nil {
		return Explanation{}, err
	}
	c.claim()
	c.inspect() // So that the same request has the same estimate whatever its route looks at.
	if err := s.findLegs(c); err != nil {
		return Explanation{}, err
	}
	s.plan(c)
	told := Explanation{Model: c.inbound.Head.Model, Needs: c.inspect().Needs.Names(), PromptTokens: c.legs[0].query.PromptTokens}
	for i := range c.legs {
		told.Routes = append(told.Routes, s.explainRoute(c, &c.legs[c.legs[i].account], &c.legs[i]))
	}
	var out []ExplainedTarget
	for _, candidate := range c.candidates {
		target := s.explainTarget(c, candidate)
		if target.Excluded != "" {
			out = append(out, target)
			continue
		}
		target.Order = len(told.Targets) + 1
		told.Targets = append(told.Targets, target)
	}
	told.Targets = append(told.Targets, out...)
	return told, nil
}

func (s *Server) explainRoute(c *call, account, l *leg) ExplainedRoute {
	told := ExplainedRoute{Route: l.route.Name, Model: l.model, Strategy: string(orDefault(l.route.Strategy, "Weighted")), Bound: l.query.Affinity != 0}
	if l.route.Affinity != nil {
		told.Affinity = string(l.route.Affinity.By)
	}
	for _, budget := range account.budgets {
		told.Budgets = append(told.Budgets, budget.Name)
	}
	if c.place.free() {
		return told
	}
	told.Refusal = s.refusalNow(c, account)
	return told
}

// refusalNow is why a budget would refuse the call now, whatever it costs; empty when none would for that.
func (s *Server) refusalNow(c *call, account *leg) string {
	now := s.now()
	for _, budget := range account.budgets {
		if budget.Enforcement == table.Observe {
			continue
		}
		refusal := &ledger.Refusal{Budget: budget.Name, Limit: budget.Limit}
		standing, err := budget.Standing(now, &c.claimant)
		refusal.Limit, refusal.Spent, refusal.Lost, refusal.Start, refusal.End = standing.Limit, standing.Spent, standing.Lost, standing.Window.Start, standing.Window.End
		switch {
		case err != nil:
			refusal.Reason = ledger.WindowUnknown
		case standing.Spent+standing.Lost >= standing.Limit:
			refusal.Reason = ledger.LimitReached
		case account.unpriced && !budget.AllowUnpriced:
			refusal.Reason = ledger.Unpriced
		default:
			continue
		}
		return budgetRefusal(refusal, now).Message
	}
	return ""
}

// explainTarget writes the request for the target, as an attempt would, to find what it lacks.
func (s *Server) explainTarget(c *call, candidate route.Candidate) ExplainedTarget {
	l := &c.legs[candidate.Route]
	t := &l.route.targets[candidate.Index]
	spec := &l.route.Targets[candidate.Index]
	credential := c.snapshot.credentials[t.credential]
	c.route = l.route
	upstream := s.serving(t, credential, s.now(), l.model)
	model := upstream.model
	told := ExplainedTarget{
		Route: l.route.Name, Target: t.name, Provider: t.provider, Model: model, Priority: spec.Priority, Weight: spec.Weight, LastResort: candidate.LastResort,
	}
	if nano, known := l.route.router.Estimate(candidate.Index, &l.query); known {
		told.EstimatedCost = meter.FormatUSD(nano)
	}
	if candidate.Out != 0 {
		told.Excluded = c.reason(candidate)
		return told
	}
	x, refusal := s.prepare(c, l, &attempt{target: t, model: model}, credential)
	c.dropOutbound(s.buffers)
	switch {
	case refusal != nil:
		told.Excluded = refusal.Message
	case len(x.report.Dropped) > 0 && l.wantsAllParameters():
		told.Excluded = x.report.Dropped[0] + ": " + parameterDropped
	default:
		told.Dropped = x.report.Dropped
		told.Key = s.nextKey(&upstream, credential, l, candidate)
	}
	return told
}

// nextKey is the name of the key that a target would be called with now; empty without one, and when none can be used.
func (s *Server) nextKey(upstream *pool, credential *credentialEntry, l *leg, candidate route.Candidate) string {
	q := upstream.query(s.choosing(l, &visit{candidate: candidate}, s.now()))
	place, found := upstream.ring.Peek(&q)
	if !found {
		return ""
	}
	return credential.keys[place].name
}

// parameterDropped is why a target is left out that would drop a parameter.
const parameterDropped = "it would be dropped, and provider.require_parameters is set"

// wantsAllParameters tells whether targets that would drop a parameter are left out.
func (l *leg) wantsAllParameters() bool {
	return l.query.Preferences != nil && l.query.Preferences.RequireParameters
}

// findExplained reads which request is to be explained: one to the path in the query, else a chat completion.
func findExplained(r *http.Request, found place) (place, bool) {
	wanted := r.URL.Query().Get("path")
	if wanted == "" {
		found.action, found.explains = actionExplain, actionGenerate
		return found, true
	}
	address, err := url.Parse(wanted)
	if err != nil || !strings.HasPrefix(wanted, "/") {
		return found, false
	}
	of, ok := find(&http.Request{URL: address, Header: r.Header})
	if !ok || of.action == actionExplain || of.method() != http.MethodPost {
		return found, false
	}
	of.explains, of.action, of.path = of.action, actionExplain, found.path
	return of, true
}
