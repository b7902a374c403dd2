package openai

import (
	"slices"
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// readMessages reads the conversation.
func readMessages(raw []byte) ([]neutral.Message, error) {
	var messages []neutral.Message
	// called is the id of the last call of an older function, which has none on the wire.
	called := map[string]string{}
	err := elements(raw, func(i int, value []byte) error {
		m := messageReader{index: i, called: called}
		if err := members(value, m.read); err != nil {
			return err
		}
		message, err := m.finish()
		messages = append(messages, message)
		return err
	})
	return messages, inside(err, "messages")
}

// messageReader collects a message member by member.
type messageReader struct {
	index   int
	called  map[string]string
	message neutral.Message
	role    string
	content []neutral.Part
	calls   []neutral.Part
	seals   map[string]neutral.Thought
	refusal string
	callID  string
	// details are the thoughts of reasoning_details, and plain is the same as text.
	details []detail
	plain   string
}

func (m *messageReader) read(name, value []byte) error {
	var err error
	switch string(name) {
	case "role":
		m.role, err = readText(value, "role")
	case "content":
		m.content, m.message.PlainText, err = readContent(value)
		err = inside(err, "content")
	case "name":
		m.message.Name, err = readText(value, "name")
	case "tool_call_id":
		m.callID, err = readText(value, "tool_call_id")
	case "tool_calls":
		err = inside(m.readCalls(value), "tool_calls")
	case "function_call":
		err = inside(m.readFunctionCall(value), "function_call")
	case "refusal":
		m.refusal, err = readText(value, "refusal")
	case "reasoning", "reasoning_content":
		if m.plain == "" {
			m.plain = textOr(value)
		}
	case "reasoning_details":
		m.details = readDetails(value)
	default:
		m.message.Extra = append(m.message.Extra, neutral.Member{Name: string(name), Value: slices.Clone(value)})
	}
	return err
}

// finish puts the parts into their order.
func (m *messageReader) finish() (neutral.Message, error) {
	message := &m.message
	switch m.role {
	case "system", "developer", "user":
		message.Role, message.Parts = neutral.Role(m.role), m.content
	case "assistant":
		message.Role, message.Parts = neutral.Assistant, m.assistantParts()
	case "tool":
		if m.callID == "" {
			return *message, wrongValue("tool_call_id", "is missing")
		}
		m.result(m.callID, message.Name)
	case "function":
		m.result(m.called[message.Name], message.Name)
	case "":
		return *message, wrongValue("role", "is missing")
	default:
		return *message, wrongValue("role", "must be developer, system, user, assistant or tool")
	}
	return *message, nil
}

// result makes the message the result of a call.
func (m *messageReader) result(id, name string) {
	result := &neutral.ToolResult{CallID: id, Name: name, Parts: m.content, PlainText: m.message.PlainText}
	m.message.Role, m.message.Name, m.message.PlainText = neutral.ToolRole, "", false
	m.message.Parts = []neutral.Part{{Kind: neutral.ToolResultPart, Result: result}}
}

// assistantParts are thoughts, text and refusal, and calls with their seals before them.
func (m *messageReader) assistantParts() []neutral.Part {
	var parts []neutral.Part
	thoughts, seals := splitSeals(m.details, m.callIDs())
	if m.plain != "" && !slices.ContainsFunc(thoughts, func(t neutral.Thought) bool { return t.Text != "" || len(t.Summary) > 0 }) {
		parts = append(parts, neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Text: m.plain}})
	}
	for i := range thoughts {
		parts = append(parts, neutral.Part{Kind: neutral.ReasoningPart, Thought: &thoughts[i]})
	}
	parts = append(parts, m.content...)
	if m.refusal != "" {
		parts = append(parts, neutral.Part{Kind: neutral.RefusalPart, Text: m.refusal})
	}
	for _, call := range m.calls {
		if call.Call != nil {
			seal, ok := seals[call.Call.ID]
			if !ok {
				seal, ok = m.seals[call.Call.ID]
			}
			if ok {
				parts = append(parts, neutral.Part{Kind: neutral.ReasoningPart, Thought: &seal})
			}
		}
		parts = append(parts, call)
	}
	return parts
}

func (m *messageReader) callIDs() map[string]bool {
	ids := map[string]bool{}
	for _, part := range m.calls {
		if part.Call != nil {
			ids[part.Call.ID] = true
		}
	}
	return ids
}

// readFunctionCall reads a call from before there were tools. It gets an id that its result finds again by the function's name.
func (m *messageReader) readFunctionCall(raw []byte) error {
	call := neutral.ToolCall{ID: "call_function_" + strconv.Itoa(m.index)}
	err := readCalledFunction(&call, raw)
	m.called[call.Name] = call.ID
	m.calls = append(m.calls, neutral.Part{Kind: neutral.ToolCallPart, Call: &call})
	return err
}

func readCalledFunction(call *neutral.ToolCall, raw []byte) error {
	return members(raw, func(name, value []byte) error {
		var err error
		switch string(name) {
		case "name":
			call.Name, err = readText(value, "name")
		case "arguments":
			if call.Arguments = string(value); value[0] == '"' { // Some clients send an object.
				call.Arguments = unquote(value)
			}
		}
		return err
	})
}

// readCalls reads the calls of an assistant's message.
func (m *messageReader) readCalls(raw []byte) error {
	return elements(raw, func(_ int, value []byte) error {
		var call neutral.ToolCall
		kind, seal, function := "function", "", false
		err := members(value, func(name, value []byte) error {
			var err error
			switch string(name) {
			case "id":
				call.ID, err = readText(value, "id")
			case "type":
				kind, err = readText(value, "type")
			case "function":
				function = true
				err = inside(readCalledFunction(&call, value), "function")
			case "extra_content":
				seal = geminiSeal(value)
			}
			return err
		})
		switch {
		case err != nil:
			return err
		case !function && kind == "function":
			return wrongValue("function", "is missing")
		case !function:
			m.calls = append(m.calls, neutral.Part{Kind: neutral.OpaquePart, Source: neutral.ChatCompletions, Type: kind, Raw: slices.Clone(value)})
			return nil
		}
		if seal != "" {
			m.keepSeal(call.ID, seal)
		}
		m.calls = append(m.calls, neutral.Part{Kind: neutral.ToolCallPart, Call: &call})
		return nil
	})
}

func (m *messageReader) keepSeal(id, seal string) {
	if m.seals == nil {
		m.seals = map[string]neutral.Thought{}
	}
	m.seals[id] = neutral.Thought{Encrypted: seal, Origin: neutral.OriginGemini}
}

// geminiSeal reads extra_content.google.thought_signature; "" when there is none.
func geminiSeal(raw []byte) string {
	seal := ""
	_ = members(raw, func(name, value []byte) error {
		if string(name) != "google" {
			return nil
		}
		return members(value, func(name, value []byte) error {
			if string(name) == "thought_signature" {
				seal = textOr(value)
			}
			return nil
		})
	})
	return seal
}
