package anthropic

import (
	"encoding/json"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// request is the body of POST messages and of messages/count_tokens.
type request struct {
	Model         string                `json:"model"`
	Messages      []message             `json:"messages"`
	MaxTokens     *int                  `json:"max_tokens"`
	System        core.OneOrMany[block] `json:"system"`
	Stream        bool                  `json:"stream"`
	StopSequences []string              `json:"stop_sequences"`
	Temperature   *float64              `json:"temperature"`
	TopP          *float64              `json:"top_p"`
	TopK          *int                  `json:"top_k"`
	Tools         []tool                `json:"tools"`
	ToolChoice    *toolChoice           `json:"tool_choice"`
	Thinking      *thinking             `json:"thinking"`
	OutputConfig  *outputConfig         `json:"output_config"`
	Metadata      *struct {
		UserID *string `json:"user_id"`
	} `json:"metadata"`
	ServiceTier  string          `json:"service_tier"`
	CacheControl *cacheControl   `json:"cache_control"`
	Container    json.RawMessage `json:"container"`
	InferenceGeo string          `json:"inference_geo"`
	// Version and Beta stand in the body on the platforms of others.
	Version string   `json:"anthropic_version"`
	Beta    []string `json:"anthropic_beta"`
	// current is set in the newest version of the API, which a header chooses.
	current bool
}

type message struct {
	Role    string                `json:"role"`
	Content core.OneOrMany[block] `json:"content"`
}

// block is a content block of any type.
type block struct {
	Type         string          `json:"type"`
	CacheControl *cacheControl   `json:"cache_control"`
	Text         *string         `json:"text"`
	Citations    json.RawMessage `json:"citations"`
	// Source of images and documents, or the name of a search result's.
	Source  source `json:"source"`
	Title   string `json:"title"`
	Context string `json:"context"`
	// ID, Name and Input of a tool's use; ToolUseID, Content and IsError of its result.
	ID        string                `json:"id"`
	Name      string                `json:"name"`
	Input     json.RawMessage       `json:"input"`
	ToolUseID string                `json:"tool_use_id"`
	Content   core.OneOrMany[block] `json:"content"`
	IsError   bool                  `json:"is_error"`
	// Thinking with its Signature, or Data that only the model can read.
	Thinking  *string `json:"thinking"`
	Signature *string `json:"signature"`
	Data      string  `json:"data"`
}

// source is where a medium comes from; of a search result it is a string.
type source struct {
	Type      string                `json:"type"`
	MediaType string                `json:"media_type"`
	Data      string                `json:"data"`
	URL       string                `json:"url"`
	FileID    string                `json:"file_id"`
	Content   core.OneOrMany[block] `json:"content"`
	name      string
}

// UnmarshalJSON reads the object, or the string of a search result.
func (s *source) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &s.name)
	}
	type plain source
	return json.Unmarshal(data, (*plain)(s))
}

type cacheControl struct {
	Type string `json:"type"`
	TTL  string `json:"ttl"`
}

type tool struct {
	Type          string          `json:"type"`
	Name          string          `json:"name"`
	Description   string          `json:"description"`
	InputSchema   map[string]any  `json:"input_schema"`
	CacheControl  *cacheControl   `json:"cache_control"`
	Strict        *bool           `json:"strict"`
	DeferLoading  *bool           `json:"defer_loading"`
	Eager         *bool           `json:"eager_input_streaming"`
	InputExamples json.RawMessage `json:"input_examples"`
}

type toolChoice struct {
	Type            string `json:"type"`
	Name            string `json:"name"`
	DisableParallel bool   `json:"disable_parallel_tool_use"`
}

type thinking struct {
	Type         string `json:"type"`
	BudgetTokens int    `json:"budget_tokens"`
	Display      string `json:"display"`
}

type outputConfig struct {
	Effort string `json:"effort"`
	Format *struct {
		Type   string         `json:"type"`
		Schema map[string]any `json:"schema"`
	} `json:"format"`
}

// thinks tells whether thoughts were asked for.
func (r request) thinks() bool {
	return r.Thinking != nil && r.Thinking.Type != "disabled"
}

// ask is what the answer depends on. The request has been checked.
func (r request) ask() (core.Ask, *core.Refusal) {
	prompt, refused := r.prompt()
	if refused != nil {
		return core.Ask{}, refused
	}
	ask := core.Ask{Prompt: prompt, Stop: r.StopSequences, Think: r.thinks()}
	if r.MaxTokens != nil {
		ask.Limit = *r.MaxTokens
	}
	for _, t := range r.Tools {
		ask.Tools = append(ask.Tools, core.Tool{Name: t.Name, Schema: t.InputSchema})
	}
	if choice := r.ToolChoice; choice != nil {
		ask.Single = choice.DisableParallel
		switch choice.Type {
		case "none":
			ask.Calls = core.CallsNever
		case "any":
			ask.Calls = core.CallsRequired
		case "tool":
			ask.Forced = choice.Name
		}
	}
	if r.OutputConfig != nil && r.OutputConfig.Format != nil {
		ask.JSON, ask.Schema = true, r.OutputConfig.Format.Schema
	}
	return ask, nil
}
