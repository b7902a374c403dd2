package openai

import (
	"errors"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// turn is what an assistant said, sorted by where it goes.
type turn struct {
	// native tells that it came in this API.
	native   bool
	content  []neutral.Part
	refusal  string
	thoughts []*neutral.Thought
	calls    []calling
}

// calling is a call with the seal before it, or a call of a kind that only this API knows.
type calling struct {
	call *neutral.ToolCall
	seal *neutral.Thought
	raw  []byte
}

var errOpaque = errors.New("it holds a part that only the API knows which it came from")

// sort takes the parts apart.
func (t *turn) sort(parts []neutral.Part) error {
	for i := range parts {
		p := &parts[i]
		switch p.Kind {
		case neutral.ReasoningPart:
			if sealBefore(parts, i+1) == "" || i+1 == len(parts) || parts[i+1].Kind != neutral.ToolCallPart {
				t.thoughts = append(t.thoughts, p.Thought)
			}
		case neutral.ToolCallPart:
			c := calling{call: p.Call}
			if sealBefore(parts, i) != "" {
				c.seal = parts[i-1].Thought
			}
			t.calls = append(t.calls, c)
		case neutral.RefusalPart:
			t.refusal += p.Text
		case neutral.OpaquePart:
			if !t.native || p.Source != neutral.ChatCompletions {
				return errOpaque
			}
			t.opaque(p)
		default:
			t.content = append(t.content, *p)
		}
	}
	return nil
}

// opaque takes in what only this API knows: a call of a tool that is no function, or a part.
func (t *turn) opaque(p *neutral.Part) {
	if p.Type == "custom" {
		t.calls = append(t.calls, calling{raw: p.Raw})
		return
	}
	t.content = append(t.content, *p)
}

// thoughts appends what the model thought, as far as the target may and can read it.
func (w *requestWriter) thoughts(said *turn) {
	plain, dropped := "", false
	var readable []*neutral.Thought
	for _, t := range said.thoughts {
		switch {
		case !t.Sealed():
			plain += t.Text
			readable = append(readable, t)
		case readableBy(t.Origin, w.to):
			readable = append(readable, t)
		default:
			dropped = true
		}
	}
	for _, c := range said.calls {
		dropped = dropped || c.seal != nil && !readableBy(neutral.OriginGemini, w.to)
	}
	if dropped {
		w.report.Drop("reasoning")
	}
	if w.to.Provider == vendorOpenRouter {
		w.details(readable, said.calls)
		return
	}
	if name := w.to.Quirks.ReasoningMember; name != "" && plain != "" {
		w.dst = appendText(w.dst, name, plain)
	}
}

// details appends OpenRouter's reasoning_details.
func (w *requestWriter) details(thoughts []*neutral.Thought, calls []calling) {
	mark := len(w.dst)
	w.dst = append(appendKey(w.dst, "reasoning_details"), '[')
	index, empty := 0, len(w.dst)
	for _, t := range thoughts {
		w.dst, index = appendDetails(w.dst, t, index, "")
	}
	for _, c := range calls {
		if c.seal != nil && readableBy(neutral.OriginGemini, w.to) {
			w.dst, index = appendDetails(w.dst, c.seal, index, toolID(w.to.Quirks.ToolIDs, c.call.ID))
		}
	}
	if len(w.dst) == empty {
		w.dst = w.dst[:mark]
		return
	}
	w.dst = append(w.dst, ']')
}

// calls appends the calls of tools.
func (w *requestWriter) calls(said *turn) {
	if len(said.calls) == 0 {
		return
	}
	w.dst = append(appendKey(w.dst, "tool_calls"), '[')
	for _, c := range said.calls {
		w.dst = appendComma(w.dst)
		if c.raw != nil {
			w.dst = append(w.dst, c.raw...)
			continue
		}
		arguments := c.call.Arguments
		if arguments == "" && !w.native {
			arguments = "{}"
		}
		w.dst = appendText(append(w.dst, '{'), "id", toolID(w.to.Quirks.ToolIDs, c.call.ID))
		w.dst = append(w.dst, `,"type":"function","function":{"name":`...)
		w.dst = append(jsonscan.AppendQuoted(w.dst, c.call.Name), `,"arguments":`...)
		w.dst = append(jsonscan.AppendQuoted(w.dst, arguments), '}')
		if c.seal != nil && w.to.Origin == neutral.OriginGemini {
			w.dst = appendSeal(w.dst, c.seal.Encrypted)
		}
		w.dst = append(w.dst, '}')
	}
	w.dst = append(w.dst, ']')
}

// appendSeal appends Gemini's seal of a call in Google's own way.
func appendSeal(dst []byte, seal string) []byte {
	dst = append(appendKey(dst, "extra_content"), `{"google":{"thought_signature":`...)
	return append(jsonscan.AppendQuoted(dst, seal), "}}"...)
}
