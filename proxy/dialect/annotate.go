package dialect

import (
	"bytes"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
)

// Annotator is a surface whose answers can tell how they were routed, for clients that ask for it.
type Annotator interface {
	// NewAnnotation goes over one stream.
	NewAnnotation(o Exchange) Annotation
}

// Annotation puts a member into the last event of a stream. It gets all that the client gets, piece by piece; pieces hold whole events. member returns the
// member with its name, and is asked once, at the end.
type Annotation interface {
	// Annotate returns a piece, with the member where it ends the stream.
	Annotate(piece []byte, member func() []byte) []byte
	// End returns the last piece of a stream that is whole.
	End(piece []byte, member func() []byte) []byte
}

// annotateAnswer makes an answer tell how it was routed, if the client asked for it and the surface has a place for it.
func annotateAnswer(a Answer, surface any, o *Exchange) Answer {
	if _, ok := surface.(Annotator); !ok || o.Metadata == nil {
		return a
	}
	return &annotatedAnswer{Answer: a, metadata: o.Metadata}
}

type annotatedAnswer struct {
	Answer
	metadata func() *RoutingMetadata
}

// Body is what the client gets.
func (a *annotatedAnswer) Body(used meter.Usage) []byte {
	body := a.Answer.Body(used)
	return WithMember(body, jsonscan.Space(body, 0), func() []byte { return appendRouting(nil, a.metadata()) })
}

// WithRouting returns the body of an error reply with how the call was routed, if the client asked for it.
func (e *ErrorReply) WithRouting(body []byte) []byte {
	if e.Routing == nil {
		return body
	}
	return WithMember(body, 0, func() []byte { return appendRouting(nil, e.Routing) })
}

// WithMember returns data with one more member in the object that starts at an offset, behind its others; data itself where there is no object.
func WithMember(data []byte, at int, member func() []byte) []byte {
	if at >= len(data) || data[at] != '{' {
		return data
	}
	end, err := jsonscan.Value(data, at)
	if err != nil {
		return data
	}
	added := member()
	out := append(make([]byte, 0, len(data)+len(added)+1), data[:end-1]...)
	if jsonscan.Space(data, at+1) < end-1 {
		out = append(out, ',')
	}
	return append(append(out, added...), data[end-1:]...)
}

// DataLine finds the line of data, in a piece of a stream, whose JSON text is of a type among kinds; it returns where that text starts and ends in the piece,
// -1 without one.
func DataLine(piece []byte, kinds ...string) (start, end int) {
	for from := 0; from < len(piece); {
		next := len(piece)
		if newline := bytes.IndexAny(piece[from:], "\r\n"); newline >= 0 {
			next = from + newline
		}
		line, is := bytes.CutPrefix(piece[from:next], []byte("data:"))
		if is && isOfKind(bytes.TrimSpace(line), kinds) {
			at := next - len(line)
			return jsonscan.Space(piece, at), next
		}
		from = next + 1
	}
	return -1, -1
}

func isOfKind(line []byte, kinds []string) bool {
	if end, err := jsonscan.Value(line, 0); len(line) == 0 || line[0] != '{' || err != nil || end != len(line) {
		return false
	}
	kind := jsonscan.Lookup(line, "type")
	for _, wanted := range kinds {
		if len(kind) == len(wanted)+2 && string(kind[1:len(kind)-1]) == wanted {
			return true
		}
	}
	return len(kinds) == 0
}

// annotateStream is annotateAnswer for streams.
func annotateStream(s Stream, surface any, o *Exchange) Stream {
	annotator, ok := surface.(Annotator)
	if !ok || o.Metadata == nil {
		return s
	}
	return &annotatedStream{Stream: s, annotation: annotator.NewAnnotation(*o), metadata: o.Metadata}
}

type annotatedStream struct {
	Stream
	annotation Annotation
	metadata   func() *RoutingMetadata
}

func (s *annotatedStream) member() []byte { return appendRouting(nil, s.metadata()) }

// Next takes in an event.
func (s *annotatedStream) Next(event sse.Event) (Step, error) {
	step, err := s.Stream.Next(event)
	if err == nil && len(step.Output) > 0 {
		step.Output = s.annotation.Annotate(step.Output, s.member)
	}
	return step, err
}

// End tells whether the stream was whole.
func (s *annotatedStream) End() ([]byte, bool) {
	piece, whole := s.Stream.End()
	if whole {
		piece = s.annotation.End(piece, s.member)
	}
	return piece, whole
}

// NextSequence is the number of the event that comes next.
func (s *annotatedStream) NextSequence() int64 { return nextSequence(s.Stream) }
