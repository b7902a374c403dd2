package server

import (
	"slices"
	"time"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/keyring"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/route"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/telemetry"
)

// routeEntry is a route with what its requests need. Targets of the embedded route carry all exclusions that do not depend on the request.
type routeEntry struct {
	*table.Route
	targets  []targetEntry
	router   *route.Router
	budgets  []*ledger.Budget
	noTarget *telemetry.Target
	header   []string
	mirror   *mirrorEntry
	// inspects tells that the choice of a target depends on more than the head of a request, and limitsTokens that tokens are limited.
	inspects, limitsTokens bool
	// acts tells that one of budgets does something before its limit is reached.
	acts bool
}

// targetEntry is a target of a route; it stands at the same index as in the table. It is its route's route.Backend for that target.
type targetEntry struct {
	name        string
	credential  string
	account     table.Object // that credential was compiled from
	ring        *keyring.Ring
	provider    string
	model       string
	successor   string
	unlisted    bool
	api         neutral.API
	prices      *table.Prices
	byModel     map[string]table.Prices
	preferences []byte
	// cacheLifetime is that of the provider's prompt cache; 0 when it is not known.
	cacheLifetime time.Duration
	// declared is what is known of model, and listing what the provider's list says of others.
	declared table.Declared
	listing  map[string]table.ModelListing
	metrics  *telemetry.Target
	header   []string
	// remote is the route of another namespace that is called, by its proxy; empty for a provider's model.
	remote string

	registry *health.Registry
	// primary is the state of model, unless that depends on the call, and heir that of successor, if there is one; nil otherwise.
	primary, heir *pool
}

// sameModel is the upstream model of a target that sends on what the client asked for.
const sameModel = "*"

// serving is the upstream model that the target's calls go to now, with its state: the successor, while the provider does not offer the model.
func (t *targetEntry) serving(now time.Time, asked string) pool {
	switch {
	case t.model == sameModel:
		return pool{ring: t.ring, registry: t.registry, credential: t.credential, model: asked}
	case t.heir != nil && (t.unlisted || t.withdrawn(now)):
		return *t.heir
	default:
		return *t.primary
	}
}

// withdrawn tells whether the provider does not offer the model; a single call at a time finds out whether it does again.
func (t *targetEntry) withdrawn(now time.Time) bool { return t.primary.withdrawn(now) }

// succeeded tells whether the target has a successor of the model, which was found to be withdrawn.
func (t *targetEntry) succeeded(withdrawn string) bool {
	return t.heir != nil && withdrawn != t.successor
}

// always is the upstream that all calls of the target go to; nil when that depends on the call.
func (t *targetEntry) always() *health.Upstream {
	if t.heir != nil || t.primary == nil || !t.ring.Single() {
		return nil
	}
	return t.primary.state(0)
}

// View is the health of the upstream, behind all keys together.
func (t *targetEntry) View(now time.Time, asked string) health.View {
	upstream := t.serving(now, asked)
	return upstream.view(now)
}

// Prices are what the target charges; nil when that is not known.
func (t *targetEntry) Prices(asked string) *table.Prices { return t.pricesOf(t.modelFor(asked)) }

// modelFor is the provider's name of the model that a call for the asked one would go to.
func (t *targetEntry) modelFor(asked string) string {
	switch {
	case t.model == sameModel:
		return asked
	case t.unlisted && t.heir != nil:
		return t.successor
	default:
		return t.model
	}
}

// believesCost tells whether what the provider says that a call cost is what is charged. Only an aggregator, or another namespace's proxy, knows better
// than a list of prices.
func (t *targetEntry) believesCost() bool { return t.provider == openRouter || t.callsProxy() }

// callsProxy tells whether the target is a route of another namespace, which another proxy of Signalbox serves.
func (t *targetEntry) callsProxy() bool { return t.remote != "" }

// priced tells whether the cost of a call to the target will be known.
func (t *targetEntry) priced(asked string) bool { return t.Prices(asked) != nil }

