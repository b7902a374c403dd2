package dialect

import (
	"bytes"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/table"
)

// maxPartDepth is how deep parts are looked for inside of parts; what is deeper counts as text.
const maxPartDepth = 8

// billingLine is how the first line of a system prompt begins in which a client (Claude Code) tells what changes with every request.
const billingLine = "x-anthropic-billing-header:"

// Survey collects the traits of a request. Its methods take the offset of a value in the body, which was checked, and return the offset behind it. What the
// APIs have in common is known here: messages with a role and content, and content of parts with a type.
type Survey struct {
	body   []byte
	traits Traits
	// system, tools and turns are the sections of the prefix; apart, because their order in the body is the client's.
	system, tools, turns prefixHash
	// section is where content belongs now; nil behind the prefix.
	section *prefixHash
	// closed tells that the first message of the user is over.
	closed bool
}

// NewSurvey begins the survey of a body.
func NewSurvey(body []byte) Survey { return Survey{body: body} }

// Need notes that the request needs capabilities.
func (s *Survey) Need(needed table.Capabilities) { s.traits.Needs |= needed }

// Traits are what was found.
func (s *Survey) Traits() Traits {
	traits := s.traits
	if s.system.texts+s.tools.texts+s.turns.texts == 0 {
		return traits
	}
	var whole prefixHash
	for _, part := range [...]*prefixHash{&s.system, &s.tools, &s.turns} {
		whole.mix(part.value())
		whole.mix(part.texts)
	}
	traits.Prefix = max(whole.value(), 1)
	return traits
}

// Members visits the members of the object at an offset, which may be another value, too; visit returns the offset behind the member's value.
func (s *Survey) Members(at int, visit func(name []byte, at int) int) int {
	if s.body[at] != '{' {
		return s.Skip(at)
	}
	walk := jsonscan.WalkObject(s.body, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		walk.Resume(visit(member.Name(s.body), member.Value), nil)
	}
	end, _ := walk.End()
	return end
}

// Elements visits the elements of the array at an offset, or the value that stands in its place.
func (s *Survey) Elements(at int, visit func(at int) int) int {
	if s.body[at] != '[' {
		return visit(at)
	}
	walk := jsonscan.WalkArray(s.body, at)
	for element, ok := walk.Next(); ok; element, ok = walk.Next() {
		walk.Resume(visit(element), nil)
	}
	end, _ := walk.End()
	return end
}

// Skip leaves a value out.
func (s *Survey) Skip(at int) int {
	end, _ := jsonscan.Value(s.body, at)
	return end
}

// Value returns the JSON text of a value.
func (s *Survey) Value(at int) []byte { return s.body[at:s.Skip(at)] }

// Text counts the texts in a value.
func (s *Survey) Text(at int) int {
	end, text, _ := jsonscan.Text(s.body, at)
	s.traits.PromptBytes += int64(text)
	return end
}

// Tools takes in the list of tools, which are part of the prompt with the names in them.
func (s *Survey) Tools(at int) int {
	end := s.Skip(at)
	if raw := s.body[at:end]; (raw[0] == '[' || raw[0] == '{') && jsonscan.Space(raw, 1) < len(raw)-1 {
		s.Need(table.Tools)
		s.traits.PromptBytes += int64(len(raw))
		s.tools.addUnmarked(raw)
		s.tools.end()
	}
	return end
}

// Instructions takes in the content that stands before the conversation.
func (s *Survey) Instructions(at int) int {
	s.System()
	end := s.Content(at)
	s.EndTurn(false)
	return end
}

// System begins what stands before the conversation; EndTurn ends it.
func (s *Survey) System() { s.section = &s.system }

// Prompt takes in a text that is the whole conversation. It grows from turn to turn, so only its beginning counts for the prefix.
func (s *Survey) Prompt(at int) int {
	const stable = 512
	end := s.Text(at)
	if s.body[at] != 'n' {
		s.turns.add(s.body[at:min(end, at+stable)])
		s.turns.end()
	}
	return end
}

// Messages takes in the conversation: a list of messages, or a text of the user.
func (s *Survey) Messages(at int) int {
	return s.Elements(at, s.message)
}

// message takes in a message: an object with a role and content, a call, or the result of one.
func (s *Survey) message(at int) int {
	s.Turn()
	user := s.body[at] == '"'
	if user {
		end := s.Content(at)
		s.EndTurn(user)
		return end
	}
	end := s.Members(at, func(name []byte, at int) int {
		switch string(name) {
		case "role":
			role := s.Value(at)
			user = string(role) == `"user"`
			s.Mark(role)
			return at + len(role)
		case "content", "output":
			return s.Content(at)
		case "tool_calls", "function_call", "arguments", "input", "name", "summary", "reasoning", "reasoning_content", "refusal":
			return s.Text(at)
		}
		return s.Skip(at)
	})
	s.EndTurn(user)
	return end
}

