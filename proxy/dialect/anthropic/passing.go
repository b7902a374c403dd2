package anthropic

import (
	"bytes"
	"slices"
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// AppendPassed appends the request to dst: the bytes of body, which h was read from, with the necessary edits for the target. The error is a
// *neutral.UnsupportedError.
func (Messages) AppendPassed(dst, body []byte, h dialect.Head, to dialect.Target) ([]byte, neutral.Report, error) {
	return appendPassed(dst, body, h, to.WithLimit(limitName, h.MaxTokens))
}

// ReadPassed reads an upstream's whole answer. The error is an *dialect.AnswerError.
func (m Messages) ReadPassed(body []byte, _ dialect.Exchange) (dialect.Answer, error) {
	read, err := m.ReadResponse(body)
	if err != nil {
		return nil, err
	}
	return dialect.NewPassingAnswer(body, read, nil), nil
}

// NewPassedStream goes over the events of an upstream's stream.
func (m Messages) NewPassedStream(dialect.Exchange) dialect.Stream {
	return dialect.NewPassingStream(m.NewStreamReader(), nil)
}

// limitName is what the API calls the output limit, and thoughtLimit what it calls that of thinking, inside of "thinking".
const (
	limitName    = "max_tokens"
	thoughtLimit = "budget_tokens"
)

// appendPassed passes a request of either API on.
func appendPassed(dst, body []byte, h dialect.Head, to dialect.Target) ([]byte, neutral.Report, error) {
	p := passer{body: body, to: to, limit: to.Limit(h.MaxTokens), host: hostMembers(to), oldHost: slices.ContainsFunc(to.Set, isVersion)}
	start := jsonscan.Space(body, 0)
	var members []jsonscan.Member
	var ends []int
	walk := jsonscan.WalkObject(body, start)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		members, ends = append(members, member), append(ends, walk.Skip())
		if string(member.Name(body)) == "messages" && body[member.Value] == '[' && p.looksInside() {
			if err := p.messages(member.Value); err != nil {
				return dst, neutral.Report{}, err
			}
		}
	}
	p.instruct(start)
	p.nameModel(h.ModelAt)
	var cut cutter
	for i, member := range members {
		if p.removes(string(member.Name(body)), span{member.Value, ends[i]}) {
			cut.remove(span{member.Start, ends[i]})
		} else {
			cut.keep(span{member.Start, ends[i]})
		}
	}
	end, _ := walk.End()
	patches := append(p.patches, cut.close(end)...)
	if len(p.host) > 0 {
		text := string(appendMembers(nil, p.host))
		if cut.kept {
			text = "," + text
		}
		patches = append(patches, dialect.Patch{At: end - 1, End: end - 1, Text: text})
	}
	return dialect.Apply(dst, body, patches), p.report, nil
}

// nameModel names the target's model, unless that stands in the address. A request may have no "model" but others to choose from.
func (p *passer) nameModel(at dialect.Patch) {
	switch {
	case p.to.ModelInPath:
	case at.End == 0:
		p.host = append(slices.Clone(p.host), neutral.Member{Name: "model", Value: jsonscan.AppendQuoted(nil, p.to.Model)})
	case span{at.At, at.End}.text(p.body) != p.to.Model:
		p.patches = append(p.patches, dialect.Patch{At: at.At, End: at.End, Text: string(jsonscan.AppendQuoted(nil, p.to.Model))})
	}
}

// passer finds the edits that a request needs for a target.
type passer struct {
	body []byte
	to   dialect.Target
	// limit is the output limit that the proxy sets; 0 leaves that to the client.
	limit   int64
	host    []neutral.Member
	patches []dialect.Patch
	report  neutral.Report
	// oldHost tells that the host of the API has a version of its own, which is older than instructions inside the conversation; instructions are the blocks
	// of those, in JSON.
	oldHost      bool
	instructions []byte
	// at is where in the conversation p stands, for errors.
	at placed
	// stripped tells that thinking was taken out, and thought that a message of the model since the user's last words begins with what is left of it; before
	// and last are the types of the first blocks that are left of the last two messages.
	stripped, thought bool
	before, last      string
}

// isVersion tells whether a member names the version of the API.
func isVersion(m neutral.Member) bool { return m.Name == "anthropic_version" }

