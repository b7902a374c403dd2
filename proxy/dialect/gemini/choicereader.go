package gemini

import (
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// choiceReader makes neutral events of one candidate's chunks.
type choiceReader struct {
	index int
	// parts is the number of parts begun, and open the kind of the one that is not ended; empty when there is none.
	parts int
	open  neutral.PartKind
	// seal is the signature of a text that is open; it is told behind the text.
	seal string
	// partial is a call whose arguments come in pieces; nil when there is none.
	partial *partialCall
	calls   int
	// reason to end that came with content. It is held back, for some models tell one with every chunk.
	reason   string
	finished bool
	// size is the length of the text so far in bytes; wide tells that it has less characters than that.
	size int64
	wide bool
	// cited are the citations that were told.
	cited map[cited]struct{}
}

// read takes in the candidate of a chunk.
func (r *choiceReader) read(dst []neutral.Event, c *candidate) ([]neutral.Event, error) {
	if r.finished {
		return dst, nil
	}
	from, content := len(dst), false
	for i := range c.parts {
		p := &c.parts[i]
		content = content || p.kind != "text" || len(p.value) > len(`""`)
		var err error
		if dst, err = r.readPart(dst, p); err != nil {
			return dst, err
		}
	}
	dst = r.cite(dst, c)
	if c.logprobs != nil {
		setLogProbs(dst[from:], c.logprobs)
	}
	switch {
	case c.finish == "" || c.finish == unspecifiedReason:
		if content {
			r.reason = ""
		}
	case content:
		r.reason = c.finish
	default:
		dst = r.finish(dst, c.finish, finishOf(c.finish, r.calls))
	}
	return dst, nil
}

// unspecifiedReason stands for no reason.
const unspecifiedReason = "FINISH_REASON_UNSPECIFIED"

// readPart takes in a part.
func (r *choiceReader) readPart(dst []neutral.Event, p *part) ([]neutral.Event, error) {
	if r.partial != nil && p.kind != "functionCall" {
		dst = r.endPartial(dst)
	}
	switch p.kind {
	case "functionCall":
		return r.readCall(dst, p)
	case "inlineData", "fileData":
		media := readMedia(p.value)
		dst = r.whole(r.sealed(dst, p.signature, ""), neutral.Part{Kind: mediaKind(media), Media: media})
	case "executableCode", "codeExecutionResult", "toolCall", "toolResponse", "functionResponse":
		dst = r.whole(dst, neutral.Part{Kind: neutral.OpaquePart, Source: neutral.GenerateContent, Type: p.kind, Raw: p.raw})
	default:
		if p.thought {
			return r.readThought(dst, p), nil
		}
		dst = r.readText(dst, p)
	}
	return dst, nil
}

// readText takes in a piece of the text. A signature that comes with the text or alone behind it is told when the text ends; one that comes first, before.
func (r *choiceReader) readText(dst []neutral.Event, p *part) []neutral.Event {
	piece := p.text()
	if p.signature != "" {
		if r.open != neutral.TextPart {
			dst = r.sealed(dst, p.signature, "")
		} else {
			r.seal = p.signature
		}
	}
	if piece == "" {
		return dst
	}
	dst = r.begin(dst, neutral.TextPart, neutral.Part{Kind: neutral.TextPart})
	r.count(piece)
	return append(dst, neutral.Event{Kind: neutral.EventPartDelta, Choice: r.index, Index: r.parts - 1, Delta: neutral.Delta{Text: piece}})
}

// count adds to the length of the text.
func (r *choiceReader) count(piece string) {
	r.wide = r.wide || !ascii(piece)
	r.size += int64(len(piece))
}

// readThought takes in a piece of the thinking. A signature ends it.
func (r *choiceReader) readThought(dst []neutral.Event, p *part) []neutral.Event {
	piece := p.text()
	if piece == "" && p.signature == "" {
		return dst
	}
	dst = r.begin(dst, neutral.ReasoningPart, neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{}})
	if piece != "" {
		dst = append(dst, neutral.Event{Kind: neutral.EventPartDelta, Choice: r.index, Index: r.parts - 1, Delta: neutral.Delta{Text: piece}})
	}
	if p.signature == "" {
		return dst
	}
	seal := neutral.Delta{Signature: p.signature, Origin: neutral.OriginGemini}
	return r.stop(append(dst, neutral.Event{Kind: neutral.EventPartDelta, Choice: r.index, Index: r.parts - 1, Delta: seal}))
}

