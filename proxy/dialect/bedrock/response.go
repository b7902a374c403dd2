package bedrock

import (
	"encoding/json"
	"errors"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// The problems of an answer. They hold nothing of it.
var (
	errNotAnswer = errors.New("it is not a JSON object of Converse")
	errNoMessage = errors.New("it has no message")
)

// wireResponse is the answer of Converse.
type wireResponse struct {
	Output struct {
		Message *struct {
			Content []wireBlock `json:"content"`
		} `json:"message"`
	} `json:"output"`
	StopReason  string          `json:"stopReason"`
	Usage       *wireUsage      `json:"usage"`
	ServiceTier wireTier        `json:"serviceTier"`
	Additional  json.RawMessage `json:"additionalModelResponseFields"`
}

// wireTier is the processing tier.
type wireTier struct {
	Type string `json:"type"`
}

// wireBlock is a block of content; one of its members is set. Blocks of other kinds tell what the provider's own tools did, and are left out.
type wireBlock struct {
	Text    *string `json:"text"`
	ToolUse *struct {
		ID    string          `json:"toolUseId"`
		Name  string          `json:"name"`
		Input json.RawMessage `json:"input"`
		Type  string          `json:"type"`
	} `json:"toolUse"`
	Reasoning *struct {
		Text *struct {
			Text      string `json:"text"`
			Signature string `json:"signature"`
		} `json:"reasoningText"`
		Redacted string `json:"redactedContent"`
	} `json:"reasoningContent"`
	Cited *struct {
		Content   []wireText     `json:"content"`
		Citations []wireCitation `json:"citations"`
	} `json:"citationsContent"`
}

// wireText is a piece of text.
type wireText struct {
	Text string `json:"text"`
}

// ReadResponse reads a whole answer.
func (Converse) ReadResponse(body []byte) (*neutral.Response, error) {
	var wire wireResponse
	if json.Unmarshal(body, &wire) != nil {
		return nil, &dialect.AnswerError{Err: errNotAnswer}
	}
	if wire.Output.Message == nil {
		return nil, &dialect.AnswerError{Err: errNoMessage}
	}
	choice := neutral.Choice{Native: wire.StopReason, Finish: finish(wire.StopReason), StopSequence: stopSequence(wire.Additional)}
	for i := range wire.Output.Message.Content {
		if part, ok := wire.Output.Message.Content[i].part(); ok {
			choice.Parts = append(choice.Parts, part)
		}
	}
	answerTool(&choice)
	return &neutral.Response{Choices: []neutral.Choice{choice}, Usage: wire.Usage.normalise(), ServiceTier: wire.ServiceTier.Type}, nil
}

// part is what a block says; false when it says nothing.
func (b *wireBlock) part() (neutral.Part, bool) {
	switch {
	case b.ToolUse != nil:
		call := neutral.ToolCall{ID: b.ToolUse.ID, Name: b.ToolUse.Name, Arguments: string(b.ToolUse.Input)}
		return neutral.Part{Kind: neutral.ToolCallPart, Call: &call}, b.ToolUse.Type == ""
	case b.Reasoning != nil && b.Reasoning.Text != nil:
		thought := neutral.Thought{Text: b.Reasoning.Text.Text, Signature: b.Reasoning.Text.Signature}
		if thought.Signature != "" {
			thought.Origin = neutral.OriginAnthropic
		}
		return neutral.Part{Kind: neutral.ReasoningPart, Thought: &thought}, thought.Text != "" || thought.Signature != ""
	case b.Reasoning != nil:
		thought := neutral.Thought{Encrypted: b.Reasoning.Redacted, Origin: neutral.OriginAnthropic}
		return neutral.Part{Kind: neutral.ReasoningPart, Thought: &thought}, thought.Encrypted != ""
	case b.Cited != nil:
		part := neutral.Part{Kind: neutral.TextPart, Text: joined(b.Cited.Content)}
		for i := range b.Cited.Citations {
			part.Citations = append(part.Citations, b.Cited.Citations[i].neutral())
		}
		return part, part.Text != "" || len(part.Citations) > 0
	case b.Text != nil:
		return neutral.Part{Kind: neutral.TextPart, Text: *b.Text}, *b.Text != ""
	}
	return neutral.Part{}, false
}

func joined(texts []wireText) string {
	var all strings.Builder
	for _, text := range texts {
		all.WriteString(text.Text)
	}
	return all.String()
}

// answerTool turns a call of the tool that stands for a structured answer into the answer's text. What else was said beside it is no part of it.
func answerTool(c *neutral.Choice) {
	answer, calls := -1, 0
	for i := range c.Parts {
		if c.Parts[i].Kind != neutral.ToolCallPart {
			continue
		}
		calls++
		if c.Parts[i].Call.Name == neutral.OutputTool {
			answer = i
		}
	}
	if answer < 0 {
		return
	}
	text := c.Parts[answer].Call.Arguments
	parts := c.Parts[:0:0]
	for i := range c.Parts {
		switch part := c.Parts[i]; {
		case i == answer:
			parts = append(parts, neutral.Part{Kind: neutral.TextPart, Text: text})
		case part.Kind == neutral.TextPart:
		case part.Kind == neutral.ToolCallPart && part.Call.Name == neutral.OutputTool:
			calls--
		default:
			parts = append(parts, part)
		}
	}
	c.Parts = parts
	if calls == 1 && c.Finish == neutral.FinishToolCalls {
		c.Finish = neutral.FinishStop
	}
}

// finish is the reason for the end. Some models give none.
func finish(stopReason string) neutral.Finish {
	switch stopReason {
	case "tool_use":
		return neutral.FinishToolCalls
	case "max_tokens", "model_context_window_exceeded":
		return neutral.FinishLength
	case "stop_sequence":
		return neutral.FinishStopSequence
	case "guardrail_intervened", "content_filtered":
		return neutral.FinishContentFilter
	case "refusal":
		return neutral.FinishRefusal
	case "malformed_model_output", "malformed_tool_use":
		return neutral.FinishError
	default:
		return neutral.FinishStop
	}
}

// stopSequence is the text that ended the answer, which Claude tells in a field of its own.
func stopSequence(additional json.RawMessage) string {
	var fields struct {
		StopSequence *string `json:"stop_sequence"`
	}
	if json.Unmarshal(additional, &fields) != nil || fields.StopSequence == nil {
		return ""
	}
	return *fields.StopSequence
}

// wireCitation says where a text comes from.
type wireCitation struct {
	Title    string       `json:"title"`
	Source   string       `json:"source"`
	Content  []wireText   `json:"sourceContent"`
	Location wireLocation `json:"location"`
}

// wireLocation is a place in a document or the address of a page; one of its members is set.
type wireLocation struct {
	Char  *wireDocument `json:"documentChar"`
	Page  *wireDocument `json:"documentPage"`
	Chunk *wireDocument `json:"documentChunk"`
	Web   *struct {
		URL string `json:"url"`
	} `json:"web"`
}

// wireDocument is a place in a document.
type wireDocument struct {
	Index int64 `json:"documentIndex"`
}

// neutral is the citation in the neutral form. The offsets that Bedrock tells are those in the source, for which there is no place.
func (c *wireCitation) neutral() neutral.Citation {
	citation := neutral.Citation{Title: c.Title, CitedText: joined(c.Content), Document: -1}
	if strings.HasPrefix(c.Source, "https://") || strings.HasPrefix(c.Source, "http://") {
		citation.URL = c.Source
	}
	if c.Location.Web != nil {
		citation.URL = c.Location.Web.URL
	}
	for _, document := range []*wireDocument{c.Location.Char, c.Location.Page, c.Location.Chunk} {
		if document != nil {
			citation.Document = document.Index
		}
	}
	return citation
}
