package gemini

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// appendText appends a part with text. signature may be empty.
func appendText(dst []byte, text, signature string) []byte {
	dst = jsonscan.AppendQuoted(append(dst, `{"text":`...), text)
	return endPart(dst, signature)
}

// appendThought appends a part with thinking. signature may be empty.
func appendThought(dst []byte, text, signature string) []byte {
	dst = jsonscan.AppendQuoted(append(dst, `{"text":`...), text)
	return endPart(append(dst, `,"thought":true`...), signature)
}

// endPart closes a part behind its signature.
func endPart(dst []byte, signature string) []byte {
	if signature != "" {
		dst = stringMember(dst, "thoughtSignature", signature)
	}
	return append(dst, '}')
}

// appendCall appends a part with a call. args is a JSON object.
func appendCall(dst []byte, c *neutral.ToolCall, args []byte, signature string) []byte {
	dst = append(dst, `{"functionCall":{`...)
	if c.ID != "" {
		dst = stringMember(dst, "id", c.ID)
	}
	dst = rawMember(stringMember(dst, "name", c.Name), "args", args)
	return endPart(append(dst, '}'), signature)
}

// argumentsOf is the JSON object that a model's arguments are, on one line; false when they are none.
func argumentsOf(arguments string) ([]byte, bool) {
	trimmed := bytes.TrimSpace([]byte(arguments))
	if len(trimmed) == 0 {
		return []byte("{}"), true
	}
	if trimmed[0] != '{' || !json.Valid(trimmed) {
		return nil, false
	}
	return oneLine(trimmed), true
}

// oneLine is JSON text without line breaks, which can stand only between its tokens: in an event of a stream they would end the line.
func oneLine(raw []byte) []byte {
	if !bytes.ContainsAny(raw, "\r\n") {
		return raw
	}
	return bytes.Map(func(c rune) rune {
		if c == '\r' || c == '\n' {
			return ' '
		}
		return c
	}, raw)
}

// appendMedia appends a part with an image, sound, film or document of this media type, which is empty for films on YouTube.
func appendMedia(dst []byte, m *neutral.Media, mime, signature string) []byte {
	kind, member, value := `{"inlineData":{`, "data", m.Data
	switch uri := m.URL + m.FileID; {
	case uri != "":
		kind, member, value = `{"fileData":{`, "fileUri", uri
	case value == "":
		value = base64.StdEncoding.EncodeToString([]byte(m.Text))
	}
	dst = append(dst, kind...)
	if mime != "" {
		dst = stringMember(dst, "mimeType", mime)
	}
	dst = stringMember(dst, member, value)
	if m.Name != "" {
		dst = stringMember(dst, "displayName", m.Name)
	}
	return endPart(append(dst, '}'), signature)
}

// mimeOf is the media type: the one that was told, or what the ending of the name or the address says; empty when none does.
func mimeOf(m *neutral.Media) string {
	switch m.MIME {
	case "":
	case "image/jpg": // Clients write it, and Google does not know it.
		return "image/jpeg"
	default:
		return m.MIME
	}
	if m.Text != "" {
		return "text/plain"
	}
	path, _, _ := strings.Cut(m.URL, "?")
	path, _, _ = strings.Cut(path, "#")
	for _, name := range []string{m.Name, path} {
		if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
			if mime := mimeOfEnding(strings.ToLower(name[dot+1:])); mime != "" {
				return mime
			}
		}
	}
	return ""
}

// mimeOfEnding knows the formats that Gemini reads.
func mimeOfEnding(ending string) string {
	switch ending {
	case "png", "webp", "heic", "heif", "gif", "bmp":
		return "image/" + ending
	case "jpg", "jpeg":
		return "image/jpeg"
	case "wav", "aac", "flac", "ogg", "aiff":
		return "audio/" + ending
	case "mp3":
		return "audio/mp3"
	case "m4a":
		return "audio/mp4"
	case "mp4", "mpeg", "webm":
		return "video/" + ending
	case "mov":
		return "video/quicktime"
	case "pdf", "json":
		return "application/" + ending
	case "html", "css", "csv", "xml":
		return "text/" + ending
	case "txt", "md":
		return "text/plain"
	}
	return ""
}
