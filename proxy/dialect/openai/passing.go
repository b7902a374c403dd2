package openai

import (
	"slices"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// passing edits a request for a target with quirks, member by member. What is not touched keeps its bytes.
type passing struct {
	body  []byte
	head  dialect.Head
	to    *dialect.Target
	marks marks

	patches []dialect.Patch
	report  neutral.Report
	// more are the members, in JSON, that are added at the end.
	more []byte
	// thinking is what the members about reasoning asked for that were taken out, nil for none, and effort tells that reasoning_effort stays.
	thinking *neutral.Reasoning
	effort   bool
	// named tells that the request has a member "model".
	named bool
	// limit is the offset of the first output limit that was seen; 0 before.
	limit int
	// format holds the JSON schema that the target has to be told in words, and messagesAt is where the messages begin.
	format     neutral.Format
	messagesAt int
	// secret tells that the current message has thoughts that the target must not see.
	secret bool
}

// walk goes over the members of the request.
func (p *passing) walk() error {
	var cuts cutter
	walk := jsonscan.WalkObject(p.body, jsonscan.Space(p.body, 0))
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		end := walk.Skip()
		var keep bool
		var err error
		if name := string(member.Name(p.body)); !p.isSet(name) && !dialect.Steers(name, p.to.Provider) {
			keep, err = p.member(name, member, end)
		}
		switch {
		case err != nil:
			return err
		case keep:
			p.patches = cuts.keep(p.patches, member.Start, end)
		default:
			cuts.cut(member.Start, end)
		}
	}
	end, err := walk.End()
	if err != nil {
		return err
	}
	p.addMembers()
	p.patches = cuts.close(p.patches, end-1, string(p.more))
	return p.tellSchema()
}

// addMembers collects what the target needs and the request does not have.
func (p *passing) addMembers() {
	if !p.named && !p.to.ModelInPath && !p.isSet("model") {
		p.add("model", string(jsonscan.AppendQuoted(nil, p.to.Model)))
	}
	if p.head.Stream && !p.to.Quirks.NoStreamUsage && p.head.OptionsAt == (dialect.Patch{}) {
		p.add("stream_options", `{"include_usage":true}`)
	}
	if p.thinking != nil && !p.effort {
		for _, m := range reasoningMembers(p.thinking, p.to, &p.report) {
			if refused(m.Name, &p.to.Quirks) {
				p.report.Drop(m.Name)
				continue
			}
			p.add(m.Name, string(m.Value))
		}
	}
	for _, m := range p.to.Set {
		p.add(m.Name, string(m.Value))
	}
}

func (p *passing) add(name, value string) {
	if len(p.more) > 0 {
		p.more = append(p.more, ',')
	}
	p.more = append(append(jsonscan.AppendQuoted(p.more, name), ':'), value...)
}

// member edits one member; false takes it out.
func (p *passing) member(name string, member jsonscan.Member, end int) (bool, error) {
	value := p.body[member.Value:end]
	switch name {
	case "model":
		return p.model(member.Value, end), nil
	case "messages":
		return true, p.messages(member.Value)
	case "stream":
		return !p.to.StreamInPath, nil
	case "stream_options":
		return p.streamOptions(), nil
	case oldLimit, newLimit:
		return p.outputLimit(name, member, end), nil
	case "seed":
		if p.renamesSeed(member) {
			return true, nil
		}
	case "reasoning", "reasoning_effort", "thinking":
		if keep, done := p.reasoning(name, value); done {
			return keep, nil
		}
	}
	keep, err := p.unlessRefused(name, value)
	if !keep || err != nil {
		return false, err
	}
	return true, p.kept(name, member.Value, end)
}

// isSet tells whether the host of the API wants a member of its own in place of the client's.
func (p *passing) isSet(name string) bool {
	return slices.ContainsFunc(p.to.Set, func(m neutral.Member) bool { return m.Name == name })
}

// model names the target's model, unless that stands in the address.
func (p *passing) model(at, end int) bool {
	p.named = true
	if p.to.ModelInPath {
		return false
	}
	p.replace(at, end, string(jsonscan.AppendQuoted(nil, p.to.Model)))
	return true
}

