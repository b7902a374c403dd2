package bedrock

import (
	"fmt"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// refuseTool looks for what cannot be a tool of Converse.
func refuseTool(t *neutral.Tool, at int) error {
	field := fmt.Sprintf("tools[%d]", at)
	switch {
	case t.Raw != nil:
		return &neutral.UnsupportedError{Field: field, Reason: "AWS Bedrock does not have tools of type \"" + t.Type + "\""}
	case !isID(t.Name):
		return &neutral.UnsupportedError{Field: field + ".function.name", Reason: "AWS Bedrock wants names of 1 to 64 letters, digits, _ and -"}
	}
	return nil
}

// tools writes the tools and which of them must be called.
func (w *writer) tools() {
	if w.plan.flatten {
		return
	}
	w.member("toolConfig")
	w.raw(`{"tools":[`)
	for _, i := range w.plan.tools {
		w.tool(&w.request.Tools[i])
	}
	if w.plan.output == toolOutput {
		format := w.request.Format
		description := format.Description
		if description == "" {
			description = "Gives the answer to the user. Call it once, with the whole answer."
		}
		w.spec(neutral.OutputTool, description)
		w.schema(format.Schema)
		w.raw("}}")
	}
	w.raw("]")
	switch {
	case w.plan.named != "":
		w.raw(`,"toolChoice":{"tool":{"name":`)
		w.quoted(w.plan.named)
		w.raw("}}")
	case w.plan.any:
		w.raw(`,"toolChoice":{"any":{}}`)
	}
	w.raw("}")
}

func (w *writer) tool(t *neutral.Tool) {
	w.spec(t.Name, t.Description)
	w.schema(t.Parameters)
	if t.Strict != nil && *t.Strict {
		if w.plan.model.followsSchemas() {
			w.raw(`,"strict":true`)
		} else {
			w.report.Drop("strict")
		}
	}
	w.raw("}}")
	switch {
	case t.Cache == nil:
	case w.plan.model.cachesTools():
		w.separate()
		w.cacheBlock(t.Cache)
	default:
		w.report.Drop("cache_control")
	}
}

// spec begins a tool.
func (w *writer) spec(name, description string) {
	w.element(`{"toolSpec":{"name":`)
	w.quoted(name)
	if description != "" {
		w.raw(`,"description":`)
		w.quoted(description)
	}
}

// schema writes the schema of a tool's arguments. Bedrock wants the type to be told, and to be an object.
func (w *writer) schema(schema []byte) {
	w.raw(`,"inputSchema":{"json":`)
	switch {
	case len(schema) == 0:
		w.raw(`{"type":"object","properties":{}}`)
	case lacksType(schema):
		start := jsonscan.Space(schema, 0) + 1
		w.raw(`{"type":"object"`)
		if rest := schema[start:]; rest[jsonscan.Space(rest, 0)] != '}' {
			w.raw(",")
		}
		w.raw(string(schema[start:]))
	default:
		w.raw(string(schema))
	}
	w.raw("}")
}

// lacksType tells whether a checked schema is an object without a type.
func lacksType(schema []byte) bool {
	start := jsonscan.Space(schema, 0)
	return start < len(schema) && schema[start] == '{' && jsonscan.Lookup(schema, "type") == nil
}

// ofObject tells whether a checked schema can be that of a tool's arguments.
func ofObject(schema []byte) bool {
	return lacksType(schema) || string(jsonscan.Lookup(schema, "type")) == `"object"`
}
