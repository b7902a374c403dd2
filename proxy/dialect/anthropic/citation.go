package anthropic

import (
	"encoding/json"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// wireCitation is the union of the kinds of citations.
type wireCitation struct {
	Type          string `json:"type"`
	CitedText     string `json:"cited_text"`
	URL           string `json:"url"`
	Encrypted     string `json:"encrypted_index"`
	Title         string `json:"title"`
	Source        string `json:"source"`
	DocumentTitle string `json:"document_title"`
	DocumentIndex *int64 `json:"document_index"`
	FileID        string `json:"file_id"`
}

// readCitations reads a list of citations. What is none is left out.
func readCitations(raw json.RawMessage) []neutral.Citation {
	var list []json.RawMessage
	if absent(raw) || json.Unmarshal(raw, &list) != nil {
		return nil
	}
	citations := make([]neutral.Citation, 0, len(list))
	for _, item := range list {
		if citation, ok := readCitation(item); ok {
			citations = append(citations, citation)
		}
	}
	return citations
}

// citationWeb is the type of citations of a page in the web. One that Claude found has an encrypted index, and the API refuses one without.
const citationWeb = "web_search_result_location"

// readCitation reads one citation. Its offsets count in the source rather than in the answer, so that only the original tells them.
func readCitation(raw json.RawMessage) (neutral.Citation, bool) {
	var wire wireCitation
	if json.Unmarshal(raw, &wire) != nil {
		return neutral.Citation{}, false
	}
	citation := neutral.Citation{URL: wire.URL, Title: wire.Title, CitedText: wire.CitedText, FileID: wire.FileID, Document: -1}
	if wire.Type == citationWeb && wire.Encrypted == "" { // It came from another provider.
		return citation, true
	}
	citation.Source, citation.Raw = neutral.Messages, append(json.RawMessage(nil), raw...)
	if wire.Type == "search_result_location" {
		citation.URL = wire.Source
	}
	if wire.DocumentIndex != nil {
		citation.Document, citation.Title = *wire.DocumentIndex, wire.DocumentTitle
	}
	return citation, true
}

// appendCitation appends a citation: the original where it is of this API, and else one of a page in the web. It is false for those that the API has no
// form for.
func appendCitation(dst []byte, c *neutral.Citation) ([]byte, bool) {
	switch {
	case c.Source == neutral.Messages:
		return append(dst, c.Raw...), true
	case c.URL == "":
		return dst, false
	}
	dst = jsonscan.AppendQuoted(append(dst, `{"type":"`+citationWeb+`","cited_text":`...), c.CitedText)
	dst = jsonscan.AppendQuoted(append(dst, `,"url":`...), c.URL)
	dst = jsonscan.AppendQuoted(append(dst, `,"title":`...), c.Title)
	return append(dst, `,"encrypted_index":""}`...), true
}

// appendCitations appends the member "citations" with the comma before it; nothing without citations.
func appendCitations(dst []byte, citations []neutral.Citation) []byte {
	const open = `,"citations":[`
	start := len(dst)
	dst = append(dst, open...)
	for i := range citations {
		var ok bool
		if dst, ok = appendCitation(dst, &citations[i]); ok {
			dst = append(dst, ',')
		}
	}
	if len(dst) == start+len(open) {
		return dst[:start]
	}
	dst[len(dst)-1] = ']'
	return dst
}
