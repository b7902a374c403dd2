package responses

import (
	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
)

// NewAnnotation makes the response in the last event of a stream tell how it was routed.
func (Codec) NewAnnotation(dialect.Exchange) dialect.Annotation { return annotation{} }

type annotation struct{}

// Annotate returns a piece of the stream.
func (annotation) Annotate(piece []byte, member func() []byte) []byte {
	start, end := dialect.DataLine(piece, "response.completed", "response.incomplete")
	if start < 0 {
		return piece
	}
	walk := jsonscan.WalkObject(piece[:end], start)
	for m, ok := walk.Next(); ok; m, ok = walk.Next() {
		if string(m.Name(piece)) == "response" {
			return dialect.WithMember(piece, m.Value, member)
		}
	}
	return piece
}

// End returns the last piece.
func (a annotation) End(piece []byte, member func() []byte) []byte { return a.Annotate(piece, member) }
