package bedrock

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// TitanEmbed is the API of Amazon's Titan models for vectors of text, through InvokeModel. Cohere's models on Bedrock speak Cohere's own API.
type TitanEmbed struct{}

var _ dialect.EmbeddingUpstream = TitanEmbed{}

// The problems of an answer with a vector. They hold nothing of it.
var (
	errNotVector = errors.New("it is not a JSON object with a vector")
	errNoVector  = errors.New("it has no vector")
)

// AppendEmbeddingRequest appends the request to dst.
func (TitanEmbed) AppendEmbeddingRequest(dst []byte, r *neutral.EmbeddingRequest, to dialect.Target) ([]byte, neutral.Report, error) {
	var report neutral.Report
	switch {
	case len(r.Inputs) != 1:
		return dst, report, &neutral.UnsupportedError{Field: "input", Reason: "Titan models take one text a call"}
	case r.Inputs[0].Tokens != nil:
		return dst, report, &neutral.UnsupportedError{Field: "input", Reason: "Titan models take text, not tokens"}
	case r.Dimensions != nil && strings.Contains(to.Model, "embed-text-v1"):
		return dst, report, &neutral.UnsupportedError{Field: "dimensions", Reason: "this Titan model has vectors of one size only"}
	}
	dst = append(dst, `{"inputText":`...)
	dst = jsonscan.AppendQuoted(dst, r.Inputs[0].Text)
	if r.Dimensions != nil {
		dst = append(dst, `,"dimensions":`...)
		dst = strconv.AppendInt(dst, *r.Dimensions, 10)
	}
	for _, member := range to.Set {
		dst = jsonscan.AppendQuoted(append(dst, ','), member.Name)
		dst = append(append(dst, ':'), member.Value...)
	}
	if r.InputType != "" {
		report.Drop("input_type")
	}
	if r.User != "" {
		report.Drop("user")
	}
	report.DropExtra(r.Extra)
	return append(dst, '}'), report, nil
}

// ReadEmbeddingResponse reads the answer.
func (TitanEmbed) ReadEmbeddingResponse(body []byte) (*neutral.EmbeddingResponse, error) {
	var wire struct {
		Vector []float32       `json:"embedding"`
		Tokens json.RawMessage `json:"inputTextTokenCount"`
		ByType struct {
			Float []float32 `json:"float"`
		} `json:"embeddingsByType"`
	}
	if json.Unmarshal(body, &wire) != nil {
		return nil, &dialect.AnswerError{Err: errNotVector}
	}
	if len(wire.Vector) == 0 {
		wire.Vector = wire.ByType.Float
	}
	if len(wire.Vector) == 0 {
		return nil, &dialect.AnswerError{Err: errNoVector}
	}
	answer := neutral.EmbeddingResponse{Vectors: [][]float32{wire.Vector}}
	if wire.Tokens != nil {
		tokens, ok := neutral.Number(wire.Tokens).Tokens()
		answer.Usage = &meter.Usage{Prompt: tokens, Estimated: !ok}
	}
	return &answer, nil
}
