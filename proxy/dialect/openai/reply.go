package openai

import (
	"encoding/json"
)

// Surface is which API a path belongs to.
type Surface int

// The surfaces.
const (
	// SurfaceOpenAI is /v1 and /openai/v1: the code of an error is a string.
	SurfaceOpenAI Surface = iota
	// SurfaceOpenRouter is /api/v1: the code of an error is the HTTP status.
	SurfaceOpenRouter
)

// ErrorReply is an error for the client.
type ErrorReply struct {
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

// wireError is the object "error". Code is a string or an integer, Param null or a string, as SDKs expect them.
type wireError struct {
	Message  string    `json:"message"`
	Type     string    `json:"type"`
	Param    *string   `json:"param"`
	Code     any       `json:"code"`
	Metadata *Metadata `json:"metadata,omitempty"`
}

// wireReply is an error's body, and, with the choices that OpenRouter adds to it, the last event of a broken stream.
type wireReply struct {
	Error   wireError       `json:"error"`
	Object  string          `json:"object,omitempty"`
	Choices json.RawMessage `json:"choices,omitempty"`
}

func (e ErrorReply) wire(surface Surface) wireReply {
	reply := wireReply{Error: wireError{Message: e.Message, Type: e.Type, Code: e.Code, Metadata: e.Metadata}}
	if e.Param != "" {
		reply.Error.Param = &e.Param
	}
	if surface != SurfaceOpenRouter {
		return reply
	}
	reply.Error.Code = e.Status
	if e.Metadata == nil || e.Metadata.ErrorType == "" {
		metadata := Metadata{}
		if e.Metadata != nil {
			metadata = *e.Metadata
		}
		metadata.ErrorType = e.Code
		reply.Error.Metadata = &metadata
	}
	return reply
}

// AppendError appends the body of an error to dst.
func AppendError(dst []byte, surface Surface, e ErrorReply) []byte {
	return appendJSON(dst, e.wire(surface))
}

// AppendErrorEvent appends the event to dst that ends a stream after its first token. No [DONE] follows it.
func AppendErrorEvent(dst []byte, surface Surface, e ErrorReply) []byte {
	reply := e.wire(surface)
	if surface == SurfaceOpenRouter {
		reply.Object = "chat.completion.chunk"
		reply.Choices = json.RawMessage(`[{"index":0,"delta":{"content":""},"finish_reason":"error"}]`)
	}
	dst = append(dst, "data: "...)
	return append(appendJSON(dst, reply), "\n\n"...)
}

// appendJSON appends a value of this package's own types, which encoding/json always takes.
func appendJSON(dst []byte, value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		return append(dst, "{}"...)
	}
	return append(dst, text...)
}
