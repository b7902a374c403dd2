package dataplane

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/control/controltest"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/ledger/file"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/usage"
)

// database is a sink that keeps the ids of what it was given.
type database struct {
	mu     sync.Mutex
	ids    map[string]int
	away   error
	closed int
	opened []table.Postgres
}

func (d *database) Write(_ context.Context, records []*usage.Record) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away != nil {
		return d.away
	}
	for _, record := range records {
		d.ids[record.ID]++
	}
	return nil
}

func (d *database) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed++
	return nil
}

func (d *database) open(where table.Postgres, _ string) (Sink, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opened = append(d.opened, where)
	return d, nil
}

func (d *database) set(away error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away = away
}

// counts are how many records there are, and how often each was given.
func (d *database) counts() (records, most, closed int, opened []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, where := range d.opened {
		opened = append(opened, where.URL)
	}
	for _, times := range d.ids {
		most = max(most, times)
	}
	return len(d.ids), most, d.closed, opened
}

func newDatabase() *database { return &database{ids: map[string]int{}} }

// call makes a call to its end.
func (p *plane) call() {
	p.t.Helper()
	stream := p.open(http.DefaultClient)
	if _, err := io.Copy(io.Discard, stream.body); err != nil || stream.status != http.StatusOK {
		p.t.Fatalf("a call ended with %d, %v", stream.status, err)
	}
}

// eventually polls for what must come.
func eventually(t *testing.T, what string, met func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-deadline:
			t.Fatalf("not seen: %s", what)
		case <-tick.C:
		}
	}
}

// withDatabase is a table that names a database.
func withDatabase(address, url string) *table.Table {
	t := tableFor(address)
	t.Usage.Postgres = &table.Postgres{URL: url}
	return t
}

// TestRecordsReachEverySink: each call is one line of standard output and one record of the database, once each, also the last ones before the end.
func TestRecordsReachEverySink(t *testing.T) {
	address, finish := slowStream(t)
	close(finish)
	records, base := &output{}, newDatabase()
	p := start(t, func(o *Options) { o.Records, o.OpenPostgres = records, base.open })
	p.source <- withDatabase(address, "postgres://first")
	p.awaitReady(http.StatusOK)
	const calls = 5
	for range calls {
		p.call()
	}
	p.terminate()
	if err := p.end(); err != nil {
		t.Error(err)
	}
	got, most, closed, _ := base.counts()
	if got != calls || most != 1 || closed != 1 {
		t.Errorf("the database has %d records, one of them %d times, and was closed %d times", got, most, closed)
	}
	lines := strings.Split(strings.TrimSpace(records.String()), "\n")
	var ids []string
	for _, line := range lines {
		var record struct {
			Schema, Msg, ID, Outcome string
			Cost                     int64 `json:"cost_nano"`
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil || record.Schema != usage.Schema || record.Msg != "usage" {
			t.Errorf("line %q, %v", line, err)
		}
		ids = append(ids, record.ID)
	}
	slices.Sort(ids)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(base.ids)), ids); diff != "" {
		t.Errorf("the sinks differ (-database +lines):\n%s", diff)
	}
}

// TestSinksFollowTheTable: a database that another table names alike goes on, one that is named otherwise is opened anew, and one that is not named is closed.
func TestSinksFollowTheTable(t *testing.T) {
	address, finish := slowStream(t)
	close(finish)
	base := newDatabase()
	p := start(t, func(o *Options) { o.OpenPostgres = base.open })
	steps := []struct {
		url    string
		opened []string
		closed int
	}{
		{"postgres://first", []string{"postgres://first"}, 0},
		{"postgres://first", []string{"postgres://first"}, 0},
		{"postgres://second", []string{"postgres://first", "postgres://second"}, 1},
		{"", []string{"postgres://first", "postgres://second"}, 2},
	}
	for i, step := range steps {
		next := tableFor(address)
		if step.url != "" {
			next = withDatabase(address, step.url)
		}
		p.source <- next
		// The source takes the next table only after it has dealt with this one.
		p.source <- next
		_, _, closed, opened := base.counts()
		if diff := cmp.Diff(step.opened, opened); diff != "" || closed != step.closed {
			t.Errorf("step %d: closed %d times; opened (-want +got):\n%s", i, closed, diff)
		}
	}
}

// TestSinkThatIsAwayLosesNothing: records wait in the journal over the end of the process, and the next process delivers them; the end waits for no longer
// than its bound, and names what was left.
func TestSinkThatIsAwayLosesNothing(t *testing.T) {
	address, finish := slowStream(t)
	close(finish)
	dir, base := t.TempDir(), newDatabase()
	base.set(errors.New("away"))
	options := func(o *Options) { o.JournalDir, o.OpenPostgres = filepath.Join(dir, "journal"), base.open }
	p := start(t, options)
	p.source <- withDatabase(address, "postgres://db")
	p.awaitReady(http.StatusOK)
	const calls = 3
	for range calls {
		p.call()
	}
	if _, metrics := p.get("/metrics"); !strings.Contains(metrics, `signalbox_usage_waiting_records{sink="postgres"} 3`) {
		t.Error("the metrics do not tell what waits")
	}
	p.terminate()
	if err := p.end(); err == nil || !strings.Contains(err.Error(), "usage records") {
		t.Errorf("the end says %v", err)
	}
	base.set(nil)
	again := start(t, options)
	again.source <- withDatabase(address, "postgres://db")
	eventually(t, "the records of the process before", func() bool {
		got, most, _, _ := base.counts()
		return got == calls && most == 1
	})
}

