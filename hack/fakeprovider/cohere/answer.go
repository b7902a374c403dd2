package cohere

import (
	"fmt"
	"iter"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// answer is the body of a chat answer.
type answer struct {
	ID           string        `json:"id"`
	FinishReason string        `json:"finish_reason"`
	Message      answerMessage `json:"message"`
	Usage        *usageObject  `json:"usage,omitempty"`
	Logprobs     []logprobItem `json:"logprobs,omitempty"`
}

type answerMessage struct {
	Role      string        `json:"role"`
	Content   []contentItem `json:"content,omitempty"`
	ToolPlan  string        `json:"tool_plan,omitempty"`
	ToolCalls []toolCall    `json:"tool_calls,omitempty"`
}

type contentItem struct {
	Type     string  `json:"type"`
	Text     *string `json:"text,omitempty"`
	Thinking *string `json:"thinking,omitempty"`
}

type logprobItem struct {
	Text     string    `json:"text"`
	TokenIDs []int     `json:"token_ids"`
	Logprobs []float64 `json:"logprobs"`
}

type usageObject struct {
	BilledUnits  tokenCounts `json:"billed_units"`
	Tokens       tokenCounts `json:"tokens"`
	CachedTokens int64       `json:"cached_tokens"`
}

type tokenCounts struct {
	InputTokens  int64 `json:"input_tokens"`
	OutputTokens int64 `json:"output_tokens"`
}

// writer puts a generation into Cohere's form.
type writer struct {
	x        *core.Exchange
	usage    core.Usage
	choice   core.Choice
	logprobs bool
}

func (w writer) id() string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", w.x.Sequence) }

func (w writer) callID(i int) string { return fmt.Sprintf("fake_%020d%02d", w.x.Sequence, i) }

func (w writer) usageJSON() *usageObject {
	if w.x.HidesUsage() {
		return nil
	}
	counts := tokenCounts{w.usage.PromptTokens, w.usage.CompletionTokens}
	return &usageObject{BilledUnits: counts, Tokens: counts, CachedTokens: w.usage.CachedTokens}
}

func (w writer) finishReason() string {
	switch w.choice.Finish {
	case core.FinishLength:
		return "MAX_TOKENS"
	case core.FinishTools:
		return "TOOL_CALL"
	case core.FinishMatch:
		return "STOP_SEQUENCE"
	case core.FinishStop:
	}
	return "COMPLETE"
}

// toolPlan is what goes before calls.
func (w writer) toolPlan() string {
	if len(w.choice.Calls) == 0 {
		return ""
	}
	return "I will use the tools."
}

// plain is the whole answer.
func (w writer) plain() answer {
	out := answer{ID: w.id(), FinishReason: w.finishReason(), Message: answerMessage{Role: "assistant", ToolPlan: w.toolPlan()}, Usage: w.usageJSON()}
	if thought := w.choice.Thinking(); thought != "" {
		out.Message.Content = append(out.Message.Content, contentItem{Type: "thinking", Thinking: &thought})
	}
	if text := w.choice.Text(); text != "" {
		out.Message.Content = append(out.Message.Content, contentItem{Type: "text", Text: &text})
	}
	for i, call := range w.choice.Calls {
		out.Message.ToolCalls = append(out.Message.ToolCalls, toolCall{w.callID(i), "function", function{call.Name, call.Arguments}})
	}
	if w.logprobs {
		for i, token := range w.choice.Tokens {
			out.Logprobs = append(out.Logprobs, logprobItem{token, []int{i + 1}, []float64{-0.25}})
		}
	}
	return out
}

// events are the events of the stream. The sequence can be run more than once.
func (w writer) events() iter.Seq[core.Event] {
	return func(yield func(core.Event) bool) {
		s := streamer{writer: w, yield: yield}
		start := map[string]any{"role": "assistant", "content": []any{}, "tool_plan": "", "tool_calls": []any{}, "citations": []any{}}
		if s.send("message-start", map[string]any{"id": w.id(), "delta": message0(start)}, 0) &&
			s.content("thinking", w.choice.Thoughts) && s.plan() && s.calls() && s.content("text", w.choice.Tokens) {
			s.end()
		}
	}
}

// message0 wraps the fields of a message, as all deltas are wrapped.
func message0(fields map[string]any) map[string]any { return map[string]any{"message": fields} }

// streamer writes one stream; every part of it says whether to go on.
type streamer struct {
	writer
	yield func(core.Event) bool
	index int
}

func (s *streamer) send(name string, fields map[string]any, tokens int64) bool {
	return s.yield(core.Event{Name: name, Data: core.Typed(name, fields), Tokens: tokens})
}

// content sends one item of content, a token at a time.
func (s *streamer) content(kind string, tokens []string) bool {
	if len(tokens) == 0 {
		return true
	}
	start := message0(map[string]any{"content": map[string]any{"type": kind, kind: ""}})
	if !s.send("content-start", map[string]any{"index": s.index, "delta": start}, 0) {
		return false
	}
	for _, token := range tokens {
		part := message0(map[string]any{"content": map[string]any{kind: token}})
		if !s.send("content-delta", map[string]any{"index": s.index, "delta": part}, 1) {
			return false
		}
	}
	s.index++
	return s.send("content-end", map[string]any{"index": s.index - 1}, 0)
}

func (s *streamer) plan() bool {
	if s.toolPlan() == "" {
		return true
	}
	return s.send("tool-plan-delta", map[string]any{"delta": message0(map[string]any{"tool_plan": s.toolPlan()})}, 0)
}

func (s *streamer) calls() bool {
	for i, call := range s.choice.Calls {
		start := message0(map[string]any{"tool_calls": toolCall{s.callID(i), "function", function{Name: call.Name}}})
		if !s.send("tool-call-start", map[string]any{"index": i, "delta": start}, 1) {
			return false
		}
		for _, piece := range core.Pieces(call.Arguments) {
			part := message0(map[string]any{"tool_calls": map[string]any{"function": function{Arguments: piece}}})
			if !s.send("tool-call-delta", map[string]any{"index": i, "delta": part}, 1) {
				return false
			}
		}
		if !s.send("tool-call-end", map[string]any{"index": i}, 0) {
			return false
		}
	}
	return true
}

func (s *streamer) end() {
	delta := map[string]any{"finish_reason": s.finishReason()}
	e := core.Event{Name: "message-end"}
	if usage := s.usageJSON(); usage != nil {
		delta["usage"], e.Usage = usage, &s.usage
	}
	e.Data = core.Typed("message-end", map[string]any{"delta": delta})
	s.yield(e)
}
