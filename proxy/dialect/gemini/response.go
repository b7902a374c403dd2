package gemini

import (
	"bytes"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// ReadResponse reads a whole answer. The error is a *dialect.AnswerError.
func (Generate) ReadResponse(body []byte) (*neutral.Response, error) {
	data := bytes.TrimSpace(body)
	var a answer
	if err := a.read(data); err != nil {
		return nil, &dialect.AnswerError{Err: err}
	}
	r := &neutral.Response{ID: a.id, Model: a.model, Created: a.created}
	if usage, ok := a.counts.usage(); ok {
		usage.Searches = searchesIn(a.candidates, a.model)
		r.Usage, r.ServiceTier = &usage, a.counts.serviceTier()
	}
	switch {
	case a.failure:
		r.Err = failureIn(data)
		return r, nil
	case len(a.candidates) == 0 && a.blocked == "":
		return nil, &dialect.AnswerError{Err: errNoCandidate}
	case len(a.candidates) == 0:
		r.Choices = []neutral.Choice{{Finish: neutral.FinishContentFilter, Native: a.blocked}}
		return r, nil
	}
	for i := range a.candidates {
		choice, err := a.candidates[i].choice()
		if err != nil {
			return nil, &dialect.AnswerError{Err: err}
		}
		r.Choices = append(r.Choices, choice)
	}
	return r, nil
}

// choice is the neutral form of a whole candidate.
func (c *candidate) choice() (neutral.Choice, error) {
	var parts []neutral.Part
	texts, calls := map[int]int{}, 0
	for i := range c.parts {
		p := &c.parts[i]
		read, err := p.neutral()
		if err != nil {
			return neutral.Choice{}, err
		}
		for _, n := range read {
			if n.Kind == neutral.TextPart {
				texts[i] = len(parts)
			}
			if n.Kind == neutral.ToolCallPart {
				calls++
			}
			parts = append(parts, n)
		}
	}
	attach(c.sources(), parts, texts)
	return neutral.Choice{Parts: parts, Finish: finishOf(c.finish, calls), Native: c.finish, LogProbs: logProbsOf(c.logprobs)}, nil
}

// neutral is the neutral form of a part of an answer, with its seal before it.
func (p *part) neutral() ([]neutral.Part, error) {
	switch p.kind {
	case "functionCall":
		return p.call()
	case "inlineData", "fileData":
		media := readMedia(p.value)
		return p.behindSeal("", neutral.Part{Kind: mediaKind(media), Media: media}), nil
	case "executableCode", "codeExecutionResult", "toolCall", "toolResponse", "functionResponse":
		return []neutral.Part{{Kind: neutral.OpaquePart, Source: neutral.GenerateContent, Type: p.kind, Raw: p.raw}}, nil
	}
	body := p.text()
	switch {
	case p.thought && (body != "" || p.signature != ""):
		thought := &neutral.Thought{Text: body, Signature: p.signature}
		if p.signature != "" {
			thought.Origin = neutral.OriginGemini
		}
		return []neutral.Part{{Kind: neutral.ReasoningPart, Thought: thought}}, nil
	case p.thought:
		return nil, nil
	case body == "":
		return p.behindSeal(""), nil
	}
	return p.behindSeal("", neutral.Part{Kind: neutral.TextPart, Text: body}), nil
}

// behindSeal returns the parts, and before them the seal that the wire's part has. id is that of a call.
func (p *part) behindSeal(id string, parts ...neutral.Part) []neutral.Part {
	if p.signature == "" {
		return parts
	}
	seal := &neutral.Thought{ID: id, Encrypted: p.signature, Origin: neutral.OriginGemini}
	return append([]neutral.Part{{Kind: neutral.ReasoningPart, Thought: seal}}, parts...)
}

// call is the neutral form of a part with a call.
func (p *part) call() ([]neutral.Part, error) {
	c := readCall(p.value)
	if c.name == "" {
		return nil, nil
	}
	if c.id == "" {
		c.id = newCallID()
	}
	collected := partialCall{}
	if err := collected.add(&c); err != nil {
		return nil, err
	}
	return p.behindSeal(c.id, neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: c.id, Name: c.name, Arguments: collected.arguments()}}), nil
}
