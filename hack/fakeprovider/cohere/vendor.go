// Package cohere imitates Cohere's second version: chat, embed and rerank.
package cohere

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// prefix of all paths.
const prefix = "/cohere/"

// vendor is Cohere.
type vendor struct{}

// Routes are the endpoints.
func Routes() []core.Route {
	v := vendor{}
	return []core.Route{
		{Method: http.MethodPost, Pattern: prefix + "v2/chat", Endpoint: "chat", Vendor: v, Answer: chat},
		{Method: http.MethodPost, Pattern: prefix + "v2/embed", Endpoint: "embed", Vendor: v, Answer: embed},
		{Method: http.MethodPost, Pattern: prefix + "v2/rerank", Endpoint: "rerank", Vendor: v, Answer: rerank},
		{Method: http.MethodGet, Pattern: prefix + "v1/models", Endpoint: "models", Vendor: v, Answer: models},
		{Method: http.MethodGet, Pattern: prefix + "v1/models/{id}", Endpoint: "models", Vendor: v, Answer: model},
		{Method: http.MethodPost, Pattern: prefix + "v1/check-api-key", Endpoint: "check-api-key", Vendor: v, Answer: checkKey},
	}
}

// Fallbacks refuse, by prefix, what no route takes.
func Fallbacks() map[string]core.Vendor { return map[string]core.Vendor{prefix: vendor{}} }

// Head reads model, stream and key.
func (vendor) Head(r *http.Request, body []byte) core.Head {
	var head struct {
		Model  string `json:"model"`
		Stream bool   `json:"stream"`
	}
	_ = json.Unmarshal(body, &head) // what a broken body does not yield stays empty
	return core.Head{Model: head.Model, Stream: head.Stream, Key: core.Bearer(r.Header)}
}

// Authenticate wants a key.
func (vendor) Authenticate(x *core.Exchange) *core.Refusal {
	if x.Key == "" {
		return core.Refuse(http.StatusUnauthorized, "", "no api key supplied")
	}
	return x.CheckKey(core.Refuse(http.StatusUnauthorized, "", "invalid api token"))
}

// Headers sets the request's id, and the limit of calls.
func (vendor) Headers(x *core.Exchange, h http.Header) {
	h.Set("X-Debug-Trace-Id", x.RequestID)
	if limit := x.RateLimit(); limit != nil && x.Endpoint != "models" {
		h.Set("X-Trial-Endpoint-Call-Limit", strconv.FormatInt(limit.LimitRequests, 10))
		h.Set("X-Trial-Endpoint-Call-Remaining", strconv.FormatInt(limit.RemainingRequests, 10))
	}
}

// UsualError is what Cohere says with a status.
func (vendor) UsualError(status int) core.APIError {
	messages := map[int]string{
		http.StatusUnauthorized:       "invalid api token",
		http.StatusForbidden:          "You do not have permission to use this resource.",
		http.StatusTooManyRequests:    "You are past the per minute request limit, please wait and try again later.",
		http.StatusServiceUnavailable: "service unavailable",
	}
	message, known := messages[status]
	if !known {
		message = strings.ToLower(http.StatusText(status))
	}
	return core.APIError{Message: message}
}

// ErrorBody is the message.
func (vendor) ErrorBody(x *core.Exchange, refused *core.Refusal, _ http.Header) []byte {
	return core.Encode(map[string]string{"id": writer{x: x}.id(), "message": refused.Body.Message})
}

// ErrorEvent ends a stream.
func (vendor) ErrorEvent(_ *core.Exchange, refused *core.Refusal) core.Event {
	return core.Event{Name: "message-end", Data: core.Encode(map[string]any{
		"type": "message-end", "delta": map[string]string{"error": refused.Body.Message, "finish_reason": "ERROR"},
	})}
}

// NotFound refuses an unknown path.
func (vendor) NotFound(x *core.Exchange) *core.Refusal {
	return core.Refuse(http.StatusNotFound, "", "the path '%s' was not found", x.R.URL.Path)
}

// WrongMethod refuses a method that the path does not take.
func (vendor) WrongMethod(x *core.Exchange) *core.Refusal {
	return core.Refuse(http.StatusMethodNotAllowed, "", "the method '%s' is not allowed", x.R.Method)
}

