package gemini

import (
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// choiceWriter is the state of one choice.
type choiceWriter struct {
	index int
	// part that is open, with the text of it that is held back: the arguments of a call.
	part neutral.Part
	held strings.Builder
	// thinking is the last piece of a thought, which waits for the seal that may come with its end; paragraph is that of the summary, -1 before the first.
	thinking  string
	paragraph int
	// seals stand before the part that comes next.
	seals pendingSeals
	// size is the length of the text so far in bytes; wide tells that it has less characters than that.
	size      int64
	wide      bool
	grounding *groundingMetadata
	cited     int
	malformed bool
	finish    neutral.Finish
}

// start takes in a part that begins.
func (c *choiceWriter) start(s *streamWriter, dst []byte, p *neutral.Part) []byte {
	c.part = *p
	c.held.Reset()
	switch p.Kind {
	case neutral.TextPart, neutral.RefusalPart:
		return c.text(s, dst, p.Text)
	case neutral.ReasoningPart:
		return c.startThought(s, dst, p.Thought)
	case neutral.ToolCallPart:
		c.part.Call = &neutral.ToolCall{}
		if p.Call != nil {
			c.part.Call = &neutral.ToolCall{ID: strings.Clone(p.Call.ID), Name: strings.Clone(p.Call.Name)}
			c.held.WriteString(p.Call.Arguments)
		}
	case neutral.ImagePart, neutral.AudioPart, neutral.VideoPart, neutral.FilePart:
		if p.Media != nil {
			return s.finish(appendMedia(s.begin(dst), p.Media, mimeOf(p.Media), c.seals.take()), c.index)
		}
	case neutral.OpaquePart:
		if p.Source == neutral.GenerateContent {
			return s.finish(append(s.begin(c.flush(s, dst)), oneLine(p.Raw)...), c.index)
		}
	case neutral.ToolResultPart:
	}
	return dst
}

// delta takes in what is added to the part.
func (c *choiceWriter) delta(s *streamWriter, dst []byte, d *neutral.Delta) []byte {
	switch c.part.Kind {
	case neutral.TextPart, neutral.RefusalPart:
		dst = c.text(s, dst, d.Text)
		c.cite(d.Citation)
	case neutral.ReasoningPart:
		return c.think(s, dst, d)
	case neutral.ToolCallPart:
		c.held.WriteString(d.Text)
	default:
	}
	return dst
}

// text writes a piece of the text.
func (c *choiceWriter) text(s *streamWriter, dst []byte, piece string) []byte {
	if piece == "" {
		return dst
	}
	c.size += int64(len(piece))
	c.wide = c.wide || !ascii(piece)
	return s.finish(appendText(s.begin(dst), piece, c.seals.take()), c.index)
}

// startThought takes in a thought that begins, with what is known of it; nil is nothing.
func (c *choiceWriter) startThought(s *streamWriter, dst []byte, t *neutral.Thought) []byte {
	c.paragraph = -1
	c.part.Thought = &neutral.Thought{}
	if t == nil {
		return dst
	}
	*c.part.Thought = neutral.Thought{
		ID: strings.Clone(t.ID), Signature: strings.Clone(t.Signature), Encrypted: strings.Clone(t.Encrypted), Origin: neutral.Origin(strings.Clone(string(t.Origin))),
	}
	return c.think(s, dst, &neutral.Delta{Text: t.Text})
}

// think takes in a piece of the thinking, and writes the one before it, or takes in its seal. Paragraphs of a summary are separated by a blank line.
func (c *choiceWriter) think(s *streamWriter, dst []byte, d *neutral.Delta) []byte {
	if d.Signature != "" || d.Encrypted != "" {
		t := c.part.Thought
		t.Signature, t.Encrypted, t.Origin = strings.Clone(d.Signature), strings.Clone(d.Encrypted), neutral.Origin(strings.Clone(string(d.Origin)))
	}
	if d.Text == "" {
		return dst
	}
	if c.thinking == "" {
		dst = c.flush(s, dst)
	} else {
		dst = s.finish(appendThought(s.begin(dst), c.thinking, ""), c.index)
	}
	c.thinking = strings.Clone(d.Text)
	if d.Summary && c.paragraph >= 0 && d.SummaryIndex != c.paragraph {
		c.thinking = "\n\n" + c.thinking
	}
	c.paragraph = d.SummaryIndex
	return dst
}

// cite takes in a citation of the text; nil is none.
func (c *choiceWriter) cite(citation *neutral.Citation) {
	if citation == nil || c.cited == maxCitations {
		return
	}
	c.cited++
	var piece segment
	if !c.wide && citation.Start >= 0 && citation.Start < citation.End && citation.End <= c.size {
		piece.Start, piece.End = citation.Start, citation.End
	}
	if c.grounding == nil {
		c.grounding = &groundingMetadata{}
	}
	c.grounding.add(citation, piece)
}

// stop writes what was held back of the part.
func (c *choiceWriter) stop(s *streamWriter, dst []byte) []byte {
	kind := c.part.Kind
	c.part.Kind = ""
	switch kind {
	case neutral.ReasoningPart:
		return c.stopThought(s, dst)
	case neutral.ToolCallPart:
		args, ok := argumentsOf(c.held.String())
		if !ok {
			c.malformed = true
			return dst
		}
		return s.finish(appendCall(s.begin(dst), c.part.Call, args, c.seals.take()), c.index)
	default:
		return dst
	}
}

// stopThought writes the last piece of a thought with the seal, or keeps the seal for the part that comes next; see partsWriter.writeThought.
func (c *choiceWriter) stopThought(s *streamWriter, dst []byte) []byte {
	t, piece, signature := c.part.Thought, c.thinking, ""
	c.thinking = ""
	switch {
	case !t.Sealed():
	case piece == "" || t.Origin == neutral.OriginGemini && t.Encrypted != "":
		c.seals = append(c.seals, t)
	default:
		signature = signatureOf(t)
	}
	if piece == "" {
		return dst
	}
	return s.finish(appendThought(s.begin(dst), piece, signature), c.index)
}

// flush writes a seal behind which no part came as a part without text, as Google does.
func (c *choiceWriter) flush(s *streamWriter, dst []byte) []byte {
	if len(c.seals) == 0 {
		return dst
	}
	return s.finish(appendText(s.begin(dst), "", c.seals.take()), c.index)
}

// last appends the candidate of the last chunk. It has a part without text, for SDKs take a turn with a chunk without parts for broken.
func (c *choiceWriter) last(dst []byte) []byte {
	dst = appendText(append(dst, `{"content":{"role":"model","parts":[`...), "", c.seals.take())
	reason := reasonOf(c.finish)
	if c.malformed {
		reason = malformedCall
	}
	dst = stringMember(append(dst, "]}"...), "finishReason", reason)
	dst = intMember(dst, "index", int64(c.index))
	if c.grounding != nil {
		dst = jsonMember(dst, "groundingMetadata", c.grounding)
	}
	return append(dst, '}')
}
