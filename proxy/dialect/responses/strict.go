package responses

import (
	"bytes"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
)

// responseName is the member of an event that holds the response, with its quotes; see sealName.
const responseName = `"response"`

// strict tells whether answers that pass are to have all that OpenRouter's own client library checks for. OpenRouter's have it.
func strict(o *dialect.Exchange) bool {
	return o.Flavor == dialect.OpenRouterFlavor && o.Provider != "OpenRouter"
}

// required are the members that a response must have, most of which may be null.
func required() []struct{ name, usual string } {
	return []struct{ name, usual string }{
		{"completed_at", "null"}, {"error", "null"}, {"frequency_penalty", "null"}, {"incomplete_details", "null"}, {"instructions", "null"}, {"metadata", "null"},
		{"parallel_tool_calls", "true"}, {"presence_penalty", "null"}, {"temperature", "null"}, {"tool_choice", `"auto"`}, {"tools", "[]"}, {"top_p", "null"},
	}
}

// complete gives the response that starts at data[at], which was read before, the members that it lacks.
func complete(patches []dialect.Patch, data []byte, at int) []dialect.Patch {
	var missing []byte
	members := required()
	var seen uint
	walk := jsonscan.WalkObject(data, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		for i := range members {
			if string(member.Name(data)) == members[i].name {
				seen |= 1 << i
			}
		}
	}
	if end, err := walk.End(); err != nil || jsonscan.Space(data, at+1) == end-1 {
		return patches
	}
	for i, member := range members {
		if seen&(1<<i) == 0 {
			missing = append(append(append(append(missing, '"'), member.name...), `":`...), member.usual...)
			missing = append(missing, ',')
		}
	}
	if len(missing) == 0 {
		return patches
	}
	return append(patches, dialect.Patch{At: at + 1, End: at + 1, Text: string(missing)})
}

// tagAnswer marks the seals of an answer, which was read before, with their origin, and completes it for strict clients.
func tagAnswer(body []byte, o *dialect.Exchange) []byte {
	var patches []dialect.Patch
	at := jsonscan.Space(body, 0)
	if bytes.Contains(body, []byte(sealName)) {
		patches = tagOutput(patches, body, at, o.Origin)
	}
	if strict(o) {
		patches = complete(patches, body, at)
	}
	if len(patches) == 0 {
		return body
	}
	return dialect.Apply(make([]byte, 0, len(body)+64*len(patches)), body, patches)
}
