package openai

import (
	"encoding/json"
	"fmt"
	"iter"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// legacyMaxTokens is the default output limit of the completions API.
const legacyMaxTokens = 16

// prompts reads a prompt or an embedding input: a string, strings, tokens, or lists of tokens. Each comes back as text and its token count.
func prompts(param string, raw json.RawMessage) ([]input, *core.Refusal) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, invalid(param, "missing_required_parameter", "Missing required parameter: '%s'.", param)
	}
	var texts strs
	if json.Unmarshal(raw, &texts) == nil && len(texts) > 0 {
		inputs := make([]input, 0, len(texts))
		for _, text := range texts {
			inputs = append(inputs, input{text, core.CountTokens(text)})
		}
		return inputs, nil
	}
	var tokens []int
	if json.Unmarshal(raw, &tokens) == nil && len(tokens) > 0 {
		return []input{{fmt.Sprint(tokens), int64(len(tokens))}}, nil
	}
	var lists [][]int
	if json.Unmarshal(raw, &lists) == nil && len(lists) > 0 {
		inputs := make([]input, 0, len(lists))
		for _, list := range lists {
			inputs = append(inputs, input{fmt.Sprint(list), int64(len(list))})
		}
		return inputs, nil
	}
	return nil, invalid(param, "invalid_type", "Invalid type for '%s': expected a string, array of strings, array of tokens, or array of token arrays.", param)
}

// input is one prompt, or one text to embed.
type input struct {
	text   string
	tokens int64
}

// completion answers POST completions.
func (x *exchange) completion() error {
	var request completionRequest
	if refused := x.accept(&request, func() *core.Refusal { return request.check() }); refused != nil {
		return refused
	}
	inputs, refused := prompts("prompt", request.Prompt)
	if refused != nil {
		return refused
	}
	limit := legacyMaxTokens
	if request.MaxTokens != nil {
		limit = *request.MaxTokens
	}
	g := core.Generation{}
	var promptTokens int64
	for _, in := range inputs {
		promptTokens += in.tokens
		for range request.choices() {
			c := x.Limited(x.Words(in.text, len(g.Choices)), request.Stop, limit)
			if request.Echo {
				c.Tokens = append([]string{in.text}, c.Tokens...)
			}
			g.Choices = append(g.Choices, c)
		}
	}
	g.Usage = x.UsageOf(promptTokens, g.Tokens())
	if !request.Stream {
		return x.Plain(x.textPlain(g), g.Tokens(), &g.Usage)
	}
	stream := core.EventStream(x.textEvents(g, request.includeUsage()))
	stream.Opening, stream.Closing = x.flavour.opening(), []byte("data: [DONE]\n\n")
	return x.Stream(stream, &g.Usage)
}

func (x *exchange) textShell() textAnswer {
	return textAnswer{ID: x.ID("cmpl-"), Object: "text_completion", Created: x.Started.Unix(), Model: x.ResponseModel(), Choices: []textChoice{}}
}

func (x *exchange) textPlain(g core.Generation) textAnswer {
	answer := x.textShell()
	for i, c := range g.Choices {
		answer.Choices = append(answer.Choices, textChoice{Text: c.Text(), Index: i, Logprobs: null(), FinishReason: core.Encode(finishWord(c.Finish))})
	}
	if !x.HidesUsage() {
		answer.Usage = core.Encode(x.usageJSON(g.Usage))
	}
	return answer
}

// textEvents are the chunks of a streamed text completion. The sequence can be run more than once.
func (x *exchange) textEvents(g core.Generation, includeUsage bool) iter.Seq[core.Event] {
	shell := x.textShell()
	reports := (includeUsage || x.flavour == openRouter) && !x.HidesUsage()
	if reports && x.flavour == openAI {
		shell.Usage = null()
	}
	return func(yield func(core.Event) bool) {
		for i, c := range g.Choices {
			for _, token := range c.Tokens {
				chunk := shell
				chunk.Choices = []textChoice{{Text: token, Index: i, Logprobs: null(), FinishReason: null()}}
				if !yield(core.Event{Data: core.Encode(chunk), Tokens: 1}) {
					return
				}
			}
			closing := shell
			closing.Choices = []textChoice{{Index: i, Logprobs: null(), FinishReason: core.Encode(finishWord(c.Finish))}}
			if !yield(core.Event{Data: core.Encode(closing)}) {
				return
			}
		}
		if reports {
			last := shell
			last.Usage = core.Encode(x.usageJSON(g.Usage))
			yield(core.Event{Data: core.Encode(last), Usage: &g.Usage})
		}
	}
}
