package feed_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/feed"
	"signalbox.dev/signalbox/proxy/table"
)

// patience bounds how long a test waits for what must come.
const patience = 20 * time.Second

// running is a Cluster that runs until the test ends.
type running struct {
	tables chan *table.Table
	log    *safeBuffer
}

type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func run(t *testing.T, secrets feed.Secrets, dir string) running {
	t.Helper()
	r := running{tables: make(chan *table.Table, 100), log: &safeBuffer{}}
	cluster := feed.Cluster{
		Secrets: secrets, Name: secretName, Dir: dir, Log: slog.New(slog.NewJSONHandler(r.log, nil)),
		MinDelay: time.Millisecond, MaxDelay: 5 * time.Millisecond,
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- cluster.Run(ctx, func(t *table.Table) { r.tables <- t }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
		if strings.Contains(r.log.String(), "sk-very-secret") {
			t.Errorf("the log shows a key:\n%s", r.log)
		}
	})
	return r
}

func (r running) expect(t *testing.T, sequence int64) {
	t.Helper()
	select {
	case got := <-r.tables:
		if got.Sequence != sequence {
			t.Fatalf("got table %d, want %d", got.Sequence, sequence)
		}
	case <-time.After(patience):
		t.Fatalf("table %d did not come; log:\n%s", sequence, r.log)
	}
}

// eventually polls a condition.
func eventually(t *testing.T, what string, met func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-deadline:
			t.Fatalf("not seen: %s", what)
		case <-tick.C:
		}
	}
}

func mount(t *testing.T, packed []byte) string {
	t.Helper()
	dir := t.TempDir()
	if packed != nil {
		writeFile(t, filepath.Join(dir, feed.TableKey), packed)
	}
	return dir
}

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTableFollowsTheSecret(t *testing.T) {
	server := newAPIServer(t)
	r := run(t, server.secrets(t), "")
	eventually(t, "a watch", func() bool { _, watches, _ := server.count(); return watches > 0 })
	server.store(encodedTable(t, 1))
	r.expect(t, 1)
	server.store(encodedTable(t, 2))
	r.expect(t, 2)
	server.mu.Lock()
	defer server.mu.Unlock()
	for _, selector := range server.fields {
		if selector != "metadata.name="+secretName {
			t.Errorf("a request asked for %q", selector)
		}
	}
}

func TestTableSurvivesAnOutage(t *testing.T) {
	server := newAPIServer(t)
	server.store(encodedTable(t, 1))
	r := run(t, server.secrets(t), "")
	r.expect(t, 1)
	server.change(func() { server.away = true })
	eventually(t, "some attempts during the outage", func() bool { _, _, rejected := server.count(); return rejected > 3 })
	server.change(func() { server.away, server.packed = false, encodedTable(t, 2) })
	r.expect(t, 2)
	server.store(encodedTable(t, 3))
	r.expect(t, 3)
}

func TestTableSurvivesAnExpiredWatch(t *testing.T) {
	server := newAPIServer(t)
	server.store(encodedTable(t, 1))
	r := run(t, server.secrets(t), "")
	r.expect(t, 1)
	lists, _, _ := server.count()
	server.change(func() { server.gone = true })
	eventually(t, "another list", func() bool { now, _, _ := server.count(); return now > lists })
	server.store(encodedTable(t, 2))
	r.expect(t, 2)
}

func TestUnreadableTableIsNotUsed(t *testing.T) {
	server := newAPIServer(t)
	server.store(encodedTable(t, 1))
	r := run(t, server.secrets(t), "")
	r.expect(t, 1)
	server.store([]byte("sk-very-secret"))
	eventually(t, "a line in the log", func() bool { return strings.Contains(r.log.String(), "table cannot be decoded") })
	server.store(encodedTable(t, 2))
	r.expect(t, 2)
}

func TestDeletedSecretLeavesTheTable(t *testing.T) {
	server := newAPIServer(t)
	server.store(encodedTable(t, 1))
	r := run(t, server.secrets(t), "")
	r.expect(t, 1)
	server.store(nil)
	eventually(t, "a line in the log", func() bool { return strings.Contains(r.log.String(), "was deleted") })
	server.store(encodedTable(t, 2))
	r.expect(t, 2)
}

func TestSameTableIsDeliveredOnce(t *testing.T) {
	server := newAPIServer(t)
	server.store(encodedTable(t, 1))
	r := run(t, server.secrets(t), mount(t, encodedTable(t, 1)))
	r.expect(t, 1)
	server.store(encodedTable(t, 1))
	server.store(encodedTable(t, 2))
	r.expect(t, 2)
}

func TestBootFromTheMountAlone(t *testing.T) {
	server := newAPIServer(t)
	server.change(func() { server.away = true })
	dir := mount(t, encodedTable(t, 5))
	r := run(t, server.secrets(t), dir)
	r.expect(t, 5)
	writeFile(t, filepath.Join(dir, "incoming"), encodedTable(t, 6))
	if err := os.Rename(filepath.Join(dir, "incoming"), filepath.Join(dir, feed.TableKey)); err != nil {
		t.Fatal(err)
	}
	r.expect(t, 6)
	server.change(func() { server.away, server.packed = false, encodedTable(t, 7) })
	r.expect(t, 7)
	writeFile(t, filepath.Join(dir, feed.TableKey), encodedTable(t, 8))
	server.store(encodedTable(t, 9))
	r.expect(t, 9)
}

func TestMountIsReadAsTheKubeletSwapsIt(t *testing.T) {
	server := newAPIServer(t)
	server.change(func() { server.away = true })
	dir := mount(t, nil)
	publish := func(version string, sequence int64) {
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, version, feed.TableKey), encodedTable(t, sequence))
		if err := os.Symlink(version, filepath.Join(dir, "..data_tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	publish("..v1", 1)
	if err := os.Symlink(filepath.Join("..data", feed.TableKey), filepath.Join(dir, feed.TableKey)); err != nil {
		t.Fatal(err)
	}
	r := run(t, server.secrets(t), dir)
	r.expect(t, 1)
	publish("..v2", 2)
	r.expect(t, 2)
}

func TestMissingMountIsNoProblem(t *testing.T) {
	server := newAPIServer(t)
	r := run(t, server.secrets(t), filepath.Join(t.TempDir(), "absent"))
	server.store(encodedTable(t, 1))
	r.expect(t, 1)
}
