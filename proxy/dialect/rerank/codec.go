package rerank

import (
	"encoding/json"
	"errors"
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// Codec is the API as clients speak it and as providers do.
type Codec struct{}

var (
	_ dialect.RerankSurface  = Codec{}
	_ dialect.RerankUpstream = Codec{}
	_ dialect.Demander       = Codec{}
	_ dialect.Passer         = Codec{}
)

// The problems of an answer. They hold nothing of it.
var (
	errNotOrder = errors.New("it is not a JSON object with results")
	errNoOrder  = errors.New("it has no results")
)

// AppendRerankRequest appends the request to dst.
func (Codec) AppendRerankRequest(dst []byte, r *neutral.RerankRequest, to dialect.Target) ([]byte, neutral.Report, error) {
	var report neutral.Report
	dst = append(dst, '{')
	if !to.ModelInPath {
		dst = jsonscan.AppendQuoted(append(dst, `"model":`...), to.Model)
		dst = append(dst, ',')
	}
	dst = jsonscan.AppendQuoted(append(dst, `"query":`...), r.Query)
	dst = append(dst, `,"documents":[`...)
	for i, document := range r.Documents {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsonscan.AppendQuoted(dst, document)
	}
	dst = append(dst, ']')
	if r.TopN != nil {
		dst = strconv.AppendInt(append(dst, `,"top_n":`...), *r.TopN, 10)
	}
	for _, member := range to.Set {
		dst = append(jsonscan.AppendQuoted(append(dst, ','), member.Name), ':')
		dst = append(dst, member.Value...)
	}
	report.DropExtra(r.Extra)
	return append(dst, '}'), report, nil
}

// wireOrder is the answer.
type wireOrder struct {
	ID      string          `json:"id"`
	Model   string          `json:"model"`
	Results []wireResult    `json:"results"`
	Usage   *wireUsage      `json:"usage"`
	Error   json.RawMessage `json:"error"`
}

// wireResult is one document's place. Some servers call the score just so.
type wireResult struct {
	Index     *int        `json:"index"`
	Relevance json.Number `json:"relevance_score"`
	Score     json.Number `json:"score"`
}

// wireUsage are the tokens. Servers tell all of them, or those of the prompt, or both.
type wireUsage struct {
	Prompt      json.RawMessage `json:"prompt_tokens"`
	Total       json.RawMessage `json:"total_tokens"`
	SearchUnits json.RawMessage `json:"search_units"`
	Cost        json.RawMessage `json:"cost"`
}

// normalise returns the usage; nil when nothing was told that is paid. All tokens are those of the prompt, for there is no other text.
func (u *wireUsage) normalise() *meter.Usage {
	if u == nil || u.Prompt == nil && u.Total == nil && u.SearchUnits == nil {
		return nil
	}
	believable := true
	count := func(raw json.RawMessage) int64 {
		n, ok := neutral.Number(raw).Tokens()
		believable = believable && ok
		return n
	}
	usage := meter.Usage{Prompt: max(count(u.Prompt), count(u.Total)), SearchUnits: count(u.SearchUnits)}
	if nano, ok := meter.ReadReported(u.Cost); ok && len(u.Cost) > 0 {
		usage.ReportedCost = &nano
	}
	usage.Estimated = !believable
	return &usage
}

// ReadRerankResponse reads the answer.
func (Codec) ReadRerankResponse(body []byte) (*neutral.RerankResponse, error) {
	wire, err := readOrder(body)
	if err != nil {
		return nil, err
	}
	if wire.Results == nil {
		return nil, &dialect.AnswerError{Err: errNoOrder}
	}
	answer := neutral.RerankResponse{ID: wire.ID, Model: wire.Model, Results: make([]neutral.RerankResult, 0, len(wire.Results)), Usage: wire.Usage.normalise()}
	if wire.Usage != nil {
		answer.SearchUnits, _ = neutral.Number(wire.Usage.SearchUnits).Tokens()
	}
	for _, result := range wire.Results {
		score := result.Relevance
		if score == "" {
			score = result.Score
		}
		if result.Index == nil || *result.Index < 0 || score == "" {
			return nil, &dialect.AnswerError{Err: errNotOrder}
		}
		answer.Results = append(answer.Results, neutral.RerankResult{Index: *result.Index, Score: neutral.Number(score)})
	}
	return &answer, nil
}

func readOrder(body []byte) (wireOrder, error) {
	var wire wireOrder
	if json.Unmarshal(body, &wire) != nil {
		return wireOrder{}, &dialect.AnswerError{Err: errNotOrder}
	}
	return wire, nil
}

// AppendRerank appends the answer to dst.
func (Codec) AppendRerank(dst []byte, a *neutral.RerankResponse, r *neutral.RerankRequest, o dialect.Exchange) []byte {
	id, model := a.ID, a.Model
	if id == "" {
		id = o.ID
	}
	if model == "" {
		model = o.Model
	}
	dst = jsonscan.AppendQuoted(append(dst, `{"id":`...), id)
	dst = jsonscan.AppendQuoted(append(dst, `,"model":`...), model)
	if o.Flavor == dialect.OpenRouterFlavor && o.Provider != "" {
		dst = jsonscan.AppendQuoted(append(dst, `,"provider":`...), o.Provider)
	}
	dst = AppendResults(dst, a, r)
	dst = append(dst, `,"usage":{`...)
	used := meter.Usage{}
	if a.Usage != nil {
		used = *a.Usage
	}
	dst = strconv.AppendInt(append(dst, `"prompt_tokens":`...), used.Prompt, 10)
	dst = strconv.AppendInt(append(dst, `,"total_tokens":`...), used.Prompt+used.Completion, 10)
	if a.SearchUnits > 0 {
		dst = strconv.AppendInt(append(dst, `,"search_units":`...), a.SearchUnits, 10)
	}
	return append(dst, "}}"...)
}

// AppendResults appends the member "results" behind other members: no more of them than r asks for, and with their documents where it asks for these. r may
// be nil.
func AppendResults(dst []byte, a *neutral.RerankResponse, r *neutral.RerankRequest) []byte {
	results := a.Results
	if r != nil && r.TopN != nil {
		results = results[:min(int64(len(results)), max(*r.TopN, 0))]
	}
	dst = append(dst, `,"results":[`...)
	for i, result := range results {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(append(dst, `{"index":`...), int64(result.Index), 10)
		dst = append(append(dst, `,"relevance_score":`...), result.Score...)
		if r != nil && r.ReturnDocuments && result.Index < len(r.Documents) {
			dst = jsonscan.AppendQuoted(append(dst, `,"document":{"text":`...), r.Documents[result.Index])
			dst = append(dst, '}')
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// ReadPassed reads an answer that passes. It needs no more of it than the usage.
func (Codec) ReadPassed(body []byte, _ dialect.Exchange) (dialect.Answer, error) {
	wire, err := readOrder(body)
	if err != nil {
		return nil, err
	}
	read := neutral.Response{Usage: wire.Usage.normalise()}
	if wire.Results == nil {
		if len(wire.Error) == 0 || string(wire.Error) == "null" {
			return nil, &dialect.AnswerError{Err: errNoOrder}
		}
		failure := dialect.ParseError(body)
		read.Err = &failure
	}
	return dialect.WithUnits(dialect.NewPassingAnswer(body, &read, nil), len(wire.Results)), nil
}

// NewPassedStream returns a stream that is an error: this API does not stream.
func (Codec) NewPassedStream(dialect.Exchange) dialect.Stream { return dialect.Unstreamed() }
