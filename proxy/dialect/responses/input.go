package responses

import (
	"encoding/json"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

const (
	// notesName is the member of neutral.Message.Extra that tells how the message's parts were spread over items: a list of notes.
	notesName = "items"
	// instructionsName marks the message that stood in "instructions" rather than in "input".
	instructionsName = "instructions"
)

// note tells of one item what its message has no place for.
type note struct {
	// Type of the item, and how many of the message's parts it has.
	Type  string `json:"type"`
	Parts int    `json:"parts"`
	// Plain tells that the content was one string.
	Plain bool `json:"plain,omitempty"`
	// Members are the item's other members, such as its id.
	Members json.RawMessage `json:"members,omitempty"`
}

// wireItem is an item of a conversation, be it input or output.
type wireItem struct {
	Type             string          `json:"type"`
	ID               string          `json:"id"`
	Role             string          `json:"role"`
	Content          json.RawMessage `json:"content"`
	CallID           string          `json:"call_id"`
	Name             string          `json:"name"`
	Arguments        string          `json:"arguments"`
	Output           json.RawMessage `json:"output"`
	Summary          []wireText      `json:"summary"`
	EncryptedContent string          `json:"encrypted_content"`
	// Signature and Format are OpenRouter's: the seal of the text, and whose seals the item holds.
	Signature string         `json:"signature"`
	Format    neutral.Origin `json:"format"`
}

// wireText is a part that has only a text.
type wireText struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// instructions is the message that "instructions" stands for.
func instructions(text string) neutral.Message {
	return neutral.Message{
		Role: neutral.System, PlainText: true, Parts: []neutral.Part{{Kind: neutral.TextPart, Text: text}},
		Extra: []neutral.Member{{Name: instructionsName, Value: json.RawMessage("true")}},
	}
}

// readInput reads the conversation. Neighbouring items of the assistant become one message, and so do neighbouring results of calls.
func readInput(r *neutral.Request, w *wireRequest) error {
	switch {
	case isNull(w.Input):
		return &dialect.RequestError{Code: dialect.CodeMissingParameter, Param: "input", Message: "the request has no \"input\""}
	case isString(w.Input):
		r.Messages = append(r.Messages, neutral.Message{
			Role: neutral.User, PlainText: true, Parts: []neutral.Part{{Kind: neutral.TextPart, Text: unquoted(w.Input)}},
		})
		return nil
	case w.Input[0] != '[':
		return wrongType("input", "a string or a list of items")
	}
	var items []json.RawMessage
	if err := dialect.Decode(w.Input, "input", &items); err != nil {
		return err
	}
	c := conversation{names: map[string]string{}}
	for i, raw := range items {
		if err := c.read(raw, "input["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
	}
	c.flush()
	r.Messages = append(r.Messages, c.messages...)
	return nil
}

// conversation collects messages item by item.
type conversation struct {
	messages []neutral.Message
	// open is the message that grows, and notes are those of its items.
	open  neutral.Message
	notes []note
	// names are those of the called functions by the call's id.
	names map[string]string
}

// read takes in one item.
func (c *conversation) read(raw json.RawMessage, path string) error {
	if !isObject(raw) {
		return wrongType(path, "an object")
	}
	var kind struct {
		Type string `json:"type"`
		Role string `json:"role"`
	}
	if err := dialect.Decode(raw, path, &kind); err != nil {
		return err
	}
	switch {
	case kind.Type == "message", kind.Type == "" && kind.Role != "":
		return c.message(raw, path)
	case kind.Type == "function_call":
		return c.call(raw, path)
	case kind.Type == "function_call_output":
		return c.result(raw, path)
	case kind.Type == "reasoning":
		return c.reasoning(raw, path)
	case kind.Type == "item_reference", kind.Type == "":
		return noReference(path)
	}
	c.opaque(raw, kind.Type)
	return nil
}

// item reads an item, and its members besides the known ones.
func item(raw json.RawMessage, path string, known ...string) (wireItem, note, error) {
	var i wireItem
	if err := dialect.Decode(raw, path, &i); err != nil {
		return i, note{}, err
	}
	n := note{Type: i.Type}
	if extra := dialect.ExtraMembers(raw, known); len(extra) > 0 {
		n.Members = objectOf(extra)
	}
	return i, n, nil
}

// add puts the parts of an item into the open message, or begins another one where they do not belong together.
func (c *conversation) add(role neutral.Role, n note, parts ...neutral.Part) {
	if c.open.Role != role || role != neutral.Assistant && role != neutral.ToolRole {
		c.flush()
		c.open.Role = role
	}
	n.Parts = len(parts)
	c.open.Parts = append(c.open.Parts, parts...)
	c.notes = append(c.notes, n)
}

// flush ends the open message.
func (c *conversation) flush() {
	if c.open.Role != "" {
		c.open.PlainText = len(c.open.Parts) == 1 && len(c.notes) == 1 && c.notes[0].Plain
		c.open.Extra = []neutral.Member{{Name: notesName, Value: dialect.AppendJSON(nil, c.notes)}}
		c.messages = append(c.messages, c.open)
	}
	c.open, c.notes = neutral.Message{}, nil
}

func (c *conversation) message(raw json.RawMessage, path string) error {
	i, n, err := item(raw, path, "type", "role", "content")
	if err != nil {
		return err
	}
	n.Type = "message"
	role := neutral.Role(i.Role)
	switch role {
	case neutral.System, neutral.Developer, neutral.User, neutral.Assistant:
	default:
		return invalid(path+".role", "must be user, assistant, system or developer")
	}
	parts, plain, err := readContent(i.Content, path+".content")
	if err != nil {
		return err
	}
	n.Plain = plain
	c.add(role, n, parts...)
	return nil
}

func (c *conversation) call(raw json.RawMessage, path string) error {
	i, n, err := item(raw, path, "type", "call_id", "name", "arguments")
	switch {
	case err != nil:
		return err
	case i.CallID == "":
		return invalid(path+".call_id", "is missing")
	case i.Name == "":
		return invalid(path+".name", "is missing")
	}
	c.names[i.CallID] = i.Name
	c.add(neutral.Assistant, n, neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: i.CallID, Name: i.Name, Arguments: i.Arguments}})
	return nil
}

