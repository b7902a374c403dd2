package openai

import "signalbox.dev/signalbox/proxy/dialect/neutral"

// choiceReader reads the deltas of one choice.
type choiceReader struct {
	index    int
	finished bool
	// open is the kind of the part that is open; empty when none is. part is its index and next that of the next one.
	open       neutral.PartKind
	part, next int
	// calls are the tool calls so far, and current the one whose part is open.
	calls   []callReader
	current int
	// refused tells that there was a refusal.
	refused bool
	// thought is the last entry of reasoning_details, and sealed tells that the open thought has its seal.
	thought detail
	sealed  bool
	// summary is the index of the summary's current paragraph.
	summary int
	// seals are Gemini's seals of calls that have not come yet.
	seals []detail
}

func (c *choiceReader) read(dst []neutral.Event, in *chunk) ([]neutral.Event, error) {
	if c.finished {
		return dst, nil
	}
	dst = c.readThoughts(dst, in)
	dst = c.readContent(dst, in)
	if in.refusal != nil && in.refusal[0] == '"' {
		c.refused = true
		dst = c.add(c.begin(dst, neutral.RefusalPart), neutral.Delta{Text: unquote(in.refusal)})
	}
	dst = c.readMedia(dst, in)
	dst, err := c.readCalls(dst, in)
	if err != nil {
		return dst, err
	}
	if word := textOr(in.finish); word != "" {
		dst = c.finish(dst, word, textOr(in.native))
	}
	return dst, nil
}

// begin opens a part of a kind, unless one is open.
func (c *choiceReader) begin(dst []neutral.Event, kind neutral.PartKind) []neutral.Event {
	if c.open == kind {
		return dst
	}
	part := neutral.Part{Kind: kind}
	if kind == neutral.ReasoningPart {
		part.Thought = &neutral.Thought{}
	}
	return c.start(dst, part)
}

// start opens a part, and closes the one before it.
func (c *choiceReader) start(dst []neutral.Event, part neutral.Part) []neutral.Event {
	dst = c.stop(dst)
	c.open, c.part, c.sealed, c.summary = part.Kind, c.next, false, 0
	c.next++
	return append(dst, neutral.Event{Kind: neutral.EventPartStart, Choice: c.index, Index: c.part, Part: part})
}

// stop closes the open part.
func (c *choiceReader) stop(dst []neutral.Event) []neutral.Event {
	if c.open == "" {
		return dst
	}
	if c.open == neutral.ToolCallPart {
		c.calls[c.current].stopped = true
	}
	c.open = ""
	return append(dst, neutral.Event{Kind: neutral.EventPartStop, Choice: c.index, Index: c.part})
}

// add adds to the open part.
func (c *choiceReader) add(dst []neutral.Event, delta neutral.Delta) []neutral.Event {
	return append(dst, neutral.Event{Kind: neutral.EventPartDelta, Choice: c.index, Index: c.part, Delta: delta})
}

// readContent takes in the text of the answer. Mistral sends lists of parts where the model thinks.
func (c *choiceReader) readContent(dst []neutral.Event, in *chunk) []neutral.Event {
	switch {
	case in.content == nil:
		if c.open == neutral.TextPart && len(in.logProbs) > 0 && in.logProbs[0] == '{' {
			dst = c.add(dst, neutral.Delta{LogProbs: in.logProbs})
		}
		return dst
	case in.content[0] == '"':
		delta := neutral.Delta{Text: unquote(in.content)}
		if len(in.logProbs) > 0 && in.logProbs[0] == '{' {
			delta.LogProbs = in.logProbs
		}
		return c.add(c.begin(dst, neutral.TextPart), delta)
	}
	parts, _, err := readContent(in.content)
	if err != nil {
		return dst
	}
	for _, p := range parts {
		text, kind := p.Text, neutral.TextPart
		if p.Type == "thinking" {
			text, kind = mistralThinking(p.Raw), neutral.ReasoningPart
		}
		if text != "" {
			dst = c.add(c.begin(dst, kind), neutral.Delta{Text: text})
		}
	}
	return dst
}

