package gemini

import (
	"bytes"
	"slices"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
)

// AppendPassed appends the request to dst. The model stands in the address: a "model" in the body is left out, lest it names another one. Thoughts that
// another vendor sealed are left out, and calls without a signature get the one that Google has for them, where the model demands one.
func (Generate) AppendPassed(dst, body []byte, h dialect.Head, to dialect.Target) ([]byte, neutral.Report, error) {
	p := passer{limit: to.Limit(h.MaxTokens), dst: append(slices.Grow(dst, len(body)), '{')}
	p.foreign = bytes.Contains(body, []byte(sealMark))
	p.skip = versionOf(to.Model).from(3, 0) && (bytes.Contains(body, []byte("functionCall")) || bytes.Contains(body, []byte("function_call")))
	walk := jsonscan.WalkObject(body, jsonscan.Space(body, 0))
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		end := walk.Skip()
		name := camel(string(member.Name(body)))
		switch {
		case name == "model", dialect.Steers(string(member.Name(body)), to.Provider):
		case slices.Contains(to.Quirks.Refused, name), to.Quirks.Accepted != nil && !slices.Contains(to.Quirks.Accepted, name):
			p.report.Drop(name)
		default:
			p.member(name, body[member.Start:end], body[member.Value:end])
		}
	}
	if p.limit > 0 && !p.limited {
		p.config([]byte("{}"))
	}
	for _, member := range to.Set {
		p.dst = rawMember(p.dst, member.Name, member.Value)
	}
	return append(p.dst, '}'), p.report, nil
}

// passer edits the contents of a request that passes.
type passer struct {
	dst    []byte
	report neutral.Report
	// limit is the output limit that the proxy sets, 0 leaves that to the client; limited tells that it was written.
	limit   int64
	limited bool
	// foreign tells that there may be seals of other vendors, and skip that calls need a signature.
	foreign, skip bool
	// called tells that the turn of the model has a call; clients send it in several contents, if it was streamed.
	called bool
}

// member appends a member of the request, whole with its name as the client wrote it.
func (p *passer) member(name string, whole, value []byte) {
	switch {
	case name == "contents" && (p.foreign || p.skip):
		p.dst = key(p.dst, name)
		p.contents(value)
	case name == "generationConfig" && p.limit > 0:
		p.config(value)
	default:
		p.dst = append(comma(p.dst), whole...)
	}
}

// config appends the parameters with the proxy's output limit in place of the client's. raw is an object or null.
func (p *passer) config(raw []byte) {
	p.limited = true
	p.dst = intMember(append(key(p.dst, "generationConfig"), '{'), outputLimit, p.limit)
	if isObject(raw) {
		walk := jsonscan.WalkObject(raw, 0)
		for member, ok := walk.Next(); ok; member, ok = walk.Next() {
			end := walk.Skip()
			if camel(string(member.Name(raw))) != outputLimit {
				p.dst = append(comma(p.dst), raw[member.Start:end]...)
			}
		}
	}
	p.dst = append(p.dst, '}')
}

// outputLimit is what the API calls the output limit, inside of "generationConfig".
const outputLimit = "maxOutputTokens"

// passedContent is one of the contents.
type passedContent struct {
	raw []byte
	// model tells that it is a turn of the model's, or a part of one.
	model bool
	parts []part
	// left tells which parts are left out.
	left []bool
}

// contents appends the list of contents. One content may stand in its place.
func (p *passer) contents(raw []byte) {
	list := listed(raw)
	contents := make([]passedContent, len(list))
	for i, one := range list {
		contents[i] = splitContent(one)
	}
	p.leaveOut(contents)
	p.dst = append(p.dst, '[')
	for i := range contents {
		p.content(&contents[i])
	}
	p.dst = append(p.dst, ']')
}

// listed are the elements of a list, or what stands in its place.
func listed(raw []byte) [][]byte {
	if raw[0] != '[' {
		return [][]byte{raw}
	}
	var list [][]byte
	walk := jsonscan.WalkArray(raw, 0)
	for at, ok := walk.Next(); ok; at, ok = walk.Next() {
		list = append(list, raw[at:walk.Skip()])
	}
	return list
}

// splitContent takes a content apart.
func splitContent(raw []byte) passedContent {
	c := passedContent{raw: raw}
	if !isObject(raw) {
		return c
	}
	walk := jsonscan.WalkObject(raw, 0)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		value := raw[member.Value:walk.Skip()]
		switch string(member.Name(raw)) {
		case "role":
			c.model = text(value) == "model"
		case "parts":
			c.parts = splitParts(value)
		}
	}
	c.left = make([]bool, len(c.parts))
	return c
}

// splitParts takes a list of parts, or the one part that stands in its place, apart.
func splitParts(raw []byte) []part {
	if !isObject(raw) && raw[0] != '[' {
		return nil
	}
	var parts []part
	for _, one := range listed(raw) {
		t, _, err := readPart(one, 0)
		if err != nil || t.raw == nil {
			t = part{raw: one}
		}
		parts = append(parts, t)
	}
	return parts
}

