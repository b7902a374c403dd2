package openai

import (
	"encoding/json"
	"fmt"
	"strings"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// exchange is one request in the manners of a flavour.
type exchange struct {
	*core.Exchange
	flavour flavour
}

// chat answers POST chat/completions.
func (x *exchange) chat() error {
	var request chatRequest
	if refused := x.accept(&request, func() *core.Refusal { return request.check() }); refused != nil {
		return refused
	}
	ask, refused := x.ask(request)
	if refused != nil {
		return refused
	}
	g := x.Generate(ask)
	form := chatForm{forced: ask.Forced != "", logprobs: request.Logprobs, top: request.topLogprobs(), reasoning: x.reasoningForm(request)}
	if form.reasoning == reasoningRaw {
		g = rawThoughts(g)
	}
	if !request.Stream {
		return x.Plain(x.chatPlain(g, form), g.Tokens(), &g.Usage)
	}
	stream := core.EventStream(x.chatEvents(g, form, request.includeUsage()))
	stream.Opening, stream.Closing = x.flavour.opening(), []byte("data: [DONE]\n\n")
	if form.reasoning == reasoningHidden {
		stream.Hidden = g.Thoughts()
	}
	return x.Stream(stream, &g.Usage)
}

// chatForm is how an answer is put.
type chatForm struct {
	forced    bool // by name, to one tool
	logprobs  bool
	top       int
	reasoning reasoningForm
}

// reasoningForm is where thoughts stand in an answer.
type reasoningForm int

const (
	reasoningHidden  reasoningForm = iota // nowhere, but in usage
	reasoningContent                      // reasoning_content
	reasoningField                        // reasoning
	reasoningDetails                      // reasoning, and sealed in reasoning_details
	reasoningRaw                          // in the text, between think tags
)

func (x *exchange) reasoningForm(request chatRequest) reasoningForm {
	switch x.flavour {
	case compatible:
		return reasoningContent
	case openRouter:
		if request.excludesReasoning() {
			return reasoningHidden
		}
		return reasoningDetails
	case groq:
		switch {
		case request.ReasoningFormat == "hidden", request.excludesReasoning():
			return reasoningHidden
		case request.ReasoningFormat == "raw":
			return reasoningRaw
		}
		return reasoningField
	case openAI, azure:
	}
	return reasoningHidden
}

// rawThoughts moves thoughts into the text.
func rawThoughts(g core.Generation) core.Generation {
	for i, c := range g.Choices {
		if len(c.Thoughts) == 0 || c.Calls != nil {
			continue
		}
		tokens := append([]string{"<think>" + c.Thoughts[0]}, c.Thoughts[1:]...)
		tokens[len(tokens)-1] += "</think>"
		g.Choices[i].Tokens, g.Choices[i].Thoughts = append(tokens, c.Tokens...), nil
	}
	return g
}

// accept decodes the body, checks it, and checks that the model is served.
func (x *exchange) accept(request any, check func() *core.Refusal) *core.Refusal {
	if !isJSON(x.R.Header) {
		return invalid("", "", "you must provide a model parameter")
	}
	if refused := x.decode(x.flavour.parameters(x.Endpoint), request); refused != nil {
		return refused
	}
	if refused := x.checkModel(); refused != nil {
		return refused
	}
	return check()
}

// checkModel refuses a model that is not served.
func (x *exchange) checkModel() *core.Refusal {
	switch {
	case x.Serves(x.Model):
		return nil
	case x.Withdrawn(x.Model):
		return x.flavour.withdrawnModel(x.Model)
	case x.flavour == azure:
		return unknownDeployment()
	}
	return unknownModel(x.Model)
}

// ask is what the answer depends on.
func (x *exchange) ask(request chatRequest) (core.Ask, *core.Refusal) {
	prompt, refused := request.prompt()
	if refused != nil {
		return core.Ask{}, refused
	}
	var word string
	_ = json.Unmarshal(request.ToolChoice, &word) // an object is a forced tool, not a word
	ask := core.Ask{
		Prompt: prompt, Forced: request.forcedTool(), Single: request.ParallelToolCalls != nil && !*request.ParallelToolCalls,
		Stop: request.Stop, Limit: request.limit(), N: request.choices(), Think: core.Thinks(x.Model),
	}
	switch word {
	case "none":
		ask.Calls = core.CallsNever
	case "required":
		ask.Calls = core.CallsRequired
	}
	for _, t := range request.Tools {
		ask.Tools = append(ask.Tools, core.Tool{Name: t.Function.Name, Schema: t.Function.Parameters})
	}
	if format := request.ResponseFormat; format != nil && format.Type != "text" {
		ask.JSON, ask.Schema = true, format.JSONSchema.Schema
	}
	return ask, nil
}

// finishWord is OpenAI's word for the end.
func finishWord(finish core.Finish) string {
	switch finish {
	case core.FinishLength:
		return "length"
	case core.FinishTools:
		return "tool_calls"
	case core.FinishStop, core.FinishMatch:
	}
	return "stop"
}

// finish is the same for chat, where a call that tool_choice named ends with stop.
func (f chatForm) finish(finish core.Finish) string {
	if f.forced && finish == core.FinishTools {
		return "stop"
	}
	return finishWord(finish)
}

// usageJSON is usage in the provider's form.
func (x *exchange) usageJSON(u core.Usage) *usageObject {
	object := &usageObject{
		PromptTokens: u.PromptTokens, CompletionTokens: u.CompletionTokens, TotalTokens: u.PromptTokens + u.CompletionTokens,
		PromptTokensDetails:     &promptTokensDetails{CachedTokens: u.CachedTokens},
		CompletionTokensDetails: &completionTokensDetails{ReasoningTokens: u.ReasoningTokens},
	}
	switch {
	case x.flavour == openRouter && x.Settings.Usage != nil && x.Settings.Usage.Cost != "":
		object.Cost = x.Settings.Usage.Cost
		object.CostDetails = json.RawMessage(`{"upstream_inference_cost":null}`)
	case x.flavour == groq:
		object.QueueTime, object.PromptTime, object.CompletionTime, object.TotalTime = 0.001, 0.002, 0.004, 0.006
	}
	return object
}

// chatShell is what all chunks of a stream, or the plain answer, have in common.
func (x *exchange) chatShell(object string) chatAnswer {
	shell := chatAnswer{
		ID: x.ID("chatcmpl-"), Object: object, Created: x.Started.Unix(), Model: x.ResponseModel(), SystemFingerprint: "fp_0123456789", Choices: []chatChoice{},
	}
	switch x.flavour {
	case openAI:
		shell.ServiceTier = "default"
	case openRouter:
		shell.ID, shell.Provider = x.ID("gen-"), "Fake"
	case groq, azure, compatible:
	}
	return shell
}

// chatPlain is the plain answer.
func (x *exchange) chatPlain(g core.Generation, form chatForm) chatAnswer {
	answer := x.chatShell("chat.completion")
	for i, c := range g.Choices {
		m := &chatMessage{Role: "assistant", Content: core.Encode(c.Text()), Refusal: null(), Annotations: json.RawMessage("[]")}
		if c.Calls != nil {
			m.Content = null()
		}
		m.think(form.reasoning, c.Thinking())
		m.seal(form.reasoning, c.Thinking())
		for k, call := range c.Calls {
			m.ToolCalls = append(m.ToolCalls, toolCall{ID: x.callID(i, k), Type: "function", Function: functionCall{call.Name, call.Arguments}})
		}
		choice := chatChoice{Index: i, Message: m, Logprobs: null(), FinishReason: core.Encode(form.finish(c.Finish))}
		if form.logprobs {
			choice.Logprobs = core.Encode(logprobs(c.Tokens, form.top))
		}
		x.flavour.mark(&choice, c)
		answer.Choices = append(answer.Choices, choice)
	}
	if x.flavour == azure {
		answer.PromptFilterResults = promptFilterResults()
	}
	if !x.HidesUsage() {
		answer.Usage = core.Encode(x.usageJSON(g.Usage))
	}
	if x.flavour == groq {
		answer.XGroq = &xGroq{ID: x.RequestID}
	}
	return answer
}

// think puts a part of the thoughts where the form has them.
func (m *chatMessage) think(form reasoningForm, text string) {
	if text == "" {
		return
	}
	switch form {
	case reasoningContent:
		m.ReasoningContent = text
	case reasoningField:
		m.Reasoning = text
	case reasoningDetails:
		m.Reasoning = text
		m.ReasoningDetails = []reasoningDetail{{Type: "reasoning.text", Text: text, Format: sealFormat}}
	case reasoningHidden, reasoningRaw:
	}
}

// seal signs all that was thought.
func (m *chatMessage) seal(form reasoningForm, whole string) {
	if form != reasoningDetails || whole == "" {
		return
	}
	if len(m.ReasoningDetails) == 0 {
		m.ReasoningDetails = []reasoningDetail{{Type: "reasoning.text", Format: sealFormat}}
	}
	m.ReasoningDetails[0].Signature = core.Sign(core.SealClaude, whole)
}

func (x *exchange) callID(choice, call int) string {
	return fmt.Sprintf("call_%020d%02d%02d", x.Sequence, choice, call)
}

// logprobs are made up from the tokens: the first choice is the likeliest.
func logprobs(tokens []string, top int) *logprobsObject {
	out := &logprobsObject{Content: []tokenLogprob{}, Refusal: null()}
	for _, token := range tokens {
		entry := tokenLogprob{Token: token, Logprob: -0.25, Bytes: byteList(token), Top: []topLogprob{}}
		for i := range top {
			other := token + strings.Repeat("~", i)
			entry.Top = append(entry.Top, topLogprob{Token: other, Logprob: -0.25 - float64(i), Bytes: byteList(other)})
		}
		out.Content = append(out.Content, entry)
	}
	return out
}

// byteList writes bytes as numbers.
func byteList(s string) []int {
	out := make([]int, 0, len(s))
	for _, b := range []byte(s) {
		out = append(out, int(b))
	}
	return out
}