// renamesSeed gives the seed the name that the target has for it; false where it has no other.
func (p *passing) renamesSeed(member jsonscan.Member) bool {
	wanted := p.to.Quirks.Seed
	if wanted != "" {
		p.replace(member.Start, member.NameEnd, `"`+wanted+`"`)
	}
	return wanted != ""
}

// kept edits the value of a member that the target knows.
func (p *passing) kept(name string, at, end int) error {
	switch name {
	case "tools":
		return p.tools(at)
	case "tool_choice":
		if p.to.Quirks.RequiredToolAny && string(p.body[at:end]) == `"required"` {
			p.replace(at, end, `"any"`)
		}
	case "response_format":
		if p.to.Quirks.NoJSONSchema && p.takeSchema(p.body[at:end]) {
			p.replace(at, end, `{"type":"json_object"}`)
		}
	}
	return nil
}

func (p *passing) replace(at, end int, text string) {
	p.patches = append(p.patches, dialect.Patch{At: at, End: end, Text: text})
}

// unlessRefused takes out what the target does not know.
func (p *passing) unlessRefused(name string, value []byte) (bool, error) {
	q := &p.to.Quirks
	switch {
	case q.OneChoice && name == "n" && p.head.N > 1:
		return false, &neutral.UnsupportedError{Field: "n", Reason: "more than one choice cannot be had there"}
	case q.NoLogProbs && (name == "logprobs" || name == "top_logprobs"):
	case refused(name, q), foreign(name, p.to.Provider):
	case name == "service_tier" && foreignTier(textOr(value), p.to.Provider):
	default:
		return true, nil
	}
	if needed(name, value) {
		return false, &neutral.UnsupportedError{Field: name, Reason: "it cannot be asked for there"}
	}
	if !asksForNothing(name, value) {
		p.report.Drop(name)
	}
	return false, nil
}

// streamOptions asks for usage, or leaves the options out where they are refused.
func (p *passing) streamOptions() bool {
	switch {
	case p.to.Quirks.NoStreamUsage:
		return false
	case p.head.Stream && !p.head.IncludeUsage:
		p.patches = append(p.patches, p.head.UsageAt)
	}
	return true
}

// outputLimit gives the limit the name that the target knows. Of two limits the newer name counts; where the proxy sets one, none of the client's does.
func (p *passing) outputLimit(name string, member jsonscan.Member, end int) bool {
	wanted := p.to.Quirks.MaxTokens
	if p.to.OutputLimit > 0 {
		return false
	}
	if wanted == "" {
		return true
	}
	value := p.body[member.Value:end]
	counts := name == newLimit || p.head.MaxTokens == 0 || string(value) == "null" || dialect.ReadCount(value) == p.head.MaxTokens
	if !counts || p.limit > 0 || string(value) == "null" {
		return false
	}
	p.limit = member.Start
	if name != wanted {
		p.replace(member.Start, member.NameEnd, `"`+wanted+`"`)
	}
	return true
}

// knowsThinkingBy tells whether a member is how the target is asked for thinking. Where nothing is known of it, "thinking" is left to it to judge.
func (p *passing) knowsThinkingBy(name string) bool {
	switch p.to.Quirks.ReasoningRequest {
	case "", "reasoning_effort":
		return name == "reasoning_effort" || name == "thinking" && !foreign(name, p.to.Provider)
	case "thinking":
		return name == "thinking"
	}
	return false
}

// reasoning decides about the members that ask for thinking. Unless it is done, they are judged as all others.
func (p *passing) reasoning(name string, value []byte) (keep, done bool) {
	switch {
	case string(value) == "null":
		return false, true
	case p.to.Provider == vendorOpenRouter && name != "thinking":
		return true, true
	case p.knowsThinkingBy(name):
		p.effort = p.effort || name == "reasoning_effort"
		return true, false
	}
	if p.thinking == nil {
		p.thinking = &neutral.Reasoning{}
	}
	if readThinking(p.thinking, name, value) != nil {
		p.report.Drop(name)
	}
	return false, true
}
