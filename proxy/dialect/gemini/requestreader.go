package gemini

import (
	"encoding/json"
	"slices"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// cachedContent is the type of the opaque part that stands for content which is stored at Google. It belongs before the conversation, so no other dialect can
// do without it.
const cachedContent = "cachedContent"

// ReadRequest reads all of a body that ReadHead accepted. The error is a *dialect.RequestError.
func (Generate) ReadRequest(body []byte, h dialect.Head) (*neutral.Request, error) {
	r := requestReader{request: &neutral.Request{
		Model: h.Model, N: max(h.N, 1), Stream: h.Stream, IncludeUsage: h.Stream, Source: neutral.GenerateContent,
	}}
	start := jsonscan.Space(body, 0)
	end, err := jsonscan.Value(body, start)
	if err != nil {
		return nil, &dialect.RequestError{Code: dialect.CodeInvalidJSON, Message: "the request body is not valid JSON"}
	}
	if err := eachMember(body[start:end], "", r.member); err != nil {
		return nil, err
	}
	r.request.Messages = slices.Concat(r.system, r.messages)
	return r.request, nil
}

// requestReader reads a request member by member.
type requestReader struct {
	request *neutral.Request
	// system are the messages that stand before the conversation, and messages the conversation.
	system, messages []neutral.Message
	// unanswered are the calls without a result, in their order, and calls the number of all of them.
	unanswered []*neutral.ToolCall
	calls      int
}

// member takes in a top-level member.
func (r *requestReader) member(name string, value []byte) error {
	switch name {
	case "contents":
		return eachElement(value, name, r.content)
	case "systemInstruction":
		return r.systemInstruction(value)
	case "generationConfig":
		return r.config(value)
	case "tools":
		return eachElement(value, name, r.tool)
	case "toolConfig":
		return r.toolConfig(value)
	case cachedContent:
		part := neutral.Part{Kind: neutral.OpaquePart, Source: neutral.GenerateContent, Type: cachedContent, Raw: slices.Clone(value)}
		r.system = append([]neutral.Message{{Role: neutral.User, Parts: []neutral.Part{part}}}, r.system...)
	case "serviceTier":
		tier, err := readString(value, name)
		r.request.ServiceTier = tier
		return err
	case "model":
	default:
		r.extra(name, value)
	}
	return nil
}

// extra keeps a member that the neutral form has no place for. Those of inner objects have their path as name.
func (r *requestReader) extra(name string, value []byte) {
	r.request.Extra = append(r.request.Extra, neutral.Member{Name: name, Value: json.RawMessage(slices.Clone(value))})
}

// systemInstruction reads the instructions. Google takes a content, and some clients send their text alone.
func (r *requestReader) systemInstruction(raw []byte) error {
	message := neutral.Message{Role: neutral.System}
	if raw[0] == '"' {
		message.Parts = []neutral.Part{{Kind: neutral.TextPart, Text: text(raw)}}
		r.system = append(r.system, message)
		return nil
	}
	err := eachMember(raw, "systemInstruction", func(name string, value []byte) error {
		if name != "parts" {
			return nil
		}
		return eachElement(value, "systemInstruction.parts", func(value []byte, path string) error {
			var err error
			message.Parts, err = r.part(message.Parts, value, path)
			return err
		})
	})
	if len(message.Parts) > 0 {
		r.system = append(r.system, message)
	}
	return err
}

// content reads a turn. Results of tools become a message of their own before the rest of the turn.
func (r *requestReader) content(raw []byte, path string) error {
	role, parts := "user", []byte("[]")
	err := eachMember(raw, path, func(name string, value []byte) error {
		var err error
		switch name {
		case "role":
			role, err = readString(value, path+".role")
		case "parts":
			parts = value
		}
		return err
	})
	if err != nil {
		return err
	}
	author, ok := roleOf(role)
	if !ok {
		return badValue(path+".role", "must be \"user\" or \"model\"")
	}
	return r.turn(author, parts, path+".parts")
}

// roleOf is the neutral form of a role.
func roleOf(role string) (neutral.Role, bool) {
	switch role {
	case "model":
		return neutral.Assistant, true
	case "system":
		return neutral.System, true
	case "user", "function", "tool", "":
		return neutral.User, true
	}
	return "", false
}

// turn reads the parts of a content.
func (r *requestReader) turn(author neutral.Role, raw []byte, path string) error {
	var read, results, parts []neutral.Part
	err := eachElement(raw, path, func(value []byte, path string) error {
		var err error
		read, err = r.part(read, value, path)
		return err
	})
	for _, part := range read {
		if part.Kind == neutral.ToolResultPart {
			results = append(results, part)
			continue
		}
		parts = append(parts, part)
	}
	if len(results) > 0 {
		r.messages = append(r.messages, neutral.Message{Role: neutral.ToolRole, Parts: results})
	}
	if len(parts) > 0 {
		r.add(author, parts)
	}
	return err
}

// add adds a turn to the conversation. Clients that collect a stream send each of its chunks back as a turn of the model: together they are one message,
// their text is one text, and their thinking one thought.
func (r *requestReader) add(author neutral.Role, parts []neutral.Part) {
	last := len(r.messages) - 1
	if author != neutral.Assistant || last < 0 || r.messages[last].Role != neutral.Assistant {
		r.messages = append(r.messages, neutral.Message{Role: author, Parts: parts})
		return
	}
	whole := r.messages[last].Parts
	switch end, first := &whole[len(whole)-1], &parts[0]; {
	case end.Kind == neutral.TextPart && first.Kind == neutral.TextPart:
		end.Text += first.Text
		parts = parts[1:]
	case first.Kind == neutral.ReasoningPart && (first.Thought.Text != "" || first.Thought.Summary != nil) && complete(end, first):
		whole = whole[:len(whole)-1]
	}
	r.messages[last].Parts = append(whole, parts...)
}
