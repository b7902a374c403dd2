package responses

import (
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// sealedItem is what of an item tells of its seals.
type sealedItem struct {
	kind string
	// format is who sealed it, where the item tells.
	format neutral.Origin
	// signed tells that it has a signature, and sealed is where its encrypted content stands; empty when there is none.
	signed bool
	sealed span
}

// readSealedItem reads the item that starts at data[at] and was checked.
func readSealedItem(data []byte, at int) sealedItem {
	var i sealedItem
	walk := jsonscan.WalkObject(data, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		end := walk.Skip()
		if data[member.Value] != '"' || end-member.Value <= len(`""`) {
			continue
		}
		switch string(member.Name(data)) {
		case "type":
			i.kind = unquoted(data[member.Value:end])
		case "format":
			i.format = neutral.Origin(unquoted(data[member.Value:end]))
		case "signature":
			i.signed = true
		case "encrypted_content":
			i.sealed = span{start: member.Value, end: end}
		}
	}
	return i
}

// of tells whether the item may be of this origin, by its own word.
func (i sealedItem) of(origin neutral.Origin) bool {
	return i.format == neutral.NoOrigin || i.format == neutral.OriginUnknown || i.format == origin
}
