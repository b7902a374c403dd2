package bedrock

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// maxID is the length of the longest id of a tool call, and of the longest name of a tool.
const maxID = 64

// part writes one part of a message.
func (w *writer) part(from neutral.Role, p *neutral.Part, path partPath) error {
	to := user
	if from == neutral.Assistant {
		to = assistant
	}
	var err error
	switch p.Kind {
	case neutral.TextPart, neutral.RefusalPart:
		w.text(to, p.Text)
	case neutral.ReasoningPart:
		w.thought(p.Thought)
	case neutral.ToolCallPart:
		w.call(p.Call)
	case neutral.ToolResultPart:
		err = w.result(p.Result, path)
	case neutral.ImagePart, neutral.AudioPart, neutral.VideoPart, neutral.FilePart:
		err = w.attach(to, p, path)
	case neutral.OpaquePart:
		err = &neutral.UnsupportedError{Field: path.field(""), Reason: "AWS Bedrock does not know parts of type \"" + p.Type + "\""}
	}
	if err != nil {
		return err
	}
	w.cachePoint(p.Cache)
	return nil
}

// attach writes an image, sound, film or document into a message. Only the user may send them.
func (w *writer) attach(to role, p *neutral.Part, path partPath) error {
	if to != user {
		return &neutral.UnsupportedError{Field: path.field(""), Reason: "AWS Bedrock takes media from the user only"}
	}
	block, err := w.media(p, path)
	if err != nil {
		return err
	}
	w.open(user)
	w.turn.document = w.turn.document || p.Kind == neutral.FilePart
	w.mediaBlock(block)
	return nil
}

// thought writes thinking of the target's own origin. What is not sealed has no place: models that seal refuse it, and others take none.
func (w *writer) thought(t *neutral.Thought) {
	if t == nil || !t.Sealed() {
		return
	}
	if !w.plan.takes(t) {
		w.report.Drop("reasoning")
		return
	}
	w.open(assistant)
	if t.Encrypted != "" {
		w.raw(`{"reasoningContent":{"redactedContent":`)
		w.quoted(t.Encrypted)
		w.raw("}}")
		return
	}
	w.raw(`{"reasoningContent":{"reasoningText":{"text":`)
	w.quoted(t.Text)
	w.raw(`,"signature":`)
	w.quoted(t.Signature)
	w.raw("}}}")
}

// call writes a tool call.
func (w *writer) call(c *neutral.ToolCall) {
	if c == nil {
		return
	}
	if w.plan.flatten {
		w.text(assistant, "<tool_call id=\""+callID(c.ID)+"\" name=\""+c.Name+"\">"+c.Arguments+"</tool_call>")
		return
	}
	w.open(assistant)
	w.raw(`{"toolUse":{"toolUseId":`)
	w.quoted(callID(c.ID))
	w.raw(`,"name":`)
	w.quoted(c.Name)
	w.raw(`,"input":`)
	w.arguments(c.Arguments)
	w.raw("}}")
}

// arguments writes a call's arguments, which have to be an object. A model that once wrote something else sees it again in a member of that name.
func (w *writer) arguments(text string) {
	data := []byte(text)
	start := jsonscan.Space(data, 0)
	end, err := jsonscan.Value(data, start)
	switch {
	case start == len(data):
		w.raw("{}")
	case err != nil || jsonscan.Space(data, end) != len(data):
		w.raw(`{"arguments":`)
		w.quoted(text)
		w.raw("}")
	case data[start] != '{':
		w.raw(`{"arguments":` + text + "}")
	default:
		w.raw(text)
	}
}

// callID is an id of a tool call in the form that Bedrock demands; the same for the same id.
func callID(id string) string {
	if isID(id) {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "call_" + hex.EncodeToString(sum[:16])
}

// isID tells whether a text has the form of ids and of names of tools.
func isID(text string) bool {
	for i := range len(text) {
		c := text[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return text != "" && len(text) <= maxID
}

// result writes what a tool returned.
func (w *writer) result(r *neutral.ToolResult, path partPath) error {
	if r == nil {
		return nil
	}
	if w.plan.flatten {
		return w.flatResult(r, path)
	}
	w.open(user)
	w.raw(`{"toolResult":{"toolUseId":`)
	w.quoted(callID(r.CallID))
	w.raw(`,"content":[`)
	empty := len(w.dst)
	for i := range r.Parts {
		if err := w.resultPart(&r.Parts[i], path); err != nil {
			return err
		}
	}
	if len(w.dst) == empty {
		w.raw(`{"text":"(no output)"}`)
	}
	w.raw("]")
	if r.Failed && w.plan.model.tellsFailures() {
		w.raw(`,"status":"error"`)
	}
	w.raw("}}")
	return nil
}

func (w *writer) resultPart(p *neutral.Part, path partPath) error {
	switch p.Kind {
	case neutral.TextPart, neutral.RefusalPart:
		if strings.TrimSpace(p.Text) == "" {
			return nil
		}
		w.element(`{"text":`)
		w.quoted(p.Text)
		w.raw("}")
		return nil
	case neutral.ImagePart, neutral.VideoPart, neutral.FilePart:
		block, err := w.media(p, path)
		if err != nil {
			return err
		}
		w.separate()
		w.mediaBlock(block)
		return nil
	default:
		return &neutral.UnsupportedError{Field: path.field(""), Reason: "AWS Bedrock takes text, images, videos and documents as results of tools, not \"" + string(p.Kind) + "\""}
	}
}

// flatResult writes a result as text, with its media beside it.
func (w *writer) flatResult(r *neutral.ToolResult, path partPath) error {
	text := ""
	for i := range r.Parts {
		text += r.Parts[i].Text
	}
	w.text(user, "<tool_result id=\""+callID(r.CallID)+"\">"+text+"</tool_result>")
	for i := range r.Parts {
		part := &r.Parts[i]
		if part.Kind == neutral.TextPart || part.Kind == neutral.RefusalPart {
			continue
		}
		if err := w.part(neutral.User, part, path); err != nil {
			return err
		}
	}
	return nil
}
