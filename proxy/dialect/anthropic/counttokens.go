package anthropic

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// CountTokens is POST messages/count_tokens, which costs nothing.
type CountTokens struct{ surface }

var (
	_ dialect.Surface  = CountTokens{}
	_ dialect.Demander = CountTokens{}
	_ dialect.Passer   = CountTokens{}
)

// ReadHead checks that body is one JSON object and reads its head. The error is a *dialect.RequestError.
func (CountTokens) ReadHead(body []byte) (dialect.Head, error) {
	head, err := readHead(body)
	if err == nil && head.Stream {
		return dialect.Head{}, &dialect.RequestError{Code: dialect.CodeUnsupportedParameter, Param: "stream", Message: "a count of tokens cannot be streamed"}
	}
	head.MaxTokens = 0
	return head, err
}

// AppendPassed appends the request to dst with the necessary edits for the target.
func (CountTokens) AppendPassed(dst, body []byte, h dialect.Head, to dialect.Target) ([]byte, neutral.Report, error) {
	return appendPassed(dst, body, h, to)
}

// ReadPassed reads an upstream's answer. The error is an *dialect.AnswerError.
func (CountTokens) ReadPassed(body []byte, _ dialect.Exchange) (dialect.Answer, error) {
	var wire struct {
		InputTokens *int64          `json:"input_tokens"`
		Error       json.RawMessage `json:"error"`
	}
	switch {
	case !utf8.Valid(body):
		return nil, &dialect.AnswerError{Err: errNotUTF8}
	case json.Unmarshal(body, &wire) != nil:
		return nil, &dialect.AnswerError{Err: errNotJSON}
	case isObject(wire.Error):
		failure := dialect.ParseError(body)
		failure.Status = errorStatus(failure.Type)
		return countAnswer{body: body, failure: &failure}, nil
	case wire.InputTokens == nil:
		return nil, &dialect.AnswerError{Err: errNoContent}
	}
	return countAnswer{body: body}, nil
}

// NewPassedStream goes over a stream, which this API does not have.
func (CountTokens) NewPassedStream(o dialect.Exchange) dialect.Stream {
	return Messages{}.NewPassedStream(o)
}

// countAnswer is a count of tokens.
type countAnswer struct {
	body    []byte
	failure *neutral.Error
}

// Failure is the error inside the answer.
func (a countAnswer) Failure() *neutral.Error { return a.failure }

// Reported is no usage at all: counting is free.
func (countAnswer) Reported() (meter.Usage, bool) { return meter.Usage{}, true }

// Settle returns no usage at all.
func (countAnswer) Settle(int64) meter.Usage { return meter.Usage{} }

// Body is what the client gets.
func (a countAnswer) Body(meter.Usage) []byte { return a.body }

// AppendTokenCount appends the body of a count to dst.
func AppendTokenCount(dst []byte, tokens int64) []byte {
	return append(strconv.AppendInt(append(dst, `{"input_tokens":`...), tokens, 10), '}')
}

const (
	// bytesPerToken is what common tokenizers make one token of, in English; it is more in most languages.
	bytesPerToken = 3
	// imageTokens is what Claude counts for an image of the largest size that is not scaled down.
	imageTokens = 1600
	// messageTokens is what the frame of a message takes, and toolTokens that of a tool.
	messageTokens, toolTokens = 4, 12
	// bytesPerPage and pageTokens are what a page of a PDF has in base64, and what is counted for it as text and image.
	bytesPerPage, pageTokens = 64 << 10, 2500
)

// EstimateTokens is how many tokens a request has about, for targets that cannot count. It tends to be too high.
func EstimateTokens(body []byte) int64 {
	head, err := CountTokens{}.ReadHead(body)
	if err != nil {
		return tokensOf(len(body))
	}
	r, err := Messages{}.ReadRequest(body, head)
	if err != nil {
		return tokensOf(len(body))
	}
	var e estimate
	for i := range r.Messages {
		e.tokens += messageTokens
		e.parts(r.Messages[i].Parts)
	}
	for i := range r.Tools {
		e.tokens += toolTokens
		e.bytes += len(r.Tools[i].Name) + len(r.Tools[i].Description) + len(r.Tools[i].Parameters) + len(r.Tools[i].Raw)
	}
	e.bytes += len(r.Format.Schema)
	return min(e.tokens+tokensOf(e.bytes), meter.MaxTokens)
}

func tokensOf(bytes int) int64 { return int64(bytes+bytesPerToken-1) / bytesPerToken }

// estimate adds up what parts weigh.
type estimate struct {
	bytes  int
	tokens int64
}

func (e *estimate) parts(parts []neutral.Part) {
	for i := range parts {
		p := &parts[i]
		e.bytes += len(p.Text) + len(p.Raw)
		switch {
		case p.Media != nil:
			e.media(p)
		case p.Call != nil:
			e.bytes += len(p.Call.Name) + len(p.Call.Arguments)
		case p.Thought != nil:
			e.bytes += len(p.Thought.Text)
		case p.Result != nil:
			e.parts(p.Result.Parts)
		}
	}
}

func (e *estimate) media(p *neutral.Part) {
	m := p.Media
	switch {
	case p.Kind == neutral.ImagePart:
		e.tokens += imageTokens
	case m.Text != "":
		e.bytes += len(m.Text)
	default:
		e.tokens += pageTokens * (1 + int64(len(m.Data)/bytesPerPage))
	}
}
