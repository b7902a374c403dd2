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

// flaky refuses its first write.
type flaky struct {
	output
	refused bool
}

func (f *flaky) Write(p []byte) (int, error) {
	if !f.refused {
		f.refused = true
		return 0, errDiskFull
	}
	return f.output.Write(p)
}

// output hands over what is written.
type output chan string

func (o output) Write(p []byte) (int, error) {
	o <- string(p)
	return len(p), nil
}

// TestBufferOutlivesTheWritersErrors: a disk that was full for a while costs lines, which are counted, and not the proxy.
func TestBufferOutlivesTheWritersErrors(t *testing.T) {
	out := &flaky{output: make(output, 1)}
	buffer := NewBuffer(out)
	_, _ = buffer.Write([]byte("lost\nlost too\n"))
	if err := buffer.Flush(); !errors.Is(err, errDiskFull) {
		t.Fatalf("Flush = %v, want %v", err, errDiskFull)
	}
	out.refused = false
	_, _ = buffer.Write([]byte("lost as well\n"))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- buffer.Run(ctx) }()
	defer cancel()
	deadline := time.After(10 * time.Second)
	for buffer.Dropped() < 3 {
		select {
		case err := <-ended:
			t.Fatalf("Run ended: %v", err)
		case <-deadline:
			t.Fatalf("%d lines were dropped, want 3", buffer.Dropped())
		case <-time.After(time.Millisecond):
		}
	}
	_, _ = buffer.Write([]byte("kept\n"))
	select {
	case got := <-out.output:
		if got != "kept\n" || buffer.Dropped() != 3 {
			t.Errorf("written %q, %d lines dropped", got, buffer.Dropped())
		}
	case <-deadline:
		t.Fatal("nothing was written after the error")
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
