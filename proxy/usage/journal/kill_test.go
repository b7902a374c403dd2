package journal_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/usage"
	"signalbox.dev/signalbox/proxy/usage/journal"
)

// The child process writes what it knows to be done on its standard output, a line each, and is killed somewhere in between.
const (
	childDir = "SIGNALBOX_JOURNAL_TEST_DIR"
	childRun = "SIGNALBOX_JOURNAL_TEST_RUN"
	// kills is how many processes are killed, writers how many goroutines each has, and bound what each attempt reserves.
	kills, writers, bound = 100, 4, 1000
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir, os.Getenv(childRun)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// pipe is a sink, and what the writers tell, line by line.
type pipe struct {
	mu  sync.Mutex
	out io.Writer
}

func (p *pipe) line(format string, values ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := fmt.Fprintf(p.out, format+"\n", values...); err != nil {
		os.Exit(2)
	}
}

// Write implements journal.Sink.
func (p *pipe) Write(_ context.Context, records []*usage.Record) error {
	for _, r := range records {
		p.line("S %s %s %d", r.ID, r.Outcome, r.Cost)
	}
	return nil
}

// child writes until it is killed.
func child(dir, run string) error {
	j, recovery, err := journal.Open(journal.Options{Dir: dir, SegmentBytes: 64 << 10, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		return err
	}
	if err := j.Use("pipe"); err != nil {
		return err
	}
	out := &pipe{out: os.Stdout}
	for _, c := range recovery.Counters {
		out.line("R %s %d %d", c.Owner, c.Totals.Requests, c.Nano)
	}
	reader, err := j.Reader("pipe")
	if err != nil {
		return err
	}
	go func() { _ = (&journal.Delivery{Reader: reader, Sink: out}).Run(context.Background()) }()
	var mu sync.Mutex
	var seq int64
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%s-%d-%d", run, w, i)
				claims := []ledger.Claim{held(run+"/1.1", bound)}
				if err := j.Begin(&journal.Attempt{Record: id, Time: start, Draft: draft(id), Claims: claims}); err != nil {
					out.line("X %v", err)
					return
				}
				out.line("B %s", id)
				r := whole(id)
				r.Cost = int64(i)
				mu.Lock()
				seq++
				s := settlement(run+"/1.1", seq, seq)
				mu.Unlock()
				j.End(r, []ledger.Settlement{s})
				out.line("E %s %d", id, i)
			}
		})
	}
	group.Wait()
	return nil
}

// told is what the children said.
type told struct {
	begun, ended, taken map[string]string
	// perRun counts begun and ended requests, recovered is what the next process found out about a run.
	begunIn, endedIn map[string]int
	recovered        map[string][2]int
}

func (k *told) line(t *testing.T, line string) {
	t.Helper()
	fields := strings.Fields(line)
	switch {
	case len(fields) == 2 && fields[0] == "B":
		k.begun[fields[1]] = "begun"
		k.begunIn[runOf(fields[1])]++
	case len(fields) == 3 && fields[0] == "E":
		k.ended[fields[1]] = fields[2]
		k.endedIn[runOf(fields[1])]++
	case len(fields) == 4 && fields[0] == "S":
		was, now := k.taken[fields[1]], fields[2]+" "+fields[3]
		if was != "" && was != now {
			t.Fatalf("record %s came as %q and as %q", fields[1], was, now)
		}
		k.taken[fields[1]] = now
	case len(fields) == 4 && fields[0] == "R":
		k.recover(t, fields)
	default:
		t.Fatalf("a child said %q", line)
	}
}

func (k *told) recover(t *testing.T, fields []string) {
	t.Helper()
	var settled, nano int
	if _, err := fmt.Sscan(fields[2]+" "+fields[3], &settled, &nano); err != nil {
		t.Fatal(err)
	}
	run, _, _ := strings.Cut(fields[1], "/")
	now := [2]int{settled, nano / bound}
	if was, again := k.recovered[run]; again && was != now {
		t.Fatalf("run %s was recovered as %v and as %v", run, was, now)
	}
	k.recovered[run] = now
}

func runOf(id string) string {
	run, _, _ := strings.Cut(id, "-")
	return run
}

// TestKill kills processes at random moments. Every record whose End returned is delivered, with one outcome only; every attempt whose Begin returned is delivered
// or lost; and the counters know what was settled and what was open.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(20261123, 1))
	k := &told{
		begun: map[string]string{}, ended: map[string]string{}, taken: map[string]string{},
		begunIn: map[string]int{}, endedIn: map[string]int{}, recovered: map[string][2]int{},
	}
	for run := range kills {
		runAndKill(t, k, dir, fmt.Sprintf("run%d", run), 1+random.IntN(600))
	}
	j, recovery := open(t, dir)
	use(t, j, "pipe")
	reports := &strings.Builder{}
	deliver(t, j, "pipe", &pipe{out: reports})
	for _, c := range recovery.Counters {
		fmt.Fprintf(reports, "R %s %d %d\n", c.Owner, c.Totals.Requests, c.Nano)
	}
	for line := range strings.Lines(reports.String()) {
		k.line(t, line)
	}
	k.check(t)
}

// check compares what the children said with what came of it.
func (k *told) check(t *testing.T) {
	t.Helper()
	for id := range k.begun {
		taken := k.taken[id]
		if cost, ended := k.ended[id]; ended && taken != "completed "+cost {
			t.Errorf("record %s was written at a cost of %s and came as %q", id, cost, taken)
		} else if taken == "" {
			t.Errorf("record %s was begun and never came", id)
		}
	}
	for run, begun := range k.begunIn {
		settled, open := k.recovered[run][0], k.recovered[run][1]
		if settled < k.endedIn[run] || settled+open < begun || settled+open > begun+writers {
			t.Errorf("%s began %d and ended %d requests, but %d settled and %d open ones were recovered", run, begun, k.endedIn[run], settled, open)
		}
	}
	if len(k.ended) < kills*50 {
		t.Errorf("only %d records were written", len(k.ended))
	}
}

// runAndKill lets a child write so many lines and kills it.
func runAndKill(t *testing.T, k *told, dir, run string, lines int) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(ctx, program) //nolint:gosec // the test itself
	command.Env = append(os.Environ(), childDir+"="+dir, childRun+"="+run)
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(out)
	for read := 0; ; read++ {
		line, err := reader.ReadString('\n')
		if err != nil {
			break
		}
		k.line(t, line)
		if read == lines {
			if err := command.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := command.Wait(); err == nil || stderr.Len() > 0 {
		t.Fatalf("the child ended with %v: %s", err, stderr.String())
	}
}
