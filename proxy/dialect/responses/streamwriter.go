package responses

import (
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// streamWriter writes one stream. An item ends when the next one begins or the answer does, for only then it is known whether it is whole.
type streamWriter struct {
	answer answer
	// sequence is the number of the next event.
	sequence int64
	begun    bool
	usage    meter.Usage
	refused  bool
	finish   neutral.Finish

	// items is how many items have begun.
	items int
	item  openItem
	part  writtenPart
}

// openItem is the item that has begun and not ended.
type openItem struct {
	// kind is that of its part, neutral.TextPart for all of a message; empty when no item is open.
	kind neutral.PartKind
	// id and its JSON text.
	id, quotedID string
	// contents is how many content parts have begun, and inside is the list of those that ended.
	contents int
	inside   []byte
	call     neutral.ToolCall
	thought  neutral.Thought
}

// writtenPart is the part that has begun and not ended.
type writtenPart struct {
	// kind is empty when no part is open.
	kind neutral.PartKind
	// head and place are what stands in its deltas before and behind the sequence number; tail is behind the text.
	head, place, tail string
	// text so far.
	text []byte
	// annotations is the inside of the list of citations and citations how many they are; logProbs is the inside of the list of tokens.
	annotations []byte
	citations   int
	logProbs    []byte
	// summary is the paragraph of the summary that is open, -1 for none, and paragraph its text so far.
	summary   int
	paragraph []byte
}

func newStreamWriter(o dialect.Exchange) *streamWriter {
	return &streamWriter{answer: answer{call: o}}
}

// Write appends to dst what the client gets for an event.
func (w *streamWriter) Write(dst []byte, e *neutral.Event) []byte {
	if e.Choice != 0 {
		return dst
	}
	switch e.Kind {
	case neutral.EventStart:
		w.told(e)
		return w.begin(dst)
	case neutral.EventPartStart:
		return w.startPart(w.begin(dst), &e.Part)
	case neutral.EventPartDelta:
		return w.addDelta(dst, &e.Delta)
	case neutral.EventPartStop:
		return w.stopPart(dst)
	case neutral.EventFinish:
		w.finish = e.Finish
	case neutral.EventUsage:
		w.told(e)
		w.usage = e.Usage
		w.answer.usage = &w.usage
	case neutral.EventEnd:
		return w.end(w.begin(dst))
	case neutral.EventPing, neutral.EventFailure: // The server writes both.
	}
	return dst
}

// told takes in what an event tells of the answer as a whole.
func (w *streamWriter) told(e *neutral.Event) {
	if e.Model != "" && !w.begun {
		w.answer.model = e.Model
	}
	if e.ServiceTier != "" {
		w.answer.tier = e.ServiceTier
	}
}

// event begins an event of a type that needs no escapes.
func (w *streamWriter) event(dst []byte, kind string) []byte {
	dst = append(append(dst, "event: "...), kind...)
	dst = append(append(dst, "\ndata: {\"type\":\""...), kind...)
	return w.number(append(dst, `","sequence_number":`...))
}

// NextSequence is the number of the event that comes next.
func (w *streamWriter) NextSequence() int64 { return w.sequence }

// number writes the next sequence number.
func (w *streamWriter) number(dst []byte) []byte {
	w.sequence++
	return strconv.AppendInt(dst, w.sequence-1, 10)
}

// close ends an event.
func (w *streamWriter) close(dst []byte) []byte { return append(dst, "}\n\n"...) }

// begin writes the stream's beginning, once.
func (w *streamWriter) begin(dst []byte) []byte {
	if w.begun {
		return dst
	}
	w.begun = true
	return w.state(w.state(dst, "response.created"), "response.in_progress")
}

// state writes an event with the response as it is.
func (w *streamWriter) state(dst []byte, kind string) []byte {
	dst = append(w.event(dst, kind), `,"response":`...)
	return w.close(w.answer.append(dst))
}

// end writes the stream's end.
func (w *streamWriter) end(dst []byte) []byte {
	dst = w.stopPart(dst)
	w.answer.finish(w.finish, w.refused)
	dst = w.endItem(dst, w.answer.itemStatus())
	return w.state(dst, "response."+w.answer.status)
}

// at writes which item an event is about.
func (w *streamWriter) at(dst []byte) []byte {
	dst = append(append(dst, `,"item_id":`...), w.item.quotedID...)
	return strconv.AppendInt(append(dst, `,"output_index":`...), int64(w.items-1), 10)
}

// inPart writes which content part an event is about.
func (w *streamWriter) inPart(dst []byte) []byte {
	return strconv.AppendInt(append(w.at(dst), `,"content_index":`...), int64(w.item.contents-1), 10)
}

// itemEvent writes an event with a whole item.
func (w *streamWriter) itemEvent(dst []byte, kind string, item []byte) []byte {
	dst = strconv.AppendInt(append(w.event(dst, kind), `,"output_index":`...), int64(w.items-1), 10)
	return w.close(append(append(dst, `,"item":`...), item...))
}

// contentEvent writes an event with a whole content part.
func (w *streamWriter) contentEvent(dst []byte, kind string, part []byte) []byte {
	dst = append(w.inPart(w.event(dst, kind)), `,"part":`...)
	return w.close(append(dst, part...))
}

// textEvent writes an event with a text under a name.
func (w *streamWriter) textEvent(dst []byte, name string, text []byte) []byte {
	dst = append(append(append(dst, `,"`...), name...), `":`...)
	return append(dst, text...)
}

// startItem begins an item, and ends the one before it.
func (w *streamWriter) startItem(dst []byte, kind neutral.PartKind, prefix string) []byte {
	dst = w.endItem(dst, statusCompleted)
	id := itemID(w.answer.call.ID, prefix, w.items)
	w.item = openItem{kind: kind, id: id, quotedID: string(quoted(id)), inside: w.item.inside[:0]}
	w.items++
	return dst
}

// endItem ends the open item, if there is one.
func (w *streamWriter) endItem(dst []byte, status string) []byte {
	var item []byte
	switch w.item.kind {
	case neutral.TextPart:
		item = append(appendMessageStart(nil, w.item.id, status), w.item.inside...)
		item = append(item, "]}"...)
	case neutral.ToolCallPart:
		item = appendCall(nil, w.item.id, status, &w.item.call, quoted(argumentsOf(&w.item.call)))
	case neutral.ReasoningPart:
		item = appendReasoning(nil, w.item.id, &w.item.thought, w.answer.call.Origin)
	default:
		return dst
	}
	w.item.kind = ""
	w.answer.output = appendNext(w.answer.output, item)
	return w.itemEvent(dst, "response.output_item.done", item)
}

// startPart begins a part.
func (w *streamWriter) startPart(dst []byte, p *neutral.Part) []byte {
	dst = w.stopPart(dst)
	switch p.Kind {
	case neutral.TextPart, neutral.RefusalPart:
		dst = w.startText(dst, p.Kind)
	case neutral.ToolCallPart:
		dst = w.startCall(dst, p.Call)
	case neutral.ReasoningPart:
		dst = w.startThought(dst, p.Thought)
	default:
		return w.wholePart(dst, p)
	}
	delta := neutral.Delta{Text: p.Text}
	if p.Call != nil {
		delta.Text = p.Call.Arguments
	}
	if p.Thought != nil {
		delta = neutral.Delta{Text: p.Thought.Text, Signature: p.Thought.Signature, Encrypted: p.Thought.Encrypted, Origin: p.Thought.Origin}
	}
	return w.addDelta(dst, &delta)
}

// wholePart writes a part that comes as a whole, as an item of its own.
func (w *streamWriter) wholePart(dst []byte, p *neutral.Part) []byte {
	item, ok := wholeItem(nil, &w.answer.call, w.items, p)
	if !ok {
		return dst
	}
	dst = w.endItem(dst, statusCompleted)
	w.items++
	w.answer.output = appendNext(w.answer.output, item)
	dst = w.itemEvent(dst, "response.output_item.added", item)
	return w.itemEvent(dst, "response.output_item.done", item)
}

func (w *streamWriter) startText(dst []byte, kind neutral.PartKind) []byte {
	if w.item.kind != neutral.TextPart {
		dst = w.startItem(dst, neutral.TextPart, "msg")
		dst = w.itemEvent(dst, "response.output_item.added", append(appendMessageStart(nil, w.item.id, statusInProgress), "]}"...))
	}
	w.item.contents++
	name, empty, tail := "response.output_text.delta", appendText(nil, []byte(`""`), []byte("[]"), []byte("[]")), `,"logprobs":[]`
	if kind == neutral.RefusalPart {
		w.refused = true
		name, empty, tail = "response.refusal.delta", appendRefusal(nil, []byte(`""`)), ""
	}
	dst = w.contentEvent(dst, "response.content_part.added", empty)
	w.open(kind, name, string(w.inPart(nil)), tail)
	return dst
}

// open makes a part the open one.
func (w *streamWriter) open(kind neutral.PartKind, name, place, tail string) {
	w.part = writtenPart{
		kind: kind, head: "event: " + name + "\ndata: {\"type\":\"" + name + "\",\"sequence_number\":", place: place + `,"delta":`, tail: tail + "}\n\n",
		text: w.part.text[:0], annotations: w.part.annotations[:0], logProbs: w.part.logProbs[:0], summary: -1,
	}
}

func (w *streamWriter) startCall(dst []byte, call *neutral.ToolCall) []byte {
	dst = w.startItem(dst, neutral.ToolCallPart, "fc")
	if call != nil {
		w.item.call = neutral.ToolCall{ID: call.ID, Name: call.Name}
	}
	item := appendCall(nil, w.item.id, statusInProgress, &w.item.call, []byte(`""`))
	dst = w.itemEvent(dst, "response.output_item.added", item)
	w.open(neutral.ToolCallPart, "response.function_call_arguments.delta", string(w.at(nil)), "")
	return dst
}

// addDelta adds to the open part.
func (w *streamWriter) addDelta(dst []byte, d *neutral.Delta) []byte {
	switch w.part.kind {
	case neutral.ReasoningPart:
		return w.addThought(dst, d)
	case neutral.TextPart, neutral.RefusalPart, neutral.ToolCallPart:
	default:
		return dst
	}
	if d.Text != "" {
		dst = w.addText(dst, d)
	}
	if d.Citation != nil && w.part.kind == neutral.TextPart {
		annotation := annotationOf(d.Citation)
		w.part.annotations = appendNext(w.part.annotations, annotation)
		dst = w.inPart(w.event(dst, "response.output_text.annotation.added"))
		dst = strconv.AppendInt(append(dst, `,"annotation_index":`...), int64(w.part.citations), 10)
		dst = w.close(append(append(dst, `,"annotation":`...), annotation...))
		w.part.citations++
	}
	return dst
}

// addText writes a piece of text. This is what most events of a stream are.
func (w *streamWriter) addText(dst []byte, d *neutral.Delta) []byte {
	p := &w.part
	p.text = append(p.text, d.Text...)
	dst = w.number(append(dst, p.head...))
	dst = jsonscan.AppendQuoted(append(dst, p.place...), d.Text)
	if len(d.LogProbs) == 0 || p.kind != neutral.TextPart {
		return append(dst, p.tail...)
	}
	tokens := ownLogProbs(d.LogProbs)
	if list := insideList(tokens); len(list) > 0 {
		p.logProbs = appendNext(p.logProbs, list)
	}
	return w.close(append(append(dst, `,"logprobs":`...), tokens...))
}

// stopPart ends the open part, if there is one.
func (w *streamWriter) stopPart(dst []byte) []byte {
	switch kind := w.part.kind; kind {
	case neutral.TextPart:
		dst = w.stopText(dst)
	case neutral.RefusalPart:
		text := quoted(string(w.part.text))
		dst = w.close(w.textEvent(w.inPart(w.event(dst, "response.refusal.done")), "refusal", text))
		dst = w.endContent(dst, appendRefusal(nil, text))
	case neutral.ToolCallPart:
		dst = w.stopCall(dst)
	case neutral.ReasoningPart:
		dst = w.stopThought(dst)
	default:
		return dst
	}
	w.part.kind = ""
	return dst
}

func (w *streamWriter) stopText(dst []byte) []byte {
	text := quoted(string(w.part.text))
	logProbs := append(append([]byte("["), w.part.logProbs...), ']')
	annotations := append(append([]byte("["), w.part.annotations...), ']')
	dst = w.textEvent(w.inPart(w.event(dst, "response.output_text.done")), "text", text)
	dst = w.close(w.textEvent(dst, "logprobs", logProbs))
	return w.endContent(dst, appendText(nil, text, annotations, logProbs))
}

// endContent ends a content part of a message.
func (w *streamWriter) endContent(dst, part []byte) []byte {
	w.item.inside = appendNext(w.item.inside, part)
	return w.contentEvent(dst, "response.content_part.done", part)
}

// stopCall ends the arguments of a call. A call without any has an empty object, for clients read them as JSON.
func (w *streamWriter) stopCall(dst []byte) []byte {
	if len(w.part.text) == 0 {
		dst = w.addText(dst, &neutral.Delta{Text: "{}"})
	}
	w.item.call.Arguments = string(w.part.text)
	dst = w.textEvent(w.at(w.event(dst, "response.function_call_arguments.done")), "name", quoted(w.item.call.Name))
	return w.close(w.textEvent(dst, "arguments", quoted(w.item.call.Arguments)))
}
