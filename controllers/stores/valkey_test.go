package stores

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"sigs.k8s.io/controller-runtime/pkg/client"
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

// own is how the proxies of team-a reach a server.
func own(server *valkeytest.Server, password string) table.Valkey {
	return table.Valkey{Addresses: []string{server.Addr()}, Username: valkey.Username("team-a"), Prefix: valkey.Prefix("team-a"), Password: password}
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

// newValkey is the directory of a server, with the file that holds the manager's password.
func newValkey(t *testing.T, server *valkeytest.Server) (users *Valkey, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "password")
	passwordFile(t, path, valkeytest.Password)
	return &Valkey{Server: &platform.Valkey{
		Addresses: []string{server.Addr()}, Cluster: platform.Disabled, Username: "default", PasswordFile: path,
	}}, path
}

// ensure makes the user of team-a.
func ensure(t *testing.T, users *Valkey, password string) {
	t.Helper()
	if err := users.Ensure(t.Context(), "team-a", password); err != nil {
		t.Fatal(err)
	}
}

// TestValkeyDirectory: what the manager makes in a real server is what the proxies use.
func TestValkeyDirectory(t *testing.T) {
	server := valkeytest.Start(t)
	users, _ := newValkey(t, server)
	ensure(t, users, onePassword)
	if err := reaches(t, own(server, onePassword)); err != nil {
		t.Errorf("the proxies do not reach their ledgers: %v", err)
	}
	ensure(t, users, anotherPassword)
	if err := reaches(t, own(server, onePassword)); err == nil {
		t.Error("the old password is taken")
	}
	if err := users.Remove(t.Context(), "team-a"); err != nil {
		t.Fatal(err)
	}
	if err := reaches(t, own(server, anotherPassword)); err == nil {
		t.Error("a user that was removed is served")
	}
	if left, err := users.Namespaces(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestReplacedSecretCounts: the manager's own password is the one that is in the file now, and a file that is gone is told by its field.
func TestReplacedSecretCounts(t *testing.T) {
	server := valkeytest.Start(t)
	users, path := newValkey(t, server)
	ensure(t, users, onePassword)
	admin := redis.NewClient(&redis.Options{Addr: server.Addr(), Password: valkeytest.Password})
	defer func() { _ = admin.Close() }()
	if err := admin.Do(t.Context(), "ACL", "SETUSER", "default", "resetpass", ">"+anotherPassword).Err(); err != nil {
		t.Fatal(err)
	}
	// Connections that were opened before would go on.
	if err := admin.Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Err(); err != nil {
		t.Fatal(err)
	}
	passwordFile(t, path, anotherPassword)
	if advice, err := users.Maintain(t.Context()); err != nil || strings.Contains(strings.Join(advice, " "), "appendonly") {
		t.Errorf("after the Secret was replaced: %v, %v", advice, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := users.Ensure(t.Context(), "team-a", onePassword); err == nil || !strings.Contains(err.Error(), "ledger.valkey.passwordFile") {
		t.Errorf("without the file: %v", err)
	}
}

// tables is a namespace whose table a test replaces.
type tables struct {
	t       *testing.T
	objects client.Client
}

// deliver puts a table in force that keeps its ledgers there; nowhere but in ConfigMaps when it is nil.
func (w tables) deliver(where *table.Valkey) {
	w.t.Helper()
	encoded, err := table.Encode(table.Table{Format: table.Format, Ledgers: table.LedgerStore{Valkey: where}})
	if err != nil {
		w.t.Fatal(err)
	}
	delivered := tableSecret(w.t, "team-a", "", "")
	delivered.Data[platform.TableKey] = encoded
	if err := w.objects.Update(w.t.Context(), delivered); err != nil {
		w.t.Fatal(err)
	}
}

// TestOpened: the manager reads a namespace's ledgers as its proxies do, and follows the table to another password and to none.
func TestOpened(t *testing.T) {
	server := valkeytest.Start(t)
	users, _ := newValkey(t, server)
	team := tables{t, fake.NewClientBuilder().WithScheme(controllertest.Scheme()).WithObjects(tableSecret(t, "team-a", "", "")).Build()}
	stores := NewOpened(report.NewReader(team.objects), slog.New(slog.DiscardHandler))
	for _, without := range []string{"team-a", "team-b"} {
		if _, err := stores.Of(t.Context(), without); !errors.Is(err, errNoAccess) {
			t.Errorf("%s: %v", without, err)
		}
	}
	var before *valkey.Store
	for _, password := range []string{onePassword, anotherPassword} {
		ensure(t, users, password)
		access := own(server, password)
		team.deliver(&access)
		store, err := stores.Of(t.Context(), "team-a")
		if err != nil {
			t.Fatal(err)
		}
		if again, err := stores.Of(t.Context(), "team-a"); err != nil || again != store || store == before {
			t.Errorf("the store is opened again for the same table, or kept for another: %v", err)
		}
		if _, err := store.Load(t.Context(), "signalbox-ledger-monthly"); err != nil {
			t.Error(err)
		}
		before = store
	}
	team.deliver(nil)
	if _, err := stores.Of(t.Context(), "team-a"); !errors.Is(err, errNoAccess) {
		t.Errorf("a table that names no server any more: %v", err)
	}
	if _, err := before.Load(t.Context(), "signalbox-ledger-monthly"); err == nil {
		t.Error("the store is still open")
	}
}
