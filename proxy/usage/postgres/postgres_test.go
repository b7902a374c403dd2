package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/usage"
	"signalbox.dev/signalbox/proxy/usage/journal"
	"signalbox.dev/signalbox/proxy/usage/postgres"
)

var now = time.Date(2026, 11, 23, 1, 2, 3, 456_000, time.UTC)

func clock() time.Time { return now }

func brief(id string, at time.Time) *usage.Record {
	return &usage.Record{ID: id, Time: at, Namespace: "team-a", Caller: "accesskey:app", Outcome: usage.Completed, Cost: 5}
}

func briefs(from, to int) []*usage.Record {
	var records []*usage.Record
	for i := from; i < to; i++ {
		records = append(records, brief(fmt.Sprintf("r%06d", i), now.Add(time.Duration(i)*time.Millisecond)))
	}
	return records
}

// TestEveryColumn: what the table holds is what the record's JSON form says, name by name.
func TestEveryColumn(t *testing.T) {
	d := newDatabase(t)
	a := d.admin(t, clock)
	reported := int64(77)
	r := &usage.Record{
		ID: "gen-1", RequestID: "req-1", Time: now, Namespace: "team-a", Pod: "signalbox-1", Caller: "serviceaccount:team-a/app", EndUser: "ana \"x\" ☂",
		Tags: []table.Tag{{Key: "team", Value: "blue"}}, Trusted: true, Operation: "chat", Route: "chat", RoutedFrom: "dear", Target: "fast",
		Provider: "Groq", Model: "chat", Served: "llama", UpstreamID: "chatcmpl-1", Stream: true, Mirror: true,
		Usage: meter.Usage{
			Prompt: 1, Cached: 2, CacheWrite: 3, CacheWrite1h: 4, PromptAudio: 5, Completion: 6, Reasoning: 7, CompletionAudio: 8, CachedAudio: 9,
			PromptImage: 10, CompletionImage: 11, Images: 12, AudioMillis: 13, SpeechMillis: 14, Characters: 15, Searches: 16, SearchUnits: 17,
			Service: "flex", ReportedCost: &reported,
		},
		Cost: 1_234_567_890, Unpriced: true, PriceSource: "provider", ListCost: 99, Estimated: true, FirstToken: 1 * time.Millisecond,
		Upstream: 2 * time.Millisecond, Duration: 3 * time.Millisecond, Status: 200, Code: "ok", Outcome: usage.Completed, Budgets: []string{"all", "chat"},
		Attempts: []usage.Attempt{{Target: "fast", Provider: "Groq", Model: "llama", Status: 200, Code: "ok", Cost: 5, Duration: time.Second}},
	}
	if err := d.writer(t, a, "team-a").Write(t.Context(), []*usage.Record{r}); err != nil {
		t.Fatal(err)
	}
	var want, got map[string]any
	if err := json.Unmarshal(usage.AppendJSON(nil, r), &want); err != nil {
		t.Fatal(err)
	}
	delete(want, "schema")
	delete(want, "cost_usd")
	want["time"] = "2026-11-23T01:02:03.000456+00:00"
	if err := json.Unmarshal([]byte(d.text(t, "SELECT to_jsonb(u)::text FROM signalbox.usage u")), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
}

// TestWritingAgain: any number of proxies can write the same records in any order, at the same time.
func TestWritingAgain(t *testing.T) {
	d := newDatabase(t)
	a := d.admin(t, clock)
	if err := a.EnsurePartitions(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 4 {
		w := d.writer(t, a, "team-a")
		group.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for round := range 10 {
				records := append(briefs(300*round, 300*round+300), briefs(0, 50)...)
				random.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
				if err := w.Write(t.Context(), records); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if n := d.text(t, "SELECT count(*)::text FROM signalbox.usage"); n != "3000" {
		t.Errorf("there are %s records, want 3000", n)
	}
}

func TestMigratingAgain(t *testing.T) {
	d := newDatabase(t)
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() { d.admin(t, clock) })
	}
	group.Wait()
	if n := d.text(t, "SELECT string_agg(version::text, ',') FROM signalbox.schema_version"); n != "1" {
		t.Errorf("versions are %s", n)
	}
	if _, err := connect(t, d.adminURL).Exec(t.Context(), "INSERT INTO signalbox.schema_version VALUES (999)"); err != nil {
		t.Fatal(err)
	}
	d.admin(t, clock)
}

// TestRoleCanOnlyInsertItsOwn tries what a namespace that has its role's password could.
func TestRoleCanOnlyInsertItsOwn(t *testing.T) {
	d := newDatabase(t)
	a := d.admin(t, clock)
	if err := a.EnsurePartitions(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	own, other := d.writer(t, a, "team-a"), d.writer(t, a, "team-b")
	if err := own.Write(t.Context(), briefs(0, 3)); err != nil {
		t.Fatal(err)
	}
	var refused *journal.RefusedError
	if err := other.Write(t.Context(), briefs(3, 4)); !errors.As(err, &refused) {
		t.Errorf("another namespace's record: %v", err)
	}
	posing, err := postgres.NewWriter(postgres.WriterOptions{URL: d.roleURL(t, "team-b"), Namespace: "team-a"})
	if err != nil {
		t.Fatal(err)
	}
	defer posing.Close()
	if err := posing.Write(t.Context(), briefs(3, 4)); err == nil || !strings.Contains(err.Error(), "row-level security") || errors.As(err, &refused) {
		t.Errorf("a record in another namespace's name: %v", err)
	}
	conn := connect(t, d.roleURL(t, "team-b"))
	for _, statement := range []string{
		"SELECT * FROM signalbox.usage", "SELECT count(*) FROM signalbox.usage", "UPDATE signalbox.usage SET cost_nanodollars = 0", "DELETE FROM signalbox.usage",
		"TRUNCATE signalbox.usage", "SELECT * FROM signalbox.namespaces", "SELECT * FROM signalbox.usage_2026_11", "DROP TABLE signalbox.usage",
		"INSERT INTO signalbox.usage_2026_11 SELECT * FROM signalbox.usage", "CREATE TABLE signalbox.mine (x int)", "ALTER TABLE signalbox.usage DISABLE ROW LEVEL SECURITY",
		"CREATE ROLE mine", "INSERT INTO signalbox.usage DEFAULT VALUES RETURNING id", "COPY signalbox.usage TO STDOUT",
	} {
		var denied *pgconn.PgError
		if _, err := conn.Exec(t.Context(), statement); !errors.As(err, &denied) || denied.Code != "42501" {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if n := d.text(t, "SELECT string_agg(DISTINCT namespace, ',') || count(*) FROM signalbox.usage"); n != "team-a3" {
		t.Errorf("records are %s", n)
	}
}

func TestRoles(t *testing.T) {
	d := newDatabase(t)
	a := d.admin(t, clock)
	d.writer(t, a, "team-a")
	d.writer(t, a, "team-a")
	long := strings.Repeat("n", 63)
	if err := d.writer(t, a, long).Write(t.Context(), []*usage.Record{{ID: "x", Time: now, Namespace: long}}); err != nil {
		t.Error(err)
	}
	namespaces, err := a.Namespaces(t.Context())
	if diff := cmp.Diff([]string{long, "team-a"}, namespaces); err != nil || diff != "" {
		t.Errorf("namespaces (-want +got):\n%s%v", diff, err)
	}
	for _, bad := range []string{"", "a'b", "A", "a_b", long + "n"} {
		if err := a.EnsureRole(t.Context(), bad, "x"); err == nil {
			t.Errorf("a role was made for %q", bad)
		}
	}
}

// TestPasswords: a changed password holds at once, a removed role is gone, and no password is in an error or in the server's log of statements.
func TestPasswords(t *testing.T) {
	d := newDatabase(t)
	a := d.admin(t, clock)
	d.writer(t, a, "team-a")
	if err := a.EnsureRole(t.Context(), "team-a", "another"); err != nil {
		t.Fatal(err)
	}
	if conn, err := pgx.Connect(t.Context(), d.roleURL(t, "team-a")); err == nil {
		t.Error("the password of before is good still", conn.Close(t.Context()))
	} else if strings.Contains(err.Error(), "password-of-team-a") {
		t.Errorf("the error holds the password: %v", err)
	}
	for range 2 {
		if err := a.RemoveRole(t.Context(), "team-a"); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.text(t, "SELECT count(*)::text FROM pg_policies WHERE schemaname = 'signalbox' AND cmd = 'INSERT'"); n != "0" {
		t.Errorf("%s policies are left", n)
	}
	log, err := os.ReadFile(d.log.Name())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(log), "password-of-") {
		t.Error("the server's log of statements holds a password")
	}
}

func TestRoleName(t *testing.T) {
	seen := map[string]string{}
	for _, database := range []string{"usage", "usage_a", strings.Repeat("d", 60), strings.Repeat("é", 30)} {
		for _, namespace := range []string{"a", "b", strings.Repeat("n", 63), strings.Repeat("n", 62) + "m"} {
			name := postgres.RoleName(database, namespace)
			if len(name) > 63 || seen[name] != "" {
				t.Errorf("%s of %s is %q, as of %q", namespace, database, name, seen[name])
			}
			seen[name] = database + "/" + namespace
		}
	}
}

// TestMonths: a month that nobody prepared goes to the default partition and is moved when its own is made.
func TestMonths(t *testing.T) {
	d := newDatabase(t)
	at := now
	a := d.admin(t, func() time.Time { return at })
	w := d.writer(t, a, "team-a")
	in := func(partition string) string {
		return d.text(t, "SELECT coalesce(string_agg(id, ',' ORDER BY id), '') FROM signalbox."+partition)
	}
	if err := a.EnsurePartitions(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	december := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	february := time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)
	err := w.Write(t.Context(), []*usage.Record{
		brief("late", now.AddDate(0, -3, 0)), brief("november", december.Add(-time.Microsecond)), brief("december", december), brief("february", february),
		brief("ancient", now.AddDate(-3, 0, 0)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := in("usage_2026_11") + " " + in("usage_2026_12") + " " + in("usage_default"); got != "november december ancient,february,late" {
		t.Errorf("partitions hold %s", got)
	}
	at = february.Add(time.Hour)
	if err := errors.Join(a.EnsurePartitions(t.Context(), 1), a.EnsurePartitions(t.Context(), 1)); err != nil {
		t.Fatal(err)
	}
	if got := in("usage_2027_02") + " " + in("usage_2026_08") + " " + in("usage_default"); got != "february late ancient" {
		t.Errorf("partitions hold %s", got)
	}
	// What was moved is known, so that it is not written again.
	if err := w.Write(t.Context(), []*usage.Record{brief("february", february)}); err != nil || in("usage_2027_02") != "february" {
		t.Errorf("then %s, %v", in("usage_2027_02"), err)
	}
	if err := a.Retention(t.Context(), 60*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := d.text(t, "SELECT string_agg(id, ',' ORDER BY id) FROM signalbox.usage"); got != "december,february" {
		t.Errorf("after the retention there are %s", got)
	}
	if got := d.text(t, "SELECT coalesce(to_regclass('signalbox.usage_2026_11')::text, 'gone')"); got != "gone" {
		t.Errorf("November is %s", got)
	}
}

func TestBounds(t *testing.T) {
	a := newDatabase(t).admin(t, clock)
	if err := a.Retention(t.Context(), time.Hour); err == nil {
		t.Error("everything can be dropped")
	}
	if err := a.EnsurePartitions(t.Context(), 25); err == nil {
		t.Error("partitions can be made for any number of months")
	}
}

// TestRefusedRow: a row that the database does not take costs nothing but itself, and is not logged.
func TestRefusedRow(t *testing.T) {
	d := newDatabase(t)
	a := d.admin(t, clock)
	if _, err := connect(t, d.adminURL).Exec(t.Context(), "ALTER TABLE signalbox.usage ADD CHECK (end_user <> 'forbidden')"); err != nil {
		t.Fatal(err)
	}
	j, _, err := journal.Open(journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Use("postgres"); err != nil {
		t.Fatal(err)
	}
	for i, r := range briefs(0, 50) {
		switch i {
		case 17:
			r.EndUser = "forbidden"
		case 18:
			r.Namespace = "team-b"
		}
		j.End(r, nil)
	}
	var told strings.Builder
	run(t, j, d.writer(t, a, "team-a"), slog.New(slog.NewTextHandler(&told, nil)))
	if n := d.text(t, "SELECT count(*)::text FROM signalbox.usage"); n != "48" || j.Stats().Sinks[0].Refused != 2 {
		t.Errorf("%s records are there, %+v", n, j.Stats())
	}
	if strings.Contains(told.String(), "forbidden") || !strings.Contains(told.String(), "code=23514 record=r000017") {
		t.Errorf("the log says %s", told.String())
	}
}

// run delivers until everything is there.
func run(t *testing.T, j *journal.Journal, w *postgres.Writer, log *slog.Logger) {
	t.Helper()
	ended, stop := deliver(t, j, w, log)
	ctx, enough := context.WithTimeout(t.Context(), time.Minute)
	defer enough()
	if err := j.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	stop()
	over(t, ended)
}

// over waits for a delivery that was stopped.
func over(t *testing.T, ended <-chan error) {
	t.Helper()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the delivery ended with %v", err)
	}
}

func deliver(t *testing.T, j *journal.Journal, w *postgres.Writer, log *slog.Logger) (<-chan error, func()) {
	t.Helper()
	reader, err := j.Reader("postgres")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- (&journal.Delivery{Reader: reader, Sink: w, Log: log}).Run(ctx) }()
	return ended, stop
}

// process is one that writes records, and ends in the middle of its work.
type process struct {
	*database
	dir     string
	written int
}

var silent = slog.New(slog.NewTextHandler(io.Discard, nil))

func (p *process) open(t *testing.T) *journal.Journal {
	t.Helper()
	j, _, err := journal.Open(journal.Options{Dir: p.dir, MaxBytes: 8 << 20, Log: silent})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Use("postgres"); err != nil {
		t.Fatal(err)
	}
	return j
}

// load runs a process for a time.
func (p *process) load(t *testing.T, length time.Duration) {
	t.Helper()
	j := p.open(t)
	ended, stop := deliver(t, j, p.writerAgain(t), silent)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < length; <-tick.C {
		for _, r := range briefs(p.written, p.written+5) {
			if err := j.Begin(&journal.Attempt{Record: r.ID, Time: r.Time, Draft: r}); err != nil {
				t.Fatal(err)
			}
			j.End(r, nil)
		}
		p.written += 5
	}
	stop()
	over(t, ended)
	if stats := j.Stats(); stats.Bytes > stats.MaxBytes || stats.Sinks[0].Dropped > 0 || stats.Lost > 0 {
		t.Errorf("the journal is %+v", stats)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestOutage stops the database for five seconds under load and restarts the writing process in between: no record is lost or doubled.
func TestOutage(t *testing.T) {
	d := newDatabase(t)
	d.writer(t, d.admin(t, clock), "team-a").Close()
	p := &process{database: d, dir: t.TempDir()}
	p.load(t, 500*time.Millisecond)
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	p.load(t, 2500*time.Millisecond)
	p.load(t, 2500*time.Millisecond)
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
	p.load(t, 300*time.Millisecond)
	j := p.open(t)
	run(t, j, d.writerAgain(t), silent)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	got, want := d.text(t, "SELECT count(DISTINCT id) || ' of ' || count(*) FROM signalbox.usage"), fmt.Sprintf("%d of %d", p.written, p.written)
	if got != want || p.written < 1000 {
		t.Errorf("there are %s, want %s, at least 1000", got, want)
	}
}

// writerAgain is a writer with a role that is there.
func (d *database) writerAgain(t *testing.T) *postgres.Writer {
	t.Helper()
	w, err := postgres.NewWriter(postgres.WriterOptions{URL: d.roleURL(t, "team-a"), Namespace: "team-a"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// TestReport: the database adds up as the memory does.
func TestReport(t *testing.T) {
	d := newDatabase(t)
	a := d.admin(t, clock)
	random := rand.New(rand.NewPCG(3, 4))
	pick := func(values ...string) string { return values[random.IntN(len(values))] }
	var records []*usage.Record
	for _, r := range briefs(0, 400) {
		r.Time = now.Add(time.Duration(random.IntN(72)) * time.Hour)
		r.Caller, r.Model, r.Provider, r.Code = pick("a", "b"), pick("m", "n", ""), pick("Groq", "OpenAI"), pick("ok", "timeout")
		r.Tags = []table.Tag{{Key: "team", Value: pick("blue", "red")}}[:random.IntN(2)]
		r.Outcome, r.Estimated, r.Unpriced = usage.Outcome(pick("completed", "failed")), random.IntN(2) == 0, random.IntN(9) == 0
		r.Cost = random.Int64N(1 << 60)
		r.Usage = meter.Usage{Prompt: random.Int64N(1000), Cached: 3, Completion: random.Int64N(99), Reasoning: 1}
		records = append(records, r)
	}
	if err := d.writer(t, a, "team-a").Write(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	for _, by := range []string{"", "caller", "model,day", "hour", "tag:team,caller,outcome", "namespace,end_user,served_model,provider,target,route", "operation,code,pod"} {
		t.Run(by, func(t *testing.T) {
			filter := usage.Filter{Caller: "a", Since: now.Add(3 * time.Hour), Until: now.Add(60 * time.Hour)}
			var dimensions []usage.Dimension
			if by != "" {
				var err error
				if dimensions, err = usage.ParseDimensions(by); err != nil {
					t.Fatal(err)
				}
			}
			got, err := postgres.Report(t.Context(), d.adminURL, postgres.Query{Filter: filter, Namespace: "team-a", By: dimensions})
			if err != nil {
				t.Fatal(err)
			}
			chosen := slices.DeleteFunc(slices.Clone(records), func(r *usage.Record) bool { return !filter.Matches(r) })
			if diff := cmp.Diff(usage.Summarize(chosen, dimensions), got.Rows); diff != "" {
				t.Errorf("rows (-memory +database):\n%s", diff)
			}
		})
	}
}

func TestAuthorities(t *testing.T) {
	d := newDatabase(t)
	d.admin(t, clock)
	url := strings.Replace(d.adminURL, "127.0.0.1", "localhost", 1)
	good, err := postgres.NewAdmin(postgres.AdminOptions{URL: url, CAPEM: d.caPEM})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = good.Close() }()
	if err := good.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
	for name, o := range map[string]postgres.AdminOptions{
		"another name":         {URL: d.adminURL, CAPEM: d.caPEM},
		"sslmode changes none": {URL: d.adminURL + "?sslmode=disable", CAPEM: d.caPEM},
	} {
		a, err := postgres.NewAdmin(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Migrate(t.Context()); err == nil {
			t.Errorf("%s: it connects", name)
		}
	}
	if _, err := postgres.NewAdmin(postgres.AdminOptions{URL: url, CAPEM: []byte("none")}); err == nil {
		t.Error("authorities without a certificate are taken")
	}
}

func TestURLs(t *testing.T) {
	for name, bad := range map[string]string{
		"no scheme": "hidden@host/db", "other scheme": "mysql://a:hidden@host/db", "no database": "postgres://a:hidden@host", "bad port": "postgres://a:hidden@host:port/db",
		"bad mode": "postgres://a:hidden@host/db?sslmode=hidden", "words": "host=x password=hidden",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := postgres.NewWriter(postgres.WriterOptions{URL: bad})
			if err == nil || strings.Contains(err.Error(), "hidden") {
				t.Errorf("NewWriter(%q) returned %v", bad, err)
			}
		})
	}
	got, err := postgres.RoleURL("postgres://admin:hidden@db.example:5433/usage?sslmode=verify-full&sslkey=/secret&sslrootcert=/ca&servicefile=/s&password=hidden", "team-a", "p@ss/word")
	if want := "postgres://signalbox_usage_team-a:p%40ss%2Fword@db.example:5433/usage?sslmode=verify-full"; err != nil || got != want {
		t.Errorf("RoleURL = %q, %v, want %q", got, err, want)
	}
}
