package anthropic

import (
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// emptySchema is the schema of a function without arguments.
const emptySchema = `{"type":"object","properties":{}}`

// appendMembers appends members with commas between them.
func appendMembers(dst []byte, members []neutral.Member) []byte {
	for i, m := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(jsonscan.AppendQuoted(dst, m.Name), ':')
		dst = append(dst, m.Value...)
	}
	return dst
}

// appendString appends a member with a text, and the comma before it.
func appendString(dst []byte, name, text string) []byte {
	dst = append(append(append(dst, `,"`...), name...), `":`...)
	return jsonscan.AppendQuoted(dst, text)
}

// appendInput appends a call's arguments as an object. What a model wrote that is none, because it was cut off for example, goes in as a text.
func appendInput(dst []byte, arguments string) []byte {
	raw := []byte(arguments)
	start := jsonscan.Space(raw, 0)
	if start == len(raw) {
		return append(dst, "{}"...)
	}
	if end, err := jsonscan.Value(raw, start); err == nil && raw[start] == '{' && jsonscan.Space(raw, end) == len(raw) {
		return append(dst, raw[start:end]...)
	}
	return append(jsonscan.AppendQuoted(append(dst, `{"arguments":`...), arguments), '}')
}

// appendInt appends a member with a number, and the comma before it.
func appendInt(dst []byte, name string, value int64) []byte {
	dst = append(append(append(dst, `,"`...), name...), `":`...)
	return strconv.AppendInt(dst, value, 10)
}
