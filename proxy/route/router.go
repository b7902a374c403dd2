package route

import (
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/preference"
	"signalbox.dev/signalbox/proxy/table"
)

// Backend is where the calls of a target go. asked is the model that the client asks for, which a target of model "*" sends on.
type Backend interface {
	// View is the health of the upstream.
	View(now time.Time, asked string) health.View
	// Prices are what it charges; nil when that is not known.
	Prices(asked string) *table.Prices
}

// Target is a target of a route with what choosing it takes.
type Target struct {
	*table.Target
	// Provider is the vendor's name.
	Provider string
	// Backend is where its calls go.
	Backend Backend
	// Upstream is what Backend tells the view of, where that is always the same; nil where it depends on the call. Asking it directly is quicker.
	Upstream *health.Upstream
	// CacheTTL is how long the provider keeps prompts in its cache.
	CacheTTL time.Duration
}

// Router puts the targets of one route into the order in which a call tries them. It may be used by any number of goroutines.
type Router struct {
	route   *table.Route
	targets []routed
	memory  *Memory
	// aggregator tells that one of the targets is OpenRouter.
	aggregator bool
	// owns is Owns, kept so that passing it on allocates nothing.
	owns func(slug string) bool
}

// view is the health of the target's upstream.
func (t *Target) view(q *Query) (v health.View) {
	t.look(q, &v)
	return v
}

// look is view into the zero View of the caller's, which spares a copy.
func (t *Target) look(q *Query, v *health.View) {
	if t.Upstream != nil {
		t.Upstream.Look(q.Now, v)
		return
	}
	*v = t.Backend.View(q.Now, q.Asked)
}

// routed is a target as the router keeps it.
type routed struct {
	Target
	// slugs are the names that a request can call it by, in lower case: its own, its provider's, and OpenRouter's for that provider.
	slugs [3]string
	// key is the hash of its name: the same at every proxy and in every table.
	key uint64
	// traits outlast the table.
	traits *traits
	// passed are the preferences that the route has OpenRouter told; nil for other providers and without any.
	passed *preference.Preferences
	// openRouter tells that its provider is OpenRouter.
	openRouter bool
}

// NewRouter returns the router of a route. Nothing of what it is given may change afterwards, but for the memory.
func NewRouter(r *table.Route, targets []Target, memory *Memory) *Router {
	router := &Router{route: r, targets: make([]routed, len(targets)), memory: memory}
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = t.Name
		router.targets[i] = routed{
			Target:     t,
			slugs:      slugsOf(t.Name, t.Provider),
			key:        hashName(t.Name),
			passed:     passedOn(t),
			openRouter: t.Provider == openRouter,
		}
		router.aggregator = router.aggregator || t.Provider == openRouter
	}
	for i, kept := range memory.keep(names) {
		router.targets[i].traits = kept
	}
	router.owns = router.Owns
	return router
}

// passedOn reads what the route has OpenRouter told. What cannot be read is for the call itself to stumble over.
func passedOn(t Target) *preference.Preferences {
	if t.Provider != openRouter || t.OpenRouter == nil {
		return nil
	}
	p, err := preference.Read(t.OpenRouter)
	if err != nil {
		return nil
	}
	return &p
}

// Query is what a call asks for.
type Query struct {
	// Now is the time.
	Now time.Time
	// Asked is the model that the client asks for.
	Asked string
	// Stream tells that the answer is to be a stream.
	Stream bool
	// Needs are capabilities that the request itself needs.
	Needs table.Capabilities
	// Drops has the bit of each target, by its index, that would drop a parameter of the request. It counts only if the preferences require all parameters.
	Drops uint64
	// PromptTokens is an estimate of the prompt's length; MaxOutputTokens bounds the answer, 0 for no bound.
	PromptTokens, MaxOutputTokens int64
	// Affinity is a hash of what the call belongs to; 0 for nothing.
	Affinity uint64
	// Preferences of the request; nil for none.
	Preferences *preference.Preferences
	// MaxCost bounds the estimated cost in nano-dollars; 0 for no bound.
	MaxCost int64
	// StoodBy tells that the call has nothing else and has waited for another call to find out whether a target is back. Where all that stood against the target
	// was a rate limit whose time is over, it is a last resort then: a provider that has not refused the other call by now is answering it.
	StoodBy bool
	// Random draws.
	Random Random
}

// Random returns a number in [0, n) with equal chances; n is positive.
type Random func(n int64) int64

// Candidate is one target of a route for one call.
type Candidate struct {
	// Route is the number of the route among those of the call, given by the caller of Order.
	Route int
	// Index of the target in the route's targets.
	Index int
	// Out is why the target is left out; 0 when it is not.
	Out Exclusion
	// LastResort tells that it is tried only because nothing better is left; Wait is how long a call should wait first, at most.
	LastResort bool
	Wait       time.Duration
	// Despite is what a last resort would be left out for if there were anything better.
	Despite Exclusion
	// Returning tells that the target is coming back, and is behind all others of its route for this call.
	Returning bool
	// Left is how much longer it is out for its health, as far as that is known; of a last resort, would be.
	Left time.Duration
	// Figure is what the request asks to sort by, lower first: the expected cost, the latency, or the time that a token takes. Infinite when it is not known;
	// 0 when the request asks for no sort.
	Figure float64
}

// cause is why the candidate is left out, or would be if it were no last resort.
func (c Candidate) cause() Exclusion {
	if c.Out == Eligible {
		return c.Despite
	}
	return c.Out
}

// Served tells that a call with this query was answered by the target at index, so that its session stays there.
func (r *Router) Served(q *Query, index int) {
	if r.route.Affinity == nil || q.Affinity == 0 || index < 0 || index >= len(r.targets) {
		return
	}
	r.memory.put(q.Affinity, seat{target: r.targets[index].key, at: q.Now})
}

// ShortestLeft is how soon a target could be tried that is left out, or a last resort, for its health: the shortest time that is left of any, 0 when there
// is none. A caller whose call found nothing is told to come back then.
func ShortestLeft(candidates []Candidate) time.Duration {
	var shortest time.Duration
	for _, c := range candidates {
		if c.Left > 0 && (shortest == 0 || c.Left < shortest) {
			shortest = c.Left
		}
	}
	return shortest
}

// Estimate is what a call would cost at the target at index, in nano-dollars, as MaxCost bounds it; false when the price is not known.
func (r *Router) Estimate(index int, q *Query) (int64, bool) {
	t := &r.targets[index]
	prices := t.Backend.Prices(q.Asked)
	if prices == nil {
		return 0, false
	}
	view := t.view(q)
	return mostCost(t, q, &view, prices), true
}
