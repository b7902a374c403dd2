package telemetry

import (
	"maps"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Operation is what a request asks for, in the words of OpenTelemetry's gen_ai conventions where they have one.
type Operation uint8

// The operations.
const (
	// OtherOperation is a request for anything else, such as the list of models.
	OtherOperation Operation = iota
	// Chat is a chat completion.
	Chat
	// TextCompletion is a legacy completion.
	TextCompletion
	// Embeddings are embeddings.
	Embeddings
	// GenerateContent is Gemini's way of a chat.
	GenerateContent
	// Rerank orders documents by a query.
	Rerank
	// Moderation judges texts.
	Moderation
	// Image makes or changes images.
	Image
	// Speech speaks a text.
	Speech
	// Transcription writes down what was spoken, or translates it.
	Transcription

	operationCount
)

// String is the operation's gen_ai.operation.name.
func (o Operation) String() string {
	names := [operationCount]string{
		OtherOperation: "other", Chat: "chat", TextCompletion: "text_completion", Embeddings: "embeddings", GenerateContent: "generate_content",
		Rerank: "rerank", Moderation: "moderation", Image: "image_generation", Speech: "speech", Transcription: "transcription",
	}
	if o >= operationCount {
		o = OtherOperation
	}
	return names[o]
}

// Target holds the metrics of one target of one route. Its methods may be called by any number of goroutines.
type Target struct {
	metrics  *Metrics
	labels   Labels
	series   atomic.Pointer[series]
	requests outcomes
	attempts outcomes
	// fallbacks, retries, switches, mirrored and limits are those of routing.
	fallbacks outcomes
	retries   outcomes
	switches  outcomes
	mirrored  outcomes
	limits    limits
	duration  [operationCount]atomic.Pointer[prometheus.Observer]
	// dropped tells that the target's series were removed and must not come back. It belongs to the lock of metrics.
	dropped bool
}

// outcomes are the counters by outcome that were used so far. Each is looked up by its labels once.
type outcomes struct {
	counters atomic.Pointer[map[string]prometheus.Counter]
}

// series are those that every request of the target may need. They are looked up by their labels once.
type series struct {
	firstToken   prometheus.Observer
	addedLatency prometheus.Observer
	input        prometheus.Counter
	output       prometheus.Counter
	cached       prometheus.Counter
	cost         prometheus.Counter
	estimated    prometheus.Counter
}

// Request is what one answered request adds to the metrics.
type Request struct {
	// Operation that was asked for.
	Operation Operation
	// Code of the error that was answered; "ok" for none.
	Code string
	// Duration of the request.
	Duration time.Duration
	// FirstToken is the time until the first token of a stream went out; 0 if none did.
	FirstToken time.Duration
	// Added is the time until the first byte of the answer that was not spent on waiting for the client's body or a provider; below 0 if not known.
	Added time.Duration
	// Usage of the request.
	Usage Usage
}

// Usage is what a request used.
type Usage struct {
	// Prompt tokens, Cached included.
	Prompt int64
	// Cached prompt tokens.
	Cached int64
	// Completion tokens.
	Completion int64
	// Cost in nano-dollars.
	Cost int64
	// Estimated tells that the provider did not report the tokens.
	Estimated bool
}

// Observe adds one answered request.
func (t *Target) Observe(r Request) {
	t.count(&t.requests, t.metrics.requests, r.Code)
	if observer := t.operation(r.Operation); observer != nil {
		observer.Observe(r.Duration.Seconds())
	}
	s := t.resolve()
	if s == nil {
		return
	}
	if r.FirstToken > 0 {
		s.firstToken.Observe(r.FirstToken.Seconds())
	}
	if r.Added >= 0 {
		s.addedLatency.Observe(r.Added.Seconds())
	}
	s.input.Add(float64(r.Usage.Prompt))
	s.output.Add(float64(r.Usage.Completion))
	s.cached.Add(float64(r.Usage.Cached))
	s.cost.Add(float64(r.Usage.Cost))
	if r.Usage.Estimated {
		s.estimated.Inc()
	}
}

// Attempted counts one call to the provider by its outcome, a word of a closed list.
func (t *Target) Attempted(outcome string) { t.count(&t.attempts, t.metrics.attempts, outcome) }

// count adds one to an outcome's counter.
func (t *Target) count(known *outcomes, all *prometheus.CounterVec, outcome string) {
	if counters := known.counters.Load(); counters != nil {
		if counter, ok := (*counters)[outcome]; ok {
			counter.Inc()
			return
		}
	}
	t.metrics.mu.Lock()
	defer t.metrics.mu.Unlock()
	if t.dropped {
		return
	}
	counter := all.WithLabelValues(t.labels.Route, t.labels.Target, t.labels.Provider, outcome)
	grown := map[string]prometheus.Counter{outcome: counter}
	if counters := known.counters.Load(); counters != nil {
		maps.Copy(grown, *counters)
	}
	known.counters.Store(&grown)
	counter.Inc()
}

// resolve returns nil for a target that was dropped before its first request ended.
func (t *Target) resolve() *series {
	if s := t.series.Load(); s != nil {
		return s
	}
	m, l := t.metrics, t.labels.values()
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.dropped {
		return t.series.Load()
	}
	tokens := m.tokens.MustCurryWith(l)
	t.series.CompareAndSwap(nil, &series{
		firstToken:   m.firstToken.With(l),
		addedLatency: m.addedLatency.With(l),
		input:        tokens.WithLabelValues("input"),
		output:       tokens.WithLabelValues("output"),
		cached:       tokens.WithLabelValues("cached"),
		cost:         m.cost.With(l),
		estimated:    m.estimated.With(l),
	})
	return t.series.Load()
}

// operation returns nil like resolve.
func (t *Target) operation(o Operation) prometheus.Observer {
	known := &t.duration[o]
	if observer := known.Load(); observer != nil {
		return *observer
	}
	t.metrics.mu.Lock()
	defer t.metrics.mu.Unlock()
	if t.dropped {
		return nil
	}
	observer := t.metrics.duration.WithLabelValues(t.labels.Route, t.labels.Target, t.labels.Provider, o.String())
	known.Store(&observer)
	return observer
}
