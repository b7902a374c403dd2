package openai

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// fieldError is a member of a request that cannot be read. Its path grows on the way out of the nested values, so that it costs nothing without an error.
type fieldError struct {
	code dialect.RequestCode
	path string
	// problem completes the sentence `"path" ...`.
	problem string
}

// Error implements error.
func (e *fieldError) Error() string { return strconv.Quote(e.path) + " " + e.problem }

func wrongType(name, want string) error {
	return &fieldError{code: dialect.CodeInvalidType, path: name, problem: "must be " + want}
}

func wrongValue(name, problem string) error {
	return &fieldError{code: dialect.CodeInvalidValue, path: name, problem: problem}
}

// inside puts the path of the value that holds a member at fault before the member's own.
func inside(err error, format string, args ...any) error {
	var problem *fieldError
	if !errors.As(err, &problem) {
		return err
	}
	path := fmt.Sprintf(format, args...)
	if problem.path != "" && !strings.HasPrefix(problem.path, "[") {
		path += "."
	}
	problem.path = path + problem.path
	return problem
}

// refusal makes the client's error of what reading a request returned; nil of nil.
func refusal(err error) error {
	var problem *fieldError
	if !errors.As(err, &problem) {
		return err
	}
	return &dialect.RequestError{Code: problem.code, Param: problem.path, Message: problem.Error()}
}

// members visits those members of a checked object that are not null.
func members(raw []byte, visit func(name, value []byte) error) error {
	if raw[0] != '{' {
		return wrongType("", "an object")
	}
	walk := jsonscan.WalkObject(raw, 0)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		end := walk.Skip()
		value := raw[member.Value:end]
		if string(value) == "null" {
			continue
		}
		if err := visit(member.Name(raw), value); err != nil {
			return err
		}
	}
	return nil
}

// elements visits the elements of a checked array.
func elements(raw []byte, visit func(i int, value []byte) error) error {
	if raw[0] != '[' {
		return wrongType("", "a list")
	}
	walk := jsonscan.WalkArray(raw, 0)
	for i := 0; ; i++ {
		at, ok := walk.Next()
		if !ok {
			return nil
		}
		if err := visit(i, raw[at:walk.Skip()]); err != nil {
			return inside(err, "[%d]", i)
		}
	}
}

// readText reads a string.
func readText(raw []byte, name string) (string, error) {
	if raw[0] != '"' {
		return "", wrongType(name, "a string")
	}
	return unquote(raw), nil
}

// unquote returns the text of a checked JSON string.
func unquote(raw []byte) string {
	if plain := raw[1 : len(raw)-1]; bytes.IndexByte(plain, '\\') < 0 {
		return string(plain)
	}
	text, _ := jsonscan.Unquote(nil, raw)
	return string(text)
}

// textOr reads a string, and "" from all else.
func textOr(raw []byte) string {
	if len(raw) == 0 || raw[0] != '"' {
		return ""
	}
	return unquote(raw)
}

// readTexts reads a list of strings, or one string.
func readTexts(raw []byte, name string) ([]string, error) {
	if raw[0] == '"' {
		return []string{unquote(raw)}, nil
	}
	if raw[0] != '[' {
		return nil, wrongType(name, "a string or a list of strings")
	}
	var texts []string
	err := elements(raw, func(_ int, value []byte) error {
		text, err := readText(value, "")
		texts = append(texts, text)
		return err
	})
	return texts, inside(err, "%s", name)
}

// readFlag reads true or false.
func readFlag(raw []byte, name string) (*bool, error) {
	switch string(raw) {
	case "true", "false":
		value := raw[0] == 't'
		return &value, nil
	}
	return nil, wrongType(name, "true or false")
}

// isNumber tells whether a checked value is a number.
func isNumber(raw []byte) bool { return raw[0] == '-' || raw[0]-'0' <= 9 }

// readNumber reads a number as it is written.
func readNumber(raw []byte, name string) (neutral.Number, error) {
	if !isNumber(raw) {
		return "", wrongType(name, "a number")
	}
	return neutral.Number(raw), nil
}

// readInteger reads a whole number, however it is written.
func readInteger(raw []byte, name string) (*int64, error) {
	if !isNumber(raw) {
		return nil, wrongType(name, "an integer")
	}
	value, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		float, floatErr := strconv.ParseFloat(string(raw), 64)
		if value = int64(float); floatErr != nil || float != float64(value) || float >= 1<<63 {
			return nil, wrongValue(name, "must be an integer of 64 bits")
		}
	}
	return &value, nil
}

// appendKey appends the name of a member, and a comma unless it is the object's first. The name needs no escapes.
func appendKey(dst []byte, name string) []byte {
	dst = appendComma(dst)
	dst = append(dst, '"')
	dst = append(dst, name...)
	return append(dst, '"', ':')
}

// appendComma appends a comma unless an array or object was just opened.
func appendComma(dst []byte) []byte {
	if last := dst[len(dst)-1]; last != '{' && last != '[' {
		return append(dst, ',')
	}
	return dst
}

// appendRaw appends a member with a value in JSON.
func appendRaw[T ~string | ~[]byte](dst []byte, name string, value T) []byte {
	return append(appendKey(dst, name), value...)
}

// appendText appends a member with a text.
func appendText(dst []byte, name, text string) []byte {
	return jsonscan.AppendQuoted(appendKey(dst, name), text)
}

// appendNumber appends a number.
func appendNumber(dst []byte, value int64) []byte { return strconv.AppendInt(dst, value, 10) }

// appendInteger appends a member with a number.
func appendInteger(dst []byte, name string, value int64) []byte {
	return strconv.AppendInt(appendKey(dst, name), value, 10)
}
