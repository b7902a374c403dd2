package fakeprovider

import (
	"encoding/json"
	"fmt"
	"iter"
	"strings"
)

// legacyMaxTokens is the default output limit of the completions API.
const legacyMaxTokens = 16

// prompts reads a prompt or an embedding input: a string, strings, tokens, or lists of tokens. Each comes back as text and its token count.
func prompts(param string, raw json.RawMessage) ([]input, *refusal) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, invalid(param, "missing_required_parameter", "Missing required parameter: '%s'.", param)
	}
	var texts strs
	if json.Unmarshal(raw, &texts) == nil && len(texts) > 0 {
		inputs := make([]input, 0, len(texts))
		for _, text := range texts {
			inputs = append(inputs, input{text, countTokens(text)})
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
	if refused := x.accept(&request, func() *refusal { return request.check() }); refused != nil {
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
	g := generation{}
	var promptTokens int64
	for _, in := range inputs {
		promptTokens += in.tokens
		for range request.choices() {
			c := x.limited(x.text(in.text, len(g.choices)), request.Stop, limit)
			if request.Echo {
				c.tokens = append([]string{in.text}, c.tokens...)
			}
			g.choices = append(g.choices, c)
		}
	}
	g.usage = x.usage(promptTokens, g.tokens())
	if !request.Stream {
		return x.plain(x.textPlain(g), g.tokens(), &g.usage)
	}
	err := x.stream(x.textEvents(g, request.includeUsage()))
	x.settle(g.usage, err)
	return err
}

func (x *exchange) textShell() textAnswer {
	return textAnswer{ID: x.id("cmpl"), Object: "text_completion", Created: x.started.Unix(), Model: x.responseModel(), Choices: []textChoice{}}
}

func (x *exchange) textPlain(g generation) textAnswer {
	answer := x.textShell()
	for i, c := range g.choices {
		answer.Choices = append(answer.Choices, textChoice{Text: strings.Join(c.tokens, ""), Index: i, Logprobs: null(), FinishReason: encode(c.finish)})
	}
	if !x.hidesUsage() {
		answer.Usage = encode(x.usageJSON(g.usage))
	}
	return answer
}

// textEvents are the chunks of a streamed text completion. The sequence can be run more than once.
func (x *exchange) textEvents(g generation, includeUsage bool) iter.Seq[event] {
	shell := x.textShell()
	reports := (includeUsage || x.flavour == openRouter) && !x.hidesUsage()
	if reports && x.flavour == openAI {
		shell.Usage = null()
	}
	return func(yield func(event) bool) {
		for i, c := range g.choices {
			for _, token := range c.tokens {
				chunk := shell
				chunk.Choices = []textChoice{{Text: token, Index: i, Logprobs: null(), FinishReason: null()}}
				if !yield(event{data: encode(chunk), tokens: 1}) {
					return
				}
			}
			closing := shell
			closing.Choices = []textChoice{{Index: i, Logprobs: null(), FinishReason: encode(c.finish)}}
			if !yield(event{data: encode(closing)}) {
				return
			}
		}
		if reports {
			last := shell
			last.Usage = encode(x.usageJSON(g.usage))
			yield(event{data: encode(last), usage: &g.usage})
		}
	}
}