// TestSinkThatIsNotThereRefusesNothing: a table that names what this process has no way to is served all the same.
func TestSinkThatCannotBeOpenedRefusesNothing(t *testing.T) {
	address, finish := slowStream(t)
	close(finish)
	log := &output{}
	p := start(t, func(o *Options) {
		o.Log = slog.New(slog.NewTextHandler(log, nil))
		o.OpenPostgres = func(table.Postgres, string) (Sink, error) { return nil, errors.New("no such thing") }
	})
	p.source <- withDatabase(address, "postgres://db")
	p.awaitReady(http.StatusOK)
	p.call()
	if !strings.Contains(log.String(), "usage records cannot be delivered") {
		t.Error("nobody was told")
	}
}

// valkeyServer is a store that a table names.
type valkeyServer struct {
	*file.Store
	mu     sync.Mutex
	closed int
	opened []string
}

func (v *valkeyServer) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed++
	return nil
}

func (v *valkeyServer) open(server table.Valkey) (LedgerStore, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.opened = append(v.opened, server.Addresses...)
	return v, nil
}

func newValkey(t *testing.T) *valkeyServer {
	t.Helper()
	store, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return &valkeyServer{Store: store}
}

// withValkey is a table that keeps its ledgers in a server.
func withValkey(address, server string) *table.Table {
	t := tableFor(address)
	t.Ledgers.Valkey = &table.Valkey{Addresses: []string{server}, Password: "p"}
	return t
}

// spent is what a store says that was spent.
func spent(t *testing.T, store ledger.Store) int64 {
	t.Helper()
	stored, err := store.Load(t.Context(), "signalbox-ledger-b")
	if err != nil {
		t.Fatal(err)
	}
	var total int64
	for i := range stored.Record.Windows {
		total += stored.Record.Windows[i].Total().Spent
	}
	return total
}

// TestFirstTableChoosesTheStore: the ledgers stay where the first table had them, whatever later tables say, and both are told of.
func TestFirstTableChoosesTheStore(t *testing.T) {
	address, finish := slowStream(t)
	close(finish)
	server, log := newValkey(t), &output{}
	p := start(t, func(o *Options) { o.OpenValkey, o.Log = server.open, slog.New(slog.NewTextHandler(log, nil)) })
	p.source <- withValkey(address, "first:1")
	p.awaitReady(http.StatusOK)
	p.call()
	for range 2 {
		p.source <- withValkey(address, "second:1")
		p.source <- tableFor(address)
	}
	p.call()
	p.terminate()
	if err := p.end(); err != nil {
		t.Error(err)
	}
	if got := spent(t, server); got != 2*20_000 {
		t.Errorf("the server's ledger has %d", got)
	}
	if got := spent(t, p.store); got != 0 {
		t.Errorf("the other ledger has %d", got)
	}
	if diff := cmp.Diff([]string{"first:1"}, server.opened); diff != "" || server.closed != 1 {
		t.Errorf("closed %d times; opened (-want +got):\n%s", server.closed, diff)
	}
	if got := strings.Count(log.String(), "moved to another store"); got < 2 || got > 4 {
		t.Errorf("the moves are told %d times", got)
	}
}

// TestTableOfAnotherStoreIsNotServed: a process that was started for one store takes no table of another one first, such as a stale one of the mount.
func TestTableOfAnotherStoreIsNotServed(t *testing.T) {
	address, finish := slowStream(t)
	close(finish)
	server := newValkey(t)
	right := withValkey(address, "right:1")
	digest, err := right.Ledgers.Digest()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, func(o *Options) { o.OpenValkey, o.LedgerStore = server.open, digest })
	for _, stale := range []*table.Table{tableFor(address), withValkey(address, "wrong:1"), tableFor(address)} {
		p.source <- stale
	}
	if status, body := p.get("/readyz"); status != http.StatusServiceUnavailable || body != "no routing table yet\n" {
		t.Errorf("with the table of another store: %d %q", status, body)
	}
	p.source <- right
	p.awaitReady(http.StatusOK)
	p.call()
	if diff := cmp.Diff([]string{"right:1"}, server.opened); diff != "" {
		t.Errorf("opened (-want +got):\n%s", diff)
	}
}

