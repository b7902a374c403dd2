package stores

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/controllers/report"
	"signalbox.dev/signalbox/proxy/ledger/valkey"
	"signalbox.dev/signalbox/proxy/ledger/valkey/valkeytest"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	onePassword     = "one-password-of-some-length"
	anotherPassword = "another-password-of-some-length"
)

// passwordFile holds the manager's password.
func passwordFile(t *testing.T, path, password string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// own is how the proxies of a namespace reach a server.
func own(server *valkeytest.Server, namespace, password string) table.Valkey {
	return table.Valkey{Addresses: []string{server.Addr()}, Username: valkey.Username(namespace), Prefix: valkey.Prefix(namespace), Password: password}
}

// reaches tells whether a namespace's proxies reach their ledgers.
func reaches(t *testing.T, access table.Valkey) error {
	t.Helper()
	store, err := valkey.New(access, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	_, err = store.Load(t.Context(), "signalbox-ledger-monthly")
	return err
}

// TestValkeyDirectory: what the manager makes in a real server is what the proxies use, and a replaced Secret of the manager's own counts at once.
func TestValkeyDirectory(t *testing.T) {
	server := valkeytest.Start(t)
	path := filepath.Join(t.TempDir(), "password")
	passwordFile(t, path, valkeytest.Password)
	users := &Valkey{Server: &platform.Valkey{Addresses: []string{server.Addr()}, Cluster: platform.Disabled, Username: "default", PasswordFile: path}}
	if err := users.Ensure(t.Context(), "team-a", onePassword); err != nil {
		t.Fatal(err)
	}
	if err := reaches(t, own(server, "team-a", onePassword)); err != nil {
		t.Errorf("the proxies do not reach their ledgers: %v", err)
	}
	if err := users.Ensure(t.Context(), "team-a", anotherPassword); err != nil {
		t.Fatal(err)
	}
	if err := reaches(t, own(server, "team-a", onePassword)); err == nil {
		t.Error("the old password is taken")
	}
	admin := redis.NewClient(&redis.Options{Addr: server.Addr(), Password: valkeytest.Password})
	defer func() { _ = admin.Close() }()
	if err := admin.Do(t.Context(), "ACL", "SETUSER", "default", "resetpass", ">"+anotherPassword).Err(); err != nil {
		t.Fatal(err)
	}
	passwordFile(t, path, anotherPassword)
	if advice, err := users.Maintain(t.Context()); err != nil || strings.Contains(strings.Join(advice, " "), "appendonly") {
		t.Errorf("after the Secret was replaced: %v, %v", advice, err)
	}
	if err := users.Remove(t.Context(), "team-a"); err != nil {
		t.Fatal(err)
	}
	if err := reaches(t, own(server, "team-a", anotherPassword)); err == nil {
		t.Error("a user that was removed is served")
	}
	left, err := users.Namespaces(t.Context())
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := users.Ensure(t.Context(), "team-a", onePassword); err == nil || !strings.Contains(err.Error(), "ledger.valkey.passwordFile") {
		t.Errorf("without the file: %v", err)
	}
}

// TestOpened: the manager reads a namespace's ledgers as its proxies do, and follows the table to another password and to none.
func TestOpened(t *testing.T) {
	server := valkeytest.Start(t)
	path := filepath.Join(t.TempDir(), "password")
	passwordFile(t, path, valkeytest.Password)
	users := &Valkey{Server: &platform.Valkey{Addresses: []string{server.Addr()}, Username: "default", PasswordFile: path}}
	secret := func(password string) *table.Table {
		access := own(server, "team-a", password)
		return &table.Table{Format: table.Format, Ledgers: table.LedgerStore{Valkey: &access}}
	}
	objects := fake.NewClientBuilder().WithScheme(controllertest.Scheme()).WithObjects(tableSecret(t, "team-a", "", "")).Build()
	opened := NewOpened(report.NewReader(objects), slog.New(slog.DiscardHandler))
	deliver := func(next *table.Table) {
		t.Helper()
		encoded, err := table.Encode(*next)
		if err != nil {
			t.Fatal(err)
		}
		delivered := tableSecret(t, "team-a", "", "")
		delivered.Data[platform.TableKey] = encoded
		if err := objects.Update(t.Context(), delivered); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := opened.Of(t.Context(), "team-a"); err == nil {
		t.Error("a table without a server gives a store")
	}
	if _, err := opened.Of(t.Context(), "team-b"); err == nil {
		t.Error("a namespace without a table has a store")
	}
	var before *valkey.Store
	for _, password := range []string{onePassword, anotherPassword} {
		if err := users.Ensure(t.Context(), "team-a", password); err != nil {
			t.Fatal(err)
		}
		deliver(secret(password))
		store, err := opened.Of(t.Context(), "team-a")
		if err != nil {
			t.Fatal(err)
		}
		if again, err := opened.Of(t.Context(), "team-a"); err != nil || again != store || store == before {
			t.Errorf("the store is opened again for the same table, or kept for another: %v", err)
		}
		if _, err := store.Load(t.Context(), "signalbox-ledger-monthly"); err != nil {
			t.Error(err)
		}
		before = store
	}
	deliver(&table.Table{Format: table.Format})
	if _, err := opened.Of(t.Context(), "team-a"); err == nil {
		t.Error("a table that names no server any more gives a store")
	}
	if _, err := before.Load(t.Context(), "signalbox-ledger-monthly"); err == nil {
		t.Error("the store is still open")
	}
}
