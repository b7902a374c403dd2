package responses

import (
	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// Codec reads and writes the Responses API.
type Codec struct {
	// Origin says who seals the thoughts in what is read from an upstream; nobody can place those that are read without it.
	Origin neutral.Origin
}

var (
	_ dialect.Annotator          = Codec{}
	_ dialect.Demander           = Codec{}
	_ dialect.Inspector          = Codec{}
	_ dialect.Passer             = Codec{}
	_ dialect.GenerationSurface  = Codec{}
	_ dialect.GenerationUpstream = Codec{}
	_ dialect.Sealed             = Codec{}
)

// SealedBy returns the codec for an upstream whose seals are of this origin.
func (Codec) SealedBy(origin neutral.Origin) dialect.GenerationUpstream { return Codec{Origin: origin} }

// ReadPassed reads an upstream's whole answer. The error is a *dialect.AnswerError.
func (c Codec) ReadPassed(body []byte, o dialect.Exchange) (dialect.Answer, error) {
	read, err := c.ReadResponse(body)
	if err != nil {
		return nil, err
	}
	tag := func(body []byte, _ meter.Usage) []byte { return tagAnswer(body, &o) }
	return dialect.NewPassingAnswer(body, read, tag), nil
}

// NewPassedStream goes over the events of an upstream's stream.
func (Codec) NewPassedStream(o dialect.Exchange) dialect.Stream {
	reader := &streamReader{origin: placed(o.Origin), passing: true}
	tagger := &eventTagger{origin: o.Origin, strict: strict(&o)}
	return dialect.NewPassingStream(reader, tagger.rewrite)
}

// NewStreamReader reads one stream.
func (c Codec) NewStreamReader() dialect.StreamReader {
	return &streamReader{origin: placed(c.Origin)}
}

// NewStreamWriter writes one stream.
func (Codec) NewStreamWriter(o dialect.Exchange) dialect.StreamWriter {
	return newStreamWriter(o)
}
