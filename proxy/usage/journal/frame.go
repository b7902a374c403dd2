package journal

import (
	"encoding/binary"
	"hash/crc32"
)

// A segment is a header and frames. A frame is two bytes of magic, the kind, the length of the payload, a CRC over kind, length and payload, and the payload.
const (
	segmentFamily = "signalbox-journal/"
	segmentHeader = segmentFamily + "1\n"
	frameMagic0   = 0xA7
	frameMagic1   = 0x5B
	frameHeader   = 11
	// maxPayload bounds a frame; a normalised record with its settlements is far below.
	maxPayload = 256 << 10
)

// kind says what a frame holds.
type kind byte

const (
	// kindBegin holds an Attempt.
	kindBegin kind = 1
	// kindEnd holds a record and settlements.
	kindEnd kind = 2
	// kindDrop holds the id of a request.
	kindDrop kind = 3
	// kindSettled holds the latest settlement of a counter of this run, carried on from a segment that is gone.
	kindSettled kind = 4
	// kindRecovered holds what is known of a counter of an earlier run. It takes in all claims on that counter.
	kindRecovered kind = 5
)

// checksum is CRC-32C, which most processors compute by themselves.
func checksum(body []byte) uint32 {
	return crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))
}

// openFrame begins a frame in an empty buffer; closeFrame ends it.
func openFrame(buffer []byte, k kind) []byte {
	return append(buffer[:0], frameMagic0, frameMagic1, 0, 0, 0, 0, byte(k), 0, 0, 0, 0)
}

// closeFrame fills in length and checksum. Layout: magic, magic, CRC (4), kind, length (4), payload.
func closeFrame(frame []byte) []byte {
	binary.LittleEndian.PutUint32(frame[7:], uint32(len(frame)-frameHeader)) //nolint:gosec // bounded by what a normalised record can hold
	binary.LittleEndian.PutUint32(frame[2:], checksum(frame[6:]))
	return frame
}

// frame is one that was found.
type frame struct {
	kind    kind
	payload []byte
	// start and end are offsets in the segment.
	start, end int64
}

// scan looks for the first whole frame in text, which starts at an offset of its segment. skipped is how many bytes before it are no frame. Without a frame ok is
// false, and skipped is how many bytes cannot be the beginning of one.
func scan(text []byte, at int64) (found frame, skipped int64, ok bool) {
	begun := len(text) // where a frame may begin that goes on behind the text
	for i := range text {
		rest := text[i:]
		if rest[0] != frameMagic0 || len(rest) > 1 && rest[1] != frameMagic1 {
			continue
		}
		if len(rest) < frameHeader {
			begun = min(begun, i)
			continue
		}
		length := binary.LittleEndian.Uint32(rest[7:])
		if length > maxPayload {
			continue
		}
		size := frameHeader + int(length)
		if size > len(rest) {
			begun = min(begun, i)
			continue
		}
		if binary.LittleEndian.Uint32(rest[2:]) != checksum(rest[6:size]) {
			continue
		}
		start := at + int64(i)
		return frame{kind: kind(rest[6]), payload: rest[frameHeader:size:size], start: start, end: start + int64(size)}, int64(i), true
	}
	return frame{}, int64(begun), false
}
