package responses

import (
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// objectOf is an object of members.
func objectOf(members []neutral.Member) []byte {
	dst := []byte("{")
	for i, member := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(jsonscan.AppendQuoted(dst, member.Name), ':')
		dst = append(dst, member.Value...)
	}
	return append(dst, '}')
}
