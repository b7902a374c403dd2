package journal_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/usage"
	"signalbox.dev/signalbox/proxy/usage/journal"
)

// directories runs a test with a journal on disk and with one in memory.
func directories(t *testing.T, test func(t *testing.T, dir string)) {
	t.Run("disk", func(t *testing.T) { test(t, t.TempDir()) })
	t.Run("memory", func(t *testing.T) { test(t, "") })
}

func TestRecordsReachTheirSinksWhole(t *testing.T) {
	directories(t, func(t *testing.T, dir string) {
		j, _ := open(t, dir)
		use(t, j, "one", "two")
		first, second := whole("a"), brief("b")
		second.Usage.ReportedCost = nil
		j.End(first, nil)
		j.End(second, []ledger.Settlement{settlement("pod/1.1", 1, 5)})
		for _, name := range []string{"one", "two"} {
			sink := newCollector()
			deliver(t, j, name, sink)
			if diff := cmp.Diff(map[string]*usage.Record{"a": whole("a"), "b": brief("b")}, sink.records); diff != "" {
				t.Errorf("sink %s (-want +got):\n%s", name, diff)
			}
			if diff := cmp.Diff([]string{"a", "b"}, sink.order); diff != "" {
				t.Errorf("order of %s (-want +got):\n%s", name, diff)
			}
		}
	})
}