// begin begins a part, unless one of its kind is open.
func (r *choiceReader) begin(dst []neutral.Event, kind neutral.PartKind, p neutral.Part) []neutral.Event {
	if r.open == kind {
		return dst
	}
	dst = r.stop(dst)
	r.open = kind
	r.parts++
	return append(dst, neutral.Event{Kind: neutral.EventPartStart, Choice: r.index, Index: r.parts - 1, Part: p})
}

// stop ends the open part, and tells the seal that came with it.
func (r *choiceReader) stop(dst []neutral.Event) []neutral.Event {
	if r.open == "" {
		return dst
	}
	dst = append(dst, neutral.Event{Kind: neutral.EventPartStop, Choice: r.index, Index: r.parts - 1})
	r.open = ""
	seal := r.seal
	r.seal = ""
	return r.sealed(dst, seal, "")
}

// whole tells a part that comes in one piece.
func (r *choiceReader) whole(dst []neutral.Event, p neutral.Part) []neutral.Event {
	dst = r.stop(dst)
	return r.stop(r.begin(dst, p.Kind, p))
}

// sealed tells the seal of the part that follows, whose call has this id; nothing without a signature.
func (r *choiceReader) sealed(dst []neutral.Event, signature, id string) []neutral.Event {
	if signature == "" {
		return dst
	}
	dst = r.stop(dst)
	dst = r.begin(dst, neutral.ReasoningPart, neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{ID: id}})
	seal := neutral.Delta{Encrypted: signature, Origin: neutral.OriginGemini}
	return r.stop(append(dst, neutral.Event{Kind: neutral.EventPartDelta, Choice: r.index, Index: r.parts - 1, Delta: seal}))
}

// readCall takes in a call, or a piece of one.
func (r *choiceReader) readCall(dst []neutral.Event, p *part) ([]neutral.Event, error) {
	c := readCall(p.value)
	if r.partial != nil && c.name != "" && (c.name != r.partial.name || c.args != nil) {
		dst = r.endPartial(dst)
	}
	if r.partial == nil {
		if c.name == "" {
			return dst, nil
		}
		if c.id == "" {
			c.id = newCallID()
		}
		dst = r.sealed(dst, p.signature, c.id)
		r.calls++
		started := neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: c.id, Name: c.name}}
		dst = r.begin(r.stop(dst), neutral.ToolCallPart, started)
		r.partial = &partialCall{name: c.name}
	}
	if err := r.partial.add(&c); err != nil {
		return dst, err
	}
	if c.continues {
		return dst, nil
	}
	return r.endPartial(dst), nil
}

// endPartial tells the arguments of the open call, in one piece, and ends it.
func (r *choiceReader) endPartial(dst []neutral.Event) []neutral.Event {
	arguments := neutral.Delta{Text: r.partial.arguments()}
	r.partial = nil
	return r.stop(append(dst, neutral.Event{Kind: neutral.EventPartDelta, Choice: r.index, Index: r.parts - 1, Delta: arguments}))
}

// finish ends the choice.
func (r *choiceReader) finish(dst []neutral.Event, native string, finish neutral.Finish) []neutral.Event {
	if r.finished {
		return dst
	}
	if r.partial != nil {
		dst = r.endPartial(dst)
	}
	r.finished = true
	return append(r.stop(dst), neutral.Event{Kind: neutral.EventFinish, Choice: r.index, Finish: finish, Native: native})
}

// end ends the choice for the reason that was held back.
func (r *choiceReader) end(dst []neutral.Event) []neutral.Event {
	return r.finish(dst, r.reason, finishOf(r.reason, r.calls))
}
