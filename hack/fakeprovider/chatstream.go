package fakeprovider

import "iter"

// chatEvents are the chunks of a streamed answer: per choice a role, then tokens in turn, then the finish reasons, then usage where it is asked for.
// The sequence can be run more than once.
func (x *exchange) chatEvents(g generation, includeUsage bool) iter.Seq[event] {
	shell := x.chatShell("chat.completion.chunk")
	reports := (includeUsage || x.flavour == openRouter) && !x.hidesUsage()
	if reports && x.flavour == openAI {
		shell.Usage = null()
	}
	chunk := func(c chatChoice, tokens int64) event {
		answer := shell
		answer.Choices = []chatChoice{c}
		return event{data: encode(answer), tokens: tokens}
	}
	return func(yield func(event) bool) {
		if !x.yieldRoles(g, shell, yield) || !x.yieldTokens(g, chunk, yield) || !x.yieldFinishes(g, shell, yield) || !reports {
			return
		}
		last := shell
		last.Usage = encode(x.usageJSON(g.usage))
		yield(event{data: encode(last), usage: &g.usage})
	}
}

// yieldRoles sends the opening chunk of every choice; Groq's first one carries the request's id.
func (x *exchange) yieldRoles(g generation, shell chatAnswer, yield func(event) bool) bool {
	for i, c := range g.choices {
		delta := &chatMessage{Role: "assistant", Content: encode(""), Refusal: null()}
		if c.calls != nil {
			delta.Content = null()
		}
		opening := shell
		opening.Choices = []chatChoice{{Index: i, Delta: delta, Logprobs: null(), FinishReason: null()}}
		if x.flavour == groq && i == 0 {
			opening.XGroq = &xGroq{ID: x.record.ID}
		}
		if !yield(event{data: encode(opening)}) {
			return false
		}
	}
	return true
}

// yieldTokens sends the deltas of all choices in turn.
func (x *exchange) yieldTokens(g generation, chunk func(chatChoice, int64) event, yield func(event) bool) bool {
	deltas := make([][]*chatMessage, len(g.choices))
	longest := 0
	for i, c := range g.choices {
		deltas[i] = x.deltas(i, c)
		longest = max(longest, len(deltas[i]))
	}
	for position := range longest {
		for i := range deltas {
			if position >= len(deltas[i]) {
				continue
			}
			c := chatChoice{Index: i, Delta: deltas[i][position], Logprobs: null(), FinishReason: null()}
			if !yield(chunk(c, 1)) {
				return false
			}
		}
	}
	return true
}

// deltas are the parts of one choice, a token each.
func (x *exchange) deltas(index int, c choice) []*chatMessage {
	out := make([]*chatMessage, 0, len(c.tokens))
	for _, token := range c.tokens {
		out = append(out, &chatMessage{Content: encode(token)})
	}
	for k, call := range c.calls {
		opening := toolCall{Index: &k, ID: x.callID(index, k), Type: "function", Function: functionCall{Name: call.Name}}
		out = append(out, &chatMessage{ToolCalls: []toolCall{opening}})
		for _, piece := range pieces(call.Arguments) {
			out = append(out, &chatMessage{ToolCalls: []toolCall{{Index: &k, Function: functionCall{Arguments: piece}}}})
		}
	}
	return out
}

// yieldFinishes sends the closing chunk of every choice; Groq's last one carries usage.
func (x *exchange) yieldFinishes(g generation, shell chatAnswer, yield func(event) bool) bool {
	for i, c := range g.choices {
		closing := shell
		closing.Choices = []chatChoice{{Index: i, Delta: &chatMessage{}, Logprobs: null(), FinishReason: encode(c.finish)}}
		e := event{}
		if x.flavour == groq && i == len(g.choices)-1 {
			closing.XGroq = &xGroq{ID: x.record.ID}
			if !x.hidesUsage() {
				closing.XGroq.Usage = x.usageJSON(g.usage)
				e.usage = &g.usage
			}
		}
		e.data = encode(closing)
		if !yield(e) {
			return false
		}
	}
	return true
}
