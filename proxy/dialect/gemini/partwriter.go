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

// argumentsOf is the JSON object that a model's arguments are; false when they are none.
func argumentsOf(arguments string) ([]byte, bool) {
	trimmed := bytes.TrimSpace([]byte(arguments))
	if len(trimmed) == 0 {
		return []byte("{}"), true
	}
	return trimmed, trimmed[0] == '{' && json.Valid(trimmed)
}

// appendMedia appends a part with an image, sound, film or document, whose media type is known.
func appendMedia(dst []byte, m *neutral.Media, mime, signature string) []byte {
	uri := m.URL + m.FileID
	switch {
	case uri != "":
		dst = append(dst, `{"fileData":{`...)
		if mime != "" {
			dst = stringMember(dst, "mimeType", mime)
		}
		dst = stringMember(dst, "fileUri", uri)
	case m.Data != "":
		dst = stringMember(stringMember(append(dst, `{"inlineData":{`...), "mimeType", mime), "data", m.Data)
	default:
		dst = stringMember(append(dst, `{"inlineData":{`...), "mimeType", mime)
		dst = stringMember(dst, "data", base64.StdEncoding.EncodeToString([]byte(m.Text)))
	}
	return endPart(append(dst, '}'), signature)
}

// mimeOf is the media type: the one that was told, or what the ending of the name or the address says; empty when none does.
func mimeOf(m *neutral.Media) string {
	if m.MIME != "" {
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
		return "audio/mpeg"
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
