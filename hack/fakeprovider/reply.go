package fakeprovider

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

// event is one server-sent event, as its data line.
type event struct {
	data   []byte
	tokens int64  // generated for it
	usage  *Usage // reported by it
}

// errorEvent is the data of an error inside a stream.
func (x *exchange) errorEvent() []byte {
	status := x.fault.Status
	if status == 0 {
		status = http.StatusInternalServerError
	}
	apiError := usualError(status)
	if x.fault.Error != nil {
		apiError = *x.fault.Error
	}
	body := map[string]any{"error": x.flavour.errorObject(status, apiError)}
	if x.flavour == openRouter {
		body["id"], body["object"], body["created"] = x.id("gen"), "chat.completion.chunk", x.started.Unix()
		body["model"], body["provider"] = x.record.Model, "Fake"
		body["choices"] = []any{map[string]any{"index": 0, "delta": map[string]any{"content": ""}, "finish_reason": "error"}}
	}
	return encode(body)
}

// plain answers with one JSON value after the time that its tokens take.
func (x *exchange) plain(value any, tokens int64, usage *Usage) error {
	if err := x.sleep(time.Duration(x.settings.HeaderDelay + x.settings.FirstTokenDelay)); err != nil {
		return err
	}
	for range tokens {
		if err := x.pace(1); err != nil {
			x.bill(usage)
			return err
		}
	}
	data := x.spoil(append(encode(value), '\n'))
	if x.fault.Kind == FaultErrorEvent {
		data = append(x.errorEvent(), '\n')
	}
	if err := x.sendPlain(data); err != nil {
		x.bill(usage)
		return err
	}
	x.report(usage)
	return nil
}

// sendPlain writes the body of a plain answer, half of it where a fault cuts. An error body is whole.
func (x *exchange) sendPlain(data []byte) error {
	half := data[:len(data)/2]
	length := len(data)
	if kind := x.fault.Kind; kind == FaultCloseMidBody || kind == FaultStall {
		length = -1
	} else if kind == FaultEndEarly {
		length = len(half)
	}
	body := x.openBody("application/json", length)
	if x.fault.Kind == FaultErrorEvent {
		return errors.Join(body.write(data), body.close(), errEndedEarly)
	}
	if x.fault.cuts() {
		return errors.Join(body.write(half), body.cut())
	}
	if err := body.write(data); err != nil {
		return err
	}
	return body.close()
}

// stream answers with events and the closing [DONE].
func (x *exchange) stream(events iter.Seq[event]) error {
	if err := x.sleep(time.Duration(x.settings.HeaderDelay)); err != nil {
		return err
	}
	body := x.openBody("text/event-stream; charset=utf-8", x.streamLength(events))
	err := body.open()
	sent := 0
	for e := range events {
		if err != nil {
			return err
		}
		if x.fault.cuts() && sent == x.fault.AfterEvents {
			return body.cut()
		}
		err = x.sendEvent(body, e)
		sent++
	}
	switch {
	case err != nil:
		return err
	case x.fault.cuts():
		return body.cut()
	}
	if err := body.write(frame([]byte("[DONE]"))); err != nil {
		return err
	}
	return body.close()
}

// open flushes the headers, lets the time to the first token pass, and sends what the flavour sends meanwhile.
func (b *replyBody) open() error {
	if err := http.NewResponseController(b.x.w).Flush(); err != nil {
		return errClientLeft
	}
	if b.x.flavour == openRouter {
		if err := b.write([]byte(": OPENROUTER PROCESSING\n\n")); err != nil {
			return err
		}
	}
	return b.x.sleep(time.Duration(b.x.settings.FirstTokenDelay))
}

func (x *exchange) sendEvent(body *replyBody, e event) error {
	if err := x.pace(e.tokens); err != nil {
		return err
	}
	if err := body.write(frame(x.spoil(e.data))); err != nil {
		return err
	}
	x.update(func(r *Record) { r.Events++ })
	if e.usage != nil {
		x.report(e.usage)
	}
	return nil
}

// streamLength is -1, or for Truncate more than the whole stream will have.
func (x *exchange) streamLength(events iter.Seq[event]) int {
	if x.fault.Kind != FaultTruncate {
		return -1
	}
	length := 1 + len(frame([]byte("[DONE]")))
	for e := range events {
		length += len(frame(e.data))
	}
	return length
}

// spoil puts bytes that are not UTF-8 into the text when the fault says so.
func (x *exchange) spoil(data []byte) []byte {
	if x.fault.Kind != FaultInvalidUTF8 {
		return data
	}
	for _, field := range []string{`"content":"`, `"text":"`} {
		data = bytes.ReplaceAll(data, []byte(field), []byte(field+"\xff\xfe\xc3"))
	}
	return data
}

// report notes usage that was written to the client in full, which is then also what is billed.
func (x *exchange) report(usage *Usage) {
	if usage == nil {
		return
	}
	x.update(func(r *Record) {
		r.Billed = *usage
		if !x.hidesUsage() {
			reported := *usage
			r.Reported = &reported
		}
	})
}

// bill notes what an answer costs that did not get to its usage: the tokens generated, unless the settings say how many.
func (x *exchange) bill(whole *Usage) {
	if whole == nil {
		return
	}
	billed := *whole
	if x.settings.Usage == nil || x.settings.Usage.CompletionTokens == nil {
		billed.CompletionTokens = min(x.generated, billed.CompletionTokens)
		billed.ReasoningTokens = min(billed.ReasoningTokens, billed.CompletionTokens)
	}
	x.update(func(r *Record) { r.Billed = billed })
}

func (x *exchange) hidesUsage() bool {
	return x.fault.Kind == FaultNoUsage || x.settings.UsageReport == UsageNever
}

// id is a unique name for the answer.
func (x *exchange) id(prefix string) string {
	return fmt.Sprintf("%s-%029d", prefix, x.sequence)
}

// encode is json.Marshal without HTML escapes, as the imitated providers write JSON. The values are all ours.
func encode(value any) []byte {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(fmt.Sprintf("encoding an answer of plain values: %v", err))
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}
