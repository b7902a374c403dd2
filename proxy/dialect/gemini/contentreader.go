package gemini

import (
	"bytes"
	"slices"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// part reads a part of a request and adds it to those before it: nothing for an empty text, more than one part where there are seals.
func (r *requestReader) part(parts []neutral.Part, raw []byte, path string) ([]neutral.Part, error) {
	if !isObject(raw) {
		return nil, wrongType(path, "an object")
	}
	p, _, err := readPart(raw, 0)
	if err != nil {
		return nil, badValue(path, "cannot be read")
	}
	read, err := r.data(&p, path)
	if last := len(read) - 1; last >= 0 && read[last].Kind != neutral.OpaquePart {
		read[last].Extra = p.extra
	}
	if last := len(parts) - 1; p.thought && len(read) == 1 && last >= 0 && complete(&parts[last], &read[0]) {
		parts[last] = read[0]
		return parts, err
	}
	return append(parts, read...), err
}

// data reads what a part holds.
func (r *requestReader) data(p *part, path string) ([]neutral.Part, error) {
	switch p.kind {
	case "functionCall":
		return r.call(p, path)
	case "functionResponse":
		result, err := r.result(p.value, path+".functionResponse")
		return []neutral.Part{result}, err
	case "inlineData", "fileData":
		return p.media(path)
	case "executableCode", "codeExecutionResult", "toolCall", "toolResponse":
		return []neutral.Part{{Kind: neutral.OpaquePart, Source: neutral.GenerateContent, Type: p.kind, Raw: slices.Clone(p.raw)}}, nil
	case "text":
		if p.value[0] != '"' {
			return nil, wrongType(path+".text", "a string")
		}
	case "":
		if p.signature == "" {
			return nil, badValue(path, "has no data that is known here")
		}
	}
	return p.words(), nil
}

// words is a part with text or thinking.
func (p *part) words() []neutral.Part {
	body := p.text()
	switch {
	case foreign(p.signature) && (p.thought || body == ""):
		return openSignature(p.signature, body)
	case foreign(p.signature):
		return append(openSignature(p.signature, ""), neutral.Part{Kind: neutral.TextPart, Text: body})
	}
	if p.thought {
		if body == "" && p.signature == "" {
			return nil
		}
		thought := &neutral.Thought{Text: body, Signature: p.signature}
		if p.signature != "" {
			thought.Origin = neutral.OriginGemini
		}
		return []neutral.Part{{Kind: neutral.ReasoningPart, Thought: thought}}
	}
	if body == "" {
		return p.behindSeal("")
	}
	return p.behindSeal("", neutral.Part{Kind: neutral.TextPart, Text: body})
}

// complete puts the thinking of the part before in front of that of part: thinking that is not sealed goes on in the next part, and its seal comes with the
// last one. False when the two do not belong together.
func complete(before, part *neutral.Part) bool {
	if part.Kind != neutral.ReasoningPart || before.Kind != neutral.ReasoningPart || before.Thought.Sealed() {
		return false
	}
	thought := part.Thought
	if thought.Encrypted == "" {
		thought.Text = before.Thought.Text + thought.Text
		return true
	}
	thought.Summary = []string{before.Thought.Text + textOf(thought.Summary)}
	return true
}

// textOf is the one paragraph of a summary that was just read; empty without one.
func textOf(summary []string) string {
	if len(summary) == 0 {
		return ""
	}
	return summary[0]
}

// call reads a call. One without an id gets one from its place in the conversation.
func (r *requestReader) call(p *part, path string) ([]neutral.Part, error) {
	c := readCall(p.value)
	if c.name == "" {
		return nil, badValue(path+".functionCall.name", "must not be empty")
	}
	r.calls++
	if c.id == "" {
		c.id = orderedCallID(r.calls)
	}
	collected := partialCall{}
	if err := collected.add(&c); err != nil {
		return nil, badValue(path+".functionCall.partialArgs", "cannot be read")
	}
	made := &neutral.ToolCall{ID: c.id, Name: c.name, Arguments: collected.arguments()}
	r.unanswered = append(r.unanswered, made)
	part := neutral.Part{Kind: neutral.ToolCallPart, Call: made}
	if foreign(p.signature) {
		return append(openSignature(p.signature, ""), part), nil
	}
	return p.behindSeal(c.id, part), nil
}

// answer finds the call that a result belongs to: by its id, or the oldest one of its name without a result.
func (r *requestReader) answer(id, name string) (callID, function string) {
	for i, made := range r.unanswered {
		if id != "" && made.ID != id || id == "" && made.Name != name {
			continue
		}
		r.unanswered = slices.Delete(r.unanswered, i, i+1)
		return made.ID, made.Name
	}
	if id == "" {
		r.calls++
		id = orderedCallID(r.calls)
	}
	return id, name
}

// result reads a "functionResponse".
func (r *requestReader) result(raw []byte, path string) (neutral.Part, error) {
	var id, name string
	result := &neutral.ToolResult{}
	var media []neutral.Part
	err := eachMember(raw, path, func(member string, value []byte) error {
		var err error
		switch member {
		case "id":
			id, err = readString(value, path+".id")
		case "name":
			name, err = readString(value, path+".name")
		case "response":
			if !isObject(value) {
				return wrongType(path+".response", "an object")
			}
			outcome, failed := readOutcome(value)
			result.Parts, result.PlainText, result.Failed = []neutral.Part{{Kind: neutral.TextPart, Text: outcome}}, true, failed
		case "parts":
			err = eachElement(value, path+".parts", func(value []byte, path string) error {
				var err error
				media, err = r.part(media, value, path)
				return err
			})
		}
		return err
	})
	result.Parts = append(result.Parts, media...)
	result.CallID, result.Name = r.answer(id, name)
	if name != "" {
		result.Name = name
	}
	return neutral.Part{Kind: neutral.ToolResultPart, Result: result}, err
}

// readOutcome reads the object "response" of a result. Google has a name for what a function returned and one for why it failed; other objects are the
// outcome as a whole.
func readOutcome(raw []byte) (body string, failed bool) {
	walk := jsonscan.WalkObject(raw, 0)
	member, ok := walk.Next()
	if !ok {
		return "{}", false
	}
	value := raw[member.Value:walk.Skip()]
	if _, more := walk.Next(); more {
		return string(raw), false
	}
	switch name := string(member.Name(raw)); {
	case name == "error":
		failed = true
	case name != "result" && name != "output", value[0] != '"':
		return string(raw), false
	}
	if value[0] == '"' {
		return text(value), failed
	}
	return string(bytes.TrimSpace(value)), failed
}

// media reads a part with an image, sound, film or document.
func (p *part) media(path string) ([]neutral.Part, error) {
	if !isObject(p.value) {
		return nil, wrongType(path+"."+p.kind, "an object")
	}
	media := readMedia(p.value)
	part := neutral.Part{Kind: mediaKind(media), Media: media}
	if foreign(p.signature) {
		return append(openSignature(p.signature, ""), part), nil
	}
	return p.behindSeal("", part), nil
}
