package telemetry

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

// gate is a writer that takes nothing until it is opened.
type gate struct {
	open    chan struct{}
	entered chan struct{}
	once    sync.Once

	mu      sync.Mutex
	written bytes.Buffer
}

func newGate() *gate { return &gate{open: make(chan struct{}), entered: make(chan struct{})} }

func (g *gate) Write(p []byte) (int, error) {
	g.once.Do(func() { close(g.entered) })
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.written.Write(p)
}

func (g *gate) text() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.written.String()
}

func TestBufferWritesWhatIsLeftWhenItEnds(t *testing.T) {
	out := newGate()
	close(out.open)
	buffer := NewBuffer(out)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- buffer.Run(ctx) }()
	for range 10 {
		if _, err := buffer.Write([]byte("line\n")); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if got, want := out.text(), strings.Repeat("line\n", 10); got != want {
		t.Errorf("written %q, want %q", got, want)
	}
}

func TestBufferDoesNotWaitForTheEnd(t *testing.T) {
	out := newGate()
	buffer := NewBuffer(out)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _ = buffer.Run(ctx) }()
	_, _ = buffer.Write([]byte("line\n"))
	select {
	case <-out.entered:
	case <-time.After(10 * time.Second):
		t.Error("nothing was written before the context ended")
	}
	close(out.open)
}

func TestBufferNeverWaitsForAStuckWriter(t *testing.T) {
	out := newGate()
	buffer := NewBuffer(out)
	ended := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- buffer.Run(ctx) }()

	line := []byte(strings.Repeat("x", 1<<10-1) + "\n")
	// Writing goes on although nothing is taken: this loop ends only if no write waits.
	for range 3 * maxBufferedBytes / len(line) {
		_, _ = buffer.Write(line)
	}
	dropped := buffer.Dropped()
	if dropped == 0 {
		t.Error("no line was dropped although far more was written than fits")
	}
	close(out.open)
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	written := strings.Count(out.text(), "\n")
	if want := 3*maxBufferedBytes/len(line) - int(dropped); written != want {
		t.Errorf("%d lines written and %d dropped, want %d written", written, dropped, want)
	}
}

type failing struct{}

var errDiskFull = errors.New("disk full")

func (failing) Write([]byte) (int, error) { return 0, errDiskFull }

func TestBufferReportsTheWritersError(t *testing.T) {
	buffer := NewBuffer(failing{})
	_, _ = buffer.Write([]byte("line\n"))
	if err := buffer.Flush(); !errors.Is(err, errDiskFull) {
		t.Errorf("Flush = %v, want %v", err, errDiskFull)
	}
}

func TestBufferIsSafeForManyWriters(t *testing.T) {
	out := newGate()
	close(out.open)
	buffer := NewBuffer(out)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- buffer.Run(ctx) }()
	var writers sync.WaitGroup
	for range 50 {
		writers.Go(func() {
			for range 200 {
				_, _ = buffer.Write([]byte("0123456789\n"))
			}
		})
	}
	writers.Wait()
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if got := out.text(); got != strings.Repeat("0123456789\n", 50*200) {
		t.Errorf("lines are torn or missing: %d bytes", len(got))
	}
}
