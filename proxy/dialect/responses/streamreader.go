package responses

import (
	"bytes"
	"encoding/json"
	"errors"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
)

// maxLateBytes bounds the items that wait for another one to end.
const maxLateBytes = 16 << 20

var errLate = errors.New("too many items overlap")

// streamReader reads one stream. Items of a well-made stream follow each other. One that begins while another is open is left until it is done, and is then
// read as a whole, for the parts of the neutral form do not overlap.
type streamReader struct {
	origin neutral.Origin
	// passing tells that the stream is watched only: items of hosted and custom tools then count from their beginning.
	passing bool
	frame   frame
	// frames is how many events were read.
	frames int64

	begun, done bool
	// parts is how many parts have begun.
	parts int
	// items are how far the items are, by their place in the output.
	items map[int]progress
	open  openPart
	// late are the items that are done and wait for the open part to end.
	late     []json.RawMessage
	lateSize int
	outcome  outcome
}

// progress is how far an item is.
type progress int

// The states of an item. The zero value is one that was not met.
const (
	unmet progress = iota
	// waiting items began while another one was open: they are read when they are done.
	waiting
	// taken items are open or were read.
	taken
)

// openPart is the part that has begun and not ended.
type openPart struct {
	// kind is empty when no part is open.
	kind neutral.PartKind
	// item is the place of the part's item in the output, and content that of the part in the item.
	item, content int
	// filled tells that something of it was read.
	filled bool
}

// NextSequence is the number of the event that comes next: events are numbered from 0. One that tells of a failure has no number, for another one takes its
// place.
func (r *streamReader) NextSequence() int64 { return r.frames }

// Read appends what an event means to dst. The error is a *dialect.StreamError.
func (r *streamReader) Read(dst []neutral.Event, event sse.Event) ([]neutral.Event, error) {
	data := bytes.TrimSpace(event.Data)
	if r.done || len(data) == 0 || string(data) == "[DONE]" {
		return dst, nil
	}
	r.frame = frame{}
	if err := r.frame.read(data); err != nil {
		return dst, &dialect.StreamError{Err: err}
	}
	if string(r.frame.kind) == "error" || string(event.Name) == "error" || isObject(r.frame.failure) {
		r.done = true
		return append(dst, neutral.Event{Kind: neutral.EventFailure, Err: failureOf(data)}), nil
	}
	dst, err := r.event(dst)
	if err != nil {
		return dst, &dialect.StreamError{Err: err}
	}
	if len(dst) == 0 || dst[len(dst)-1].Kind != neutral.EventFailure {
		r.frames++
	}
	return dst, nil
}

// End tells whether the stream was whole, which it is with its last event only.
func (r *streamReader) End(dst []neutral.Event) ([]neutral.Event, bool) { return dst, r.done }

// event reads an event that is no error.
func (r *streamReader) event(dst []neutral.Event) ([]neutral.Event, error) {
	switch kind := string(r.frame.kind); kind {
	case "response.created", "response.in_progress", "response.queued":
		return r.begin(dst)
	case "response.output_item.added":
		return r.itemAdded(dst)
	case "response.output_item.done":
		return r.itemDone(dst)
	case "response.completed", "response.incomplete", "response.failed":
		return r.finish(dst)
	case "keepalive", "ping":
		return append(dst, neutral.Event{Kind: neutral.EventPing}), nil
	default:
		return r.content(dst, kind), nil
	}
}

// content reads an event about what an item contains.
func (r *streamReader) content(dst []neutral.Event, kind string) []neutral.Event {
	switch kind {
	case "response.output_text.delta":
		return r.textDelta(dst, neutral.TextPart)
	case "response.refusal.delta":
		return r.textDelta(dst, neutral.RefusalPart)
	case "response.function_call_arguments.delta":
		return r.argumentsDelta(dst, textOf(r.frame.delta))
	case "response.reasoning_text.delta":
		return r.thoughtDelta(dst, neutral.Delta{Text: textOf(r.frame.delta)})
	case "response.reasoning_summary_text.delta":
		return r.thoughtDelta(dst, neutral.Delta{Text: textOf(r.frame.delta), Summary: true, SummaryIndex: max(r.frame.summaryIndex, 0)})
	case "response.output_text.done":
		return r.textDone(dst, neutral.TextPart, r.frame.text)
	case "response.refusal.done":
		return r.textDone(dst, neutral.RefusalPart, r.frame.refusal)
	case "response.function_call_arguments.done":
		return r.argumentsDone(dst)
	case "response.output_text.annotation.added":
		return r.annotation(dst)
	case "response.content_part.added":
		return r.partAdded(dst)
	case "response.content_part.done":
		return r.partDone(dst)
	}
	return r.toolDelta(dst)
}

// toolDelta counts what a hosted or a custom tool is given piece by piece, where the stream is only watched.
func (r *streamReader) toolDelta(dst []neutral.Event) []neutral.Event {
	text := textOf(r.frame.delta)
	if text == "" || r.open.kind != neutral.OpaquePart || r.elsewhere() {
		return dst
	}
	return r.delta(dst, neutral.Delta{Text: text})
}

// begin reads the answer's beginning.
func (r *streamReader) begin(dst []neutral.Event) ([]neutral.Event, error) {
	if r.begun {
		return dst, nil
	}
	r.begun = true
	var w wireResponse
	if err := decodeObject(r.frame.response, &w); err != nil {
		return dst, err
	}
	return append(dst, neutral.Event{Kind: neutral.EventStart, ID: w.ID, Model: w.Model, Created: w.created(), ServiceTier: w.ServiceTier}), nil
}