func checkModel(x *core.Exchange) *core.Refusal {
	switch {
	case x.Model == "":
		return invalid("model is required.")
	case x.Withdrawn(x.Model):
		return core.Refuse(http.StatusNotFound, "", "model '%s' was removed on September 15, 2025. See https://docs.cohere.com/docs/models#command for a list of models you can use instead.", x.Model)
	case !x.Serves(x.Model):
		return core.Refuse(http.StatusNotFound, "", "model '%s' not found, make sure the correct model ID was used and that you have access to the model.", x.Model)
	}
	return nil
}

func chat(x *core.Exchange) error {
	var r chatRequest
	if refused := decode(x, &r); refused != nil {
		return refused
	}
	if refused := checkModel(x); refused != nil {
		return refused
	}
	if refused := r.check(); refused != nil {
		return refused
	}
	ask, refused := r.ask(x.Model)
	if refused != nil {
		return refused
	}
	g := x.Generate(ask)
	w := writer{x, g.Usage, g.Choices[0], r.Logprobs}
	if !r.Stream {
		return x.Plain(w.plain(), g.Tokens(), &g.Usage)
	}
	stream := core.EventStream(w.events())
	stream.ContentType, stream.Closing = "text/event-stream", []byte("data: [DONE]\n\n")
	return x.Stream(stream, &g.Usage)
}

// embedRequest is the body of POST v2/embed.
type embedRequest struct {
	Model     string   `json:"model"`
	InputType string   `json:"input_type"`
	Texts     []string `json:"texts"`
	Images    []string `json:"images"`
	Inputs    []struct {
		Content []part `json:"content"`
	} `json:"inputs"`
	MaxTokens       *int     `json:"max_tokens"`
	OutputDimension *int     `json:"output_dimension"`
	EmbeddingTypes  []string `json:"embedding_types"`
	Truncate        string   `json:"truncate"`
	Priority        *int     `json:"priority"`
}

// inputs are the texts of what is to be embedded.
func (r embedRequest) inputs() ([]string, *core.Refusal) {
	out := slices.Clone(r.Texts)
	for i, url := range r.Images {
		var p core.Prompt
		if refused := AddImage(&p, url, "images["+strconv.Itoa(i)+"]"); refused != nil {
			return nil, refused
		}
		out = append(out, p.Text())
	}
	for i, input := range r.Inputs {
		var p core.Prompt
		for _, one := range input.Content {
			if refused := one.add(&p, "user", "inputs["+strconv.Itoa(i)+"]"); refused != nil {
				return nil, refused
			}
		}
		out = append(out, p.Text())
	}
	return out, nil
}

func (r embedRequest) check() *core.Refusal {
	types := []string{"search_document", "search_query", "classification", "clustering", "image"}
	given := 0
	for _, n := range []int{len(r.Texts), len(r.Images), len(r.Inputs)} {
		given += min(n, 1)
	}
	unknown := slices.ContainsFunc(r.EmbeddingTypes, func(t string) bool { return core.NoneOf(t, "float", "base64", "int8") })
	return core.FirstBroken(
		core.Rule{Broken: core.NoneOf(r.InputType, types...), Refusal: invalid("valid input_type must be provided with the provided model. Valid input types are %v.", types)},
		core.Rule{Broken: given != 1, Refusal: invalid("exactly one of texts, images or inputs must be provided.")},
		core.Rule{Broken: max(len(r.Texts), len(r.Inputs)) > 96, Refusal: invalid("total number of texts must be at most 96.")},
		core.Rule{Broken: len(r.Images) > 1, Refusal: invalid("total number of images must be at most 1.")},
		core.Rule{Broken: core.NoneOf(r.Truncate, "", "NONE", "START", "END"), Refusal: invalid("truncate must be one of NONE, START or END.")},
		core.Rule{Broken: r.OutputDimension != nil && !slices.Contains([]int{256, 512, 1024, 1536}, *r.OutputDimension), Refusal: invalid("output_dimension must be one of 256, 512, 1024, 1536.")},
		core.Rule{Broken: unknown, Refusal: invalid("embedding_types: only 'float', 'int8' and 'base64' are imitated.")},
	)
}

