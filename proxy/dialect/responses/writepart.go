package responses

import (
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// part is a part of a message, or of a result, on the wire.
func (w *inputWriter) part(p *neutral.Part, role neutral.Role, field string) ([]byte, error) {
	switch p.Kind {
	case neutral.TextPart:
		return w.textPart(p, role), nil
	case neutral.RefusalPart:
		if role == neutral.Assistant {
			return append(jsonscan.AppendQuoted([]byte(`{"type":"refusal","refusal":`), p.Text), '}'), nil
		}
		return append(jsonscan.AppendQuoted([]byte(`{"type":"input_text","text":`), p.Text), '}'), nil
	case neutral.OpaquePart:
		if p.Source == neutral.Responses {
			return p.Raw, nil
		}
		return nil, unsupportedPart(field, "a part of type "+p.Type+" cannot be sent to the Responses API")
	default:
		return w.media(p, role, field)
	}
}

// media is an image, a sound or a document on the wire.
func (w *inputWriter) media(p *neutral.Part, role neutral.Role, field string) ([]byte, error) {
	if role == neutral.Assistant {
		return nil, unsupportedPart(field, "what the assistant said can only be text in the Responses API")
	}
	var object []byte
	var err error
	switch p.Kind {
	case neutral.ImagePart:
		object, err = w.image(p.Media, field+".image_url")
	case neutral.AudioPart:
		object, err = w.audio(p.Media, field+".input_audio")
	case neutral.FilePart:
		object, err = w.file(p.Media, field+".file")
	default:
		err = unsupportedPart(field, "a part of kind "+string(p.Kind)+" cannot be sent to the Responses API")
	}
	if err != nil {
		return nil, err
	}
	return w.marked(object, p.Cache), nil
}

func unsupportedPart(field, reason string) error {
	return &neutral.UnsupportedError{Field: field, Reason: reason}
}

func (w *inputWriter) textPart(p *neutral.Part, role neutral.Role) []byte {
	if role == neutral.Assistant {
		object := jsonscan.AppendQuoted([]byte(`{"type":"output_text","text":`), p.Text)
		object = append(object, `,"annotations":`...)
		return append(appendAnnotations(object, p.Citations), '}')
	}
	return w.marked(append(jsonscan.AppendQuoted([]byte(`{"type":"input_text","text":`), p.Text), '}'), p.Cache)
}

// marked adds the mark that the prompt up to here is worth caching. Only newer models of OpenAI know it, and all of them cache without it: a mark that came
// from another API is reported as dropped.
func (w *inputWriter) marked(object []byte, mark *neutral.CacheMark) []byte {
	switch {
	case mark == nil:
		return object
	case !w.native():
		w.report.Drop("cache_control")
		return object
	}
	object = append(object[:len(object)-1], `,"prompt_cache_breakpoint":{"mode":"explicit"`...)
	if mark.TTL == "1h" {
		object = append(object, `,"ttl":"`+longBreakpoint+`"`...)
	}
	return append(object, "}}"...)
}

func (w *inputWriter) image(m *neutral.Media, field string) ([]byte, error) {
	object := []byte(`{"type":"input_image",`)
	switch {
	case w.to.Quirks.NoImages:
		return nil, unsupportedPart(field, "images cannot be sent to this provider")
	case m.FileID != "" && !w.native():
		return nil, unsupportedPart(field, "an uploaded file is known to one provider only; send the image as base64 or by URL")
	case m.FileID != "":
		object = jsonscan.AppendQuoted(append(object, `"file_id":`...), m.FileID)
	case m.Data != "":
		object = appendDataURL(append(object, `"image_url":`...), m, "image/png")
	case !fetchable(m.URL) || w.to.Quirks.NoImageURLs:
		return nil, unsupportedPart(field, "images by URL cannot be sent to this provider; send them as base64")
	default:
		object = jsonscan.AppendQuoted(append(object, `"image_url":`...), m.URL)
	}
	detail := m.Detail
	if detail == "" && !w.native() {
		detail = "auto"
	}
	return closeWith(object, "detail", detail), nil
}

func (w *inputWriter) audio(m *neutral.Media, field string) ([]byte, error) {
	format := ""
	switch m.MIME {
	case "audio/wav", "audio/x-wav", "audio/wave":
		format = "wav"
	case "audio/mpeg", "audio/mp3":
		format = "mp3"
	}
	switch {
	case w.to.Quirks.NoAudio:
		return nil, unsupportedPart(field, "audio cannot be sent to this provider")
	case m.Data == "" || format == "":
		return nil, unsupportedPart(field, "audio must be wav or mp3, as base64")
	}
	object := jsonscan.AppendQuoted([]byte(`{"type":"input_audio","input_audio":{"data":`), m.Data)
	return append(object, `,"format":"`+format+`"}}`...), nil
}

// file writes a document. One that is plain text becomes text, which every server of this API can read.
func (w *inputWriter) file(m *neutral.Media, field string) ([]byte, error) {
	object := []byte(`{"type":"input_file",`)
	switch {
	case m.Text != "":
		return append(jsonscan.AppendQuoted([]byte(`{"type":"input_text","text":`), documentText(m)), '}'), nil
	case w.to.Quirks.NoFiles:
		return nil, unsupportedPart(field, "files cannot be sent to this provider")
	case m.FileID != "" && !w.native():
		return nil, unsupportedPart(field, "an uploaded file is known to one provider only; send its content as base64")
	case m.FileID != "":
		object = jsonscan.AppendQuoted(append(object, `"file_id":`...), m.FileID)
	case m.Data != "" && m.MIME == "":
		object = jsonscan.AppendQuoted(append(object, `"file_data":`...), m.Data)
	case m.Data != "":
		object = appendDataURL(append(object, `"file_data":`...), m, "")
	case !fetchable(m.URL):
		return nil, unsupportedPart(field, "the provider cannot fetch this file; send its content as base64")
	default:
		object = jsonscan.AppendQuoted(append(object, `"file_url":`...), m.URL)
	}
	name := m.Name
	if name == "" && m.Data != "" {
		name = nameOfType(m.MIME)
	}
	object = closeWith(object, "filename", name)
	return closeWith(object[:len(object)-1], "detail", m.Detail), nil
}

// documentText is a document in plain text with what is said of it.
func documentText(m *neutral.Media) string {
	texts := make([]string, 0, 3)
	for _, text := range []string{m.Name, m.Context, m.Text} {
		if text != "" {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, "\n\n")
}

// fetchable tells whether a URL is of a kind that providers fetch.
func fetchable(url string) bool {
	return strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://")
}

// appendDataURL appends the content as a data: URL.
func appendDataURL(dst []byte, m *neutral.Media, usual string) []byte {
	kind := m.MIME
	if kind == "" {
		kind = usual
	}
	return jsonscan.AppendQuoted(dst, "data:"+kind+";base64,"+m.Data)
}

// closeWith ends an object with one more member, if its text is not empty.
func closeWith(object []byte, name, text string) []byte {
	if text != "" {
		object = append(append(object, `,"`...), name...)
		object = jsonscan.AppendQuoted(append(object, `":`...), text)
	}
	return append(object, '}')
}
