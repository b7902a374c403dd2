package responses

import (
	"bytes"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
)

// sealName is the member that holds a seal, with its quotes. In JSON text it cannot stand inside a string, where quotes are escaped.
const sealName = `"encrypted_content"`

// eventTagger marks the seals in the events of a stream that passes, and completes the responses in them for strict clients.
type eventTagger struct {
	origin neutral.Origin
	strict bool
	output []byte
}

// concerns tells whether there may be something to do in an event; most have text only.
func (t *eventTagger) concerns(data []byte) bool {
	return bytes.Contains(data, []byte(sealName)) || t.strict && bytes.Contains(data, []byte(responseName))
}

// rewrite returns what the client gets of an event.
func (t *eventTagger) rewrite(event sse.Event) []byte {
	if !t.concerns(event.Data) {
		return event.Raw
	}
	patches := t.patches(event.Data)
	if len(patches) == 0 {
		return event.Raw
	}
	if event.DataAt >= 0 {
		t.output = append(t.output[:0], event.Raw[:event.DataAt]...)
		t.output = dialect.Apply(t.output, event.Data, patches)
		t.output = append(t.output, event.Raw[event.DataAt+len(event.Data):]...)
		return t.output
	}
	// Data of several lines becomes one: in JSON a line feed can only stand between tokens.
	t.output = append(t.output[:0], "event: "...)
	t.output = append(append(t.output, event.Name...), "\ndata: "...)
	start := len(t.output)
	t.output = dialect.Apply(t.output, event.Data, patches)
	for i, c := range t.output[start:] {
		if c == '\n' {
			t.output[start+i] = ' '
		}
	}
	t.output = append(t.output, "\n\n"...)
	return t.output
}

// patches looks for seals in the item or the response that an event holds, and for what the response lacks.
func (t *eventTagger) patches(data []byte) []dialect.Patch {
	var patches []dialect.Patch
	walk := jsonscan.WalkObject(data, jsonscan.Space(data, 0))
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		if data[member.Value] != '{' {
			continue
		}
		switch string(member.Name(data)) {
		case "item":
			patches = tagItem(patches, data, member.Value, t.origin)
		case "response":
			patches = tagOutput(patches, data, member.Value, t.origin)
			if t.strict {
				patches = complete(patches, data, member.Value)
			}
		}
	}
	return patches
}

// tagOutput marks the seals of a response, which starts at data[at].
func tagOutput(patches []dialect.Patch, data []byte, at int, origin neutral.Origin) []dialect.Patch {
	walk := jsonscan.WalkObject(data, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		if data[member.Value] != '[' || string(member.Name(data)) != "output" {
			continue
		}
		items := jsonscan.WalkArray(data, member.Value)
		for at, ok := items.Next(); ok; at, ok = items.Next() {
			if data[at] == '{' {
				patches = tagItem(patches, data, at, origin)
			}
		}
	}
	return patches
}

// tagItem marks the seal of an item, which starts at data[at].
func tagItem(patches []dialect.Patch, data []byte, at int, origin neutral.Origin) []dialect.Patch {
	i := readSealedItem(data, at)
	if i.sealed.end == 0 {
		return patches
	}
	seal := unquoted(data[i.sealed.start:i.sealed.end])
	if _, bare := neutral.OpenSeal(origin, seal); bare != seal { // The upstream is a proxy like this one.
		return patches
	}
	tagged := neutral.TagSeal(placed(origin, i.format), seal)
	return append(patches, dialect.Patch{At: i.sealed.start, End: i.sealed.end, Text: string(quoted(tagged))})
}
