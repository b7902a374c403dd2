package awsstream

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

const (
	// preludeBytes are the two lengths at a frame's beginning and their checksum.
	preludeBytes = 12
	// checksumBytes end a frame.
	checksumBytes = 4
)

// The problems of a frame. They hold nothing of it.
var (
	errLengths  = errors.New("a frame of the stream has impossible lengths")
	errChecksum = errors.New("a frame of the stream has a wrong checksum")
	errHeaders  = errors.New("the headers of a frame cannot be read")
	errMessage  = errors.New("a frame of the stream is of an unknown type")
	errPayload  = errors.New("a chunk of the stream cannot be read")
)

// frame is one message of the stream. Its slices are parts of the reader's buffer.
type frame struct {
	// messageType, eventType and exceptionType are the headers of these names, and errorCode and errorMessage those of messages of type "error".
	messageType, eventType, exceptionType []byte
	errorCode, errorMessage               []byte
	payload                               []byte
}

// prelude checks the first preludeBytes of a frame and returns its length.
func prelude(data []byte) (int, error) {
	total, headers := binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:])
	if crc32.ChecksumIEEE(data[:8]) != binary.BigEndian.Uint32(data[8:]) {
		return 0, errChecksum
	}
	if total < preludeBytes+checksumBytes || headers > total-preludeBytes-checksumBytes {
		return 0, errLengths
	}
	return int(total), nil
}

// readFrame reads a whole frame, whose prelude was checked.
func readFrame(data []byte) (frame, error) {
	end := len(data) - checksumBytes
	if crc32.ChecksumIEEE(data[:end]) != binary.BigEndian.Uint32(data[end:]) {
		return frame{}, errChecksum
	}
	headersEnd := preludeBytes + int(binary.BigEndian.Uint32(data[4:]))
	f := frame{payload: data[headersEnd:end]}
	err := f.readHeaders(data[preludeBytes:headersEnd])
	return f, err
}

// readHeaders picks the headers that count. Of two of the same name the later one counts, as in AWS's own readers.
func (f *frame) readHeaders(data []byte) error {
	for len(data) > 0 {
		nameEnd := 1 + int(data[0])
		if len(data) <= nameEnd {
			return errHeaders
		}
		name := data[1:nameEnd]
		text, size, ok := headerValue(data[nameEnd:])
		if !ok {
			return errHeaders
		}
		data = data[nameEnd+size:]
		f.set(string(name), text)
	}
	return nil
}

func (f *frame) set(name string, text []byte) {
	switch name {
	case ":message-type":
		f.messageType = text
	case ":event-type":
		f.eventType = text
	case ":exception-type":
		f.exceptionType = text
	case ":error-code":
		f.errorCode = text
	case ":error-message":
		f.errorMessage = text
	}
}

// The types of header values.
const (
	typeTrue byte = iota
	typeFalse
	typeByte
	typeShort
	typeInteger
	typeLong
	typeBytes
	typeString
	typeTimestamp
	typeUUID
)

// headerValue reads the value that data begins with: its text if it is a string, and the size of all of it.
func headerValue(data []byte) (text []byte, size int, ok bool) {
	switch data[0] {
	case typeTrue, typeFalse:
		size = 1
	case typeByte:
		size = 1 + 1
	case typeShort:
		size = 1 + 2
	case typeInteger:
		size = 1 + 4
	case typeLong, typeTimestamp:
		size = 1 + 8
	case typeUUID:
		size = 1 + 16
	case typeBytes, typeString:
		if len(data) < 3 {
			return nil, 0, false
		}
		size = 3 + int(binary.BigEndian.Uint16(data[1:]))
	default:
		return nil, 0, false
	}
	if len(data) < size {
		return nil, 0, false
	}
	if data[0] == typeString {
		text = data[3:size]
	}
	return text, size, true
}
