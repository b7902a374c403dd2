package bedrock

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// blockDelta is what a contentBlockDelta adds to a block; its kind is empty when that is nothing.
type blockDelta struct {
	block int64
	kind  neutral.PartKind
	delta neutral.Delta
}

// readDelta reads the data of a contentBlockDelta without building values of it, for most of a stream are such events.
func readDelta(data []byte) (blockDelta, error) {
	end, err := jsonscan.Value(data, jsonscan.Space(data, 0))
	if err != nil || jsonscan.Space(data, end) != len(data) || !utf8.Valid(data) {
		return blockDelta{}, errNotEvent
	}
	var d blockDelta
	if index := jsonscan.Lookup(data, "contentBlockIndex"); index != nil {
		if d.block, err = strconv.ParseInt(string(index), 10, 32); err != nil {
			return blockDelta{}, errNotEvent
		}
	}
	content := jsonscan.Lookup(data, "delta")
	for _, way := range deltaWays {
		if raw := jsonscan.Lookup(content, way.path...); raw != nil {
			return d, d.read(way, raw)
		}
	}
	return d, nil
}

// deltaWay is where a delta has something, and what that is added to.
type deltaWay struct {
	path []string
	kind neutral.PartKind
	// into is the member of the delta that it becomes.
	into deltaMember
}

// deltaMember is a member of neutral.Delta.
type deltaMember int

const (
	intoText deltaMember = iota
	intoSignature
	intoEncrypted
	intoCitation
)

// deltaWays are all ways, the most frequent first. A delta has one of them.
var deltaWays = [...]deltaWay{
	{path: []string{"text"}, kind: neutral.TextPart, into: intoText},
	{path: []string{"toolUse", "input"}, kind: neutral.ToolCallPart, into: intoText},
	{path: []string{"reasoningContent", "text"}, kind: neutral.ReasoningPart, into: intoText},
	{path: []string{"reasoningContent", "signature"}, kind: neutral.ReasoningPart, into: intoSignature},
	{path: []string{"reasoningContent", "redactedContent"}, kind: neutral.ReasoningPart, into: intoEncrypted},
	{path: []string{"citation"}, kind: neutral.TextPart, into: intoCitation},
}

// read takes in the value found. Empty texts begin nothing, for Bedrock sends one before most blocks.
func (d *blockDelta) read(way deltaWay, raw []byte) error {
	if way.into == intoCitation {
		var wire wireCitation
		if json.Unmarshal(raw, &wire) != nil {
			return errNotEvent
		}
		citation := wire.neutral()
		d.kind, d.delta.Citation = way.kind, &citation
		return nil
	}
	if string(raw) == "null" || string(raw) == `""` {
		return nil
	}
	if raw[0] != '"' {
		return errNotEvent
	}
	text, _ := jsonscan.Unquote(make([]byte, 0, len(raw)), raw)
	d.kind = way.kind
	switch way.into {
	case intoSignature:
		d.delta.Signature, d.delta.Origin = string(text), neutral.OriginAnthropic
	case intoEncrypted:
		d.delta.Encrypted, d.delta.Origin = string(text), neutral.OriginAnthropic
	default:
		d.delta.Text = string(text)
	}
	return nil
}
