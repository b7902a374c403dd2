package dataplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/usage"
	"signalbox.dev/signalbox/proxy/usage/journal"
)

// Names of the sinks of usage records: labels of metrics, and cursors in the journal.
const (
	sinkStdout   = "stdout"
	sinkPostgres = "postgres"
	sinkOTLP     = "otlp"
)

const (
	// sinkFlushLimit is how long the sinks may take for the last records.
	sinkFlushLimit = 10 * time.Second
	// stdoutLinger, postgresLinger and otlpLinger are how long a record that follows others waits for more.
	stdoutLinger   = 100 * time.Millisecond
	postgresLinger = 200 * time.Millisecond
	otlpLinger     = time.Second
	// sinkEndLimit is how long a sink may take to end: one that writes to a pipe that nobody reads never does.
	sinkEndLimit = 2 * time.Second
)

// Sink takes usage records until it is closed.
type Sink interface {
	journal.Sink
	io.Closer
}

// lines is the sink of standard output.
type lines struct{ *usage.Lines }

// Close does nothing: the writer is somebody else's.
func (lines) Close() error { return nil }

// sinks deliver usage records to where the table says.
type sinks struct {
	options *Options
	journal *journal.Journal
	log     *slog.Logger

	mu      sync.Mutex
	running map[string]*delivery
	ended   bool
}

// delivery is a sink that is in use.
type delivery struct {
	// config tells whether another table means the same sink.
	config string
	sink   Sink
	stop   context.CancelFunc
	done   chan struct{}
}

func newSinks(options *Options, j *journal.Journal) *sinks {
	return &sinks{options: options, journal: j, log: options.Log, running: map[string]*delivery{}}
}

// wanted is a sink that a table asks for.
type wanted struct {
	config string
	linger time.Duration
	open   func() (Sink, error)
}

// list lists the sinks of a table. Those that this process has no way to are left out, and told.
func (s *sinks) list(where table.UsageSinks, namespace string) map[string]wanted {
	list := map[string]wanted{}
	if s.options.Records != nil {
		list[sinkStdout] = wanted{linger: stdoutLinger, open: func() (Sink, error) { return lines{usage.NewLines(s.options.Records)}, nil }}
	}
	if where.Postgres != nil && s.options.OpenPostgres != nil {
		database := *where.Postgres
		list[sinkPostgres] = wanted{
			config: namespace + "\n" + database.URL + "\n" + string(database.CAPEM), linger: postgresLinger,
			open: func() (Sink, error) { return s.options.OpenPostgres(database, namespace) },
		}
	}
	if where.OTLPEndpoint != "" && s.options.OpenOTLP != nil {
		list[sinkOTLP] = wanted{
			config: where.OTLPEndpoint, linger: otlpLinger,
			open: func() (Sink, error) { return s.options.OpenOTLP(where.OTLPEndpoint) },
		}
	}
	return list
}

// use starts and ends sinks as a table asks for it. A sink that another table means alike goes on. One that cannot be opened is left out; its records are
// kept for it in the journal, for a table that names it better.
func (s *sinks) use(parts context.Context, t *table.Table) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.journal.RefuseWhenFull(t.Usage.RefuseWhenFull)
	list := s.list(t.Usage, t.Namespace)
	for name, running := range s.running {
		if next, still := list[name]; !still || next.config != running.config {
			s.end(name)
		}
	}
	names := slices.Sorted(maps.Keys(list))
	if err := s.journal.Use(names...); err != nil {
		s.log.Error("the sinks of usage records cannot be kept in the journal", "error", err)
	}
	for _, name := range names {
		if s.running[name] != nil {
			continue
		}
		if err := s.begin(parts, name, list[name]); err != nil {
			s.log.Error("usage records cannot be delivered", "sink", name, "error", err)
		}
	}
}

// begin starts a sink. It needs the mutex to be held.
func (s *sinks) begin(parts context.Context, name string, next wanted) error {
	sink, err := next.open()
	if err != nil {
		return err
	}
	reader, err := s.journal.Reader(name)
	if err != nil {
		return errors.Join(err, sink.Close())
	}
	ctx, stop := context.WithCancel(parts)
	started := &delivery{config: next.config, sink: sink, stop: stop, done: make(chan struct{})}
	s.running[name] = started
	delivering := journal.Delivery{Reader: reader, Sink: sink, Linger: next.linger, Log: s.log}
	go func() {
		defer close(started.done)
		// It ends with its context, and when the sink is in use no more.
		_ = delivering.Run(ctx)
	}()
	return nil
}

// end ends a sink. It needs the mutex to be held.
func (s *sinks) end(name string) {
	running := s.running[name]
	delete(s.running, name)
	running.stop()
	limit := time.NewTimer(sinkEndLimit)
	defer limit.Stop()
	select {
	case <-running.done:
	case <-limit.C:
		s.log.Warn("a sink of usage records does not end and is left alone", "sink", name)
		return
	}
	if err := running.sink.Close(); err != nil {
		s.log.Warn("a sink of usage records did not close well", "sink", name, "error", err)
	}
}

// flush waits until every sink has every record, for a bounded time and while the parts run, and ends them.
func (s *sinks) flush(parts context.Context) error {
	limited, cancel := context.WithTimeout(parts, sinkFlushLimit)
	defer cancel()
	s.mu.Lock()
	none := len(s.running) == 0
	s.ended = true
	s.mu.Unlock()
	if none {
		return nil
	}
	err := s.journal.Drain(limited)
	if err != nil {
		err = fmt.Errorf("delivering the last usage records: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.running)) {
		s.end(name)
	}
	return err
}
