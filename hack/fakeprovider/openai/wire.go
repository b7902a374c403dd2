package openai

import "encoding/json"

// null is an explicit JSON null.
func null() json.RawMessage { return json.RawMessage("null") }

// usageObject is usage as OpenAI reports it.
type usageObject struct {
	PromptTokens            int64                    `json:"prompt_tokens"`
	CompletionTokens        int64                    `json:"completion_tokens"`
	TotalTokens             int64                    `json:"total_tokens"`
	PromptTokensDetails     *promptTokensDetails     `json:"prompt_tokens_details,omitempty"`
	CompletionTokensDetails *completionTokensDetails `json:"completion_tokens_details,omitempty"`
	Cost                    json.Number              `json:"cost,omitempty"`
	CostDetails             json.RawMessage          `json:"cost_details,omitempty"`
	// The times are Groq's, in seconds.
	QueueTime      float64 `json:"queue_time,omitempty"`
	PromptTime     float64 `json:"prompt_time,omitempty"`
	CompletionTime float64 `json:"completion_time,omitempty"`
	TotalTime      float64 `json:"total_time,omitempty"`
}

type promptTokensDetails struct {
	CachedTokens int64 `json:"cached_tokens"`
	AudioTokens  int64 `json:"audio_tokens"`
}

type completionTokensDetails struct {
	ReasoningTokens          int64 `json:"reasoning_tokens"`
	AudioTokens              int64 `json:"audio_tokens"`
	AcceptedPredictionTokens int64 `json:"accepted_prediction_tokens"`
	RejectedPredictionTokens int64 `json:"rejected_prediction_tokens"`
}

// embeddingUsage is the usage of POST embeddings.
type embeddingUsage struct {
	PromptTokens int64 `json:"prompt_tokens"`
	TotalTokens  int64 `json:"total_tokens"`
}

// xGroq is Groq's extension object.
type xGroq struct {
	ID    string       `json:"id"`
	Usage *usageObject `json:"usage,omitempty"`
}

// chatAnswer is chat.completion and chat.completion.chunk. Usage is absent, null or an object.
type chatAnswer struct {
	ID                string          `json:"id"`
	Object            string          `json:"object"`
	Created           int64           `json:"created"`
	Model             string          `json:"model"`
	Provider          string          `json:"provider,omitempty"`
	Choices           []chatChoice    `json:"choices"`
	Usage             json.RawMessage `json:"usage,omitempty"`
	ServiceTier       string          `json:"service_tier,omitempty"`
	SystemFingerprint string          `json:"system_fingerprint"`
	XGroq             *xGroq          `json:"x_groq,omitempty"`
	// PromptFilterResults are Azure's.
	PromptFilterResults json.RawMessage `json:"prompt_filter_results,omitempty"`
}

// chatChoice has a message in a plain answer and a delta in a chunk.
type chatChoice struct {
	Index        int             `json:"index"`
	Message      *chatMessage    `json:"message,omitempty"`
	Delta        *chatMessage    `json:"delta,omitempty"`
	Logprobs     json.RawMessage `json:"logprobs"`
	FinishReason json.RawMessage `json:"finish_reason"`
	// NativeFinishReason is OpenRouter's, ContentFilterResults are Azure's.
	NativeFinishReason   string          `json:"native_finish_reason,omitempty"`
	ContentFilterResults json.RawMessage `json:"content_filter_results,omitempty"`
}

// chatMessage is a message or a delta; what is absent in a delta is absent here.
type chatMessage struct {
	Role             string            `json:"role,omitempty"`
	Content          json.RawMessage   `json:"content,omitempty"`
	ToolCalls        []toolCall        `json:"tool_calls,omitempty"`
	ReasoningContent string            `json:"reasoning_content,omitempty"`
	Reasoning        string            `json:"reasoning,omitempty"`
	ReasoningDetails []reasoningDetail `json:"reasoning_details,omitempty"`
	Refusal          json.RawMessage   `json:"refusal,omitempty"`
	Annotations      json.RawMessage   `json:"annotations,omitempty"`
}

// toolCall is a call or, with an index, a part of one.
type toolCall struct {
	Index    *int         `json:"index,omitempty"`
	ID       string       `json:"id,omitempty"`
	Type     string       `json:"type,omitempty"`
	Function functionCall `json:"function"`
}

type functionCall struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

// textAnswer is text_completion, plain and streamed.
type textAnswer struct {
	ID      string          `json:"id"`
	Object  string          `json:"object"`
	Created int64           `json:"created"`
	Model   string          `json:"model"`
	Choices []textChoice    `json:"choices"`
	Usage   json.RawMessage `json:"usage,omitempty"`
}

type textChoice struct {
	Text         string          `json:"text"`
	Index        int             `json:"index"`
	Logprobs     json.RawMessage `json:"logprobs"`
	FinishReason json.RawMessage `json:"finish_reason"`
}

// embeddingAnswer is the answer of POST embeddings.
type embeddingAnswer struct {
	Object string            `json:"object"`
	Data   []embeddingVector `json:"data"`
	Model  string            `json:"model"`
	Usage  *embeddingUsage   `json:"usage,omitempty"`
}

// embeddingVector has a list of numbers or a base64 string.
type embeddingVector struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"`
}

// modelObject is one entry of the model list, with the extras of the flavour.
type modelObject struct {
	ID            string         `json:"id"`
	Object        string         `json:"object,omitempty"`
	Created       int64          `json:"created"`
	OwnedBy       string         `json:"owned_by,omitempty"`
	Active        *bool          `json:"active,omitempty"`
	ContextWindow int            `json:"context_window,omitempty"`
	Name          string         `json:"name,omitempty"`
	ContextLength int            `json:"context_length,omitempty"`
	Pricing       *pricingObject `json:"pricing,omitempty"`
	Architecture  *architecture  `json:"architecture,omitempty"`
	Supported     []string       `json:"supported_parameters,omitempty"`
}

// architecture is what OpenRouter says about what a model reads and writes.
type architecture struct {
	Modality         string   `json:"modality"`
	InputModalities  []string `json:"input_modalities"`
	OutputModalities []string `json:"output_modalities"`
	Tokenizer        string   `json:"tokenizer"`
	InstructType     *string  `json:"instruct_type"`
}

// pricingObject is OpenRouter's price list of a model, USD a token.
type pricingObject struct {
	Prompt     string `json:"prompt"`
	Completion string `json:"completion"`
}

// reasoningDetail is a thought as OpenRouter shows it.
type reasoningDetail struct {
	Type      string `json:"type"`
	Text      string `json:"text,omitempty"`
	Signature string `json:"signature,omitempty"`
	Format    string `json:"format"`
	Index     int    `json:"index"`
}

// logprobsObject is the logprobs of a choice.
type logprobsObject struct {
	Content []tokenLogprob  `json:"content"`
	Refusal json.RawMessage `json:"refusal"`
}

type tokenLogprob struct {
	Token   string       `json:"token"`
	Logprob float64      `json:"logprob"`
	Bytes   []int        `json:"bytes"`
	Top     []topLogprob `json:"top_logprobs"`
}

type topLogprob struct {
	Token   string  `json:"token"`
	Logprob float64 `json:"logprob"`
	Bytes   []int   `json:"bytes"`
}
