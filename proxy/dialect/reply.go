package dialect

// Flavor is whose manners a path of OpenAI's dialect has.
type Flavor int

// The flavors.
const (
	// OpenAIFlavor is /v1: the code of an error is a string.
	OpenAIFlavor Flavor = iota
	// OpenRouterFlavor is /api/v1: the code of an error is the HTTP status, and answers say who gave them and at what cost.
	OpenRouterFlavor
	// GroqFlavor is /openai/v1: as OpenAI, and answers tell their timing.
	GroqFlavor
)

// ErrorReply is an error for the client.
type ErrorReply struct {
	// Flavor of the path that was called.
	Flavor Flavor
	// RequestID is the answer's x-request-id.
	RequestID string
	// ID, Model and Created are those of the answer that a stream began with, as in Exchange, for surfaces whose last event of a broken stream is a piece of
	// the answer like the others. Without an ID the RequestID stands there.
	ID, Model string
	Created   int64
	// Sequence is the number of the event that ends a stream so, where events are numbered; with Array it is 0 as long as the array was not begun.
	Sequence int64
	// Status is the HTTP status.
	Status int
	// Message is a sentence for people.
	Message string
	// Type is the class of the error, "invalid_request_error".
	Type string
	// Param is the parameter at fault; empty when there is none.
	Param string
	// Code is one of the closed list of codes.
	Code string
	// Metadata tells more; nil when there is no more.
	Metadata *Metadata
	// Routing tells how the call was routed, beside the error; nil when the client did not ask for it. It has no place at the end of a stream.
	Routing *RoutingMetadata
	// Array tells that the error ends a stream that is written as one JSON array (Gemini); see Exchange.Array.
	Array bool
}

// Metadata tells what happened to a call, in the places where OpenRouter's clients look for it. What is empty is left out.
type Metadata struct {
	// ErrorType is the reply's code, for surfaces where "code" is the status.
	ErrorType string `json:"error_type,omitempty"`
	// Provider is the ProviderCredential of the last attempt.
	Provider string `json:"provider,omitempty"`
	// ProviderName is the name of the provider behind it.
	ProviderName string `json:"provider_name,omitempty"`
	// Status is what the provider answered.
	Status int `json:"status,omitempty"`
	// Raw is the provider's text.
	Raw string `json:"raw,omitempty"`
	// Attempts in their order.
	Attempts []Attempt `json:"attempts,omitempty"`
	// Targets that were not eligible.
	Targets []Exclusion `json:"targets,omitempty"`
	// Models that the caller may use.
	Models []string `json:"models,omitempty"`
	// Budget that refused the call.
	Budget *BudgetState `json:"budget,omitempty"`
}

// Attempt is one try at one target.
type Attempt struct {
	// Target is the name of the target in the route.
	Target string `json:"target"`
	// Provider is the name of the provider.
	Provider string `json:"provider,omitempty"`
	// Status is what the provider answered; 0 when it did not.
	Status int `json:"status,omitempty"`
	// Outcome is a word for programs.
	Outcome string `json:"outcome,omitempty"`
	// Message is a sentence for people.
	Message string `json:"message,omitempty"`
	// DurationMS is how long the attempt took, in milliseconds.
	DurationMS int64 `json:"duration_ms"`
}

// Exclusion says why a target was not tried.
type Exclusion struct {
	// Target is the name of the target in the route.
	Target string `json:"target"`
	// Reason is a sentence for people.
	Reason string `json:"reason"`
}

// BudgetState is the state of a budget that refused a call.
type BudgetState struct {
	// Name of the SpendBudget.
	Name string `json:"name"`
	// Limit is an exact decimal in US dollars.
	Limit string `json:"limit,omitempty"`
	// Spent is an exact decimal in US dollars.
	Spent string `json:"spent,omitempty"`
	// Resets is when the window ends, in RFC 3339; empty when it never does.
	Resets string `json:"resets,omitempty"`
}
