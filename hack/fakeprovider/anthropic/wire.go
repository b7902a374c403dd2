package anthropic

import (
	"encoding/json"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// answer is a message, whole or as a stream begins it.
type answer struct {
	ID           string         `json:"id"`
	Type         string         `json:"type"`
	Role         string         `json:"role"`
	Model        string         `json:"model"`
	Content      []contentBlock `json:"content"`
	StopReason   *string        `json:"stop_reason"`
	StopSequence *string        `json:"stop_sequence"`
	Usage        *usageObject   `json:"usage,omitempty"`
}

// contentBlock is a block of an answer; what its type does not have is absent.
type contentBlock struct {
	Type      string          `json:"type"`
	Text      *string         `json:"text,omitempty"`
	Citations []citation      `json:"citations,omitempty"`
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Input     json.RawMessage `json:"input,omitempty"`
	Thinking  *string         `json:"thinking,omitempty"`
	Signature *string         `json:"signature,omitempty"`
	Data      string          `json:"data,omitempty"`
}

// citation names the place in a text document.
type citation struct {
	Type           string  `json:"type"`
	CitedText      string  `json:"cited_text"`
	DocumentIndex  int     `json:"document_index"`
	DocumentTitle  *string `json:"document_title"`
	StartCharIndex int     `json:"start_char_index"`
	EndCharIndex   int     `json:"end_char_index"`
	FileID         *string `json:"file_id"`
}

// usageObject is usage as Anthropic reports it: input excludes what the cache took or gave.
type usageObject struct {
	InputTokens              int64          `json:"input_tokens"`
	CacheCreationInputTokens int64          `json:"cache_creation_input_tokens"`
	CacheReadInputTokens     int64          `json:"cache_read_input_tokens"`
	CacheCreation            *cacheCreation `json:"cache_creation,omitempty"`
	OutputTokens             int64          `json:"output_tokens"`
	OutputTokensDetails      *outputDetails `json:"output_tokens_details,omitempty"`
	ServiceTier              string         `json:"service_tier,omitempty"`
}

type cacheCreation struct {
	FiveMinutes int64 `json:"ephemeral_5m_input_tokens"`
	OneHour     int64 `json:"ephemeral_1h_input_tokens"`
}

// lifetime is how long the cache keeps what is written.
type lifetime string

const (
	fiveMinutes lifetime = "5m"
	anHour      lifetime = "1h"
)

type outputDetails struct {
	ThinkingTokens int64 `json:"thinking_tokens"`
}

// usageJSON is usage with the output so far, with what was written to the cache by how long it is kept there.
func usageJSON(u core.Usage, kept lifetime) *usageObject {
	out := &usageObject{
		InputTokens: u.PromptTokens - u.CachedTokens - u.CacheWriteTokens, CacheCreationInputTokens: u.CacheWriteTokens, CacheReadInputTokens: u.CachedTokens,
		CacheCreation: &cacheCreation{FiveMinutes: u.CacheWriteTokens}, OutputTokens: u.CompletionTokens, ServiceTier: "standard",
	}
	if kept == anHour {
		out.CacheCreation = &cacheCreation{OneHour: u.CacheWriteTokens}
	}
	if u.ReasoningTokens > 0 {
		out.OutputTokensDetails = &outputDetails{ThinkingTokens: u.ReasoningTokens}
	}
	return out
}