// removes tells whether a member of the request is taken out: it stands in the address, the host sets it, the provider refuses it, or it cannot be had.
func (p *passer) removes(name string, value span) bool {
	switch name {
	case "model":
		return p.to.ModelInPath
	case "stream":
		return p.to.StreamInPath
	case "messages":
		return false
	case limitName:
		return p.limit > 0
	case "thinking":
		if p.dropsThinking(value) {
			p.report.Drop("reasoning")
			return true
		}
	}
	if name == "fallbacks" || dialect.Steers(name, p.to.Provider) {
		return true
	}
	if slices.ContainsFunc(p.host, func(m neutral.Member) bool { return m.Name == name }) {
		return true
	}
	if refused(p.to.Quirks, name) {
		p.report.Drop(name)
		return true
	}
	return false
}

// dropsThinking tells whether a budget for thinking cannot be sent.
func (p *passer) dropsThinking(thinking span) bool {
	if !thinking.is(p.body, '{') || memberText(p.body, thinking.at, "type") != thinkingEnabled {
		return false
	}
	return p.loopWithoutThought() || !p.fitsThinking(thinking)
}

// fitsThinking makes the budget for thinking smaller than the output limit, which the API demands, and tells whether there is room for one at all.
func (p *passer) fitsThinking(thinking span) bool {
	budget := memberSpan(p.body, thinking.at, thoughtLimit)
	if p.limit == 0 || budget.end == 0 || dialect.ReadCount(p.body[budget.at:budget.end]) < p.limit {
		return true
	}
	if p.limit <= minBudget {
		return false
	}
	p.patches = append(p.patches, dialect.Patch{At: budget.at, End: budget.end, Text: strconv.FormatInt(p.limit-1, 10)})
	return true
}

// loopWithoutThought tells that the model waits for results, and that the thought which led to the calls was taken out, or that another model called without
// any: then a model with a budget for thinking refuses to go on, unless it does without thinking.
func (p *passer) loopWithoutThought() bool {
	if p.last != blockResult || p.before == "" || isThought(p.before) {
		return false
	}
	return p.stripped || !p.thought && p.to.Origin == origin
}

func isThought(kind string) bool { return kind == blockThinking || kind == blockRedacted }

// follow takes in a message's role, and the type of the first block that is left of it.
func (p *passer) follow(role, first string) {
	switch {
	case isThought(first):
		p.thought = true
	case role == string(neutral.User) && first != blockResult:
		p.thought = false
	}
	p.before, p.last = p.last, first
}

// looksInside tells whether the conversation may need edits: for thinking that the target cannot read, citations that it did not make, or images that it
// would have to fetch. Names may be written with escapes.
func (p *passer) looksInside() bool {
	if p.to.Quirks.NoImageURLs {
		return true
	}
	words := []string{"thinking", citationWeb, `\u`}
	if p.oldHost {
		words = append(words, `"system"`)
	}
	for _, word := range words {
		if bytes.Contains(p.body, []byte(word)) {
			return true
		}
	}
	return false
}

// messages goes over the conversation, an array at an offset. A message that has nothing left is taken out with what was in it.
func (p *passer) messages(at int) error {
	var cut cutter
	walk := jsonscan.WalkArray(p.body, at)
	for at, ok := walk.Next(); ok; at, ok = walk.Next() {
		if p.instructs(at) {
			cut.remove(span{at, walk.Skip()})
			p.at.message++
			continue
		}
		left, err := p.message(at)
		if err != nil {
			return err
		}
		p.stripped = p.stripped || left.removed > 0
		if at := (span{at, walk.Skip()}); left.empty() {
			cut.remove(at)
		} else {
			cut.keep(at)
			p.patches = append(p.patches, left.patches...)
			p.follow(left.role, left.first)
		}
		p.at.message++
	}
	end, _ := walk.End()
	p.patches = append(p.patches, cut.close(end)...)
	return nil
}

// remains is what is left of a list of blocks.
type remains struct {
	patches       []dialect.Patch
	kept, removed int
	// first is the type of the first block that is left, and role that of the message.
	first, role string
}

// empty tells that nothing is left.
func (r remains) empty() bool { return r.removed > 0 && r.kept == 0 }

// message goes over a message.
func (p *passer) message(at int) (remains, error) {
	if p.body[at] != '{' {
		return remains{}, nil
	}
	role := memberText(p.body, at, "role")
	content := memberSpan(p.body, at, "content")
	if !content.is(p.body, '[') {
		return remains{role: role}, nil
	}
	p.at.index = 0
	left, err := p.blocks(content.at, &p.at.index)
	left.role = role
	return left, err
}

