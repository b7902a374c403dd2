package spendbudget

import (
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/ledger/valkey"
	"signalbox.dev/signalbox/proxy/ledger/valkey/valkeytest"
	"signalbox.dev/signalbox/proxy/table"
)

// write puts a slice of a pod that is gone into a counter of a namespace, as a proxy does.
func write(t *testing.T, server table.Valkey, namespace, subject string) {
	t.Helper()
	server.Prefix = valkey.Prefix(namespace)
	store, err := valkey.New(server, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	name := ledger.DocumentName("signalbox-ledger-daily", subject)
	stored, err := store.Load(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	stored.Record = heldBy("gone/1", subject, ledger.Entry{Allowance: dollar})
	if _, err := store.Save(t.Context(), name, stored); err != nil {
		t.Fatal(err)
	}
}

// readOne reads the only document of a ledger.
func readOne(t *testing.T, ledgers Ledgers, namespace string) Document {
	t.Helper()
	read, err := ledgers.Read(t.Context(), namespace, "signalbox-ledger-daily")
	if err != nil {
		t.Fatal(err)
	}
	if len(read) != 1 {
		t.Fatalf("read %+v", read)
	}
	return read[0]
}

// The manager sees in a real server what proxies of each namespace wrote, and marks it.
func TestValkey(t *testing.T) {
	server := valkeytest.Start(t)
	options := table.Valkey{Addresses: []string{server.Addr()}, Username: "default", Password: valkeytest.Password}
	ledgers := Stores{Of: NewValkey(options, slog.New(slog.DiscardHandler)).Of}
	write(t, options, "team-a", "alice")
	write(t, options, "team-b", "bob")
	marked := readOne(t, ledgers, "team-a")
	if subject := marked.Record.Windows[0].Subject; subject != "alice" {
		t.Errorf("read the counter of %q", subject)
	}
	marked.Record = marked.Record.Clone()
	if lost, _ := marked.Record.MarkLost(func(string) bool { return false }); len(lost) != 1 {
		t.Fatalf("lost %+v", lost)
	}
	if err := ledgers.Save(t.Context(), "team-a", marked); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(marked.Record, readOne(t, ledgers, "team-a").Record); diff != "" {
		t.Errorf("record (-saved +read):\n%s", diff)
	}
	if err := ledgers.Prune(t.Context(), "team-a"); err != nil {
		t.Error(err)
	}
	readOne(t, ledgers, "team-a")
}

func TestValkeyThatCannotBeUsed(t *testing.T) {
	ledgers := Stores{Of: NewValkey(table.Valkey{Addresses: []string{"nowhere"}, Password: "hidden"}, slog.New(slog.DiscardHandler)).Of}
	if _, err := ledgers.Read(t.Context(), "team-a", "signalbox-ledger-daily"); err == nil {
		t.Error("an address without a port is taken")
	}
}
