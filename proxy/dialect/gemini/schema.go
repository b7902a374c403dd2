package gemini

import (
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
)

// jsonSchema turns Google's Schema, which follows OpenAPI 3.0, into a JSON schema: types are in lower case, "nullable" is a type, limits are numbers even
// where they came as strings, and an example is one of several.
func jsonSchema(raw []byte) []byte { return appendSchema(make([]byte, 0, len(raw)), raw) }

// appendSchema appends a schema. How deep a body may nest bounds the recursion.
func appendSchema(dst, raw []byte) []byte {
	if !isObject(raw) {
		return append(dst, raw...)
	}
	s := schema{nullable: isNullable(raw)}
	dst = append(dst, '{')
	walk := jsonscan.WalkObject(raw, 0)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		if value := raw[member.Value:walk.Skip()]; !isNull(value) {
			dst = s.appendKeyword(dst, camel(string(member.Name(raw))), value)
		}
	}
	return append(dst, '}')
}

// isNullable tells whether a schema has "nullable": true.
func isNullable(raw []byte) bool {
	walk := jsonscan.WalkObject(raw, 0)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		if value := raw[member.Value:walk.Skip()]; string(member.Name(raw)) == "nullable" {
			return string(value) == "true"
		}
	}
	return false
}

// schema is what the members of a schema have to know of each other.
type schema struct{ nullable bool }

// appendKeyword appends a member of a schema.
func (s schema) appendKeyword(dst []byte, name string, value []byte) []byte {
	switch name {
	case "type":
		return s.appendType(key(dst, name), value)
	case "nullable":
		return dst
	case "enum":
		return s.appendList(key(dst, name), value, "null", appendRaw)
	case "anyOf":
		return s.appendList(key(dst, name), value, `{"type":"null"}`, appendSchema)
	case "items":
		return appendSchema(key(dst, name), value)
	case "properties":
		return appendSchemas(key(dst, name), value)
	case "example":
		return append(append(append(key(dst, "examples"), '['), value...), ']')
	case "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties":
		return append(key(dst, name), unquoted(value)...)
	}
	return rawMember(dst, name, value)
}

// appendType appends the type in lower case, with null beside it for what may be null.
func (s schema) appendType(dst, value []byte) []byte {
	if value[0] != '"' {
		return append(dst, value...)
	}
	name := strings.ToLower(text(value))
	if !s.nullable || name == "null" {
		return jsonscan.AppendQuoted(dst, name)
	}
	return append(jsonscan.AppendQuoted(append(dst, '['), name), `,"null"]`...)
}

// appendList appends a list whose elements item writes, and null, in its form for the list, for what may be null.
func (s schema) appendList(dst, value []byte, null string, item func(dst, value []byte) []byte) []byte {
	if value[0] != '[' {
		return append(dst, value...)
	}
	dst = append(dst, '[')
	walk := jsonscan.WalkArray(value, 0)
	for at, ok := walk.Next(); ok; at, ok = walk.Next() {
		dst = item(comma(dst), value[at:walk.Skip()])
	}
	if s.nullable {
		dst = append(comma(dst), null...)
	}
	return append(dst, ']')
}

// appendRaw appends a value as it is.
func appendRaw(dst, value []byte) []byte { return append(dst, value...) }

// appendSchemas appends an object of schemas, whose names are those of properties.
func appendSchemas(dst, value []byte) []byte {
	if !isObject(value) {
		return append(dst, value...)
	}
	dst = append(dst, '{')
	walk := jsonscan.WalkObject(value, 0)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		dst = append(append(comma(dst), value[member.Start:member.NameEnd]...), ':')
		dst = appendSchema(dst, value[member.Value:walk.Skip()])
	}
	return append(dst, '}')
}
