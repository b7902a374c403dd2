package neutral

import "encoding/json"

// Number is a JSON number as it was written, so that nothing of it is lost; empty when it was not given.
type Number string

// Request asks for a generated answer.
type Request struct {
	// Model that the client asks for.
	Model string
	// Messages in the order of the conversation. System and developer messages stand where the client put them.
	Messages []Message
	// Tools that the model may call.
	Tools []Tool
	// ToolChoice says whether and which; the zero value leaves it to the provider's default.
	ToolChoice ToolChoice
	// ParallelToolCalls allows more than one call in an answer; nil leaves it to the provider's default.
	ParallelToolCalls *bool
	// Format of the answer.
	Format Format
	// MaxTokens bounds the answer, reasoning included; nil when the client gave none.
	MaxTokens *int64
	// Stop ends the answer at any of these texts.
	Stop []string
	// N is how many choices are wanted, at least 1.
	N int64

	// Temperature, TopP, TopK, MinP and TopA steer sampling.
	Temperature, TopP, TopK, MinP, TopA Number
	// FrequencyPenalty, PresencePenalty and RepetitionPenalty steer repetition.
	FrequencyPenalty, PresencePenalty, RepetitionPenalty Number
	// Seed makes sampling repeatable.
	Seed Number
	// LogitBias is OpenAI's object, token id to bias; nil when it was not given.
	LogitBias json.RawMessage
	// LogProbs asks for log probabilities, TopLogProbs for those of so many alternatives.
	LogProbs    bool
	TopLogProbs *int64

	// Reasoning says how much the model may think; nil leaves it to the provider's default.
	Reasoning *Reasoning
	// Verbosity is low, medium or high; empty leaves it to the provider's default.
	Verbosity string
	// Modalities are the kinds of output that are wanted, "text", "audio", "image"; empty means text.
	Modalities []string

	// User is the end user's stable id.
	User string
	// Metadata of the client's own.
	Metadata map[string]string
	// ServiceTier in the words of the source dialect.
	ServiceTier string
	// PromptCacheKey groups requests that share a prefix.
	PromptCacheKey string
	// Cache marks the whole prompt as worth caching; nil when it was not marked as a whole.
	Cache *CacheMark

	// Stream tells that the answer is to be streamed, and IncludeUsage that the stream should tell its usage.
	Stream, IncludeUsage bool

	// LegacyFunctions tells that the client speaks of functions in place of tools, as OpenAI once did, and expects a call as function_call.
	LegacyFunctions bool

	// Source is the wire API that the request was read from.
	Source API
	// Extra are the top-level members that this form has no place for, in their order, without those that are null. A writer of the same API puts them
	// back; any other reports them as dropped, but for those that ask for nothing.
	Extra []Member
}

// Member is a member of a JSON object.
type Member struct {
	// Name of the member.
	Name string
	// Value is its JSON text.
	Value json.RawMessage
}

// Role of a message's author.
type Role string

// The roles.
const (
	// System is the instructions of the application.
	System Role = "system"
	// Developer is what OpenAI calls the same since its reasoning models; writers without it use System.
	Developer Role = "developer"
	// User is the user's part.
	User Role = "user"
	// Assistant is what the model said.
	Assistant Role = "assistant"
	// ToolRole holds results of tool calls and nothing else: one or more parts of kind ToolResultPart. A dialect that has results inside user messages is
	// read into a ToolRole message followed by a User message with the rest, and written by joining neighbours again.
	ToolRole Role = "tool"
)

// Message is one turn of the conversation, or a part of one: neighbours may have the same role.
type Message struct {
	// Role of the author.
	Role Role
	// Name of the author; empty for most.
	Name string
	// Parts in their order.
	Parts []Part
	// PlainText tells that the content was one string rather than a list of one text part, so that a writer of the same API restores it.
	PlainText bool
	// Extra are members of the message that this form has no place for; only a writer of the same API uses them.
	Extra []Member
}

// Tool is something that the model may call.
type Tool struct {
	// Name of the function.
	Name string
	// Description for the model.
	Description string
	// Parameters is the JSON schema of the arguments; nil for a function without arguments.
	Parameters json.RawMessage
	// Strict demands arguments that follow the schema exactly; nil leaves it to the provider's default.
	Strict *bool
	// Cache marks the tools up to this one as worth caching.
	Cache *CacheMark
	// Raw is a tool that is no function (hosted by the provider, or of a kind of its own), in the words of the request's Source; nil for functions.
	// Type is then its type.
	Raw  json.RawMessage
	Type string
	// Extra are members of a function that this form has no place for; only a writer of the same API uses them.
	Extra []Member
}

// ToolMode says whether tools may be called.
type ToolMode string

// The modes. The zero value is the provider's default.
const (
	// ToolAuto lets the model decide.
	ToolAuto ToolMode = "auto"
	// ToolNone forbids calls.
	ToolNone ToolMode = "none"
	// ToolRequired demands at least one call.
	ToolRequired ToolMode = "required"
	// ToolNamed demands a call of ToolChoice.Name.
	ToolNamed ToolMode = "named"
	// ToolAllowed restricts to ToolChoice.Allowed; AllowedRequired tells that one of them must be called.
	ToolAllowed ToolMode = "allowed"
)

// ToolChoice says which tools may or must be called.
type ToolChoice struct {
	// Mode of the choice.
	Mode ToolMode
	// Name of the function with ToolNamed.
	Name string
	// Allowed are the names of functions with ToolAllowed, and AllowedRequired tells that one of them must be called.
	Allowed         []string
	AllowedRequired bool
	// Raw is a choice that has no place here, in the words of the request's Source; nil otherwise. Mode is then empty.
	Raw json.RawMessage
}

// FormatKind is the shape of the answer's text.
type FormatKind string

// The kinds. The zero value is free text.
const (
	// FormatText is free text.
	FormatText FormatKind = ""
	// FormatJSONObject is any JSON object.
	FormatJSONObject FormatKind = "json_object"
	// FormatJSONSchema is JSON that follows Format.Schema.
	FormatJSONSchema FormatKind = "json_schema"
	// FormatOther is a kind that only the source dialect knows, Format.Raw.
	FormatOther FormatKind = "other"
)

// Format of the answer's text.
type Format struct {
	// Kind of the format.
	Kind FormatKind
	// Name and Description of the schema.
	Name, Description string
	// Schema is a JSON schema.
	Schema json.RawMessage
	// Strict demands that the answer follows the schema exactly; nil leaves it to the provider's default.
	Strict *bool
	// Raw is the format in the words of the source dialect, with FormatOther.
	Raw json.RawMessage
}

// Reasoning says how the model may think before it answers. At most one of Effort and MaxTokens steers; Enabled alone leaves the amount to the provider.
type Reasoning struct {
	// Effort is none, minimal, low, medium, high, xhigh or max; empty when it was not given.
	Effort string
	// MaxTokens bounds the thinking; nil when it was not given.
	MaxTokens *int64
	// Enabled switches thinking on or off; nil when it was not said.
	Enabled *bool
	// Adaptive lets the model decide how much to think (Anthropic's "adaptive").
	Adaptive bool
	// Exclude hides the thinking from the answer.
	Exclude bool
	// Summary is auto, concise or detailed; empty when none was asked for.
	Summary string
	// Encrypted asks for the thinking in encrypted form, so that it can be sent back.
	Encrypted bool
}
