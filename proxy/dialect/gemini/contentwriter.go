package gemini

import (
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// place is where a part stands in the request, for errors.
type place struct{ message, part int }

// unsupported is the error of a part that cannot be sent. member names what of the part, where that helps.
func (p place) unsupported(member, reason string) error {
	field := "messages[" + strconv.Itoa(p.message) + "].content[" + strconv.Itoa(p.part) + "]"
	if member != "" {
		field += "." + member
	}
	return &neutral.UnsupportedError{Field: field, Reason: reason}
}

// turn is whose part of the conversation a content is.
type turn string

// The turns. Results of tools are the user's, but stand alone: Google counts them against the calls of the turn before.
const (
	noTurn    turn = ""
	userTurn  turn = "user"
	modelTurn turn = "model"
	toolTurn  turn = "tool"
)

// silence is what the user says where nobody says anything but the system: Google demands somebody's words.
const silence = `{"role":"user","parts":[{"text":"..."}]}`

// contents writes the conversation.
func (w *requestWriter) contents() error {
	if len(w.request.Messages) == 0 {
		return &neutral.UnsupportedError{Field: "messages", Reason: "Gemini models need at least one message"}
	}
	w.dst = append(key(w.dst, "contents"), '[')
	c := contentWriter{requestWriter: w}
	for i := range w.request.Messages {
		if err := c.message(i); err != nil {
			return err
		}
	}
	c.close()
	if w.dst[len(w.dst)-1] == '[' {
		w.dst = append(w.dst, silence...)
	}
	w.dst = append(w.dst, ']')
	return nil
}

// contentWriter writes the turns. Neighbouring messages of one turn are joined.
type contentWriter struct {
	*requestWriter
	// turn that is open. begun is where it begins, and empty where its parts begin.
	turn         turn
	begun, empty int
	// seal belongs to the part that comes next, and seals to the calls with these ids.
	seal  string
	seals map[string]string
	// called tells that the turn has a call.
	called bool
	// media came with results of tools; it follows behind all of them. Their types are known.
	media []*neutral.Media
}

// message writes a message into its turn.
func (c *contentWriter) message(i int) error {
	m := &c.request.Messages[i]
	write, next := c.userPart, userTurn
	switch m.Role {
	case neutral.System, neutral.Developer:
		return nil
	case neutral.Assistant:
		write, next = c.modelPart, modelTurn
		c.gatherSeals(m)
	case neutral.ToolRole:
		write, next = c.resultPart, toolTurn
	case neutral.User:
	}
	if m.Name != "" && m.Role != neutral.ToolRole {
		c.report.Drop("name")
	}
	c.open(next)
	for j := range m.Parts {
		p, before := &m.Parts[j], len(c.dst)
		if err := write(p, place{message: i, part: j}); err != nil {
			return err
		}
		c.annotate(p, before)
	}
	return nil
}

// annotate adds what only Google understands of a part to what was written of it, which begins at before; and it reports what Google does not have.
func (c *contentWriter) annotate(p *neutral.Part, before int) {
	if p.Cache != nil {
		c.report.Drop("cache_control")
	}
	if !c.own() || len(p.Extra) == 0 || len(c.dst) == before {
		return
	}
	c.dst = c.dst[:len(c.dst)-1]
	for _, member := range p.Extra {
		c.dst = rawMember(c.dst, member.Name, member.Value)
	}
	c.dst = append(c.dst, '}')
}

// open begins a turn, unless it goes on.
func (c *contentWriter) open(next turn) {
	if c.turn == next {
		return
	}
	c.close()
	role := next
	if next == toolTurn {
		role = userTurn
	}
	c.turn, c.begun, c.called = next, len(c.dst), false
	c.dst = append(stringMember(append(comma(c.dst), '{'), "role", string(role)), `,"parts":[`...)
	c.empty = len(c.dst)
}

// close ends the open turn; one without parts is taken back.
func (c *contentWriter) close() {
	if c.turn == noTurn {
		return
	}
	c.flush()
	for _, media := range c.media {
		c.dst = appendMedia(comma(c.dst), c.unnamed(media), mimeOf(media), "")
	}
	c.media = nil
	c.turn = noTurn
	if len(c.dst) == c.empty {
		c.dst = c.dst[:c.begun]
		return
	}
	c.dst = append(c.dst, "]}"...)
}

// userPart writes a part of the user's.
func (c *contentWriter) userPart(p *neutral.Part, at place) error {
	switch p.Kind {
	case neutral.TextPart:
		c.text(p.Text)
		return nil
	case neutral.ImagePart, neutral.AudioPart, neutral.VideoPart, neutral.FilePart:
		return c.mediaPart(p, at)
	case neutral.OpaquePart:
		if c.own() && p.Type == cachedContent {
			c.cached = p.Raw
			return nil
		}
		return c.opaque(p, at)
	case neutral.ToolCallPart, neutral.ToolResultPart, neutral.ReasoningPart, neutral.RefusalPart:
	}
	return at.unsupported("", "a user message cannot hold a part of this kind")
}

// modelPart writes a part of the assistant's.
func (c *contentWriter) modelPart(p *neutral.Part, at place) error {
	switch p.Kind {
	case neutral.TextPart, neutral.RefusalPart:
		c.text(p.Text)
		return nil
	case neutral.ReasoningPart:
		c.thought(p.Thought)
		return nil
	case neutral.ToolCallPart:
		c.call(p.Call)
		return nil
	case neutral.ImagePart, neutral.AudioPart, neutral.VideoPart, neutral.FilePart:
		return c.mediaPart(p, at)
	case neutral.OpaquePart:
		return c.opaque(p, at)
	case neutral.ToolResultPart:
	}
	return at.unsupported("", "an assistant message cannot hold a part of this kind")
}

// text writes text with the seal that is kept for it.
func (c *contentWriter) text(text string) {
	if text != "" {
		c.dst = appendText(comma(c.dst), text, c.takeSeal())
	}
}

// opaque writes a part of this dialect's own, as it came.
func (c *contentWriter) opaque(p *neutral.Part, at place) error {
	if p.Source != neutral.GenerateContent {
		return at.unsupported("", "this part is understood only by the vendor whose API it was sent to")
	}
	c.flush()
	c.dst = append(comma(c.dst), p.Raw...)
	return nil
}

// gatherSeals finds the seals whose ids are those of calls in the same message: they may stand anywhere.
func (c *contentWriter) gatherSeals(m *neutral.Message) {
	c.seals = nil
	for i := range m.Parts {
		t := m.Parts[i].Thought
		if m.Parts[i].Kind != neutral.ReasoningPart || t == nil || t.ID == "" || t.Encrypted == "" || t.Origin != neutral.OriginGemini {
			continue
		}
		for j := range m.Parts {
			if made := m.Parts[j].Call; made != nil && made.ID == t.ID {
				if c.seals == nil {
					c.seals = map[string]string{}
				}
				c.seals[t.ID] = t.Encrypted
			}
		}
	}
}

// thought writes thinking with its seal, or keeps the seal of the part that follows. Thinking without a seal goes back only to where it came from.
func (c *contentWriter) thought(t *neutral.Thought) {
	switch {
	case t == nil:
	case t.Sealed() && t.Origin != c.to.Origin:
		c.report.Drop("reasoning")
	case t.Sealed() && t.Origin != neutral.OriginGemini:
		c.report.Drop("reasoning")
	case t.Encrypted != "":
		if _, ofCall := c.seals[t.ID]; !ofCall {
			c.flush()
			c.seal = t.Encrypted
		}
	case t.Signature != "", c.own() && t.Text != "":
		c.flush()
		c.dst = appendThought(comma(c.dst), t.Text, t.Signature)
	}
}

// call writes a call. The first one of a turn needs a signature from Gemini 3 on.
func (c *contentWriter) call(made *neutral.ToolCall) {
	if made == nil {
		return
	}
	seal := c.seals[made.ID]
	if seal == "" {
		seal = c.takeSeal()
	}
	if seal == "" && !c.called && c.version.from(3, 0) {
		seal = skipValidator
	}
	c.called = true
	args, ok := argumentsOf(made.Arguments)
	if !ok {
		args = append(jsonscan.AppendQuoted([]byte(`{"arguments":`), made.Arguments), '}')
	}
	c.dst = appendCall(comma(c.dst), made, args, seal)
}

func (c *contentWriter) takeSeal() string {
	seal := c.seal
	c.seal = ""
	return seal
}

// flush writes a seal behind which no part came as a part without text, as Google does.
func (c *contentWriter) flush() {
	if c.seal != "" {
		c.dst = appendText(comma(c.dst), "", c.takeSeal())
	}
}
