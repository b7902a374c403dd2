package openai

import (
	"iter"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// chatEvents are the chunks of a streamed answer: per choice a role, then tokens in turn, then the finish reasons, then usage where it is asked for.
// The sequence can be run more than once.
func (x *exchange) chatEvents(g core.Generation, form chatForm, includeUsage bool) iter.Seq[core.Event] {
	shell := x.chatShell("chat.completion.chunk")
	reports := (includeUsage || x.flavour == openRouter) && !x.HidesUsage()
	if reports && (x.flavour == openAI || x.flavour == azure) {
		shell.Usage = null()
	}
	return func(yield func(core.Event) bool) {
		c := chunker{x: x, g: g, form: form, shell: shell, yield: yield}
		if !c.filters() || !c.roles() || !c.tokens() || !c.finishes() || !reports {
			return
		}
		last := shell
		last.Usage = core.Encode(x.usageJSON(g.Usage))
		yield(core.Event{Data: core.Encode(last), Usage: &g.Usage})
	}
}

// chunker writes one stream; every part of it says whether to go on.
type chunker struct {
	x     *exchange
	g     core.Generation
	form  chatForm
	shell chatAnswer
	yield func(core.Event) bool
}

// chunk sends one choice's chunk.
func (c chunker) chunk(choice chatChoice, tokens int64) bool {
	answer := c.shell
	c.x.flavour.mark(&choice, core.Choice{})
	answer.Choices = []chatChoice{choice}
	return c.yield(core.Event{Data: core.Encode(answer), Tokens: tokens})
}

// filters sends Azure's chunk without choices and without id that says what its filter thinks of the prompt.
func (c chunker) filters() bool {
	if c.x.flavour != azure {
		return true
	}
	return c.yield(core.Event{Data: core.Encode(chatAnswer{Choices: []chatChoice{}, PromptFilterResults: promptFilterResults()})})
}

// roles sends the opening chunk of every choice; Groq's first one carries the request's id.
func (c chunker) roles() bool {
	for i, choice := range c.g.Choices {
		delta := &chatMessage{Role: "assistant", Content: core.Encode(""), Refusal: null()}
		if choice.Calls != nil {
			delta.Content = null()
		}
		opening := c.shell
		opening.Choices = []chatChoice{{Index: i, Delta: delta, Logprobs: null(), FinishReason: null()}}
		if c.x.flavour == groq && i == 0 {
			opening.XGroq = &xGroq{ID: c.x.RequestID}
		}
		if !c.yield(core.Event{Data: core.Encode(opening)}) {
			return false
		}
	}
	return true
}

// tokens sends the deltas of all choices in turn.
func (c chunker) tokens() bool {
	deltas := make([][]chatChoice, len(c.g.Choices))
	longest := 0
	for i, choice := range c.g.Choices {
		deltas[i] = c.deltas(i, choice)
		longest = max(longest, len(deltas[i]))
	}
	for position := range longest {
		for i := range deltas {
			if position < len(deltas[i]) && !c.chunk(deltas[i][position], 1) {
				return false
			}
		}
	}
	return true
}

// deltas are the parts of one choice, a token each.
func (c chunker) deltas(index int, choice core.Choice) []chatChoice {
	out := make([]chatChoice, 0, len(choice.Tokens))
	add := func(m *chatMessage) *chatChoice {
		out = append(out, chatChoice{Index: index, Delta: m, Logprobs: null(), FinishReason: null()})
		return &out[len(out)-1]
	}
	if c.form.reasoning != reasoningHidden {
		for _, thought := range choice.Thoughts {
			m := &chatMessage{}
			m.think(c.form.reasoning, thought)
			add(m)
		}
	}
	if c.form.reasoning == reasoningDetails && len(choice.Thoughts) > 0 {
		m := &chatMessage{}
		m.seal(c.form.reasoning, choice.Thinking())
		add(m)
	}
	for _, token := range choice.Tokens {
		part := add(&chatMessage{Content: core.Encode(token)})
		if c.form.logprobs {
			part.Logprobs = core.Encode(logprobs([]string{token}, c.form.top))
		}
	}
	for k, call := range choice.Calls {
		opening := toolCall{Index: &k, ID: c.x.callID(index, k), Type: "function", Function: functionCall{Name: call.Name}}
		add(&chatMessage{ToolCalls: []toolCall{opening}})
		for _, piece := range core.Pieces(call.Arguments) {
			add(&chatMessage{ToolCalls: []toolCall{{Index: &k, Function: functionCall{Arguments: piece}}}})
		}
	}
	return out
}

// finishes sends the closing chunk of every choice; Groq's last one carries usage.
func (c chunker) finishes() bool {
	for i, choice := range c.g.Choices {
		closing := c.shell
		end := chatChoice{Index: i, Delta: &chatMessage{}, Logprobs: null(), FinishReason: core.Encode(c.form.finish(choice.Finish))}
		c.x.flavour.mark(&end, choice)
		closing.Choices = []chatChoice{end}
		e := core.Event{}
		if c.x.flavour == groq && i == len(c.g.Choices)-1 {
			closing.XGroq = &xGroq{ID: c.x.RequestID}
			if !c.x.HidesUsage() {
				closing.XGroq.Usage = c.x.usageJSON(c.g.Usage)
				e.Usage = &c.g.Usage
			}
		}
		e.Data = core.Encode(closing)
		if !c.yield(e) {
			return false
		}
	}
	return true
}
