package core

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Bounds of Settings and Fault.
const (
	maxCompletionTokens = 16384
	maxTokensPerSecond  = 100_000
	maxDelay            = time.Hour
	maxListed           = 1000
	maxFaultBytes       = 64 << 20
	MaxDimensions       = 4096
)

// Duration is a time.Duration that JSON shows the way Go writes one, such as "150ms".
type Duration time.Duration

// MarshalText writes the duration as time.Duration.String does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads; the error is that function's.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("parsing duration: %w", err)
	}
	*d = Duration(parsed)
	return nil
}

// Compression says when an answer is sent with Content-Encoding: gzip.
type Compression string

// Values of Compression.
const (
	CompressNever     Compression = "Never"     // never, the default
	CompressWhenAsked Compression = "WhenAsked" // when the request's Accept-Encoding names gzip
	CompressAlways    Compression = "Always"    // whatever the request says
)

// UsageReport says whether answers carry usage.
type UsageReport string

// Values of UsageReport.
const (
	UsageFaithful UsageReport = "Faithful" // as the imitated provider does, the default
	UsageNever    UsageReport = "Never"    // in no answer, as some model servers
)

// UnknownParameters says what happens to a request field that the API does not know.
type UnknownParameters string

// Values of UnknownParameters.
const (
	UnknownRejected UnknownParameters = "Reject" // 400, as OpenAI and Groq do; the default. OpenRouter's prefix ignores them always.
	UnknownIgnored  UnknownParameters = "Ignore" // accepted without effect
)

// Key is an API key and what becomes of requests that bring it.
type Key struct {
	// Value is the key as the client sends it after "Bearer ".
	Value string `json:"value"`
	// Status refuses the key's requests with this status, 400 to 599; 0, the default, accepts them.
	Status int `json:"status,omitempty"`
	// Error is the body of the refusal; the provider's usual one for the status when omitted.
	Error *APIError `json:"error,omitempty"`
	// RateLimit replaces Settings.RateLimit in answers to this key.
	RateLimit *RateLimit `json:"rateLimit,omitempty"`
}

// RateLimit is what the x-ratelimit-* headers say. It is only reported; Quota enforces, and then says what they say.
type RateLimit struct {
	LimitRequests     int64    `json:"limitRequests"`
	RemainingRequests int64    `json:"remainingRequests"`
	ResetRequests     Duration `json:"resetRequests"`
	LimitTokens       int64    `json:"limitTokens"`
	RemainingTokens   int64    `json:"remainingTokens"`
	ResetTokens       Duration `json:"resetTokens"`
}

// UsageOverride replaces parts of the usage that answers report and are billed for. Omitted parts stay as counted.
type UsageOverride struct {
	PromptTokens     *int64 `json:"promptTokens,omitempty"`
	CachedTokens     *int64 `json:"cachedTokens,omitempty"`
	CacheWriteTokens *int64 `json:"cacheWriteTokens,omitempty"`
	CompletionTokens *int64 `json:"completionTokens,omitempty"`
	ReasoningTokens  *int64 `json:"reasoningTokens,omitempty"`
	// Cost is OpenRouter's usage.cost in USD, a JSON number such as 0.00012; omitted means no such field.
	Cost json.Number `json:"cost,omitempty"`
}

// Settings is how the server answers requests that no Fault takes.
type Settings struct {
	// Models are the ids served. "*" serves every id. Default: a few well-known ones; at most 1000.
	Models []string `json:"models"`
	// Withdrawn are models that were served once: not listed, and refused the way the provider refuses a model that it has retired, whatever Models says.
	// At most 1000.
	Withdrawn []string `json:"withdrawn,omitempty"`
	// ResponseModel is the model named in answers; empty, the default, repeats the one asked for.
	ResponseModel string `json:"responseModel,omitempty"`
	// HeaderDelay passes before the answer's headers are sent. Default 0; at most 1h.
	HeaderDelay Duration `json:"headerDelay"`
	// FirstTokenDelay passes between a stream's headers and its first event, and before the headers of a plain answer. Default 0; at most 1h.
	FirstTokenDelay Duration `json:"firstTokenDelay"`
	// TokensPerSecond is the speed of one answer; 0, the default, is as fast as it goes. At most 100000.
	TokensPerSecond int `json:"tokensPerSecond"`
	// CompletionTokens is the natural length of an answer, before max_tokens and stop cut it. Default 16; 1 to 16384.
	CompletionTokens int `json:"completionTokens"`
	// Text is the answer, split into tokens before each blank; empty, the default, makes one up.
	Text string `json:"text,omitempty"`
	// ToolCalls is how many tools an answer with tool calls calls. Default 1; 1 to 16.
	ToolCalls int `json:"toolCalls"`
	// EmbeddingDimensions is the length of vectors when the request does not say. Default 1536; 1 to 4096.
	EmbeddingDimensions int `json:"embeddingDimensions"`
	// Keys are the keys known; a key outside the list gets 401. Empty, the default, accepts every key that is not empty. At most 1000.
	Keys []Key `json:"keys"`
	// ManagementKeys are the keys that management APIs take; empty, the default, takes every key that they did not make themselves. At most 1000.
	ManagementKeys []string `json:"managementKeys,omitempty"`
	// KeyListLag is how long a key that a management API made is missing in its list. Default 0; at most 1h.
	KeyListLag Duration `json:"keyListLag"`
	// RateLimit is what the rate-limit headers say; null leaves them out.
	RateLimit *RateLimit `json:"rateLimit"`
	// Quota is what every key may ask of every model; null, the default, is no end of it. It replaces RateLimit.
	Quota *Quota `json:"quota,omitempty"`
	// Usage overrides the usage reported.
	Usage *UsageOverride `json:"usage,omitempty"`
	// UsageReport is Faithful or Never.
	UsageReport UsageReport `json:"usageReport"`
	// Compression is Never, WhenAsked or Always.
	Compression Compression `json:"compression"`
	// UnknownParameters is Reject or Ignore.
	UnknownParameters UnknownParameters `json:"unknownParameters"`
	// WriteBytes splits answers into writes of so many bytes, each flushed on its own; 0, the default, writes event by event.
	WriteBytes int `json:"writeBytes"`
}

