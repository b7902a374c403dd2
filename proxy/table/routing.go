package table

import (
	"slices"
	"time"
)

// Strategy orders the targets of one priority. The words are those of the API.
type Strategy string

// The strategies.
const (
	// Weighted shares calls by weight.
	Weighted Strategy = "Weighted"
	// LowestCost prefers the lowest expected cost.
	LowestCost Strategy = "LowestCost"
	// LowestLatency prefers the shortest time to the first token, or to the answer of a call that is no stream.
	LowestLatency Strategy = "LowestLatency"
	// HighestThroughput prefers the most completion tokens a second.
	HighestThroughput Strategy = "HighestThroughput"
	// LeastInFlight prefers the fewest calls under way for its weight.
	LeastInFlight Strategy = "LeastInFlight"
)

// FailureKind is a way in which an attempt at a target can fail. The words are those of the API, and None.
type FailureKind string

// The kinds; the API's constants say what each means.
const (
	// None is no failure.
	None              FailureKind = ""
	Unreachable       FailureKind = "Unreachable"
	RateLimited       FailureKind = "RateLimited"
	QuotaExhausted    FailureKind = "QuotaExhausted"
	KeyRejected       FailureKind = "KeyRejected"
	Unavailable       FailureKind = "Unavailable"
	Capacity          FailureKind = "Capacity"
	Timeout           FailureKind = "Timeout"
	FirstTokenTimeout FailureKind = "FirstTokenTimeout"
	BrokenAnswer      FailureKind = "BrokenAnswer"
	ModelWithdrawn    FailureKind = "ModelWithdrawn"
	ContextTooLong    FailureKind = "ContextTooLong"
	ContentFiltered   FailureKind = "ContentFiltered"
	BadRequest        FailureKind = "BadRequest"
	// Stalled is a stream that was silent for too long, or broke, after its first token; nothing can follow it. It is no word of the API.
	Stalled FailureKind = "Stalled"
)

// Fallback says what follows a failure.
type Fallback struct {
	// On are the failures that move a call on to the next target.
	On []FailureKind `json:"on,omitempty"`
	// MaxAttempts bounds the calls to providers for one call, retries included; at least 1.
	MaxAttempts int `json:"maxAttempts,omitempty"`
	// MaxCost bounds the estimated cost of all attempts together, in nano-dollars; 0 for no bound.
	MaxCost int64 `json:"maxCost,omitempty"`
	// RetryOn are the failures that are tried again at the same target.
	RetryOn []FailureKind `json:"retryOn,omitempty"`
	// MaxRetries bounds how often one call is tried again.
	MaxRetries int `json:"maxRetries,omitempty"`
}

// DefaultFallback is the policy of a route that names none: all failures but the client's own faults move a call on, those that pass by themselves are tried
// again. It also holds for tables of a version that had no policy, whose MaxAttempts is 0.
func DefaultFallback() Fallback {
	return Fallback{
		On: []FailureKind{
			Unreachable, RateLimited, QuotaExhausted, KeyRejected, Unavailable, Capacity, Timeout, FirstTokenTimeout, BrokenAnswer, ModelWithdrawn,
			ContextTooLong, ContentFiltered,
		},
		MaxAttempts: 4,
		RetryOn:     []FailureKind{Unreachable, Unavailable, Capacity, RateLimited},
		MaxRetries:  1,
	}
}

// MovesOn tells whether a failure moves a call on to the next target.
func (f *Fallback) MovesOn(kind FailureKind) bool { return slices.Contains(f.On, kind) }

// TriesAgain tells whether a failure is tried again at the same target.
func (f *Fallback) TriesAgain(kind FailureKind) bool { return slices.Contains(f.RetryOn, kind) }

// AffinityKey is what makes calls belong together, in the API's words.
type AffinityKey string

// The keys.
const (
	// BySession takes the session that the request names, else ByPromptPrefix.
	BySession AffinityKey = "Session"
	// ByPromptPrefix takes the stable prefix of the prompt.
	ByPromptPrefix AffinityKey = "PromptPrefix"
	// ByEndUser takes the end user that the request names.
	ByEndUser AffinityKey = "EndUser"
)

// Affinity keeps calls that belong together on one target.
type Affinity struct {
	// By is what makes them belong together.
	By AffinityKey `json:"by"`
	// TTL is how long after its last call a session stays; 0 takes the lifetime of the provider's prompt cache.
	TTL time.Duration `json:"ttl,omitempty"`
}

