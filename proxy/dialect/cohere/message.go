package cohere

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// documentID begins the id that a document of the request gets; its index follows.
const documentID = "document-"

// Cohere refuses messages without content. These stand for a user who says nothing, and for a tool that returns nothing.
const (
	silence  = "..."
	noOutput = "(no output)"
)

// messages writes the conversation.
func (w *chatWriter) messages() error {
	w.member("messages")
	w.raw("[")
	if w.request.Format.Kind == neutral.FormatJSONObject && len(w.tools) > 0 {
		w.begin("system")
		w.member("content")
		w.quoted("When you answer without calling a tool, answer with one JSON object and nothing else: no text around it and no code fence.")
		w.raw("}")
	}
	for i := range w.request.Messages {
		message := &w.request.Messages[i]
		var err error
		switch message.Role {
		case neutral.System, neutral.Developer:
			err = w.system(message, i)
		case neutral.Assistant:
			err = w.assistant(message, i)
		case neutral.ToolRole:
			err = w.results(message, i)
		default:
			err = w.user(message, i)
		}
		if err != nil {
			return err
		}
	}
	w.raw("]")
	return nil
}

// begin begins a message.
func (w *chatWriter) begin(role string) {
	w.separate()
	w.raw(`{"role":"` + role + `"`)
}

func at(message, part int) string { return fmt.Sprintf("messages[%d].content[%d]", message, part) }

func unsupported(kind neutral.PartKind, message, part int) error {
	return &neutral.UnsupportedError{Field: at(message, part), Reason: "Cohere does not take a part of kind \"" + string(kind) + "\" here"}
}

// textBlock writes a block of text, unless it is blank, which Cohere refuses.
func (w *chatWriter) textBlock(text string) {
	if isBlank(text) {
		return
	}
	w.separate()
	w.raw(`{"type":"text","text":`)
	w.quoted(text)
	w.raw("}")
}

func isBlank(text string) bool { return strings.TrimSpace(text) == "" }

// isSilent tells whether a list of parts has nothing but blank text.
func isSilent(parts []neutral.Part) bool {
	return !slices.ContainsFunc(parts, func(p neutral.Part) bool { return p.Kind != neutral.TextPart || !isBlank(p.Text) })
}

// isString tells whether a message is one text, which Cohere takes as a string too.
func isString(m *neutral.Message) bool {
	return len(m.Parts) == 1 && m.Parts[0].Kind == neutral.TextPart
}

func (w *chatWriter) system(m *neutral.Message, index int) error {
	for j := range m.Parts {
		if m.Parts[j].Kind != neutral.TextPart {
			return unsupported(m.Parts[j].Kind, index, j)
		}
	}
	if isSilent(m.Parts) {
		return nil
	}
	w.begin("system")
	w.content(m)
	w.raw("}")
	return nil
}

// content writes the texts of a message.
func (w *chatWriter) content(m *neutral.Message) {
	w.member("content")
	if isString(m) {
		w.quoted(m.Parts[0].Text)
		return
	}
	w.raw("[")
	for j := range m.Parts {
		w.textBlock(m.Parts[j].Text)
	}
	w.raw("]")
}

func (w *chatWriter) user(m *neutral.Message, index int) error {
	w.begin("user")
	switch {
	case isSilent(m.Parts):
		w.member("content")
		w.quoted(silence)
		w.raw("}")
		return nil
	case isString(m):
		w.content(m)
		w.raw("}")
		return nil
	}
	w.member("content")
	w.raw("[")
	empty := len(w.dst)
	for j := range m.Parts {
		if err := w.userPart(&m.Parts[j], index, j); err != nil {
			return err
		}
	}
	if len(w.dst) == empty { // All that it said is in the documents.
		w.textBlock("See the documents.")
	}
	w.raw("]}")
	return nil
}

func (w *chatWriter) userPart(p *neutral.Part, index, j int) error {
	switch {
	case p.Kind == neutral.TextPart:
		w.textBlock(p.Text)
	case p.Kind == neutral.ImagePart && p.Media != nil:
		return w.image(p.Media, index, j)
	case p.Kind == neutral.FilePart && p.Media != nil:
		return w.document(p.Media, index, j)
	default:
		return unsupported(p.Kind, index, j)
	}
	return nil
}

func (w *chatWriter) image(m *neutral.Media, index, j int) error {
	url := m.URL
	switch {
	case m.Data != "" && m.MIME == "":
		return &neutral.UnsupportedError{Field: at(index, j) + ".image_url", Reason: "an image in base64 needs its media type"}
	case m.Data != "":
		url = "data:" + m.MIME + ";base64," + m.Data
	case !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://"):
		return &neutral.UnsupportedError{Field: at(index, j) + ".image_url", Reason: "Cohere takes images as base64 or by http(s) URL"}
	}
	w.separate()
	w.raw(`{"type":"image_url","image_url":{"url":`)
	w.quoted(url)
	if m.Detail == "low" || m.Detail == "high" || m.Detail == "auto" {
		w.raw(`,"detail":"` + m.Detail + `"`)
	}
	w.raw("}}")
	return nil
}