func embed(x *core.Exchange) error {
	var r embedRequest
	if refused := decode(x, &r); refused != nil {
		return refused
	}
	if refused := checkModel(x); refused != nil {
		return refused
	}
	if refused := r.check(); refused != nil {
		return refused
	}
	inputs, refused := r.inputs()
	if refused != nil {
		return refused
	}
	dimensions := x.Settings.EmbeddingDimensions
	if r.OutputDimension != nil {
		dimensions = *r.OutputDimension
	}
	embeddings, tokens := Embeddings(x.Model, inputs, r.EmbeddingTypes, dimensions)
	usage := x.Count(tokens)
	return x.Plain(map[string]any{
		"id": writer{x: x}.id(), "embeddings": embeddings, "texts": append([]string{}, r.Texts...), "response_type": "embeddings_by_type",
		"meta": map[string]any{"api_version": map[string]any{"version": "2"}, "billed_units": map[string]int64{"input_tokens": usage.PromptTokens}},
	}, 0, &usage)
}

// Embeddings are the vectors of texts in each of the forms wanted, in floats if none is, and the texts' price in tokens.
func Embeddings(model string, texts, forms []string, dimensions int) (map[string][]any, int64) {
	if len(forms) == 0 {
		forms = []string{"float"}
	}
	out := map[string][]any{}
	var tokens int64
	for _, text := range texts {
		vector := core.VectorOf(core.SeedOf(model, text), dimensions)
		tokens += core.CountTokens(text)
		for _, form := range forms {
			out[form] = append(out[form], inForm(vector, form))
		}
	}
	return out, tokens
}

// inForm is a vector in one of the forms.
func inForm(vector []float32, form string) any {
	switch form {
	case "base64":
		return core.LittleEndian(vector) // encoding/json writes bytes in base64
	case "int8":
		out := make([]int, 0, len(vector))
		for _, v := range vector {
			out = append(out, int(v*127))
		}
		return out
	}
	return vector
}

// rerankRequest is the body of POST v2/rerank.
type rerankRequest struct {
	Model           string   `json:"model"`
	Query           string   `json:"query"`
	Documents       []string `json:"documents"`
	TopN            *int     `json:"top_n"`
	MaxTokensPerDoc *int     `json:"max_tokens_per_doc"`
	Priority        *int     `json:"priority"`
}

func rerank(x *core.Exchange) error {
	var r rerankRequest
	if refused := decode(x, &r); refused != nil {
		return refused
	}
	if refused := checkModel(x); refused != nil {
		return refused
	}
	switch {
	case r.Query == "":
		return invalid("query must not be empty.")
	case len(r.Documents) == 0:
		return invalid("list of documents must not be empty")
	case r.TopN != nil && *r.TopN < 1:
		return invalid("top_n must be at least 1.")
	}
	top := 0
	if r.TopN != nil {
		top = *r.TopN
	}
	type result struct {
		Index          int     `json:"index"`
		RelevanceScore float64 `json:"relevance_score"`
	}
	results := []result{}
	for _, ranked := range core.Rank(r.Query, r.Documents, top) {
		results = append(results, result{ranked.Index, ranked.Score})
	}
	units := int64(len(r.Documents)+99) / 100
	return x.Plain(map[string]any{
		"id": writer{x: x}.id(), "results": results,
		"meta": map[string]any{"api_version": map[string]any{"version": "2", "is_experimental": false}, "billed_units": map[string]int64{"search_units": units}},
	}, 0, nil)
}

type modelObject struct {
	Name             string   `json:"name"`
	Endpoints        []string `json:"endpoints"`
	Finetuned        bool     `json:"finetuned"`
	ContextLength    int      `json:"context_length"`
	DefaultEndpoints []string `json:"default_endpoints"`
}

func modelNamed(id string) modelObject {
	endpoints := []string{"chat"}
	for _, word := range []string{"embed", "rerank"} {
		if strings.Contains(id, word) {
			endpoints = []string{word}
		}
	}
	return modelObject{id, endpoints, false, 128000, []string{}}
}

func models(x *core.Exchange) error {
	out := []modelObject{}
	for _, id := range x.Listed() {
		out = append(out, modelNamed(id))
	}
	return x.Plain(map[string]any{"models": out}, 0, nil)
}

func model(x *core.Exchange) error {
	id := x.R.PathValue("id")
	if !x.Serves(id) {
		return core.Refuse(http.StatusNotFound, "", "model '%s' not found, make sure the correct model ID was used and that you have access to the model.", id)
	}
	return x.Plain(modelNamed(id), 0, nil)
}

// checkKey tells that the key is good, which was checked before.
func checkKey(x *core.Exchange) error {
	return x.Plain(map[string]any{"valid": true, "organization_id": "fake", "owner_id": "fake"}, 0, nil)
}
