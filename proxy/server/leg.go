package server

import (
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/identity"
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
	// account is the number of the leg that asks limits and budgets for this one: the first with the same route.
	account int
	budgets []*table.Budget
	// unpriced tells that no target that can be used has a known price.
	unpriced bool

	admitted  bool
	refusal   *Error
	admission *ledger.Admission
	limit     *limit.Admission
	bill      bill
}

// findLegs finds the routes of the models that the call names. Alternatives that do not exist, or that the caller may not use, are passed over; the error is
// that of the first model, when none is left.
func (s *Server) findLegs(c *call) error {
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

// addLeg adds the leg of a model, if the caller may use it.
func (s *Server) addLeg(c *call, model string, preferences *preference.Preferences) error {
	found, model, sort := c.lookup(model)
	if found == nil {
		return c.modelNotFound(model)
	}
	if !c.everybody && !identity.Allows(found.Access, c.caller) {
		return c.accessDenied(model, found.Name)
	}
	if sort != "" {
		preferences = sorted(preferences, sort)
	}
	entry := c.snapshot.routes[found]
	added := leg{route: entry, model: model, account: len(c.legs)}
	for i := range c.legs {
		if c.legs[i].route == entry {
			added.account = i
			break
		}
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
	if name, ok := strings.CutSuffix(model, ":floor"); ok {
		return name, preference.ByPrice
	}
	if name, ok := strings.CutSuffix(model, ":nitro"); ok {
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
		Now: s.now(), Asked: model, Stream: head.Stream, MaxOutputTokens: head.MaxTokens * max(1, head.N), MaxCost: r.Fallback.MaxCost, Random: s.random,
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

// inspect walks over the body, once.
func (c *call) inspect() dialect.Traits {
	if c.inspected {
		return c.traits
	}
	c.inspected = true
	if inspector, ok := c.place.surface.(dialect.Inspector); ok && c.form == nil {
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

// promptTokens estimates the length of the prompt.
func (c *call) promptTokens() int64 {
	switch {
	case c.form != nil:
		return 0
	case !c.inspected && c.bytesIn <= plainPrompt:
		return c.bytesIn / promptBytesPerToken
	default:
		traits := c.inspect()
		return traits.PromptBytes/promptBytesPerToken + int64(traits.Media)*tokensOfMedia
	}
}
