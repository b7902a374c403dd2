package openai

import (
	"math/big"
	"slices"
	"strings"

	"signalbox.dev/signalbox/proxy/table"
)

// Model is an entry of the model list, with the members that the clients of OpenAI, OpenRouter and Groq read.
type Model struct {
	// ID is what clients put in "model".
	ID string `json:"id"`
	// Object is "model".
	Object string `json:"object"`
	// Created is in seconds since 1970.
	Created int64 `json:"created"`
	// OwnedBy says who offers the model.
	OwnedBy string `json:"owned_by"`
	// Name for people.
	Name string `json:"name"`
	// Active is true; Groq lists models that are not.
	Active bool `json:"active"`

	// CanonicalSlug is the id once more.
	CanonicalSlug string `json:"canonical_slug"`
	// ContextLength and ContextWindow are the tokens that fit in, under OpenRouter's name and Groq's; 0 when that is not known, because clients of both
	// want a number.
	ContextLength int64 `json:"context_length"`
	ContextWindow int64 `json:"context_window"`
	// MaxCompletionTokens bounds an answer; nil when that is not known.
	MaxCompletionTokens *int64 `json:"max_completion_tokens"`
	// Architecture says what goes in and out.
	Architecture Architecture `json:"architecture"`
	// Pricing is nil when the price is not known.
	Pricing *Pricing `json:"pricing,omitempty"`
	// TopProvider repeats the limits.
	TopProvider TopProvider `json:"top_provider"`
	// PerRequestLimits, DefaultParameters and SupportedVoices are null.
	PerRequestLimits  *struct{} `json:"per_request_limits"`
	DefaultParameters *struct{} `json:"default_parameters"`
	SupportedVoices   *struct{} `json:"supported_voices"`
	// SupportedParameters are the request's members that can be used.
	SupportedParameters []string `json:"supported_parameters"`
	// Links lead to more.
	Links Links `json:"links"`
	// Status is "down" while nobody answers for the model, and absent otherwise. It is a member of Signalbox's own.
	Status string `json:"status,omitempty"`
}

// StatusDown is the Status of a model that is down.
const StatusDown = "down"

// Architecture says what goes into a model and what comes out.
type Architecture struct {
	// Modality is both in one word, "text+image->text".
	Modality string `json:"modality"`
	// InputModalities and OutputModalities are text, image, file, audio or video.
	InputModalities  []string `json:"input_modalities"`
	OutputModalities []string `json:"output_modalities"`
	// Tokenizer is "Other".
	Tokenizer string `json:"tokenizer"`
	// InstructType is null.
	InstructType *struct{} `json:"instruct_type"`
}

// TopProvider repeats a model's limits as OpenRouter does.
type TopProvider struct {
	// ContextLength is null when it is not known.
	ContextLength *int64 `json:"context_length"`
	// MaxCompletionTokens is null when it is not known.
	MaxCompletionTokens *int64 `json:"max_completion_tokens"`
	// IsModerated is false.
	IsModerated bool `json:"is_moderated"`
}

// Links lead to more about a model.
type Links struct {
	// Details is the path of the model's entry.
	Details string `json:"details"`
}

// Pricing is in US dollars for one token, as exact decimals.
type Pricing struct {
	// Prompt is the price of a prompt token.
	Prompt string `json:"prompt"`
	// Completion is the price of a completion token.
	Completion string `json:"completion"`
	// CacheRead is the price of a prompt token that was read from the provider's cache; empty when the price is not known.
	CacheRead string `json:"input_cache_read,omitempty"`
}

// modelList is the body of GET models.
type modelList struct {
	Object string  `json:"object"`
	Data   []Model `json:"data"`
}

// openRouterList is the same with what OpenRouter's clients need besides.
type openRouterList struct {
	modelList
	TotalCount int       `json:"total_count"`
	Links      nextLinks `json:"links"`
}

// nextLinks say that there is no next page.
type nextLinks struct {
	Next *string `json:"next"`
}

// supportedParameters are what a model is said to take while nobody knows better. Clients do not offer what is not listed, and what a provider does not know
// is told by its error.
func supportedParameters() []string {
	return []string{
		"frequency_penalty", "include_reasoning", "max_completion_tokens", "max_tokens", "parallel_tool_calls", "presence_penalty", "reasoning", "reasoning_effort",
		"response_format", "seed", "stop", "structured_outputs", "temperature", "tool_choice", "tools", "top_p",
	}
}

// NewModel returns the entry of a model. prices is nil when they are not known. What is not said here is what is true of most models; WithLimits and
// WithModalities say more.
func NewModel(id string, created int64, ownedBy string, prices *table.Prices) Model {
	model := Model{
		ID: id, Object: "model", Created: created, OwnedBy: ownedBy, Name: id, Active: true, CanonicalSlug: id,
		SupportedParameters: supportedParameters(), Links: Links{Details: "/api/v1/models/" + id},
	}
	if prices != nil {
		model.Pricing = &Pricing{Prompt: perToken(prices.Input), Completion: perToken(prices.Output), CacheRead: perToken(prices.CachedInput)}
	}
	return model.WithModalities([]string{"text", "image"}, []string{"text"})
}

// WithLimits returns the entry with the tokens that fit into the model and into an answer; 0 when they are not known.
func (m Model) WithLimits(context, output int64) Model {
	m.ContextLength, m.ContextWindow = context, context
	m.TopProvider.ContextLength, m.TopProvider.MaxCompletionTokens, m.MaxCompletionTokens = known(context), known(output), known(output)
	return m
}

func known(count int64) *int64 {
	if count <= 0 {
		return nil
	}
	return &count
}

// WithModalities returns the entry with what goes in and what comes out.
func (m Model) WithModalities(input, output []string) Model {
	m.Architecture = Architecture{
		Modality: strings.Join(input, "+") + "->" + strings.Join(output, "+"), InputModalities: input, OutputModalities: output, Tokenizer: "Other",
	}
	return m
}

// AppendModel appends the body of GET models/{id} to dst.
func AppendModel(dst []byte, model Model) []byte { return appendJSON(dst, model) }

// AppendModelList appends the body of GET models to dst.
func AppendModelList(dst []byte, models []Model) []byte {
	if models == nil {
		models = []Model{}
	}
	return appendJSON(dst, modelList{Object: "list", Data: models})
}

// AppendOpenRouterModel is AppendModel for OpenRouter's clients, which need a price: -1 is OpenRouter's own for one that is not fixed.
func AppendOpenRouterModel(dst []byte, model Model) []byte { return appendJSON(dst, priced(model)) }

// AppendOpenRouterModelList is AppendModelList for OpenRouter's clients.
func AppendOpenRouterModelList(dst []byte, models []Model) []byte {
	list := slices.Clone(models)
	for i := range list {
		list[i] = priced(list[i])
	}
	if list == nil {
		list = []Model{}
	}
	return appendJSON(dst, openRouterList{modelList: modelList{Object: "list", Data: list}, TotalCount: len(list)})
}

func priced(model Model) Model {
	if model.Pricing == nil {
		model.Pricing = &Pricing{Prompt: "-1", Completion: "-1"}
	}
	return model
}

// perToken turns nano-dollars for a million tokens into dollars for one token, which have 15 decimals.
func perToken(price int64) string {
	const decimals = 15
	text := new(big.Rat).SetFrac64(price, 1_000_000_000_000_000).FloatString(decimals)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}
