package openai

import (
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// detail is an entry of OpenRouter's reasoning_details.
type detail struct {
	kind, id, format               string
	text, signature, data, summary string
	// index groups entries that belong together; -1 when there is none.
	index int
}

// The types of details.
const (
	detailText      = "reasoning.text"
	detailEncrypted = "reasoning.encrypted"
	detailSummary   = "reasoning.summary"
)

// readDetails reads reasoning_details; entries that are none are left out.
func readDetails(raw []byte) []detail {
	var list []detail
	if raw[0] != '[' {
		return nil
	}
	_ = elements(raw, func(_ int, value []byte) error {
		d := detail{index: -1}
		if members(value, d.read) == nil && d.kind != "" {
			list = append(list, d)
		}
		return nil
	})
	return list
}

func (d *detail) read(name, value []byte) error {
	switch string(name) {
	case "type":
		d.kind = textOr(value)
	case "id":
		d.id = textOr(value)
	case "format":
		d.format = textOr(value)
	case "text":
		d.text = textOr(value)
	case "signature":
		d.signature = textOr(value)
	case "data":
		d.data = textOr(value)
	case "summary":
		d.summary = textOr(value)
	case "index":
		if index, err := strconv.Atoi(string(value)); err == nil {
			d.index = index
		}
	}
	return nil
}

// origin says who can read what the entry seals.
func (d *detail) origin() neutral.Origin {
	switch {
	case d.signature == "" && d.data == "":
		return neutral.NoOrigin
	case d.format == "":
		return neutral.OriginUnknown
	}
	return neutral.Origin(d.format)
}

// thought is the entry as a thought of its own.
func (d *detail) thought() neutral.Thought {
	t := neutral.Thought{ID: d.id, Text: d.text, Signature: d.signature, Encrypted: d.data, Origin: d.origin()}
	if d.kind == detailSummary {
		t.Summary = []string{d.summary}
	}
	return t
}

// continues tells whether an entry goes on with the thought before it: clients may send back the pieces of a stream as they came.
func (d *detail) continues(last *detail) bool {
	if last == nil || d.index < 0 || d.index != last.index || d.id != last.id && d.id != "" && last.id != "" {
		return false
	}
	return d.kind == last.kind && d.kind != detailEncrypted && last.signature == ""
}

// splitSeals makes thoughts of the entries of a message. Gemini's seals of calls come apart, by the ids of the calls.
func splitSeals(list []detail, calls map[string]bool) ([]neutral.Thought, map[string]neutral.Thought) {
	var thoughts []neutral.Thought
	var last *detail
	seals := map[string]neutral.Thought{}
	for i := range list {
		d := &list[i]
		if d.kind == detailEncrypted && d.origin() == neutral.OriginGemini && calls[d.id] {
			seals[d.id] = neutral.Thought{Encrypted: d.data, Origin: neutral.OriginGemini}
			continue
		}
		switch {
		case d.continues(last):
			extend(&thoughts[len(thoughts)-1], d)
		case d.sharesItem(last):
			join(&thoughts[len(thoughts)-1], d)
		default:
			thoughts = append(thoughts, d.thought())
		}
		last = d
	}
	return thoughts, seals
}

// sharesItem tells whether an entry and the summary before it are of one item of the Responses API.
func (d *detail) sharesItem(last *detail) bool {
	return last != nil && last.kind == detailSummary && d.kind != detailText && d.id == last.id && d.id != ""
}

// join adds another paragraph of the summary, or the encrypted thinking.
func join(t *neutral.Thought, d *detail) {
	if d.kind == detailSummary {
		t.Summary = append(t.Summary, d.summary)
		return
	}
	t.Encrypted, t.Origin = d.data, d.origin()
}

func extend(t *neutral.Thought, d *detail) {
	t.Text += d.text
	if d.kind == detailSummary {
		t.Summary[len(t.Summary)-1] += d.summary
	}
	if d.signature != "" {
		t.Signature, t.Origin = d.signature, d.origin()
	}
}

// appendDetails appends a thought as entries of reasoning_details, from an index on, and returns the next index. call is the id of the call that a seal of
// Gemini's belongs to.
func appendDetails(dst []byte, t *neutral.Thought, index int, call string) ([]byte, int) {
	for _, paragraph := range t.Summary {
		dst = appendText(openDetail(dst, detailSummary), "summary", paragraph)
		dst = closeDetail(dst, t, t.ID, index)
		index++
	}
	if t.Text != "" || t.Signature != "" {
		dst = appendText(openDetail(dst, detailText), "text", t.Text)
		if t.Signature != "" {
			dst = appendText(dst, "signature", t.Signature)
		}
		dst = closeDetail(dst, t, t.ID, index)
		index++
	}
	if t.Encrypted != "" {
		id := t.ID
		if call != "" {
			id = call
		}
		dst = appendText(openDetail(dst, detailEncrypted), "data", t.Encrypted)
		dst = closeDetail(dst, t, id, index)
		index++
	}
	return dst, index
}

func openDetail(dst []byte, kind string) []byte {
	return appendText(append(appendComma(dst), '{'), "type", kind)
}

func closeDetail(dst []byte, t *neutral.Thought, id string, index int) []byte {
	if id != "" {
		dst = appendText(dst, "id", id)
	}
	dst = appendKey(dst, "format")
	if t.Origin == neutral.NoOrigin {
		dst = append(dst, "null"...)
	} else {
		dst = jsonscan.AppendQuoted(dst, string(t.Origin))
	}
	return append(appendInteger(dst, "index", int64(index)), '}')
}
