package openai

import (
	"errors"
	"slices"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

const (
	// maxCalls bounds the tool calls of one choice.
	maxCalls = 1024
	// maxEarly bounds the arguments that come before the name of their function.
	maxEarly = 1 << 20
)

var errManyCalls = errors.New("it has too many tool calls, or too much of one before its name")

// callReader is a tool call of a stream.
type callReader struct {
	// wire is its index in the stream.
	wire             int
	id, name, seal   string
	early            []byte
	started, stopped bool
}

// readCalls takes in pieces of tool calls.
func (c *choiceReader) readCalls(dst []neutral.Event, in *chunk) ([]neutral.Event, error) {
	if in.call != nil && in.call[0] == '{' {
		var piece callPiece
		_ = piece.readFunction(in.call)
		return c.readCall(dst, &piece)
	}
	if in.calls == nil || in.calls[0] != '[' {
		return dst, nil
	}
	var failed error
	_ = elements(in.calls, func(_ int, value []byte) error {
		piece := callPiece{wire: -1}
		if members(value, piece.read) == nil && failed == nil {
			dst, failed = c.readCall(dst, &piece)
		}
		return nil
	})
	return dst, failed
}

// callPiece is a piece of a tool call.
type callPiece struct {
	// wire is the call's index; -1 where the provider does not tell.
	wire                      int
	id, name, arguments, seal string
}

func (p *callPiece) read(name, value []byte) error {
	switch string(name) {
	case "index":
		p.wire = indexOf(value)
	case "id":
		p.id = textOr(value)
	case "function":
		return p.readFunction(value)
	case "extra_content":
		p.seal = geminiSeal(value)
	}
	return nil
}

func (p *callPiece) readFunction(raw []byte) error {
	return members(raw, func(name, value []byte) error {
		switch string(name) {
		case "name":
			p.name = textOr(value)
		case "arguments":
			if p.arguments = string(value); value[0] == '"' {
				p.arguments = unquote(value)
			}
		}
		return nil
	})
}

// begins tells that a piece with the index of a call begins another one: some providers give all calls the same index.
func (p *callPiece) begins(call *callReader) bool {
	return p.id != "" && call.id != "" && p.id != call.id && p.name != ""
}

// find returns the call that a piece belongs to, a new one where it is the first piece; -1 when there are too many.
func (c *choiceReader) find(p *callPiece) int {
	last := len(c.calls) - 1
	if p.wire < 0 && last >= 0 && (p.id == "" || p.id == c.calls[last].id) {
		return last
	}
	if p.wire >= 0 {
		for at := last; at >= 0; at-- {
			if c.calls[at].wire == p.wire && !p.begins(&c.calls[at]) {
				return at
			}
		}
	}
	if len(c.calls) == maxCalls {
		return -1
	}
	wire := p.wire
	if wire < 0 {
		wire = len(c.calls)
	}
	c.calls = append(c.calls, callReader{wire: wire})
	return last + 1
}

func (c *choiceReader) readCall(dst []neutral.Event, p *callPiece) ([]neutral.Event, error) {
	at := c.find(p)
	if at < 0 {
		return dst, errManyCalls
	}
	call := &c.calls[at]
	call.id, call.name, call.seal = first(call.id, p.id), first(call.name, p.name), first(call.seal, p.seal)
	switch {
	case call.stopped && p.arguments != "":
		return dst, errLateDelta
	case call.stopped:
		return dst, nil
	case call.started && p.arguments == "":
		return dst, nil
	case call.started:
		return c.add(dst, neutral.Delta{Text: p.arguments}), nil
	case call.name == "":
		call.early = append(call.early, p.arguments...)
		if len(call.early) > maxEarly {
			return dst, errManyCalls
		}
		return dst, nil
	}
	dst = c.startCall(dst, at)
	if arguments := string(call.early) + p.arguments; arguments != "" {
		dst = c.add(dst, neutral.Delta{Text: arguments})
	}
	call.early = nil
	return dst, nil
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// startCall opens the part of a call, with its seal as a thought of its own before it.
func (c *choiceReader) startCall(dst []neutral.Event, at int) []neutral.Event {
	call := &c.calls[at]
	if call.id == "" {
		call.id = newCallID()
	}
	if i := slices.IndexFunc(c.seals, func(d detail) bool { return d.id == call.id }); i >= 0 {
		call.seal = c.seals[i].data
		c.seals = slices.Delete(c.seals, i, i+1)
	}
	if call.seal != "" {
		dst = c.sealPart(dst, call.seal)
	}
	dst = c.start(dst, neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: call.id, Name: call.name}})
	c.current, call.started = at, true
	return dst
}

// sealPart is a seal of Gemini's as a thought of its own.
func (c *choiceReader) sealPart(dst []neutral.Event, seal string) []neutral.Event {
	dst = c.start(dst, neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{}})
	return c.stop(c.add(dst, neutral.Delta{Encrypted: seal, Origin: neutral.OriginGemini}))
}
