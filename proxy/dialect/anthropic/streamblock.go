package anthropic

import (
	"bytes"
	"encoding/json"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// start begins a part.
func (s *streamReader) start(dst []neutral.Event, part neutral.Part) []neutral.Event {
	dst = s.stop(dst)
	s.block = openBlock{open: true, kind: part.Kind}
	return append(dst, neutral.Event{Kind: neutral.EventPartStart, Index: s.parts, Part: part})
}

// stop ends the open part, if there is one.
func (s *streamReader) stop(dst []neutral.Event) []neutral.Event {
	if !s.block.open {
		return dst
	}
	block := s.block
	s.block = openBlock{}
	switch {
	case block.kind == neutral.OpaquePart:
		part := opaque(memberText(block.raw, 0, "type"), block.whole())
		dst = append(dst, neutral.Event{Kind: neutral.EventPartStart, Index: s.parts, Part: part})
	case block.args:
	case block.initial != "":
		dst = append(dst, s.deltaEvent(neutral.Delta{Text: block.initial}))
	case block.structured:
		dst = append(dst, s.deltaEvent(neutral.Delta{Text: "{}"}))
	}
	dst = append(dst, neutral.Event{Kind: neutral.EventPartStop, Index: s.parts})
	s.parts++
	return dst
}

// whole is the opaque block with the input that came in deltas.
func (b *openBlock) whole() json.RawMessage {
	if len(b.held) == 0 || !json.Valid(b.held) {
		return b.raw
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(b.raw, &members) != nil {
		return b.raw
	}
	members["input"] = b.held
	return dialect.AppendJSON(nil, members)
}

// deltaEvent is an event that adds to the open part.
func (s *streamReader) deltaEvent(d neutral.Delta) neutral.Event {
	return neutral.Event{Kind: neutral.EventPartDelta, Index: s.parts, Delta: d}
}

// readBlock reads the start of a block.
func (s *streamReader) readBlock(dst []neutral.Event, data []byte, at span) []neutral.Event {
	if !at.is(data, '{') {
		return dst
	}
	var block wireBlock
	if json.Unmarshal(at.of(data), &block) == nil {
		switch block.Type {
		case blockText:
			return s.readText(dst, &block)
		case blockToolUse:
			return s.readCall(dst, &block)
		case blockThinking, blockRedacted:
			return s.readThought(dst, &block)
		}
	}
	dst = s.stop(dst)
	s.block = openBlock{open: true, kind: neutral.OpaquePart, raw: bytes.Clone(at.of(data))}
	return dst
}

func (s *streamReader) readText(dst []neutral.Event, block *wireBlock) []neutral.Event {
	dst = s.start(dst, neutral.Part{Kind: neutral.TextPart})
	if block.Text != "" {
		dst = append(dst, s.deltaEvent(neutral.Delta{Text: block.Text}))
	}
	for _, citation := range readCitations(block.Citations) {
		dst = append(dst, s.deltaEvent(neutral.Delta{Citation: &citation}))
	}
	return dst
}

// readCall reads the start of a call. One that stands for structured output is the text of the answer.
func (s *streamReader) readCall(dst []neutral.Event, block *wireBlock) []neutral.Event {
	part := neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: block.ID, Name: block.Name}}
	structured := block.Name == neutral.OutputTool
	if structured {
		part = neutral.Part{Kind: neutral.TextPart}
	}
	dst = s.start(dst, part)
	s.output, s.calls = s.output || structured, s.calls || !structured
	s.block.structured = structured
	if initial := arguments(block.Input); !emptyObject(initial) {
		s.block.initial = initial
	}
	return dst
}

// emptyObject tells whether checked JSON text is {} or nothing at all.
func emptyObject(text string) bool {
	return text == "" || text[0] == '{' && text[len(text)-1] == '}' && len(bytes.TrimSpace([]byte(text[1:len(text)-1]))) == 0
}

// readThought reads the start of a block of thinking; all of it, where it is redacted.
func (s *streamReader) readThought(dst []neutral.Event, block *wireBlock) []neutral.Event {
	dst = s.start(dst, neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{}})
	thought := block.thought().Thought
	if thought.Text != "" {
		dst = append(dst, s.deltaEvent(neutral.Delta{Text: thought.Text}))
	}
	if thought.Sealed() {
		dst = append(dst, s.deltaEvent(neutral.Delta{Signature: thought.Signature, Encrypted: thought.Encrypted, Origin: thought.Origin}))
	}
	return dst
}

// readDelta reads an addition to the open block. An addition without a block starts one, for some who offer the API leave the start out.
func (s *streamReader) readDelta(dst []neutral.Event, data []byte, at span) []neutral.Event {
	if !at.is(data, '{') {
		return dst
	}
	d := readDelta(data, at.at)
	switch string(d.kind.of(data)) {
	case `"text_delta"`:
		return s.add(dst, neutral.TextPart, neutral.Delta{Text: d.text.text(data)})
	case `"thinking_delta"`:
		return s.add(dst, neutral.ReasoningPart, neutral.Delta{Text: d.thinking.text(data)})
	case `"signature_delta"`:
		if signature := d.signature.text(data); signature != "" {
			return s.add(dst, neutral.ReasoningPart, neutral.Delta{Signature: signature, Origin: origin})
		}
	case `"input_json_delta"`:
		return s.addInput(dst, d.json.text(data))
	case `"citations_delta"`:
		if citation, ok := readCitation(d.citation.of(data)); ok {
			return s.add(dst, neutral.TextPart, neutral.Delta{Citation: &citation})
		}
	}
	return dst
}

// add appends an addition to a part of a kind.
func (s *streamReader) add(dst []neutral.Event, kind neutral.PartKind, d neutral.Delta) []neutral.Event {
	if !s.block.open || s.block.kind != kind {
		part := neutral.Part{Kind: kind}
		if kind == neutral.ReasoningPart {
			part.Thought = &neutral.Thought{}
		}
		dst = s.start(dst, part)
	}
	return append(dst, s.deltaEvent(d))
}

// addInput takes in a piece of a call's input.
func (s *streamReader) addInput(dst []neutral.Event, text string) []neutral.Event {
	switch {
	case !s.block.open || text == "":
		return dst
	case s.block.kind == neutral.OpaquePart:
		if len(s.block.held)+len(text) <= maxHeldInput {
			s.block.held = append(s.block.held, text...)
		}
		return dst
	case s.block.kind != neutral.ToolCallPart && !s.block.structured:
		return dst
	}
	s.block.args = true
	return append(dst, s.deltaEvent(neutral.Delta{Text: text}))
}
