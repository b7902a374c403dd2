package valkey

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/ledger/valkey/valkeytest"
	"signalbox.dev/signalbox/proxy/table"
)

const namespace = "team-a"

// options are those of the server's administrator in a namespace.
func options(server *valkeytest.Server) table.Valkey {
	return table.Valkey{Addresses: []string{server.Addr()}, Username: "default", Password: valkeytest.Password, Prefix: Prefix(namespace)}
}

func open(t *testing.T, options table.Valkey) *Store {
	t.Helper()
	store, err := New(options, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func load(t *testing.T, store *Store, name string) ledger.Stored {
	t.Helper()
	stored, err := store.Load(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func save(t *testing.T, store *Store, name string, stored ledger.Stored) ledger.Stored {
	t.Helper()
	saved, err := store.Save(t.Context(), name, stored)
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

// with returns what was stored with one more entry.
func with(stored ledger.Stored, owner ledger.Owner, nano, seq int64) ledger.Stored {
	stored.Record = stored.Record.Clone()
	entry := ledger.Entry{Totals: ledger.Totals{Spent: nano, Requests: seq}, Seq: seq, Updated: time.Unix(1_800_000_000, 0).UTC()}
	stored.Record.Put(ledger.Key{Period: "Total", TimeZone: "UTC"}, time.Time{}, owner, entry)
	return stored
}

func spent(record ledger.Record) int64 {
	count, _ := record.Find(ledger.Key{Period: "Total", TimeZone: "UTC"})
	return count.Total().Spent
}

// eventually waits for something that other goroutines bring about.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(60 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatalf("%s: not within a minute", what)
		case <-tick.C:
		}
	}
}

func TestSaveAndLoad(t *testing.T) {
	server := valkeytest.Start(t)
	one, two := open(t, options(server)), open(t, options(server))
	empty := load(t, one, "b")
	if len(empty.Record.Windows) != 0 || empty.Identity == "" || empty.Order == 0 {
		t.Errorf("a document that was never saved is %+v", empty)
	}
	if diff := cmp.Diff(empty, load(t, two, "b")); diff != "" {
		t.Errorf("the other store sees (-want +got):\n%s", diff)
	}
	saved := save(t, one, "b", with(empty, "a/1", 5, 1))
	if saved.Order <= empty.Order || saved.Version == empty.Version || saved.Identity != empty.Identity {
		t.Errorf("saved as %s %d after %s %d", saved.Identity, saved.Order, empty.Identity, empty.Order)
	}
	if diff := cmp.Diff(saved, load(t, two, "b")); diff != "" {
		t.Errorf("loaded (-saved +loaded):\n%s", diff)
	}
}

func TestSaveComparesFirst(t *testing.T) {
	server := valkeytest.Start(t)
	one, two := open(t, options(server)), open(t, options(server))
	empty := load(t, one, "b")
	saved := save(t, one, "b", with(empty, "a/1", 5, 1))
	elsewhere := saved
	elsewhere.Identity = "another"
	for what, tc := range map[string]struct {
		name  string
		below ledger.Stored
	}{
		"an old version":         {name: "b", below: empty},
		"another life's version": {name: "b", below: elsewhere},
		"no document":            {name: "never made", below: saved},
	} {
		if _, err := two.Save(t.Context(), tc.name, with(tc.below, "b/1", 7, 1)); !errors.Is(err, ledger.ErrConflict) {
			t.Errorf("save over %s: %v; want a conflict", what, err)
		}
	}
	if got := load(t, two, "b"); spent(got.Record) != 5 {
		t.Errorf("stored %d; want 5", spent(got.Record))
	}
}

func TestNamesOfDocuments(t *testing.T) {
	store := open(t, table.Valkey{Addresses: []string{"127.0.0.1:1"}, Prefix: Prefix(namespace)})
	for _, name := range []string{"", strings.Repeat("x", maxNameBytes+1)} {
		_, loading := store.Load(t.Context(), name)
		_, saving := store.Save(t.Context(), name, ledger.Stored{})
		for _, err := range []error{loading, saving} {
			if err == nil || !strings.Contains(err.Error(), "name of") {
				t.Errorf("a name of %d bytes: %v", len(name), err)
			}
		}
	}
}

// TestReplicasAddUp has owners write at the same time; none of what was acknowledged is missing.
func TestReplicasAddUp(t *testing.T) {
	server := valkeytest.Start(t)
	const owners, writes = 8, 25
	var running sync.WaitGroup
	for i := range owners {
		store := open(t, options(server))
		running.Go(func() {
			for seq := int64(1); seq <= writes; {
				stored, err := store.Load(t.Context(), "b")
				if err != nil {
					t.Error(err)
					return
				}
				_, err = store.Save(t.Context(), "b", with(stored, ledger.Owner(fmt.Sprintf("pod-%d/1", i)), seq, seq))
				switch {
				case err == nil:
					seq++
				case !errors.Is(err, ledger.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	if got := spent(load(t, open(t, options(server)), "b").Record); got != owners*writes {
		t.Errorf("stored %d; want %d", got, owners*writes)
	}
}

// TestKilledServerKeepsWhatItAcknowledged kills the server with signal 9 under writes and starts it again.
func TestKilledServerKeepsWhatItAcknowledged(t *testing.T) {
	server := valkeytest.Start(t)
	store := open(t, options(server))
	var mu sync.Mutex
	var acknowledged int64
	count := func() int64 {
		mu.Lock()
		defer mu.Unlock()
		return acknowledged
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		for seq := int64(1); ctx.Err() == nil; seq++ {
			stored, err := store.Load(ctx, "b")
			if err == nil {
				_, err = store.Save(ctx, "b", with(stored, "a/1", seq, seq))
			}
			if err == nil {
				mu.Lock()
				acknowledged = seq
				mu.Unlock()
			}
		}
	})
	first := load(t, open(t, options(server)), "b").Identity
	for range 3 {
		before := count()
		eventually(t, "writes go on", func() bool { return count() > before+20 })
		server.Kill()
		server.Restart()
	}
	cancel()
	running.Wait()
	got := load(t, open(t, options(server)), "b")
	if spent(got.Record) < count() {
		t.Errorf("stored %d; %d was acknowledged", spent(got.Record), count())
	}
	if got.Identity != first {
		t.Error("the document has another identity, though nothing was lost")
	}
}

// TestLostDatabaseShows empties the database under two stores.
func TestLostDatabaseShows(t *testing.T) {
	server := valkeytest.Start(t)
	one := open(t, options(server))
	saved := save(t, one, "b", with(load(t, one, "b"), "a/1", 5, 1))
	if err := one.client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Save(t.Context(), "b", with(saved, "a/1", 6, 2)); !errors.Is(err, ledger.ErrConflict) {
		t.Errorf("save into the empty database: %v; want a conflict", err)
	}
	after := load(t, one, "b")
	if after.Identity == saved.Identity || after.Order <= saved.Order || len(after.Record.Windows) != 0 {
		t.Errorf("after the loss: %+v; want another identity and a larger order than %d", after, saved.Order)
	}
}

// rollBack sets a document to what it was before.
func rollBack(t *testing.T, store *Store, name string, fields map[string]string) {
	t.Helper()
	if err := store.client.Del(t.Context(), store.document(name)).Err(); err != nil {
		t.Fatal(err)
	}
	if err := store.client.HSet(t.Context(), store.document(name), fields).Err(); err != nil {
		t.Fatal(err)
	}
}

func snapshot(t *testing.T, store *Store, name string) map[string]string {
	t.Helper()
	fields, err := store.client.HGetAll(t.Context(), store.document(name)).Result()
	if err != nil {
		t.Fatal(err)
	}
	return fields
}

// TestRolledBackDatabaseShows restores an old state, as a backup or a replica that lagged behind does. Who had seen the later state finds a document with another
// identity, also when somebody else has written meanwhile, and everybody else does then.
func TestRolledBackDatabaseShows(t *testing.T) {
	server := valkeytest.Start(t)
	for name, others := range map[string]int{"nobody wrote since": 0, "another owner wrote since": 1, "another owner wrote often": 5} {
		t.Run(name, func(t *testing.T) {
			document := strings.ReplaceAll(name, " ", "-")
			witness, other := open(t, options(server)), open(t, options(server))
			old := save(t, other, document, with(load(t, other, document), "b/1", 1, 1))
			before := snapshot(t, other, document)
			late := save(t, witness, document, with(load(t, witness, document), "a/1", 5, 1))
			rollBack(t, witness, document, before)
			for i := range others {
				old = save(t, other, document, with(old, "b/1", 2, int64(2+i)))
			}
			seen := load(t, witness, document)
			if seen.Identity == late.Identity || seen.Order <= late.Order || seen.Order < old.Order {
				t.Errorf("the witness of order %d sees identity %s, order %d", late.Order, seen.Identity, seen.Order)
			}
			if spent(seen.Record) != spent(old.Record) {
				t.Errorf("what is left is %d; want %d", spent(seen.Record), spent(old.Record))
			}
			for who, store := range map[string]*Store{"the other": other, "the witness, once more,": witness} {
				if diff := cmp.Diff(seen, load(t, store, document)); diff != "" {
					t.Errorf("%s sees (-want +got):\n%s", who, diff)
				}
			}
			rollBack(t, witness, document, before)
			if twice := load(t, witness, document); twice.Identity == seen.Identity || twice.Identity == late.Identity || twice.Order <= seen.Order {
				t.Errorf("after another restore: identity %s, order %d", twice.Identity, twice.Order)
			}
		})
	}
}

// TestLongAbsenceIsNoRollback lets more orders go by than a document remembers.
func TestLongAbsenceIsNoRollback(t *testing.T) {
	server := valkeytest.Start(t)
	absent, busy := open(t, options(server)), open(t, options(server))
	first := load(t, absent, "b")
	stored := load(t, busy, "b")
	for seq := range int64(100) {
		stored = save(t, busy, "b", with(stored, "a/1", seq, seq+1))
	}
	if got := load(t, absent, "b"); got.Identity != first.Identity || got.Order != stored.Order {
		t.Errorf("identity %s, order %d; want %s, %d", got.Identity, got.Order, first.Identity, stored.Order)
	}
	if h := snapshot(t, busy, "b")["h"]; len(h) != 17*32 {
		t.Errorf("the orders that are remembered take %d bytes", len(h))
	}
}

func TestOffset(t *testing.T) {
	server := valkeytest.Start(t)
	store := open(t, options(server))
	if ahead, known := store.Offset(); known {
		t.Errorf("Offset before the first answer = %v", ahead)
	}
	load(t, store, "b")
	if ahead, known := store.Offset(); !known || ahead.Abs() > time.Second {
		t.Errorf("Offset of a server on this machine = %v, %v", ahead, known)
	}
	sent := time.Unix(1_800_000_000, 0)
	for name, tc := range map[string]struct {
		micros string
		trip   time.Duration
		want   time.Duration
		known  bool
	}{
		"ahead":    {micros: "1800000060050000", trip: 100 * time.Millisecond, want: time.Minute, known: true},
		"behind":   {micros: "1799999940000000", trip: 0, want: -time.Minute, known: true},
		"slow":     {micros: "1800000060050000", trip: 2 * time.Second},
		"not one":  {micros: "x", trip: time.Millisecond},
		"negative": {micros: "-5", trip: time.Millisecond},
		"backward": {micros: "1800000060050000", trip: -time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			var o offset
			o.learn(tc.micros, sent, sent.Add(tc.trip))
			if got, known := o.value(); got != tc.want || known != tc.known {
				t.Errorf("offset = %v, %v; want %v, %v", got, known, tc.want, tc.known)
			}
		})
	}
}

func TestDocumentsOfALedger(t *testing.T) {
	server := valkeytest.Start(t)
	store := open(t, options(server))
	for _, name := range []string{"b", "b/serviceaccount:x/y", "b/{}*\x00", "c"} {
		save(t, store, name, with(load(t, store, name), "a/1", 5, 1))
	}
	ledgers, err := store.Ledgers(t.Context())
	if diff := cmp.Diff([]string{"b", "c"}, ledgers); err != nil || diff != "" {
		t.Errorf("ledgers: %v (-want +got):\n%s", err, diff)
	}
	names, err := store.List(t.Context(), "b")
	if diff := cmp.Diff([]string{"b", "b/serviceaccount:x/y", "b/{}*\x00"}, names); err != nil || diff != "" {
		t.Errorf("documents: %v (-want +got):\n%s", err, diff)
	}
}

func TestPeekMakesNothing(t *testing.T) {
	server := valkeytest.Start(t)
	store := open(t, options(server))
	names := []string{"b", "b/x", "b/y"}
	for _, name := range names {
		save(t, store, name, with(load(t, store, name), "a/1", 5, 1))
	}
	peeked, err := store.Peek(t.Context(), append(slices.Clone(names), "b/none")...)
	if err != nil || len(peeked) != 4 {
		t.Fatalf("Peek = %d documents, %v", len(peeked), err)
	}
	for i, stored := range peeked[:3] {
		if diff := cmp.Diff(load(t, store, names[i]), stored); diff != "" {
			t.Errorf("%s (-loaded +peeked):\n%s", names[i], diff)
		}
	}
	if peeked[3].Version != "" || peeked[3].Identity != "" {
		t.Errorf("a document that is not there is %+v", peeked[3])
	}
	if names, err := store.List(t.Context(), "b"); err != nil || len(names) != 3 {
		t.Errorf("after Peek there are %q, %v", names, err)
	}
}

func TestSeed(t *testing.T) {
	server := valkeytest.Start(t)
	store := open(t, options(server))
	save(t, store, "b", with(load(t, store, "b"), "a/1", 5, 1))
	seed := with(ledger.Stored{}, "z/1", 9, 1).Record
	if err := store.Seed(t.Context(), "b", seed); err != nil {
		t.Fatal(err)
	}
	if got := load(t, store, "b/new"); spent(got.Record) != 9 {
		t.Errorf("a new document holds %+v; want the seed", got.Record)
	}
	if got := load(t, store, "b"); spent(got.Record) != 5 {
		t.Errorf("a document that was there holds %+v", got.Record)
	}
	if got := load(t, store, "c/new"); len(got.Record.Windows) != 0 {
		t.Errorf("a new document of another ledger holds %+v", got.Record)
	}
}

// TestPrune removes what ended long ago and nothing else.
func TestPrune(t *testing.T) {
	server := valkeytest.Start(t)
	store := open(t, options(server))
	now := time.Now().UTC()
	for name, end := range map[string]time.Time{
		"b/total": {}, "b/long ago": now.Add(-pruneAfter - time.Hour), "b/not so long": now.Add(-pruneAfter + time.Hour), "b/to come": now.Add(time.Hour),
	} {
		stored := load(t, store, name)
		key := ledger.Key{Period: "Day", TimeZone: "UTC", Start: end.Add(-24 * time.Hour)}
		if end.IsZero() {
			key = ledger.Key{Period: "Total", TimeZone: "UTC"}
		}
		stored.Record.Put(key, end, "a/1", ledger.Entry{Totals: ledger.Totals{Spent: 1}, Seq: 1, Updated: now})
		save(t, store, name, stored)
	}
	load(t, store, "b/only looked at")
	removed, err := store.Prune(t.Context(), "b")
	if err != nil || removed != 1 {
		t.Errorf("Prune = %d, %v; want 1", removed, err)
	}
	names, err := store.List(t.Context(), "b")
	if diff := cmp.Diff([]string{"b/not so long", "b/only looked at", "b/to come", "b/total"}, names); err != nil || diff != "" {
		t.Errorf("left: %v (-want +got):\n%s", err, diff)
	}
	if got, err := store.Peek(t.Context(), "b/long ago"); err != nil || got[0].Version != "" {
		t.Errorf("the document that ended long ago is %+v, %v", got, err)
	}
}

func TestOptions(t *testing.T) {
	good := table.Valkey{Addresses: []string{"127.0.0.1:1"}, Prefix: Prefix(namespace)}
	for name, tc := range map[string]struct {
		change func(*table.Valkey)
		bad    bool
	}{
		"good":             {change: func(*table.Valkey) {}},
		"no address":       {change: func(o *table.Valkey) { o.Addresses = nil }, bad: true},
		"no port":          {change: func(o *table.Valkey) { o.Addresses = []string{"host"} }, bad: true},
		"two servers":      {change: func(o *table.Valkey) { o.Addresses = []string{"a:1", "b:1"} }, bad: true},
		"a cluster":        {change: func(o *table.Valkey) { o.Addresses, o.Cluster = []string{"a:1", "b:1"}, true }},
		"too many":         {change: func(o *table.Valkey) { o.Addresses, o.Cluster = slices.Repeat([]string{"a:1"}, 65), true }, bad: true},
		"no prefix":        {change: func(o *table.Valkey) { o.Prefix = "" }, bad: true},
		"no hash tag":      {change: func(o *table.Valkey) { o.Prefix = "signalbox:team-a:" }, bad: true},
		"empty hash tag":   {change: func(o *table.Valkey) { o.Prefix = "signalbox:{}:" }, bad: true},
		"no certificates":  {change: func(o *table.Valkey) { o.CAPEM = []byte("none") }, bad: true},
		"brace in the tag": {change: func(o *table.Valkey) { o.Prefix = "signalbox:{a}b}:" }, bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			options := good
			tc.change(&options)
			store, err := New(options, slog.New(slog.DiscardHandler))
			if (err != nil) != tc.bad {
				t.Errorf("New: %v", err)
			}
			if store != nil {
				_ = store.Close()
			}
		})
	}
}

// TestForeignDocuments has a store read what no store wrote. It must neither panic nor overwrite.
func TestForeignDocuments(t *testing.T) {
	server := valkeytest.Start(t)
	store := open(t, options(server))
	order := fmt.Sprint(time.Now().UnixMicro())
	for name, fields := range map[string]map[string]string{
		"not JSON":    {"i": "x", "o": order, "d": "{", "h": order + ",", "e": "0"},
		"too large":   {"i": "x", "o": order, "d": strings.Repeat(" ", ledger.MaxEncodedBytes+1), "h": order + ",", "e": "0"},
		"a format":    {"i": "x", "o": order, "d": `{"format":99}`, "h": order + ",", "e": "0"},
		"no number":   {"i": "x", "o": "o", "d": "", "h": "", "e": "0"},
		"half of one": {"i": "x"},
	} {
		rollBack(t, store, name, fields)
		stored, err := store.Load(t.Context(), name)
		if err == nil || name == "too large" && !strings.Contains(err.Error(), "TOOLARGE") {
			t.Errorf("%s: Load = %+v, %v; want an error", name, stored, err)
		}
		if name != "too large" {
			if stored, err := store.Peek(t.Context(), name); err == nil {
				t.Errorf("%s: Peek = %+v; want an error", name, stored)
			}
		}
		if diff := cmp.Diff(fields, snapshot(t, store, name)); diff != "" {
			t.Errorf("%s was changed:\n%s", name, diff)
		}
	}
	if err := store.client.Set(t.Context(), store.document("a string"), "x", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if stored, err := store.Load(t.Context(), "a string"); err == nil {
		t.Errorf("Load of a string = %+v; want an error", stored)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("x", "1800000000000000", `{"format":1,"windows":[]}`)
	f.Add("", "", "")
	f.Add("x", "18446744073709551615", "{")
	f.Fuzz(func(t *testing.T, identity, order, data string) {
		stored, err := decode(identity, order, data)
		if err == nil && (stored.Identity == "" || stored.Version != order) {
			t.Errorf("decode(%q, %q, %q) = %+v", identity, order, data, stored)
		}
	})
}

// TestErrorsHoldNoSecret has a server refuse a user in each way, and looks at what is said.
func TestErrorsHoldNoSecret(t *testing.T) {
	server := valkeytest.Start(t)
	secret := rand.Text()
	wrong := options(server)
	wrong.Username, wrong.Password = "somebody", secret
	limited := options(server)
	limited.Username, limited.Password = "limited", secret
	admin := open(t, options(server))
	if err := admin.client.ACLSetUser(t.Context(), "limited", "reset", "on", ">"+secret, "+hello").Err(); err != nil {
		t.Fatal(err)
	}
	for name, options := range map[string]table.Valkey{"wrong password": wrong, "no rights": limited} {
		store := open(t, options)
		_, err := store.Load(t.Context(), "b")
		if !errors.Is(err, ErrDenied) {
			t.Errorf("%s: %v; want ErrDenied", name, err)
		}
		for _, text := range []string{secret, options.Username} {
			if err != nil && strings.Contains(err.Error(), text) {
				t.Errorf("%s: the error tells %q: %v", name, text, err)
			}
		}
	}
	if got := cleaned(redis.Nil); !errors.Is(got, redis.Nil) {
		t.Errorf("cleaned(Nil) = %v", got)
	}
}
