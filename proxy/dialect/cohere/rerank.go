package cohere

import (
	"encoding/json"
	"errors"
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/rerank"
)

// Rerank is the API of POST v2/rerank, as clients speak it and as Cohere does. Its requests are those of package rerank.
type Rerank struct{}

var (
	_ dialect.RerankSurface  = Rerank{}
	_ dialect.RerankUpstream = Rerank{}
	_ dialect.Demander       = Rerank{}
	_ dialect.Passer         = Rerank{}
)

// The problems of an answer with an order. They hold nothing of it.
var (
	errNotOrder = errors.New("it is not a JSON object with results")
	errNoOrder  = errors.New("it has no results")
)

// ReadHead reads the head of a request.
func (Rerank) ReadHead(body []byte) (dialect.Head, error) { return rerank.Codec{}.ReadHead(body) }

// Demand is the most that a request can use.
func (Rerank) Demand(body []byte, _ dialect.Head) dialect.Demand { return dialect.RerankDemand(body) }

// ReadRerank reads all of a request.
func (Rerank) ReadRerank(body []byte) (*neutral.RerankRequest, error) {
	return rerank.Codec{}.ReadRerank(body)
}

// AppendPassed passes a request on.
func (Rerank) AppendPassed(dst, body []byte, h dialect.Head, to dialect.Target) ([]byte, neutral.Report, error) {
	return rerank.Codec{}.AppendPassed(dst, body, h, to)
}

// wireError is the body of an error, which Cohere gives no more than a message.
type wireError struct {
	Message  string            `json:"message"`
	ID       string            `json:"id,omitempty"`
	Type     string            `json:"type,omitempty"`
	Param    string            `json:"param,omitempty"`
	Code     string            `json:"code,omitempty"`
	Metadata *dialect.Metadata `json:"metadata,omitempty"`
}

// AppendError appends the body of an error reply to dst.
func (Rerank) AppendError(dst []byte, e dialect.ErrorReply) []byte {
	text, err := json.Marshal(wireError{Message: e.Message, ID: e.RequestID, Type: e.Type, Param: e.Param, Code: e.Code, Metadata: e.Metadata})
	if err != nil { // The package's own type can always be marshalled.
		return append(dst, `{"message":""}`...)
	}
	return append(dst, text...)
}

// AppendErrorEvent appends an error as an event, although this API does not stream.
func (r Rerank) AppendErrorEvent(dst []byte, e dialect.ErrorReply) []byte {
	return append(r.AppendError(append(dst, "data: "...), e), "\n\n"...)
}

// AppendRerankRequest appends the request to dst.
func (Rerank) AppendRerankRequest(dst []byte, r *neutral.RerankRequest, to dialect.Target) ([]byte, neutral.Report, error) {
	var report neutral.Report
	o := object{dst: append(dst, '{')}
	o.address(to)
	o.member("query")
	o.quoted(r.Query)
	o.texts("documents", r.Documents)
	o.count("top_n", r.TopN)
	report.DropExtra(r.Extra)
	return append(o.dst, '}'), report, nil
}

// wireOrder is the answer.
type wireOrder struct {
	ID      string `json:"id"`
	Results []struct {
		Index *int        `json:"index"`
		Score json.Number `json:"relevance_score"`
	} `json:"results"`
	Meta *wireUsage `json:"meta"`
}

// ReadRerankResponse reads the answer.
func (Rerank) ReadRerankResponse(body []byte) (*neutral.RerankResponse, error) {
	var wire wireOrder
	if json.Unmarshal(body, &wire) != nil {
		return nil, &dialect.AnswerError{Err: errNotOrder}
	}
	if wire.Results == nil {
		return nil, &dialect.AnswerError{Err: errNoOrder}
	}
	answer := neutral.RerankResponse{ID: wire.ID, Results: make([]neutral.RerankResult, 0, len(wire.Results)), SearchUnits: wire.Meta.searchUnits(), Usage: wire.Meta.normalise()}
	for _, result := range wire.Results {
		if result.Index == nil || *result.Index < 0 || result.Score == "" {
			return nil, &dialect.AnswerError{Err: errNotOrder}
		}
		answer.Results = append(answer.Results, neutral.RerankResult{Index: *result.Index, Score: neutral.Number(result.Score)})
	}
	return &answer, nil
}

// AppendRerank appends the answer to dst.
func (Rerank) AppendRerank(dst []byte, a *neutral.RerankResponse, r *neutral.RerankRequest, o dialect.Exchange) []byte {
	out := object{dst: append(dst, '{')}
	out.member("id")
	if a.ID != "" {
		out.quoted(a.ID)
	} else {
		out.quoted(o.ID)
	}
	out.dst = rerank.AppendResults(out.dst, a, r)
	out.member("meta")
	out.raw(`{"api_version":{"version":"2"}`)
	if a.SearchUnits > 0 {
		out.raw(`,"billed_units":{"search_units":` + strconv.FormatInt(a.SearchUnits, 10) + "}")
	}
	if a.Usage != nil && a.Usage.Prompt+a.Usage.Completion > 0 {
		out.raw(`,"tokens":{"input_tokens":` + strconv.FormatInt(a.Usage.Prompt, 10) + `,"output_tokens":` + strconv.FormatInt(a.Usage.Completion, 10) + "}")
	}
	return append(out.dst, "}}"...)
}

// ReadPassed reads an answer that passes.
func (r Rerank) ReadPassed(body []byte, _ dialect.Exchange) (dialect.Answer, error) {
	read, err := r.ReadRerankResponse(body)
	if err != nil {
		return nil, err
	}
	return dialect.WithUnits(dialect.NewPassingAnswer(body, &neutral.Response{Usage: read.Usage}, nil), len(read.Results)), nil
}

// NewPassedStream returns a stream that is an error: this API does not stream.
func (Rerank) NewPassedStream(dialect.Exchange) dialect.Stream { return dialect.Unstreamed() }
