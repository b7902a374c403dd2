package anthropic

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// Answer is a generated answer on its way into plain or streamed form, on whatever platform.
type Answer struct {
	Generation core.Generation
	Stream     bool
	x          *core.Exchange
	request    request
	choice     core.Choice
}

// shell is the message without content.
func (a Answer) shell() answer {
	return answer{ID: a.x.ID("msg_"), Type: "message", Role: "assistant", Model: a.x.ResponseModel(), Content: []contentBlock{}}
}

// Plain is the whole message.
func (a Answer) Plain() any {
	out := a.shell()
	out.Content = a.blocks()
	out.StopReason, out.StopSequence = a.stop()
	if !a.x.HidesUsage() {
		out.Usage = usageJSON(a.Generation.Usage, a.request.kept())
	}
	return out
}

// blocks are the content: thoughts, then text or uses of tools.
func (a Answer) blocks() []contentBlock {
	out := []contentBlock{}
	if thought := a.choice.Thinking(); thought != "" {
		out = append(out, a.thought(thought))
	}
	for i, call := range a.choice.Calls {
		out = append(out, contentBlock{Type: "tool_use", ID: a.callID(i), Name: call.Name, Input: json.RawMessage(call.Arguments)})
	}
	if text := a.choice.Text(); text != "" {
		out = append(out, contentBlock{Type: "text", Text: &text, Citations: a.request.citations()})
	}
	return out
}

// thought is a thinking block, or one that only the model can read where its name says "redact".
func (a Answer) thought(thought string) contentBlock {
	if strings.Contains(a.x.Model, "redact") {
		return contentBlock{Type: "redacted_thinking", Data: core.Seal(core.SealClaude, thought)}
	}
	signature := core.Sign(core.SealClaude, thought)
	return contentBlock{Type: "thinking", Thinking: &thought, Signature: &signature}
}

func (a Answer) callID(i int) string { return fmt.Sprintf("toolu_%020d%02d", a.x.Sequence, i) }

// stop is the reason and the sequence met.
func (a Answer) stop() (reason, sequence *string) {
	word := "end_turn"
	switch a.choice.Finish {
	case core.FinishLength:
		word = "max_tokens"
	case core.FinishTools:
		word = "tool_use"
	case core.FinishMatch:
		word, sequence = "stop_sequence", &a.choice.Stop
	case core.FinishStop:
	}
	return &word, sequence
}

// kept is how long the cache is to keep what is marked: as long as any mark says.
func (r request) kept() lifetime {
	blocks := slices.Clone(r.System.Items)
	for _, m := range r.Messages {
		blocks = append(blocks, m.Content.Items...)
	}
	if slices.ContainsFunc(blocks, func(b block) bool { return b.CacheControl != nil && b.CacheControl.TTL == "1h" }) {
		return anHour
	}
	return fiveMinutes
}

// citations cite the beginning of every text document that allows it.
func (r request) citations() []citation {
	var out []citation
	index := 0
	for _, m := range r.Messages {
		for _, b := range m.Content.Items {
			if b.Type != "document" {
				continue
			}
			var config struct {
				Enabled bool `json:"enabled"`
			}
			_ = json.Unmarshal(b.Citations, &config) // absent is not enabled
			if config.Enabled && b.Source.Type == "text" {
				runes := []rune(b.Source.Data)
				end := min(20, len(runes))
				c := citation{Type: "char_location", CitedText: string(runes[:end]), DocumentIndex: index, EndCharIndex: end}
				if b.Title != "" {
					c.DocumentTitle = &b.Title
				}
				out = append(out, c)
			}
			index++
		}
	}
	return out
}

// Events are the events of the stream. The sequence can be run more than once.
func (a Answer) Events() iter.Seq[core.Event] {
	return func(yield func(core.Event) bool) {
		s := streamer{a, yield}
		if !s.start() {
			return
		}
		for i, b := range a.blocks() {
			if !s.block(i, b) {
				return
			}
		}
		s.end()
	}
}

// streamer writes one stream; every part of it says whether to go on.
type streamer struct {
	Answer
	yield func(core.Event) bool
}

func (s streamer) send(name string, fields map[string]any, tokens int64) bool {
	return s.yield(core.Event{Name: name, Data: core.Typed(name, fields), Tokens: tokens})
}

func (s streamer) start() bool {
	shell := s.shell()
	if !s.x.HidesUsage() {
		before := s.Generation.Usage
		before.CompletionTokens, before.ReasoningTokens = min(1, before.CompletionTokens), 0
		shell.Usage = usageJSON(before, s.request.kept())
	}
	return s.send("message_start", map[string]any{"message": shell}, 0)
}

// block sends one block; a ping follows the first one's start.
func (s streamer) block(index int, b contentBlock) bool {
	opening := b
	empty := ""
	switch b.Type {
	case "text":
		opening.Text, opening.Citations = &empty, nil
	case "thinking":
		opening.Thinking, opening.Signature = &empty, &empty
	case "tool_use":
		opening.Input = json.RawMessage("{}")
	}
	if !s.send("content_block_start", map[string]any{"index": index, "content_block": opening}, 0) {
		return false
	}
	if index == 0 && !s.send("ping", map[string]any{}, 0) {
		return false
	}
	for _, d := range s.deltas(b) {
		if !s.send("content_block_delta", map[string]any{"index": index, "delta": d.body}, d.tokens) {
			return false
		}
	}
	return s.send("content_block_stop", map[string]any{"index": index}, 0)
}

type delta struct {
	body   json.RawMessage
	tokens int64
}

// deltas are the parts of a block, a token each.
func (s streamer) deltas(b contentBlock) []delta {
	var out []delta
	add := func(kind, field string, value any, tokens int64) {
		out = append(out, delta{core.Typed(kind, map[string]any{field: value}), tokens})
	}
	switch b.Type {
	case "thinking":
		for _, thought := range s.choice.Thoughts {
			add("thinking_delta", "thinking", thought, 1)
		}
		add("signature_delta", "signature", *b.Signature, 0)
	case "text":
		for _, c := range b.Citations {
			add("citations_delta", "citation", c, 0)
		}
		for _, token := range s.choice.Tokens {
			add("text_delta", "text", token, 1)
		}
	case "tool_use":
		add("input_json_delta", "partial_json", "", 1)
		if string(b.Input) != "{}" {
			for _, piece := range core.Pieces(string(b.Input)) {
				add("input_json_delta", "partial_json", piece, 1)
			}
		}
	}
	return out
}

func (s streamer) end() {
	reason, sequence := s.stop()
	fields := map[string]any{"delta": map[string]any{"stop_reason": reason, "stop_sequence": sequence}}
	e := core.Event{Name: "message_delta"}
	if !s.x.HidesUsage() {
		usage := usageJSON(s.Generation.Usage, fiveMinutes)
		usage.CacheCreation, usage.ServiceTier = nil, ""
		fields["usage"], e.Usage = usage, &s.Generation.Usage
	}
	e.Data = core.Typed("message_delta", fields)
	if s.yield(e) {
		s.send("message_stop", map[string]any{}, 0)
	}
}