// pricesOf is what the target charges for a model; nil if that is not known.
func (t *targetEntry) pricesOf(upstreamModel string) *table.Prices {
	if t.prices != nil {
		return t.prices
	}
	if prices, ok := t.byModel[upstreamModel]; ok {
		return &prices
	}
	return nil
}

func (s *Server) compileRoute(next *snapshot, r *table.Route, credentials map[string]*table.Credential, budgets []*ledger.Budget) *routeEntry {
	r.Targets = slices.Clone(r.Targets)
	if r.Fallback.MaxAttempts == 0 {
		// The table is of a manager that knew no policies.
		r.Fallback = table.DefaultFallback()
	}
	entry := &routeEntry{Route: r, targets: make([]targetEntry, len(r.Targets)), budgets: budgets, header: []string{r.Name}}
	entry.noTarget = s.metricsHandle(next, telemetry.Labels{Route: r.Name})
	choices := make([]route.Target, len(r.Targets))
	for i := range r.Targets {
		entry.targets[i] = s.compileTarget(next, r.Name, &r.Targets[i], credentials)
		choices[i] = route.Target{
			Target: &r.Targets[i], Provider: entry.targets[i].provider, Backend: &entry.targets[i], Upstream: entry.targets[i].always(), CacheTTL: entry.targets[i].cacheLifetime,
		}
	}
	memory := s.memories.of(identityOf(r))
	entry.router = route.NewRouter(r, choices, memory.route)
	if r.Mirror != nil {
		entry.mirror = s.compileMirror(next, entry, credentials, &memory.mirror)
	}
	entry.acts = slices.ContainsFunc(budgets, func(b *ledger.Budget) bool { return len(b.Actions) > 0 })
	entry.limitsTokens = slices.ContainsFunc(r.Limits, func(l table.Limit) bool { return l.TokensPerMinute > 0 })
	entry.inspects = entry.limitsTokens || r.Strategy == table.LowestCost || r.Fallback.MaxCost > 0 || r.Require.MinContextTokens > 0 || slices.ContainsFunc(r.Targets, func(t table.Target) bool {
		// What a single target's context does not hold its provider refuses; to look first would cost every call.
		return t.Declared.CapabilitiesKnown || t.Declared.ContextTokens > 0 && len(r.Targets) > 1
	})
	return entry
}

func (s *Server) compileTarget(next *snapshot, routeName string, t *table.Target, credentials map[string]*table.Credential) targetEntry {
	c, found := credentials[t.Credential]
	if !found {
		exclude(t, accountName(t.Credential)+" does not exist")
		c = &table.Credential{}
	} else {
		exclude(t, next.credentials[t.Credential].excluded)
	}
	entry := targetEntry{
		name: t.Name, credential: t.Credential, account: c.Object, ring: s.ringOf(next, c), provider: c.Provider, model: t.Model, successor: t.Successor, unlisted: t.Unlisted,
		api: neutral.API(t.API), prices: t.Prices, byModel: c.Prices, preferences: t.OpenRouter, declared: t.Declared, listing: c.Listing, header: []string{t.Name}, registry: s.health,
		remote: t.CalledRoute,
	}
	if t.Model != sameModel {
		entry.primary = newPool(entry.ring, s.health, t.Credential, t.Model)
		if t.Successor != "" {
			entry.heir = newPool(entry.ring, s.health, t.Credential, t.Successor)
		}
	}
	if account, ok := next.credentials[t.Credential]; ok {
		entry.cacheLifetime = account.provider.CacheLifetime
	}
	entry.metrics = s.metricsHandle(next, telemetry.Labels{Route: routeName, Target: t.Name, Provider: c.Provider})
	return entry
}

// ringOf is the ring of a credential of the table, or that of one which does not exist.
func (s *Server) ringOf(next *snapshot, c *table.Credential) *keyring.Ring {
	if entry, ok := next.credentials[c.Name]; ok {
		return entry.ring
	}
	return keyring.New(c, s.random)
}

// exclude keeps the reason that the table gives, which knows more.
func exclude(t *table.Target, reason string) {
	if t.Excluded == "" {
		t.Excluded = reason
	}
}
