package openai

import (
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// wholeThought writes what a thought begins with.
func (w *streamWriter) wholeThought(dst []byte, choice int, c *choiceWriter, t *neutral.Thought) []byte {
	for i, paragraph := range t.Summary {
		dst = w.think(dst, choice, c, &neutral.Delta{Text: paragraph, Summary: true, SummaryIndex: i})
	}
	if t.Text != "" {
		dst = w.think(dst, choice, c, &neutral.Delta{Text: t.Text})
	}
	if t.Sealed() {
		dst = w.think(dst, choice, c, &neutral.Delta{Signature: t.Signature, Encrypted: t.Encrypted, Origin: t.Origin})
	}
	return dst
}

// think writes thinking, as plain text and as an entry of reasoning_details.
func (w *streamWriter) think(dst []byte, choice int, c *choiceWriter, d *neutral.Delta) []byte {
	if d.Encrypted != "" && d.Origin == neutral.OriginGemini {
		c.seal = &neutral.Thought{Encrypted: strings.Clone(d.Encrypted), Origin: neutral.OriginGemini}
		return dst
	}
	if w.hidden && d.Encrypted == "" || d.Text == "" && d.Signature == "" && d.Encrypted == "" {
		return dst
	}
	t := c.entry(d, &w.o)
	dst = w.open(dst, choice)
	if d.Text != "" {
		dst = appendText(dst, reasoningName(w.o.Flavor), d.Text)
	}
	dst, _ = appendDetails(append(appendKey(dst, "reasoning_details"), '['), &t, c.details, "")
	c.opened = true
	return w.close(append(dst, ']'), nil)
}

// entry is a piece of thinking as an entry of reasoning_details: one of its own for a cipher and for each paragraph of a summary.
func (c *choiceWriter) entry(d *neutral.Delta, o *dialect.Exchange) neutral.Thought {
	t := neutral.Thought{ID: c.id, Text: d.Text, Signature: d.Signature, Encrypted: d.Encrypted, Origin: formatOf(d.Origin, o)}
	separate := d.Encrypted != ""
	if d.Summary {
		t.Text, t.Summary = "", []string{d.Text}
		separate = d.SummaryIndex != c.summary
		c.summary = d.SummaryIndex
	}
	if separate && c.opened {
		c.details++
	}
	return t
}

// endEntry ends the entry of reasoning_details that is open.
func (c *choiceWriter) endEntry() {
	if c.opened {
		c.details++
		c.opened = false
	}
}

// dropSeal writes a seal of Gemini's that no call followed.
func (w *streamWriter) dropSeal(dst []byte, choice int, c *choiceWriter) []byte {
	c.endEntry()
	if c.seal == nil {
		return dst
	}
	dst = append(appendKey(w.open(dst, choice), "reasoning_details"), '[')
	dst, c.details = appendDetails(dst, c.seal, c.details, "")
	c.seal = nil
	return w.close(append(dst, ']'), nil)
}
