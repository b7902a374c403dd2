package gemini

import (
	"slices"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
)

// camel is a member's name in camelCase. An underscore at the beginning stays.
func camel(name string) string {
	if !strings.Contains(name, "_") {
		return name
	}
	var b strings.Builder
	upper := false
	for i, c := range []byte(name) {
		switch {
		case c == '_' && i > 0:
			upper = true
			continue
		case upper && c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		}
		upper = false
		b.WriteByte(c)
	}
	return b.String()
}

// isObject tells whether a checked value is an object.
func isObject(raw []byte) bool { return len(raw) > 0 && raw[0] == '{' }

// isNull tells whether a checked value is null.
func isNull(raw []byte) bool { return string(raw) == "null" }

// eachMember visits the members of the object raw, a checked part of a request at path, without those that are null. Names are in camelCase.
func eachMember(raw []byte, path string, visit func(name string, value []byte) error) error {
	if isNull(raw) {
		return nil
	}
	if !isObject(raw) {
		return wrongType(path, "an object")
	}
	walk := jsonscan.WalkObject(raw, 0)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		end := walk.Skip()
		value := raw[member.Value:end]
		if isNull(value) {
			continue
		}
		name := camel(string(member.Name(raw)))
		if strings.Contains(name, ".") { // It could be taken for the path of a member of an inner object.
			return badValue(strings.Trim(path+"."+name, "."), "is no parameter")
		}
		if err := visit(name, value); err != nil {
			return err
		}
	}
	return nil
}

// eachElement visits the elements of the array raw, a checked part of a request at path. Google takes a single object for a list of one.
func eachElement(raw []byte, path string, visit func(value []byte, path string) error) error {
	switch {
	case isNull(raw):
		return nil
	case isObject(raw):
		return visit(raw, path)
	case len(raw) == 0 || raw[0] != '[':
		return wrongType(path, "an array")
	}
	walk := jsonscan.WalkArray(raw, 0)
	for i := 0; ; i++ {
		at, ok := walk.Next()
		if !ok {
			return nil
		}
		end := walk.Skip()
		if err := visit(raw[at:end], path+"["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
	}
}

func wrongType(path, want string) error {
	return &dialect.RequestError{Code: dialect.CodeInvalidType, Param: path, Message: "\"" + path + "\" must be " + want}
}

func badValue(path, problem string) error {
	return &dialect.RequestError{Code: dialect.CodeInvalidValue, Param: path, Message: "\"" + path + "\" " + problem}
}

// readString reads a string of a request.
func readString(raw []byte, path string) (string, error) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", wrongType(path, "a string")
	}
	return text(raw), nil
}

// text is the text of a checked JSON string.
func text(quoted []byte) string {
	if len(quoted) < 2 || quoted[0] != '"' {
		return ""
	}
	if slices.Index(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	unquoted, _ := jsonscan.Unquote(make([]byte, 0, len(quoted)), quoted)
	return string(unquoted)
}

// key appends the name of a member, with the comma that separates it from the one before. dst ends inside an object. The name may be a client's.
func key(dst []byte, name string) []byte { return append(jsonscan.AppendQuoted(comma(dst), name), ':') }

// comma separates from what stands before in the open object or array. No complete value ends with an opening bracket.
func comma(dst []byte) []byte {
	if last := dst[len(dst)-1]; last == '{' || last == '[' {
		return dst
	}
	return append(dst, ',')
}

// stringMember appends a member that is a string.
func stringMember(dst []byte, name, value string) []byte {
	return jsonscan.AppendQuoted(key(dst, name), value)
}

// intMember appends a member that is an integer.
func intMember(dst []byte, name string, value int64) []byte {
	return strconv.AppendInt(key(dst, name), value, 10)
}

// rawMember appends a member whose value is JSON text.
func rawMember(dst []byte, name string, value []byte) []byte {
	return append(key(dst, name), value...)
}

// stringsMember appends a member that is an array of strings.
func stringsMember(dst []byte, name string, values []string) []byte {
	dst = append(key(dst, name), '[')
	for _, value := range values {
		dst = jsonscan.AppendQuoted(comma(dst), value)
	}
	return append(dst, ']')
}