// DefaultSettings are the settings of a new Server: fast, every key accepted, usage as counted.
func DefaultSettings() Settings {
	return Settings{
		Models: []string{
			"gpt-4o", "gpt-4o-mini", "gpt-4.1-mini", "gpt-3.5-turbo-instruct", "text-embedding-3-small", "text-embedding-3-large",
			"llama-3.3-70b-versatile", "llama-3.1-8b-instant", "openai/gpt-oss-120b", "meta-llama/llama-3.3-70b-instruct",
		},
		CompletionTokens:    16,
		ToolCalls:           1,
		EmbeddingDimensions: 1536,
		Keys:                []Key{},
		RateLimit: &RateLimit{
			LimitRequests: 10_000, RemainingRequests: 9_999, ResetRequests: Duration(6 * time.Millisecond),
			LimitTokens: 2_000_000, RemainingTokens: 1_999_000, ResetTokens: Duration(30 * time.Millisecond),
		},
		UsageReport:       UsageFaithful,
		Compression:       CompressNever,
		UnknownParameters: UnknownRejected,
	}
}

// Validate reports every field that is out of its bounds, joined into one error.
func (s Settings) Validate() error {
	return errors.Join(
		within("models", len(s.Models), 0, maxListed),
		within("withdrawn", len(s.Withdrawn), 0, maxListed),
		within("keys", len(s.Keys), 0, maxListed),
		within("managementKeys", len(s.ManagementKeys), 0, maxListed),
		within("keyListLag", time.Duration(s.KeyListLag), 0, maxDelay),
		within("headerDelay", time.Duration(s.HeaderDelay), 0, maxDelay),
		within("firstTokenDelay", time.Duration(s.FirstTokenDelay), 0, maxDelay),
		within("tokensPerSecond", s.TokensPerSecond, 0, maxTokensPerSecond),
		within("completionTokens", s.CompletionTokens, 1, maxCompletionTokens),
		within("text", len(s.Text), 0, 1<<20),
		within("toolCalls", s.ToolCalls, 1, 16),
		within("embeddingDimensions", s.EmbeddingDimensions, 1, MaxDimensions),
		within("writeBytes", s.WriteBytes, 0, 1<<20),
		oneOf("usageReport", s.UsageReport, UsageFaithful, UsageNever),
		oneOf("compression", s.Compression, CompressNever, CompressWhenAsked, CompressAlways),
		oneOf("unknownParameters", s.UnknownParameters, UnknownRejected, UnknownIgnored),
		validateKeys(s.Keys),
		s.Quota.validate(),
	)
}

func validateKeys(keys []Key) error {
	var errs []error
	seen := map[string]bool{}
	for i, key := range keys {
		if key.Value == "" || seen[key.Value] {
			errs = append(errs, fmt.Errorf("keys[%d].value: empty or repeated", i))
		}
		seen[key.Value] = true
		if key.Status != 0 && key.Status != 200 {
			errs = append(errs, within(fmt.Sprintf("keys[%d].status", i), key.Status, 400, 599))
		}
	}
	return errors.Join(errs...)
}

func within[T int | time.Duration](field string, value, low, high T) error {
	if value < low || value > high {
		return fmt.Errorf("%s: %v is not between %v and %v", field, value, low, high)
	}
	return nil
}

func oneOf[T ~string](field string, value T, allowed ...T) error {
	for _, a := range allowed {
		if value == a {
			return nil
		}
	}
	return fmt.Errorf("%s: %q is not one of %q", field, string(value), allowed)
}
