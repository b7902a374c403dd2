package anthropic

import (
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// idPrefix begins the id of an answer.
const idPrefix = "msg_"

// AppendResponse appends the answer to dst. The API has one choice only, so that others are left out.
func (Messages) AppendResponse(dst []byte, r *neutral.Response, o dialect.Exchange) []byte {
	var choice neutral.Choice
	if len(r.Choices) > 0 {
		choice = r.Choices[0]
	}
	dst = append(appendMessageHead(dst, r.ID, r.Model, o), `,"content":[`...)
	first := len(dst)
	for i := range choice.Parts {
		part := &choice.Parts[i]
		if part.Kind == neutral.ToolCallPart {
			choice.Finish = withCalls(choice.Finish)
		}
		before := len(dst)
		if before > first {
			dst = append(dst, ',')
		}
		var ok bool
		if dst, ok = appendAnswerBlock(dst, part); !ok {
			dst = dst[:before]
		}
	}
	reason := stopReason(choice.Finish, choice.Native)
	dst = appendStop(append(dst, ']'), reason, choice.StopSequence)
	if reason == stopRefusal {
		dst = append(dst, `,"stop_details":`+unknownRefusal...)
	}
	var used meter.Usage
	if r.Usage != nil {
		used = *r.Usage
	}
	return append(appendUsage(append(dst, `,"usage":`...), used), '}')
}

// unknownRefusal says of a refusal what others than Anthropic do not tell.
const unknownRefusal = `{"type":"refusal","category":null,"explanation":null}`

// appendMessageHead appends the beginning of a message, up to its role.
func appendMessageHead(dst []byte, id, model string, o dialect.Exchange) []byte {
	if !strings.HasPrefix(id, idPrefix) {
		id = idPrefix + o.ID
	}
	if model == "" {
		model = o.UpstreamModel
	}
	dst = jsonscan.AppendQuoted(append(dst, `{"id":`...), id)
	dst = append(dst, `,"type":"message","role":"assistant"`...)
	return appendString(dst, "model", model)
}

// appendStop appends the members that say why the answer ended, and the comma before them.
func appendStop(dst []byte, reason, sequence string) []byte {
	dst = appendString(dst, "stop_reason", reason)
	if reason == stopSequence && sequence != "" {
		return appendString(dst, "stop_sequence", sequence)
	}
	return append(dst, `,"stop_sequence":null`...)
}

// appendAnswerBlock appends a part of an answer as a block; false for parts that the API has no block for, and for empty texts, which it would refuse
// when the client sends them back.
func appendAnswerBlock(dst []byte, part *neutral.Part) ([]byte, bool) {
	switch part.Kind {
	case neutral.TextPart, neutral.RefusalPart:
		if part.Text == "" {
			return dst, false
		}
		dst = appendString(append(dst, `{"type":"text"`...), "text", part.Text)
		return append(appendCitations(dst, part.Citations), '}'), true
	case neutral.ToolCallPart:
		dst = appendCallHead(dst, part.Call)
		return append(appendInput(append(dst, `,"input":`...), part.Call.Arguments), '}'), true
	case neutral.ReasoningPart:
		return appendThought(dst, part.Thought)
	case neutral.OpaquePart:
		return append(dst, part.Raw...), part.Source == neutral.Messages
	case neutral.ImagePart, neutral.AudioPart, neutral.VideoPart, neutral.FilePart, neutral.ToolResultPart:
	}
	return dst, false
}

// appendCallHead appends the beginning of a call, up to its name. Its id is in letters that Claude takes, should the conversation go on there.
func appendCallHead(dst []byte, call *neutral.ToolCall) []byte {
	return appendString(appendString(append(dst, `{"type":"tool_use"`...), "id", callID(call.ID)), "name", call.Name)
}

// appendThought appends a block of thinking; false when there is nothing of it.
func appendThought(dst []byte, t *neutral.Thought) ([]byte, bool) {
	text, seal := thoughtText(t), packSeal(t)
	switch {
	case text != "" && (t.Encrypted == "" || t.Origin != origin):
		dst = appendString(append(dst, `{"type":"thinking"`...), "thinking", text)
		return append(appendString(dst, "signature", seal), '}'), true
	case t.Encrypted != "":
		return append(appendString(append(dst, `{"type":"redacted_thinking"`...), "data", seal), '}'), true
	case t.Signature != "":
		dst = append(dst, `{"type":"thinking","thinking":""`...)
		return append(appendString(dst, "signature", seal), '}'), true
	}
	return dst, false
}

// thoughtText is the readable thinking, or else its summary.
func thoughtText(t *neutral.Thought) string {
	if t.Text != "" {
		return t.Text
	}
	return strings.Join(t.Summary, "\n\n")
}
