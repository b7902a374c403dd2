package anthropic

import (
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// mimePDF is the one type of documents that the API takes as bytes.
const mimePDF = "application/pdf"

// writeImage writes an image.
func (w *requestWriter) writeImage(part *neutral.Part, field string) error {
	if w.to.Quirks.NoImages {
		return unsupported(field+".image_url", "images cannot be sent")
	}
	w.dst = append(w.dst, `{"type":"image"`...)
	m := part.Media
	mime := m.MIME
	if mime == "" {
		mime = guessType(m.Data)
	}
	switch {
	case m.Data != "" && !w.native() && !slices.Contains([]string{"image/jpeg", "image/png", "image/gif", "image/webp"}, mime):
		return unsupported(field+".image_url", "images must be JPEG, PNG, GIF or WebP")
	case m.Data != "":
		w.writeBytes(mime, m.Data)
	default:
		if err := w.writeReference(m, field+".image_url"); err != nil {
			return err
		}
	}
	w.closeBlock(part)
	return nil
}

// writeBytes writes a source of bytes.
func (w *requestWriter) writeBytes(mime, data string) {
	w.dst = append(w.dst, `,"source":{"type":"base64"`...)
	w.dst = append(appendString(appendString(w.dst, "media_type", mime), "data", data), '}')
}

// writeReference writes a source that is a URL or an uploaded file.
func (w *requestWriter) writeReference(m *neutral.Media, field string) error {
	switch {
	case m.FileID != "" && w.native():
		w.dst = append(appendString(append(w.dst, `,"source":{"type":"file"`...), "file_id", m.FileID), '}')
		return nil
	case m.FileID != "":
		return unsupported(field, "files uploaded to another provider cannot be sent")
	case m.URL == "":
		return unsupported(field, "it is empty")
	case w.to.Quirks.NoImageURLs:
		return unsupported(field, noURLs)
	case !strings.HasPrefix(m.URL, "https://") && !w.native():
		return unsupported(field, "only https URLs can be sent")
	}
	w.dst = append(appendString(append(w.dst, `,"source":{"type":"url"`...), "url", m.URL), '}')
	return nil
}

// noURLs says that a host of the API does not fetch anything.
const noURLs = "images and documents by URL cannot be sent there; send them as base64"

// writeDocument writes a document: a PDF as bytes, a text as text.
func (w *requestWriter) writeDocument(part *neutral.Part, field string) error {
	if w.to.Quirks.NoFiles {
		return unsupported(field+".file", "files cannot be sent")
	}
	w.dst = append(w.dst, `{"type":"document"`...)
	m := part.Media
	hasSource := w.native() && slices.ContainsFunc(part.Extra, func(e neutral.Member) bool { return e.Name == "source" })
	switch {
	case hasSource: // Its original form comes with the other members that the neutral form has no place for.
	case m.Text != "":
		w.writeTextSource(m.Text)
	case m.Data != "":
		if err := w.writeDocumentData(m, field+".file"); err != nil {
			return err
		}
	default:
		if err := w.writeReference(m, field+".file"); err != nil {
			return err
		}
	}
	if m.Name != "" {
		w.dst = appendString(w.dst, "title", m.Name)
	}
	if m.Context != "" {
		w.dst = appendString(w.dst, "context", m.Context)
	}
	if m.Citations {
		w.dst = append(w.dst, `,"citations":{"enabled":true}`...)
	}
	w.closeBlock(part)
	return nil
}

func (w *requestWriter) writeTextSource(text string) {
	w.dst = append(appendString(append(w.dst, `,"source":{"type":"text","media_type":"text/plain"`...), "data", text), '}')
}

func (w *requestWriter) writeDocumentData(m *neutral.Media, field string) error {
	mime := m.MIME
	if mime == "" {
		mime = guessType(m.Data)
	}
	if mime == mimePDF || w.native() {
		w.writeBytes(mime, m.Data)
		return nil
	}
	if strings.HasPrefix(mime, "text/") || mime == "application/json" {
		if text, err := base64.StdEncoding.DecodeString(m.Data); err == nil && len(text) > 0 && utf8.Valid(text) {
			w.writeTextSource(string(text))
			return nil
		}
	}
	return unsupported(field, "documents must be PDF or text")
}

// guessType is the type of a file by the beginning of its base64 text; empty when it cannot be told.
func guessType(data string) string {
	for _, known := range [...]struct{ start, mime string }{
		{"/9j/", "image/jpeg"}, {"iVBORw0KGgo", "image/png"}, {"R0lGOD", "image/gif"}, {"UklGR", "image/webp"}, {"JVBERi", mimePDF},
	} {
		if strings.HasPrefix(data, known.start) {
			return known.mime
		}
	}
	return ""
}
