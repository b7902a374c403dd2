package core

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"time"
)

// Event is one event of a stream.
type Event struct {
	Name   string // its type, where the grammar has one
	Data   []byte
	Tokens int64  // generated for it
	Usage  *Usage // reported by it
	// Exception marks the error that ends an event stream of AWS.
	Exception bool
	// First is set by the server on the event that a stream begins with.
	First bool
}

// Stream is a streamed answer.
type Stream struct {
	ContentType string
	// Frame puts an event on the wire.
	Frame func(Event) []byte
	// Opening goes out right after the headers, Closing after the last event.
	Opening, Closing []byte
	// Hidden is how many tokens are generated before the first event and shown by none.
	Hidden int64
	// Events can be run more than once.
	Events iter.Seq[Event]
}

// EventStream is a stream of server-sent events.
func EventStream(events iter.Seq[Event]) Stream {
	return Stream{ContentType: "text/event-stream; charset=utf-8", Frame: SSE, Events: events}
}

// errorEvent is the error inside a stream.
func (x *Exchange) errorEvent() Event {
	status := x.Fault.Status
	if status == 0 {
		status = http.StatusInternalServerError
	}
	return x.vendor.ErrorEvent(x, x.faultRefusal(status))
}

// Plain answers with one JSON value after the time that its tokens take.
func (x *Exchange) Plain(value any, tokens int64, usage *Usage) error {
	return x.PlainBytes(jsonType, append(Encode(value), '\n'), tokens, usage)
}

// PlainBytes answers with a body of any type after the time that its tokens take.
func (x *Exchange) PlainBytes(contentType string, data []byte, tokens int64, usage *Usage) error {
	if err := x.sleep(time.Duration(x.Settings.HeaderDelay + x.Settings.FirstTokenDelay)); err != nil {
		return err
	}
	for range tokens {
		if err := x.pace(1); err != nil {
			x.bill(usage)
			return err
		}
	}
	data = x.spoil(data)
	if x.Fault.Kind == FaultErrorEvent {
		contentType, data = jsonType, append(x.errorEvent().Data, '\n')
	}
	if err := x.sendPlain(contentType, data); err != nil {
		x.bill(usage)
		return err
	}
	x.report(usage)
	return nil
}

// sendPlain writes the body of a plain answer, half of it where a fault cuts. An error body is whole.
func (x *Exchange) sendPlain(contentType string, data []byte) error {
	half := data[:len(data)/2]
	length := len(data)
	if kind := x.Fault.Kind; kind == FaultCloseMidBody || kind == FaultStall {
		length = -1
	} else if kind == FaultEndEarly {
		length = len(half)
	}
	body := x.openBody(contentType, length)
	if x.Fault.Kind == FaultErrorEvent {
		return errors.Join(body.write(data), body.close(), errEndedEarly)
	}
	if x.Fault.cuts() {
		return errors.Join(body.write(half), body.cut())
	}
	if err := body.write(data); err != nil {
		return err
	}
	return body.close()
}

// Stream answers with events and settles the bill: usage is what is owed for the whole of it.
func (x *Exchange) Stream(stream Stream, usage *Usage) error {
	x.bill(usage) // what is owed if nothing follows: the prompt
	err := x.play(stream)
	if err == nil {
		x.update(func(r *Record) {
			if usage != nil {
				r.Billed = *usage
			}
		})
		return nil
	}
	x.bill(usage)
	return err
}

// play writes the stream, up to the fault's cut point.
func (x *Exchange) play(stream Stream) error {
	if err := x.sleep(time.Duration(x.Settings.HeaderDelay)); err != nil {
		return err
	}
	body := x.openBody(stream.ContentType, x.streamLength(stream))
	body.frame = stream.Frame
	err := body.open(stream.Opening)
	if err == nil {
		err = x.pace(stream.Hidden)
	}
	for e := range stream.Events {
		if err != nil {
			return err
		}
		if x.Fault.cuts() && body.sent == x.Fault.AfterEvents {
			return body.cut()
		}
		err = x.sendEvent(body, e)
	}
	switch {
	case err != nil:
		return err
	case x.Fault.cuts():
		return body.cut()
	}
	if err := body.write(stream.Closing); err != nil {
		return err
	}
	return body.close()
}

