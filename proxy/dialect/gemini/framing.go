package gemini

// framing is how the chunks of a stream are put on the wire: as server-sent events, or as the elements of one JSON array, which is what Google sends to those
// who do not ask for events. It knows whether the array was opened.
type framing struct {
	array, opened bool
}

// begin appends what stands before a chunk.
func (f *framing) begin(dst []byte) []byte {
	switch {
	case !f.array:
		return append(dst, "data: "...)
	case f.opened:
		return append(dst, ",\r\n"...)
	}
	f.opened = true
	return append(dst, '[')
}

// finish appends what stands behind a chunk.
func (f *framing) finish(dst []byte) []byte {
	if f.array {
		return dst
	}
	return append(dst, "\r\n\r\n"...)
}

// end appends what stands behind the last chunk.
func (f *framing) end(dst []byte) []byte {
	if !f.array {
		return dst
	}
	if !f.opened {
		dst = append(dst, '[')
	}
	return append(dst, "]\n"...)
}

// NextSequence is 0 before the first element of the array, and 1 afterwards.
func (f *framing) NextSequence() int64 {
	if f.array && f.opened {
		return 1
	}
	return 0
}
