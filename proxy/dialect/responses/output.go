package responses

import (
	"encoding/json"
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// The states of an answer and of its items.
const (
	statusInProgress = "in_progress"
	statusCompleted  = "completed"
	statusIncomplete = "incomplete"
	statusFailed     = "failed"
)

// itemID names an item of an answer: kind is the prefix that its type has, and index its place in the output.
func itemID(call, kind string, index int) string {
	return kind + "_" + call + "_" + strconv.Itoa(index)
}

// appendMessageStart appends a message up to its content.
func appendMessageStart(dst []byte, id, status string) []byte {
	dst = append(append(dst, `{"id":`...), quoted(id)...)
	dst = append(append(dst, `,"type":"message","status":"`...), status...)
	return append(dst, `","role":"assistant","content":[`...)
}

// appendText appends a text part. text, annotations and logProbs are JSON text.
func appendText(dst, text, annotations, logProbs []byte) []byte {
	dst = append(append(dst, `{"type":"output_text","text":`...), text...)
	dst = append(append(dst, `,"annotations":`...), annotations...)
	dst = append(append(dst, `,"logprobs":`...), logProbs...)
	return append(dst, '}')
}

// appendRefusal appends a refusal, whose text is JSON text.
func appendRefusal(dst, text []byte) []byte {
	return append(append(append(dst, `{"type":"refusal","refusal":`...), text...), '}')
}

// appendReasoning appends a thought, which provider had, as an item.
func appendReasoning(dst []byte, id string, t *neutral.Thought, provider neutral.Origin) []byte {
	dst = append(append(dst, `{"id":`...), quoted(id)...)
	dst = appendSummary(append(dst, `,"type":"reasoning","summary":`...), t.Summary)
	if t.Text != "" {
		dst = jsonscan.AppendQuoted(append(dst, `,"content":[{"type":"reasoning_text","text":`...), t.Text)
		dst = append(dst, "}]"...)
	}
	if seal := sealOf(t, provider); seal != "" {
		dst = jsonscan.AppendQuoted(append(dst, `,"encrypted_content":`...), seal)
	}
	return append(dst, '}')
}

// appendCall appends a call as an item, with its arguments as JSON text.
func appendCall(dst []byte, id, status string, call *neutral.ToolCall, arguments []byte) []byte {
	dst = append(append(dst, `{"id":`...), quoted(id)...)
	dst = append(append(dst, `,"type":"function_call","status":"`...), status...)
	dst = append(append(dst, `","arguments":`...), arguments...)
	dst = jsonscan.AppendQuoted(append(dst, `,"call_id":`...), call.ID)
	dst = jsonscan.AppendQuoted(append(dst, `,"name":`...), call.Name)
	return append(dst, '}')
}

// appendImage appends an image that the model made, which comes as what OpenAI's own tool for images would have made.
func appendImage(dst []byte, id string, m *neutral.Media) []byte {
	dst = append(append(dst, `{"id":`...), quoted(id)...)
	dst = jsonscan.AppendQuoted(append(dst, `,"type":"image_generation_call","status":"completed","result":`...), m.Data)
	return append(dst, '}')
}

// wholeItem appends the item of a part that is neither text nor a call; false when the API has no place for it.
func wholeItem(dst []byte, o *dialect.Exchange, index int, p *neutral.Part) ([]byte, bool) {
	switch {
	case p.Kind == neutral.ReasoningPart && p.Thought != nil:
		return appendReasoning(dst, itemID(o.ID, "rs", index), p.Thought, o.Origin), true
	case p.Kind == neutral.ImagePart && p.Media != nil && p.Media.Data != "":
		return appendImage(dst, itemID(o.ID, "ig", index), p.Media), true
	case p.Kind == neutral.OpaquePart && p.Source == neutral.Responses:
		return append(dst, p.Raw...), true
	}
	return dst, false
}

func quoted(text string) []byte { return jsonscan.AppendQuoted(nil, text) }

// argumentsOf are a call's arguments; an object where the model gave none, for clients read them as JSON.
func argumentsOf(call *neutral.ToolCall) string {
	if call.Arguments == "" {
		return "{}"
	}
	return call.Arguments
}

// AppendResponse appends the answer to dst.
func (Codec) AppendResponse(dst []byte, r *neutral.Response, o dialect.Exchange) []byte {
	a := answer{call: o, model: r.Model, tier: r.ServiceTier, usage: r.Usage}
	var choice neutral.Choice
	if len(r.Choices) > 0 {
		choice = r.Choices[0]
	}
	a.finish(choice.Finish, refused(choice.Parts))
	out := outputWriter{call: &o, status: a.itemStatus(), logProbs: ownLogProbs(choice.LogProbs)}
	for i := range choice.Parts {
		status := statusCompleted
		if i == len(choice.Parts)-1 {
			status = out.status
		}
		out.part(&choice.Parts[i], status)
	}
	out.closeMessage()
	a.output = out.items
	return a.append(dst)
}

func refused(parts []neutral.Part) bool {
	for i := range parts {
		if parts[i].Kind == neutral.RefusalPart {
			return true
		}
	}
	return false
}

// outputWriter writes the items of a whole answer.
type outputWriter struct {
	call *dialect.Exchange
	// status of the last item; those before it are complete.
	status string
	// items are the inside of the list, and count how many they are.
	items []byte
	count int
	// message is the inside of the open message's content; nil without one.
	message []byte
	// logProbs of the first text.
	logProbs json.RawMessage
}

// part writes a part, or makes it a part of the open message. status is that of its item if it is one of its own.
func (w *outputWriter) part(p *neutral.Part, status string) {
	switch p.Kind {
	case neutral.TextPart:
		text := appendText(nil, quoted(p.Text), appendAnnotations(nil, p.Citations), w.logProbs)
		w.message = appendNext(w.message, text)
		w.logProbs = json.RawMessage("[]")
		return
	case neutral.RefusalPart:
		w.message = appendNext(w.message, appendRefusal(nil, quoted(p.Text)))
		return
	default:
	}
	if w.message != nil {
		w.endMessage(statusCompleted)
	}
	if p.Kind == neutral.ToolCallPart {
		w.items = appendNext(w.items, appendCall(nil, itemID(w.call.ID, "fc", w.count), status, p.Call, quoted(argumentsOf(p.Call))))
		w.count++
		return
	}
	if item, ok := wholeItem(nil, w.call, w.count, p); ok {
		w.items = appendNext(w.items, item)
		w.count++
	}
}

// closeMessage ends the output.
func (w *outputWriter) closeMessage() {
	if w.message != nil {
		w.endMessage(w.status)
	}
}

func (w *outputWriter) endMessage(status string) {
	item := appendMessageStart(nil, itemID(w.call.ID, "msg", w.count), status)
	item = append(append(item, w.message...), "]}"...)
	w.items, w.message = appendNext(w.items, item), nil
	w.count++
}
