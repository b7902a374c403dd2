package openai

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// messages appends the conversation.
func (w *requestWriter) messages() error {
	w.dst = append(appendKey(w.dst, "messages"), '[')
	if prompt := w.formatPrompt(); prompt != "" {
		w.dst = append(appendText(append(w.dst, `{"role":"system"`...), "content", prompt), '}')
	}
	// media are pictures and files out of tool results, which have no place in messages of tools: they follow as the user's.
	var media []neutral.Part
	for i := range w.r.Messages {
		m := &w.r.Messages[i]
		if m.Role != neutral.ToolRole && len(media) > 0 {
			if err := w.resultMedia(i-1, media); err != nil {
				return err
			}
			media = nil
		}
		found, err := w.message(i, m)
		if err != nil {
			return err
		}
		media = append(media, found...)
	}
	if len(media) > 0 {
		if err := w.resultMedia(len(w.r.Messages)-1, media); err != nil {
			return err
		}
	}
	w.dst = append(w.dst, ']')
	return nil
}

// formatPrompt asks in words for what the target cannot be asked for, and for what OpenAI wants to be said in words, too; "" for nothing.
func (w *requestWriter) formatPrompt() string {
	f := &w.r.Format
	unknown := refused("response_format", &w.to.Quirks)
	switch {
	case f.Kind == neutral.FormatJSONSchema && (unknown || w.to.Quirks.NoJSONSchema):
		return schemaPrompt(f)
	case f.Kind == neutral.FormatJSONObject && (unknown || !w.native && !w.mentionsJSON()):
		return "Answer with nothing but one JSON object."
	}
	return ""
}

// mentionsJSON tells whether the conversation has the word that OpenAI demands with json_object.
func (w *requestWriter) mentionsJSON() bool {
	for i := range w.r.Messages {
		for j := range w.r.Messages[i].Parts {
			if strings.Contains(strings.ToLower(w.r.Messages[i].Parts[j].Text), "json") {
				return true
			}
		}
	}
	return false
}

// message appends a message, and returns what of a tool's result has to follow elsewhere.
func (w *requestWriter) message(index int, m *neutral.Message) ([]neutral.Part, error) {
	role := m.Role
	switch {
	case role == neutral.ToolRole:
		return w.results(index, m)
	case role == neutral.Assistant:
		return nil, w.assistant(index, m)
	// The chat templates of open models have no developer: a server of the user's own may refuse one.
	case role == neutral.Developer && (w.to.Quirks.NoDeveloper || w.to.Provider == vendorAny):
		role = neutral.System
	}
	w.dst = appendText(append(appendComma(w.dst), '{'), "role", string(role))
	w.name(m)
	if err := w.content(index, m.Role, m.Parts, m.PlainText); err != nil {
		return nil, err
	}
	w.endMessage(m)
	return nil, nil
}

// name appends the author's name.
func (w *requestWriter) name(m *neutral.Message) {
	if m.Name == "" {
		return
	}
	if slices.Contains(w.to.Quirks.RefusedInMessages, "name") {
		w.report.Drop("name")
		return
	}
	w.dst = appendText(w.dst, "name", m.Name)
}

// endMessage appends what only this API knows.
func (w *requestWriter) endMessage(m *neutral.Message) {
	for _, extra := range m.Extra {
		if w.native && !slices.Contains(w.to.Quirks.RefusedInMessages, extra.Name) {
			w.dst = append(append(jsonscan.AppendQuoted(appendComma(w.dst), extra.Name), ':'), extra.Value...)
		}
	}
	w.dst = append(w.dst, '}')
}

// results appends one message for each result.
func (w *requestWriter) results(index int, m *neutral.Message) ([]neutral.Part, error) {
	var media []neutral.Part
	for i := range m.Parts {
		result := m.Parts[i].Result
		if result == nil {
			return nil, unsupported(fmt.Sprintf("messages[%d]", index), "a message of tools holds something else than results")
		}
		texts, others := w.splitResult(result)
		media = append(media, others...)
		w.dst = appendText(append(appendComma(w.dst), '{'), "role", "tool")
		w.dst = appendText(w.dst, "tool_call_id", toolID(w.to.Quirks.ToolIDs, result.CallID))
		if err := w.content(index, neutral.ToolRole, texts, result.PlainText); err != nil {
			return nil, err
		}
		w.mark(m.Parts[i].Cache)
		w.endMessage(m)
	}
	return media, nil
}

