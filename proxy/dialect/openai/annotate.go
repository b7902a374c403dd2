package openai

import (
	"bytes"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
)

// NewAnnotation adds a chunk to a stream of chat completions that tells how it was routed.
func (Chat) NewAnnotation(o dialect.Exchange) dialect.Annotation {
	return &annotation{o: o, object: "chat.completion.chunk"}
}

// NewAnnotation adds a chunk to a stream of completions that tells how it was routed.
func (Text) NewAnnotation(o dialect.Exchange) dialect.Annotation {
	return &annotation{o: o, object: "text_completion"}
}

// annotation adds a last chunk, without choices, in front of [DONE], behind which nothing is read.
type annotation struct {
	o      dialect.Exchange
	object string
	// first is the first chunk, whose id the last one has, too.
	first []byte
}

// Annotate returns a piece of the stream, with the chunk if it is the end.
func (a *annotation) Annotate(piece []byte, member func() []byte) []byte {
	if a.first == nil {
		if start, end := dialect.DataLine(piece); start >= 0 {
			a.first = bytes.Clone(piece[start:end])
		}
	}
	at := doneAt(piece)
	if at < 0 {
		return piece
	}
	return a.insert(piece, at, member)
}

// End returns the last piece of a stream that had no [DONE].
func (a *annotation) End(piece []byte, member func() []byte) []byte {
	at := doneAt(piece)
	if at < 0 {
		at = len(piece)
	}
	return a.insert(piece, at, member)
}

func (a *annotation) insert(piece []byte, at int, member func() []byte) []byte {
	out := append(bytes.Clone(piece[:at]), "data: {"...)
	for _, m := range [...]struct{ name, other string }{{"id", answerID(&a.o)}, {"object", a.object}, {"created", ""}, {"model", answerModel("", &a.o)}, {"provider", ""}} {
		switch value := jsonscan.Lookup(a.first, m.name); {
		case value != nil:
			out = appendRaw(out, m.name, value)
		case m.other != "":
			out = appendText(out, m.name, m.other)
		case m.name == "created":
			out = appendInteger(out, m.name, a.o.Created)
		}
	}
	out = append(append(appendRaw(out, "choices", "[]"), ','), member()...)
	return append(append(out, "}\n\n"...), piece[at:]...)
}

// doneAt is where [DONE] begins, which is the last event of what holds it; -1 without.
func doneAt(piece []byte) int {
	trimmed := bytes.TrimRight(piece, "\r\n \t")
	at := bytes.LastIndexAny(trimmed, "\r\n") + 1
	if line, is := bytes.CutPrefix(trimmed[at:], []byte("data:")); is && string(bytes.TrimSpace(line)) == "[DONE]" {
		return at
	}
	return -1
}
