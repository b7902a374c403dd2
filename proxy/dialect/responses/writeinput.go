package responses

import (
	"encoding/json"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// conversation writes the instructions and the input.
func (w *requestWriter) conversation() error {
	messages := w.request.Messages
	first := 0
	if text, ok := w.instructions(); ok {
		w.quoted("instructions", text)
		first = 1
	}
	if text := w.formatInWords(); text != "" {
		messages = append(messages[:len(messages):len(messages)], neutral.Message{
			Role: neutral.System, PlainText: true, Parts: []neutral.Part{{Kind: neutral.TextPart, Text: text}},
		})
	}
	if rest := messages[first:]; len(rest) == 1 && plainQuestion(&rest[0]) {
		w.put("input", quoted(rest[0].Parts[0].Text))
		return nil
	}
	list := inputWriter{requestWriter: w}
	for i := first; i < len(messages); i++ {
		if err := list.message(&messages[i], "messages["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
	}
	w.put("input", append(append([]byte("["), list.items...), ']'))
	return nil
}

// plainQuestion tells whether the message can stand as a string in the place of a list of items.
func plainQuestion(m *neutral.Message) bool {
	return m.Role == neutral.User && m.Name == "" && m.PlainText && len(m.Parts) == 1 && m.Parts[0].Kind == neutral.TextPart && m.Parts[0].Cache == nil && !noted(m)
}

// instructions are the text of the first message, where that is what "instructions" is for.
func (w *requestWriter) instructions() (string, bool) {
	if len(w.request.Messages) == 0 || w.sets("instructions") {
		return "", false
	}
	first := &w.request.Messages[0]
	if w.native() {
		return markedInstructions(first)
	}
	if first.Role != neutral.System || first.Name != "" || len(first.Parts) != 1 || len(w.request.Messages) == 1 {
		return "", false
	}
	part := &first.Parts[0]
	return part.Text, part.Kind == neutral.TextPart && part.Cache == nil && part.Text != ""
}

// markedInstructions are the text of a message that stood in "instructions".
func markedInstructions(m *neutral.Message) (string, bool) {
	if len(m.Extra) != 1 || m.Extra[0].Name != instructionsName || len(m.Parts) != 1 {
		return "", false
	}
	return m.Parts[0].Text, true
}

// formatInWords tells the model what the target cannot be told: a schema where "any JSON object" is all that it knows; and that JSON is wanted at all, which
// the API demands to stand in the prompt, where the request came from an API that does not.
func (w *requestWriter) formatInWords() string {
	format, source := w.request.Format, w.request.Source
	switch {
	case w.to.Quirks.NoJSONSchema && format.Kind == neutral.FormatJSONSchema:
		return "Answer with one JSON object that follows this JSON schema, and with nothing else:\n" + string(format.Schema)
	case format.Kind == neutral.FormatJSONObject && source != neutral.ChatCompletions && !w.native():
		return "Answer with one JSON object, and with nothing else."
	}
	return ""
}

// inputWriter writes the items of the input.
type inputWriter struct {
	*requestWriter
	items []byte
}

// noted tells whether the message's items are known.
func noted(m *neutral.Message) bool {
	return len(m.Extra) > 0 && m.Extra[0].Name == notesName
}

// message writes the items of a message.
func (w *inputWriter) message(m *neutral.Message, path string) error {
	if m.Name != "" {
		w.report.Drop("name")
	}
	from := 0
	for _, n := range w.notes(m) {
		to := from + n.Parts
		if err := w.item(m, n, partRange{from: from, to: to, path: path}); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// partRange is a part of a message's parts, and the path of the message.
type partRange struct {
	from, to int
	path     string
}

// field names a part of the message.
func (p partRange) field(i int) string { return p.path + ".content[" + strconv.Itoa(i) + "]" }

// notes tell how the message's parts are spread over items: as they came in, or else each text with its neighbours, and all else alone.
func (w *inputWriter) notes(m *neutral.Message) []note {
	if w.native() && noted(m) {
		var notes []note
		if json.Unmarshal(m.Extra[0].Value, &notes) == nil {
			return notes
		}
	}
	var notes []note
	for i := range m.Parts {
		kind := itemType(&m.Parts[i])
		if last := len(notes) - 1; kind == "message" && last >= 0 && notes[last].Type == "message" {
			notes[last].Parts++
			continue
		}
		notes = append(notes, note{Type: kind, Parts: 1})
	}
	if len(notes) == 1 && m.PlainText {
		notes[0].Plain = true
	}
	return notes
}

// itemType is the type of the item that a part of a message belongs in.
func itemType(p *neutral.Part) string {
	switch p.Kind {
	case neutral.ToolCallPart:
		return "function_call"
	case neutral.ToolResultPart:
		return "function_call_output"
	case neutral.ReasoningPart:
		return "reasoning"
	case neutral.OpaquePart:
		return p.Type
	default:
		return "message"
	}
}

// item writes one item.
func (w *inputWriter) item(m *neutral.Message, n note, parts partRange) error {
	if n.Type == "message" {
		return w.text(m, n, parts)
	}
	part := &m.Parts[parts.from]
	switch part.Kind {
	case neutral.ToolCallPart:
		w.call(part.Call, n)
	case neutral.ToolResultPart:
		return w.result(part, n, parts.field(parts.from))
	case neutral.ReasoningPart:
		w.thought(part.Thought, n)
	default:
		if part.Source != neutral.Responses {
			return &neutral.UnsupportedError{Field: parts.field(parts.from), Reason: "a part of type " + part.Type + " cannot be sent to the Responses API"}
		}
		w.items = appendNext(w.items, part.Raw)
	}
	return nil
}

// add writes an item with the members that were noted of it.
func (w *inputWriter) add(object []byte, n note) {
	if len(n.Members) > 2 {
		object = append(append(object[:len(object)-1], ','), n.Members[1:]...)
	}
	w.items = appendNext(w.items, object)
}

// text writes an item of type message.
func (w *inputWriter) text(m *neutral.Message, n note, parts partRange) error {
	role := m.Role
	if role == neutral.Developer && w.to.Quirks.NoDeveloper {
		role = neutral.System
	}
	object := append([]byte(`{"type":"message","role":"`), role...)
	object = append(object, `","content":`...)
	if n.Plain && parts.to-parts.from == 1 && m.Parts[parts.from].Kind == neutral.TextPart {
		object = jsonscan.AppendQuoted(object, m.Parts[parts.from].Text)
		w.add(append(object, '}'), n)
		return nil
	}
	object = append(object, '[')
	var list []byte
	for i := parts.from; i < parts.to; i++ {
		part, err := w.part(&m.Parts[i], role, parts.field(i))
		if err != nil {
			return err
		}
		list = appendNext(list, part)
	}
	w.add(append(append(object, list...), "]}"...), n)
	return nil
}

func (w *inputWriter) call(call *neutral.ToolCall, n note) {
	arguments := call.Arguments
	if arguments == "" {
		arguments = "{}"
	}
	object := jsonscan.AppendQuoted([]byte(`{"type":"function_call","call_id":`), call.ID)
	object = jsonscan.AppendQuoted(append(object, `,"name":`...), call.Name)
	object = jsonscan.AppendQuoted(append(object, `,"arguments":`...), arguments)
	w.add(append(object, '}'), n)
}

// result writes what a function returned. The API has no place for its failure, which the text tells.
func (w *inputWriter) result(part *neutral.Part, n note, path string) error {
	result := part.Result
	if result.Failed {
		w.report.Drop("is_error")
	}
	object := jsonscan.AppendQuoted([]byte(`{"type":"function_call_output","call_id":`), result.CallID)
	object = append(object, `,"output":`...)
	text, plain := w.plainResult(result)
	if plain {
		w.add(append(jsonscan.AppendQuoted(object, text), '}'), n)
		return nil
	}
	var list []byte
	for i := range result.Parts {
		part, err := w.part(&result.Parts[i], neutral.ToolRole, path+".content["+strconv.Itoa(i)+"]")
		if err != nil {
			return err
		}
		list = appendNext(list, part)
	}
	object = append(append(append(object, '['), list...), "]}"...)
	w.add(object, n)
	return nil
}

// plainResult is the result as one string, where it can be one: some servers of this API know no other.
func (w *inputWriter) plainResult(r *neutral.ToolResult) (string, bool) {
	texts := make([]string, 0, len(r.Parts))
	for i := range r.Parts {
		if r.Parts[i].Kind != neutral.TextPart {
			return "", false
		}
		texts = append(texts, r.Parts[i].Text)
	}
	if w.native() && !r.PlainText {
		return "", false
	}
	return strings.Join(texts, "\n"), true
}

// thought writes a thought that the target can take back: one that it sealed itself, or an open one where nothing is sealed. A thought that only another
// model can read is reported; an open one is missed by nobody.
func (w *inputWriter) thought(t *neutral.Thought, n note) {
	switch {
	case t.Sealed() && (t.Origin != w.to.Origin || t.Encrypted == "" && !signs(t.Origin)):
		w.report.Drop("reasoning")
		return
	case !t.Sealed() && !w.native() && w.to.Origin != neutral.NoOrigin:
		return
	}
	object := jsonscan.AppendQuoted([]byte(`{"type":"reasoning","id":`), w.thoughtID(t))
	object = appendSummary(append(object, `,"summary":`...), t.Summary)
	if t.Text != "" {
		object = jsonscan.AppendQuoted(append(object, `,"content":[{"type":"reasoning_text","text":`...), t.Text)
		object = append(object, "}]"...)
	}
	seals := [...]struct{ name, text string }{{"encrypted_content", t.Encrypted}, {"signature", t.Signature}, {"format", w.formatOf(t)}}
	for _, seal := range seals {
		if seal.text != "" {
			object = append(append(append(object, `,"`...), seal.name...), `":`...)
			object = jsonscan.AppendQuoted(object, seal.text)
		}
	}
	w.add(append(object, '}'), n)
}

// formatOf is what OpenRouter, which passes requests on to several vendors, wants to know of a signed thought: whose it is.
func (w *inputWriter) formatOf(t *neutral.Thought) string {
	if signs(t.Origin) && !w.native() {
		return string(t.Origin)
	}
	return ""
}

// thoughtID is the id of a thought, which the API demands, in the form that it demands.
func (w *inputWriter) thoughtID(t *neutral.Thought) string {
	w.reasonings++
	if strings.HasPrefix(t.ID, "rs_") {
		return t.ID
	}
	return "rs_" + strconv.Itoa(w.reasonings)
}

// appendSummary appends the paragraphs of a summary as a list to dst.
func appendSummary(dst []byte, paragraphs []string) []byte {
	dst = append(dst, '[')
	for i, paragraph := range paragraphs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsonscan.AppendQuoted(append(dst, `{"type":"summary_text","text":`...), paragraph)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}