// splitResult parts what can stand in a message of a tool from what cannot.
func (w *requestWriter) splitResult(result *neutral.ToolResult) (texts, media []neutral.Part) {
	for _, part := range result.Parts {
		if part.Kind == neutral.TextPart || part.Kind == neutral.OpaquePart {
			texts = append(texts, part)
			continue
		}
		media = append(media, part)
	}
	if result.Failed && !w.native {
		texts = markFailed(texts)
	}
	if len(texts) == 0 && len(media) > 0 {
		texts = append(texts, neutral.Part{Kind: neutral.TextPart, Text: "The result follows in the next message of the user."})
	}
	return texts, media
}

// markFailed says in words what this API has no member for.
func markFailed(texts []neutral.Part) []neutral.Part {
	const mark = "Error: "
	if len(texts) == 0 {
		return []neutral.Part{{Kind: neutral.TextPart, Text: "Error"}}
	}
	if texts[0].Kind == neutral.TextPart && !strings.HasPrefix(strings.ToLower(texts[0].Text), "error") {
		texts[0].Text = mark + texts[0].Text
	}
	return texts
}

// resultMedia appends what tools returned beside text as a message of the user.
func (w *requestWriter) resultMedia(index int, media []neutral.Part) error {
	w.dst = append(appendComma(w.dst), `{"role":"user"`...)
	if err := w.content(index, neutral.User, media, false); err != nil {
		return err
	}
	w.dst = append(w.dst, '}')
	return nil
}

// content appends the content of a message: a string where that says the same, and a list of parts otherwise.
func (w *requestWriter) content(index int, role neutral.Role, parts []neutral.Part, plain bool) error {
	onlyText := !slices.ContainsFunc(parts, func(p neutral.Part) bool { return p.Kind != neutral.TextPart })
	switch flat := slices.Contains(w.to.Quirks.TextOnly, role); {
	case flat && !onlyText:
		return unsupported(fmt.Sprintf("messages[%d].content", index), "only text can be sent there in a message of this role")
	case flat, onlyText && (plain || !w.native) && w.isShort(parts):
		if slices.ContainsFunc(parts, isMarked) {
			w.report.Drop("cache_control")
		}
		w.dst = appendText(w.dst, "content", joinTexts(parts, "\n"))
		return nil
	}
	w.dst = append(appendKey(w.dst, "content"), '[')
	for i := range parts {
		if err := w.part(&parts[i], fmt.Sprintf("messages[%d].content[%d]", index, i)); err != nil {
			return err
		}
	}
	w.dst = append(w.dst, ']')
	return nil
}

func isMarked(p neutral.Part) bool { return p.Cache != nil }

// isShort tells whether a list of texts would say no more than one string, which all servers know.
func (w *requestWriter) isShort(parts []neutral.Part) bool {
	return len(parts) <= 1 && (!slices.ContainsFunc(parts, isMarked) || !takesCacheMarks(w.to.Provider))
}

func joinTexts(parts []neutral.Part, separator string) string {
	if len(parts) == 1 {
		return parts[0].Text
	}
	texts := make([]string, len(parts))
	for i := range parts {
		texts[i] = parts[i].Text
	}
	return strings.Join(texts, separator)
}

// assistant appends what the model said.
func (w *requestWriter) assistant(index int, m *neutral.Message) error {
	said := turn{native: w.native}
	if err := said.sort(m.Parts); err != nil {
		return unsupported(fmt.Sprintf("messages[%d]", index), err.Error())
	}
	w.dst = append(appendComma(w.dst), `{"role":"assistant"`...)
	w.name(m)
	if err := w.said(index, m.PlainText, &said); err != nil {
		return err
	}
	w.thoughts(&said)
	w.calls(&said)
	w.endMessage(m)
	return nil
}

// said appends what the model said to the user. Only beside calls OpenAI takes a message without content.
func (w *requestWriter) said(index int, plain bool, said *turn) error {
	refused := said.refusal != "" && w.takesRefusal()
	switch {
	case len(said.content) > 0:
		if err := w.content(index, neutral.Assistant, said.content, plain); err != nil {
			return err
		}
	case refused && len(said.calls) == 0 && !w.native:
		w.dst = appendText(append(appendKey(w.dst, "content"), `[{"type":"refusal"`...), "refusal", said.refusal)
		w.dst = append(w.dst, "}]"...)
		return nil
	case refused, said.refusal == "" && len(said.calls) > 0:
		w.dst = appendRaw(w.dst, "content", "null")
	default:
		w.dst = appendText(w.dst, "content", said.refusal)
	}
	if refused {
		w.dst = appendText(w.dst, "refusal", said.refusal)
	}
	return nil
}

// takesRefusal tells whether the target knows refusals.
func (w *requestWriter) takesRefusal() bool {
	return (w.native || isOpenAI(w.to.Provider)) && !slices.Contains(w.to.Quirks.RefusedInMessages, "refusal")
}
