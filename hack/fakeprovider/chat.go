package fakeprovider

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// choice is one generated alternative: text, or tool calls.
type choice struct {
	tokens []string
	calls  []functionCall
	finish string
}

// generation is what an answer says, before it is put into plain or streamed form.
type generation struct {
	choices []choice
	usage   Usage
}

// tokens is how many tokens all choices together have.
func (g generation) tokens() int64 {
	var n int64
	for _, c := range g.choices {
		n += c.count()
	}
	return n
}

// count is the tokens of a choice: words of text, or four characters of arguments each and one for the name.
func (c choice) count() int64 {
	n := int64(len(c.tokens))
	for _, call := range c.calls {
		n += 1 + int64(len(pieces(call.Arguments)))
	}
	return n
}

// pieces splits tool arguments into tokens of four characters.
func pieces(arguments string) []string {
	var out []string
	for part := range slices.Chunk([]rune(arguments), 4) {
		out = append(out, string(part))
	}
	return out
}

// chat answers POST chat/completions.
func (x *exchange) chat() error {
	var request chatRequest
	if refused := x.accept(&request, func() *refusal { return request.check() }); refused != nil {
		return refused
	}
	g := generation{}
	for i := range request.choices() {
		g.choices = append(g.choices, x.chatChoice(request, i))
	}
	g.usage = x.usage(request.promptTokens(), g.tokens())
	if !request.Stream {
		return x.plain(x.chatPlain(g), g.tokens(), &g.usage)
	}
	x.bill(&g.usage) // what is owed if nothing follows: the prompt
	err := x.stream(x.chatEvents(g, request.includeUsage()))
	x.settle(g.usage, err)
	return err
}

// settle bills a stream that did not report its usage: in full if it ended well, else what was generated.
func (x *exchange) settle(usage Usage, err error) {
	if err == nil {
		x.update(func(r *Record) { r.Billed = usage })
		return
	}
	x.bill(&usage)
}

// accept decodes the body, checks it, and checks that the model is served.
func (x *exchange) accept(request any, check func() *refusal) *refusal {
	if !isJSON(x.r.Header) {
		return invalid("", "", "you must provide a model parameter")
	}
	unknown := x.settings.UnknownParameters
	if x.flavour == openRouter {
		unknown = UnknownIgnored
	}
	if refused := decode(x.endpoint, x.body, unknown, request); refused != nil {
		return refused
	}
	if !x.serves(x.record.Model) {
		return unknownModel(x.record.Model)
	}
	return check()
}

func (x *exchange) serves(model string) bool {
	return slices.Contains(x.settings.Models, model) || slices.Contains(x.settings.Models, "*")
}

// chatChoice makes up one alternative.
func (x *exchange) chatChoice(request chatRequest, index int) choice {
	if calls := x.toolCalls(request); calls != nil {
		finish := "tool_calls"
		if request.forcedTool() != "" {
			finish = "stop" // OpenAI's word when tool_choice names the function
		}
		return choice{calls: calls, finish: finish}
	}
	if text := jsonText(request.ResponseFormat); text != "" {
		return x.limited(pieces(text), nil, request.limit())
	}
	return x.limited(x.text(request.promptText(), index), request.Stop, request.limit())
}

// text is the natural answer to a prompt.
func (x *exchange) text(prompt string, index int) []string {
	if x.settings.Text != "" {
		return splitTokens(x.settings.Text)
	}
	seed := seedOf(x.record.Model, prompt, fmt.Sprint(index))
	return madeUpTokens(seed, x.settings.CompletionTokens)
}

// limited cuts the text, and pads its last token where the fault wants a huge line.
func (x *exchange) limited(tokens, stop []string, limit int) choice {
	kept, finish := cutTokens(tokens, stop, limit)
	if x.fault.Kind == FaultHugeLine && len(kept) > 0 {
		size := x.fault.Bytes
		if size == 0 {
			size = defaultHugeLine
		}
		kept[len(kept)-1] += strings.Repeat("x", size)
	}
	return choice{tokens: kept, finish: finish}
}

// jsonText is the answer that a response_format asks for, empty for text.
func jsonText(format *responseFormat) string {
	if format == nil {
		return ""
	}
	switch format.Type {
	case "json_object":
		return `{"answer": "junction"}`
	case "json_schema":
		return string(encode(exampleOf(format.JSONSchema.Schema, 8)))
	}
	return ""
}

