package responses

import (
	"bytes"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/table"
)

// Inspect tells what a target needs for the request.
func (Codec) Inspect(body []byte, _ dialect.Head) dialect.Traits {
	s := dialect.NewSurvey(body)
	s.Members(jsonscan.Space(body, 0), func(name []byte, at int) int {
		switch string(name) {
		case "input":
			return s.Messages(at)
		case "instructions":
			return s.Instructions(at)
		case "tools":
			return s.Tools(at)
		}
		return inspectParameter(&s, name, at)
	})
	return s.Traits()
}

// inspectParameter takes in a member that is no part of the prompt.
func inspectParameter(s *dialect.Survey, name []byte, at int) int {
	value := s.Value(at)
	switch string(name) {
	case "text":
		if string(jsonscan.Lookup(value, "format", "type")) == `"json_schema"` {
			s.Need(table.StructuredOutput)
		}
	case "include":
		if bytes.Contains(value, []byte(`"`+includeLogProbs+`"`)) {
			s.Need(table.LogProbs)
		}
	case "top_logprobs":
		if dialect.ReadCount(value) > 0 {
			s.Need(table.LogProbs)
		}
	case "reasoning":
		if string(jsonscan.Lookup(value, "enabled")) == "true" {
			s.Need(table.Reasoning)
		}
	}
	return at + len(value)
}
