// Package health knows how each upstream, a model behind one key of a provider's account, has been doing: whether its circuit is open, until when it wants
// to be left alone, what is left of its rate limits, how fast it is. Nothing here does I/O, and all time comes in from outside.
package health

import (
	"math"
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
	// CoolingDown: the provider limits the rate, and said until when or did not, or it said until when it is short of capacity.
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

// String is the block's name, which is also what replicas call it among themselves.
func (b Block) String() string {
	switch b {
	case Open:
		return "Open"
	case CircuitOpen:
		return "CircuitOpen"
	case ErrorRate:
		return "ErrorRate"
	case CoolingDown:
		return "CoolingDown"
	case NoQuota:
		return "NoQuota"
	case KeyRefused:
		return "KeyRefused"
	case Withdrawn:
		return "Withdrawn"
	case NoHeadroom:
		return "NoHeadroom"
	default:
		return "Unknown"
	}
}

// View is what is known of an upstream at one moment. A zero statistic is not known.
type View struct {
	// Block is why it is left alone, and For how much longer.
	Block Block
	For   time.Duration
	// Probe tells that the upstream was left alone and the time is over: single attempts find out whether it is back. Busy tells that one is under way.
	Probe, Busy bool
	// Was is why it was left alone, when Probe.
	Was Block
	// KeyBlock is why the key as a whole is left alone, or was until single attempts find out whether it is back; Open for no such reason.
	KeyBlock Block
	// LastTry is how long ago the key was refused or tried last, when a call that has nothing else left may try it all the same: nothing but the provider's
	// refusal stands against it, nobody else is trying it, and the last time is a second ago. 0 when none may.
	LastTry time.Duration
	// Ramp is the share of its calls that it should get, in permille: below 1000 while it is left alone and for some seconds after it came back.
	Ramp int
	// InFlight is how many attempts are under way.
	InFlight int64
	// FirstToken is the average time to the first token of streams, and Answer that to the whole answer of other calls.
	FirstToken, Answer time.Duration
	// TokensPerSecond is the average rate of completion tokens after the first.
	TokensPerSecond float64
	// ErrorPermille is the share of attempts that failed by the upstream's fault, since it last came back.
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

// RateLimits are what an answer's headers say. Figures are below 0 when not told.
type RateLimits struct {
	RequestsLeft, TokensLeft   int64
	RequestsReset, TokensReset time.Duration
}

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

// instant is a moment, in nanoseconds after the first one that the registry was told of.
type instant int64

// never is before all moments.
const never = instant(math.MinInt64)

// maxSpan bounds what is added to a moment, so that no sum overflows; a moment is far below the rest of the range.
const maxSpan = 24 * time.Hour

// after returns the moment so much later, at most maxSpan.
func (i instant) after(d time.Duration) instant { return i + instant(min(max(d, 0), maxSpan)) }

// since returns how long ago an earlier moment was.
func (i instant) since(earlier instant) time.Duration {
	if earlier == never {
		return math.MaxInt64
	}
	return time.Duration(i - earlier)
}
