package responses

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// The problems of an answer. They name no byte of it.
var (
	errNotUTF8    = errors.New("it is not valid UTF-8")
	errNotObject  = errors.New("it is not a JSON object")
	errShape      = errors.New("a member of it has a wrong type")
	errUnfinished = errors.New("it is not finished")
	errNoOutput   = errors.New("it has no output")
)

// wireResponse is an answer, whole or as a stream begins and ends it.
type wireResponse struct {
	ID                string            `json:"id"`
	Model             string            `json:"model"`
	CreatedAt         json.Number       `json:"created_at"`
	Status            string            `json:"status"`
	Output            []json.RawMessage `json:"output"`
	Usage             json.RawMessage   `json:"usage"`
	ServiceTier       string            `json:"service_tier"`
	Error             json.RawMessage   `json:"error"`
	IncompleteDetails struct {
		Reason string `json:"reason"`
	} `json:"incomplete_details"`
}

// created is when the answer was begun; 0 when it does not tell.
func (w *wireResponse) created() int64 {
	seconds, err := strconv.ParseFloat(string(w.CreatedAt), 64)
	if err != nil || seconds < 0 || seconds > math.MaxInt32*100 {
		return 0
	}
	return int64(seconds)
}

// failure is the error inside the answer; nil when there is none.
func (w *wireResponse) failure(raw []byte) *neutral.Error {
	switch {
	case isObject(w.Error), isString(w.Error), w.Status == "failed":
		return failureOf(raw)
	case w.Status == "cancelled":
		return &neutral.Error{Message: "the provider cancelled the response"}
	}
	return nil
}

// failureOf reads an object with an error in it, or one that is an error itself.
func failureOf(raw []byte) *neutral.Error {
	failure := dialect.ParseError(raw)
	failure.JSON = false
	if failure.Type == "error" {
		failure.Type = ""
	}
	if failure.Message == "" {
		failure.Message = "the provider failed to generate a response"
	}
	failure.Status = statusOf(failure.Code)
	return &failure
}

// statusOf is the HTTP status that an error's code stands for; 0 when it does not tell.
func statusOf(code string) int {
	switch code {
	case "server_error", "internal_error":
		return http.StatusInternalServerError
	case "rate_limit_exceeded", "insufficient_quota":
		return http.StatusTooManyRequests
	case "invalid_prompt", "context_length_exceeded", "invalid_request_error", "invalid_image", "invalid_image_url", "invalid_base64_image", "image_too_large":
		return http.StatusBadRequest
	}
	if status, err := strconv.Atoi(code); err == nil && status >= http.StatusBadRequest && status < 600 {
		return status
	}
	return 0
}

// ReadResponse reads a whole answer of status 200. The error is a *dialect.AnswerError.
func (c Codec) ReadResponse(body []byte) (*neutral.Response, error) {
	r, err := c.readResponse(body)
	if err != nil {
		return nil, &dialect.AnswerError{Err: err}
	}
	return r, nil
}

func (c Codec) readResponse(body []byte) (*neutral.Response, error) {
	if !utf8.Valid(body) {
		return nil, errNotUTF8
	}
	var w wireResponse
	if err := decodeObject(body, &w); err != nil {
		return nil, err
	}
	r := &neutral.Response{ID: w.ID, Model: w.Model, Created: w.created(), ServiceTier: w.ServiceTier}
	if usage, ok := readUsage(w.Usage); ok {
		usage.Searches = max(usage.Searches, searchesIn(w.Output))
		r.Usage = &usage
	}
	if r.Err = w.failure(body); r.Err != nil {
		return r, nil
	}
	switch {
	case w.Status == "queued" || w.Status == "in_progress":
		return nil, errUnfinished
	case w.Output == nil:
		return nil, errNoOutput
	}
	choice, err := w.choice(placed(c.Origin))
	if err != nil {
		return nil, err
	}
	r.Choices = []neutral.Choice{choice}
	return r, nil
}

// decodeObject decodes JSON text that must be one object.
func decodeObject(raw []byte, into any) error {
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	err := json.Unmarshal(raw, into)
	switch {
	case err == nil && firstByte(raw) == '{':
		return nil
	case err == nil, errors.As(err, &syntax), errors.As(err, &wrongType) && wrongType.Field == "":
		return errNotObject
	}
	return errShape
}

// firstByte is the first byte of JSON text that is not blank; 0 when there is none.
func firstByte(raw []byte) byte {
	for _, c := range raw {
		if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c
		}
	}
	return 0
}

