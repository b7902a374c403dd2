package journal_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/usage"
	"signalbox.dev/signalbox/proxy/usage/journal"
)

var start = time.Date(2026, 11, 23, 1, 2, 3, 4, time.UTC)

// quiet is a log that keeps what it is told, for those that look.
type quiet struct {
	mu   sync.Mutex
	text strings.Builder
}

func (q *quiet) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.text.Write(p)
}

func (q *quiet) count(words string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return strings.Count(q.text.String(), words)
}

func (q *quiet) logger() *slog.Logger { return slog.New(slog.NewTextHandler(q, nil)) }

// open opens a journal in dir, with modifiers for its options.
func open(t testing.TB, dir string, modify ...func(*journal.Options)) (*journal.Journal, *journal.Recovery) {
	t.Helper()
	options := journal.Options{Dir: dir, Now: func() time.Time { return start }, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	for _, m := range modify {
		m(&options)
	}
	j, recovery, err := journal.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j, recovery
}

// small makes a journal of the least size.
func small(o *journal.Options) { o.MaxBytes = journal.MinBytes }

// whole is a record with something in every field.
func whole(id string) *usage.Record {
	reported := int64(7)
	return &usage.Record{
		ID: id, RequestID: "request-" + id, Time: start, Namespace: "team-a", Pod: "signalbox-1", Caller: "serviceaccount:team-a/app",
		EndUser: "ana", Tags: []table.Tag{{Key: "team", Value: "blue"}, {Key: "feature", Value: "search"}}, Trusted: true, Operation: "chat",
		Route: "chat", RoutedFrom: "dear", Target: "fast", Provider: "Groq", Model: "chat", Served: "llama-3.3-70b", UpstreamID: "chatcmpl-1",
		Stream: true, Mirror: true,
		Usage: meter.Usage{
			Prompt: 1, Cached: 2, CacheWrite: 3, CacheWrite1h: 4, PromptAudio: 5, Completion: 6, Reasoning: 7, CompletionAudio: 8, CachedAudio: 9,
			PromptImage: 10, CompletionImage: 11, Images: 12, AudioMillis: 13, SpeechMillis: 14, Characters: 15, Searches: 16, SearchUnits: 17,
			Service: "flex", ReportedCost: &reported, Estimated: true,
		},
		Cost: 1_234_567_890, Unpriced: true, PriceSource: "catalogue", ListCost: 99, Estimated: true, FirstToken: time.Millisecond,
		Upstream: 2 * time.Millisecond, Duration: 3 * time.Millisecond,
		Attempts: []usage.Attempt{
			{Target: "slow", Provider: "OpenAI", Model: "gpt", Status: 500, Code: "upstream_error", Cost: 1, Duration: time.Second},
			{Target: "fast", Provider: "Groq", Model: "llama-3.3-70b", Status: 200, Code: "ok", Cost: 2, Duration: time.Second},
		},
		Status: 200, Code: "ok", Outcome: usage.Completed, Budgets: []string{"all", "chat"},
	}
}

// brief is a record with little in it.
func brief(id string) *usage.Record {
	return &usage.Record{ID: id, Time: start, Namespace: "team-a", Outcome: usage.Completed, Cost: 5}
}

// held is a claim on a counter.
func held(owner string, nano int64) ledger.Claim {
	return ledger.Claim{
		Owner: ledger.Owner(owner), Ledger: "signalbox-ledger-all", Key: ledger.Key{Period: "Day", TimeZone: "UTC", Start: start.Truncate(24 * time.Hour)},
		End: start.Truncate(24 * time.Hour).Add(24 * time.Hour), Nano: nano,
	}
}

func settlement(owner string, seq, spent int64) ledger.Settlement {
	return ledger.Settlement{Claim: held(owner, 0), Totals: ledger.Totals{Spent: spent, Requests: seq, Overrun: 3}, Seq: seq}
}

// start of an attempt, which must be noted.
func begin(t testing.TB, j journal.Noted, id string, claims ...ledger.Claim) {
	t.Helper()
	if err := j.Begin(&journal.Attempt{Record: id, Time: start, Draft: draft(id), Claims: claims}); err != nil {
		t.Fatal(err)
	}
}

func draft(id string) *usage.Record {
	return &usage.Record{
		ID: id, Time: start, Namespace: "team-a", Caller: "accesskey:app", Route: "chat", Target: "fast", Provider: "Groq", Model: "chat", Served: "llama", Cost: 3,
	}
}

// collector is a sink that keeps what it gets.
type collector struct {
	mu      sync.Mutex
	records map[string]*usage.Record
	order   []string
	again   int
	got     chan struct{}
	// fail returns the error of a batch, nil for none.
	fail func([]*usage.Record) error
}

func newCollector() *collector {
	return &collector{records: map[string]*usage.Record{}, got: make(chan struct{}, 1)}
}

func (c *collector) Write(_ context.Context, records []*usage.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		if err := c.fail(records); err != nil {
			return err
		}
	}
	for _, r := range records {
		if c.records[r.ID] != nil {
			c.again++
		}
		c.records[r.ID] = r
		c.order = append(c.order, r.ID)
	}
	return nil
}

func (c *collector) ids() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.order)
}

// deliver delivers to a sink until it has everything.
func deliver(t testing.TB, j *journal.Journal, name string, sink journal.Sink) {
	t.Helper()
	reader, err := j.Reader(name)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	delivery := &journal.Delivery{Reader: reader, Sink: sink, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	ended := make(chan error, 1)
	go func() { ended <- delivery.Run(ctx) }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for sinkStats(t, j, name).Waiting > 0 {
		select {
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		case <-tick.C:
		}
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatalf("Run ended with %v", err)
	}
}

func use(t testing.TB, j *journal.Journal, sinks ...string) {
	t.Helper()
	if err := j.Use(sinks...); err != nil {
		t.Fatal(err)
	}
}

func sinkStats(t testing.TB, j *journal.Journal, name string) journal.SinkStats {
	t.Helper()
	for _, s := range j.Stats().Sinks {
		if s.Sink == name {
			return s
		}
	}
	t.Fatalf("there is no sink %q", name)
	return journal.SinkStats{}
}

// numbered are the ids from a number up to, not including, another.
func numbered(from, to int) []string {
	ids := []string{}
	for i := from; i < to; i++ {
		ids = append(ids, fmt.Sprintf("r%06d", i))
	}
	return ids
}
