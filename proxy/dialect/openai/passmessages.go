package openai

import (
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// span is a member of an object in the body.
type span struct {
	name                       string
	start, nameEnd, value, end int
}

// spans are the members of the object at an offset; none when there is no object.
func (p *passing) spans(at int) []span {
	if !opens(p.body, at, '{') {
		return nil
	}
	var found []span
	walk := jsonscan.WalkObject(p.body, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		found = append(found, span{name: string(member.Name(p.body)), start: member.Start, nameEnd: member.NameEnd, value: member.Value, end: walk.Skip()})
	}
	return found
}

// touchesMessages tells whether messages need a look at all.
func (p *passing) touchesMessages() bool {
	q := &p.to.Quirks
	return p.marks&^markHosted != 0 || q.NoDeveloper || len(q.RefusedInMessages)+len(q.TextOnly) > 0 || q.ToolIDs != "" || refusesMedia(q)
}

// messages edits the messages of the array at an offset.
func (p *passing) messages(at int) error {
	p.messagesAt = at
	if !opens(p.body, at, '[') || !p.touchesMessages() {
		return nil
	}
	walk := jsonscan.WalkArray(p.body, at)
	for i := 0; ; i++ {
		at, ok := walk.Next()
		if !ok {
			return nil
		}
		walk.Resume(jsonscan.Value(p.body, at))
		if err := p.message(i, at); err != nil {
			return err
		}
	}
}

// message edits the message at an offset.
func (p *passing) message(index, at int) error {
	members := p.spans(at)
	role := neutral.Role("")
	for _, m := range members {
		if m.name == "role" {
			role = neutral.Role(textOr(p.body[m.value:m.end]))
		}
	}
	p.secret = p.holdsForeignSeal(members)
	var cuts cutter
	for _, m := range members {
		if !p.keepsInMessage(m, members) {
			cuts.cut(m.start, m.end)
			continue
		}
		p.patches = cuts.keep(p.patches, m.start, m.end)
		if err := p.inMessage(index, role, m); err != nil {
			return err
		}
	}
	if len(members) > 0 {
		p.patches = cuts.close(p.patches, members[len(members)-1].end, "")
	}
	return nil
}

// keepsInMessage tells whether a member of a message may stay.
func (p *passing) keepsInMessage(m span, all []span) bool {
	q := &p.to.Quirks
	switch m.name {
	case "role", "content", "tool_calls", "tool_call_id":
		return true
	case "reasoning_details":
		return p.keepsDetails(m)
	case "cache_control":
		return p.keepsCacheMark()
	case "reasoning", "reasoning_content":
		return !p.secret && (!slices.Contains(q.RefusedInMessages, m.name) || p.becomesReasoning(m, all))
	}
	if !slices.Contains(q.RefusedInMessages, m.name) {
		return true
	}
	if !isEmpty(p.body[m.value:m.end]) {
		p.report.Drop(m.name)
	}
	return false
}

// becomesReasoning tells whether a member with thoughts stays under the name that the target has for it.
func (p *passing) becomesReasoning(m span, all []span) bool {
	wanted := p.to.Quirks.ReasoningMember
	taken := func(other span) bool { return other.name == wanted }
	return wanted != "" && wanted != m.name && opens(p.body, m.value, '"') && !slices.ContainsFunc(all, taken)
}

// inMessage edits a member of a message that stays.
func (p *passing) inMessage(index int, role neutral.Role, m span) error {
	switch m.name {
	case "role":
		if p.to.Quirks.NoDeveloper && role == neutral.Developer {
			p.replace(m.value, m.end, `"system"`)
		}
	case "reasoning", "reasoning_content":
		if slices.Contains(p.to.Quirks.RefusedInMessages, m.name) {
			p.replace(m.start, m.nameEnd, `"`+p.to.Quirks.ReasoningMember+`"`)
		}
	case "tool_call_id":
		p.toolID(m)
	case "tool_calls":
		p.toolCalls(m.value)
	case "content":
		return p.content(index, role, m)
	}
	return nil
}

// content edits the content of a message.
func (p *passing) content(index int, role neutral.Role, m span) error {
	if !opens(p.body, m.value, '[') {
		return nil
	}
	flat, texts := slices.Contains(p.to.Quirks.TextOnly, role), []string(nil)
	walk := jsonscan.WalkArray(p.body, m.value)
	for i := 0; ; i++ {
		at, ok := walk.Next()
		if !ok {
			break
		}
		walk.Resume(jsonscan.Value(p.body, at))
		part, field := p.spans(at), fmt.Sprintf("messages[%d].content[%d]", index, i)
		if err := p.checkPart(part, field); err != nil {
			return err
		}
		if !flat {
			p.cutCacheMark(part)
			continue
		}
		text, err := p.flatText(part, field)
		if err != nil {
			return err
		}
		texts = append(texts, text)
	}
	if flat {
		p.replace(m.value, m.end, string(jsonscan.AppendQuoted(nil, strings.Join(texts, "\n"))))
	}
	return nil
}

// checkPart finds out what the target would refuse in a part.
func (p *passing) checkPart(part []span, field string) error {
	q := &p.to.Quirks
	switch p.valueOf(part, "type") {
	case "image_url":
		return p.checkImage(part, field)
	case "file":
		if q.NoFiles {
			return &neutral.UnsupportedError{Field: field, Reason: "files cannot be sent there"}
		}
	case "input_audio":
		if q.NoAudio {
			return &neutral.UnsupportedError{Field: field, Reason: "audio cannot be sent there"}
		}
	}
	return nil
}

func (p *passing) checkImage(part []span, field string) error {
	switch {
	case p.to.Quirks.NoImages:
		return &neutral.UnsupportedError{Field: field, Reason: "images cannot be sent there"}
	case p.to.Quirks.NoImageURLs && !strings.HasPrefix(p.imageURL(part), "data:"):
		return &neutral.UnsupportedError{Field: field + ".image_url", Reason: "images cannot be sent there by URL; send them as base64"}
	}
	return nil
}

// flatText is the text of a part for a target that wants a string, in which nothing but text can be.
func (p *passing) flatText(part []span, field string) (string, error) {
	kind := p.valueOf(part, "type")
	if kind != "text" && kind != "refusal" {
		return "", &neutral.UnsupportedError{Field: field, Reason: "only text can be sent there in a message of this role"}
	}
	if p.valueOf(part, "cache_control") != "" {
		p.keepsCacheMark()
	}
	return p.valueOf(part, kind), nil
}

// imageURL is the URL of an image, which is a member of an object or, as some clients have it, a string.
func (p *passing) imageURL(part []span) string {
	for _, m := range part {
		if m.name != "image_url" {
			continue
		}
		if opens(p.body, m.value, '{') {
			return p.valueOf(p.spans(m.value), "url")
		}
		return textOr(p.body[m.value:m.end])
	}
	return ""
}

// valueOf is the text of a member; for values of other types it is their JSON.
func (p *passing) valueOf(members []span, name string) string {
	for _, m := range members {
		if m.name != name {
			continue
		}
		if value := p.body[m.value:m.end]; value[0] != '"' {
			return string(value)
		}
		return textOr(p.body[m.value:m.end])
	}
	return ""
}

// keepsCacheMark tells whether marks for the prompt cache may stay, and reports them if not.
func (p *passing) keepsCacheMark() bool {
	if p.marks&markCache == 0 {
		return true
	}
	p.report.Drop("cache_control")
	return false
}

// cutCacheMark takes cache_control out of an object, if it has to go.
func (p *passing) cutCacheMark(members []span) {
	var cuts cutter
	for _, m := range members {
		if m.name == "cache_control" && !p.keepsCacheMark() {
			cuts.cut(m.start, m.end)
			continue
		}
		p.patches = cuts.keep(p.patches, m.start, m.end)
	}
	if len(members) > 0 {
		p.patches = cuts.close(p.patches, members[len(members)-1].end, "")
	}
}

// toolID gives the id of a tool call the form that the target demands.
func (p *passing) toolID(m span) {
	id := textOr(p.body[m.value:m.end])
	if mapped := toolID(p.to.Quirks.ToolIDs, id); mapped != id {
		p.replace(m.value, m.end, string(jsonscan.AppendQuoted(nil, mapped)))
	}
}

// toolCalls edits the calls in the array at an offset.
func (p *passing) toolCalls(at int) {
	if !opens(p.body, at, '[') {
		return
	}
	walk := jsonscan.WalkArray(p.body, at)
	for at, ok := walk.Next(); ok; at, ok = walk.Next() {
		walk.Resume(jsonscan.Value(p.body, at))
		call := p.spans(at)
		var cuts cutter
		for _, m := range call {
			if m.name == "extra_content" && !readableBy(neutral.OriginGemini, p.to) {
				p.report.Drop("reasoning")
				cuts.cut(m.start, m.end)
				continue
			}
			p.patches = cuts.keep(p.patches, m.start, m.end)
			if m.name == "id" {
				p.toolID(m)
			}
		}
		if len(call) > 0 {
			p.patches = cuts.close(p.patches, call[len(call)-1].end, "")
		}
	}
}

// tools edits the tools of the array at an offset.
func (p *passing) tools(at int) error {
	if p.marks&(markCache|markHosted) == 0 || !opens(p.body, at, '[') {
		return nil
	}
	walk := jsonscan.WalkArray(p.body, at)
	for i := 0; ; i++ {
		at, ok := walk.Next()
		if !ok {
			return nil
		}
		walk.Resume(jsonscan.Value(p.body, at))
		tool := p.spans(at)
		if kind := p.valueOf(tool, "type"); strings.HasPrefix(kind, "openrouter:") && p.to.Provider != vendorOpenRouter {
			return &neutral.UnsupportedError{Field: fmt.Sprintf("tools[%d]", i), Reason: "tools that OpenRouter runs itself cannot be called there"}
		}
		p.cutCacheMark(tool)
	}
}

// takeSchema notes the JSON schema of a response_format, which the target has to be told in words; false when there is none.
func (p *passing) takeSchema(value []byte) bool {
	format, err := readFormat(value)
	if err != nil || format.Kind != neutral.FormatJSONSchema {
		return false
	}
	p.format = format
	return true
}

// tellSchema puts a system message with the schema before all others.
func (p *passing) tellSchema() error {
	if p.format.Kind != neutral.FormatJSONSchema {
		return nil
	}
	if !opens(p.body, p.messagesAt, '[') {
		return &neutral.UnsupportedError{Field: "response_format", Reason: "JSON by a schema cannot be asked for there"}
	}
	text := appendText([]byte(`{"role":"system"`), "content", schemaPrompt(&p.format))
	text = append(text, '}')
	if p.body[jsonscan.Space(p.body, p.messagesAt+1)] != ']' {
		text = append(text, ',')
	}
	p.patches = append(p.patches, dialect.Patch{At: p.messagesAt + 1, End: p.messagesAt + 1, Text: string(text)})
	return nil
}