// Turn begins a message; EndTurn ends it. The first one of the user is the last that the prefix has.
func (s *Survey) Turn() {
	if !s.closed {
		s.section = &s.turns
	}
}

// EndTurn ends a message.
func (s *Survey) EndTurn(user bool) {
	s.closed = s.closed || user
	s.section = nil
}

// Mark adds what is no text of the prompt to the prefix.
func (s *Survey) Mark(raw []byte) {
	if s.section != nil {
		s.section.addUnmarked(raw)
		s.section.end()
	}
}

// Content takes in a text, a part, or a list of those.
func (s *Survey) Content(at int) int { return s.content(at, 0) }

func (s *Survey) content(at, depth int) int {
	switch {
	case s.body[at] == '"':
		return s.Words(at)
	case depth > maxPartDepth:
		return s.Text(at)
	case s.body[at] == '[':
		return s.Elements(at, func(at int) int { return s.content(at, depth+1) })
	case s.body[at] == '{':
		return s.part(at, depth)
	}
	return s.Skip(at)
}

// Words takes in a text of the prompt. A text has the same prefix wherever it stands: clients make a part of it to put a cache mark there.
func (s *Survey) Words(at int) int {
	end := s.Text(at)
	if s.body[at] != '"' || s.section == nil {
		return end
	}
	text := s.body[at+1 : end-1]
	if bytes.HasPrefix(text, []byte(billingLine)) {
		line := bytes.Index(text, []byte(`\n`))
		if line < 0 {
			return end
		}
		text = text[line+len(`\n`):]
	}
	s.section.add(text)
	s.section.end()
	return end
}

// surveyed is a part of content. Offsets are 0 for members that it does not have.
type surveyed struct {
	kind          []byte
	text, content int
	source        int
}

// part takes in an object with a type.
func (s *Survey) part(at, depth int) int {
	var p surveyed
	end := s.Members(at, func(name []byte, at int) int {
		switch string(name) {
		case "type":
			p.kind = s.Value(at)
			return at + len(p.kind)
		case "text", "refusal", "thinking":
			p.text = at
		case "content", "output":
			p.content = at
		case "source":
			p.source = at
		}
		return s.Skip(at)
	})
	switch kind := string(p.kind); {
	case partNeeds(kind) != 0:
		s.medium(at, end, kind, p.source, depth)
	case p.text > 0 && isWords(kind):
		s.Words(p.text)
	case kind == `"video_url"` || kind == `"input_video"`:
		s.Medium(s.body[at:end], 0)
	case kind == `"redacted_thinking"`:
	case p.content > 0:
		s.Mark(p.kind)
		s.content(p.content, depth+1)
	default:
		s.Text(at)
		s.Mark(s.body[at:end])
	}
	return end
}

// isWords tells whether a part of this type is a text.
func isWords(kind string) bool {
	switch kind {
	case `"text"`, `"input_text"`, `"output_text"`, `"refusal"`, `"thinking"`, `"summary_text"`, `"reasoning_text"`:
		return true
	}
	return false
}

// partNeeds is what a part of this type needs; nothing for text.
func partNeeds(kind string) table.Capabilities {
	switch kind {
	case `"image"`, `"image_url"`, `"input_image"`, `"computer_screenshot"`:
		return table.Vision
	case `"file"`, `"input_file"`, `"document"`:
		return table.Files
	case `"input_audio"`, `"audio"`:
		return table.Audio
	}
	return 0
}

// medium takes in an image, a sound or a file. Anthropic's documents may be made of text.
func (s *Survey) medium(at, end int, kind string, source, depth int) {
	if source == 0 || kind != `"document"` {
		s.Medium(s.body[at:end], partNeeds(kind))
		return
	}
	switch raw := s.Value(source); string(jsonscan.Lookup(raw, "type")) {
	case `"text"`:
		s.Text(source)
		s.Mark(raw)
	case `"content"`:
		s.Members(source, func(name []byte, at int) int {
			if string(name) == "content" {
				return s.content(at, depth+1)
			}
			return s.Skip(at)
		})
	default:
		s.Medium(s.body[at:end], table.Files)
	}
}

// Medium takes in a part that is no text, and what it needs.
func (s *Survey) Medium(raw []byte, needed table.Capabilities) {
	s.Need(needed)
	s.traits.Media++
	s.Mark(raw)
}
