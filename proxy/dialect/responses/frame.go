package responses

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
)

// frame is what the data of one stream event says. Its slices are JSON text inside the data, nil where the event has no such member.
type frame struct {
	kind                                      []byte
	delta, text, refusal, arguments, logProbs []byte
	item, part, response, annotation, failure []byte
	outputIndex, contentIndex, summaryIndex   int
}

// read takes in the data, which must be one JSON object. It checks all of it.
func (f *frame) read(data []byte) error {
	start := jsonscan.Space(data, 0)
	switch {
	case !utf8.Valid(data):
		return errNotUTF8
	case start == len(data) || data[start] != '{':
		return errNotObject
	}
	walk := jsonscan.WalkObject(data, start)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		end := walk.Skip()
		if _, err := walk.End(); err != nil {
			return err
		}
		f.member(member.Name(data), data[member.Value:end])
	}
	end, err := walk.End()
	if err != nil {
		return err
	}
	if jsonscan.Space(data, end) != len(data) {
		return errNotObject
	}
	return nil
}

// member takes in one member.
func (f *frame) member(name, raw []byte) {
	switch string(name) {
	case "type":
		f.kind = inside(raw)
	case "output_index":
		f.outputIndex = index(raw)
	case "content_index":
		f.contentIndex = index(raw)
	case "summary_index":
		f.summaryIndex = index(raw)
	default:
		if at := f.place(name); at != nil {
			*at = raw
		}
	}
}

// place is where the member of this name is kept; nil when it is not.
func (f *frame) place(name []byte) *[]byte {
	switch string(name) {
	case "delta":
		return &f.delta
	case "text":
		return &f.text
	case "refusal":
		return &f.refusal
	case "arguments":
		return &f.arguments
	case "logprobs":
		return &f.logProbs
	case "item":
		return &f.item
	case "part":
		return &f.part
	case "response":
		return &f.response
	case "annotation":
		return &f.annotation
	case "error":
		return &f.failure
	}
	return nil
}

// inside is what stands between the quotes of a string without escapes; nil for all else.
func inside(raw []byte) []byte {
	if !isString(raw) || bytes.IndexByte(raw, '\\') >= 0 {
		return nil
	}
	return raw[1 : len(raw)-1]
}

// index reads the place of an item or a part; -1 for what is none.
func index(raw []byte) int {
	const maxDigits = 9
	if len(raw) > maxDigits {
		return -1
	}
	value, err := strconv.Atoi(string(raw))
	if err != nil || value < 0 {
		return -1
	}
	return value
}

// textOf is the text of a member that is a string; empty otherwise.
func textOf(raw []byte) string {
	if !isString(raw) {
		return ""
	}
	if plain := inside(raw); plain != nil {
		return string(plain)
	}
	return unquoted(raw)
}
