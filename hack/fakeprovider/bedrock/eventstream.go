package bedrock

import (
	"encoding/binary"
	"hash/crc32"
	"slices"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// stringHeader is the type of a header whose value is a string.
const stringHeader = 7

// frame is an event in AWS's binary form: lengths and their checksum, headers, payload, checksum of all.
func frame(e core.Event) []byte {
	kind, message := ":event-type", "event"
	if e.Exception {
		kind, message = ":exception-type", "exception"
	}
	headers := slices.Concat(header(kind, e.Name), header(":content-type", "application/json"), header(":message-type", message))
	const overhead = 16 // two lengths and two checksums of four bytes
	out := slices.Concat(number(overhead+len(headers)+len(e.Data), 4), number(len(headers), 4))
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
	out = slices.Concat(out, headers, e.Data)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
}

// header is a header with a string.
func header(name, value string) []byte {
	return slices.Concat(number(len(name), 1), []byte(name), []byte{stringHeader}, number(len(value), 2), []byte(value))
}

// number writes the last bytes of a length, big-endian.
func number(n, bytes int) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(max(0, n)))[8-bytes:]
}
