package gemini

import (
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// resultPart writes what a function returned.
func (c *contentWriter) resultPart(p *neutral.Part, at place) error {
	if p.Kind != neutral.ToolResultPart || p.Result == nil {
		return at.unsupported("", "a tool message can hold results only")
	}
	name := c.functionOf(p.Result)
	if name == "" {
		return at.unsupported("tool_call_id", "there is no tool call with this id before it, and Gemini models need the function's name")
	}
	var texts []string
	var inside []*neutral.Media
	for i := range p.Result.Parts {
		part := &p.Result.Parts[i]
		switch part.Kind {
		case neutral.TextPart:
			texts = append(texts, part.Text)
			continue
		case neutral.ImagePart, neutral.AudioPart, neutral.VideoPart, neutral.FilePart:
		default:
			return at.unsupported("", "the result of a tool can hold text, images and files only")
		}
		if err := c.checkMedia(part, at); err != nil {
			return err
		}
		if c.insideResult(part.Media) {
			inside = append(inside, part.Media)
			continue
		}
		c.media = append(c.media, part.Media)
	}
	c.dst = append(comma(c.dst), `{"functionResponse":{`...)
	if p.Result.CallID != "" {
		c.dst = stringMember(c.dst, "id", p.Result.CallID)
	}
	c.dst = stringMember(c.dst, "name", name)
	c.dst = appendOutcome(key(c.dst, "response"), p.Result, strings.Join(texts, "\n"))
	if len(inside) > 0 {
		c.dst = append(key(c.dst, "parts"), '[')
		for _, media := range inside {
			c.dst = appendMedia(comma(c.dst), c.unnamed(media), mimeOf(media), "")
		}
		c.dst = append(c.dst, ']')
	}
	c.dst = append(c.dst, "}}"...)
	return nil
}

// insideResult tells whether media can stand inside the result: from Gemini 3 on, and only as bytes of some types.
func (c *contentWriter) insideResult(m *neutral.Media) bool {
	if !c.version.from(3, 0) || m.URL != "" || m.FileID != "" {
		return false
	}
	switch mimeOf(m) {
	case "image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain":
		return true
	}
	return false
}

// functionOf is the name of the function that gave the result: as the result tells, or else as its call does.
func (c *contentWriter) functionOf(result *neutral.ToolResult) string {
	if result.Name != "" {
		return result.Name
	}
	if c.functions == nil {
		c.functions = map[string]string{}
		for i := range c.request.Messages {
			for j := range c.request.Messages[i].Parts {
				if made := c.request.Messages[i].Parts[j].Call; made != nil {
					c.functions[made.ID] = made.Name
				}
			}
		}
	}
	return c.functions[result.CallID]
}

// appendOutcome appends the object "response": what the function returned, if that is an object, or else under the name that Google has for it.
func appendOutcome(dst []byte, result *neutral.ToolResult, text string) []byte {
	object, isObject := argumentsOf(text)
	isObject = isObject && strings.TrimSpace(text) != ""
	switch {
	case result.Failed && isObject:
		return append(append(append(dst, `{"error":`...), object...), '}')
	case result.Failed:
		return append(jsonscan.AppendQuoted(append(dst, `{"error":`...), text), '}')
	case isObject:
		return append(dst, object...)
	case len(result.Parts) > 0 && text == "" && result.Parts[0].Kind != neutral.TextPart:
		return append(dst, "{}"...)
	}
	return append(jsonscan.AppendQuoted(append(dst, `{"result":`...), text), '}')
}
