package gemini

import (
	"encoding/json"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// maxCitations bounds the citations of an answer.
const maxCitations = 1000

// cited is what makes two citations the same.
type cited struct {
	url, title, text string
	start, end       int64
}

// source is a citation as Google tells it: with offsets in bytes of the text of one part.
type source struct {
	neutral.Citation
	// part is the index of the part.
	part int
}

// groundingMetadata is what is read and written of the member of this name.
type groundingMetadata struct {
	Chunks   []groundingChunk   `json:"groundingChunks,omitempty"`
	Supports []groundingSupport `json:"groundingSupports,omitempty"`
}

// groundingChunk is a source: exactly one of the members is set.
type groundingChunk struct {
	Web       *groundingSource `json:"web,omitempty"`
	Retrieved *groundingSource `json:"retrievedContext,omitempty"`
	Maps      *groundingSource `json:"maps,omitempty"`
}

// groundingSource is where a source is found.
type groundingSource struct {
	URI   string `json:"uri,omitempty"`
	Title string `json:"title,omitempty"`
	Text  string `json:"text,omitempty"`
}

// groundingSupport says which sources bear out a piece of the text.
type groundingSupport struct {
	Segment segment `json:"segment"`
	Chunks  []int   `json:"groundingChunkIndices,omitempty"`
}

// segment is a piece of the text.
type segment struct {
	Part  int    `json:"partIndex,omitempty"`
	Start int64  `json:"startIndex,omitempty"`
	End   int64  `json:"endIndex,omitempty"`
	Text  string `json:"text,omitempty"`
}

// citationMetadata is what is read of the member of this name.
type citationMetadata struct {
	Citations []struct {
		Start int64  `json:"startIndex"`
		End   int64  `json:"endIndex"`
		URI   string `json:"uri"`
		Title string `json:"title"`
	} `json:"citations"`
}

// sources are the citations of a candidate.
func (c *candidate) sources() []source {
	found := groundingSources(c.grounding)
	var metadata citationMetadata
	if c.citations != nil && json.Unmarshal(c.citations, &metadata) == nil {
		for _, m := range metadata.Citations {
			found = append(found, source{Citation: neutral.Citation{URL: m.URI, Title: m.Title, Start: m.Start, End: m.End, Document: -1}, part: -1})
		}
	}
	return found[:min(len(found), maxCitations)]
}

// groundingSources are the sources of the pieces of the text, and behind them those that no piece names.
func groundingSources(raw []byte) []source {
	var metadata groundingMetadata
	if raw == nil || json.Unmarshal(raw, &metadata) != nil {
		return nil
	}
	var found []source
	named := make([]bool, len(metadata.Chunks))
	for _, support := range metadata.Supports {
		for _, index := range support.Chunks {
			if index < 0 || index >= len(metadata.Chunks) || len(found) == maxCitations {
				continue
			}
			named[index] = true
			s := source{Citation: metadata.Chunks[index].citation(), part: support.Segment.Part}
			s.CitedText, s.Start, s.End = support.Segment.Text, support.Segment.Start, support.Segment.End
			found = append(found, s)
		}
	}
	for i := range metadata.Chunks {
		if !named[i] && len(found) < maxCitations {
			found = append(found, source{Citation: metadata.Chunks[i].citation()})
		}
	}
	return found
}

// citation of the source, without a piece of the text.
func (c *groundingChunk) citation() neutral.Citation {
	for _, place := range []*groundingSource{c.Web, c.Retrieved, c.Maps} {
		if place != nil {
			return neutral.Citation{URL: place.URI, Title: place.Title, Document: -1}
		}
	}
	return neutral.Citation{Document: -1}
}

// cite tells the citations that come with a chunk, as part of the text that is open. The offsets are kept only where they are certain: in a text whose bytes
// are its characters.
func (r *choiceReader) cite(dst []neutral.Event, c *candidate) []neutral.Event {
	if r.open != neutral.TextPart || c.grounding == nil && c.citations == nil {
		return dst
	}
	for _, s := range c.sources() {
		if r.wide || s.End > r.size || s.Start < 0 || s.Start > s.End {
			s.Start, s.End = 0, 0
		}
		same := cited{url: s.URL, title: s.Title, text: s.CitedText, start: s.Start, end: s.End}
		if _, told := r.cited[same]; told || len(r.cited) == maxCitations {
			continue
		}
		if r.cited == nil {
			r.cited = map[cited]struct{}{}
		}
		r.cited[same] = struct{}{}
		told := s.Citation
		dst = append(dst, neutral.Event{Kind: neutral.EventPartDelta, Choice: r.index, Index: r.parts - 1, Delta: neutral.Delta{Citation: &told}})
	}
	return dst
}

// ascii tells whether the text has as many bytes as characters.
func ascii(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// attach puts the citations of a whole candidate to its texts. texts are the indexes of the text parts by that of the wire's part; the last of them takes
// what names none. The offsets become characters of the whole text.
func attach(sources []source, parts []neutral.Part, texts map[int]int) {
	last := -1
	for i := range parts {
		if parts[i].Kind == neutral.TextPart {
			last = i
		}
	}
	for _, s := range sources {
		at, ok := texts[s.part]
		if !ok {
			at = last
		}
		if at < 0 {
			return
		}
		before := int64(0)
		for i := range parts[:at] {
			if parts[i].Kind == neutral.TextPart {
				before += int64(utf8.RuneCountInString(parts[i].Text))
			}
		}
		s.Start, s.End = characters(parts[at].Text, s.Start, s.End)
		if s.End > 0 {
			s.Start, s.End = s.Start+before, s.End+before
		}
		parts[at].Citations = append(parts[at].Citations, s.Citation)
	}
}

// characters turns offsets in bytes into offsets in characters; 0 and 0 when they are not in the text.
func characters(text string, start, end int64) (from, to int64) {
	if start < 0 || end <= start || end > int64(len(text)) {
		return 0, 0
	}
	from = int64(utf8.RuneCountInString(text[:start]))
	return from, from + int64(utf8.RuneCountInString(text[start:end]))
}

// byteOffsets turns offsets in characters into offsets in bytes; 0 and 0 when they are not in the text.
func byteOffsets(text string, start, end int64) (from, to int64) {
	if start < 0 || end <= start {
		return 0, 0
	}
	var chars int64
	from, to = -1, -1
	for at := range text {
		if chars == start {
			from = int64(at)
		}
		if chars == end {
			to = int64(at)
		}
		chars++
	}
	if chars == end {
		to = int64(len(text))
	}
	if from < 0 || to < 0 {
		return 0, 0
	}
	return from, to
}
