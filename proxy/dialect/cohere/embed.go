package cohere

import (
	"encoding/json"
	"errors"
	"fmt"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// maxTexts is how many texts Cohere embeds in one call.
const maxTexts = 96

// Embed is the API of POST v2/embed, and of Cohere's models behind InvokeModel of AWS Bedrock.
type Embed struct{}

var _ dialect.EmbeddingUpstream = Embed{}

// The problems of an answer with vectors. They hold nothing of it.
var (
	errNotVectors = errors.New("it is not a JSON object with vectors")
	errNoVectors  = errors.New("it has no vectors of floats")
)

// AppendEmbeddingRequest appends the request to dst.
func (Embed) AppendEmbeddingRequest(dst []byte, r *neutral.EmbeddingRequest, to dialect.Target) ([]byte, neutral.Report, error) {
	var report neutral.Report
	if len(r.Inputs) > maxTexts {
		return dst, report, &neutral.UnsupportedError{Field: "input", Reason: fmt.Sprintf("Cohere takes at most %d texts a call", maxTexts)}
	}
	texts := make([]string, len(r.Inputs))
	for i := range r.Inputs {
		if r.Inputs[i].Tokens != nil {
			return dst, report, &neutral.UnsupportedError{Field: fmt.Sprintf("input[%d]", i), Reason: "Cohere takes texts, not tokens"}
		}
		texts[i] = r.Inputs[i].Text
	}
	o := object{dst: append(dst, '{')}
	o.address(to)
	o.texts("texts", texts)
	inputType := r.InputType
	if inputType == "" {
		inputType = "search_document"
	}
	o.member("input_type")
	o.quoted(inputType)
	o.texts("embedding_types", []string{"float"})
	o.count("output_dimension", r.Dimensions)
	if r.User != "" {
		report.Drop("user")
	}
	report.DropExtra(r.Extra)
	return append(o.dst, '}'), report, nil
}

// wireVectors is the answer. Embeddings are a list of vectors, or an object with lists by their type.
type wireVectors struct {
	Embeddings json.RawMessage `json:"embeddings"`
	Meta       *wireUsage      `json:"meta"`
}

// ReadEmbeddingResponse reads the answer.
func (Embed) ReadEmbeddingResponse(body []byte) (*neutral.EmbeddingResponse, error) {
	var wire wireVectors
	if json.Unmarshal(body, &wire) != nil {
		return nil, &dialect.AnswerError{Err: errNotVectors}
	}
	var vectors struct {
		Float [][]float32 `json:"float"`
	}
	var err error
	if len(wire.Embeddings) > 0 && wire.Embeddings[0] == '[' {
		err = json.Unmarshal(wire.Embeddings, &vectors.Float)
	} else if len(wire.Embeddings) > 0 {
		err = json.Unmarshal(wire.Embeddings, &vectors)
	}
	if err != nil {
		return nil, &dialect.AnswerError{Err: errNotVectors}
	}
	if len(vectors.Float) == 0 {
		return nil, &dialect.AnswerError{Err: errNoVectors}
	}
	return &neutral.EmbeddingResponse{Vectors: vectors.Float, Usage: wire.Meta.normalise()}, nil
}
