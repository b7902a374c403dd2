package openai

import (
	"encoding/json"
	"reflect"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// rerankRequest is the body of POST rerank as Jina and vLLM have it.
type rerankRequest struct {
	Model                string     `json:"model"`
	Query                string     `json:"query"`
	Documents            []document `json:"documents"`
	TopN                 *int       `json:"top_n"`
	ReturnDocuments      *bool      `json:"return_documents"`
	TruncatePromptTokens *int       `json:"truncate_prompt_tokens"`
}

// document is a text, or an object with one.
type document struct{ text string }

// UnmarshalJSON reads both forms.
func (d *document) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &d.text)
	}
	var object struct {
		Text string `json:"text"`
	}
	err := json.Unmarshal(data, &object)
	d.text = object.Text
	return err
}

// rerank answers POST rerank.
func (x *exchange) rerank() error {
	var r rerankRequest
	if refused := x.decode(fieldsOf(reflect.TypeFor[rerankRequest]()), &r); refused != nil {
		return refused
	}
	if refused := x.checkModel(); refused != nil {
		return refused
	}
	refused := core.FirstBroken(
		core.Rule{Broken: r.Query == "", Refusal: invalid("query", "missing_required_parameter", "Missing required parameter: 'query'.")},
		core.Rule{Broken: len(r.Documents) == 0, Refusal: invalid("documents", "missing_required_parameter", "Missing required parameter: 'documents'.")},
		core.Rule{Broken: core.Value(r.TopN) < 0, Refusal: invalid("top_n", "integer_below_min_value", "Invalid 'top_n': integer below minimum value.")},
	)
	if refused != nil {
		return refused
	}
	texts := make([]string, 0, len(r.Documents))
	tokens := core.CountTokens(r.Query)
	for _, d := range r.Documents {
		texts = append(texts, d.text)
		tokens += core.CountTokens(d.text)
	}
	results := []map[string]any{}
	for _, ranked := range core.Rank(r.Query, texts, core.Value(r.TopN)) {
		result := map[string]any{"index": ranked.Index, "relevance_score": ranked.Score}
		if r.ReturnDocuments == nil || *r.ReturnDocuments {
			result["document"] = map[string]string{"text": texts[ranked.Index]}
		}
		results = append(results, result)
	}
	usage := x.Count(tokens)
	out := map[string]any{"id": x.ID("rerank-"), "model": x.ResponseModel(), "results": results}
	if !x.HidesUsage() {
		out["usage"] = map[string]int64{"total_tokens": usage.PromptTokens, "prompt_tokens": usage.PromptTokens}
	}
	return x.Plain(out, 0, &usage)
}
