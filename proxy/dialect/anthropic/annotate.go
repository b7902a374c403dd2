package anthropic

import "signalbox.dev/signalbox/proxy/dialect"

// NewAnnotation makes the last event of a stream tell how it was routed.
func (Messages) NewAnnotation(dialect.Exchange) dialect.Annotation { return annotation{} }

type annotation struct{}

// Annotate returns a piece of the stream.
func (annotation) Annotate(piece []byte, member func() []byte) []byte {
	start, _ := dialect.DataLine(piece, "message_stop")
	if start < 0 {
		return piece
	}
	return dialect.WithMember(piece, start, member)
}

// End returns the last piece.
func (a annotation) End(piece []byte, member func() []byte) []byte { return a.Annotate(piece, member) }