// document keeps a text for the list of documents. With a wanted format that list is refused, so that the text stands in the message then.
func (w *chatWriter) document(m *neutral.Media, index, j int) error {
	if m.Text == "" {
		return &neutral.UnsupportedError{Field: at(index, j) + ".file", Reason: "Cohere takes documents as plain text only"}
	}
	if w.request.Format.Kind == neutral.FormatText {
		w.documents = append(w.documents, m)
		return nil
	}
	title := ""
	if m.Name != "" {
		title = m.Name + "\n\n"
	}
	w.textBlock(title + m.Text)
	return nil
}

// cited writes the documents.
func (w *chatWriter) cited() {
	if len(w.documents) == 0 {
		return
	}
	w.member("documents")
	w.raw("[")
	for i, m := range w.documents {
		w.separate()
		w.raw(`{"id":"` + documentID + strconv.Itoa(i) + `","data":{`)
		if m.Name != "" {
			w.member("title")
			w.quoted(m.Name)
		}
		w.member("text")
		w.quoted(m.Text)
		if m.Context != "" {
			w.member("context")
			w.quoted(m.Context)
		}
		w.raw("}}")
	}
	w.raw("]")
}

// isSaid tells whether a part is something that the model said to the user.
func isSaid(p *neutral.Part) bool { return p.Kind == neutral.TextPart || p.Kind == neutral.RefusalPart }

// assistant writes what the model said. Its thoughts go back as the plan of its tool calls; without calls they have no use.
func (w *chatWriter) assistant(m *neutral.Message, index int) error {
	var texts, calls []int
	var plan strings.Builder
	for j := range m.Parts {
		switch part := &m.Parts[j]; {
		case isSilent(m.Parts[j : j+1]):
		case isSaid(part):
			texts = append(texts, j)
		case part.Kind == neutral.ToolCallPart && part.Call != nil:
			calls = append(calls, j)
		case part.Kind == neutral.ReasoningPart && part.Thought != nil:
			if part.Thought.Sealed() {
				w.report.Drop("reasoning")
				continue
			}
			plan.WriteString(part.Thought.Text)
		default:
			return unsupported(part.Kind, index, j)
		}
	}
	if len(texts)+len(calls) == 0 {
		return nil
	}
	w.begin("assistant")
	w.said(m, texts)
	if len(calls) > 0 {
		if plan.Len() > 0 {
			w.member("tool_plan")
			w.quoted(plan.String())
		}
		w.calls(m, calls)
	}
	w.raw("}")
	return nil
}

func (w *chatWriter) said(m *neutral.Message, texts []int) {
	switch len(texts) {
	case 0:
		return
	case 1:
		w.member("content")
		w.quoted(m.Parts[texts[0]].Text)
		return
	}
	w.member("content")
	w.raw("[")
	for _, j := range texts {
		w.textBlock(m.Parts[j].Text)
	}
	w.raw("]")
}

func (w *chatWriter) calls(m *neutral.Message, calls []int) {
	w.member("tool_calls")
	w.raw("[")
	for _, j := range calls {
		call := m.Parts[j].Call
		arguments := call.Arguments
		if strings.TrimSpace(arguments) == "" {
			arguments = "{}"
		}
		w.separate()
		w.raw(`{"id":`)
		w.quoted(call.ID)
		w.raw(`,"type":"function","function":{"name":`)
		w.quoted(call.Name)
		w.raw(`,"arguments":`)
		w.quoted(arguments)
		w.raw("}}")
	}
	w.raw("]")
}

// results writes one message for each result.
func (w *chatWriter) results(m *neutral.Message, index int) error {
	for j := range m.Parts {
		result := m.Parts[j].Result
		if m.Parts[j].Kind != neutral.ToolResultPart || result == nil {
			return unsupported(m.Parts[j].Kind, index, j)
		}
		w.begin("tool")
		w.member("tool_call_id")
		w.quoted(result.CallID)
		if err := w.output(result.Parts, index, j); err != nil {
			return err
		}
		w.raw("}")
	}
	return nil
}

// output writes what a tool returned: one text as a string, several as a list.
func (w *chatWriter) output(parts []neutral.Part, index, j int) error {
	w.member("content")
	if isSilent(parts) {
		w.quoted(noOutput)
		return nil
	}
	if len(parts) == 1 && parts[0].Kind == neutral.TextPart {
		w.quoted(parts[0].Text)
		return nil
	}
	w.raw("[")
	for k := range parts {
		switch part := &parts[k]; {
		case part.Kind == neutral.TextPart:
			w.textBlock(part.Text)
		case part.Kind == neutral.FilePart && part.Media != nil && part.Media.Text != "":
			w.textBlock(part.Media.Text)
		default:
			return unsupported(part.Kind, index, j)
		}
	}
	w.raw("]")
	return nil
}
