package openai

import (
	"bytes"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/table"
)

// Inspect tells what a target needs for the request.
func (Chat) Inspect(body []byte, _ dialect.Head) dialect.Traits {
	s := dialect.NewSurvey(body)
	s.Members(jsonscan.Space(body, 0), func(name []byte, at int) int {
		if string(name) == "messages" {
			return s.Messages(at)
		}
		return inspectMember(&s, name, at)
	})
	return s.Traits()
}

// Inspect tells what a target needs for the request.
func (Text) Inspect(body []byte, _ dialect.Head) dialect.Traits {
	s := dialect.NewSurvey(body)
	s.Members(jsonscan.Space(body, 0), func(name []byte, at int) int {
		switch string(name) {
		case "prompt":
			return s.Prompt(at)
		case "logprobs":
			value := s.Value(at)
			if isNumber(value) {
				s.Need(table.LogProbs)
			}
			return at + len(value)
		}
		return inspectMember(&s, name, at)
	})
	return s.Traits()
}

// Inspect tells how long the texts are.
func (Vectors) Inspect(body []byte, _ dialect.Head) dialect.Traits {
	s := dialect.NewSurvey(body)
	s.Members(jsonscan.Space(body, 0), func(name []byte, at int) int {
		if string(name) == "input" {
			return s.Elements(at, s.Text)
		}
		return s.Skip(at)
	})
	return s.Traits()
}

// inspectMember takes in a member that chats and completions share.
func inspectMember(s *dialect.Survey, name []byte, at int) int {
	switch string(name) {
	case "tools", "functions":
		return s.Tools(at)
	}
	value := s.Value(at)
	switch string(name) {
	case "response_format":
		if string(jsonscan.Lookup(value, "type")) == `"json_schema"` {
			s.Need(table.StructuredOutput)
		}
	case "logprobs":
		if string(value) == "true" {
			s.Need(table.LogProbs)
		}
	case "top_logprobs":
		if dialect.ReadCount(value) > 0 {
			s.Need(table.LogProbs)
		}
	case "modalities":
		if bytes.Contains(value, []byte(`"audio"`)) {
			s.Need(table.Audio)
		}
	case "reasoning":
		if string(jsonscan.Lookup(value, "enabled")) == "true" {
			s.Need(table.Reasoning)
		}
	}
	return at + len(value)
}