// toolCalls are the calls that an answer makes, nil for a text answer.
func (x *exchange) toolCalls(request chatRequest) []functionCall {
	var word string
	_ = json.Unmarshal(request.ToolChoice, &word) // an object is a forced tool, not a word
	forced := request.forcedTool()
	lastFromUser := request.Messages[len(request.Messages)-1].Role == "user"
	if len(request.Tools) == 0 || word == "none" || (!lastFromUser && word != "required" && forced == "") {
		return nil
	}
	count := x.settings.ToolCalls
	if forced != "" || (request.ParallelToolCalls != nil && !*request.ParallelToolCalls) {
		count = 1
	}
	calls := make([]functionCall, 0, count)
	for i := range count {
		t := request.Tools[i%len(request.Tools)]
		if forced != "" {
			t = request.Tools[slices.IndexFunc(request.Tools, func(t tool) bool { return t.Function.Name == forced })]
		}
		schema := map[string]any{"type": "object"}
		if t.Function.Parameters != nil {
			schema = t.Function.Parameters
		}
		calls = append(calls, functionCall{Name: t.Function.Name, Arguments: string(encode(exampleOf(schema, 8)))})
	}
	return calls
}

// usage is what the answer reports, overrides included.
func (x *exchange) usage(prompt, completion int64) Usage {
	usage := Usage{PromptTokens: prompt, CompletionTokens: completion}
	override := x.settings.Usage
	if override == nil {
		return usage
	}
	for _, part := range []struct {
		value *int64
		into  *int64
	}{
		{override.PromptTokens, &usage.PromptTokens}, {override.CachedTokens, &usage.CachedTokens},
		{override.CompletionTokens, &usage.CompletionTokens}, {override.ReasoningTokens, &usage.ReasoningTokens},
	} {
		if part.value != nil {
			*part.into = *part.value
		}
	}
	return usage
}

// usageJSON is usage in the provider's form.
func (x *exchange) usageJSON(u Usage) *usageObject {
	object := &usageObject{
		PromptTokens: u.PromptTokens, CompletionTokens: u.CompletionTokens, TotalTokens: u.PromptTokens + u.CompletionTokens,
		PromptTokensDetails:     &promptTokensDetails{CachedTokens: u.CachedTokens},
		CompletionTokensDetails: &completionTokensDetails{ReasoningTokens: u.ReasoningTokens},
	}
	if x.flavour == openRouter && x.settings.Usage != nil {
		object.Cost = x.settings.Usage.Cost
	}
	return object
}

func (x *exchange) responseModel() string {
	if x.settings.ResponseModel != "" {
		return x.settings.ResponseModel
	}
	return x.record.Model
}

// chatShell is what all chunks of a stream, or the plain answer, have in common.
func (x *exchange) chatShell(object string) chatAnswer {
	shell := chatAnswer{
		ID: x.id("chatcmpl"), Object: object, Created: x.started.Unix(), Model: x.responseModel(), SystemFingerprint: "fp_0123456789", Choices: []chatChoice{},
	}
	switch x.flavour {
	case openAI:
		shell.ServiceTier = "default"
	case openRouter:
		shell.ID, shell.Provider = x.id("gen"), "Fake"
	case groq:
	}
	return shell
}

// chatPlain is the plain answer.
func (x *exchange) chatPlain(g generation) chatAnswer {
	answer := x.chatShell("chat.completion")
	for i, c := range g.choices {
		m := &chatMessage{Role: "assistant", Content: encode(strings.Join(c.tokens, "")), Refusal: null(), Annotations: json.RawMessage("[]")}
		if c.calls != nil {
			m.Content = null()
		}
		for k, call := range c.calls {
			m.ToolCalls = append(m.ToolCalls, toolCall{ID: x.callID(i, k), Type: "function", Function: call})
		}
		answer.Choices = append(answer.Choices, chatChoice{Index: i, Message: m, Logprobs: null(), FinishReason: encode(c.finish)})
	}
	if !x.hidesUsage() {
		answer.Usage = encode(x.usageJSON(g.usage))
	}
	if x.flavour == groq {
		answer.XGroq = &xGroq{ID: x.record.ID}
	}
	return answer
}

func (x *exchange) callID(choice, call int) string {
	return fmt.Sprintf("call_%020d%02d%02d", x.sequence, choice, call)
}
