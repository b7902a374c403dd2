package bedrock

import (
	"encoding/binary"
	"hash/crc32"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// stringHeader is the type of a header whose value is a string.
const stringHeader = 7

// frame is an event in AWS's binary form: lengths and their checksum, headers, payload, checksum of all.
func frame(e core.Event) []byte {
	var headers []byte
	add := func(name, value string) {
		headers = append(headers, byte(len(name)))
		headers = append(headers, name...)
		headers = append(headers, stringHeader)
		headers = binary.BigEndian.AppendUint16(headers, uint16(len(value)))
		headers = append(headers, value...)
	}
	if e.Exception {
		add(":exception-type", e.Name)
		add(":content-type", "application/json")
		add(":message-type", "exception")
	} else {
		add(":event-type", e.Name)
		add(":content-type", "application/json")
		add(":message-type", "event")
	}
	const overhead = 16 // two lengths and two checksums of four bytes
	out := binary.BigEndian.AppendUint32(nil, uint32(overhead+len(headers)+len(e.Data)))
	out = binary.BigEndian.AppendUint32(out, uint32(len(headers)))
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
	out = append(out, headers...)
	out = append(out, e.Data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
}