// TestStoreThatCannotBeOpened: routes are served, and the ledger is as one that is away.
func TestStoreThatCannotBeOpened(t *testing.T) {
	address, finish := slowStream(t)
	close(finish)
	log := &output{}
	p := start(t, func(o *Options) {
		o.Log = slog.New(slog.NewTextHandler(log, nil))
		o.OpenValkey = func(table.Valkey) (LedgerStore, error) { return nil, errors.New("no such thing") }
	})
	next := withValkey(address, "a:1")
	next.Budgets[0].Enforcement, next.Budgets[0].AllowWithoutLedger = table.Observe, true
	p.source <- next
	p.awaitReady(http.StatusOK)
	p.call()
	if !strings.Contains(log.String(), "the store of the ledgers cannot be opened") {
		t.Error("nobody was told")
	}
	p.terminate()
	if err := p.end(); err != nil {
		t.Error(err)
	}
}

// TestRestartSettlesExactly: what a process had settled and not written when it was killed is settled by the next one of the pod, from the journal.
func TestRestartSettlesExactly(t *testing.T) {
	address, finish := slowStream(t)
	close(finish)
	dir := filepath.Join(t.TempDir(), "journal")
	broken := &brokenStore{}
	hard := func() *table.Table {
		next := tableFor(address)
		next.Budgets[0].Enforcement = table.Soft
		next.Budgets[0].AllowWithoutLedger = true
		return next
	}
	p := start(t, func(o *Options) {
		o.JournalDir, o.Owner = dir, ledger.NewOwner("pod", time.Unix(1000, 0))
		broken.Store = o.Store
		o.Store = broken
	})
	p.source <- hard()
	p.awaitReady(http.StatusOK)
	p.call()
	p.call()
	broken.breakDown()
	p.call()
	// The process ends as if it were killed: nothing more reaches the store.
	p.terminate()
	if err := p.end(); err == nil {
		t.Error("the ledger could be written")
	}
	store := p.store
	again := start(t, func(o *Options) {
		o.JournalDir, o.Owner, o.Store = dir, ledger.NewOwner("pod", time.Unix(2000, 0)), store
	})
	again.source <- hard()
	again.awaitReady(http.StatusOK)
	again.call()
	again.terminate()
	if err := again.end(); err != nil {
		t.Error(err)
	}
	if got := spent(t, store); got != 4*20_000 {
		t.Errorf("the ledger has %d, want %d", got, 4*20_000)
	}
}

// brokenStore is a store that takes nothing once it is broken.
type brokenStore struct {
	ledger.Store
	mu     sync.Mutex
	broken bool
}

func (b *brokenStore) breakDown() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = true
}

func (b *brokenStore) Save(ctx context.Context, name string, stored ledger.Stored) (ledger.Stored, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken {
		return ledger.Stored{}, errors.New("away")
	}
	return b.Store.Save(ctx, name, stored)
}

// TestJournalOfAnotherProcess: two processes never write one journal.
func TestJournalOfAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	p := start(t, func(o *Options) { o.JournalDir = dir })
	options := p.options
	options.Addr, options.MetricsAddr, options.ControlAddr = "127.0.0.1:0", "", ""
	if other, err := New(t.Context(), options); err == nil {
		_ = other.Close()
		t.Error("two data planes with one journal")
	}
}

// TestCloseGivesTheJournalBack: a data plane that was never run leaves its journal to another one.
func TestCloseGivesTheJournalBack(t *testing.T) {
	options := Options{
		Addr: "127.0.0.1:0", Source: make(tables), Owner: "pod/1", Store: newValkey(t), StartedAt: time.Now(), JournalDir: t.TempDir(),
		Log: slog.New(slog.DiscardHandler), AccessLog: io.Discard,
	}
	for range 2 {
		p, err := New(t.Context(), options)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestGenerationOfAnotherReplica: a request that one replica answered can be looked up at the other, and one that nobody answered at none.
func TestGenerationOfAnotherReplica(t *testing.T) {
	address, finish := slowStream(t)
	close(finish)
	port, lookup, pair := freePort(t), found("127.0.0.1", "127.0.0.2"), controltest.NewPair(t)
	first, second := startReplica(t, "127.0.0.1", port, lookup), startReplica(t, "127.0.0.2", port, lookup)
	for _, p := range []*plane{first, second} {
		next := tableFor(address)
		next.Control = pair
		p.source <- next
	}
	for _, p := range []*plane{first, second} {
		eventually(t, "the other replica", func() bool { return p.mesh.Settled() })
		p.awaitReady(http.StatusOK)
	}
	first.call()
	known := first.recent.Select(usage.Filter{})
	if len(known) != 1 {
		t.Fatalf("the first replica knows %d records", len(known))
	}
	got, found := second.askGeneration(t.Context(), known[0].ID)
	if !found {
		t.Fatal("the second replica does not find it")
	}
	want, text := usage.AppendJSON(nil, known[0]), usage.AppendJSON(nil, got)
	if !bytes.Equal(want, text) {
		t.Errorf("it came as %s, and was %s", text, want)
	}
	if _, found := second.askGeneration(t.Context(), "gen-that-never-was"); found {
		t.Error("a request that never was is known")
	}
}
