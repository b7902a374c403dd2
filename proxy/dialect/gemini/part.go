package gemini

import (
	"slices"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// part is a part of a content as it stands on the wire.
type part struct {
	// kind is the name of the member that holds the part's data, in camelCase; empty when there is none. value is that member's JSON text.
	kind  string
	value []byte
	// thought tells that the part is thinking.
	thought bool
	// signature is the "thoughtSignature".
	signature string
	// extra are the members that the neutral form has no place for, such as "videoMetadata".
	extra []neutral.Member
	// raw is the whole part.
	raw []byte
}

// readPart reads the part at data[at] and returns the offset behind it.
func readPart(data []byte, at int) (part, int, error) {
	if data[at] != '{' {
		end, err := jsonscan.Value(data, at)
		return part{}, end, err
	}
	var p part
	walk := jsonscan.WalkObject(data, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		end := walk.Skip()
		if _, err := walk.End(); err != nil {
			break
		}
		p.read(string(member.Name(data)), data[member.Value:end])
	}
	end, err := walk.End()
	if err != nil {
		return part{}, end, err
	}
	p.raw = data[at:end]
	return p, end, nil
}

// read takes in a member. The names that every token has are compared first.
func (p *part) read(name string, value []byte) {
	if isNull(value) {
		return
	}
	switch name {
	case "text":
		if p.kind == "" {
			p.kind, p.value = "text", value
		}
	case "thought":
		p.thought = string(value) == "true"
	case "thoughtSignature", "thought_signature":
		p.signature = text(value)
	case "functionCall", "function_call":
		p.kind, p.value = "functionCall", value
	case "functionResponse", "function_response":
		p.kind, p.value = "functionResponse", value
	case "inlineData", "inline_data":
		p.kind, p.value = "inlineData", value
	case "fileData", "file_data":
		p.kind, p.value = "fileData", value
	case "executableCode", "executable_code", "codeExecutionResult", "code_execution_result", "toolCall", "tool_call", "toolResponse", "tool_response":
		p.kind, p.value = camel(name), value
	default:
		p.extra = append(p.extra, neutral.Member{Name: camel(name), Value: slices.Clone(value)})
	}
}

// text is the text of a part of kind text.
func (p *part) text() string { return text(p.value) }

// call is what a "functionCall" holds.
type call struct {
	id, name string
	// args is a JSON object; nil when there is none.
	args []byte
	// partial is the array "partialArgs"; nil when there is none. continues tells that more of the call follows.
	partial   []byte
	continues bool
}

// readCall reads a checked "functionCall".
func readCall(raw []byte) call {
	var c call
	if !isObject(raw) {
		return c
	}
	walk := jsonscan.WalkObject(raw, 0)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		value := raw[member.Value:walk.Skip()]
		switch string(member.Name(raw)) {
		case "id":
			c.id = text(value)
		case "name":
			c.name = text(value)
		case "args":
			if isObject(value) {
				c.args = value
			}
		case "partialArgs", "partial_args":
			if value[0] == '[' {
				c.partial = value
			}
		case "willContinue", "will_continue":
			c.continues = string(value) == "true"
		}
	}
	return c
}

// readMedia reads a checked "inlineData" or "fileData".
func readMedia(raw []byte) *neutral.Media {
	var m neutral.Media
	if !isObject(raw) {
		return &m
	}
	walk := jsonscan.WalkObject(raw, 0)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		value := raw[member.Value:walk.Skip()]
		switch string(member.Name(raw)) {
		case "mimeType", "mime_type":
			m.MIME = text(value)
		case "displayName", "display_name":
			m.Name = text(value)
		case "data":
			m.Data = standardBase64(text(value))
		case "fileUri", "file_uri":
			m.URL, m.FileID = splitURI(text(value))
		}
	}
	return &m
}

// standardBase64 is base64 in the standard alphabet with padding, whichever of its forms it was written in.
func standardBase64(data string) string {
	if strings.ContainsAny(data, "-_") {
		data = strings.NewReplacer("-", "+", "_", "/").Replace(data)
	}
	if missing := len(data) % 4; missing > 1 {
		data += "=="[:4-missing]
	}
	return data
}

// filesHost is where the files live that were uploaded to the Gemini API; only Google can read them.
const filesHost = "https://generativelanguage.googleapis.com/"

// splitURI takes a "fileUri" for a URL, or for the id of an uploaded file.
func splitURI(uri string) (url, fileID string) {
	if strings.HasPrefix(uri, filesHost) || strings.HasPrefix(uri, "files/") {
		return "", uri
	}
	return uri, ""
}

// mediaKind is what kind of part media of this type are.
func mediaKind(m *neutral.Media) neutral.PartKind {
	class, _, _ := strings.Cut(m.MIME, "/")
	switch class {
	case "image":
		return neutral.ImagePart
	case "audio":
		return neutral.AudioPart
	case "video":
		return neutral.VideoPart
	case "":
		if isYouTube(m.URL) {
			return neutral.VideoPart
		}
	}
	return neutral.FilePart
}

// isYouTube tells whether Google takes the address for a film on YouTube.
func isYouTube(url string) bool {
	return strings.HasPrefix(url, "https://www.youtube.com/") || strings.HasPrefix(url, "https://youtu.be/")
}
