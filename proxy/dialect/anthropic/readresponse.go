package anthropic

import (
	"encoding/json"
	"slices"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// wireMessage is an answer.
type wireMessage struct {
	Type         string             `json:"type"`
	ID           string             `json:"id"`
	Model        string             `json:"model"`
	Content      *[]json.RawMessage `json:"content"`
	StopReason   string             `json:"stop_reason"`
	StopSequence string             `json:"stop_sequence"`
	StopDetails  json.RawMessage    `json:"stop_details"`
	Usage        json.RawMessage    `json:"usage"`
	Error        json.RawMessage    `json:"error"`
}

// ReadResponse reads a whole answer of status 200. The error is an *dialect.AnswerError.
func (Messages) ReadResponse(body []byte) (*neutral.Response, error) {
	var wire wireMessage
	switch {
	case !utf8.Valid(body):
		return nil, &dialect.AnswerError{Err: errNotUTF8}
	case json.Unmarshal(body, &wire) != nil:
		return nil, &dialect.AnswerError{Err: errNotJSON}
	case wire.Type == "error" || isObject(wire.Error):
		failure := dialect.ParseError(body)
		failure.Status = errorStatus(failure.Type)
		return &neutral.Response{Err: &failure}, nil
	case wire.Content == nil:
		return nil, &dialect.AnswerError{Err: errNoContent}
	}
	choice, err := wire.choice()
	if err != nil {
		return nil, err
	}
	r := &neutral.Response{ID: wire.ID, Model: wire.Model, Choices: []neutral.Choice{choice}}
	if isObject(wire.Usage) {
		var c counts
		c.read(wire.Usage, 0)
		if usage, ok := c.usage(); ok {
			r.Usage = &usage
		}
		r.ServiceTier = memberText(wire.Usage, 0, "service_tier")
	}
	return r, nil
}

// isObject tells whether a member was given and is an object.
func isObject(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '{' }

// choice is the one choice that an answer has.
func (m *wireMessage) choice() (neutral.Choice, error) {
	choice := neutral.Choice{Finish: readFinish(m.StopReason), Native: m.StopReason, StopSequence: m.StopSequence}
	for _, raw := range *m.Content {
		part, err := readBlock(raw, "content")
		if err != nil {
			return neutral.Choice{}, &dialect.AnswerError{Err: errNotJSON}
		}
		choice.Parts = append(choice.Parts, part)
	}
	if slices.ContainsFunc(choice.Parts, isOutput) {
		readStructured(&choice)
	}
	if choice.Finish == neutral.FinishRefusal && isObject(m.StopDetails) {
		if explanation := memberText(m.StopDetails, 0, "explanation"); explanation != "" {
			choice.Parts = append(choice.Parts, neutral.Part{Kind: neutral.RefusalPart, Text: explanation})
		}
	}
	return choice, nil
}

// isOutput tells that a part is the call that stands in for structured output.
func isOutput(p neutral.Part) bool { return p.Call != nil && p.Call.Name == neutral.OutputTool }

// readStructured makes the call that stands in for structured output the text of the answer. Other texts are left out: they would not be JSON.
func readStructured(choice *neutral.Choice) {
	choice.Parts = slices.DeleteFunc(choice.Parts, func(p neutral.Part) bool { return p.Kind == neutral.TextPart })
	calls := false
	for i := range choice.Parts {
		part := &choice.Parts[i]
		switch {
		case isOutput(*part):
			text := part.Call.Arguments
			if text == "" {
				text = "{}"
			}
			*part = neutral.Part{Kind: neutral.TextPart, Text: text}
		case part.Call != nil:
			calls = true
		}
	}
	if !calls && choice.Finish == neutral.FinishToolCalls {
		choice.Finish = neutral.FinishStop
	}
}
