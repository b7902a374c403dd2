package dialect

import (
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

const (
	// maxErrorBody is how much of an error's body is looked at.
	maxErrorBody = 64 << 10
	// maxErrorText bounds the message that is made of it, in bytes.
	maxErrorText = 1 << 10
	// maxErrorWord bounds type, parameter and code.
	maxErrorWord = 128
	// maxErrorNesting bounds how deep a message is looked for.
	maxErrorNesting = 4
	// maxRetryDelay bounds what a provider can ask for.
	maxRetryDelay = time.Hour
)

// errorObject is the union of what providers put into an error. Its members are of several types.
type errorObject struct {
	Error    json.RawMessage `json:"error"`
	Message  json.RawMessage `json:"message"`
	Detail   json.RawMessage `json:"detail"`
	Type     json.RawMessage `json:"type"`
	Param    json.RawMessage `json:"param"`
	Code     json.RawMessage `json:"code"`
	Metadata json.RawMessage `json:"metadata"`
	Details  json.RawMessage `json:"details"`
}

// ParseError reads the body of a provider's error, whatever it is: OpenAI's object, OpenRouter's with the upstream's own text inside, Google's in an
// array, FastAPI's detail, a bare message, HTML or plain text. It never fails.
func ParseError(body []byte) neutral.Error {
	text := strings.TrimSpace(string(body[:min(len(body), maxErrorBody)]))
	var list []json.RawMessage
	inList := json.Unmarshal([]byte(text), &list) == nil && len(list) > 0
	if inList {
		text = string(list[0])
	}
	var outer errorObject
	if json.Unmarshal([]byte(text), &outer) != nil {
		return neutral.Error{Message: oneLine(withoutTags(text), maxErrorText), Foreign: text != "" && text[0] != '{' && text[0] != '['}
	}
	inner, wrapped := outer, false
	if isObject(outer.Error) {
		inner = errorObject{}
		wrapped = json.Unmarshal(outer.Error, &inner) == nil
	}
	return neutral.Error{
		Message: oneLine(inner.text(), maxErrorText),
		Type:    oneLine(describe(inner.Type, 0), maxErrorWord),
		Param:   oneLine(describe(inner.Param, 0), maxErrorWord),
		Code:    oneLine(describe(inner.Code, 0), maxErrorWord),
		JSON:    wrapped && !inList && utf8.ValidString(text),

		RetryAfter: inner.retryDelay(),
	}
}

// retryDelay is google.rpc.RetryInfo, in which Google says when to come back; it sends no header for that.
func (e errorObject) retryDelay() time.Duration {
	var details []struct {
		RetryDelay string `json:"retryDelay"`
	}
	if len(e.Details) == 0 || json.Unmarshal(e.Details, &details) != nil {
		return 0
	}
	for _, detail := range details {
		if delay, err := time.ParseDuration(detail.RetryDelay); err == nil && delay > 0 {
			return min(delay, maxRetryDelay)
		}
	}
	return 0
}

// text is the message with what OpenRouter quotes from the provider behind it.
func (e errorObject) text() string {
	text := ""
	for _, raw := range []json.RawMessage{e.Message, e.Detail, e.Error} {
		if text = describe(raw, 0); text != "" {
			break
		}
	}
	var metadata struct {
		Raw      json.RawMessage `json:"raw"`
		Provider json.RawMessage `json:"provider_name"`
	}
	if !isObject(e.Metadata) || json.Unmarshal(e.Metadata, &metadata) != nil {
		return text
	}
	if provider := describe(metadata.Provider, 0); provider != "" {
		text += " (" + provider + ")"
	}
	quoted := describe(metadata.Raw, 0)
	if strings.HasPrefix(quoted, "{") {
		quoted = ParseError([]byte(quoted)).Message
	}
	if quoted != "" && !strings.Contains(text, quoted) {
		text += ": " + quoted
	}
	return text
}

// isObject tells whether raw, which is valid JSON or empty, is an object.
func isObject(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '{' }

// describe makes a text of a message of any type; "" of null and of what is nested too deep.
func describe(raw json.RawMessage, depth int) string {
	if len(raw) == 0 || string(raw) == "null" || depth > maxErrorNesting {
		return ""
	}
	switch raw[0] {
	case '"':
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return ""
		}
		return text
	case '[':
		return describeList(raw, depth)
	case '{':
		return describeObject(raw, depth)
	}
	return string(raw)
}

func describeList(raw json.RawMessage, depth int) string {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return ""
	}
	texts := make([]string, 0, len(items))
	for _, item := range items {
		if text := describe(item, depth+1); text != "" {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, "; ")
}

// describeObject reads FastAPI's {"loc", "msg"} and objects with a message in one of the usual places.
func describeObject(raw json.RawMessage, depth int) string {
	var object struct {
		Location []any           `json:"loc"`
		Msg      json.RawMessage `json:"msg"`
		Message  json.RawMessage `json:"message"`
		Detail   json.RawMessage `json:"detail"`
		Error    json.RawMessage `json:"error"`
	}
	if json.Unmarshal(raw, &object) != nil {
		return ""
	}
	for _, member := range []json.RawMessage{object.Msg, object.Message, object.Detail, object.Error} {
		text := describe(member, depth+1)
		if text == "" {
			continue
		}
		if field, ok := lastString(object.Location); ok {
			return field + ": " + text
		}
		return text
	}
	return ""
}

func lastString(path []any) (string, bool) {
	if len(path) == 0 {
		return "", false
	}
	field, ok := path[len(path)-1].(string)
	return field, ok
}

// withoutTags makes text of HTML: the title where there is one, or else all text. What is not HTML stays.
func withoutTags(text string) string {
	if !strings.HasPrefix(text, "<") {
		return text
	}
	lower := strings.ToLower(text)
	if len(lower) == len(text) {
		if _, rest, ok := strings.Cut(lower, "<title>"); ok {
			start := len(text) - len(rest)
			if end := strings.Index(rest, "</title>"); end > 0 {
				return text[start : start+end]
			}
		}
	}
	var plain strings.Builder
	for {
		before, tag, ok := strings.Cut(text, "<")
		plain.WriteString(before)
		if !ok {
			return plain.String()
		}
		plain.WriteByte(' ')
		_, text, _ = strings.Cut(tag, ">")
	}
}

// oneLine makes text one printable line of at most limit bytes.
func oneLine(text string, limit int) string {
	var line strings.Builder
	blank := false
	for _, c := range text {
		if unicode.IsSpace(c) || !unicode.IsPrint(c) {
			blank = line.Len() > 0
			continue
		}
		if line.Len()+utf8.UTFMax+len(" …") > limit {
			line.WriteString("…")
			break
		}
		if blank {
			line.WriteByte(' ')
			blank = false
		}
		line.WriteRune(c)
	}
	return line.String()
}