// TestDeliveryGoesOnAfterARestart: what a sink has it does not get again, and what it has not it gets.
func TestDeliveryGoesOnAfterARestart(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir)
	use(t, j, "one", "two")
	for _, id := range numbered(0, 10) {
		j.End(brief(id), nil)
	}
	one := newCollector()
	deliver(t, j, "one", one)
	for _, id := range numbered(10, 15) {
		j.End(brief(id), nil)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j, recovery := open(t, dir)
	use(t, j, "one", "two")
	if recovery.Records != 15 || recovery.CorruptBytes != 0 {
		t.Errorf("recovery tells of %d records and %d corrupt bytes", recovery.Records, recovery.CorruptBytes)
	}
	two := newCollector()
	deliver(t, j, "one", one)
	deliver(t, j, "two", two)
	if diff := cmp.Diff(numbered(0, 15), one.ids()); diff != "" {
		t.Errorf("sink one (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(numbered(0, 15), two.ids()); diff != "" {
		t.Errorf("sink two (-want +got):\n%s", diff)
	}
}

func TestRecovery(t *testing.T) {
	const run = "pod/1.1"
	claims := func(j *journal.Journal, id string, number int, nano int64) error {
		return j.Begin(&journal.Attempt{Record: id, Number: number, Time: start.Add(time.Second), Claims: []ledger.Claim{held(run, nano)}})
	}
	for name, tc := range map[string]struct {
		do           func(t *testing.T, j *journal.Journal)
		wantCounters []ledger.Recovered
		wantLost     []*usage.Record
	}{
		"nothing": {do: func(*testing.T, *journal.Journal) {}},
		"ended": {
			do: func(t *testing.T, j *journal.Journal) {
				begin(t, j, "a", held(run, 100))
				j.End(brief("a"), []ledger.Settlement{settlement(run, 1, 40)})
			},
			wantCounters: []ledger.Recovered{{Claim: held(run, 0), Totals: settlement(run, 1, 40).Totals, Seq: 1}},
		},
		"the latest settlement counts": {
			do: func(_ *testing.T, j *journal.Journal) {
				j.End(brief("a"), []ledger.Settlement{settlement(run, 2, 70)})
				j.End(brief("b"), []ledger.Settlement{settlement(run, 1, 40)})
			},
			wantCounters: []ledger.Recovered{{Claim: held(run, 0), Totals: settlement(run, 2, 70).Totals, Seq: 2}},
		},
		"dropped": {
			do: func(t *testing.T, j *journal.Journal) {
				begin(t, j, "a", held(run, 100))
				j.Drop("a")
			},
		},
		"open": {
			do: func(t *testing.T, j *journal.Journal) {
				begin(t, j, "a", held(run, 100), ledger.Claim{Owner: run, Ledger: "soft"})
				if err := claims(j, "a", 1, 30); err != nil {
					t.Fatal(err)
				}
				j.End(brief("b"), []ledger.Settlement{settlement(run, 4, 44)})
			},
			wantCounters: []ledger.Recovered{
				{Claim: held(run, 130), Totals: settlement(run, 4, 44).Totals, Seq: 4},
				{Claim: ledger.Claim{Owner: run, Ledger: "soft"}},
			},
			wantLost: []*usage.Record{lost("a", 130, usage.Attempt{Target: "fast", Provider: "Groq", Model: "llama", Code: "lost", Cost: 100}, usage.Attempt{Code: "lost", Cost: 30})},
		},
		"open without a budget costs what its draft says": {
			do:       func(t *testing.T, j *journal.Journal) { begin(t, j, "a") },
			wantLost: []*usage.Record{lost("a", 3, usage.Attempt{Target: "fast", Provider: "Groq", Model: "llama", Code: "lost"})},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			j, _ := open(t, dir)
			use(t, j, "sink")
			tc.do(t, j)
			had := newCollector()
			deliver(t, j, "sink", had)
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			// However often the process ends before the ledger has it, the same is known, and a lost request has one record.
			sink := newCollector()
			for range 3 {
				j, recovery := open(t, dir)
				use(t, j, "sink")
				if diff := cmp.Diff(tc.wantCounters, recovery.Counters); diff != "" {
					t.Errorf("counters (-want +got):\n%s", diff)
				}
				deliver(t, j, "sink", sink)
				if err := j.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if len(sink.order) != len(tc.wantLost) {
				t.Fatalf("%d lost records came, want %d", len(sink.order), len(tc.wantLost))
			}
			for _, want := range tc.wantLost {
				if diff := cmp.Diff(want, sink.records[want.ID]); diff != "" {
					t.Errorf("lost (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// lost is the record of a lost request, made from draft.
func lost(id string, cost int64, attempts ...usage.Attempt) *usage.Record {
	r := draft(id)
	r.Cost, r.Outcome, r.Code, r.Estimated, r.Usage.Estimated, r.Attempts = cost, usage.Lost, "lost", true, true, attempts
	return r
}

// TestCleanCountersAreGivenUp: what the ledger has is not carried on when its segment goes.
func TestCleanCountersAreGivenUp(t *testing.T) {
	dir := t.TempDir()
	now := start
	j, _ := open(t, dir, small, func(o *journal.Options) { o.Now = func() time.Time { return now } })
	use(t, j, "sink")
	j.End(brief("a"), []ledger.Settlement{settlement("pod/1.1", 1, 10)})
	now = now.Add(time.Second)
	j.End(brief("b"), []ledger.Settlement{settlement("pod/1.2", 1, 20)})
	j.SetClean(now)
	fill(j, 2*journal.MinBytes)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	_, recovery := open(t, dir)
	if diff := cmp.Diff([]ledger.Recovered{{Claim: held("pod/1.2", 0), Totals: settlement("pod/1.2", 1, 20).Totals, Seq: 1}}, recovery.Counters); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
}

// fill writes records until so many bytes were written.
func fill(j *journal.Journal, bytes int) int {
	written := 0
	for i := 0; written < bytes; i++ {
		r := brief(fmt.Sprintf("fill%08d", i))
		r.EndUser = strings.Repeat("u", usage.MaxText)
		j.End(r, nil)
		written += usage.MaxText + 60
	}
	return written / (usage.MaxText + 60)
}

// TestWhatIsOpenOutlivesItsSegment: a long request and a counter that the ledger does not have are known, however much was written since.
func TestWhatIsOpenOutlivesItsSegment(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir, small)
	use(t, j, "sink")
	begin(t, j, "long", held("pod/1.1", 77))
	if err := j.Begin(&journal.Attempt{Record: "long", Number: 1, Time: start, Claims: []ledger.Claim{held("pod/1.1", 3)}}); err != nil {
		t.Fatal(err)
	}
	begin(t, j, "short")
	j.End(brief("short"), []ledger.Settlement{settlement("pod/1.1", 9, 90)})
	j.End(brief("overtaken"), []ledger.Settlement{settlement("pod/1.1", 8, 80)})
	fill(j, 5*journal.MinBytes)
	stats := j.Stats()
	if stats.Bytes > journal.MinBytes || stats.Lost != 0 {
		t.Errorf("the journal has %d bytes, %d notes were lost", stats.Bytes, stats.Lost)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	_, recovery := open(t, dir)
	want := []ledger.Recovered{{Claim: held("pod/1.1", 80), Totals: settlement("pod/1.1", 9, 90).Totals, Seq: 9}}
	if diff := cmp.Diff(want, recovery.Counters); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
	if len(recovery.Lost) != 1 || recovery.Lost[0].ID != "long" || recovery.Lost[0].Cost != 80 {
		t.Errorf("lost are %+v", recovery.Lost)
	}
}

func TestTheOldestRecordsAreDroppedAndCounted(t *testing.T) {
	directories(t, func(t *testing.T, dir string) {
		var told quiet
		j, _ := open(t, dir, small, func(o *journal.Options) { o.Log = told.logger() })
		use(t, j, "sink")
		written := fill(j, 4*journal.MinBytes)
		sink := newCollector()
		deliver(t, j, "sink", sink)
		dropped := sinkStats(t, j, "sink").Dropped
		if dropped == 0 || int(dropped)+len(sink.order) != written {
			t.Errorf("%d of %d were dropped and %d delivered", dropped, written, len(sink.order))
		}
		if last := fmt.Sprintf("fill%08d", written-1); sink.records[last] == nil || sink.records["fill00000000"] != nil {
			t.Error("it is not the oldest records that were dropped")
		}
		if n := told.count("oldest records are dropped"); n != 1 {
			t.Errorf("it was told %d times, want once", n)
		}
	})
}

func TestAttemptsAreRefusedWhenFull(t *testing.T) {
	directories(t, func(t *testing.T, dir string) {
		j, _ := open(t, dir, small, func(o *journal.Options) { o.RefuseWhenFull = true })
		use(t, j, "sink")
		written := 0
		var err error
		for err == nil {
			id := fmt.Sprintf("r%06d", written)
			if err = j.Begin(&journal.Attempt{Record: id, Time: start, Draft: draft(id)}); err == nil {
				j.End(brief(id), nil)
				written++
			}
			if written > journal.MinBytes/50 {
				t.Fatal("a full journal refuses nothing")
			}
		}
		if !errors.Is(err, journal.ErrFull) {
			t.Fatalf("Begin returned %v", err)
		}
		if stats := j.Stats(); stats.Bytes > journal.MinBytes || stats.Lost != 0 {
			t.Errorf("the journal has %d bytes, %d notes were lost", stats.Bytes, stats.Lost)
		}
		sink := newCollector()
		deliver(t, j, "sink", sink)
		if diff := cmp.Diff(numbered(0, written), sink.order); diff != "" {
			t.Errorf("sink (-want +got):\n%s", diff)
		}
		begin(t, j, "again")
	})
}

func TestForgottenSinksHoldNothing(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir, small)
	use(t, j, "gone", "here")
	fill(j, journal.MinBytes/2)
	reader, err := j.Reader("gone")
	if err != nil {
		t.Fatal(err)
	}
	deliver(t, j, "here", newCollector())
	before := j.Stats().Segments
	use(t, j, "here")
	if after := j.Stats().Segments; before < 4 || after != 1 {
		t.Errorf("there were %d segments and there are %d", before, after)
	}
	broken := newCollector()
	broken.fail = func([]*usage.Record) error { return errors.New("away") }
	if err := (&journal.Delivery{Reader: reader, Sink: broken}).Run(t.Context()); !errors.Is(err, journal.ErrForgotten) {
		t.Errorf("delivery to a forgotten sink ended with %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "cursor-gone")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its cursor is there: %v", err)
	}
	if err := j.Use("a/b"); err == nil {
		t.Error("a sink can be named a/b")
	}
}

// TestRefusedRecordsAreSetAside: one bad record in a batch costs nothing but itself.
func TestRefusedRecordsAreSetAside(t *testing.T) {
	j, _ := open(t, "")
	use(t, j, "sink")
	for _, id := range numbered(0, 100) {
		j.End(brief(id), nil)
	}
	sink := newCollector()
	sink.fail = func(records []*usage.Record) error {
		for _, r := range records {
			if r.ID == "r000042" || r.ID == "r000099" {
				return &journal.RefusedError{Code: "22021"}
			}
		}
		return nil
	}
	deliver(t, j, "sink", sink)
	if stats := sinkStats(t, j, "sink"); stats.Refused != 2 || len(sink.records) != 98 || sink.again != 0 {
		t.Errorf("%d were refused, %d taken, %d twice", stats.Refused, len(sink.records), sink.again)
	}
}

// TestOutage: a sink that is away is tried again with growing waits, told of once, and has everything in the end.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told quiet
		j, _, err := journal.Open(journal.Options{Log: told.logger()})
		if err != nil {
			t.Fatal(err)
		}
		use(t, j, "sink")
		tries, back := 0, time.Now().Add(time.Hour)
		sink := newCollector()
		sink.fail = func([]*usage.Record) error {
			tries++
			if time.Now().Before(back) {
				return errors.New("connection refused")
			}
			return nil
		}
		for _, id := range numbered(0, 10) {
			j.End(brief(id), nil)
		}
		reader, err := j.Reader("sink")
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- (&journal.Delivery{Reader: reader, Sink: sink, Linger: time.Second, Log: told.logger()}).Run(ctx)
		}()
		if err := j.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
		if diff := cmp.Diff(numbered(0, 10), sink.ids()); diff != "" {
			t.Errorf("sink (-want +got):\n%s", diff)
		}
		if tries < 240 || tries > 500 {
			t.Errorf("it was tried %d times in an hour; at most every 7.5 to 15 s", tries)
		}
		if away, again := told.count("does not take records"), told.count("takes records again"); away != 1 || again != 1 {
			t.Errorf("told %d times that it is away and %d times that it is back", away, again)
		}
	})
}

// TestManyAtOnce: records of many goroutines all arrive once, while segments come and go.
func TestManyAtOnce(t *testing.T) {
	directories(t, func(t *testing.T, dir string) {
		j, _ := open(t, dir, func(o *journal.Options) { o.MaxBytes, o.SegmentBytes = 64<<20, 64<<10 })
		use(t, j, "sink")
		sink := newCollector()
		reader, err := j.Reader("sink")
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		go func() { _ = (&journal.Delivery{Reader: reader, Sink: sink}).Run(ctx) }()
		var group sync.WaitGroup
		const goroutines, each = 16, 300
		for g := range goroutines {
			group.Go(func() {
				for i := range each {
					id := fmt.Sprintf("r%06d", g*each+i)
					if err := j.Begin(&journal.Attempt{Record: id, Time: start, Draft: draft(id), Claims: []ledger.Claim{held("pod/1.1", 1)}}); err != nil {
						t.Error(err)
					}
					j.End(whole(id), []ledger.Settlement{settlement("pod/1.1", int64(g*each+i), 1)})
				}
			})
		}
		group.Wait()
		if err := j.Drain(ctx); err != nil {
			t.Fatal(err)
		}
		if len(sink.records) != goroutines*each || sink.again != 0 {
			t.Errorf("%d of %d arrived, %d twice", len(sink.records), goroutines*each, sink.again)
		}
		if stats := j.Stats(); stats.Open != 0 || stats.Lost != 0 || stats.Segments > 2 {
			t.Errorf("at the end it is %+v", stats)
		}
	})
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	_, _, err := journal.Open(journal.Options{Dir: dir, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if !errors.Is(err, journal.ErrInUse) {
		t.Errorf("a second Open returned %v", err)
	}
}

// TestClosed: what comes after the end is counted, and neither fails nor panics.
func TestClosed(t *testing.T) {
	j, _ := open(t, t.TempDir())
	use(t, j, "sink")
	begin(t, j, "a")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	begin(t, j, "b")
	j.End(brief("b"), nil)
	j.Drop("a")
	if lost := j.Stats().Lost; lost != 3 {
		t.Errorf("%d notes were lost, want 3", lost)
	}
}

func BenchmarkBeginEnd(b *testing.B) {
	for name, dir := range map[string]string{"disk": b.TempDir(), "memory": ""} {
		b.Run(name, func(b *testing.B) {
			j, _ := open(b, dir)
			r, d := whole("a"), draft("a")
			claims := []ledger.Claim{held("pod/1.1", 100)}
			settlements := []ledger.Settlement{settlement("pod/1.1", 1, 40)}
			a := &journal.Attempt{Record: "a", Time: start, Draft: d, Claims: claims}
			b.ReportAllocs()
			for b.Loop() {
				settlements[0].Seq++
				if err := j.Begin(a); err != nil {
					b.Fatal(err)
				}
				j.End(r, settlements)
			}
		})
	}
}

// TestLinger: a record after a silence goes at once, those that follow wait for each other, and full batches wait for nothing.
func TestLinger(t *testing.T) {
	const linger = time.Second
	type batch struct {
		After   time.Duration
		Records int
	}
	for name, tc := range map[string]struct {
		// before are there when the delivery begins, and after come once it has gone quiet.
		before, after int
		want          []batch
	}{
		"one":             {1, 0, []batch{{0, 1}}},
		"followers":       {1, 3, []batch{{0, 1}, {linger, 3}}},
		"more than fit":   {2500, 0, []batch{{0, 1000}, {0, 1000}, {linger, 500}}},
		"many followers":  {1, 2000, []batch{{0, 1}, {linger, 1000}, {linger, 1000}}},
		"followers again": {1000, 1, []batch{{0, 1000}, {linger, 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j, _, err := journal.Open(journal.Options{Log: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Fatal(err)
				}
				use(t, j, "sink")
				reader, err := j.Reader("sink")
				if err != nil {
					t.Fatal(err)
				}
				began, sink := time.Now(), newCollector()
				var got []batch
				sink.fail = func(records []*usage.Record) error {
					got = append(got, batch{time.Since(began), len(records)})
					return nil
				}
				end := func(ids []string) {
					for _, id := range ids {
						j.End(brief(id), nil)
					}
				}
				end(numbered(0, tc.before))
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- (&journal.Delivery{Reader: reader, Sink: sink, Linger: linger}).Run(ctx) }()
				synctest.Wait()
				end(numbered(tc.before, tc.before+tc.after))
				if err := j.Drain(t.Context()); err != nil {
					t.Fatal(err)
				}
				stop()
				if err := <-ended; !errors.Is(err, context.Canceled) {
					t.Errorf("Run ended with %v", err)
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("batches (-want +got):\n%s", diff)
				}
			})
		})
	}
}