// Capabilities is a set of capabilities. In JSON it is a number, which is no API: table and proxy are of one version.
type Capabilities uint16

// The capabilities; the API's constants say what each means.
const (
	Tools Capabilities = 1 << iota
	Vision
	Files
	Audio
	StructuredOutput
	Reasoning
	LogProbs
)

// Has tells whether all of needed are in the set.
func (c Capabilities) Has(needed Capabilities) bool { return c&needed == needed }

// Names are the capabilities of the set in the API's words.
func (c Capabilities) Names() []string {
	var names []string
	for i, name := range [...]string{"Tools", "Vision", "Files", "Audio", "StructuredOutput", "Reasoning", "LogProbs"} {
		if c&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// DataPolicy is how data is treated, or has to be.
type DataPolicy struct {
	// NoCollection tells that prompts are not collected; as a requirement, that they must not be.
	NoCollection bool `json:"noCollection,omitempty"`
	// NoRetention tells that prompts are not stored.
	NoRetention bool `json:"noRetention,omitempty"`
	// Region is where data is processed; empty when not known, or not required.
	Region string `json:"region,omitempty"`
}

// Satisfies tells whether a policy keeps all that is required.
func (p DataPolicy) Satisfies(required DataPolicy) bool {
	return (p.NoCollection || !required.NoCollection) && (p.NoRetention || !required.NoRetention) &&
		(required.Region == "" || p.Region == required.Region)
}

// Declared is what is known of a target's model.
type Declared struct {
	// Capabilities of the model, if CapabilitiesKnown.
	Capabilities      Capabilities `json:"capabilities,omitempty"`
	CapabilitiesKnown bool         `json:"capabilitiesKnown,omitempty"`
	// ContextTokens and MaxOutputTokens of the model; 0 when not known.
	ContextTokens   int64 `json:"contextTokens,omitempty"`
	MaxOutputTokens int64 `json:"maxOutputTokens,omitempty"`
	// DataPolicy of the target.
	DataPolicy DataPolicy `json:"dataPolicy,omitzero"`
	// Quantization of the weights; empty when not known.
	Quantization string `json:"quantization,omitempty"`
}

// Requirements leave out targets.
type Requirements struct {
	// Capabilities that must be declared.
	Capabilities Capabilities `json:"capabilities,omitempty"`
	// DataPolicy that must be declared.
	DataPolicy DataPolicy `json:"dataPolicy,omitzero"`
	// MinContextTokens that the context must be known to have; 0 for none.
	MinContextTokens int64 `json:"minContextTokens,omitempty"`
	// MaxPrice is the most that a million tokens may cost; nil for no bound.
	MaxPrice *MaxPrice `json:"maxPrice,omitempty"`
}

// MaxPrice is the most that a million tokens may cost, in nano-dollars.
type MaxPrice struct {
	// Input and Output prices; nil for no bound.
	Input  *int64 `json:"input,omitempty"`
	Output *int64 `json:"output,omitempty"`
}

// LimitScope says whose calls a limit counts together, in the API's words.
type LimitScope string

// The scopes.
const (
	// PerRoute counts all calls of the route together.
	PerRoute LimitScope = "Route"
	// PerCaller counts each caller's.
	PerCaller LimitScope = "Caller"
)

// Limit bounds calls over all ready proxies of the namespace together.
type Limit struct {
	// Per says whose calls are counted together.
	Per LimitScope `json:"per"`
	// RequestsPerMinute, TokensPerMinute and Concurrency; 0 for no bound.
	RequestsPerMinute int64 `json:"requestsPerMinute,omitempty"`
	TokensPerMinute   int64 `json:"tokensPerMinute,omitempty"`
	Concurrency       int64 `json:"concurrency,omitempty"`
	// MaxWait is how long a call may wait for its turn; 0 refuses at once.
	MaxWait time.Duration `json:"maxWait,omitempty"`
	// MaxQueue is how many calls may wait at each proxy.
	MaxQueue int `json:"maxQueue,omitempty"`
}

// Mirror gets copies of calls.
type Mirror struct {
	// Target that gets them; its name is the mirror's.
	Target Target `json:"target"`
	// Percent of the calls, 1 to 100.
	Percent int `json:"percent"`
	// MaxConcurrency bounds the copies under way at each proxy.
	MaxConcurrency int `json:"maxConcurrency"`
	// MaxCostPerHour bounds what each proxy spends in any hour, in nano-dollars; 0 for no bound.
	MaxCostPerHour int64 `json:"maxCostPerHour,omitempty"`
}
