package responses

import (
	"bytes"
	"slices"
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// AppendPassed appends the request to dst: body with the target's model, without state, without what the target refuses, and with only those sealed thoughts
// that the target can read. The error is a *dialect.RequestError or a *neutral.UnsupportedError.
func (Codec) AppendPassed(dst, body []byte, h dialect.Head, to dialect.Target) ([]byte, neutral.Report, error) {
	p := passer{body: body, to: to.WithLimit("max_output_tokens", h.MaxTokens)}
	walk := jsonscan.WalkObject(body, jsonscan.Space(body, 0))
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		if err := p.member(member, walk.Skip()); err != nil {
			return dst, neutral.Report{}, err
		}
	}
	end, err := walk.End()
	if err != nil {
		return dst, neutral.Report{}, &dialect.RequestError{Code: dialect.CodeInvalidJSON, Message: "the request body is not valid JSON"}
	}
	p.add(end - 1)
	return dialect.Apply(dst, body, cuts(p.patches, p.spans)), p.report, nil
}

// passer collects the edits of a request that passes.
type passer struct {
	body    []byte
	to      dialect.Target
	report  neutral.Report
	patches []dialect.Patch
	// spans are the body's members.
	spans []span
	// stateless tells that the body says itself that nothing is to be stored, and named that it names a model.
	stateless, named bool
}

// member takes in one member of the body.
func (p *passer) member(member jsonscan.Member, end int) error {
	name := string(member.Name(p.body))
	raw := p.body[member.Value:end]
	cut := p.cut(name, raw)
	p.spans = append(p.spans, span{start: member.Start, end: end, cut: cut})
	p.named = p.named || name == "model"
	switch {
	case cut:
	case name == "model" && p.to.Model != "":
		p.patches = append(p.patches, dialect.Patch{At: member.Value, End: end, Text: string(jsonscan.AppendQuoted(nil, p.to.Model))})
	case name == "store":
		p.stateless = true
	case name == "input":
		return p.input(member.Value, end)
	}
	return nil
}

// cut tells whether a member is left out, and reports it if that changes anything.
func (p *passer) cut(name string, raw []byte) bool {
	switch {
	case name == "model" && p.to.ModelInPath, name == "stream" && p.to.StreamInPath, name == "store" && string(raw) == "null", p.sets(name), dialect.Steers(name, p.to.Provider):
		return true
	case p.refuses(name):
		if !asksNothing(name, raw) {
			p.report.Drop(name)
		}
		return true
	}
	return false
}

func (p *passer) sets(name string) bool {
	return slices.ContainsFunc(p.to.Set, func(m neutral.Member) bool { return m.Name == name })
}

func (p *passer) refuses(name string) bool { return refuses(p.to.Quirks, name) }

// refuses tells whether the target refuses a top-level member. Without the model, the input and the stream there is no request.
func refuses(q dialect.Quirks, name string) bool {
	switch name {
	case "model", "input", "stream":
		return false
	}
	return slices.Contains(q.Refused, name) || q.Accepted != nil && !slices.Contains(q.Accepted, name)
}

// asksNothing tells whether a member says no more than what holds without it.
func asksNothing(name string, raw []byte) bool {
	switch string(raw) {
	case "null", "[]", "{}":
		return true
	}
	switch name {
	case "store", "background":
		return string(raw) == "false"
	case "truncation":
		return string(raw) == `"disabled"`
	case "parallel_tool_calls":
		return string(raw) == "true"
	case "stream_options":
		return true
	case "frequency_penalty", "presence_penalty", "top_logprobs":
		return string(raw) == "0"
	}
	return false
}