func (c *conversation) result(raw json.RawMessage, path string) error {
	i, n, err := item(raw, path, "type", "call_id", "output")
	switch {
	case err != nil:
		return err
	case i.CallID == "":
		return invalid(path+".call_id", "is missing")
	}
	parts, plain, err := readContent(i.Output, path+".output")
	if err != nil {
		return err
	}
	n.Plain = plain
	if i.Name == "" {
		i.Name = c.names[i.CallID]
	}
	result := &neutral.ToolResult{CallID: i.CallID, Name: i.Name, Parts: parts, PlainText: plain}
	c.add(neutral.ToolRole, n, neutral.Part{Kind: neutral.ToolResultPart, Result: result})
	return nil
}

func (c *conversation) reasoning(raw json.RawMessage, path string) error {
	i, n, err := item(raw, path, "type", "id", "summary", "content", "encrypted_content", "signature")
	if err != nil {
		return err
	}
	thought := &neutral.Thought{}
	if err := i.think(thought, path); err != nil {
		return err
	}
	openSeal(thought, i.EncryptedContent, placed(i.Format, neutral.OriginOpenAI))
	if i.Signature != "" {
		thought.Signature, thought.Origin = i.Signature, placed(i.Format)
	}
	c.add(neutral.Assistant, n, neutral.Part{Kind: neutral.ReasoningPart, Thought: thought})
	return nil
}

// think puts what can be read of a reasoning item into a thought.
func (i *wireItem) think(t *neutral.Thought, path string) error {
	t.ID = i.ID
	for _, paragraph := range i.Summary {
		t.Summary = append(t.Summary, paragraph.Text)
	}
	if isNull(i.Content) {
		return nil
	}
	var content []wireText
	if err := dialect.Decode(i.Content, path+".content", &content); err != nil {
		return err
	}
	texts := make([]string, 0, len(content))
	for _, part := range content {
		texts = append(texts, part.Text)
	}
	t.Text = strings.Join(texts, "\n\n")
	return nil
}

// opaque takes in an item of a hosted or a custom tool: what the model did, or what came of it.
func (c *conversation) opaque(raw json.RawMessage, kind string) {
	role := neutral.Assistant
	if strings.HasSuffix(kind, "_output") || strings.HasSuffix(kind, "_response") {
		role = neutral.User
	}
	c.add(role, note{Type: kind}, neutral.Part{Kind: neutral.OpaquePart, Source: neutral.Responses, Type: kind, Raw: raw})
}
