package core

import (
	"slices"
	"strconv"
	"strings"
)

// Finish says why a choice ends.
type Finish string

// Values of Finish.
const (
	FinishStop   Finish = "stop"       // its natural end
	FinishLength Finish = "length"     // the output limit
	FinishTools  Finish = "tool_calls" // it waits for tools
	FinishMatch  Finish = "match"      // a stop sequence, Choice.Stop
)

// Calling says whether an answer calls tools.
type Calling int

// Values of Calling.
const (
	CallsAuto     Calling = iota // when the last message is the user's
	CallsNever                   // not at all
	CallsRequired                // in any case
)

// Tool is a function that an answer may call.
type Tool struct {
	Name   string
	Schema map[string]any
}

// Call is a call of a tool with arguments as JSON.
type Call struct {
	Name, Arguments string
}

// Ask is what an answer depends on, whatever the dialect.
type Ask struct {
	Prompt Prompt
	Tools  []Tool
	Calls  Calling
	Forced string // the one tool to call, of a choice by name
	Single bool   // no parallel calls
	JSON   bool   // the answer is JSON: of Schema, if there is one
	Schema map[string]any
	Stop   []string
	Limit  int // 0 for none
	N      int // 0 for 1
	Think  bool
}

// Choice is one generated alternative: text, or tool calls, after what was thought before.
type Choice struct {
	Thoughts []string
	Tokens   []string
	Calls    []Call
	Finish   Finish
	Stop     string // the sequence that FinishMatch met
}

// Text is the whole text.
func (c Choice) Text() string { return strings.Join(c.Tokens, "") }

// Thinking is the whole thought.
func (c Choice) Thinking() string { return strings.Join(c.Thoughts, "") }

// Count is the tokens of a choice: words of text and thought, or four characters of arguments each and one for the name.
func (c Choice) Count() int64 {
	n := int64(len(c.Tokens) + len(c.Thoughts))
	for _, call := range c.Calls {
		n += 1 + int64(len(Pieces(call.Arguments)))
	}
	return n
}

// Generation is what an answer says, before it is put into plain or streamed form.
type Generation struct {
	Choices []Choice
	Usage   Usage
}

// Tokens is how many tokens all choices together have.
func (g Generation) Tokens() int64 {
	var n int64
	for _, c := range g.Choices {
		n += c.Count()
	}
	return n
}

// Thoughts is how many of the tokens were only thought.
func (g Generation) Thoughts() int64 {
	var n int64
	for _, c := range g.Choices {
		n += int64(len(c.Thoughts))
	}
	return n
}

// Pieces splits tool arguments into tokens of four characters.
func Pieces(arguments string) []string {
	var out []string
	for part := range slices.Chunk([]rune(arguments), 4) {
		out = append(out, string(part))
	}
	return out
}

// Thinks tells whether a model's name says that it reasons.
func Thinks(model string) bool {
	return strings.Contains(model, "think") || strings.Contains(model, "reason")
}

// Generate makes up the answer and counts it.
func (x *Exchange) Generate(ask Ask) Generation {
	g := Generation{}
	for i := range max(1, ask.N) {
		g.Choices = append(g.Choices, x.choice(ask, i))
	}
	g.Usage = x.UsageOf(ask.Prompt.Tokens(), g.Tokens())
	if x.Settings.Usage == nil || x.Settings.Usage.ReasoningTokens == nil {
		g.Usage.ReasoningTokens = g.Thoughts()
	}
	x.countCache(&g.Usage, ask.Prompt)
	return g
}

// thoughtTokens is how many words an answer is thought over.
const thoughtTokens = 8

// choice makes up one alternative. The output limit counts thoughts too.
func (x *Exchange) choice(ask Ask, index int) Choice {
	var thoughts []string
	limit := ask.Limit
	if ask.Think {
		thoughts = madeUpTokens(SeedOf(x.Model, ask.Prompt.Text(), "thought", strconv.Itoa(index)), thoughtTokens)
		if limit > 0 && limit <= len(thoughts) {
			return Choice{Thoughts: thoughts[:limit], Finish: FinishLength}
		}
		limit = max(0, limit-len(thoughts))
	}
	c := x.afterThought(ask, index, limit)
	c.Thoughts = thoughts
	return c
}