// add puts in the members that the body lacks. end is where its closing bracket stands.
func (p *passer) add(end int) {
	var added []byte
	if !p.named && !p.to.ModelInPath && !p.sets("model") {
		added = append(jsonscan.AppendQuoted(append(added, `"model":`...), p.to.Model), ',')
	}
	if !p.stateless && !p.sets("store") && !p.refuses("store") {
		added = append(added, `"store":false,`...)
	}
	for _, member := range p.to.Set {
		added = append(jsonscan.AppendQuoted(added, member.Name), ':')
		added = append(append(added, member.Value...), ',')
	}
	if len(added) == 0 {
		return
	}
	first := slices.IndexFunc(p.spans, func(s span) bool { return !s.cut })
	if first < 0 {
		p.patches = append(p.patches, dialect.Patch{At: end, End: end, Text: string(added[:len(added)-1])})
		return
	}
	at := p.spans[first].start
	p.patches = append(p.patches, dialect.Patch{At: at, End: at, Text: string(added)})
}

// input opens the seals of the items between at and end.
func (p *passer) input(at, end int) error {
	text := p.body[at:end]
	if text[0] != '[' || !holdsAny(text, `"reasoning"`, "encrypted_content", "item_reference") {
		return nil
	}
	var items []span
	walk := jsonscan.WalkArray(p.body, at)
	for start, ok := walk.Next(); ok; start, ok = walk.Next() {
		s := span{start: start, end: walk.Skip()}
		if p.body[start] == '{' {
			if err := p.item(&s, len(items)); err != nil {
				return err
			}
		}
		items = append(items, s)
	}
	p.patches = cuts(p.patches, items)
	return nil
}

func holdsAny(text []byte, words ...string) bool {
	return slices.ContainsFunc(words, func(word string) bool { return bytes.Contains(text, []byte(word)) })
}

// item opens the seal of the item that stands in s, or leaves it out.
func (p *passer) item(s *span, index int) error {
	i := readSealedItem(p.body, s.start)
	switch {
	case i.kind == "item_reference":
		return noReference("input[" + strconv.Itoa(index) + "]")
	case i.sealed.end > 0:
		return p.seal(s, i, index)
	case i.kind != "reasoning":
	case i.signed && (keepsThoughts(p.to.Origin) || !i.of(p.to.Origin)):
		s.cut = true
		p.report.Drop("reasoning")
	case keepsThoughts(p.to.Origin):
		s.cut = true
	}
	return nil
}

// keepsThoughts tells whether a provider keeps thoughts itself rather than to read what clients send: it would look for one that is not sealed among what it
// was never asked to store.
func keepsThoughts(origin neutral.Origin) bool {
	return origin == neutral.OriginOpenAI || origin == neutral.OriginAzure
}

// seal opens the seal for a target that can read it. Otherwise the thought goes; an item that is more than a thought cannot go.
func (p *passer) seal(s *span, i sealedItem, index int) error {
	content := unquoted(p.body[i.sealed.start:i.sealed.end])
	origin, seal := neutral.OpenSeal(i.format, content)
	marked := seal != content
	var thought neutral.Thought
	openSeal(&thought, content, i.format)
	switch readable := thought.Encrypted != "" && origin == p.to.Origin && origin != neutral.OriginUnknown; {
	case marked && readable:
		p.patches = append(p.patches, dialect.Patch{At: i.sealed.start, End: i.sealed.end, Text: string(quoted(seal))})
		return nil
	case !marked && i.of(p.to.Origin): // It did not come through here; who sent it knows for whom it is.
		return nil
	}
	if i.kind != "reasoning" {
		return &neutral.UnsupportedError{
			Field:  "input[" + strconv.Itoa(index) + "].encrypted_content",
			Reason: "was made by another provider and cannot be read here",
		}
	}
	s.cut = true
	p.report.Drop("reasoning")
	return nil
}

func unquoted(raw []byte) string {
	text, _ := jsonscan.Unquote(nil, raw)
	return string(text)
}

func noReference(path string) error {
	return unsupported(path, "\""+path+"\" refers to a stored item, but items are not kept: send the item itself (with \"store\": false, client libraries do so)")
}