// blocks goes over a list of blocks, with their index.
func (p *passer) blocks(at int, index *int) (remains, error) {
	var cut cutter
	var left remains
	walk := jsonscan.WalkArray(p.body, at)
	for at, ok := walk.Next(); ok; at, ok = walk.Next() {
		kind, patches, err := p.block(at)
		if err != nil {
			return remains{}, err
		}
		if at := (span{at, walk.Skip()}); kind == "" {
			cut.remove(at)
			left.removed++
		} else {
			if left.kept == 0 {
				left.first = kind
			}
			cut.keep(at)
			left.kept++
			left.patches = append(left.patches, patches...)
		}
		*index++
	}
	end, _ := walk.End()
	left.patches = append(left.patches, cut.close(end)...)
	return left, nil
}

// passedBlock are the members of a block that may need edits.
type passedBlock struct{ kind, source, content, signature, data, citations span }

func (b *passedBlock) member(name []byte) *span {
	switch string(name) {
	case "type":
		return &b.kind
	case "source":
		return &b.source
	case "content":
		return &b.content
	case "signature":
		return &b.signature
	case "data":
		return &b.data
	case "citations":
		return &b.citations
	}
	return nil
}

// block looks at a block and returns its type, "" for one that is taken out, and the patches for it.
func (p *passer) block(at int) (string, []dialect.Patch, error) {
	const odd = "?"
	if p.body[at] != '{' {
		return odd, nil, nil
	}
	var b passedBlock
	walk := jsonscan.WalkObject(p.body, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		if into := b.member(member.Name(p.body)); into != nil {
			*into = span{member.Value, walk.Skip()}
		}
	}
	switch kind := b.kind.text(p.body); kind {
	case blockText:
		return kind, p.citations(b.citations), nil
	case blockThinking:
		return p.seal(kind, b.signature)
	case blockRedacted:
		return p.seal(kind, b.data)
	case blockImage, blockDocument:
		patches, err := p.source(b.source)
		return kind, patches, err
	case blockResult:
		patches, err := p.inside(b.content)
		return kind, patches, err
	}
	return odd, nil, nil
}

// citations takes out the citations of pages that another provider found.
func (p *passer) citations(list span) []dialect.Patch {
	if !list.is(p.body, '[') {
		return nil
	}
	var cut cutter
	walk := jsonscan.WalkArray(p.body, list.at)
	for at, ok := walk.Next(); ok; at, ok = walk.Next() {
		foreign := p.body[at] == '{' && memberText(p.body, at, "type") == citationWeb && memberText(p.body, at, "encrypted_index") == ""
		if at := (span{at, walk.Skip()}); foreign {
			cut.remove(at)
		} else {
			cut.keep(at)
		}
	}
	patches := cut.close(list.end)
	if len(patches) > 0 && !cut.kept {
		return []dialect.Patch{{At: list.at, End: list.end, Text: "null"}}
	}
	return patches
}

// inside goes over the blocks inside a result, or inside a document.
func (p *passer) inside(content span) ([]dialect.Patch, error) {
	if !content.is(p.body, '[') {
		return nil, nil
	}
	var index int
	left, err := p.blocks(content.at, &index)
	return left.patches, err
}

// seal looks at the seal of a block of thinking. The block is taken out if the target cannot read it. Thinking without a seal is refused by Claude, other
// models that offer the API may know it.
func (p *passer) seal(kind string, at span) (string, []dialect.Patch, error) {
	seal := at.text(p.body)
	from, inner := neutral.OpenSeal(origin, seal)
	switch {
	case seal == "" && p.to.Origin == origin:
		return "", nil, nil
	case seal == "", inner == seal && (from == p.to.Origin || p.to.Origin == neutral.NoOrigin):
		return kind, nil, nil
	case inner != seal && from == p.to.Origin:
		return kind, []dialect.Patch{{At: at.at, End: at.end, Text: string(jsonscan.AppendQuoted(nil, inner))}}, nil
	}
	p.report.Drop("reasoning")
	return "", nil, nil
}

// source looks where the bytes of an image or a document come from; a document may be made of blocks.
func (p *passer) source(at span) ([]dialect.Patch, error) {
	if !p.to.Quirks.NoImageURLs || !at.is(p.body, '{') {
		return nil, nil
	}
	switch memberText(p.body, at.at, "type") {
	case "url":
		return nil, unsupported(p.at.field(), noURLs)
	case "content":
		return p.inside(memberSpan(p.body, at.at, "content"))
	}
	return nil, nil
}
