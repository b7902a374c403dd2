package cohere

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// The problems of an answer. They hold nothing of it.
var (
	errNotAnswer = errors.New("it is not a JSON object of Cohere's chat")
	errNoMessage = errors.New("it has no message")
)

// errFailed is told where Cohere only says that it failed.
const errFailed = "the model failed before the end of its answer"

// wireResponse is the answer of chat.
type wireResponse struct {
	ID       string        `json:"id"`
	Finish   string        `json:"finish_reason"`
	Message  *wireMessage  `json:"message"`
	Usage    *wireUsage    `json:"usage"`
	LogProbs []wireLogProb `json:"logprobs"`
}

// wireMessage is what the model said.
type wireMessage struct {
	Plan      string         `json:"tool_plan"`
	Content   []wireContent  `json:"content"`
	Calls     []wireCall     `json:"tool_calls"`
	Citations []wireCitation `json:"citations"`
}

// wireContent is a block of text or of thinking.
type wireContent struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Thinking string `json:"thinking"`
}

// wireCall is a tool call.
type wireCall struct {
	ID       string `json:"id"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

// ReadResponse reads a whole answer.
func (Chat) ReadResponse(body []byte) (*neutral.Response, error) {
	var wire wireResponse
	if json.Unmarshal(body, &wire) != nil {
		return nil, &dialect.AnswerError{Err: errNotAnswer}
	}
	if wire.Message == nil {
		return nil, &dialect.AnswerError{Err: errNoMessage}
	}
	choice := neutral.Choice{Parts: wire.Message.parts(), Native: wire.Finish, Finish: finish(wire.Finish), LogProbs: logProbs(wire.LogProbs)}
	answerTool(&choice)
	answer := neutral.Response{ID: wire.ID, Choices: []neutral.Choice{choice}, Usage: wire.Usage.normalise()}
	if choice.Finish == neutral.FinishError {
		answer.Err = &neutral.Error{Status: http.StatusBadGateway, Type: wire.Finish, Message: errFailed}
	}
	return &answer, nil
}

// parts are what the message says, in the order in which a stream would have it.
func (m *wireMessage) parts() []neutral.Part {
	var parts []neutral.Part
	think := func(text string) {
		if text != "" {
			parts = append(parts, neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Text: text}})
		}
	}
	think(m.Plan)
	for index, block := range m.Content {
		think(block.Thinking)
		if block.Text == "" {
			continue
		}
		part := neutral.Part{Kind: neutral.TextPart, Text: block.Text}
		for i := range m.Citations {
			if citation := &m.Citations[i]; citation.inText() && citation.Content == index {
				part.Citations = append(part.Citations, citation.neutral())
			}
		}
		parts = append(parts, part)
	}
	for _, call := range m.Calls {
		parts = append(parts, neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: call.ID, Name: call.Function.Name, Arguments: call.Function.Arguments}})
	}
	return parts
}

// answerTool turns a call of the tool that stands for a structured answer into the answer's text. What else was said beside it is no part of it.
func answerTool(c *neutral.Choice) {
	isAnswer := func(p *neutral.Part) bool { return p.Kind == neutral.ToolCallPart && p.Call.Name == neutral.OutputTool }
	parts := c.Parts[:0:0]
	answered, calls := false, 0
	for i := range c.Parts {
		if part := c.Parts[i]; isAnswer(&part) {
			if !answered {
				parts = append(parts, neutral.Part{Kind: neutral.TextPart, Text: part.Call.Arguments})
			}
			answered = true
		} else if part.Kind != neutral.TextPart {
			parts = append(parts, part)
			if part.Kind == neutral.ToolCallPart {
				calls++
			}
		}
	}
	if !answered {
		return
	}
	c.Parts = parts
	if calls == 0 && c.Finish == neutral.FinishToolCalls {
		c.Finish = neutral.FinishStop
	}
}

// finish is the reason for the end.
func finish(reason string) neutral.Finish {
	switch reason {
	case "TOOL_CALL":
		return neutral.FinishToolCalls
	case "MAX_TOKENS", "ERROR_LIMIT":
		return neutral.FinishLength
	case "STOP_SEQUENCE":
		return neutral.FinishStopSequence
	case "ERROR_TOXIC":
		return neutral.FinishContentFilter
	case "ERROR", "TIMEOUT":
		return neutral.FinishError
	default:
		return neutral.FinishStop
	}
}

// wireCitation says where a text comes from.
type wireCitation struct {
	Start   int64        `json:"start"`
	End     int64        `json:"end"`
	Text    string       `json:"text"`
	Sources []wireSource `json:"sources"`
	Content int          `json:"content_index"`
	Type    string       `json:"type"`
}

// wireSource is a document of the request or the result of a tool.
type wireSource struct {
	Type     string                     `json:"type"`
	ID       string                     `json:"id"`
	Document map[string]json.RawMessage `json:"document"`
	Output   map[string]json.RawMessage `json:"tool_output"`
}

// inText tells whether the citation is one of the answer's text, not of thinking or of a plan.
func (c *wireCitation) inText() bool { return c.Type == "" || c.Type == "TEXT_CONTENT" }

// neutral is the citation in the neutral form. Of several sources the first one counts.
func (c *wireCitation) neutral() neutral.Citation {
	citation := neutral.Citation{Start: c.Start, End: c.End, Document: -1}
	if len(c.Sources) == 0 {
		return citation
	}
	source := c.Sources[0]
	fields := source.Document
	if source.Type == "tool" {
		fields = source.Output
	}
	citation.Title, citation.URL = stringOf(fields["title"]), pageURL(stringOf(fields["url"]))
	if index, isDocument := strings.CutPrefix(source.ID, documentID); isDocument && source.Type == "document" {
		if n, err := strconv.ParseUint(index, 10, 31); err == nil {
			citation.Document = int64(n)
		}
	}
	citation.CitedText = c.Text
	if citation.Title == "" {
		citation.Title = source.ID
	}
	return citation
}

// stringOf is the text of a JSON string; "" of all else.
func stringOf(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return text
}

// pageURL is an address of a page; "" of what is none.
func pageURL(text string) string {
	address, err := url.Parse(text)
	if err != nil || address.Scheme != "https" && address.Scheme != "http" {
		return ""
	}
	return text
}

// wireLogProb is the log probabilities of the tokens of a piece of text.
type wireLogProb struct {
	Text     string    `json:"text"`
	LogProbs []float64 `json:"logprobs"`
}

// openAILogProb is one token in OpenAI's object.
type openAILogProb struct {
	Token   string   `json:"token"`
	LogProb float64  `json:"logprob"`
	Bytes   []int    `json:"bytes"`
	Top     []string `json:"top_logprobs"`
}

// logProbs makes OpenAI's object; nil of nothing. A piece of several tokens, whose own texts Cohere does not tell, becomes one with the probability of all.
func logProbs(pieces []wireLogProb) json.RawMessage {
	if len(pieces) == 0 {
		return nil
	}
	content := make([]openAILogProb, 0, len(pieces))
	for _, piece := range pieces {
		token := openAILogProb{Token: piece.Text, Bytes: make([]int, 0, len(piece.Text)), Top: []string{}}
		for _, value := range piece.LogProbs {
			token.LogProb += value
		}
		for i := range len(piece.Text) {
			token.Bytes = append(token.Bytes, int(piece.Text[i]))
		}
		content = append(content, token)
	}
	object, err := json.Marshal(struct {
		Content []openAILogProb `json:"content"`
	}{content})
	if err != nil { // The sum of numbers is infinite.
		return nil
	}
	return object
}
