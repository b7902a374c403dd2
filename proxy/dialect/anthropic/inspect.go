package anthropic

import (
	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/table"
)

// Inspect tells what a target needs for the request.
func (Messages) Inspect(body []byte, _ dialect.Head) dialect.Traits {
	s := dialect.NewSurvey(body)
	s.Members(jsonscan.Space(body, 0), func(name []byte, at int) int {
		switch string(name) {
		case "messages":
			return s.Messages(at)
		case "system":
			return s.Instructions(at)
		case "tools":
			return s.Tools(at)
		}
		value := s.Value(at)
		if hasSchema(string(name), value) {
			s.Need(table.StructuredOutput)
		}
		return at + len(value)
	})
	return s.Traits()
}

// hasSchema tells whether a member demands an answer that follows a schema.
func hasSchema(name string, value []byte) bool {
	const schema = `"json_schema"`
	switch name {
	case "output_config":
		return string(jsonscan.Lookup(value, "format", "type")) == schema
	case "output_format":
		return string(jsonscan.Lookup(value, "type")) == schema
	}
	return false
}
