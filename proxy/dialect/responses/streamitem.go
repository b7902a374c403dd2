package responses

import (
	"bytes"
	"encoding/json"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// itemAdded reads the beginning of an item. A message begins with its first part.
func (r *streamReader) itemAdded(dst []neutral.Event) ([]neutral.Event, error) {
	if r.waits() || r.items[r.frame.outputIndex] == taken {
		return dst, nil
	}
	var i wireItem
	if err := decodeObject(r.frame.item, &i); err != nil {
		return dst, err
	}
	switch {
	case i.Type == "message":
	case i.Type == "function_call":
		dst = r.start(r.stop(dst), neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: i.CallID, Name: i.Name}})
	case i.Type == "reasoning":
		dst = r.start(r.stop(dst), neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{ID: i.ID}})
	case r.passing:
		raw := bytes.Clone(r.frame.item)
		dst = r.start(r.stop(dst), neutral.Part{Kind: neutral.OpaquePart, Source: neutral.Responses, Type: i.Type, Raw: raw})
	}
	return dst, nil
}

// itemDone reads the end of an item, which holds all of it.
func (r *streamReader) itemDone(dst []neutral.Event) ([]neutral.Event, error) {
	item := json.RawMessage(bytes.Clone(r.frame.item))
	at := r.frame.outputIndex
	switch {
	case r.elsewhere() && r.items[at] != taken:
		r.mark(at, taken)
		r.late = append(r.late, item)
		r.lateSize += len(item)
		if r.lateSize > maxLateBytes {
			return dst, errLate
		}
		return dst, nil
	case r.elsewhere():
		return dst, nil
	case r.items[at] != taken:
		r.mark(at, taken)
		return r.whole(dst, item)
	}
	dst, err := r.rest(dst, item)
	if err != nil {
		return dst, err
	}
	return r.flush(r.stop(dst))
}

// rest reads what the end of the item that is open tells beyond what came before it.
func (r *streamReader) rest(dst []neutral.Event, item json.RawMessage) ([]neutral.Event, error) {
	if r.open.kind == "" || r.open.kind == neutral.OpaquePart {
		return dst, nil
	}
	parts, _, err := readOutput(item, r.origin)
	if err != nil || len(parts) == 0 {
		return dst, err
	}
	part := &parts[0]
	switch {
	case part.Kind == neutral.ReasoningPart && r.open.kind == neutral.ReasoningPart:
		if r.open.filled {
			part.Thought.Text, part.Thought.Summary = "", nil
		}
	case r.open.filled || part.Kind != r.open.kind || len(parts) > 1:
		return dst, nil
	}
	return r.deltas(dst, part), nil
}

// deltas adds all of a part to the open one.
func (r *streamReader) deltas(dst []neutral.Event, part *neutral.Part) []neutral.Event {
	text := part.Text
	if part.Call != nil {
		text = part.Call.Arguments
	}
	if thought := part.Thought; thought != nil {
		text = thought.Text
		for i, paragraph := range thought.Summary {
			dst = r.delta(dst, neutral.Delta{Text: paragraph, Summary: true, SummaryIndex: i})
		}
	}
	if text != "" {
		dst = r.delta(dst, neutral.Delta{Text: text})
	}
	for i := range part.Citations {
		dst = r.delta(dst, neutral.Delta{Citation: &part.Citations[i]})
	}
	if thought := part.Thought; thought != nil && thought.Sealed() {
		dst = r.delta(dst, neutral.Delta{Signature: thought.Signature, Encrypted: thought.Encrypted, Origin: thought.Origin})
	}
	return dst
}

// whole reads an item of which nothing was read before, while no part is open.
func (r *streamReader) whole(dst []neutral.Event, item json.RawMessage) ([]neutral.Event, error) {
	parts, _, err := readOutput(item, r.origin)
	if err != nil {
		return dst, err
	}
	for i := range parts {
		part := &parts[i]
		begun := neutral.Part{Kind: part.Kind, Source: part.Source, Type: part.Type, Raw: part.Raw}
		if part.Call != nil {
			begun.Call = &neutral.ToolCall{ID: part.Call.ID, Name: part.Call.Name}
		}
		if part.Thought != nil {
			begun.Thought = &neutral.Thought{ID: part.Thought.ID}
		}
		dst = r.stop(r.deltas(r.start(dst, begun), part))
	}
	return dst, nil
}

// flush reads the items that had to wait.
func (r *streamReader) flush(dst []neutral.Event) ([]neutral.Event, error) {
	late := r.late
	r.late, r.lateSize = nil, 0
	for _, item := range late {
		var err error
		if dst, err = r.whole(dst, item); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// finish reads the answer's end, with the items that did not come before it.
func (r *streamReader) finish(dst []neutral.Event) ([]neutral.Event, error) {
	var w wireResponse
	if err := decodeObject(r.frame.response, &w); err != nil {
		return dst, err
	}
	usage, reported := readUsage(w.Usage)
	usage.Searches = max(usage.Searches, searchesIn(w.Output))
	if string(r.frame.kind) == "response.failed" {
		w.Status = statusFailed
	}
	r.done = true
	if failure := w.failure(r.frame.response); failure != nil {
		if reported {
			dst = append(dst, neutral.Event{Kind: neutral.EventUsage, Usage: usage})
		}
		return append(dst, neutral.Event{Kind: neutral.EventFailure, Err: failure}), nil
	}
	dst, err := r.remaining(dst, &w)
	if err != nil {
		return dst, err
	}
	if string(r.frame.kind) == "response.incomplete" {
		w.Status = statusIncomplete
	}
	finish, native := r.outcome.finish(&w)
	dst = append(dst, neutral.Event{Kind: neutral.EventFinish, Finish: finish, Native: native})
	if reported {
		dst = append(dst, neutral.Event{Kind: neutral.EventUsage, Usage: usage, ServiceTier: w.ServiceTier})
	}
	return append(dst, neutral.Event{Kind: neutral.EventEnd}), nil
}

// remaining ends the open part, and reads the items of the output that no event was about.
func (r *streamReader) remaining(dst []neutral.Event, w *wireResponse) ([]neutral.Event, error) {
	if !r.begun {
		r.begun = true
		dst = append(dst, neutral.Event{Kind: neutral.EventStart, ID: w.ID, Model: w.Model, Created: w.created(), ServiceTier: w.ServiceTier})
	}
	dst, err := r.flush(r.stop(dst))
	if err != nil {
		return dst, err
	}
	for at, item := range w.Output {
		if r.items[at] == taken {
			continue
		}
		r.frame.outputIndex = at
		if dst, err = r.whole(dst, item); err != nil {
			return dst, err
		}
	}
	return dst, nil
}
