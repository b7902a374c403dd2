package neutral

import "encoding/json"

// PartKind is what a part of a message is.
type PartKind string

// The kinds.
const (
	// TextPart is Part.Text, with Part.Citations.
	TextPart PartKind = "text"
	// ImagePart is an image, Part.Media.
	ImagePart PartKind = "image"
	// AudioPart is sound, Part.Media.
	AudioPart PartKind = "audio"
	// VideoPart is a film, Part.Media.
	VideoPart PartKind = "video"
	// FilePart is a document such as a PDF, Part.Media.
	FilePart PartKind = "file"
	// ToolCallPart is a call by the assistant, Part.Call.
	ToolCallPart PartKind = "tool_call"
	// ToolResultPart is the result of a call, Part.Result.
	ToolResultPart PartKind = "tool_result"
	// ReasoningPart is thinking, Part.Thought.
	ReasoningPart PartKind = "reasoning"
	// RefusalPart is the assistant's refusal, Part.Text.
	RefusalPart PartKind = "refusal"
	// OpaquePart is Part.Raw, which only the dialect Part.Source understands; Part.Type names it.
	OpaquePart PartKind = "opaque"
)

// Part is a piece of a message.
type Part struct {
	// Kind tells which of the other fields count.
	Kind PartKind
	// Text of the part.
	Text string
	// Citations of the text.
	Citations []Citation
	// Media is an image, sound, film or document.
	Media *Media
	// Call is a tool call.
	Call *ToolCall
	// Result is a tool result.
	Result *ToolResult
	// Thought is reasoning.
	Thought *Thought
	// Cache marks the prompt up to this part as worth caching.
	Cache *CacheMark
	// Source, Type and Raw are a part that only one dialect understands.
	Source API
	Type   string
	Raw    json.RawMessage
	// Extra are members of the part that this form has no place for; only a writer of the same API uses them.
	Extra []Member
}

// Media is an image, sound, film or document: exactly one of URL, Data, FileID and Text is set.
type Media struct {
	// URL where the provider can fetch it, https or a scheme of the provider's own such as gs or s3; never a data: URL, which readers take apart.
	URL string
	// Data is the content in standard base64, as the client sent it.
	Data string
	// FileID is the provider's id of an uploaded file.
	FileID string
	// Text is the content of a document in plain text.
	Text string
	// MIME is the media type, such as image/png; empty when it is not known.
	MIME string
	// Name of the file, or title of the document.
	Name string
	// Detail is low, high or auto for images; empty when it was not given.
	Detail string
	// Context of a document, for the model.
	Context string
	// Citations asks for citations of a document.
	Citations bool
}

// ToolCall is a call of a function by the assistant.
type ToolCall struct {
	// ID of the call, which its result names. Readers of dialects without ids make one.
	ID string
	// Name of the function.
	Name string
	// Arguments is JSON text as the model wrote it; empty means no arguments and is written as {} where the dialect needs an object.
	Arguments string
}

// ToolResult is what a called function returned.
type ToolResult struct {
	// CallID is the ID of the call.
	CallID string
	// Name of the function; empty when the dialect does not tell. Readers fill it in from the call of the same id where the conversation has it.
	Name string
	// Parts of the result: text, images, documents.
	Parts []Part
	// PlainText tells that the result was one string.
	PlainText bool
	// Failed tells that the function failed.
	Failed bool
}

// Origin says which models can read a seal or a cipher of a provider: the words are OpenRouter's for "format".
type Origin string

// The origins.
const (
	// NoOrigin is plain thinking that is not sealed.
	NoOrigin Origin = ""
	// OriginAnthropic is a Claude model, wherever it runs.
	OriginAnthropic Origin = "anthropic-claude-v1"
	// OriginGemini is a Gemini model, wherever it runs.
	OriginGemini Origin = "google-gemini-v1"
	// OriginOpenAI is OpenAI's Responses API.
	OriginOpenAI Origin = "openai-responses-v1"
	// OriginAzure is the same on Azure.
	OriginAzure Origin = "azure-openai-responses-v1"
	// OriginXAI is xAI's Responses API.
	OriginXAI Origin = "xai-responses-v1"
	// OriginUnknown is a seal that nobody here can place; it is never sent to a provider.
	OriginUnknown Origin = "unknown"
)

// Thought is a piece of the model's thinking. Gemini seals not the thought but the part that follows it: such a seal is a Thought of its own with Encrypted
// and OriginGemini directly before that part.
type Thought struct {
	// ID of the piece at the provider; empty for most.
	ID string
	// Text of the thinking; empty when it is hidden.
	Text string
	// Summary is the thinking's summary, in paragraphs (Responses).
	Summary []string
	// Signature seals Text; without it Anthropic and Gemini refuse the thought when it comes back.
	Signature string
	// Encrypted is thinking that only the provider can read (Anthropic's redacted_thinking, Responses' encrypted_content).
	Encrypted string
	// Origin says who can read Signature or Encrypted.
	Origin Origin
}

// Sealed tells whether only the thought's origin can take it back.
func (t Thought) Sealed() bool { return t.Signature != "" || t.Encrypted != "" }

// CacheMark says that the prompt up to here is worth caching.
type CacheMark struct {
	// TTL is 5m or 1h; empty means the provider's default.
	TTL string
}

// Citation says where a text comes from.
type Citation struct {
	// URL and Title of the source; URL is empty for documents of the request.
	URL, Title string
	// CitedText is the quoted text.
	CitedText string
	// Start and End are offsets in the answer's text in characters, where the dialect tells them; End is 0 otherwise.
	Start, End int64
	// Document is the index of the cited document in the request; -1 when it is none.
	Document int64
	// FileID of the cited file; empty for most.
	FileID string
	// Raw is the citation in the words of Source, for writers of the same dialect.
	Source API
	Raw    json.RawMessage
}
