package server

import (
	"slices"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/limit"
	"signalbox.dev/signalbox/proxy/preference"
	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/table"
)

// leg is one model of a call with the route that serves it. A call has one, and one more for each alternative that it names.
type leg struct {
	route *routeEntry
	// model is what the client asks for, without a variant such as ":floor".
	model string
	query route.Query
	// variant is the sort that the model's name asks for; empty for none.
	variant preference.Sort
	// account is the number of the leg that asks limits and budgets for this one: the first with the same route.
	account int
	budgets []*ledger.Budget
	// hard tells that one of budgets reserves before it admits.
	hard bool
	// unpriced tells that no target that can be used has a known price.
	unpriced bool
	// movedFrom is the route of the model, where a budget moved the call away from it; nil otherwise.
	movedFrom *routeEntry

	admitted bool
	refusal  *Error
	limit    *limit.Admission
	// throttles are the limits that budgets have come to.
	throttles []*limit.Admission
	// notices tell of budgets that are near their limit.
	notices []string
	// standing of the limits that refused the call; nil when none did.
	standing *limit.Standing
	bill     bill
}

// findLegs finds the routes of the models that the call names. Alternatives that do not exist, or that the caller may not use, are passed over; the error is
// that of the first model, when none is left.
func (s *Server) findLegs(c *call) error {
	if err := c.readPassage(); err != nil {
		return err
	}
	preferences, err := c.readPreferences()
	if err != nil {
		return requestError(err)
	}
	c.legs = c.firstLeg[:0]
	refusal := s.addLeg(c, c.inbound.Head.Model, preferences)
	for _, model := range c.inbound.Head.Alternatives {
		// What is wrong with an alternative matters only when nothing else is left, and then the first model's trouble says more.
		_ = s.addLeg(c, model, preferences)
	}
	if len(c.legs) == 0 {
		return refusal
	}
	c.route = c.legs[0].route
	return nil
}

func (c *call) readPreferences() (*preference.Preferences, error) {
	if c.inbound.Head.Preferences == nil {
		return nil, nil //nolint:nilnil // Most requests prefer nothing.
	}
	read, err := preference.Read(c.inbound.Head.Preferences)
	return &read, err
}

// addLeg adds the leg of a model, if the caller may use it. One that a leg has already, under a variant or not, brings nothing new.
func (s *Server) addLeg(c *call, model string, preferences *preference.Preferences) error {
	found, model, sort := c.lookup(model)
	if found == nil {
		return c.modelNotFound(model)
	}
	if !c.mayUse(found) {
		return c.accessDenied(model, found.Name)
	}
	if sort != "" {
		preferences = sorted(preferences, sort)
	}
	of := c.snapshot.routes[found]
	entry := s.moved(c, of, c.start)
	if err := c.passage.admits(c.snapshot.namespace, model, found, entry); err != nil {
		return err
	}
	if slices.ContainsFunc(c.legs, func(l leg) bool { return l.route == entry && l.model == model }) {
		return nil
	}
	added := leg{route: entry, model: model, account: len(c.legs), variant: sort}
	if entry != of {
		added.movedFrom = of
	}
	if before := slices.IndexFunc(c.legs, func(l leg) bool { return l.route == entry }); before >= 0 {
		added.account = before
	}
	added.query = s.queryOf(c, entry, model)
	added.query.Preferences = preferences
	c.legs = append(c.legs, added)
	return nil
}

// lookup finds the route of a model, by its whole name, or without a variant that asks for an order of targets. Some names have colons of their own, so the
// variant is cut off only where the whole name is not one that a route lists.
func (c *call) lookup(model string) (*table.Route, string, preference.Sort) {
	found, ok := c.snapshot.index.Lookup(model)
	name, sort := cutVariant(model)
	if sort == "" || ok && c.snapshot.index.Exact(model) {
		return found, model, ""
	}
	if plain, served := c.snapshot.index.Lookup(name); served {
		return plain, name, sort
	}
	return found, model, ""
}

// cutVariant reads OpenRouter's variants: ":floor" sorts by price, ":nitro" by throughput.
func cutVariant(model string) (string, preference.Sort) {
	if name, ok := strings.CutSuffix(model, ":floor"); ok && name != "" {
		return name, preference.ByPrice
	}
	if name, ok := strings.CutSuffix(model, ":nitro"); ok && name != "" {
		return name, preference.ByThroughput
	}
	return model, ""
}

// sorted are the preferences with a sort, unless they have one.
func sorted(preferences *preference.Preferences, sort preference.Sort) *preference.Preferences {
	var with preference.Preferences
	if preferences != nil {
		with = *preferences
	}
	if with.Sort == "" {
		with.Sort = sort
	}
	return &with
}

// queryOf is what the choice of a target depends on.
func (s *Server) queryOf(c *call, r *routeEntry, model string) route.Query {
	head := &c.inbound.Head
	q := route.Query{
		Now: s.now(), Asked: model, Stream: head.Stream, MaxOutputTokens: outputOf(head), MaxCost: r.Fallback.MaxCost, Random: s.random,
	}
	if r.inspects {
		traits := c.inspect()
		q.Needs = traits.Needs
	}
	q.PromptTokens = c.promptTokens()
	if r.Affinity != nil {
		q.Affinity = c.affinityHash(r.Affinity.By)
	}
	return q
}

// mostOutput bounds how long an answer is taken to be, so that no sum of tokens overflows.
const mostOutput = 1 << 40

// outputOf bounds the tokens of all choices together; 0 for no bound.
func outputOf(head *dialect.Head) int64 {
	tokens, choices := min(head.MaxTokens, mostOutput), max(1, head.N)
	if tokens > mostOutput/choices {
		return mostOutput
	}
	return tokens * choices
}

// inspect walks over the body, once.
func (c *call) inspect() dialect.Traits {
	if c.inspected {
		return c.traits
	}
	if inspector, ok := c.place.surface.(dialect.Inspector); ok && c.form == nil {
		c.inspected = true
		c.traits = inspector.Inspect(c.body.bytes, c.inbound.Head)
	}
	return c.traits
}

const (
	// promptBytesPerToken is what common tokenizers make of English. An estimate that is too high would leave out targets that can do.
	promptBytesPerToken = 4
	// tokensOfMedia is about the least that an image or a sound takes.
	tokensOfMedia = 256
	// plainPrompt is the size of a body that can be taken for text without a look inside.
	plainPrompt = 64 << 10
)

// promptTokens estimates the length of the prompt. Where nobody can look inside, the body's size has to do.
func (c *call) promptTokens() int64 {
	if c.form != nil {
		return 0
	}
	if c.bytesIn > plainPrompt {
		c.inspect()
	}
	if !c.inspected {
		return c.bytesIn / promptBytesPerToken
	}
	return c.traits.PromptBytes/promptBytesPerToken + int64(c.traits.Media)*tokensOfMedia
}

// refuse takes the leg out of the call: nothing of it is tried any more, and it holds no place in any limit.
func (l *leg) refuse(why *Error) {
	l.refusal = why
	if !l.bill.reached {
		l.correctLimits(-1)
	}
	l.releaseLimits()
}

// correctLimits books what the call used in its limits; less than zero takes it out of them.
func (l *leg) correctLimits(tokens int64) {
	l.limit.Correct(tokens)
	for _, throttle := range l.throttles {
		throttle.Correct(tokens)
	}
}

func (l *leg) releaseLimits() {
	l.limit.Release()
	for _, throttle := range l.throttles {
		throttle.Release()
	}
}