// open flushes the headers, sends what goes out before the first event, and lets the time to the first token pass.
func (b *replyBody) open(opening []byte) error {
	if err := http.NewResponseController(b.x.w).Flush(); err != nil {
		return errClientLeft
	}
	if len(opening) > 0 {
		if err := b.write(opening); err != nil {
			return err
		}
	}
	return b.x.sleep(time.Duration(b.x.Settings.FirstTokenDelay))
}

// writeEvent puts an event on the wire.
func (b *replyBody) writeEvent(e Event) error {
	e.First = b.sent == 0
	b.sent++
	return b.write(b.frame(e))
}

func (x *Exchange) sendEvent(body *replyBody, e Event) error {
	if err := x.pace(e.Tokens); err != nil {
		return err
	}
	e.Data = x.spoil(e.Data)
	if err := body.writeEvent(e); err != nil {
		return err
	}
	x.update(func(r *Record) { r.Events++ })
	if e.Usage != nil {
		x.report(e.Usage)
	}
	return nil
}

// streamLength is -1, or for Truncate more than the whole stream will have.
func (x *Exchange) streamLength(stream Stream) int {
	if x.Fault.Kind != FaultTruncate {
		return -1
	}
	length := 1 + len(stream.Closing)
	first := true
	for e := range stream.Events {
		e.First, first = first, false
		length += len(stream.Frame(e))
	}
	return length
}

// spoil puts bytes that are not UTF-8 into the text when the fault says so.
func (x *Exchange) spoil(data []byte) []byte {
	if x.Fault.Kind != FaultInvalidUTF8 {
		return data
	}
	for _, field := range []string{`"content":"`, `"text":"`, `"delta":"`} {
		data = bytes.ReplaceAll(data, []byte(field), []byte(field+"\xff\xfe\xc3"))
	}
	return data
}

// report notes usage that was written to the client in full, which is then also what is billed.
func (x *Exchange) report(usage *Usage) {
	if usage == nil {
		return
	}
	x.update(func(r *Record) {
		r.Billed = *usage
		if !x.HidesUsage() {
			reported := *usage
			r.Reported = &reported
		}
	})
}

// bill notes what an answer costs that did not get to its usage: the tokens generated, unless the settings say how many.
func (x *Exchange) bill(whole *Usage) {
	if whole == nil {
		return
	}
	billed := *whole
	if x.Settings.Usage == nil || x.Settings.Usage.CompletionTokens == nil {
		billed.CompletionTokens = min(x.generated, billed.CompletionTokens)
		billed.ReasoningTokens = min(billed.ReasoningTokens, billed.CompletionTokens)
	}
	x.update(func(r *Record) { r.Billed = billed })
}

// HidesUsage tells whether the answer carries no usage.
func (x *Exchange) HidesUsage() bool {
	return x.Fault.Kind == FaultNoUsage || x.Settings.UsageReport == UsageNever
}

// Header is where an answer may add to what the provider sets.
func (x *Exchange) Header() http.Header { return x.w.Header() }

// ID is a unique name for the answer, or a part of it.
func (x *Exchange) ID(prefix string) string {
	return fmt.Sprintf("%s%029d", prefix, x.Sequence)
}

// Encode is json.Marshal without HTML escapes, as the imitated providers write JSON. The values are all ours.
func Encode(value any) []byte {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(fmt.Sprintf("encoding an answer of plain values: %v", err))
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}

// Typed encodes an object with its type in front, as those do whose readers look at the type first.
func Typed(kind string, fields map[string]any) json.RawMessage {
	out := append([]byte(`{"type":`), Encode(kind)...)
	if len(fields) == 0 {
		return append(out, '}')
	}
	return append(append(out, ','), Encode(fields)[1:]...)
}