// readMedia takes in citations, pictures and what is said.
func (c *choiceReader) readMedia(dst []neutral.Event, in *chunk) []neutral.Event {
	if in.annotations != nil {
		for _, citation := range readAnnotations(in.annotations) {
			dst = c.add(c.begin(dst, neutral.TextPart), neutral.Delta{Citation: &citation})
		}
	}
	if in.images != nil {
		for _, image := range readImages(in.images) {
			dst = c.stop(c.start(dst, image))
		}
	}
	if in.audio != nil {
		for _, part := range readSpoken(in.audio) {
			if part.Kind == neutral.TextPart {
				dst = c.add(c.begin(dst, neutral.TextPart), neutral.Delta{Text: part.Text})
			}
		}
	}
	return dst
}

// readThoughts takes in thinking. The plain text counts only where the entries do not have it, for OpenRouter sends both.
func (c *choiceReader) readThoughts(dst []neutral.Event, in *chunk) []neutral.Event {
	told := false
	if in.details != nil {
		for _, d := range readDetails(in.details) {
			told = told || d.text != "" || d.summary != ""
			dst = c.readDetail(dst, &d)
		}
	}
	if in.reasoning != nil && in.reasoning[0] == '"' && !told {
		dst = c.add(c.begin(dst, neutral.ReasoningPart), neutral.Delta{Text: unquote(in.reasoning)})
	}
	return dst
}

// readDetail takes in an entry of reasoning_details.
func (c *choiceReader) readDetail(dst []neutral.Event, d *detail) []neutral.Event {
	if d.kind == detailEncrypted && d.origin() == neutral.OriginGemini && d.id != "" {
		c.seals = append(c.seals[:len(c.seals):len(c.seals)], *d)
		return dst
	}
	last := c.thought
	c.thought = *d
	if !c.goesOn(&last, d) {
		dst = c.start(dst, neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{ID: d.id}})
	} else if d.kind == detailSummary && last.kind == detailSummary && d.index != last.index {
		c.summary++
	}
	if d.text != "" {
		dst = c.add(dst, neutral.Delta{Text: d.text})
	}
	if d.summary != "" {
		dst = c.add(dst, neutral.Delta{Text: d.summary, Summary: true, SummaryIndex: c.summary})
	}
	if d.origin() != neutral.NoOrigin {
		c.sealed = true
		dst = c.add(dst, neutral.Delta{Signature: d.signature, Encrypted: d.data, Origin: d.origin()})
	}
	return dst
}

// goesOn tells whether an entry belongs to the thought that is open: it has no seal yet and is not another one. A cipher only belongs to the summary of its
// own item.
func (c *choiceReader) goesOn(last, d *detail) bool {
	if c.open != neutral.ReasoningPart || c.sealed || d.id != last.id && d.id != "" && last.id != "" {
		return false
	}
	return d.kind != detailEncrypted || last.kind == detailSummary && d.id != ""
}

// finish ends the choice, unless it has ended. word is its finish_reason and native the provider's own; both are empty when the stream just stopped.
func (c *choiceReader) finish(dst []neutral.Event, word, native string) []neutral.Event {
	if c.finished {
		return dst
	}
	c.finished = true
	for at := range c.calls {
		if call := &c.calls[at]; !call.started && len(call.early) > 0 {
			dst = c.startCall(dst, at)
			dst = c.add(dst, neutral.Delta{Text: string(call.early)})
		}
	}
	for _, d := range c.seals {
		dst = c.sealPart(dst, d.data)
	}
	dst = c.stop(dst)
	finish := finishOf(word, len(c.calls) > 0, c.refused)
	return append(dst, neutral.Event{Kind: neutral.EventFinish, Choice: c.index, Finish: finish, Native: first(native, word)})
}
