package gemini

import (
	"iter"
	"net/http"
	"slices"
	"strings"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// Routes are the endpoints of both services.
func Routes() []core.Route {
	out := []core.Route{
		{Method: http.MethodPost, Pattern: "/vertex/token", Endpoint: "token", Vendor: tokens{vertexAI}, Answer: token},
	}
	for _, version := range []string{"v1beta", "v1"} {
		out = append(out, calls(googleAI, "/gemini/"+version+"/models/{call}")...)
		out = append(out, core.Route{Method: http.MethodGet, Pattern: "/gemini/" + version + "/models", Endpoint: "models", Vendor: googleAI, Answer: models})
	}
	for _, version := range []string{"v1", "v1beta1"} {
		at := "/vertex/" + version + "/projects/{project}/locations/{location}/publishers/"
		out = append(out, calls(vertexAI, at+"google/models/{call}")...)
		out = append(out, calls(vertexClaude, at+"anthropic/models/{call}")...)
	}
	return out
}

// Fallbacks refuse, by prefix, what no route takes.
func Fallbacks() map[string]core.Vendor {
	return map[string]core.Vendor{"/gemini/": googleAI, "/vertex/": vertexAI}
}

// calls are the routes of one pattern: http.ServeMux cannot split a model from its method, so that the route is chosen here; faults match by method.
func calls(p place, pattern string) []core.Route {
	return []core.Route{
		{Method: http.MethodPost, Pattern: pattern, EndpointOf: methodOf, Vendor: p, Answer: func(x *core.Exchange) error { return call(x, p) }},
		{Method: http.MethodGet, Pattern: pattern, Endpoint: "models", Vendor: p, Answer: model},
	}
}

// methodOf is what a call does, as the name of its endpoint.
func methodOf(r *http.Request) string {
	_, method := cutMethod(r.PathValue("call"))
	return method
}

// call answers one method of a model.
func call(x *core.Exchange, p place) error {
	if p == vertexClaude {
		return claude(x)
	}
	answers := map[string]func(*core.Exchange, place) error{
		"generateContent": generateContent, "streamGenerateContent": streamGenerateContent, "countTokens": countTokens,
	}
	switch p {
	case googleAI:
		answers["embedContent"], answers["batchEmbedContents"] = embedContent, batchEmbedContents
	default:
		answers["predict"] = predict
	}
	answer, ok := answers[x.Endpoint]
	if !ok {
		return p.NotFound(x)
	}
	return answer(x, p)
}

// read checks a request and generates the answer.
func read(x *core.Exchange, p place) (writer, *core.Refusal) {
	var r request
	if refused := decode(x, &r); refused != nil {
		return writer{}, refused
	}
	if refused := checkModel(x, p); refused != nil {
		return writer{}, refused
	}
	if p == vertexAI && slices.ContainsFunc(r.Contents, func(c content) bool { return c.Role == "" }) {
		return writer{}, invalid("Please use a valid role: user, model.")
	}
	if p == googleAI && r.Labels != nil {
		return writer{}, invalid("Invalid JSON payload received. Unknown name \"labels\": Cannot find field.")
	}
	if refused := r.check(x.Model); refused != nil {
		return writer{}, refused
	}
	ask, refused := r.ask(x.Model)
	if refused != nil {
		return writer{}, refused
	}
	return writer{x, p, x.Generate(ask), r}, nil
}

func checkModel(x *core.Exchange, p place) *core.Refusal {
	if x.Serves(x.Model) {
		return nil
	}
	if p == googleAI {
		return core.Refuse(http.StatusNotFound, "", "models/%s is not found for API version v1beta, or is not supported for %s. Call ListModels to see the list of available models and their supported methods.", x.Model, x.Endpoint)
	}
	return core.Refuse(http.StatusNotFound, "", "Publisher Model `projects/%s/locations/%s/publishers/google/models/%s` was not found or your project does not have access to it. Please ensure you are using a valid model version.",
		x.R.PathValue("project"), x.R.PathValue("location"), x.Model)
}

func generateContent(x *core.Exchange, p place) error {
	w, refused := read(x, p)
	if refused != nil {
		return refused
	}
	return x.Plain(w.plain(), w.g.Tokens(), &w.g.Usage)
}

// streamGenerateContent answers with server-sent events, or with one JSON list that grows.
func streamGenerateContent(x *core.Exchange, p place) error {
	w, refused := read(x, p)
	if refused != nil {
		return refused
	}
	stream := listStream(w.events())
	if wantsEvents(x.R) {
		stream = core.EventStream(w.events())
		stream.ContentType, stream.Frame = "text/event-stream", carriageReturns
	}
	return x.Stream(stream, &w.g.Usage)
}

// carriageReturns frames events as Google does: nameless, with CRLF.
func carriageReturns(e core.Event) []byte {
	return slices.Concat([]byte("data: "), e.Data, []byte("\r\n\r\n"))
}

// listStream is a JSON list that is sent element by element.
func listStream(events iter.Seq[core.Event]) core.Stream {
	return core.Stream{
		ContentType: "application/json; charset=UTF-8", Events: events, Closing: []byte("\n]\n"),
		Frame: func(e core.Event) []byte {
			if e.First {
				return slices.Concat([]byte("["), e.Data)
			}
			return slices.Concat([]byte("\n,\r\n"), e.Data)
		},
	}
}

// countRequest is the body of countTokens: contents, or a whole request.
type countRequest struct {
	Contents               []content         `json:"contents"`
	GenerateContentRequest *request          `json:"generateContentRequest"`
	SystemInstruction      *content          `json:"systemInstruction"` // Vertex
	Tools                  []tool            `json:"tools"`             // Vertex
	GenerationConfig       *generationConfig `json:"generationConfig"`  // Vertex
	Model                  string            `json:"model"`
}

func countTokens(x *core.Exchange, p place) error {
	var r countRequest
	if refused := decode(x, &r); refused != nil {
		return refused
	}
	if refused := checkModel(x, p); refused != nil {
		return refused
	}
	whole := request{Contents: r.Contents, SystemInstruction: r.SystemInstruction}
	if p == googleAI && (r.SystemInstruction != nil || r.Tools != nil || r.GenerationConfig != nil) {
		return invalid("Invalid JSON payload received. Unknown name \"systemInstruction\": Cannot find field.")
	}
	if r.GenerateContentRequest != nil {
		whole = *r.GenerateContentRequest
	}
	if refused := whole.check(x.Model); refused != nil {
		return refused
	}
	prompt, refused := whole.prompt()
	if refused != nil {
		return refused
	}
	usage := x.Count(prompt.Tokens())
	return x.Plain(map[string]any{"totalTokens": usage.PromptTokens, "promptTokensDetails": []modalityCount{{"TEXT", usage.PromptTokens}}}, 0, nil)
}

type modelObject struct {
	Name                       string   `json:"name"`
	Version                    string   `json:"version"`
	DisplayName                string   `json:"displayName"`
	InputTokenLimit            int      `json:"inputTokenLimit"`
	OutputTokenLimit           int      `json:"outputTokenLimit"`
	SupportedGenerationMethods []string `json:"supportedGenerationMethods"`
}

func modelNamed(id string) modelObject {
	methods := []string{"generateContent", "countTokens"}
	if strings.Contains(id, "embedding") {
		methods = []string{"embedContent", "countTextTokens"}
	}
	return modelObject{"models/" + id, "001", "Fake " + id, 1048576, 65536, methods}
}

func models(x *core.Exchange) error {
	out := []modelObject{}
	for _, id := range x.Listed() {
		out = append(out, modelNamed(id))
	}
	return x.Plain(map[string]any{"models": out}, 0, nil)
}

func model(x *core.Exchange) error {
	id := x.R.PathValue("call")
	if !x.Serves(id) {
		return core.Refuse(http.StatusNotFound, "", "Model is not found: models/%s", id)
	}
	return x.Plain(modelNamed(id), 0, nil)
}

// embedRequest is one content to embed.
type embedRequest struct {
	Model                string   `json:"model"`
	Content              *content `json:"content"`
	TaskType             string   `json:"taskType"`
	Title                string   `json:"title"`
	OutputDimensionality *int     `json:"outputDimensionality"`
}

type embedding struct {
	Values []float32 `json:"values"`
}

// embed makes the vector of one content.
func (r embedRequest) embed(x *core.Exchange) (embedding, int64, *core.Refusal) {
	if r.Content == nil || len(r.Content.Parts) == 0 {
		return embedding{}, 0, invalid("* EmbedContentRequest.content: contents is not specified\n")
	}
	dimensions := x.Settings.EmbeddingDimensions
	if given := r.OutputDimensionality; given != nil {
		if *given < 1 || *given > core.MaxDimensions {
			return embedding{}, 0, invalid("* EmbedContentRequest.output_dimensionality: out of range\n")
		}
		dimensions = *given
	}
	var prompt core.Prompt
	if refused := addParts(&prompt, r.Content.Parts, "content"); refused != nil {
		return embedding{}, 0, refused
	}
	return embedding{core.VectorOf(core.SeedOf(x.Model, prompt.Text()), dimensions)}, core.CountTokens(prompt.Text()), nil
}

func embedContent(x *core.Exchange, p place) error {
	var r embedRequest
	if refused := decode(x, &r); refused != nil {
		return refused
	}
	if refused := checkModel(x, p); refused != nil {
		return refused
	}
	vector, tokens, refused := r.embed(x)
	if refused != nil {
		return refused
	}
	usage := x.Count(tokens)
	return x.Plain(map[string]any{"embedding": vector}, 0, &usage)
}

func batchEmbedContents(x *core.Exchange, p place) error {
	var batch struct {
		Requests []embedRequest `json:"requests"`
	}
	if refused := decode(x, &batch); refused != nil {
		return refused
	}
	if refused := checkModel(x, p); refused != nil {
		return refused
	}
	if len(batch.Requests) == 0 || len(batch.Requests) > 100 {
		return invalid("* BatchEmbedContentsRequest.requests: at least one and at most 100 requests can be in one batch\n")
	}
	vectors := []embedding{}
	var total int64
	for i, r := range batch.Requests {
		if r.Model != "models/"+x.Model {
			return invalid("* BatchEmbedContentsRequest.requests[%d].model: unexpected model name format\n", i)
		}
		vector, tokens, refused := r.embed(x)
		if refused != nil {
			return refused
		}
		vectors, total = append(vectors, vector), total+tokens
	}
	usage := x.Count(total)
	return x.Plain(map[string]any{"embeddings": vectors}, 0, &usage)
}

// predict is how Vertex embeds.
func predict(x *core.Exchange, p place) error {
	var r struct {
		Instances []struct {
			Content  string `json:"content"`
			TaskType string `json:"task_type"`
			Title    string `json:"title"`
		} `json:"instances"`
		Parameters struct {
			AutoTruncate         *bool `json:"autoTruncate"`
			OutputDimensionality *int  `json:"outputDimensionality"`
		} `json:"parameters"`
	}
	if refused := decodeAsIs(x, &r); refused != nil {
		return refused
	}
	if refused := checkModel(x, p); refused != nil {
		return refused
	}
	if len(r.Instances) == 0 || len(r.Instances) > 250 {
		return invalid("%d instance(s) is allowed per prediction. Actual: %d", 250, len(r.Instances))
	}
	type statistics struct {
		Truncated  bool  `json:"truncated"`
		TokenCount int64 `json:"token_count"`
	}
	type vector struct {
		Values     []float32  `json:"values"`
		Statistics statistics `json:"statistics"`
	}
	predictions := []map[string]vector{}
	var total int64
	for i, instance := range r.Instances {
		if instance.Content == "" {
			return invalid("The text content is empty at instance %d.", i)
		}
		text := instance.Content
		one := embedRequest{Content: &content{Parts: []part{{Text: &text}}}, OutputDimensionality: r.Parameters.OutputDimensionality}
		made, tokens, refused := one.embed(x)
		if refused != nil {
			return refused
		}
		predictions = append(predictions, map[string]vector{"embeddings": {made.Values, statistics{false, tokens}}})
		total += tokens
	}
	usage := x.Count(total)
	return x.Plain(map[string]any{"predictions": predictions, "metadata": map[string]int64{"billableCharacterCount": 4 * total}}, 0, &usage)
}

// decodeAsIs reads a body whose names are not Google's own.
func decodeAsIs(x *core.Exchange, out any) *core.Refusal {
	unknown, err := core.Decode(x, out)
	switch {
	case err != nil:
		return invalid("Invalid JSON payload received.")
	case unknown != "":
		return invalid("Invalid JSON payload received. Unknown name \"%s\": Cannot find field.", unknown)
	}
	return nil
}

// claudeVersion is the anthropic_version of Claude on Vertex.
const claudeVersion = "vertex-2023-10-16"

// countModel is the model that counts tokens for the others.
const countModel = "count-tokens"
