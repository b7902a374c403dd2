package anthropic

import (
	"strconv"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// NewStreamWriter writes one stream.
func (Messages) NewStreamWriter(o dialect.Exchange) dialect.StreamWriter {
	return &streamWriter{call: o}
}

// streamWriter writes a stream. The API has one choice only, so that others are left out.
type streamWriter struct {
	call dialect.Exchange
	// head is the beginning of the message, which is held back for the usage that may come right behind it.
	head    neutral.Event
	started bool
	// index of the block that is open or comes next.
	index int
	part  openPart
	// calls tells that there was a call.
	calls bool
	// usage and finish are told at the end.
	usage  meter.Usage
	finish neutral.Event
}

// openPart is the part that is being written. Its block is opened with the first thing in it: an empty block would be refused when the client sends it
// back, and for thinking the kind of the block depends on what is in it.
type openPart struct {
	kind neutral.PartKind
	// open tells that the block was opened, filled that an addition was written to it.
	open, filled bool
	// thought collects the id and the seal of thinking, which come at its end.
	thought neutral.Thought
	// paragraph is the index of the summary's paragraph that was last added to.
	paragraph int
}

// Write appends to dst what the client gets for an event.
func (w *streamWriter) Write(dst []byte, e *neutral.Event) []byte {
	if e.Choice != 0 {
		return dst
	}
	switch e.Kind {
	case neutral.EventPartDelta:
		return w.add(dst, &e.Delta)
	case neutral.EventStart:
		w.head = neutral.Event{ID: strings.Clone(e.ID), Model: strings.Clone(e.Model)}
	case neutral.EventPartStart:
		return w.startPart(w.start(dst), &e.Part)
	case neutral.EventPartStop:
		return w.stopPart(dst)
	case neutral.EventFinish:
		w.finish = neutral.Event{Finish: e.Finish, Native: strings.Clone(e.Native), StopSequence: strings.Clone(e.StopSequence)}
	case neutral.EventUsage:
		w.usage = e.Usage
	case neutral.EventPing:
		return append(w.start(dst), "event: ping\ndata: {\"type\":\"ping\"}\n\n"...)
	case neutral.EventEnd:
		return w.end(w.start(dst))
	case neutral.EventFailure:
	}
	return dst
}

// start begins the message, once.
func (w *streamWriter) start(dst []byte) []byte {
	if w.started {
		return dst
	}
	w.started = true
	dst = append(dst, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":"...)
	dst = appendMessageHead(dst, w.head.ID, w.head.Model, w.call)
	dst = append(dst, `,"content":[],"stop_reason":null,"stop_sequence":null,"usage":`...)
	return append(appendUsage(dst, w.usage), "}}\n\n"...)
}

// end writes how the answer ended, which is told once and with all of the usage.
func (w *streamWriter) end(dst []byte) []byte {
	dst = w.stopPart(dst)
	if w.calls {
		w.finish.Finish = withCalls(w.finish.Finish)
	}
	reason := stopReason(w.finish.Finish, w.finish.Native)
	dst = append(dst, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{"...)
	before := len(dst)
	dst = appendStop(dst, reason, w.finish.StopSequence)
	dst = append(dst[:before], dst[before+1:]...) // The first member has no comma before it.
	if reason == stopRefusal {
		dst = append(dst, `,"stop_details":`+unknownRefusal...)
	}
	dst = appendUsage(append(dst, `},"usage":`...), w.usage)
	return append(dst, "}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"...)
}

func (w *streamWriter) startPart(dst []byte, part *neutral.Part) []byte {
	dst = w.stopPart(dst)
	w.part = openPart{kind: part.Kind}
	switch part.Kind {
	case neutral.ToolCallPart:
		w.calls = true
		dst = appendCallHead(w.openBlock(dst), part.Call)
		dst = append(dst, `,"input":{}}}`+"\n\n"...)
		if part.Call.Arguments != "" {
			dst = w.add(dst, &neutral.Delta{Text: part.Call.Arguments})
		}
	case neutral.TextPart, neutral.RefusalPart:
		dst = w.add(dst, &neutral.Delta{Text: part.Text})
		for i := range part.Citations {
			dst = w.add(dst, &neutral.Delta{Citation: &part.Citations[i]})
		}
	case neutral.ReasoningPart:
		if part.Thought != nil {
			dst = w.startThought(dst, part.Thought)
		}
	case neutral.OpaquePart:
		if part.Source == neutral.Messages {
			dst = append(appendLine(w.openBlock(dst), part.Raw), "}\n\n"...)
		}
	case neutral.ImagePart, neutral.AudioPart, neutral.VideoPart, neutral.FilePart, neutral.ToolResultPart:
	}
	return dst
}

func (w *streamWriter) startThought(dst []byte, t *neutral.Thought) []byte {
	w.part.thought.ID = strings.Clone(t.ID)
	w.holdSeal(t.Signature, t.Encrypted, t.Origin)
	if text := thoughtText(t); text != "" {
		dst = w.add(dst, &neutral.Delta{Text: text})
	}
	return dst
}

// holdSeal keeps a seal until the end of the thought.
func (w *streamWriter) holdSeal(signature, encrypted string, from neutral.Origin) {
	if signature == "" && encrypted == "" {
		return
	}
	w.part.thought.Signature, w.part.thought.Encrypted, w.part.thought.Origin = strings.Clone(signature), strings.Clone(encrypted), from
}

// openBlock appends the beginning of the event that opens the part's block, up to the block itself.
func (w *streamWriter) openBlock(dst []byte) []byte {
	w.part.open = true
	dst = append(dst, "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":"...)
	return append(strconv.AppendInt(dst, int64(w.index), 10), `,"content_block":`...)
}

// openDelta appends the beginning of an event that adds to the block, up to the delta's type.
func (w *streamWriter) openDelta(dst []byte) []byte {
	w.part.filled = true
	dst = append(dst, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":"...)
	return append(strconv.AppendInt(dst, int64(w.index), 10), `,"delta":{"type":`...)
}

// add writes an addition to the part.
func (w *streamWriter) add(dst []byte, d *neutral.Delta) []byte {
	switch w.part.kind {
	case neutral.TextPart, neutral.RefusalPart:
		return w.addText(dst, d)
	case neutral.ToolCallPart:
		if d.Text != "" {
			dst = jsonscan.AppendQuoted(append(w.openDelta(dst), `"input_json_delta","partial_json":`...), d.Text)
			dst = append(dst, "}}\n\n"...)
		}
	case neutral.ReasoningPart:
		w.holdSeal(d.Signature, d.Encrypted, d.Origin)
		if d.Text != "" {
			dst = w.addThinking(dst, d)
		}
	case neutral.ImagePart, neutral.AudioPart, neutral.VideoPart, neutral.FilePart, neutral.ToolResultPart, neutral.OpaquePart:
	}
	return dst
}

func (w *streamWriter) addText(dst []byte, d *neutral.Delta) []byte {
	if d.Text == "" && d.Citation == nil {
		return dst
	}
	if !w.part.open {
		dst = append(w.openBlock(dst), `{"type":"text","text":""}}`+"\n\n"...)
	}
	if d.Text != "" {
		dst = jsonscan.AppendQuoted(append(w.openDelta(dst), `"text_delta","text":`...), d.Text)
		dst = append(dst, "}}\n\n"...)
	}
	if d.Citation == nil {
		return dst
	}
	citation, ok := appendCitation(nil, d.Citation)
	if !ok {
		return dst
	}
	dst = appendLine(append(w.openDelta(dst), `"citations_delta","citation":`...), citation)
	return append(dst, "}}\n\n"...)
}

// appendLine appends JSON text in one line: line feeds can only stand between its tokens.
func appendLine(dst, raw []byte) []byte {
	for _, c := range raw {
		if c == '\n' || c == '\r' {
			c = ' '
		}
		dst = append(dst, c)
	}
	return dst
}

// addThinking writes thinking, or its summary, whose paragraphs are set apart.
func (w *streamWriter) addThinking(dst []byte, d *neutral.Delta) []byte {
	text := d.Text
	switch {
	case !w.part.open:
		dst = append(w.openBlock(dst), `{"type":"thinking","thinking":"","signature":""}}`+"\n\n"...)
	case d.Summary && d.SummaryIndex != w.part.paragraph:
		text = "\n\n" + text
	}
	w.part.paragraph = d.SummaryIndex
	w.part.thought.Text = d.Text // All that the seal asks is whether there is any.
	dst = jsonscan.AppendQuoted(append(w.openDelta(dst), `"thinking_delta","thinking":`...), text)
	return append(dst, "}}\n\n"...)
}

// stopPart ends the part.
func (w *streamWriter) stopPart(dst []byte) []byte {
	part := &w.part
	if part.kind == neutral.ReasoningPart {
		dst = w.seal(dst)
	}
	if part.kind == neutral.ToolCallPart && part.open && !part.filled {
		dst = append(w.openDelta(dst), `"input_json_delta","partial_json":""}}`+"\n\n"...)
	}
	if part.open {
		dst = append(dst, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":"...)
		dst = append(strconv.AppendInt(dst, int64(w.index), 10), "}\n\n"...)
		w.index++
	}
	w.part = openPart{}
	return dst
}

// seal writes the seal of a thought: at the end of its block, or as a block of its own where there is no readable thinking.
func (w *streamWriter) seal(dst []byte) []byte {
	thought := &w.part.thought
	switch {
	case !thought.Sealed():
		return dst
	case !w.part.open && thought.Encrypted != "":
		dst, _ = appendThought(w.openBlock(dst), thought)
		return append(dst, "}\n\n"...)
	case !w.part.open:
		dst = append(w.openBlock(dst), `{"type":"thinking","thinking":"","signature":""}}`+"\n\n"...)
	}
	dst = jsonscan.AppendQuoted(append(w.openDelta(dst), `"signature_delta","signature":`...), packSeal(thought))
	return append(dst, "}}\n\n"...)
}
