package bedrock

import (
	"fmt"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// opening is what the user says where the conversation has nothing of the user at its beginning, as Bedrock demands.
const opening = "Go on."

// role of a message in Converse.
type role string

const (
	user      role = "user"
	assistant role = "assistant"
)

// turn is a message that is being written. Neighbours of the same role are one message, for Bedrock wants the roles to alternate.
type turn struct {
	role role
	// text and document tell which blocks it has so far: no document goes without text.
	text, document bool
}

// messages writes all but the instructions.
func (w *writer) messages() error {
	w.member("messages")
	w.raw("[")
	for i := range w.request.Messages {
		message := &w.request.Messages[i]
		if message.Role == neutral.System || message.Role == neutral.Developer {
			continue
		}
		for j := range message.Parts {
			path := partPath{message: i, part: j}
			if err := w.part(message.Role, &message.Parts[j], path); err != nil {
				return err
			}
		}
	}
	if w.turn.role == "" {
		w.text(user, opening)
	}
	if w.request.Cache != nil {
		w.cachePoint(w.request.Cache)
	}
	w.closeTurn()
	w.raw("]")
	return nil
}

// open begins a block in a message of the role.
func (w *writer) open(r role) {
	if w.turn.role != r {
		if w.turn.role == "" && r == assistant {
			w.text(user, opening)
		}
		w.closeTurn()
		w.turn = turn{role: r}
		w.element(`{"role":"` + string(r) + `","content":[`)
	}
	w.separate()
}

func (w *writer) closeTurn() {
	if w.turn.role == "" {
		return
	}
	if w.turn.document && !w.turn.text {
		w.raw(`,{"text":"See the attached document."}`)
	}
	w.raw("]}")
}

// text writes a block of text. Bedrock refuses blank ones.
func (w *writer) text(r role, text string) {
	if strings.TrimSpace(text) == "" {
		return
	}
	w.open(r)
	w.turn.text = true
	w.raw(`{"text":`)
	w.quoted(text)
	w.raw("}")
}

// cachePoint marks the prompt up to here, where the model has such marks and there is something to mark.
func (w *writer) cachePoint(mark *neutral.CacheMark) {
	if mark == nil || w.turn.role == "" {
		return
	}
	if !w.plan.model.caches() {
		w.report.Drop("cache_control")
		return
	}
	w.separate()
	w.cacheBlock(mark)
}

func (w *writer) cacheBlock(mark *neutral.CacheMark) {
	w.raw(`{"cachePoint":{"type":"default"`)
	switch {
	case mark.TTL == "" || mark.TTL == "5m":
	case w.plan.model.cachesForHours():
		w.member("ttl")
		w.quoted(mark.TTL)
	default:
		w.report.Drop("cache_control")
	}
	w.raw("}}")
}

// partPath is where a part stands in the request.
type partPath struct{ message, part int }

// field is the name of a part's member for errors; the part itself without one.
func (p partPath) field(member string) string {
	path := fmt.Sprintf("messages[%d].content[%d]", p.message, p.part)
	if member == "" {
		return path
	}
	return path + "." + member
}

// system writes the instructions, wherever they stand in the conversation.
func (w *writer) system() error {
	asked := w.plan.output == askedOutput
	begun := false
	begin := func() {
		if !begun {
			w.member("system")
			w.raw("[")
			begun = true
		}
		w.separate()
	}
	for i := range w.request.Messages {
		message := &w.request.Messages[i]
		if message.Role != neutral.System && message.Role != neutral.Developer {
			continue
		}
		for j := range message.Parts {
			part := &message.Parts[j]
			if part.Kind != neutral.TextPart {
				return &neutral.UnsupportedError{Field: partPath{message: i, part: j}.field(""), Reason: "AWS Bedrock takes instructions as text only"}
			}
			if strings.TrimSpace(part.Text) == "" {
				continue
			}
			begin()
			w.raw(`{"text":`)
			w.quoted(part.Text)
			w.raw("}")
			w.systemMark(part.Cache)
		}
	}
	if asked {
		begin()
		w.raw(`{"text":`)
		w.quoted(askForJSON(&w.request.Format))
		w.raw("}")
	}
	if begun {
		w.raw("]")
	}
	return nil
}

func (w *writer) systemMark(mark *neutral.CacheMark) {
	switch {
	case mark == nil:
	case w.plan.model.caches():
		w.separate()
		w.cacheBlock(mark)
	default:
		w.report.Drop("cache_control")
	}
}

// askForJSON is the instruction where nothing else makes the model answer in JSON.
func askForJSON(f *neutral.Format) string {
	if len(f.Schema) == 0 {
		return "Answer with one JSON object and nothing else: no text around it and no code fence."
	}
	return "Answer with JSON that follows this JSON schema, and nothing else: no text around it and no code fence.\n" + string(f.Schema)
}
