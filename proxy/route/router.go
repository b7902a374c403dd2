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
	// CacheTTL is how long the provider keeps prompts in its cache.
	CacheTTL time.Duration
}

// Memory is what a route remembers over all tables: who leads by its strategy and where sessions are. It may be used by any number of goroutines.
type Memory struct{}

// NewMemory returns an empty memory.
func NewMemory() *Memory { return &Memory{} }

// Router puts the targets of one route into the order in which a call tries them. It may be used by any number of goroutines.
type Router struct{}

// NewRouter returns the router of a route. Nothing of what it is given may change afterwards, but for the memory.
func NewRouter(r *table.Route, targets []Target, memory *Memory) *Router { return &Router{} }

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
	// PromptTokens is an estimate of the prompt's length; MaxOutputTokens bounds the answer, 0 for no bound.
	PromptTokens, MaxOutputTokens int64
	// Affinity is a hash of what the call belongs to; 0 for nothing.
	Affinity uint64
	// Preferences of the request; nil for none.
	Preferences *preference.Preferences
	// MaxCost bounds the estimated cost in nano-dollars; 0 for no bound.
	MaxCost int64
	// Random draws.
	Random Random
}

// Exclusion is why a target is left out of a call.
type Exclusion uint8

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
}

// Order appends all targets of the route to dst: those that can be tried in the order of trial, then the others with why they are left out.
// It allocates nothing but dst's growth.
func (r *Router) Order(dst []Candidate, route int, q *Query) []Candidate { return dst }

// Reason says in words for the caller why a candidate is left out; empty when it is not.
func (r *Router) Reason(c Candidate, q *Query) string { return "" }

// Next returns the place in candidates of the one to try after the candidate at place failed that failed with this kind; false when there is none.
// Candidates before it that were passed over are not looked at again unless the kind makes them eligible (OnlyFor). tried tells which places were tried.
// routers are those of the candidates' routes.
func Next(routers []*Router, candidates []Candidate, tried uint64, failed int, kind table.FailureKind) (int, bool) {
	return 0, false
}

// Served tells that a call with this query was answered by the target at index, so that its session stays there.
func (r *Router) Served(q *Query, index int) {}

// Random returns a number in [0, n) with equal chances; n is positive.
type Random func(n int64) int64
