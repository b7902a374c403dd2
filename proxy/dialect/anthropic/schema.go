package anthropic

import (
	"encoding/json"
	"slices"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
)

const (
	// maxOptional is how many optional properties a schema may have; with more of them, hosts of the API fail to compile it.
	maxOptional = 10
	// maxSchemaNodes bounds the work on one schema.
	maxSchemaNodes = 10_000
)

// exactSchema tells whether the API can make a model follow a schema exactly: it refuses schemas with keywords that it does not know, with objects that
// are open, and with references that go round in a circle.
func exactSchema(schema json.RawMessage) bool {
	var root map[string]any
	if json.Unmarshal(schema, &root) != nil {
		return false
	}
	c := schemaCheck{definitions: map[string]any{}}
	for _, keyword := range []string{"$defs", "definitions"} {
		definitions, _ := root[keyword].(map[string]any)
		for name, definition := range definitions {
			c.definitions["#/"+keyword+"/"+name] = definition
		}
	}
	return c.exact(root) && c.optional <= maxOptional
}

// schemaCheck goes over one schema.
type schemaCheck struct {
	optional, nodes int
	// definitions by their reference, and open those that are being gone over.
	definitions map[string]any
	open        []string
}

// exact checks a schema and those in it.
func (c *schemaCheck) exact(schema any) bool {
	node, ok := schema.(map[string]any)
	c.nodes++
	if !ok || c.nodes > maxSchemaNodes {
		return false
	}
	for keyword, value := range node {
		if !c.exactKeyword(keyword, value) {
			return false
		}
	}
	return c.closed(node)
}

func (c *schemaCheck) exactKeyword(keyword string, value any) bool {
	switch keyword {
	case "type", "title", "description", "default", "const", "enum", "required", "additionalProperties", "$schema", "$id":
		return true
	case "$defs", "definitions": // They count where they are referred to.
		return true
	case "$ref":
		return c.exactReference(value)
	case "properties":
		return c.exactProperties(value)
	case "items":
		return c.exact(value)
	case "anyOf", "allOf":
		return c.exactList(value)
	case "format":
		return slices.Contains([]any{"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}, value)
	case "minItems":
		return value == 0.0 || value == 1.0
	}
	return false
}

func (c *schemaCheck) exactList(value any) bool {
	list, ok := value.([]any)
	return ok && !slices.ContainsFunc(list, func(item any) bool { return !c.exact(item) })
}

func (c *schemaCheck) exactProperties(value any) bool {
	properties, ok := value.(map[string]any)
	for _, property := range properties {
		ok = ok && c.exact(property)
	}
	return ok
}

// exactReference checks what a reference stands for. One that is unknown, or stands inside itself, is not exact.
func (c *schemaCheck) exactReference(value any) bool {
	reference, _ := value.(string)
	definition, known := c.definitions[reference]
	if !known || slices.Contains(c.open, reference) {
		return false
	}
	c.open = append(c.open, reference)
	exact := c.exact(definition)
	c.open = c.open[:len(c.open)-1]
	return exact
}

// closed tells that an object takes no properties but its own, and counts the optional ones.
func (c *schemaCheck) closed(node map[string]any) bool {
	properties, hasProperties := node["properties"].(map[string]any)
	if !hasProperties && !isObjectType(node["type"]) {
		return true
	}
	required, _ := node["required"].([]any)
	for name := range properties {
		if !slices.Contains(required, any(name)) {
			c.optional++
		}
	}
	return node["additionalProperties"] == false
}

func isObjectType(kind any) bool {
	list, isList := kind.([]any)
	return kind == "object" || isList && slices.Contains(list, any("object"))
}

// appendObjectSchema appends the schema of a function's arguments, of which the API demands that it says to be an object's.
func appendObjectSchema(dst []byte, schema json.RawMessage) []byte {
	start := jsonscan.Space(schema, 0)
	if start == len(schema) || schema[start] != '{' {
		return append(dst, emptySchema...)
	}
	walk := jsonscan.WalkObject(schema, start)
	any := false
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		if string(member.Name(schema)) == "type" {
			return append(dst, schema...)
		}
		any = true
	}
	if !any {
		return append(dst, emptySchema...)
	}
	dst = append(dst, `{"type":"object",`...)
	return append(dst, schema[start+1:]...)
}

// isObjectSchema tells whether a schema can be that of a function's arguments.
func isObjectSchema(schema json.RawMessage) bool {
	var root struct {
		Type any `json:"type"`
	}
	return json.Unmarshal(schema, &root) == nil && (root.Type == nil || root.Type == "object")
}
