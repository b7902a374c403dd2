package responses

import (
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

func (w *streamWriter) startThought(dst []byte, t *neutral.Thought) []byte {
	dst = w.startItem(dst, neutral.ReasoningPart, "rs")
	if t != nil {
		w.item.thought.Origin = t.Origin
	}
	item := appendReasoning(nil, w.item.id, &neutral.Thought{}, neutral.NoOrigin)
	dst = w.itemEvent(dst, "response.output_item.added", item)
	w.open(neutral.ReasoningPart, "response.reasoning_text.delta", "", "")
	if t != nil {
		for i, paragraph := range t.Summary {
			dst = w.addThought(dst, &neutral.Delta{Text: paragraph, Summary: true, SummaryIndex: i})
		}
	}
	return dst
}

// addThought adds to the open thought. What is sealed is told with the whole item.
func (w *streamWriter) addThought(dst []byte, d *neutral.Delta) []byte {
	thought := &w.item.thought
	if d.Signature != "" {
		thought.Signature, thought.Origin = d.Signature, d.Origin
	}
	if d.Encrypted != "" {
		thought.Encrypted, thought.Origin = d.Encrypted, d.Origin
	}
	switch {
	case d.Text == "":
		return dst
	case d.Summary:
		return w.addSummary(dst, d)
	}
	if w.item.contents == 0 {
		w.item.contents++
		w.part.place = string(w.inPart(nil)) + `,"delta":`
		dst = w.contentEvent(dst, "response.content_part.added", thinking(nil))
	}
	return w.addText(dst, d)
}

// thinking is the content part of a thought.
func thinking(text []byte) []byte {
	return append(append([]byte(`{"type":"reasoning_text","text":`), quoted(string(text))...), '}')
}

// addSummary adds to a paragraph of the summary. The paragraphs are numbered anew, without gaps.
func (w *streamWriter) addSummary(dst []byte, d *neutral.Delta) []byte {
	if w.part.summary != d.SummaryIndex {
		dst = w.stopSummary(dst)
		w.part.summary = d.SummaryIndex
		w.part.paragraph = w.part.paragraph[:0]
		w.item.thought.Summary = append(w.item.thought.Summary, "")
		dst = w.summaryEvent(dst, "response.reasoning_summary_part.added")
		dst = w.close(append(append(dst, `,"part":`...), summaryPart("")...))
	}
	w.part.paragraph = append(w.part.paragraph, d.Text...)
	dst = w.summaryEvent(dst, "response.reasoning_summary_text.delta")
	return w.close(w.textEvent(dst, "delta", quoted(d.Text)))
}

// stopSummary ends the open paragraph of the summary, if there is one.
func (w *streamWriter) stopSummary(dst []byte) []byte {
	if w.part.summary < 0 {
		return dst
	}
	paragraph := string(w.part.paragraph)
	w.item.thought.Summary[len(w.item.thought.Summary)-1] = paragraph
	dst = w.summaryEvent(dst, "response.reasoning_summary_text.done")
	dst = w.close(w.textEvent(dst, "text", quoted(paragraph)))
	dst = w.summaryEvent(dst, "response.reasoning_summary_part.done")
	w.part.summary = -1
	return w.close(append(append(dst, `,"part":`...), summaryPart(paragraph)...))
}

// summaryEvent begins an event about the last paragraph of the summary.
func (w *streamWriter) summaryEvent(dst []byte, kind string) []byte {
	dst = append(w.at(w.event(dst, kind)), `,"summary_index":`...)
	return strconv.AppendInt(dst, int64(len(w.item.thought.Summary)-1), 10)
}

func summaryPart(text string) []byte {
	return append(append([]byte(`{"type":"summary_text","text":`), quoted(text)...), '}')
}

// stopThought ends the open thought.
func (w *streamWriter) stopThought(dst []byte) []byte {
	dst = w.stopSummary(dst)
	if w.item.contents == 0 {
		return dst
	}
	w.item.thought.Text = string(w.part.text)
	dst = w.close(w.textEvent(w.inPart(w.event(dst, "response.reasoning_text.done")), "text", quoted(w.item.thought.Text)))
	return w.contentEvent(dst, "response.content_part.done", thinking(w.part.text))
}
