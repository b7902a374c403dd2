package anthropic

import (
	"slices"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// placeholder is what the user says where a conversation does not begin with the user, as the API demands.
const placeholder = "..."

// placed is a part with its place in the neutral request, for errors.
type placed struct {
	part           *neutral.Part
	message, index int
}

// field is the part's name.
func (p placed) field() string {
	return "messages[" + strconv.Itoa(p.message) + "].content[" + strconv.Itoa(p.index) + "]"
}

// turn is what one side says before the other does.
type turn struct {
	role   neutral.Role
	blocks []placed
	// plain tells that this is one message whose content was a string.
	plain bool
	extra []neutral.Member
}

// planTurns sorts the parts of the conversation into the system prompt and turns that alternate, without what the API refuses.
func (w *requestWriter) planTurns() error {
	for i := range w.r.Messages {
		if err := w.planMessage(i); err != nil {
			return err
		}
	}
	for i := range w.turns {
		// The API wants results before anything else.
		slices.SortStableFunc(w.turns[i].blocks, func(a, b placed) int { return resultRank(a) - resultRank(b) })
	}
	if len(w.turns) > 0 && w.prefills() && !w.model.prefill() && !w.native() {
		last := w.turns[len(w.turns)-1].blocks[0]
		return unsupported("messages["+strconv.Itoa(last.message)+"]", "the conversation must end with the user: this model does not go on with an assistant's text")
	}
	return nil
}

func resultRank(p placed) int {
	if p.part.Kind == neutral.ToolResultPart {
		return 0
	}
	return 1
}

func (w *requestWriter) planMessage(index int) error {
	m := &w.r.Messages[index]
	if m.Name != "" {
		w.report.Drop("name")
	}
	role := m.Role
	if role == neutral.ToolRole {
		role = neutral.User
	}
	for i := range m.Parts {
		p := placed{&m.Parts[i], index, i}
		switch {
		case !w.sendable(p.part):
		case w.native() && role == neutral.System && len(w.turns) > 0: // The API has such messages since Claude 4.8.
			w.place(role, m, p)
		case role == neutral.System, role == neutral.Developer:
			if p.part.Kind != neutral.TextPart {
				return unsupported(p.field(), "the instructions of the system can be text only")
			}
			w.system = append(w.system, p)
		default:
			w.place(role, m, p)
		}
	}
	return nil
}

// place adds a part to the conversation.
func (w *requestWriter) place(role neutral.Role, m *neutral.Message, p placed) {
	if last := len(w.turns) - 1; last >= 0 && w.turns[last].role == role {
		same := w.turns[last].blocks[0].message == p.message
		w.turns[last].blocks = append(w.turns[last].blocks, p)
		w.turns[last].plain = w.turns[last].plain && same
		if !same && w.native() {
			w.turns[last].extra = append(slices.Clone(w.turns[last].extra), m.Extra...)
		}
		return
	}
	next := turn{role: role, blocks: []placed{p}, plain: m.PlainText && p.part.Kind == neutral.TextPart && p.part.Cache == nil}
	if w.native() {
		next.extra = m.Extra
	}
	w.turns = append(w.turns, next)
}

// sendable tells whether the API takes a part at all. Blank texts are refused, thoughts must be sealed by the target.
func (w *requestWriter) sendable(p *neutral.Part) bool {
	switch p.Kind {
	case neutral.TextPart, neutral.RefusalPart:
		return strings.TrimSpace(p.Text) != ""
	case neutral.ReasoningPart:
		if p.Thought.Sealed() && p.Thought.Origin != w.to.Origin {
			w.report.Drop("reasoning")
			return false
		}
		return p.Thought.Sealed()
	case neutral.ImagePart, neutral.AudioPart, neutral.VideoPart, neutral.FilePart, neutral.ToolCallPart, neutral.ToolResultPart, neutral.OpaquePart:
	}
	return true
}

// prefills tells that the conversation ends with the assistant, whose text the model is to go on with.
func (w *requestWriter) prefills() bool {
	return len(w.turns) > 0 && w.turns[len(w.turns)-1].role == neutral.Assistant
}

// loopWithoutThought tells that the model's last words, which are waiting for results, do not begin with a thought: then a model with a budget for
// thinking refuses to go on. It happens when another model, or one that did not think, said them.
func (w *requestWriter) loopWithoutThought() bool {
	last := len(w.turns) - 1
	if last < 1 || w.turns[last].role != neutral.User || w.turns[last].blocks[0].part.Kind != neutral.ToolResultPart {
		return false
	}
	return w.turns[last-1].blocks[0].part.Kind != neutral.ReasoningPart
}

// writeSystem writes the system prompt: the application's own, then the notes.
func (w *requestWriter) writeSystem() {
	if len(w.system)+len(w.notes) == 0 {
		return
	}
	w.next("system")
	if len(w.notes) == 0 && len(w.system) == 1 && w.r.Messages[w.system[0].message].PlainText && w.system[0].part.Cache == nil {
		w.dst = jsonscan.AppendQuoted(w.dst, w.system[0].part.Text)
		return
	}
	w.dst = append(w.dst, '[')
	for _, p := range w.system {
		w.dst = append(w.dst, `{"type":"text"`...)
		w.dst = appendString(w.dst, "text", p.part.Text)
		w.closeBlock(p.part)
		w.dst = append(w.dst, ',')
	}
	for _, note := range w.notes {
		w.dst = append(appendString(append(w.dst, `{"type":"text"`...), "text", note), "},"...)
	}
	w.dst[len(w.dst)-1] = ']'
}

// writeTurns writes the conversation.
func (w *requestWriter) writeTurns() error {
	w.next("messages")
	w.dst = append(w.dst, '[')
	if len(w.turns) == 0 || w.turns[0].role != neutral.User && !w.native() {
		w.dst = append(w.dst, `{"role":"user","content":"`+placeholder+`"},`...)
	}
	if w.prefills() && !w.native() {
		w.turns[len(w.turns)-1].trim()
	}
	for i := range w.turns {
		if err := w.writeTurn(&w.turns[i]); err != nil {
			return err
		}
		w.dst = append(w.dst, ',')
	}
	w.dst[len(w.dst)-1] = ']'
	return nil
}
