package journal

import (
	"errors"
	"fmt"
	"io"
)

// chunkBytes is how much of a segment is read at a time. It holds the largest frame.
const chunkBytes = maxPayload + frameHeader + 64<<10

// walk visits the whole frames of a segment between two offsets, until visit returns false. Bytes that are no frame are skipped and counted. Payloads are valid
// during visit only.
func walk(text io.ReaderAt, from, size int64, visit func(frame) bool) (skipped int64, err error) {
	chunk := make([]byte, min(chunkBytes, max(0, size-from)))
	for at := from; at < size; {
		part := chunk[:min(int64(len(chunk)), size-at)]
		if n, err := text.ReadAt(part, at); n < len(part) {
			return skipped, fmt.Errorf("reading a segment: %w", orUnexpected(err))
		}
		last := at+int64(len(part)) == size
		for {
			found, garbage, ok := scan(part, at)
			if !ok && last {
				return skipped + int64(len(part)), nil
			}
			skipped += garbage
			at += garbage
			if !ok {
				break
			}
			if !visit(found) {
				return skipped, nil
			}
			part = part[found.end-at+garbage:]
			at = found.end
		}
	}
	return skipped, nil
}

// orUnexpected names the end of a file that is shorter than it was.
func orUnexpected(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
