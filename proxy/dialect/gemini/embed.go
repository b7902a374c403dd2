package gemini

import (
	"encoding/json"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// BatchEmbed is batchEmbedContents of the Gemini API.
type BatchEmbed struct{}

// AppendEmbeddingRequest appends the request to dst. The error is a *neutral.UnsupportedError.
func (BatchEmbed) AppendEmbeddingRequest(dst []byte, r *neutral.EmbeddingRequest, to dialect.Target) ([]byte, neutral.Report, error) {
	if err := textsOnly(r); err != nil {
		return dst, neutral.Report{}, err
	}
	model := to.Model
	if !strings.Contains(model, "/") {
		model = "models/" + model
	}
	report := reportEmbedding(r)
	task := taskOf(r.InputType, &report)
	dst = append(dst, `{"requests":[`...)
	for i := range r.Inputs {
		dst = stringMember(append(comma(dst), '{'), "model", model)
		dst = append(key(dst, "content"), `{"parts":[`...)
		dst = append(appendText(dst, r.Inputs[i].Text, ""), "]}"...)
		if task != "" {
			dst = stringMember(dst, "taskType", task)
		}
		if r.Dimensions != nil {
			dst = intMember(dst, "outputDimensionality", *r.Dimensions)
		}
		dst = append(dst, '}')
	}
	return append(dst, "]}"...), report, nil
}

// batchAnswer is the body of an answer to batchEmbedContents.
type batchAnswer struct {
	Embeddings []vector        `json:"embeddings"`
	Usage      json.RawMessage `json:"usageMetadata"`
}

// vector is one vector.
type vector struct {
	Values     []float32 `json:"values"`
	Statistics struct {
		Tokens json.Number `json:"token_count"`
	} `json:"statistics"`
}

// ReadEmbeddingResponse reads an answer. The error is a *dialect.AnswerError.
func (BatchEmbed) ReadEmbeddingResponse(body []byte) (*neutral.EmbeddingResponse, error) {
	var a batchAnswer
	if err := readVectors(body, &a); err != nil {
		return nil, err
	}
	response := &neutral.EmbeddingResponse{}
	for i := range a.Embeddings {
		response.Vectors = append(response.Vectors, a.Embeddings[i].Values)
	}
	if len(a.Usage) > 0 {
		var c counts
		if _, err := c.readUsage(a.Usage, 0); err == nil {
			if usage, ok := c.usage(); ok {
				response.Usage = &usage
			}
		}
	}
	return checked(response)
}

// VertexPredict is predict of the embedding models on Vertex AI.
type VertexPredict struct{}

// AppendEmbeddingRequest appends the request to dst. The error is a *neutral.UnsupportedError.
func (VertexPredict) AppendEmbeddingRequest(dst []byte, r *neutral.EmbeddingRequest, _ dialect.Target) ([]byte, neutral.Report, error) {
	if err := textsOnly(r); err != nil {
		return dst, neutral.Report{}, err
	}
	report := reportEmbedding(r)
	task := taskOf(r.InputType, &report)
	dst = append(dst, `{"instances":[`...)
	for i := range r.Inputs {
		dst = stringMember(append(comma(dst), '{'), "content", r.Inputs[i].Text)
		if task != "" {
			dst = stringMember(dst, "task_type", task)
		}
		dst = append(dst, '}')
	}
	dst = append(dst, ']')
	if r.Dimensions != nil {
		dst = append(intMember(append(key(dst, "parameters"), '{'), "outputDimensionality", *r.Dimensions), '}')
	}
	return append(dst, '}'), report, nil
}

// predictAnswer is the body of an answer to predict.
type predictAnswer struct {
	Predictions []struct {
		Embeddings vector `json:"embeddings"`
	} `json:"predictions"`
}

// ReadEmbeddingResponse reads an answer. The error is a *dialect.AnswerError.
func (VertexPredict) ReadEmbeddingResponse(body []byte) (*neutral.EmbeddingResponse, error) {
	var a predictAnswer
	if err := readVectors(body, &a); err != nil {
		return nil, err
	}
	response := &neutral.EmbeddingResponse{}
	var c counts
	told := 0
	for i := range a.Predictions {
		embedding := &a.Predictions[i].Embeddings
		response.Vectors = append(response.Vectors, embedding.Values)
		if embedding.Statistics.Tokens != "" {
			c.prompt += c.count([]byte(embedding.Statistics.Tokens))
			told++
		}
	}
	if usage, ok := c.usage(); ok && told == len(a.Predictions) {
		response.Usage = &usage
	}
	return checked(response)
}

// textsOnly refuses tokens, which are of another vendor's tokenizer.
func textsOnly(r *neutral.EmbeddingRequest) error {
	for i := range r.Inputs {
		if r.Inputs[i].Tokens != nil {
			return &neutral.UnsupportedError{Field: "input", Reason: "Google's models take texts, not tokens of another tokenizer"}
		}
	}
	return nil
}

// reportEmbedding reports what Google does not have.
func reportEmbedding(r *neutral.EmbeddingRequest) neutral.Report {
	var report neutral.Report
	if r.User != "" {
		report.Drop("user")
	}
	for _, member := range r.Extra {
		report.Drop(member.Name)
	}
	return report
}

// taskOf is Google's word for what the vectors are for; empty for what it has no word for.
func taskOf(inputType string, report *neutral.Report) string {
	switch inputType {
	case "search_document":
		return "RETRIEVAL_DOCUMENT"
	case "search_query":
		return "RETRIEVAL_QUERY"
	case "classification":
		return "CLASSIFICATION"
	case "clustering":
		return "CLUSTERING"
	case "":
		return ""
	}
	report.Drop("input_type")
	return ""
}

// readVectors reads an answer with vectors.
func readVectors(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return &dialect.AnswerError{Err: errNotVectors}
	}
	return nil
}

// checked refuses an answer without vectors, or with an empty one.
func checked(r *neutral.EmbeddingResponse) (*neutral.EmbeddingResponse, error) {
	empty := len(r.Vectors) == 0
	for _, v := range r.Vectors {
		empty = empty || len(v) == 0
	}
	if empty {
		return nil, &dialect.AnswerError{Err: errNotVectors}
	}
	return r, nil
}
