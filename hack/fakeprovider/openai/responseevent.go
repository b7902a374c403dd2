package openai

import (
	"encoding/json"
	"iter"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// events are the typed events of a stream, numbered. The sequence can be run more than once.
func (w responseWriter) events() iter.Seq[core.Event] {
	return func(yield func(core.Event) bool) {
		s := &responseStreamer{responseWriter: w, yield: yield}
		shell := w.shell()
		if !s.send("response.created", map[string]any{"response": shell}, 0) || !s.send("response.in_progress", map[string]any{"response": shell}, 0) {
			return
		}
		for i, it := range w.output() {
			if !s.item(i, it) {
				return
			}
		}
		s.end()
	}
}

// responseStreamer writes one stream; every part of it says whether to go on.
type responseStreamer struct {
	responseWriter
	yield  func(core.Event) bool
	number int
}

func (s *responseStreamer) send(name string, fields map[string]any, tokens int64) bool {
	fields["sequence_number"] = s.number
	s.number++
	return s.yield(core.Event{Name: name, Data: core.Typed(name, fields), Tokens: tokens})
}

// delta sends a piece of text, with the padding that hides its length.
func (s *responseStreamer) delta(name string, fields map[string]any, piece string) bool {
	fields["delta"] = piece
	if s.request.StreamOptions == nil || s.request.StreamOptions.IncludeObfuscation == nil || *s.request.StreamOptions.IncludeObfuscation {
		fields["obfuscation"] = "abcdefghijk"[:11-min(10, len(piece))]
	}
	return s.send(name, fields, 1)
}

// item sends one item of output: as it begins, its parts, and as it ends.
func (s *responseStreamer) item(index int, it outputItem) bool {
	opening := it
	if it.Type != "reasoning" {
		opening.Status = "in_progress"
	}
	switch it.Type {
	case "message":
		opening.Content = []outputPart{}
	case "function_call":
		empty := ""
		opening.Arguments = &empty
	case "reasoning":
		opening.Summary = &[]summaryPart{}
	}
	if !s.send("response.output_item.added", map[string]any{"output_index": index, "item": opening}, 0) {
		return false
	}
	parts := map[string]func(int, outputItem) bool{"message": s.message, "function_call": s.call, "reasoning": s.thoughts}
	return parts[it.Type](index, it) && s.send("response.output_item.done", map[string]any{"output_index": index, "item": it}, 0)
}

func (s *responseStreamer) message(index int, it outputItem) bool {
	part := it.Content[0]
	opening := outputPart{Type: part.Type, Annotations: json.RawMessage("[]"), Logprobs: json.RawMessage("[]")}
	at := func(more map[string]any) map[string]any {
		more["item_id"], more["output_index"], more["content_index"] = it.ID, index, 0
		return more
	}
	if !s.send("response.content_part.added", at(map[string]any{"part": opening}), 0) {
		return false
	}
	for _, token := range s.responseWriter.choice().Tokens {
		if !s.delta("response.output_text.delta", at(map[string]any{"logprobs": s.logprobs([]string{token})}), token) {
			return false
		}
	}
	return s.send("response.output_text.done", at(map[string]any{"text": part.Text, "logprobs": part.Logprobs}), 0) &&
		s.send("response.content_part.done", at(map[string]any{"part": part}), 0)
}

func (s *responseStreamer) call(index int, it outputItem) bool {
	at := func(more map[string]any) map[string]any {
		more["item_id"], more["output_index"] = it.ID, index
		return more
	}
	for _, piece := range core.Pieces(*it.Arguments) {
		if !s.delta("response.function_call_arguments.delta", at(map[string]any{}), piece) {
			return false
		}
	}
	return s.send("response.function_call_arguments.done", at(map[string]any{"arguments": *it.Arguments}), 1)
}

// thoughts sends the summary, where one was asked for.
func (s *responseStreamer) thoughts(index int, it outputItem) bool {
	if len(*it.Summary) == 0 {
		return true
	}
	at := func(more map[string]any) map[string]any {
		more["item_id"], more["output_index"], more["summary_index"] = it.ID, index, 0
		return more
	}
	if !s.send("response.reasoning_summary_part.added", at(map[string]any{"part": summaryPart{Type: "summary_text"}}), 0) {
		return false
	}
	for _, thought := range s.responseWriter.choice().Thoughts {
		if !s.delta("response.reasoning_summary_text.delta", at(map[string]any{}), thought) {
			return false
		}
	}
	whole := (*it.Summary)[0]
	return s.send("response.reasoning_summary_text.done", at(map[string]any{"text": whole.Text}), 0) &&
		s.send("response.reasoning_summary_part.done", at(map[string]any{"part": whole}), 0)
}

func (s *responseStreamer) end() {
	answer := s.answer()
	name := "response." + answer.Status
	e := core.Event{Name: name, Data: core.Typed(name, map[string]any{"response": answer, "sequence_number": s.number})}
	if answer.Usage != nil {
		e.Usage = &s.g.Usage
	}
	s.yield(e)
}

// responseErrorEvent is an error inside a stream of the Responses API.
func responseErrorEvent(refused *core.Refusal) core.Event {
	e := refused.Body
	code := e.Code
	if code == nil {
		code = &e.Type
	}
	return core.Event{Name: "error", Data: core.Typed("error", map[string]any{
		"sequence_number": 0, "code": code, "message": e.Message, "param": e.Param,
	})}
}
