package neutral

import "strings"

// sealPrefix begins a seal that crossed to a surface of another vendor. It is followed by the origin, a colon and the seal itself.
const sealPrefix = "sb1:"

// TagSeal marks a seal (a signature, or encrypted thinking) with its origin, for surfaces whose own seals are of another one: so it comes back to where it
// can be read, and nowhere else.
func TagSeal(origin Origin, seal string) string { return sealPrefix + string(origin) + ":" + seal }

// OpenSeal takes a seal from a request apart. One without a mark is of the surface's own origin, native.
func OpenSeal(native Origin, seal string) (Origin, string) {
	rest, tagged := strings.CutPrefix(seal, sealPrefix)
	if !tagged {
		return native, seal
	}
	origin, seal, ok := strings.Cut(rest, ":")
	if !ok {
		return OriginUnknown, rest
	}
	return Origin(origin), seal
}

// SplitDataURL takes a data: URL in base64 apart; false when it is none.
func SplitDataURL(url string) (mime, data string, ok bool) {
	rest, ok := strings.CutPrefix(url, "data:")
	if !ok {
		return "", "", false
	}
	head, data, ok := strings.Cut(rest, ",")
	if !ok {
		return "", "", false
	}
	head, ok = strings.CutSuffix(head, ";base64")
	if !ok {
		return "", "", false
	}
	mime, _, _ = strings.Cut(head, ";")
	return strings.ToLower(mime), data, true
}

// OutputTool is the name of the tool that stands in for a structured answer, where a target knows tools only: writers of requests add it and demand a call of
// it; readers of answers turn its arguments back into the text of the answer, with FinishStop.
const OutputTool = "sb_json_output"
