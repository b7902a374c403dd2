package bedrock

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"iter"
	"strings"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// answer is the body of a Converse response.
type answer struct {
	Output     output       `json:"output"`
	StopReason string       `json:"stopReason"`
	Usage      *usageObject `json:"usage,omitempty"`
	Metrics    metrics      `json:"metrics"`
}

type output struct {
	Message answerMessage `json:"message"`
}

type answerMessage struct {
	Role    string  `json:"role"`
	Content []block `json:"content"`
}

type metrics struct {
	LatencyMs int64 `json:"latencyMs"`
}

// usageObject is usage as Bedrock reports it: input excludes what the cache took or gave.
type usageObject struct {
	InputTokens           int64 `json:"inputTokens"`
	OutputTokens          int64 `json:"outputTokens"`
	TotalTokens           int64 `json:"totalTokens"`
	CacheReadInputTokens  int64 `json:"cacheReadInputTokens"`
	CacheWriteInputTokens int64 `json:"cacheWriteInputTokens"`
}

// writer puts a generation into Bedrock's form.
type writer struct {
	x      *core.Exchange
	usage  core.Usage
	choice core.Choice
}

func (w writer) usageJSON() *usageObject {
	if w.x.HidesUsage() {
		return nil
	}
	u := w.usage
	return &usageObject{
		InputTokens: u.PromptTokens - u.CachedTokens - u.CacheWriteTokens, OutputTokens: u.CompletionTokens, TotalTokens: u.PromptTokens + u.CompletionTokens,
		CacheReadInputTokens: u.CachedTokens, CacheWriteInputTokens: u.CacheWriteTokens,
	}
}

func (w writer) metrics() metrics { return metrics{w.x.Now().Sub(w.x.Started).Milliseconds()} }

// plain is the whole answer.
func (w writer) plain() answer {
	content := []block{}
	if thought := w.choice.Thinking(); thought != "" {
		content = append(content, block{ReasoningContent: w.thought(thought)})
	}
	for i, call := range w.choice.Calls {
		content = append(content, block{ToolUse: &toolUse{ToolUseID: w.callID(i), Name: call.Name, Input: json.RawMessage(call.Arguments)}})
	}
	if text := w.choice.Text(); text != "" {
		content = append(content, block{Text: &text})
	}
	return answer{Output: output{answerMessage{"assistant", content}}, StopReason: w.stopReason(), Usage: w.usageJSON(), Metrics: w.metrics()}
}

// thought is signed, or sealed where the model's name says "redact".
func (w writer) thought(thought string) *reasoningContent {
	if strings.Contains(w.x.Model, "redact") {
		sealed := base64.StdEncoding.EncodeToString([]byte(core.Seal(core.SealClaude, thought)))
		return &reasoningContent{RedactedContent: &sealed}
	}
	return &reasoningContent{ReasoningText: &reasoningText{thought, core.Sign(core.SealClaude, thought)}}
}

func (w writer) callID(i int) string { return fmt.Sprintf("tooluse_%020d%02d", w.x.Sequence, i) }

func (w writer) stopReason() string {
	switch w.choice.Finish {
	case core.FinishLength:
		return "max_tokens"
	case core.FinishTools:
		return "tool_use"
	case core.FinishMatch:
		return "stop_sequence"
	case core.FinishStop:
	}
	return "end_turn"
}

// events are the events of the stream. The sequence can be run more than once.
func (w writer) events() iter.Seq[core.Event] {
	return func(yield func(core.Event) bool) {
		s := streamer{writer: w, yield: yield}
		if s.send("messageStart", map[string]any{"role": "assistant"}, 0) && s.thoughts() && s.text() && s.calls() &&
			s.send("messageStop", map[string]any{"stopReason": w.stopReason()}, 0) {
			s.metadata()
		}
	}
}

// streamer writes one stream; every part of it says whether to go on.
type streamer struct {
	writer
	yield func(core.Event) bool
	index int
}

// send sends an event, padded as Bedrock pads against those who guess texts from lengths.
func (s *streamer) send(name string, fields map[string]any, tokens int64) bool {
	fields["p"] = "abcdefghijk"
	return s.yield(core.Event{Name: name, Data: core.Encode(fields), Tokens: tokens})
}

func (s *streamer) delta(delta map[string]any, tokens int64) bool {
	return s.send("contentBlockDelta", map[string]any{"contentBlockIndex": s.index, "delta": delta}, tokens)
}

func (s *streamer) stop() bool {
	s.index++
	return s.send("contentBlockStop", map[string]any{"contentBlockIndex": s.index - 1}, 0)
}

func (s *streamer) thoughts() bool {
	whole := s.choice.Thinking()
	if whole == "" {
		return true
	}
	content := s.thought(whole)
	if content.RedactedContent != nil {
		tokens := int64(len(s.choice.Thoughts))
		return s.delta(map[string]any{"reasoningContent": map[string]any{"redactedContent": content.RedactedContent}}, tokens) && s.stop()
	}
	for _, thought := range s.choice.Thoughts {
		if !s.delta(map[string]any{"reasoningContent": map[string]any{"text": thought}}, 1) {
			return false
		}
	}
	return s.delta(map[string]any{"reasoningContent": map[string]any{"signature": content.ReasoningText.Signature}}, 0) && s.stop()
}

func (s *streamer) text() bool {
	if len(s.choice.Tokens) == 0 {
		return true
	}
	for _, token := range s.choice.Tokens {
		if !s.delta(map[string]any{"text": token}, 1) {
			return false
		}
	}
	return s.stop()
}

func (s *streamer) calls() bool {
	for i, call := range s.choice.Calls {
		start := map[string]any{"toolUse": map[string]any{"toolUseId": s.callID(i), "name": call.Name}}
		if !s.send("contentBlockStart", map[string]any{"contentBlockIndex": s.index, "start": start}, 1) {
			return false
		}
		for _, piece := range core.Pieces(call.Arguments) {
			if !s.delta(map[string]any{"toolUse": map[string]any{"input": piece}}, 1) {
				return false
			}
		}
		if !s.stop() {
			return false
		}
	}
	return true
}

func (s *streamer) metadata() {
	fields := map[string]any{"metrics": s.metrics(), "p": "abcdefghijk"}
	e := core.Event{Name: "metadata"}
	if usage := s.usageJSON(); usage != nil {
		fields["usage"], e.Usage = usage, &s.usage
	}
	e.Data = core.Encode(fields)
	s.yield(e)
}
