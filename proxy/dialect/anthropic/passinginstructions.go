package anthropic

import (
	"bytes"
	"slices"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// instructs takes the message at an offset for the instructions in front of the conversation, if the target does not know any inside it; false for all
// other messages.
func (p *passer) instructs(at int) bool {
	if !p.oldHost || p.body[at] != '{' || memberText(p.body, at, "role") != string(neutral.System) {
		return false
	}
	content := memberSpan(p.body, at, "content")
	switch {
	case content.is(p.body, '"'):
		p.addInstructions(textBlock(content.of(p.body)))
	case content.is(p.body, '['):
		p.addInstructions(bytes.TrimSpace(p.body[content.at+1 : content.end-1]))
	default:
		return false
	}
	return true
}

// addInstructions adds blocks in JSON.
func (p *passer) addInstructions(blocks []byte) {
	if len(p.instructions) > 0 && len(blocks) > 0 {
		p.instructions = append(p.instructions, ',')
	}
	p.instructions = append(p.instructions, blocks...)
}

// instruct puts the instructions behind those that the member "system" of the request at an offset has, which may be missing.
func (p *passer) instruct(at int) {
	more := p.instructions
	if len(more) == 0 {
		return
	}
	system := memberSpan(p.body, at, "system")
	switch {
	case system.is(p.body, '['):
		if len(bytes.TrimSpace(p.body[system.at+1:system.end-1])) > 0 {
			more = slices.Concat([]byte{','}, more)
		}
		p.patches = append(p.patches, dialect.Patch{At: system.end - 1, End: system.end - 1, Text: string(more)})
	case system.is(p.body, '"'):
		if given := system.of(p.body); len(given) > len(`""`) {
			more = slices.Concat(textBlock(given), []byte{','}, more)
		}
		p.patches = append(p.patches, dialect.Patch{At: system.at, End: system.end, Text: "[" + string(more) + "]"})
	default:
		p.host = append(slices.Clone(p.host), neutral.Member{Name: "system", Value: slices.Concat([]byte{'['}, more, []byte{']'})})
	}
}

// textBlock is a block of a text in JSON.
func textBlock(text []byte) []byte {
	return slices.Concat([]byte(`{"type":"text","text":`), text, []byte{'}'})
}
