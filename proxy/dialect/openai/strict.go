package openai

import (
	"bytes"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
)

// strictness says what is read for: OpenRouter's own client library checks all answers, and knows some members only with a value, where providers send null.
type strictness int

const (
	// lenient is for all other clients.
	lenient strictness = iota
	// strictAnswer is for a whole answer, which may have no null in its messages.
	strictAnswer
	// strictChunk is for a chunk, which may have none beside its choices either.
	strictChunk
)

// refuses tells whether a member of the answer itself must not be null.
func (s strictness) refuses(name []byte) bool {
	if s != strictChunk {
		return false
	}
	switch string(name) {
	case "usage", "system_fingerprint", "error":
		return true
	}
	return false
}

// refusesInside tells whether a member of a message or a delta must not be null.
func refusesInside(name []byte) bool {
	switch string(name) {
	case "tool_calls", "reasoning_details", "audio", "images":
		return true
	}
	return false
}

// drop has the null from start to end go, which is the value of a member that starts there.
func (d *document) drop(start, end int) {
	d.nulls = append(d.nulls, dialect.Patch{At: start, End: end})
}

// dropBeside looks at a member of the answer itself, whose value, which ends at end, is valid.
func (d *document) dropBeside(data []byte, member jsonscan.Member, end int) {
	if data[member.Value] == 'n' && d.strict.refuses(member.Name(data)) {
		d.drop(member.Start, end)
	}
}

// dropInside looks for nulls in a member of a message or a delta, whose value, which ends at end, is valid.
func (d *document) dropInside(data []byte, member jsonscan.Member, end int) {
	switch {
	case d.strict == lenient, !refusesInside(member.Name(data)):
	case data[member.Value] == 'n':
		d.drop(member.Start, end)
	case data[member.Value] == '[' && string(member.Name(data)) == "tool_calls":
		d.dropInCalls(data, member.Value)
	}
}

// dropInCalls takes the nulls out of the pieces of calls that start at data[at]: some servers send them in place of what came before.
func (d *document) dropInCalls(data []byte, at int) {
	walk := jsonscan.WalkArray(data, at)
	for call, ok := walk.Next(); ok; call, ok = walk.Next() {
		d.dropInObject(data, call)
	}
}

// dropInObject takes the nulls out of a call and its function.
func (d *document) dropInObject(data []byte, at int) {
	if data[at] != '{' {
		return
	}
	walk := jsonscan.WalkObject(data, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		switch {
		case data[member.Value] == 'n':
			d.drop(member.Start, walk.Skip())
		case string(member.Name(data)) == "function":
			d.dropInObject(data, member.Value)
		}
	}
}

// withoutNulls takes out the members that were found in the order of the text.
func withoutNulls(patches []dialect.Patch, data []byte, nulls []dialect.Patch) []dialect.Patch {
	taken := 0
	for _, null := range nulls {
		patch := withoutPatch(data, taken, null)
		patches, taken = append(patches, patch), patch.End
	}
	return patches
}

// withoutPatch takes out a member with one of the commas beside it. What stands before taken is out already.
func withoutPatch(data []byte, taken int, member dialect.Patch) dialect.Patch {
	before := bytes.TrimRight(data[:member.At], " \t\r\n")
	if comma := len(before) - 1; before[comma] == ',' && comma >= taken {
		return dialect.Patch{At: comma, End: member.End}
	}
	if after := jsonscan.Space(data, member.End); data[after] == ',' {
		return dialect.Patch{At: member.At, End: after + 1}
	}
	return member
}
