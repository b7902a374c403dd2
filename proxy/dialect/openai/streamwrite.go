package openai

import (
	"strings"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// NewStreamWriter writes one stream.
func (Chat) NewStreamWriter(o dialect.Exchange) dialect.StreamWriter {
	return &streamWriter{o: o, legacy: isLegacy(&o), hidden: hidesThinking(&o)}
}

// streamWriter writes chunks.
type streamWriter struct {
	o              dialect.Exchange
	legacy, hidden bool
	// prefix is what all chunks begin with, up to the choices.
	prefix  []byte
	tail    []byte
	choices []choiceWriter
	// sent tells that there was a chunk.
	sent     bool
	usage    meter.Usage
	reported bool
	// held is the last end of a choice, for Groq's clients find the usage there; nil without.
	held *neutral.Event
}

// choiceWriter is the state of one choice.
type choiceWriter struct {
	// spoke tells that the role was told, and refused that there was a refusal.
	spoke, refused bool
	// kind of the open part.
	kind neutral.PartKind
	// calls is the number of calls so far, details that of the entries of reasoning_details.
	calls, details int
	// text is how many characters the text has, and partStart how many it had when its part began.
	text, partStart int64
	// id of the open thought, and open tells that it has an entry.
	id     string
	opened bool
	// summary is the paragraph of the summary that is open.
	summary int
	// seal is one of Gemini's, until it is known whether a call follows.
	seal *neutral.Thought
}

// Write appends what the client gets for an event.
func (w *streamWriter) Write(dst []byte, e *neutral.Event) []byte {
	if w.prefix == nil {
		w.start(e)
	}
	switch e.Kind {
	case neutral.EventUsage:
		w.usage, w.reported = e.Usage, true
	case neutral.EventEnd:
		return w.end(dst)
	case neutral.EventPartStart:
		return w.startPart(w.release(dst), e, w.choice(e.Choice))
	case neutral.EventPartDelta:
		return w.delta(w.release(dst), e, w.choice(e.Choice))
	case neutral.EventPartStop:
		w.choice(e.Choice).kind = ""
	case neutral.EventFinish:
		return w.finish(w.release(dst), e, w.choice(e.Choice))
	case neutral.EventStart, neutral.EventPing, neutral.EventFailure:
	}
	return dst
}

// choice is the state of a choice.
func (w *streamWriter) choice(index int) *choiceWriter {
	for index >= len(w.choices) {
		w.choices = append(w.choices, choiceWriter{})
	}
	return &w.choices[index]
}

// start makes the beginning of all chunks.
func (w *streamWriter) start(e *neutral.Event) {
	w.prefix = append(w.prefix, "data: "...)
	w.prefix = appendHead(w.prefix, "chat.completion.chunk", answerModel(e.Model, &w.o), &w.o)
	w.tail = appendTail([]byte{'{'}, e.ServiceTier, e.SystemFingerprint)[1:]
}

// open begins a chunk with a delta.
func (w *streamWriter) open(dst []byte, choice int) []byte {
	dst = append(dst, w.prefix...)
	if len(w.tail) > 0 {
		dst = append(append(dst, ','), w.tail...)
	}
	if !w.sent && w.o.Flavor == dialect.GroqFlavor {
		dst = append(appendText(append(appendKey(dst, "x_groq"), '{'), "id", groqID(&w.o)), '}')
	}
	w.sent = true
	dst = append(dst, `,"choices":[{"index":`...)
	dst = append(appendNumber(dst, int64(choice)), `,"delta":{`...)
	if c := &w.choices[choice]; !c.spoke {
		c.spoke = true
		dst = append(dst, `"role":"assistant"`...)
	}
	return dst
}

// close ends a chunk that was opened.
func (w *streamWriter) close(dst []byte, logProbs []byte) []byte {
	dst = append(dst, `},"logprobs":`...)
	if len(logProbs) > 0 {
		dst = append(dst, logProbs...)
	} else {
		dst = append(dst, "null"...)
	}
	return append(dst, `,"finish_reason":null}]}`+"\n\n"...)
}

// startPart takes in the beginning of a part.
func (w *streamWriter) startPart(dst []byte, e *neutral.Event, c *choiceWriter) []byte {
	p := &e.Part
	c.endEntry()
	if p.Kind != neutral.ToolCallPart {
		dst = w.dropSeal(dst, e.Choice, c)
	}
	c.kind, c.summary, c.id = p.Kind, 0, ""
	switch p.Kind {
	case neutral.ToolCallPart:
		return w.startCall(dst, e, c)
	case neutral.ImagePart:
		dst = append(append(appendKey(w.open(dst, e.Choice), "images"), '['), appendImage([]byte{'['}, p.Media)[1:]...)
		return w.close(append(dst, ']'), nil)
	case neutral.TextPart, neutral.RefusalPart:
		c.partStart = c.text
		if p.Text != "" {
			return w.say(dst, e.Choice, c, &neutral.Delta{Text: p.Text})
		}
	case neutral.ReasoningPart:
		if p.Thought != nil {
			c.id = strings.Clone(p.Thought.ID)
			return w.wholeThought(dst, e.Choice, c, p.Thought)
		}
	default: // What has no place in a chunk.
	}
	return dst
}

// startCall writes the beginning of a call, with Gemini's seal if it has one.
func (w *streamWriter) startCall(dst []byte, e *neutral.Event, c *choiceWriter) []byte {
	call := e.Part.Call
	if w.legacy && c.calls > 0 {
		c.calls++ // Clients of the older functions know one call.
		return dst
	}
	dst = w.open(dst, e.Choice)
	if !w.legacy && c.seal != nil {
		dst = append(appendKey(dst, "reasoning_details"), '[')
		dst, c.details = appendDetails(dst, c.seal, c.details, call.ID)
		dst = append(dst, ']')
	}
	if w.legacy {
		dst = appendText(append(appendKey(dst, "function_call"), '{'), "name", call.Name)
		dst = append(appendText(dst, "arguments", call.Arguments), '}')
	} else {
		dst = appendInteger(append(appendKey(dst, "tool_calls"), "[{"...), "index", int64(c.calls))
		dst = appendCall(dst, call)
		if c.seal != nil {
			dst = appendSeal(dst, c.seal.Encrypted)
		}
		dst = append(dst, "}]"...)
	}
	c.seal = nil
	c.calls++
	return w.close(dst, nil)
}

// delta takes in what is added to a part.
func (w *streamWriter) delta(dst []byte, e *neutral.Event, c *choiceWriter) []byte {
	switch c.kind {
	case neutral.ReasoningPart:
		return w.think(dst, e.Choice, c, &e.Delta)
	case neutral.ToolCallPart:
		return w.argue(dst, e.Choice, c, e.Delta.Text)
	case neutral.TextPart, neutral.RefusalPart:
		return w.say(dst, e.Choice, c, &e.Delta)
	default: // What came whole.
		return dst
	}
}

// say writes text or a refusal.
func (w *streamWriter) say(dst []byte, choice int, c *choiceWriter, d *neutral.Delta) []byte {
	if d.Text == "" && d.Citation == nil && len(d.LogProbs) == 0 {
		return dst
	}
	dst = w.open(dst, choice)
	name := "content"
	if c.kind == neutral.RefusalPart {
		name, c.refused = "refusal", true
	} else {
		c.text += int64(utf8.RuneCountInString(d.Text))
	}
	if d.Text != "" {
		dst = jsonscan.AppendQuoted(appendKey(dst, name), d.Text)
	}
	if d.Citation != nil {
		dst = appendCitation(append(appendKey(dst, "annotations"), '['), d.Citation, c.partStart, c.text)
		dst = append(dst, ']')
	}
	return w.close(dst, d.LogProbs)
}

// argue writes a piece of a call's arguments.
func (w *streamWriter) argue(dst []byte, choice int, c *choiceWriter, arguments string) []byte {
	if arguments == "" || w.legacy && c.calls > 1 {
		return dst
	}
	dst = w.open(dst, choice)
	if w.legacy {
		dst = append(appendText(append(appendKey(dst, "function_call"), '{'), "arguments", arguments), '}')
		return w.close(dst, nil)
	}
	dst = appendInteger(append(appendKey(dst, "tool_calls"), "[{"...), "index", int64(c.calls-1))
	dst = append(appendKey(dst, "function"), '{')
	dst = append(appendText(dst, "arguments", arguments), "}}]"...)
	return w.close(dst, nil)
}

// finish ends a choice. Groq's clients find the usage in the last such chunk, so it waits for it.
func (w *streamWriter) finish(dst []byte, e *neutral.Event, c *choiceWriter) []byte {
	dst = w.dropSeal(dst, e.Choice, c)
	if w.o.Flavor == dialect.GroqFlavor {
		w.held = &neutral.Event{Choice: e.Choice, Finish: e.Finish, Native: strings.Clone(e.Native)}
		return dst
	}
	return w.appendFinish(dst, e, nil)
}

// appendFinish writes the end of a choice. usage is Groq's own; nil for none.
func (w *streamWriter) appendFinish(dst []byte, e *neutral.Event, usage []byte) []byte {
	c := &w.choices[e.Choice]
	word := ending{finish: e.Finish, refused: c.refused, legacy: w.legacy}.word()
	w.sent = w.sent || usage != nil // Groq's id then stands beside the usage.
	dst = w.open(dst, e.Choice)
	dst = append(dst, `},"logprobs":null`...)
	dst = appendText(dst, "finish_reason", word)
	if w.o.Flavor == dialect.OpenRouterFlavor {
		dst = appendText(dst, "native_finish_reason", first(e.Native, word))
	}
	dst = append(dst, "}]"...)
	if usage != nil {
		dst = appendText(append(appendKey(dst, "x_groq"), '{'), "id", groqID(&w.o))
		dst = append(appendRaw(dst, "usage", usage), '}')
	}
	return append(dst, "}\n\n"...)
}

// release writes an end that was held back, once it is clear that it is not the last.
func (w *streamWriter) release(dst []byte) []byte {
	if w.held == nil {
		return dst
	}
	held := w.held
	w.held = nil
	return w.appendFinish(dst, held, nil)
}

// end ends the stream: with the usage for who asked for it, and for all of OpenRouter's clients.
func (w *streamWriter) end(dst []byte) []byte {
	if w.held != nil && w.reported {
		held := w.held
		w.held = nil
		dst = w.appendFinish(dst, held, appendUsage(nil, w.usage, &w.o))
	}
	dst = w.release(dst)
	if w.reported && (w.o.IncludeUsage || w.o.Flavor == dialect.OpenRouterFlavor) {
		dst = append(append(dst, w.prefix...), `,"choices":[]`...)
		dst = appendUsage(appendKey(dst, "usage"), w.usage, &w.o)
		dst = append(dst, "}\n\n"...)
	}
	return append(dst, "data: [DONE]\n\n"...)
}
