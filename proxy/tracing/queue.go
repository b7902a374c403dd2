package tracing

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"signalbox.dev/signalbox/proxy/telemetry"
)

const (
	// maxWaiting is how many spans wait at most, a few megabytes; further ones are dropped.
	maxWaiting = 4096
	// maxBatch is how many spans are sent at a time, and linger how long the first of them waits for others.
	maxBatch = 512
	linger   = time.Second
	// sendLimit bounds one try, mostTries how often a batch is tried, and firstPause the time before the second try, which doubles.
	sendLimit  = 10 * time.Second
	mostTries  = 4
	firstPause = time.Second
)

// queue is a span processor that never waits, unlike the SDK's own it counts what it drops, and its exporter can be changed at any time.
type queue struct {
	waiting  chan sdktrace.ReadOnlySpan
	exporter atomic.Pointer[exporter]
	log      *slog.Logger
	metrics  *telemetry.Spans
	// ctx is that of all sending, closing is closed when no more spans come, and done when all were sent or given up.
	ctx     context.Context
	cancel  context.CancelFunc
	closing chan struct{}
	done    chan struct{}
	// troubled tells that the collector did not take the last batch. It belongs to run.
	troubled bool
}

func newQueue(log *slog.Logger, metrics *telemetry.Spans) *queue {
	q := &queue{
		waiting: make(chan sdktrace.ReadOnlySpan, maxWaiting), log: log, metrics: metrics, closing: make(chan struct{}), done: make(chan struct{}),
	}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	return q
}

// OnStart is a part of sdktrace.SpanProcessor.
func (*queue) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd keeps a span to be sent, if there is room.
func (q *queue) OnEnd(span sdktrace.ReadOnlySpan) {
	select {
	case q.waiting <- span:
	default:
		q.metrics.Dropped(1)
	}
}

// Shutdown is a part of sdktrace.SpanProcessor; Tracer.Flush ends the queue.
func (*queue) Shutdown(context.Context) error { return nil }

// ForceFlush is a part of sdktrace.SpanProcessor.
func (*queue) ForceFlush(context.Context) error { return nil }

// run sends spans until there are no more.
func (q *queue) run() {
	defer close(q.done)
	batch := make([]sdktrace.ReadOnlySpan, 0, maxBatch)
	for more := true; more; {
		batch, more = q.next(batch[:0])
		if len(batch) > 0 {
			q.deliver(batch)
		}
		clear(batch)
	}
}

// next waits for a span and a little for others. It tells whether there can be more.
func (q *queue) next(batch []sdktrace.ReadOnlySpan) ([]sdktrace.ReadOnlySpan, bool) {
	select {
	case span := <-q.waiting:
		batch = append(batch, span)
	case <-q.closing:
		return q.rest(batch)
	}
	late := time.NewTimer(linger)
	defer late.Stop()
	for len(batch) < maxBatch {
		select {
		case span := <-q.waiting:
			batch = append(batch, span)
		case <-late.C:
			return batch, true
		case <-q.closing:
			return q.rest(batch)
		}
	}
	return batch, true
}

// rest takes what is there, up to a whole batch.
func (q *queue) rest(batch []sdktrace.ReadOnlySpan) ([]sdktrace.ReadOnlySpan, bool) {
	for len(batch) < maxBatch {
		select {
		case span := <-q.waiting:
			batch = append(batch, span)
		default:
			return batch, false
		}
	}
	return batch, true
}

// deliver sends a batch, and tries again for a while if the collector is away. At the end of the process it tries once.
func (q *queue) deliver(batch []sdktrace.ReadOnlySpan) {
	pause := firstPause
	for try := 1; ; try++ {
		exporter := q.exporter.Load()
		if exporter == nil {
			q.metrics.Dropped(len(batch))
			return
		}
		rejected, err := q.send(exporter, batch)
		if err == nil {
			q.metrics.Delivered(len(batch) - rejected)
			q.metrics.Failed(rejected)
			q.tell(nil)
			return
		}
		q.tell(err)
		if errors.Is(err, errRefused) || try == mostTries || !q.sleep(pause) {
			q.metrics.Failed(len(batch))
			return
		}
		pause *= 2
	}
}

func (q *queue) send(exporter *exporter, batch []sdktrace.ReadOnlySpan) (int, error) {
	ctx, cancel := context.WithTimeout(q.ctx, sendLimit)
	defer cancel()
	return exporter.export(ctx, batch)
}

// tell logs when the collector begins to take nothing, and when it takes traces again.
func (q *queue) tell(err error) {
	switch troubled := err != nil; {
	case troubled && !q.troubled:
		q.log.Warn("traces are not taken by the collector; requests are not affected", "error", err)
	case !troubled && q.troubled:
		q.log.Info("the collector takes traces again")
	}
	q.troubled = err != nil
}

// sleep tells whether the time passed before the end.
func (q *queue) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-q.closing:
		return false
	}
}

// flush sends what waits, until the context ends.
func (q *queue) flush(ctx context.Context) {
	close(q.closing)
	select {
	case <-q.done:
	case <-ctx.Done():
		q.cancel()
		<-q.done
	}
	q.cancel()
}
