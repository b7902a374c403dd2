package openai

import (
	"bytes"
	"errors"
	"slices"
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
)

// maxChoices bounds the choices of a stream.
const maxChoices = 128

var (
	errManyChoices = errors.New("it has a choice with an impossible index")
	errLateDelta   = errors.New("it goes on with a tool call that has ended")
)

// NewStreamReader reads one stream.
func (Chat) NewStreamReader() dialect.StreamReader { return &streamReader{} }

// streamReader takes a stream of chunks apart.
type streamReader struct {
	started, ended bool
	choices        []choiceReader
}

// Read takes in an event.
func (s *streamReader) Read(dst []neutral.Event, frame sse.Event) ([]neutral.Event, error) {
	data := bytes.TrimSpace(frame.Data)
	switch {
	case s.ended:
		return dst, nil
	case len(data) == 0:
		return append(dst, neutral.Event{Kind: neutral.EventPing}), nil
	case string(data) == "[DONE]":
		return s.finish(dst), nil
	}
	var d document
	if err := d.read(data); err != nil {
		return dst, &dialect.StreamError{Err: err}
	}
	failed := d.failure || string(frame.Name) == "error"
	if !s.started && !failed {
		s.started = true
		dst = append(dst, startEvent(data))
	}
	if usage, told := d.reported(data); told {
		dst = append(dst, neutral.Event{Kind: neutral.EventUsage, Usage: usage, ServiceTier: textAt(data, d.tier)})
	}
	switch {
	case failed:
		failure := dialect.ParseError(data)
		s.ended = true
		return append(dst, neutral.Event{Kind: neutral.EventFailure, Err: &failure}), nil
	case d.choicesAt == 0:
		return dst, nil
	}
	dst, err := s.readChoices(dst, data, d.choicesAt)
	if err != nil {
		return dst, &dialect.StreamError{Err: err}
	}
	return dst, nil
}

// startEvent reads what the first chunk tells of the answer as a whole.
func startEvent(data []byte) neutral.Event {
	var r neutral.Response
	_ = members(data, func(name, value []byte) error {
		if string(name) != "choices" {
			readResponseMember(&r, string(name), value)
		}
		return nil
	})
	return neutral.Event{
		Kind: neutral.EventStart, ID: r.ID, Model: r.Model, Created: r.Created, ServiceTier: r.ServiceTier, SystemFingerprint: r.SystemFingerprint,
	}
}

// chunk is the part of an event that is about one choice, in JSON; nil where it does not have it.
type chunk struct {
	index                           int
	delta, finish, native, logProbs []byte
	content, refusal, reasoning     []byte
	details, calls, call            []byte
	annotations, images, audio      []byte
}

func (s *streamReader) readChoices(dst []neutral.Event, data []byte, at int) ([]neutral.Event, error) {
	walk := jsonscan.WalkArray(data, at)
	for at, ok := walk.Next(); ok; at, ok = walk.Next() {
		end := walk.Skip()
		if data[at] != '{' {
			continue
		}
		var c chunk
		c.read(data[at:end])
		if c.index < 0 || c.index >= maxChoices {
			return dst, errManyChoices
		}
		for c.index >= len(s.choices) {
			s.choices = append(s.choices, choiceReader{index: len(s.choices)})
		}
		var err error
		if dst, err = s.choices[c.index].read(dst, &c); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// read takes a choice apart.
func (c *chunk) read(raw []byte) {
	walk := jsonscan.WalkObject(raw, 0)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		value := raw[member.Value:walk.Skip()]
		switch string(member.Name(raw)) {
		case "index":
			c.index = indexOf(value)
		case "delta", "message":
			c.delta = value
		case "finish_reason":
			c.finish = value
		case "native_finish_reason":
			c.native = value
		case "logprobs":
			c.logProbs = value
		}
	}
	if len(c.delta) > 0 && c.delta[0] == '{' {
		c.readDelta()
	}
}

// indexOf reads an index; -1 when it is none.
func indexOf(raw []byte) int {
	index, err := strconv.Atoi(string(raw))
	if err != nil {
		return -1
	}
	return index
}

func (c *chunk) readDelta() {
	raw := c.delta
	walk := jsonscan.WalkObject(raw, 0)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		value := raw[member.Value:walk.Skip()]
		if value[0] == 'n' || string(value) == `""` {
			continue
		}
		if field := c.field(member.Name(raw)); field != nil {
			*field = value
		}
	}
}

// field is where a member of a delta goes; nil for one that says nothing.
func (c *chunk) field(name []byte) *[]byte {
	switch string(name) {
	case "content":
		return &c.content
	case "refusal":
		return &c.refusal
	case "reasoning", "reasoning_content":
		return &c.reasoning
	case "reasoning_details":
		return &c.details
	case "tool_calls":
		return &c.calls
	case "function_call":
		return &c.call
	case "annotations":
		return &c.annotations
	case "images":
		return &c.images
	case "audio":
		return &c.audio
	}
	return nil
}

// finish is the proper end: what is open is closed.
func (s *streamReader) finish(dst []neutral.Event) []neutral.Event {
	for i := range s.choices {
		dst = s.choices[i].finish(dst, "", "")
	}
	s.ended = true
	return append(dst, neutral.Event{Kind: neutral.EventEnd})
}

// End is the end of the body. Without [DONE] the answer is whole if every choice has its finish_reason.
func (s *streamReader) End(dst []neutral.Event) ([]neutral.Event, bool) {
	switch {
	case s.ended:
		return dst, true
	case len(s.choices) == 0 || slices.ContainsFunc(s.choices, func(c choiceReader) bool { return !c.finished }):
		return dst, false
	}
	return s.finish(dst), true
}
