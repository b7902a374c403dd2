// Package limit bounds what callers can ask for: requests a minute, tokens a minute and calls under way, by route or by caller, over all ready replicas of a
// namespace's proxy together. It does no I/O; peers carry what replicas tell each other.
package limit

import (
	"context"
	"encoding/json"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// Options of a Set.
type Options struct {
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// After wakes those who wait; nil means time.After.
	After func(time.Duration) <-chan time.Time
	// Changed is called, without locks, when the other replicas should be told something at once; may be nil.
	Changed func()
}

// Set holds the limits of all routes, over all tables. Its methods may be called by any number of goroutines.
type Set struct{}

// NewSet returns a set without limits that belongs to a replica without peers: it has all of every limit.
func NewSet(o Options) *Set { return &Set{} }

// Use takes over the limits of a table. What was counted stays, also where a limit's numbers changed.
func (s *Set) Use(routes []table.Route) {}

// Call is what wants to be admitted.
type Call struct {
	// Route is the name of the route and Caller the caller, in identity's words.
	Route, Caller string
	// Tokens is an estimate of what it will use.
	Tokens int64
}

// Admission is a call that was admitted. A nil Admission, and the zero one, do nothing: the route has no limits.
type Admission struct{}

// Admit admits a call, at once or after its time in the queue, or refuses it. An admission must be released. The route's limits are all asked; a refusal
// leaves no trace in any of them. When the context ends in the queue the refusal's Left is true.
func (s *Set) Admit(ctx context.Context, c Call) (*Admission, *Refusal) { return nil, nil }

// Correct replaces the estimate by what the call really used. A call that reached no provider gives back its request, too: tokens is then below 0.
func (a *Admission) Correct(tokens int64) {}

// Release ends the call. Only the first counts.
func (a *Admission) Release() {}

// Standing is how the tightest of the call's limits stands, for x-ratelimit-* headers; false when the route has no limit of requests or tokens.
func (a *Admission) Standing() (Standing, bool) { return Standing{}, false }

// Standing is how limits stand, as this replica knows it. A figure below 0 is that of no limit.
type Standing struct {
	LimitRequests, LimitTokens         int64
	RemainingRequests, RemainingTokens int64
	ResetRequests, ResetTokens         time.Duration
}

// Refusal is why a call was not admitted.
type Refusal struct {
	// Per says whose calls the limit counts, and What of them: "requests per minute", "tokens per minute", "concurrent calls".
	Per  table.LimitScope
	What string
	// Limit is the number.
	Limit int64
	// RetryAfter is when a call like this one would be admitted, as far as this replica knows; 0 when it never would, being larger than the limit.
	RetryAfter time.Duration
	// Queue tells that the queue was full, or the wait too long.
	Queue bool
	// Left tells that the context ended while the call waited.
	Left bool
	// Standing of the limits.
	Standing Standing
}

// Peers, below, are the other replicas.

// Say is what a peer is to be told now; nil for nothing.
func (s *Set) Say(to string) json.RawMessage { return nil }

// Hear takes in what a peer said. What cannot be read is ignored and is an error.
func (s *Set) Hear(from string, said json.RawMessage) error { return nil }

// Members tells who the other live replicas are. settled tells that this replica knows all of them and has exchanged with each; before that, a replica that
// is new admits nothing from a limit.
func (s *Set) Members(peers []string, settled bool) {}
