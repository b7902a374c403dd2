package dialect

import (
	"time"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

// Surface is a wire API as clients speak it.
type Surface interface {
	// ReadHead checks that a body is a request of this API, as far as routing needs, and reads its head. Gemini's model and stream stand in the path; the
	// server fills them in. The error is a *RequestError.
	ReadHead(body []byte) (Head, error)
	// AppendError appends the body of an error reply to dst.
	AppendError(dst []byte, e ErrorReply) []byte
	// AppendErrorEvent appends what ends a stream after its first token when it fails.
	AppendErrorEvent(dst []byte, e ErrorReply) []byte
}

// Passer is an API whose requests and answers pass between a surface and an upstream that both speak it.
type Passer interface {
	// AppendPassed appends the request to dst: the bytes of body, which h was read from, with the necessary edits for the target.
	AppendPassed(dst, body []byte, h Head, to Target) ([]byte, neutral.Report, error)
	// ReadPassed reads an upstream's whole answer. The error is an *AnswerError.
	ReadPassed(body []byte, o Exchange) (Answer, error)
	// NewPassedStream goes over the events of an upstream's stream.
	NewPassedStream(o Exchange) Stream
}

// GenerationSurface is a surface whose requests can cross to other APIs of the Generation family.
type GenerationSurface interface {
	Surface
	// ReadRequest reads all of a body that ReadHead accepted. The error is a *RequestError.
	ReadRequest(body []byte, h Head) (*neutral.Request, error)
	// AppendResponse appends the answer to dst.
	AppendResponse(dst []byte, r *neutral.Response, o Exchange) []byte
	// NewStreamWriter writes one stream.
	NewStreamWriter(o Exchange) StreamWriter
}

// GenerationUpstream is an API that requests can cross to.
type GenerationUpstream interface {
	// AppendRequest appends the request to dst. What the target does not have is dropped and reported, if leaving it out changes little; what the client
	// would miss is an error, a *neutral.UnsupportedError. r must not be changed.
	AppendRequest(dst []byte, r *neutral.Request, to Target) ([]byte, neutral.Report, error)
	// ReadResponse reads a whole answer of status 200. The error is an *AnswerError.
	ReadResponse(body []byte) (*neutral.Response, error)
	// NewStreamReader reads one stream.
	NewStreamReader() StreamReader
}

// Sealed is a GenerationUpstream that several vendors speak, and whose answers do not tell which of them sealed the thoughts in them.
type Sealed interface {
	// SealedBy returns the same for an upstream whose seals are of this origin.
	SealedBy(origin neutral.Origin) GenerationUpstream
}

// StreamReader reads an upstream's stream.
type StreamReader interface {
	// Read appends what a frame means to dst. The error is a *StreamError. What is unknown but harmless means nothing.
	Read(dst []neutral.Event, frame sse.Event) ([]neutral.Event, error)
	// End appends what is missing when the stream's body ended without EventEnd: the stops of open parts and EventEnd if the answer is whole without it,
	// because every choice has its finish. Otherwise it returns false: the stream was cut.
	End(dst []neutral.Event) ([]neutral.Event, bool)
}

// StreamWriter writes a surface's stream.
type StreamWriter interface {
	// Write appends to dst what the client gets for an event, which may be nothing: what must come later is held back. EventFailure writes nothing, for
	// the server ends such a stream with AppendErrorEvent.
	Write(dst []byte, e *neutral.Event) []byte
}

// EmbeddingSurface is a surface whose requests can cross to other APIs of the Embedding family.
type EmbeddingSurface interface {
	Surface
	// ReadEmbeddings reads all of a body that ReadHead accepted. The error is a *RequestError.
	ReadEmbeddings(body []byte) (*neutral.EmbeddingRequest, error)
	// AppendEmbeddings appends the answer to dst, in the encoding that r asks for.
	AppendEmbeddings(dst []byte, a *neutral.EmbeddingResponse, r *neutral.EmbeddingRequest, o Exchange) []byte
}

// EmbeddingUpstream is an API that requests for vectors can cross to; see GenerationUpstream.
type EmbeddingUpstream interface {
	AppendEmbeddingRequest(dst []byte, r *neutral.EmbeddingRequest, to Target) ([]byte, neutral.Report, error)
	ReadEmbeddingResponse(body []byte) (*neutral.EmbeddingResponse, error)
}

// RerankSurface is a surface whose requests can cross to other APIs of the Reranking family.
type RerankSurface interface {
	Surface
	// ReadRerank reads all of a body that ReadHead accepted. The error is a *RequestError.
	ReadRerank(body []byte) (*neutral.RerankRequest, error)
	// AppendRerank appends the answer to dst.
	AppendRerank(dst []byte, a *neutral.RerankResponse, r *neutral.RerankRequest, o Exchange) []byte
}

// RerankUpstream is an API that requests for an order can cross to; see GenerationUpstream.
type RerankUpstream interface {
	AppendRerankRequest(dst []byte, r *neutral.RerankRequest, to Target) ([]byte, neutral.Report, error)
	ReadRerankResponse(body []byte) (*neutral.RerankResponse, error)
}

// Exchange is what writers of answers need to know of a call.
type Exchange struct {
	// Flavor of the surface's path.
	Flavor Flavor
	// IncludeUsage tells that the client asked for usage in the stream.
	IncludeUsage bool
	// Array tells that the stream is written as one JSON array (Gemini).
	Array bool
	// Model that the client asked for, and UpstreamModel that the target is asked for.
	Model, UpstreamModel string
	// Provider that answers, such as "Groq", and Origin of the thoughts that it seals.
	Provider string
	Origin   neutral.Origin
	// ID of the call, unique; plain ASCII.
	ID string
	// Created is when the call came, in seconds since 1970.
	Created int64
	// Prices of the target; nil when they are not known. CostOf turns usage into nano-dollars.
	Prices *table.Prices
	// BelievesCost tells that what the provider itself says that a call cost is what is charged; without it the prices decide alone.
	BelievesCost bool
	// Bound is what a call is charged at least whose usage is estimated, in nano-dollars: under a Hard budget, the most that it can have
	// cost; 0 otherwise.
	Bound int64
	// Request is what was asked, where the answer repeats it (Responses); nil when the request passed as it was.
	Request *neutral.Request
	// Embedding and Rerank are the same of their families; nil when the request passed as it was.
	Embedding *neutral.EmbeddingRequest
	Rerank    *neutral.RerankRequest
	// Metadata tells how the call was routed, at the end of the answer; nil when the client did not ask for it.
	Metadata func() *RoutingMetadata
	// Timing tells how long the parts of the call have taken so far; nil when nobody measures.
	Timing func() Timing
}

// CostOf is the cost of usage in nano-dollars: the provider's own where it is believed, else by the prices. It is false when the price of a part of it is not
// known, for then nobody can tell.
func (o Exchange) CostOf(u meter.Usage) (int64, bool) {
	switch {
	case o.BelievesCost && u.ReportedCost != nil:
		return *u.ReportedCost, true
	case o.Prices == nil:
		return 0, false
	}
	cost := meter.Cost(&u, o.Prices)
	if u.Estimated {
		cost.Nano = max(cost.Nano, o.Bound)
	}
	return cost.Nano, !cost.Unpriced
}

// Timing is how long the parts of a call took, as Groq tells it: waiting in the proxy, until the first token, from there to now.
type Timing struct {
	Queue, Prompt, Completion time.Duration
}

// Target is who a request is written for.
type Target struct {
	// Model is the upstream id.
	Model string
	// Provider is the vendor's name, such as "Groq", for errors.
	Provider string
	// ModelInPath and StreamInPath tell that "model" or "stream" stands in the address and not in the body.
	ModelInPath, StreamInPath bool
	// Set are members that the host of the API wants in the body, such as Bedrock's anthropic_version.
	Set []neutral.Member
	// Betas are the values of the client's anthropic-beta header, for hosts that want them in the body; nil otherwise.
	Betas []string
	// Origin is whose sealed thoughts the target can read; thoughts of another origin are left out and reported as dropped "reasoning".
	Origin neutral.Origin
	// Preferences is the value of OpenRouter's "provider" for a target that is OpenRouter; nil takes the member out, as for all others. A
	// Joint sees to it.
	Preferences []byte
	// OutputLimit is the most tokens that the answer may have for each choice: the request is sent with the client's limit if that is lower, else with this
	// one, whatever the client asked for. 0 leaves the client's request as it is. APIs without such a limit do not look at it.
	OutputLimit int64
	// Quirks of the provider.
	Quirks Quirks
}

// Quirks are how a provider differs from the dialect that it speaks. The zero value does not differ.
type Quirks struct {
	// NoStreamUsage tells that "stream_options" is refused; usage comes unasked.
	NoStreamUsage bool
	// Refused are top-level members of a request that the provider refuses; they are left out and reported.
	Refused []string
	// Accepted are all members that the provider takes; others are left out and reported. Nil means that unknown members are ignored there.
	Accepted []string
	// MaxTokens is the only name of the output limit that the provider takes, "max_tokens" or "max_completion_tokens"; empty takes both.
	MaxTokens string
	// Seed is the name of "seed" there, such as "random_seed"; empty for "seed".
	Seed string
	// NoDeveloper tells that the role "developer" is refused and has to be "system".
	NoDeveloper bool
	// RefusedInMessages are members of messages that are refused, such as "name" or "reasoning_content".
	RefusedInMessages []string
	// TextOnly are roles whose content must be a string rather than a list of parts.
	TextOnly []neutral.Role
	// ReasoningMember is the member of assistant messages in which thoughts go back ("reasoning_content", "reasoning"); empty sends none.
	ReasoningMember string
	// ReasoningRequest is how thinking is asked for: "reasoning_effort" (the default, empty), "reasoning" (OpenRouter's object), "thinking" (DeepSeek's and
	// Together's object {"type":"enabled"}), "none" when it cannot be.
	ReasoningRequest string
	// NoImageURLs tells that images must come as bytes.
	NoImageURLs bool
	// NoFiles, NoAudio and NoImages tell that such parts are refused.
	NoFiles, NoAudio, NoImages bool
	// NoJSONSchema tells that only json_object is known; the schema is then told in the prompt and json_object asked for.
	NoJSONSchema bool
	// OneChoice tells that n above 1 is refused.
	OneChoice bool
	// NoLogProbs tells that log probabilities are refused.
	NoLogProbs bool
	// NoRequiredTool tells that tool_choice "required" is called "any" (Mistral).
	RequiredToolAny bool
	// ToolIDs is the form that ids of tool calls must have: "mistral9" for nine letters and digits; empty for any.
	ToolIDs string
}

// KeepAliver is a Surface with a sign of life of its own for silent streams; the others get a comment.
type KeepAliver interface {
	// KeepAlive is the event.
	KeepAlive() []byte
}
