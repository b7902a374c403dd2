package server

import (
	"net/http"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/anthropic"
	"signalbox.dev/signalbox/proxy/dialect/gemini"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/openai"
	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/table"
)

// The ways in which a route has its models listed while they are down; without a word they are marked.
const (
	listingHide = "Hide"
	listingKeep = "Keep"
)

// listModels answers with the models that the caller may use. Patterns are left out, for they are no names to call.
func (s *Server) listModels(c *call) error {
	var models []openai.Model
	for _, m := range c.visibleModels() {
		if m.IsPattern() || m.Route.Listing == listingHide && c.down(m) {
			continue
		}
		models = append(models, c.describeModel(m))
	}
	return s.sendJSON(c, c.appendModels(models))
}

// appendModels writes the list in the caller's dialect.
func (c *call) appendModels(models []openai.Model) []byte {
	switch c.place.api {
	case neutral.Messages:
		list := make([]anthropic.Model, 0, len(models))
		for _, m := range models {
			list = append(list, anthropic.Model{ID: m.ID, DisplayName: m.Name, Created: m.Created})
		}
		return anthropic.AppendModelList(nil, list)
	case neutral.GenerateContent:
		list := make([]gemini.Model, 0, len(models))
		for _, m := range models {
			list = append(list, gemini.Model{ID: m.ID, DisplayName: m.Name})
		}
		return gemini.AppendModelList(nil, list)
	default:
		if c.place.flavor == dialect.OpenRouterFlavor {
			return openai.AppendOpenRouterModelList(nil, models)
		}
		return openai.AppendModelList(nil, models)
	}
}

// appendModel writes one model in the caller's dialect.
func (c *call) appendModel(m openai.Model) []byte {
	switch c.place.api {
	case neutral.Messages:
		return anthropic.AppendModel(nil, anthropic.Model{ID: m.ID, DisplayName: m.Name, Created: m.Created})
	case neutral.GenerateContent:
		return gemini.AppendModel(nil, gemini.Model{ID: m.ID, DisplayName: m.Name})
	default:
		if c.place.flavor == dialect.OpenRouterFlavor {
			return openai.AppendOpenRouterModel(nil, m)
		}
		return openai.AppendModel(nil, m)
	}
}

// getModel answers with one model, which a pattern may stand for.
func (s *Server) getModel(c *call) error {
	name := c.place.modelID
	found, ok := c.snapshot.index.Lookup(name)
	if !ok {
		return c.modelNotFound(name)
	}
	if !c.mayUse(found) {
		return c.accessDenied(name, found.Name)
	}
	return s.sendJSON(c, c.appendModel(c.describeModel(route.Model{Name: name, Route: found})))
}

func (c *call) describeModel(m route.Model) openai.Model {
	created := int64(0) // Objects of a file have no time of creation.
	if !m.Route.Created.IsZero() {
		created = m.Route.Created.Unix()
	}
	described := c.firstOffer(m).describe(m.Name, created, c.snapshot.namespace)
	if m.Route.Listing != listingKeep && c.down(m) {
		described.Status = openai.StatusDown
	}
	return described
}

// down tells whether none of a model's targets can be called, for more than a rate limit. One that single calls only try is not back yet.
func (c *call) down(m route.Model) bool {
	entry := c.snapshot.routes[m.Route]
	q := route.Query{Now: c.start, Asked: m.Name, Random: func(int64) int64 { return 0 }}
	for _, candidate := range entry.router.Order(nil, 0, &q) {
		if candidate.Down() {
			continue
		}
		view := entry.targets[candidate.Index].View(c.start, m.Name)
		if !view.Probe || view.Was == health.CoolingDown || view.Was == health.ErrorRate {
			return false
		}
	}
	return true
}

// offer is what is known of a model where a call would try it first.
type offer struct {
	prices *table.Prices // nil when not known
	limits table.ModelListing
}

// firstOffer is that of the first target that a call would try; nothing is known if none can be used.
func (c *call) firstOffer(m route.Model) offer {
	entry := c.snapshot.routes[m.Route]
	q := route.Query{Now: c.start, Asked: m.Name, Random: func(int64) int64 { return 0 }}
	for _, candidate := range entry.router.Order(nil, 0, &q) {
		if candidate.Out == 0 {
			target := entry.targets[candidate.Index]
			return offer{prices: target.Prices(m.Name), limits: target.limitsOf(target.modelFor(m.Name))}
		}
	}
	return offer{}
}

func (o offer) describe(name string, created int64, ownedBy string) openai.Model {
	return openai.NewModel(name, created, ownedBy, o.prices).WithLimits(o.limits.ContextTokens, o.limits.MaxOutputTokens)
}

func (s *Server) sendJSON(c *call, body []byte) error {
	c.w.Header()[headerContentType] = []string{contentTypeJSON}
	now := s.now()
	c.begin(http.StatusOK, now, s.limits.BodyGrace)
	if err := c.write(body, now, s.limits.WriteStall); err != nil {
		return clientClosed()
	}
	return nil
}
