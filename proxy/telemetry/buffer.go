package telemetry

import (
	"bytes"
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Bounds of a Buffer.
const (
	// flushInterval is how long a line may wait for its write.
	flushInterval = 100 * time.Millisecond
	// flushBytes is how much may wait before the interval is over.
	flushBytes = 64 << 10
	// maxBufferedBytes is how much is kept for a writer that does not take it; further lines are dropped and counted.
	maxBufferedBytes = 4 << 20
)

// Buffer is a writer that never waits for the one behind it: it collects lines and hands them over in a goroutine of its own.
// When that one is stuck, lines beyond 4 MiB are dropped and counted rather than kept or waited for.
type Buffer struct {
	out     io.Writer
	wake    chan struct{}
	dropped atomic.Int64

	mu      sync.Mutex
	pending []byte

	writing sync.Mutex
	spare   []byte
}

// NewBuffer returns a buffer before out. Run must be called for anything to be written.
func NewBuffer(out io.Writer) *Buffer {
	return &Buffer{out: out, wake: make(chan struct{}, 1)}
}

// Write keeps a copy of p, which is one or more whole lines. It never fails: what does not fit is dropped and counted.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	if len(b.pending)+len(p) > maxBufferedBytes {
		b.mu.Unlock()
		b.dropped.Add(1)
		return len(p), nil
	}
	b.pending = append(b.pending, p...)
	full := len(b.pending) >= flushBytes
	b.mu.Unlock()
	if full {
		select {
		case b.wake <- struct{}{}:
		default:
		}
	}
	return len(p), nil
}

// Dropped is how many lines were dropped so far.
func (b *Buffer) Dropped() int64 { return b.dropped.Load() }

// Run writes what comes in until the context ends, and then what is left. Lines that the writer refuses are lost and counted, for a log that cannot be
// written must not end what it tells of; only the last write's error is returned.
func (b *Buffer) Run(ctx context.Context) error {
	ticker := time.NewTicker(flushInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return b.Flush()
		case <-ticker.C:
		case <-b.wake:
		}
		// What was lost is counted.
		_ = b.Flush()
	}
}

// Flush writes what is pending now. What the writer refuses is lost and counted.
func (b *Buffer) Flush() error {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.mu.Lock()
	lines := b.pending
	b.pending = b.spare[:0]
	b.mu.Unlock()
	b.spare = lines
	if len(lines) == 0 {
		return nil
	}
	n, err := b.out.Write(lines)
	if err != nil {
		b.dropped.Add(int64(bytes.Count(lines[n:], []byte("\n"))))
	}
	return err
}

// Collector tells how many lines were dropped.
func (b *Buffer) Collector() prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "signalbox_access_log_dropped_total", Help: "Access-log lines dropped because the writer did not take them.",
	}, func() float64 { return float64(b.Dropped()) })
}