// afterThought is the answer proper.
func (x *Exchange) afterThought(ask Ask, index, limit int) Choice {
	if calls := x.calls(ask); calls != nil {
		return Choice{Calls: calls, Finish: FinishTools}
	}
	if ask.JSON {
		text := `{"answer": "junction"}`
		if ask.Schema != nil {
			text = string(Encode(exampleOf(ask.Schema, 8)))
		}
		return x.limited(Pieces(text), nil, limit)
	}
	return x.limited(x.Words(ask.Prompt.Text(), index), ask.Stop, limit)
}

// Words is the natural answer to a prompt.
func (x *Exchange) Words(prompt string, index int) []string {
	if x.Settings.Text != "" {
		return splitTokens(x.Settings.Text)
	}
	return madeUpTokens(SeedOf(x.Model, prompt, strconv.Itoa(index)), x.Settings.CompletionTokens)
}

// Limited cuts a text as an answer is cut.
func (x *Exchange) Limited(tokens, stop []string, limit int) Choice {
	return x.limited(tokens, stop, limit)
}

// limited cuts the text, and pads its last token where the fault wants a huge line.
func (x *Exchange) limited(tokens, stop []string, limit int) Choice {
	kept, finish, match := cutTokens(tokens, stop, limit)
	if x.Fault.Kind == FaultHugeLine && len(kept) > 0 {
		size := x.Fault.Bytes
		if size == 0 {
			size = defaultHugeLine
		}
		kept[len(kept)-1] += strings.Repeat("x", size)
	}
	return Choice{Tokens: kept, Finish: finish, Stop: match}
}

// calls are the calls that an answer makes, nil for a text answer.
func (x *Exchange) calls(ask Ask) []Call {
	wanted := ask.Calls == CallsRequired || ask.Forced != "" || (ask.Calls == CallsAuto && ask.Prompt.LastFromUser())
	if len(ask.Tools) == 0 || ask.Calls == CallsNever || !wanted {
		return nil
	}
	count := x.Settings.ToolCalls
	if ask.Forced != "" || ask.Single {
		count = 1
	}
	out := make([]Call, 0, count)
	for i := range count {
		t := ask.Tools[i%len(ask.Tools)]
		if at := slices.IndexFunc(ask.Tools, func(t Tool) bool { return t.Name == ask.Forced }); at >= 0 {
			t = ask.Tools[at]
		}
		schema := t.Schema
		if schema == nil {
			schema = map[string]any{"type": "object"}
		}
		out = append(out, Call{Name: t.Name, Arguments: string(Encode(exampleOf(schema, 8)))})
	}
	return out
}

// UsageOf is what the answer reports, overrides included.
func (x *Exchange) UsageOf(prompt, completion int64) Usage {
	usage := Usage{PromptTokens: prompt, CompletionTokens: completion}
	override := x.Settings.Usage
	if override == nil {
		return usage
	}
	for _, part := range []struct {
		value *int64
		into  *int64
	}{
		{override.PromptTokens, &usage.PromptTokens}, {override.CachedTokens, &usage.CachedTokens},
		{override.CacheWriteTokens, &usage.CacheWriteTokens},
		{override.CompletionTokens, &usage.CompletionTokens}, {override.ReasoningTokens, &usage.ReasoningTokens},
	} {
		if part.value != nil {
			*part.into = *part.value
		}
	}
	return usage
}

// Count is usage without an answer to it: of embeddings, or of a count of tokens.
func (x *Exchange) Count(prompt int64) Usage {
	usage := x.UsageOf(prompt, 0)
	usage.CompletionTokens, usage.ReasoningTokens = 0, 0
	return usage
}

// countCache counts the marked prefix as written the first time and as read from then on.
func (x *Exchange) countCache(usage *Usage, prompt Prompt) {
	marked := prompt.cached
	if marked == "" || x.Settings.Usage != nil {
		return
	}
	tokens := min(CountTokens(marked), usage.PromptTokens)
	if x.server.seen(SeedOf(x.Model, marked)) {
		usage.CachedTokens = tokens
		return
	}
	usage.CacheWriteTokens = tokens
}
