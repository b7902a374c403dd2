package awsstream

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/sse"
)

// maxName bounds the name of an event.
const maxName = 128

// event returns what a frame holds; false for a frame without meaning in the mode.
func (r *Reader) event(data []byte) (sse.Event, bool, error) {
	f, err := readFrame(data)
	if err != nil {
		return sse.Event{}, false, err
	}
	switch string(f.messageType) {
	case "event":
	case "": // Some that imitate AWS leave the type of events out.
		if f.eventType == nil {
			return sse.Event{}, false, errMessage
		}
	case "exception":
		return r.failure(string(f.exceptionType), exceptionText(f.payload)), true, nil
	case "error":
		return r.failure(string(f.errorCode), string(f.errorMessage)), true, nil
	default:
		return sse.Event{}, false, errMessage
	}
	if r.mode == Converse {
		return r.write(f.eventType, f.payload), true, nil
	}
	if string(f.eventType) != "chunk" {
		return sse.Event{}, false, nil
	}
	inner, err := r.unwrap(f.payload)
	if err != nil {
		return sse.Event{}, false, err
	}
	return r.write(textMember(inner, "type"), inner), true, nil
}

// write makes an event of its name, which is left out when it is none, and its data.
func (r *Reader) write(name, data []byte) sse.Event {
	r.raw = r.raw[:0]
	nameAt := 0
	if isName(name) {
		r.raw = append(r.raw, "event: "...)
		nameAt = len(r.raw)
		r.raw = append(append(r.raw, name...), '\n')
	} else {
		name = nil
	}
	r.raw = append(r.raw, "data: "...)
	at := len(r.raw)
	r.raw = append(r.raw, data...)
	end := len(r.raw)
	for i := at; i < end; i++ {
		// In JSON a line end can only stand between tokens, where a blank means the same.
		if r.raw[i] == '\n' || r.raw[i] == '\r' {
			r.raw[i] = ' '
		}
	}
	r.raw = append(r.raw, '\n', '\n')
	event := sse.Event{Raw: r.raw, Data: r.raw[at:end], DataAt: at}
	if name != nil {
		event.Name = r.raw[nameAt : nameAt+len(name)]
	}
	return event
}

// isName tells whether a text can be the name of an event.
func isName(text []byte) bool {
	for _, c := range text {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && c-'0' > 9 && c != '_' && c != '-' && c != '.' {
			return false
		}
	}
	return len(text) > 0 && len(text) <= maxName
}

// unwrap returns the content of the payload's member "bytes".
func (r *Reader) unwrap(payload []byte) ([]byte, error) {
	encoded := textMember(payload, "bytes")
	size := base64.StdEncoding.DecodedLen(len(encoded))
	if cap(r.decoded) < size {
		r.decoded = make([]byte, size)
	}
	n, err := base64.StdEncoding.Decode(r.decoded[:size], encoded)
	if err != nil || n == 0 {
		return nil, errPayload
	}
	return r.decoded[:n], nil
}

// textMember returns the text of an object's member of this name; nil when it has none. It does not look behind it.
func textMember(object []byte, name string) []byte {
	start := jsonscan.Space(object, 0)
	if start == len(object) || object[start] != '{' {
		return nil
	}
	walk := jsonscan.WalkObject(object, start)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		end := walk.Skip()
		if string(member.Name(object)) != name {
			continue
		}
		if _, err := walk.End(); err != nil || object[member.Value] != '"' {
			return nil
		}
		return text(object[member.Value:end])
	}
	return nil
}

// text is what a checked JSON string says; a part of it where it has no escapes.
func text(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	plain, _ := jsonscan.Unquote(nil, quoted)
	return plain
}

// exceptionText is the message in an exception's payload.
func exceptionText(payload []byte) string {
	if text := dialect.ParseError(payload).Message; text != "" {
		return text
	}
	return string(textMember(payload, "originalMessage"))
}

// wireFailure is an error as Anthropic's streams have it.
type wireFailure struct {
	Type  string    `json:"type"`
	Error wireError `json:"error"`
}

// wireError is its content. Code is AWS's name of the exception.
type wireError struct {
	Type    string `json:"type"`
	Message string `json:"message"`
	Code    string `json:"code"`
}

// failure makes an event of an exception.
func (r *Reader) failure(name, message string) sse.Event {
	name = strings.ToValidUTF8(name[:min(len(name), maxName)], "")
	data, err := json.Marshal(wireFailure{Type: "error", Error: wireError{Type: errorType(name), Message: message, Code: name}})
	if err != nil { // Strings can always be marshalled.
		data = []byte(`{"type":"error","error":{"type":"api_error","message":""}}`)
	}
	return r.write([]byte("error"), data)
}

// errorType is Anthropic's type of error for an exception. The names are written with and without a capital, and with and without "Exception".
func errorType(exception string) string {
	switch strings.TrimSuffix(strings.ToLower(exception), "exception") {
	case "validation":
		return "invalid_request_error"
	case "accessdenied", "unrecognizedclient", "expiredtoken":
		return "permission_error"
	case "resourcenotfound":
		return "not_found_error"
	case "throttling", "modelnotready", "servicequotaexceeded":
		return "rate_limit_error"
	case "serviceunavailable":
		return "overloaded_error"
	case "modeltimeout":
		return "timeout_error"
	default:
		return "api_error"
	}
}
