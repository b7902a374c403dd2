package neutral

import (
	"encoding/json"
	"time"

	"signalbox.dev/signalbox/proxy/meter"
)

// Response is a whole generated answer.
type Response struct {
	// ID at the provider; empty when it gives none.
	ID string
	// Model that answered, in the provider's words.
	Model string
	// Created is in seconds since 1970; 0 when the provider does not tell.
	Created int64
	// Choices in their order; usually one.
	Choices []Choice
	// Usage, normalised; nil when the provider reported none.
	Usage *meter.Usage
	// ServiceTier that served the call, in the provider's words.
	ServiceTier string
	// SystemFingerprint of OpenAI.
	SystemFingerprint string
	// Err is an error that the provider put into an answer of status 200; nil when there is none.
	Err *Error
}

// Choice is one answer.
type Choice struct {
	// Parts of the assistant's message in their order.
	Parts []Part
	// Finish says why the answer ended.
	Finish Finish
	// Native is the same in the provider's word.
	Native string
	// StopSequence is the text that ended the answer, where the provider tells it.
	StopSequence string
	// LogProbs is OpenAI's object; nil without.
	LogProbs json.RawMessage
}

// Finish says why an answer ended.
type Finish string

// The reasons.
const (
	// FinishStop is the natural end.
	FinishStop Finish = "stop"
	// FinishStopSequence is one of the request's stop texts.
	FinishStopSequence Finish = "stop_sequence"
	// FinishLength is a limit on tokens, of the request or of the model.
	FinishLength Finish = "length"
	// FinishToolCalls means that the model waits for tool results.
	FinishToolCalls Finish = "tool_calls"
	// FinishContentFilter means that the provider held the answer, or a part of it, back.
	FinishContentFilter Finish = "content_filter"
	// FinishRefusal means that the model refused.
	FinishRefusal Finish = "refusal"
	// FinishPause means that the provider paused a long turn; the answer is to be sent back to go on.
	FinishPause Finish = "pause"
	// FinishError means that the provider failed in the middle.
	FinishError Finish = "error"
)

// Error is what a provider says about an error. All texts are one printable line.
type Error struct {
	// Status is the HTTP status that the error stands for; 0 when the body does not tell.
	Status int
	// Message for people, at most 1 KiB.
	Message string
	// Type, Param and Code as the provider gives them; empty where it does not.
	Type, Param, Code string
	// JSON tells that the body is an object with an object "error", so that clients of OpenAI's dialect understand it as it is.
	JSON bool
	// Foreign tells that the body is no JSON at all, and so not the API's: the page of a gateway in front of it, for example.
	Foreign bool
	// RetryAfter is when the provider wants to be asked again, where the body tells; 0 where it does not.
	RetryAfter time.Duration
}