// leaveOut finds the thoughts that another vendor sealed: the parts with the seals, and the pieces of the thoughts before them.
func (p *passer) leaveOut(contents []passedContent) {
	sealed := false
	for i := len(contents) - 1; i >= 0; i-- {
		c := &contents[i]
		sealed = sealed && c.model
		for j := len(c.parts) - 1; j >= 0; j-- {
			t := &c.parts[j]
			sealed = t.thought && (foreign(t.signature) || sealed && t.signature == "")
			if c.left[j] = sealed; sealed {
				p.report.Drop("reasoning")
			}
		}
	}
}

// content appends a content, unless all its parts are left out.
func (p *passer) content(c *passedContent) {
	if !c.model {
		p.called = false
	}
	if len(c.left) > 0 && !slices.Contains(c.left, false) {
		return
	}
	p.dst = comma(p.dst)
	if !isObject(c.raw) {
		p.dst = append(p.dst, c.raw...)
		return
	}
	p.dst = append(p.dst, '{')
	walk := jsonscan.WalkObject(c.raw, 0)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		end := walk.Skip()
		if string(member.Name(c.raw)) != "parts" || len(c.parts) == 0 {
			p.dst = append(comma(p.dst), c.raw[member.Start:end]...)
			continue
		}
		p.dst = append(key(p.dst, "parts"), '[')
		for i := range c.parts {
			if !c.left[i] {
				p.part(&c.parts[i])
			}
		}
		p.dst = append(p.dst, ']')
	}
	p.dst = append(p.dst, '}')
}

// part appends a part without a seal of another vendor. Only the first call of a turn has to have a signature.
func (p *passer) part(t *part) {
	p.dst = comma(p.dst)
	sealed := foreign(t.signature)
	if sealed {
		p.report.Drop("reasoning")
	}
	isCall := t.kind == "functionCall"
	needed := p.skip && isCall && !p.called && (t.signature == "" || sealed)
	p.called = p.called || isCall
	if !sealed && !needed {
		p.dst = append(p.dst, t.raw...)
		return
	}
	p.dst = append(p.dst, '{')
	walk := jsonscan.WalkObject(t.raw, 0)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		end := walk.Skip()
		if camel(string(member.Name(t.raw))) != "thoughtSignature" {
			p.dst = append(comma(p.dst), t.raw[member.Start:end]...)
		}
	}
	if needed {
		p.dst = stringMember(p.dst, "thoughtSignature", skipValidator)
	}
	p.dst = append(p.dst, '}')
}

// ReadPassed reads an upstream's whole answer. The error is a *dialect.AnswerError.
func (g Generate) ReadPassed(body []byte, _ dialect.Exchange) (dialect.Answer, error) {
	read, err := g.ReadResponse(body)
	if err != nil {
		return nil, err
	}
	return dialect.NewPassingAnswer(body, read, nil), nil
}

// NewPassedStream goes over the events of an upstream's stream, which are made elements of an array for clients that want one.
func (g Generate) NewPassedStream(o dialect.Exchange) dialect.Stream {
	if !o.Array {
		return &eventStream{Stream: dialect.NewPassingStream(g.NewStreamReader(), nil)}
	}
	s := &arrayStream{framing: framing{array: true}}
	s.Stream = dialect.NewPassingStream(g.NewStreamReader(), s.rewrite)
	return s
}

// eventStream is a stream that passes as events. Google ends lines with CRLF; where the last LF of an event was not there yet when the event was read, it is
// put back, for SDKs look for the whole of it.
type eventStream struct {
	dialect.Stream
	output []byte
}

// Next takes in an event.
func (s *eventStream) Next(event sse.Event) (dialect.Step, error) {
	step, err := s.Stream.Next(event)
	if bytes.HasSuffix(step.Output, []byte("\n\r")) {
		s.output = append(append(s.output[:0], step.Output...), '\n')
		step.Output = s.output
	}
	return step, err
}

// arrayStream is a stream that passes as one JSON array.
type arrayStream struct {
	dialect.Stream
	framing framing
	output  []byte
}

// rewrite makes an element of an event.
func (s *arrayStream) rewrite(event sse.Event) []byte {
	s.output = append(s.framing.begin(s.output[:0]), event.Data...)
	return s.output
}

// Next takes in an event. What has no data is nothing in an array.
func (s *arrayStream) Next(event sse.Event) (dialect.Step, error) {
	step, err := s.Stream.Next(event)
	if len(bytes.TrimSpace(event.Data)) == 0 {
		step.Output = nil
	}
	return step, err
}

// NextSequence tells whether the array was begun.
func (s *arrayStream) NextSequence() int64 { return s.framing.NextSequence() }

// End closes the array of a stream that was whole.
func (s *arrayStream) End() ([]byte, bool) {
	_, whole := s.Stream.End()
	if !whole {
		return nil, false
	}
	return s.framing.end(s.output[:0]), true
}
