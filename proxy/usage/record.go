package usage

import (
	"time"

	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

// Schema is the version of the record's JSON form. Fields can be added to a version; what a field means does not change.
const Schema = "signalbox.dev/usage/v1"

// Outcome is what became of a request.
type Outcome string

// The outcomes.
const (
	// Completed: the client has its whole answer.
	Completed Outcome = "completed"
	// Failed: the client has an error, or an answer that broke off.
	Failed Outcome = "failed"
	// Canceled: the client left.
	Canceled Outcome = "canceled"
	// Lost: the proxy ended while the request was under way, or the whole pod did with a slice of a budget; Cost is the most that it can have cost.
	Lost Outcome = "lost"
)

// Record is what one request used, over all its attempts. Money is in nano-dollars, times are durations since Time.
type Record struct {
	// ID is unique: that of the proxy's own, not the request id, which a client may choose and repeat. OpenRouter's clients know it as the generation's id.
	ID string
	// RequestID is the answer's x-request-id.
	RequestID string
	// Time at which the request came.
	Time time.Time
	// Namespace of the proxy, and Pod that answered.
	Namespace, Pod string
	// Caller is the authenticated identity.
	Caller string
	// EndUser and Tags as the caller gave them. Trusted tells that some budget believes them.
	EndUser string
	Tags    []table.Tag
	Trusted bool
	// Operation that was asked for, in the words of metrics.
	Operation string
	// Route that the caller's model led to, and RoutedFrom, the one that a budget moved it away from; empty for none.
	Route, RoutedFrom string
	// Target and Provider that served last, Model that was asked for, and Served, the upstream model.
	Target, Provider, Model, Served string
	// UpstreamID is the provider's id of the answer; empty if not known.
	UpstreamID string
	// Stream tells that a stream was asked for. Mirror tells that it is a mirror's copy.
	Stream, Mirror bool
	// Usage over all attempts.
	Usage meter.Usage
	// Cost in nano-dollars of what has a price. Unpriced tells that some of it has none.
	Cost     int64
	Unpriced bool
	// PriceSource tells where the prices of the last attempt come from; "provider" when the provider's own cost was believed.
	PriceSource string
	// ListCost is what the prices would make of the usage, where the provider's own cost was believed instead; 0 otherwise.
	ListCost int64
	// Estimated tells that some of the usage was not measured by a provider.
	Estimated bool
	// FirstToken is the time to the first token of a stream; 0 if none came. Upstream is the time spent waiting for providers until the answer began. Duration
	// is that of the request.
	FirstToken, Upstream, Duration time.Duration
	// Attempts in their order.
	Attempts []Attempt
	// Status of the answer, and Code of its error; "ok" for none.
	Status  int
	Code    string
	Outcome Outcome
	// Budgets that counted the request, by name.
	Budgets []string
}

// Attempt is one call to a provider.
type Attempt struct {
	// Target, Provider and Model that was asked for.
	Target, Provider, Model string
	// Key is the name, in the ProviderCredential, of the key that it was made with; empty without one.
	Key string
	// Status of the provider's answer; 0 for none. Code is that of the failure, "ok" for none.
	Status int
	Code   string
	// Cost in nano-dollars.
	Cost int64
	// Duration of the attempt.
	Duration time.Duration
}
