package dialect

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
)

// prefixHash is a hash of texts in their order. It is the same in all processes and versions of the proxy, for replicas must agree on it; it keeps no secret.
type prefixHash struct {
	sum uint64
	// word holds the bytes that do not fill eight yet, the first of them lowest; size is the length of the open text.
	word uint64
	size uint64
	// texts is the number of texts that have ended.
	texts uint64
}

// The multipliers are odd and have their bits well spread.
const (
	firstFactor  = 0x9E3779B97F4A7C15
	secondFactor = 0xC2B2AE3D27D4EB4F
)

// add adds a piece of the open text. Into how many pieces a text is cut makes no difference.
func (h *prefixHash) add(piece []byte) {
	shift := h.size % 8 * 8
	h.size += uint64(len(piece))
	for ; len(piece) >= 8; piece = piece[8:] {
		next := binary.LittleEndian.Uint64(piece)
		h.mix(h.word | next<<shift)
		h.word = next >> (64 - shift) // 0 where nothing is left over: Go shifts by 64.
	}
	for _, c := range piece {
		h.word |= uint64(c) << shift
		if shift += 8; shift == 64 {
			h.mix(h.word)
			h.word, shift = 0, 0
		}
	}
}

func (h *prefixHash) mix(word uint64) {
	h.sum = bits.RotateLeft64(h.sum^word*secondFactor, 27) * firstFactor
}

// end ends the open text, so that texts do not run into each other.
func (h *prefixHash) end() {
	h.mix(h.word)
	h.mix(^h.size)
	h.word, h.size = 0, 0
	h.texts++
}

// value is the hash of all texts that have ended.
func (h *prefixHash) value() uint64 {
	x := h.sum ^ h.sum>>32
	x *= secondFactor
	return x ^ x>>29
}

// cacheMark is the name of the member by which clients mark what is worth caching. They move the mark from turn to turn.
const cacheMark = `"cache_control"`

// addUnmarked adds a checked JSON text as if there had never been cache marks in it.
func (h *prefixHash) addUnmarked(raw []byte) {
	for {
		start, end := findMark(raw)
		if start < 0 {
			h.add(raw)
			return
		}
		h.add(raw[:start])
		raw = raw[end:]
	}
}

// findMark returns where the first cache mark of a checked JSON text starts and ends, with the comma that goes with it; -1 without one. A name stands behind a
// bracket, a comma or a blank: inside of a string there is a backslash before every quote.
func findMark(raw []byte) (start, end int) {
	for from := 0; ; {
		at := bytes.Index(raw[from:], []byte(cacheMark))
		if at < 0 {
			return -1, 0
		}
		at += from
		from = at + len(cacheMark)
		colon := jsonscan.Space(raw, from)
		if at == 0 || colon == len(raw) || raw[colon] != ':' || bytes.IndexByte([]byte("{, \t\r\n"), raw[at-1]) < 0 {
			continue
		}
		valueEnd, err := jsonscan.Value(raw, jsonscan.Space(raw, colon+1))
		if err != nil {
			return -1, 0
		}
		before := bytes.TrimRight(raw[:at], " \t\r\n")
		if bytes.HasSuffix(before, []byte{','}) {
			return len(before) - 1, valueEnd
		}
		if next := jsonscan.Space(raw, valueEnd); next < len(raw) && raw[next] == ',' {
			valueEnd = jsonscan.Space(raw, next+1)
		}
		return at, valueEnd
	}
}
