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
func (Generate) AppendPassed(dst, body []byte, _ dialect.Head, to dialect.Target) ([]byte, neutral.Report, error) {
	p := passer{dst: append(slices.Grow(dst, len(body)), '{')}
	p.foreign = bytes.Contains(body, []byte(sealMark))
	p.skip = versionOf(to.Model).from(3, 0) && (bytes.Contains(body, []byte("functionCall")) || bytes.Contains(body, []byte("function_call")))
	walk := jsonscan.WalkObject(body, jsonscan.Space(body, 0))
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		end := walk.Skip()
		name := camel(string(member.Name(body)))
		switch {
		case name == "model":
		case slices.Contains(to.Quirks.Refused, name), to.Quirks.Accepted != nil && !slices.Contains(to.Quirks.Accepted, name):
			p.report.Drop(name)
		case name == "contents" && (p.foreign || p.skip):
			p.dst = key(p.dst, name)
			p.contents(body[member.Value:end])
		default:
			p.dst = append(comma(p.dst), body[member.Start:end]...)
		}
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
	// foreign tells that there may be seals of other vendors, and skip that calls need a signature.
	foreign, skip bool
}

// contents appends the list of contents, or the one content that stands in its place.
func (p *passer) contents(raw []byte) {
	if isObject(raw) {
		p.dst = append(p.dst, '[')
		p.content(raw)
		p.dst = append(p.dst, ']')
		return
	}
	p.dst = append(p.dst, '[')
	walk := jsonscan.WalkArray(raw, 0)
	for at, ok := walk.Next(); ok; at, ok = walk.Next() {
		end := walk.Skip()
		if isObject(raw[at:end]) {
			p.content(raw[at:end])
			continue
		}
		p.dst = append(comma(p.dst), raw[at:end]...)
	}
	p.dst = append(p.dst, ']')
}

// content appends a content, unless all its parts were left out.
func (p *passer) content(raw []byte) {
	start := len(p.dst)
	p.dst = append(comma(p.dst), '{')
	walk := jsonscan.WalkObject(raw, 0)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		value := raw[member.Value:walk.Skip()]
		if string(member.Name(raw)) != "parts" || value[0] != '[' && value[0] != '{' {
			p.dst = append(comma(p.dst), raw[member.Start:member.Value+len(value)]...)
			continue
		}
		p.dst = append(key(p.dst, "parts"), '[')
		if !p.parts(value) {
			p.dst = p.dst[:start]
			return
		}
		p.dst = append(p.dst, ']')
	}
	p.dst = append(p.dst, '}')
}

// parts appends the parts of a content; false when all of them were left out.
func (p *passer) parts(raw []byte) bool {
	found := elements(raw)
	kept := make([]bool, len(found))
	for i := range found {
		kept[i] = !found[i].thought || !foreign(found[i].signature)
		for j := i - 1; !kept[i] && j >= 0 && found[j].thought && found[j].signature == ""; j-- {
			kept[j] = false
		}
	}
	left, called := 0, false
	for i := range found {
		if !kept[i] {
			p.report.Drop("reasoning")
			continue
		}
		left++
		p.part(&found[i], !called)
		called = called || found[i].kind == "functionCall"
	}
	return left > 0 || len(found) == 0
}

// elements are the parts of a list, or the one part that stands in its place.
func elements(raw []byte) []part {
	if isObject(raw) {
		p, _, err := readPart(raw, 0)
		if err != nil {
			return nil
		}
		return []part{p}
	}
	var found []part
	walk := jsonscan.WalkArray(raw, 0)
	for at, ok := walk.Next(); ok; at, ok = walk.Next() {
		p, end, err := readPart(raw, at)
		walk.Resume(end, err)
		p.raw = raw[at:end]
		found = append(found, p)
	}
	return found
}

// part appends a part. first tells that no call stands before it in the content: only the first call has to have a signature.
func (p *passer) part(t *part, first bool) {
	p.dst = comma(p.dst)
	sealed := foreign(t.signature)
	if sealed {
		p.report.Drop("reasoning")
	}
	needed := p.skip && first && t.kind == "functionCall" && (t.signature == "" || sealed)
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

// End closes the array of a stream that was whole.
func (s *arrayStream) End() ([]byte, bool) {
	_, whole := s.Stream.End()
	if !whole {
		return nil, false
	}
	return s.framing.end(s.output[:0]), true
}