// choice reads the output, which is the answer's only choice.
func (w *wireResponse) choice(origin neutral.Origin) (neutral.Choice, error) {
	var choice neutral.Choice
	var logProbs []byte
	for _, raw := range w.Output {
		parts, probs, err := readOutput(raw, origin)
		if err != nil {
			return choice, err
		}
		choice.Parts = append(choice.Parts, parts...)
		if len(probs) > 0 {
			logProbs = appendNext(logProbs, probs)
		}
	}
	if len(logProbs) > 0 {
		choice.LogProbs = chatLogProbs(logProbs)
	}
	var seen outcome
	for i := range choice.Parts {
		seen.see(choice.Parts[i].Kind)
	}
	choice.Finish, choice.Native = seen.finish(w)
	return choice, nil
}

// outcome is what of an answer decides why it ended.
type outcome struct{ called, refused bool }

func (o *outcome) see(kind neutral.PartKind) {
	o.called = o.called || kind == neutral.ToolCallPart
	o.refused = o.refused || kind == neutral.RefusalPart
}

// finish says why the answer ended, and the same in the provider's word.
func (o outcome) finish(w *wireResponse) (neutral.Finish, string) {
	reason := w.IncompleteDetails.Reason
	switch {
	case w.Status != "incomplete" && o.called:
		return neutral.FinishToolCalls, w.Status
	case w.Status != "incomplete" && o.refused:
		return neutral.FinishRefusal, w.Status
	case w.Status != "incomplete":
		return neutral.FinishStop, w.Status
	case reason == "content_filter":
		return neutral.FinishContentFilter, reason
	case reason == "steered":
		return neutral.FinishPause, reason
	}
	return neutral.FinishLength, reason
}

// chatLogProbs makes OpenAI's object for chat completions of the inside of a list of tokens.
func chatLogProbs(tokens []byte) json.RawMessage {
	return append(append([]byte(`{"content":[`), tokens...), `],"refusal":null}`...)
}

// ownLogProbs is the list of tokens in OpenAI's object for chat completions; "[]" when there is none.
func ownLogProbs(object []byte) json.RawMessage {
	var probs struct {
		Content []json.RawMessage `json:"content"`
	}
	if len(object) == 0 || json.Unmarshal(object, &probs) != nil || len(probs.Content) == 0 {
		return json.RawMessage("[]")
	}
	return dialect.AppendJSON(nil, probs.Content)
}

// readOutput reads an item of the output. logProbs is the inside of the list of its tokens.
func readOutput(raw json.RawMessage, origin neutral.Origin) (parts []neutral.Part, logProbs []byte, err error) {
	var i wireItem
	if err := decodeObject(raw, &i); err != nil {
		return nil, nil, err
	}
	switch i.Type {
	case "message":
		return readOutputMessage(i.Content)
	case "function_call":
		return []neutral.Part{{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: i.CallID, Name: i.Name, Arguments: i.Arguments}}}, nil, nil
	case "reasoning":
		thought := &neutral.Thought{}
		if i.think(thought, "") != nil {
			return nil, nil, errShape
		}
		thought.Encrypted, thought.Signature = i.EncryptedContent, i.Signature
		if thought.Sealed() {
			thought.Origin = i.sealedBy(origin)
		}
		return []neutral.Part{{Kind: neutral.ReasoningPart, Thought: thought}}, nil, nil
	}
	return []neutral.Part{{Kind: neutral.OpaquePart, Source: neutral.Responses, Type: i.Type, Raw: raw}}, nil, nil
}

// sealedBy is whose seals an item of an upstream holds, which OpenRouter tells itself.
func (i *wireItem) sealedBy(provider neutral.Origin) neutral.Origin {
	if i.Format == neutral.NoOrigin || i.Format == neutral.OriginUnknown {
		return provider
	}
	return i.Format
}

func readOutputMessage(content json.RawMessage) (parts []neutral.Part, logProbs []byte, err error) {
	if isString(content) {
		return []neutral.Part{{Kind: neutral.TextPart, Text: unquoted(content)}}, nil, nil
	}
	var list []wirePart
	if !isNull(content) && json.Unmarshal(content, &list) != nil {
		return nil, nil, errShape
	}
	for i := range list {
		w := &list[i]
		switch w.Type {
		case "refusal":
			parts = append(parts, neutral.Part{Kind: neutral.RefusalPart, Text: w.Refusal})
		case "output_text":
			parts = append(parts, neutral.Part{Kind: neutral.TextPart, Text: w.Text, Citations: readAnnotations(w.Annotations)})
			if tokens := insideList(w.LogProbs); len(tokens) > 0 {
				logProbs = appendNext(logProbs, tokens)
			}
		}
	}
	return parts, logProbs, nil
}

// insideList is what stands between the brackets of a list, which is valid JSON; nil when it is empty or none.
func insideList(raw json.RawMessage) []byte {
	if len(raw) < 2 || raw[0] != '[' || firstByte(raw[1:]) == ']' {
		return nil
	}
	return raw[1 : len(raw)-1]
}
