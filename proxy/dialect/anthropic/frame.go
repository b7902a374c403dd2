package anthropic

import (
	"errors"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
)

// The problems of an answer or an event. They name no byte of it.
var (
	errNotUTF8   = errors.New("it is not valid UTF-8")
	errNotObject = errors.New("it is not a JSON object")
	errTrailing  = errors.New("it goes on behind the end of the JSON object")
	errNoContent = errors.New("it has no list \"content\"")
	errNotJSON   = errors.New("it is not valid JSON of this API")
)

// span is a value inside a text; the zero span is one that is not there.
type span struct{ at, end int }

func (s span) of(data []byte) []byte { return data[s.at:s.end] }

// is tells whether the value is there and begins with this byte.
func (s span) is(data []byte, first byte) bool { return s.end > 0 && data[s.at] == first }

// text is the value of a string; "" for anything else.
func (s span) text(data []byte) string {
	if !s.is(data, '"') {
		return ""
	}
	raw := data[s.at+1 : s.end-1]
	for _, c := range raw {
		if c == '\\' {
			text, _ := jsonscan.Unquote(make([]byte, 0, len(raw)), s.of(data))
			return string(text)
		}
	}
	return string(raw)
}

// frame are the members of a stream's event.
type frame struct {
	kind, message, block, delta, usage, failure span
}

// readFrame checks the data of an event and finds its members.
func readFrame(data []byte) (frame, error) {
	var f frame
	start := jsonscan.Space(data, 0)
	switch {
	case !utf8.Valid(data):
		return f, errNotUTF8
	case start == len(data) || data[start] != '{':
		return f, errNotObject
	}
	walk := jsonscan.WalkObject(data, start)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		if into := f.member(member.Name(data)); into != nil {
			*into = span{member.Value, walk.Skip()}
		}
	}
	end, err := walk.End()
	if err != nil {
		return frame{}, err
	}
	if jsonscan.Space(data, end) != len(data) {
		return frame{}, errTrailing
	}
	return f, nil
}

func (f *frame) member(name []byte) *span {
	switch string(name) {
	case "type":
		return &f.kind
	case "message":
		return &f.message
	case "content_block":
		return &f.block
	case "delta":
		return &f.delta
	case "usage":
		return &f.usage
	case "error":
		return &f.failure
	}
	return nil
}

// delta are the members of a delta.
type delta struct {
	kind, text, json, thinking, signature, citation, stopReason, stopSequence, stopDetails span
}

// readDelta finds the members of the delta at data[at], which was checked.
func readDelta(data []byte, at int) delta {
	var d delta
	walk := jsonscan.WalkObject(data, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		if into := d.member(member.Name(data)); into != nil {
			*into = span{member.Value, walk.Skip()}
		}
	}
	return d
}

func (d *delta) member(name []byte) *span {
	switch string(name) {
	case "type":
		return &d.kind
	case "text":
		return &d.text
	case "partial_json":
		return &d.json
	case "thinking":
		return &d.thinking
	case "signature":
		return &d.signature
	case "citation":
		return &d.citation
	case "stop_reason":
		return &d.stopReason
	case "stop_sequence":
		return &d.stopSequence
	case "stop_details":
		return &d.stopDetails
	}
	return nil
}

// memberSpan is a member of the object at data[at], which was checked; the last one of that name.
func memberSpan(data []byte, at int, name string) span {
	var found span
	walk := jsonscan.WalkObject(data, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		if string(member.Name(data)) == name {
			found = span{member.Value, walk.Skip()}
		}
	}
	return found
}

// memberText is the text of a member of the object at data[at], which was checked.
func memberText(data []byte, at int, name string) string {
	return memberSpan(data, at, name).text(data)
}
