package openai

import (
	"math/big"
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
	// Pricing is nil when the price is not known.
	Pricing *Pricing `json:"pricing,omitempty"`
}

// Pricing is in US dollars for one token, as exact decimals.
type Pricing struct {
	// Prompt is the price of a prompt token.
	Prompt string `json:"prompt"`
	// Completion is the price of a completion token.
	Completion string `json:"completion"`
	// CacheRead is the price of a prompt token that was read from the provider's cache.
	CacheRead string `json:"input_cache_read"`
}

// modelList is the body of GET models.
type modelList struct {
	Object string  `json:"object"`
	Data   []Model `json:"data"`
}

// NewModel returns the entry of a model. prices is nil when they are not known.
func NewModel(id string, created int64, ownedBy string, prices *table.Prices) Model {
	model := Model{ID: id, Object: "model", Created: created, OwnedBy: ownedBy, Name: id}
	if prices != nil {
		model.Pricing = &Pricing{Prompt: perToken(prices.Input), Completion: perToken(prices.Output), CacheRead: perToken(prices.CachedInput)}
	}
	return model
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

// perToken turns nano-dollars for a million tokens into dollars for one token, which have 15 decimals.
func perToken(price int64) string {
	const decimals = 15
	text := new(big.Rat).SetFrac64(price, 1_000_000_000_000_000).FloatString(decimals)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}
