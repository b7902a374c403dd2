package openai

import (
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// part appends a part of a message's content. field names it in errors.
func (w *requestWriter) part(p *neutral.Part, field string) error {
	w.dst = appendComma(w.dst)
	if p.Kind == neutral.OpaquePart {
		if !w.native || p.Source != neutral.ChatCompletions {
			return unsupported(field, "only the API that it came from knows this part")
		}
		w.dst = append(w.dst, p.Raw...)
		return nil
	}
	w.dst = append(w.dst, '{')
	if err := w.partMembers(p, field); err != nil {
		return err
	}
	w.mark(p.Cache)
	w.dst = append(w.dst, '}')
	return nil
}

// partMembers appends the members of a part.
func (w *requestWriter) partMembers(p *neutral.Part, field string) error {
	switch p.Kind {
	case neutral.TextPart:
		w.dst = appendText(append(w.dst, `"type":"text"`...), "text", p.Text)
	case neutral.RefusalPart:
		w.dst = appendText(append(w.dst, `"type":"refusal"`...), "refusal", p.Text)
	case neutral.ImagePart:
		return w.image(p.Media, field)
	case neutral.AudioPart:
		return w.audio(p.Media, field)
	case neutral.VideoPart:
		return w.video(p.Media, field)
	case neutral.FilePart:
		return w.file(p.Media, field)
	default:
		return unsupported(field, "such a part has no place here")
	}
	return nil
}

// dataURL is the content of a medium as a data: URL.
func dataURL(m *neutral.Media, fallback string) string {
	mime := m.MIME
	if mime == "" {
		mime = fallback
	}
	return "data:" + mime + ";base64," + m.Data
}

func (w *requestWriter) image(m *neutral.Media, field string) error {
	url := m.URL
	switch {
	case w.to.Quirks.NoImages:
		return unsupported(field, "images cannot be sent there")
	case m.Data != "":
		url = dataURL(m, "image/png")
	case url == "":
		return unsupported(field, "images by the id of a file cannot be sent there; send them as base64")
	case w.to.Quirks.NoImageURLs:
		return unsupported(field+".image_url", "images cannot be sent there by URL; send them as base64")
	}
	w.dst = append(w.dst, `"type":"image_url","image_url":{`...)
	w.dst = appendText(w.dst, "url", url)
	if m.Detail != "" {
		w.dst = appendText(w.dst, "detail", m.Detail)
	}
	w.dst = append(w.dst, '}')
	return nil
}

func (w *requestWriter) audio(m *neutral.Media, field string) error {
	switch {
	case w.to.Quirks.NoAudio:
		return unsupported(field, "audio cannot be sent there")
	case m.Data == "":
		return unsupported(field, "audio can only be sent there as base64")
	}
	w.dst = append(w.dst, `"type":"input_audio","input_audio":{`...)
	w.dst = appendText(w.dst, "data", m.Data)
	w.dst = append(appendText(w.dst, "format", audioFormat(m.MIME)), '}')
	return nil
}

// video is known to OpenRouter and to servers of the user's own.
func (w *requestWriter) video(m *neutral.Media, field string) error {
	url := m.URL
	if m.Data != "" {
		url = dataURL(m, "video/mp4")
	}
	if url == "" || w.to.Provider != vendorOpenRouter && w.to.Provider != vendorAny {
		return unsupported(field, "films cannot be sent there")
	}
	w.dst = append(w.dst, `"type":"video_url","video_url":{`...)
	w.dst = append(appendText(w.dst, "url", url), '}')
	return nil
}

// file appends a document. One of plain text needs no more than a text.
func (w *requestWriter) file(m *neutral.Media, field string) error {
	if m.Text != "" {
		text := m.Text
		if title := strings.Trim(m.Name+"\n"+m.Context, "\n"); title != "" {
			text = title + "\n\n" + text
		}
		w.dst = appendText(append(w.dst, `"type":"text"`...), "text", text)
		return nil
	}
	switch {
	case w.to.Quirks.NoFiles:
		return unsupported(field, "files cannot be sent there")
	case m.URL != "" && w.to.Provider != vendorOpenRouter:
		return unsupported(field, "files cannot be sent there by URL; send them as base64")
	case m.FileID != "" && !w.native:
		return unsupported(field, "files of another provider cannot be sent there by their id; send them as base64")
	}
	w.dst = append(w.dst, `"type":"file","file":{`...)
	switch {
	case m.FileID != "":
		w.dst = appendText(w.dst, "file_id", m.FileID)
	case m.URL != "":
		w.dst = appendText(w.dst, "file_data", m.URL)
	case m.MIME == "" && w.native:
		w.dst = appendText(w.dst, "file_data", m.Data)
	default:
		w.dst = appendText(w.dst, "file_data", dataURL(m, "application/pdf"))
	}
	w.fileName(m)
	w.dst = append(w.dst, '}')
	return nil
}

// fileName appends the name, which OpenAI demands beside the bytes.
func (w *requestWriter) fileName(m *neutral.Media) {
	switch {
	case m.Name != "":
		w.dst = appendText(w.dst, "filename", m.Name)
	case m.FileID == "" && !w.native:
		w.dst = appendText(w.dst, "filename", "document.pdf")
	}
}
