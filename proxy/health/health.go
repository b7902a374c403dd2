// Package health knows how each upstream, a model behind one key of a provider's account, has been doing: whether its circuit is open, until when it wants
// to be left alone, what is left of its rate limits, how fast it is. Nothing here does I/O, and all time comes in from outside.
package health

import (
	"encoding/json"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// Subject is what a state is of.
type Subject struct {
	// Credential is the name of the ProviderCredential.
	Credential string
	// Key is the fingerprint of the key; empty without one.
	Key string
	// Model is the upstream id; empty for the key as a whole.
	Model string
}

// Options of a Registry.
type Options struct {
	// Random returns a number in [0, n); nil means the system's random numbers.
	Random func(n int64) int64
	// Changed is called, without locks, when an upstream begins to be left alone, so that the other replicas can be told at once; may be nil.
	Changed func()
}

// Registry holds the states of all upstreams, over all tables. Its methods may be called by any number of goroutines.
type Registry struct{ options Options }

// NewRegistry returns an empty registry.
func NewRegistry(o Options) *Registry { return &Registry{options: o} }

// Upstream returns the state of a subject, always the same until Retain drops it.
func (r *Registry) Upstream(s Subject) *Upstream { return &Upstream{} }

// Retain drops the states of all credentials and keys that are not live. Requests that still use one of them do no harm.
func (r *Registry) Retain(live func(credential, key string) bool) {}

// Say is what another replica is to be told: what this one has found out itself and how long it still holds, as durations; nil for nothing.
func (r *Registry) Say(now time.Time) json.RawMessage { return nil }

// Hear takes in what another replica said. A deadline only ever grows by it. What cannot be read is ignored and is an error.
func (r *Registry) Hear(said json.RawMessage, now time.Time) error { return nil }

// Upstream is the state of one model behind one key. Its methods may be called by any number of goroutines.
type Upstream struct{}

// Block is why an upstream is left alone.
type Block uint8

// The reasons.
const (
	// Open: nothing blocks it.
	Open Block = iota
	// CircuitOpen: too many attempts failed in a row; until the deadline none is made, then single ones.
	CircuitOpen
	// ErrorRate: too large a share of attempts failed; as CircuitOpen, but a route that has nothing else may still use it.
	ErrorRate
	// CoolingDown: the provider limits the rate, and said until when or did not.
	CoolingDown
	// NoQuota: the key's quota or credit is used up.
	NoQuota
	// KeyRefused: the provider refuses the key.
	KeyRefused
	// Withdrawn: the provider does not offer the model.
	Withdrawn
	// NoHeadroom: what the provider's rate-limit headers say is left does not suffice. View never tells it, for it depends on the request; see View.Headroom.
	NoHeadroom
)

// View is what is known of an upstream at one moment. A zero statistic is not known.
type View struct {
	// Block is why it is left alone, and For how much longer.
	Block Block
	For   time.Duration
	// Probe tells that the upstream was left alone and the time is over: single attempts find out whether it is back. Busy tells that one is under way.
	Probe, Busy bool
	// Ramp is the share of its calls that it should get, in permille: below 1000 for some seconds after it came back.
	Ramp int
	// InFlight is how many attempts are under way.
	InFlight int64
	// FirstToken is the average time to the first token of streams, and Answer that to the whole answer of other calls.
	FirstToken, Answer time.Duration
	// TokensPerSecond is the average rate of completion tokens after the first.
	TokensPerSecond float64
	// ErrorPermille is the share of attempts that failed by the upstream's fault.
	ErrorPermille int
	// CachedPermille is the share of prompt tokens that its cache answered.
	CachedPermille int
	// OutputTokens is the average length of an answer.
	OutputTokens int64
	// Samples is how much the averages rest on: the number of attempts, decayed with time. Age is how long ago the newest one ended.
	Samples float64
	Age     time.Duration
	// Headroom is what the provider says is left until its limits reset.
	Headroom Headroom
}

// Headroom is what is left of rate limits, less what was begun since the provider told.
type Headroom struct {
	// Requests and Tokens that are left; below 0 when not known.
	Requests, Tokens int64
	// RequestsReset and TokensReset are how long until they are full again.
	RequestsReset, TokensReset time.Duration
}

// View returns the state. It allocates nothing and waits for nobody.
func (u *Upstream) View(now time.Time) View { return View{Ramp: 1000, Headroom: Headroom{Requests: -1, Tokens: -1}} }

// Begin asks for an attempt of about so many tokens. It is refused when the upstream is left alone by now, or somebody else's single attempt is under way.
// lastResort asks for an upstream that is left alone for ErrorRate or NoHeadroom all the same. An attempt that was given must End.
func (u *Upstream) Begin(now time.Time, tokens int64, lastResort bool) (Attempt, bool) { return Attempt{}, true }

// AllowRetry takes one retry of the upstream's budget of them, a tenth of its attempts; false when it is used up.
func (u *Upstream) AllowRetry(now time.Time) bool { return true }

// Attempt is one that was begun. The zero Attempt does nothing.
type Attempt struct{}

// Outcome is how an attempt ended.
type Outcome struct {
	// Kind of failure; None for success.
	Kind table.FailureKind
	// Neutral tells that the attempt says nothing about the upstream: the client left, or the proxy itself failed.
	Neutral bool
	// RetryAfter is how long the provider wants to be left alone; 0 when it did not say.
	RetryAfter time.Duration
	// Limits are what the answer's headers say of rate limits.
	Limits RateLimits
	// Stream tells that FirstToken is that of a stream.
	Stream bool
	// FirstToken is the time until the first token of a stream, Duration that of the whole attempt.
	FirstToken, Duration time.Duration
	// Prompt, Cached and Completion tokens.
	Prompt, Cached, Completion int64
}

// Answered tells what the head of the answer says, before its end.
func (a Attempt) Answered(now time.Time, limits RateLimits) {}

// End ends the attempt. Only the first End counts.
func (a Attempt) End(now time.Time, o Outcome) {}

// RateLimits are what an answer's headers say. Figures are below 0 when not told.
type RateLimits struct {
	RequestsLeft, TokensLeft   int64
	RequestsReset, TokensReset time.Duration
}
