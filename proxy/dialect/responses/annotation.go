package responses

import (
	"encoding/json"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// wireAnnotation says where a part of a text comes from.
type wireAnnotation struct {
	Type       string `json:"type"`
	URL        string `json:"url"`
	Title      string `json:"title"`
	StartIndex int64  `json:"start_index"`
	EndIndex   int64  `json:"end_index"`
	FileID     string `json:"file_id"`
	Filename   string `json:"filename"`
}

// urlCitation and fileCitation are the annotations that other APIs' citations become.
type urlCitation struct {
	Type       string `json:"type"`
	StartIndex int64  `json:"start_index"`
	EndIndex   int64  `json:"end_index"`
	URL        string `json:"url"`
	Title      string `json:"title"`
}

type fileCitation struct {
	Type     string `json:"type"`
	FileID   string `json:"file_id"`
	Filename string `json:"filename"`
	Index    int64  `json:"index"`
}

func readAnnotations(list []json.RawMessage) []neutral.Citation {
	var citations []neutral.Citation
	for _, raw := range list {
		if citation, ok := readAnnotation(raw); ok {
			citations = append(citations, citation)
		}
	}
	return citations
}

// readAnnotation reads an annotation; false when it is none.
func readAnnotation(raw json.RawMessage) (neutral.Citation, bool) {
	var w wireAnnotation
	if !isObject(raw) || json.Unmarshal(raw, &w) != nil {
		return neutral.Citation{}, false
	}
	citation := neutral.Citation{
		URL: w.URL, Title: w.Title, Start: w.StartIndex, End: w.EndIndex, Document: -1, FileID: w.FileID, Source: neutral.Responses, Raw: raw,
	}
	if citation.Title == "" {
		citation.Title = w.Filename
	}
	return citation, true
}

// annotationOf is a citation on the wire. One without a URL is of a document.
func annotationOf(c *neutral.Citation) json.RawMessage {
	switch {
	case c.Source == neutral.Responses && c.Raw != nil:
		return c.Raw
	case c.URL != "":
		return dialect.AppendJSON(nil, urlCitation{Type: "url_citation", StartIndex: c.Start, EndIndex: c.End, URL: c.URL, Title: c.Title})
	}
	return dialect.AppendJSON(nil, fileCitation{Type: "file_citation", FileID: c.FileID, Filename: c.Title, Index: c.Start})
}

// appendAnnotations appends the list of a text's citations to dst.
func appendAnnotations(dst []byte, citations []neutral.Citation) []byte {
	dst = append(dst, '[')
	for i := range citations {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, annotationOf(&citations[i])...)
	}
	return append(dst, ']')
}