// start begins a part, and the stream where it has not begun.
func (r *streamReader) start(dst []neutral.Event, part neutral.Part) []neutral.Event {
	if !r.begun {
		r.begun = true
		dst = append(dst, neutral.Event{Kind: neutral.EventStart})
	}
	r.mark(r.frame.outputIndex, taken)
	r.open = openPart{kind: part.Kind, item: r.frame.outputIndex, content: r.frame.contentIndex}
	r.outcome.see(part.Kind)
	r.parts++
	return append(dst, neutral.Event{Kind: neutral.EventPartStart, Index: r.parts - 1, Part: part})
}

func (r *streamReader) mark(item int, p progress) {
	if r.items == nil {
		r.items = map[int]progress{}
	}
	r.items[item] = p
}

// delta adds to the open part.
func (r *streamReader) delta(dst []neutral.Event, delta neutral.Delta) []neutral.Event {
	r.open.filled = true
	return append(dst, neutral.Event{Kind: neutral.EventPartDelta, Index: r.parts - 1, Delta: delta})
}

// stop ends the open part, if there is one.
func (r *streamReader) stop(dst []neutral.Event) []neutral.Event {
	if r.open.kind == "" {
		return dst
	}
	r.open = openPart{}
	return append(dst, neutral.Event{Kind: neutral.EventPartStop, Index: r.parts - 1})
}

// elsewhere tells that a part of another item is open, so that the event's item has to wait.
func (r *streamReader) elsewhere() bool {
	return r.open.kind != "" && r.open.item != r.frame.outputIndex
}

// waits tells that the event's item has to wait, and makes it wait.
func (r *streamReader) waits() bool {
	at := r.frame.outputIndex
	if r.elsewhere() && r.items[at] == unmet {
		r.mark(at, waiting)
	}
	return r.elsewhere() || r.items[at] == waiting
}

// text opens the part of a message that the event is about; false when its item has to wait.
func (r *streamReader) text(dst []neutral.Event, kind neutral.PartKind) ([]neutral.Event, bool) {
	if r.open.kind == kind && r.open.item == r.frame.outputIndex && r.open.content == r.frame.contentIndex {
		return dst, true
	}
	if r.waits() {
		return dst, false
	}
	return r.start(r.stop(dst), neutral.Part{Kind: kind}), true
}

func (r *streamReader) textDelta(dst []neutral.Event, kind neutral.PartKind) []neutral.Event {
	text := textOf(r.frame.delta)
	if text == "" {
		return dst
	}
	dst, ok := r.text(dst, kind)
	if !ok {
		return dst
	}
	delta := neutral.Delta{Text: text}
	if tokens := insideList(r.frame.logProbs); len(tokens) > 0 {
		delta.LogProbs = chatLogProbs(tokens)
	}
	return r.delta(dst, delta)
}

// textDone reads a text that came without deltas.
func (r *streamReader) textDone(dst []neutral.Event, kind neutral.PartKind, raw []byte) []neutral.Event {
	if r.open.kind != kind || r.open.item != r.frame.outputIndex || r.open.content != r.frame.contentIndex || r.open.filled {
		return dst
	}
	if text := textOf(raw); text != "" {
		return r.delta(dst, neutral.Delta{Text: text})
	}
	return dst
}

func (r *streamReader) argumentsDelta(dst []neutral.Event, text string) []neutral.Event {
	if r.open.kind != neutral.ToolCallPart || r.open.item != r.frame.outputIndex || text == "" {
		return dst
	}
	return r.delta(dst, neutral.Delta{Text: text})
}

// argumentsDone reads arguments that came without deltas.
func (r *streamReader) argumentsDone(dst []neutral.Event) []neutral.Event {
	if r.open.filled {
		return dst
	}
	return r.argumentsDelta(dst, textOf(r.frame.arguments))
}

func (r *streamReader) thoughtDelta(dst []neutral.Event, delta neutral.Delta) []neutral.Event {
	if delta.Text == "" || r.waits() || r.open.kind != neutral.ReasoningPart && r.items[r.frame.outputIndex] == taken {
		return dst
	}
	if r.open.kind == "" {
		dst = r.start(dst, neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{}})
	}
	return r.delta(dst, delta)
}

func (r *streamReader) annotation(dst []neutral.Event) []neutral.Event {
	if r.open.kind != neutral.TextPart || r.elsewhere() {
		return dst
	}
	citation, ok := readAnnotation(bytes.Clone(r.frame.annotation))
	if !ok {
		return dst
	}
	filled := r.open.filled
	dst = r.delta(dst, neutral.Delta{Citation: &citation})
	r.open.filled = filled
	return dst
}

func (r *streamReader) partAdded(dst []neutral.Event) []neutral.Event {
	var part struct {
		Type string `json:"type"`
	}
	if !isObject(r.frame.part) || json.Unmarshal(r.frame.part, &part) != nil {
		return dst
	}
	switch part.Type {
	case "output_text":
		dst, _ = r.text(dst, neutral.TextPart)
	case "refusal":
		dst, _ = r.text(dst, neutral.RefusalPart)
	}
	return dst
}

func (r *streamReader) partDone(dst []neutral.Event) []neutral.Event {
	if r.elsewhere() || r.open.kind != neutral.TextPart && r.open.kind != neutral.RefusalPart {
		return dst
	}
	var part wirePart
	if !r.open.filled && isObject(r.frame.part) && json.Unmarshal(r.frame.part, &part) == nil && part.Text+part.Refusal != "" {
		dst = r.delta(dst, neutral.Delta{Text: part.Text + part.Refusal})
	}
	return r.stop(dst)
}
