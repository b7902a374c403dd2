package gemini

import (
	"strings"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// malformedCall is the finishReason of an answer whose call has arguments that are no JSON object.
const malformedCall = "MALFORMED_FUNCTION_CALL"

// AppendResponse appends a GenerateContentResponse to dst.
func (Generate) AppendResponse(dst []byte, r *neutral.Response, o dialect.Exchange) []byte {
	dst = append(dst, `{"candidates":[`...)
	for i := range r.Choices {
		dst = appendCandidate(comma(dst), &r.Choices[i], i)
	}
	dst = append(dst, ']')
	if r.Usage != nil {
		dst = appendUsage(dst, *r.Usage)
	}
	return append(appendOrigin(dst, r.Model, r.ID, o), '}')
}

// appendOrigin appends who answered, and the id of the answer.
func appendOrigin(dst []byte, model, id string, o dialect.Exchange) []byte {
	for _, other := range []string{o.UpstreamModel, o.Model} {
		if model == "" {
			model = other
		}
	}
	if id == "" {
		id = o.ID
	}
	return stringMember(stringMember(dst, "modelVersion", model), "responseId", id)
}

// appendCandidate appends a choice.
func appendCandidate(dst []byte, c *neutral.Choice, index int) []byte {
	w := partsWriter{dst: append(dst, `{"content":{"role":"model","parts":[`...)}
	for i := range c.Parts {
		w.write(&c.Parts[i])
	}
	w.flush()
	reason := reasonOf(c.Finish)
	if w.malformed {
		reason = malformedCall
	}
	dst = stringMember(append(w.dst, "]}"...), "finishReason", reason)
	dst = intMember(dst, "index", int64(index))
	if w.grounding != nil {
		dst = jsonMember(dst, "groundingMetadata", w.grounding)
	}
	if result := resultOf(c.LogProbs); result != nil {
		dst = jsonMember(dst, "logprobsResult", result)
	}
	return append(dst, '}')
}

// jsonMember appends a member with a value of this package's own types.
func jsonMember(dst []byte, name string, value any) []byte {
	return dialect.AppendJSON(key(dst, name), value)
}

// pendingSeals are sealed thoughts that have no part of their own.
type pendingSeals []*neutral.Thought

// take returns them as a signature, and forgets them.
func (s *pendingSeals) take() string {
	signature := signatureOf(*s...)
	*s = (*s)[:0]
	return signature
}

// partsWriter writes the parts of an answer.
type partsWriter struct {
	// dst ends inside the array of parts.
	dst []byte
	// seals stand before the part that comes next.
	seals pendingSeals
	// malformed tells that a call was left out because its arguments are no JSON object.
	malformed bool
	// count is the number of parts so far, and chars that of the text's characters.
	count int
	chars int64
	// grounding are the citations of the texts; nil when there are none.
	grounding *groundingMetadata
}

// write appends a part.
func (w *partsWriter) write(p *neutral.Part) {
	switch p.Kind {
	case neutral.TextPart, neutral.RefusalPart:
		if p.Text != "" {
			w.dst = appendText(w.next(), p.Text, w.seals.take())
			w.cite(p)
		}
	case neutral.ReasoningPart:
		if p.Thought != nil {
			w.writeThought(p.Thought)
		}
	case neutral.ToolCallPart:
		if p.Call != nil {
			w.writeCall(p.Call)
		}
	case neutral.ImagePart, neutral.AudioPart, neutral.VideoPart, neutral.FilePart:
		if p.Media != nil {
			w.dst = appendMedia(w.next(), p.Media, mimeOf(p.Media), w.seals.take())
		}
	case neutral.OpaquePart:
		if p.Source == neutral.GenerateContent {
			w.flush()
			w.dst = append(w.next(), p.Raw...)
		}
	case neutral.ToolResultPart:
	}
}

// writeThought appends thinking with its seal. A seal without thinking is kept for the next part, as Google has it, and because SDKs take a turn with an empty
// part for broken.
func (w *partsWriter) writeThought(t *neutral.Thought) {
	body := t.Text
	if body == "" {
		body = strings.Join(t.Summary, "\n\n")
	}
	switch {
	case body == "" && t.Sealed():
		w.seals = append(w.seals, t)
	case body == "":
	case t.Sealed() && (t.Origin != neutral.OriginGemini || t.Signature != ""):
		w.seals = append(w.seals, t)
		w.dst = appendThought(w.next(), body, w.seals.take())
	default:
		w.flush()
		w.dst = appendThought(w.next(), body, "")
		if t.Sealed() {
			w.seals = append(w.seals, t)
		}
	}
}

// writeCall appends a call.
func (w *partsWriter) writeCall(c *neutral.ToolCall) {
	args, ok := argumentsOf(c.Arguments)
	if !ok {
		w.malformed = true
		return
	}
	w.dst = appendCall(w.next(), c, args, w.seals.take())
}

// flush writes a seal behind which no part came as a part without text, as Google does.
func (w *partsWriter) flush() {
	if len(w.seals) > 0 {
		w.dst = appendText(w.next(), "", w.seals.take())
	}
}

// next counts a part, and returns what it is appended to.
func (w *partsWriter) next() []byte {
	w.count++
	return comma(w.dst)
}

// cite adds the citations of the text that was just written.
func (w *partsWriter) cite(p *neutral.Part) {
	for i := range p.Citations[:min(len(p.Citations), maxCitations)] {
		if w.grounding == nil {
			w.grounding = &groundingMetadata{}
		}
		c := &p.Citations[i]
		piece := segment{Part: w.count - 1}
		piece.Start, piece.End = byteOffsets(p.Text, c.Start-w.chars, c.End-w.chars)
		w.grounding.add(c, piece)
	}
	w.chars += int64(utf8.RuneCountInString(p.Text))
}

// add adds a citation of a piece of the text.
func (m *groundingMetadata) add(c *neutral.Citation, piece segment) {
	chunk := groundingChunk{Web: &groundingSource{URI: c.URL, Title: c.Title}}
	if c.URL == "" {
		chunk = groundingChunk{Retrieved: &groundingSource{Title: c.Title, Text: c.CitedText}}
	} else {
		piece.Text = c.CitedText
	}
	at := m.index(chunk)
	if last := len(m.Supports) - 1; last >= 0 && m.Supports[last].Segment == piece {
		m.Supports[last].Chunks = append(m.Supports[last].Chunks, at)
		return
	}
	if piece.End > 0 || piece.Text != "" {
		m.Supports = append(m.Supports, groundingSupport{Segment: piece, Chunks: []int{at}})
	}
}

// index is the place of a source, which is added if it is new.
func (m *groundingMetadata) index(chunk groundingChunk) int {
	for i := range m.Chunks {
		if m.Chunks[i].same(chunk) {
			return i
		}
	}
	m.Chunks = append(m.Chunks, chunk)
	return len(m.Chunks) - 1
}

// same tells whether two chunks name the same web page, or quote the same document.
func (c groundingChunk) same(other groundingChunk) bool {
	if c.Web != nil && other.Web != nil {
		return *c.Web == *other.Web
	}
	return c.Retrieved != nil && other.Retrieved != nil && *c.Retrieved == *other.Retrieved
}
