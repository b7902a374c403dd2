package dialect

import (
	"errors"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
)

// Inbound is a client's request. What is read of it beyond its head is read once, however many targets it is written for. It belongs to one goroutine.
type Inbound struct {
	// Body is what the client sent, and Head what was read of it. Body is nil once it is needed no more.
	Body []byte
	Head Head

	generation *neutral.Request
	embedding  *neutral.EmbeddingRequest
	rerank     *neutral.RerankRequest
}

// Tell puts into an exchange what was read of the request beyond its head.
func (in *Inbound) Tell(o *Exchange) {
	o.Request, o.Embedding, o.Rerank = in.generation, in.embedding, in.rerank
}

// Joint is a surface joined to an upstream: it writes requests for the upstream, and for the client what the upstream answers.
type Joint interface {
	// AppendRequest appends the request for a target. The error is a *RequestError or a *neutral.UnsupportedError.
	AppendRequest(dst []byte, in *Inbound, to Target) ([]byte, neutral.Report, error)
	// ReadAnswer reads a whole answer of status 200. The error is an *AnswerError.
	ReadAnswer(body []byte, o Exchange) (Answer, error)
	// NewStream goes over a stream.
	NewStream(o Exchange) Stream
}

// Pass joins a surface and an upstream of the same API.
func Pass(p Passer) Joint { return passing{p} }

type passing struct{ Passer }

// AppendRequest passes the request on.
func (p passing) AppendRequest(dst []byte, in *Inbound, to Target) ([]byte, neutral.Report, error) {
	return p.AppendPassed(dst, in.Body, in.Head, to.withPreferences())
}

// ReadAnswer reads an answer that passes.
func (p passing) ReadAnswer(body []byte, o Exchange) (Answer, error) {
	answer, err := p.ReadPassed(body, o)
	if err != nil {
		return nil, err
	}
	return annotateAnswer(answer, p.Passer, &o), nil
}

// NewStream goes over a stream that passes.
func (p passing) NewStream(o Exchange) Stream {
	return annotateStream(p.NewPassedStream(o), p.Passer, &o)
}

// CrossGeneration joins two APIs of the Generation family.
func CrossGeneration(surface GenerationSurface, upstream GenerationUpstream) Joint {
	return generation{surface: surface, upstream: upstream}
}

type generation struct {
	surface  GenerationSurface
	upstream GenerationUpstream
}

// AppendRequest translates the request.
func (g generation) AppendRequest(dst []byte, in *Inbound, to Target) ([]byte, neutral.Report, error) {
	if in.generation == nil {
		request, err := g.surface.ReadRequest(in.Body, in.Head)
		if err != nil {
			return dst, neutral.Report{}, err
		}
		request.SettleResults()
		in.generation = request
	}
	return g.upstream.AppendRequest(dst, limited(in.generation, &to), to.withPreferences())
}

// ReadAnswer reads an answer that is to be translated.
func (g generation) ReadAnswer(body []byte, o Exchange) (Answer, error) {
	read, err := g.sealed(o).ReadResponse(body)
	if err != nil {
		return nil, err
	}
	return annotateAnswer(&crossingAnswer{read: read, surface: g.surface, call: o}, g.surface, &o), nil
}

// NewStream translates a stream.
func (g generation) NewStream(o Exchange) Stream {
	return annotateStream(NewCrossingStream(g.sealed(o).NewStreamReader(), g.surface.NewStreamWriter(o)), g.surface, &o)
}

// sealed is the upstream, knowing who seals the thoughts in its answers.
func (g generation) sealed(o Exchange) GenerationUpstream {
	if upstream, ok := g.upstream.(Sealed); ok {
		return upstream.SealedBy(o.Origin)
	}
	return g.upstream
}

// CrossEmbedding joins two APIs of the Embedding family.
func CrossEmbedding(surface EmbeddingSurface, upstream EmbeddingUpstream) Joint {
	return &embedding{surface: surface, upstream: upstream}
}

type embedding struct {
	noStream
	surface  EmbeddingSurface
	upstream EmbeddingUpstream
}

// AppendRequest translates the request.
func (e *embedding) AppendRequest(dst []byte, in *Inbound, to Target) ([]byte, neutral.Report, error) {
	if in.embedding == nil {
		request, err := e.surface.ReadEmbeddings(in.Body)
		if err != nil {
			return dst, neutral.Report{}, err
		}
		in.embedding = request
	}
	return e.upstream.AppendEmbeddingRequest(dst, in.embedding, to.withPreferences())
}

// ReadAnswer reads an answer that is to be translated.
func (e *embedding) ReadAnswer(body []byte, o Exchange) (Answer, error) {
	read, err := e.upstream.ReadEmbeddingResponse(body)
	if err != nil {
		return nil, err
	}
	write := func(used meter.Usage) []byte {
		written := *read
		written.Usage = &used
		return e.surface.AppendEmbeddings(nil, &written, o.Embedding, o)
	}
	return &unaryAnswer{usage: read.Usage, write: write}, nil
}

// CrossRerank joins two APIs of the Reranking family.
func CrossRerank(surface RerankSurface, upstream RerankUpstream) Joint {
	return &reranking{surface: surface, upstream: upstream}
}

type reranking struct {
	noStream
	surface  RerankSurface
	upstream RerankUpstream
}

// AppendRequest translates the request.
func (r *reranking) AppendRequest(dst []byte, in *Inbound, to Target) ([]byte, neutral.Report, error) {
	if in.rerank == nil {
		request, err := r.surface.ReadRerank(in.Body)
		if err != nil {
			return dst, neutral.Report{}, err
		}
		in.rerank = request
	}
	return r.upstream.AppendRerankRequest(dst, in.rerank, to.withPreferences())
}

// ReadAnswer reads an answer that is to be translated.
func (r *reranking) ReadAnswer(body []byte, o Exchange) (Answer, error) {
	read, err := r.upstream.ReadRerankResponse(body)
	if err != nil {
		return nil, err
	}
	write := func(used meter.Usage) []byte {
		written := *read
		written.Usage = &used
		return r.surface.AppendRerank(nil, &written, o.Rerank, o)
	}
	return WithUnits(&unaryAnswer{usage: read.Usage, write: write}, len(read.Results)), nil
}

// noStream is for joints of APIs that do not stream; the head of their requests never asks for one.
type noStream struct{}

// NewStream returns a stream whose every event is an error.
func (noStream) NewStream(Exchange) Stream { return Unstreamed() }

type unreadable struct{}

var errNoStream = errors.New("this API does not stream")

// Read is always an error.
func (unreadable) Read(dst []neutral.Event, _ sse.Event) ([]neutral.Event, error) {
	return dst, &StreamError{Err: errNoStream}
}

// End is never the proper end.
func (unreadable) End(dst []neutral.Event) ([]neutral.Event, bool) { return dst, false }

// unaryAnswer is a translated answer that holds no generated text.
type unaryAnswer struct {
	usage *meter.Usage
	write func(used meter.Usage) []byte
}

// Failure is always nil: such APIs report errors by status.
func (a *unaryAnswer) Failure() *neutral.Error { return nil }

// Reported is the usage that the provider reported.
func (a *unaryAnswer) Reported() (meter.Usage, bool) {
	if a.usage == nil {
		return meter.Usage{}, false
	}
	return *a.usage, true
}

// Settle returns the usage to charge.
func (a *unaryAnswer) Settle(promptBytes int64) meter.Usage {
	return settle(a.usage, meter.EstimateUsage(promptBytes, 0, 0))
}

// Body is the answer in the surface's API.
func (a *unaryAnswer) Body(used meter.Usage) []byte { return a.write(used) }
