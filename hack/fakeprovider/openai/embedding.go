package openai

import (
	"encoding/base64"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// embedding answers POST embeddings.
func (x *exchange) embedding() error {
	var request embeddingRequest
	if refused := x.accept(&request, func() *core.Refusal { return request.check() }); refused != nil {
		return refused
	}
	inputs, refused := prompts("input", request.Input)
	if refused != nil {
		return refused
	}
	if len(inputs) > 2048 {
		return invalid("input", "array_above_max_length", "Invalid 'input': array too long. Expected an array with maximum length 2048, but got an array with length %d instead.", len(inputs))
	}
	dimensions := x.Settings.EmbeddingDimensions
	if request.Dimensions != nil {
		dimensions = *request.Dimensions
	}
	answer := embeddingAnswer{Object: "list", Model: x.ResponseModel()}
	var tokens int64
	for i, in := range inputs {
		vector := core.VectorOf(core.SeedOf(x.Model, in.text), dimensions)
		entry := embeddingVector{Object: "embedding", Index: i, Embedding: vector}
		if request.EncodingFormat == "base64" {
			entry.Embedding = base64.StdEncoding.EncodeToString(core.LittleEndian(vector))
		}
		answer.Data = append(answer.Data, entry)
		tokens += in.tokens
	}
	usage := x.Count(tokens)
	if !x.HidesUsage() {
		answer.Usage = &embeddingUsage{PromptTokens: usage.PromptTokens, TotalTokens: usage.PromptTokens}
	}
	return x.Plain(answer, 0, &usage)
}

func (e embeddingRequest) check() *core.Refusal {
	if e.EncodingFormat != "" && e.EncodingFormat != "float" && e.EncodingFormat != "base64" {
		return invalid("encoding_format", "invalid_value", "Invalid value: '%s'. Supported values are: 'float' and 'base64'.", e.EncodingFormat)
	}
	if e.Dimensions == nil {
		return nil
	}
	return integerWithin("dimensions", *e.Dimensions, 1, core.MaxDimensions)
}
