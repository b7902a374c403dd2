package openai

import (
	"crypto/rand"
	"errors"
	"slices"
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

var errNoChoices = errors.New("it has no choices")

// ReadResponse reads a whole answer.
func (Chat) ReadResponse(body []byte) (*neutral.Response, error) {
	var d document
	if err := d.read(body); err != nil {
		return nil, &dialect.AnswerError{Err: err}
	}
	r := &neutral.Response{}
	if usage, told := d.reported(body); told {
		r.Usage = &usage
	}
	if d.failure {
		failure := dialect.ParseError(body)
		r.Err = &failure
		return r, nil
	}
	if d.choices == 0 {
		return nil, &dialect.AnswerError{Err: errNoChoices}
	}
	err := members(body[jsonscan.Space(body, 0):], func(name, value []byte) error {
		readResponseMember(r, string(name), value)
		return nil
	})
	if err != nil {
		return nil, &dialect.AnswerError{Err: errNotObject}
	}
	return r, nil
}

func readResponseMember(r *neutral.Response, name string, value []byte) {
	switch name {
	case "id":
		r.ID = textOr(value)
	case "model":
		r.Model = textOr(value)
	case "created":
		r.Created, _ = strconv.ParseInt(string(value), 10, 64)
	case "service_tier":
		r.ServiceTier = textOr(value)
	case "system_fingerprint":
		r.SystemFingerprint = textOr(value)
	case "choices":
		if value[0] != '[' {
			return
		}
		_ = elements(value, func(_ int, choice []byte) error {
			r.Choices = append(r.Choices, readChoice(choice))
			return nil
		})
	}
}

// readChoice reads a choice. What cannot be read of it is left out.
func readChoice(raw []byte) neutral.Choice {
	var c neutral.Choice
	native := ""
	_ = members(raw, func(name, value []byte) error {
		switch string(name) {
		case "message":
			c.Parts = readAnswerParts(value)
		case "finish_reason":
			c.Native = textOr(value)
		case "native_finish_reason":
			native = textOr(value)
		case "logprobs":
			c.LogProbs = slices.Clone(value)
		}
		return nil
	})
	has := func(kind neutral.PartKind) bool {
		return slices.ContainsFunc(c.Parts, func(p neutral.Part) bool { return p.Kind == kind })
	}
	c.Finish = finishOf(c.Native, has(neutral.ToolCallPart), has(neutral.RefusalPart))
	if native != "" {
		c.Native = native
	}
	return c
}

// finishOf is what a finish_reason says. Not all providers say that there are calls.
func finishOf(word string, called, refused bool) neutral.Finish {
	switch word {
	case "length", "max_tokens", "model_length":
		return neutral.FinishLength
	case "tool_calls", "function_call":
		return neutral.FinishToolCalls
	case "content_filter":
		return neutral.FinishContentFilter
	case "error":
		return neutral.FinishError
	}
	switch {
	case called:
		return neutral.FinishToolCalls
	case refused:
		return neutral.FinishRefusal
	}
	return neutral.FinishStop
}

// readAnswerParts reads the message of an answer.
func readAnswerParts(raw []byte) []neutral.Part {
	m := messageReader{called: map[string]string{}}
	_ = members(raw, func(name, value []byte) error {
		_ = m.read(name, value)
		return nil
	})
	for i := range m.calls {
		if call := m.calls[i].Call; call != nil && call.ID == "" {
			call.ID = newCallID()
		}
	}
	parts := slices.DeleteFunc(m.assistantParts(), func(p neutral.Part) bool { return p.Kind == neutral.TextPart && p.Text == "" })
	for i := range parts {
		if parts[i].Kind == neutral.OpaquePart && parts[i].Type == "thinking" {
			parts[i] = neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Text: mistralThinking(parts[i].Raw)}}
		}
	}
	for _, extra := range m.message.Extra {
		parts = addAnswerMember(parts, extra.Name, extra.Value)
	}
	return parts
}

// addAnswerMember adds what answers have beside what requests have.
func addAnswerMember(parts []neutral.Part, name string, value []byte) []neutral.Part {
	switch name {
	case "annotations":
		for _, citation := range readAnnotations(value) {
			parts = cite(parts, citation)
		}
	case "images":
		parts = append(parts, readImages(value)...)
	case "audio":
		parts = append(parts, readSpoken(value)...)
	}
	return parts
}

// cite adds a citation to the last text.
func cite(parts []neutral.Part, citation neutral.Citation) []neutral.Part {
	for i, p := range slices.Backward(parts) {
		if p.Kind == neutral.TextPart {
			parts[i].Citations = append(parts[i].Citations, citation)
			return parts
		}
	}
	return append(parts, neutral.Part{Kind: neutral.TextPart, Citations: []neutral.Citation{citation}})
}

// mistralThinking is the text of a part of type "thinking", which is a string or a list of texts.
func mistralThinking(raw []byte) string {
	text := ""
	_ = members(raw, func(name, value []byte) error {
		if string(name) != "thinking" {
			return nil
		}
		if parts, _, err := readContent(value); err == nil {
			text = joinTexts(parts, "")
		}
		return nil
	})
	return text
}

// readAnnotations reads what the answer cites.
func readAnnotations(raw []byte) []neutral.Citation {
	if raw[0] != '[' {
		return nil
	}
	var list []neutral.Citation
	_ = elements(raw, func(_ int, value []byte) error {
		citation := neutral.Citation{Document: -1, Source: neutral.ChatCompletions, Raw: slices.Clone(value)}
		found := false
		_ = members(value, func(name, value []byte) error {
			if string(name) == "url_citation" {
				found = true
				return members(value, citationReader(&citation))
			}
			return nil
		})
		if found {
			list = append(list, citation)
		}
		return nil
	})
	return list
}

func citationReader(c *neutral.Citation) func(name, value []byte) error {
	return func(name, value []byte) error {
		switch string(name) {
		case "url":
			c.URL = textOr(value)
		case "title":
			c.Title = textOr(value)
		case "content":
			c.CitedText = textOr(value)
		case "start_index":
			c.Start, _ = strconv.ParseInt(string(value), 10, 64)
		case "end_index":
			c.End, _ = strconv.ParseInt(string(value), 10, 64)
		}
		return nil
	}
}

// readImages reads the pictures of an answer, OpenRouter's way.
func readImages(raw []byte) []neutral.Part {
	if raw[0] != '[' {
		return nil
	}
	var parts []neutral.Part
	_ = elements(raw, func(_ int, value []byte) error {
		if part, err := readPart(value); err == nil && part.Kind == neutral.ImagePart {
			parts = append(parts, part)
		}
		return nil
	})
	return parts
}

// readSpoken reads the sound of an answer, and what is said as text.
func readSpoken(raw []byte) []neutral.Part {
	media, transcript := &neutral.Media{}, ""
	_ = members(raw, func(name, value []byte) error {
		switch string(name) {
		case "data":
			media.Data = textOr(value)
		case "transcript":
			transcript = textOr(value)
		}
		return nil
	})
	var parts []neutral.Part
	if transcript != "" {
		parts = append(parts, neutral.Part{Kind: neutral.TextPart, Text: transcript})
	}
	if media.Data != "" {
		parts = append(parts, neutral.Part{Kind: neutral.AudioPart, Media: media})
	}
	return parts
}

// newCallID makes an id for a call that came without one.
func newCallID() string { return "call_" + rand.Text()[:24] }
