package kubernetes

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/table"
)

const namespace = "default"

func TestLabelsAreThoseOfTheAPI(t *testing.T) {
	want := map[string]string{
		v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue, v1alpha1.LabelComponent: v1alpha1.ComponentLedger, v1alpha1.LabelBudget: "b",
	}
	if diff := cmp.Diff(want, Labels("b")); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if Budget(Labels("b")) != "b" || Budget(map[string]string{v1alpha1.LabelBudget: "b"}) != "" {
		t.Error("Budget does not tell a ledger from another ConfigMap")
	}
}

// cluster is a real API server and a client that may do everything.
type cluster struct {
	env   *envtest.Environment
	admin *clientset.Clientset
}

// TestStore runs against one API server, for one takes seconds to start.
func TestStore(t *testing.T) {
	c := cluster{env: &envtest.Environment{}}
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		c.env.BinaryAssetsDirectory = filepath.Join("..", "..", "..", "bin")
	}
	config, err := c.env.Start()
	if err != nil {
		t.Fatalf("starting the API server from the binaries in $KUBEBUILDER_ASSETS or bin: %v", err)
	}
	t.Cleanup(func() {
		if err := c.env.Stop(); err != nil {
			t.Errorf("stopping the API server: %v", err)
		}
	})
	c.admin = clientset.NewForConfigOrDie(config)
	t.Run("save and load", c.testSaveAndLoad)
	t.Run("save keeps what others wrote", c.testSaveKeepsTheRest)
	t.Run("conflict", c.testConflict)
	t.Run("no ledger", c.testNoLedger)
	t.Run("list", c.testLedgers)
	t.Run("foreign ConfigMap", c.testForeign)
	t.Run("record that cannot be read", c.testUnreadable)
	t.Run("watch", c.testWatch)
	t.Run("replicas with the rights of a proxy", c.testReplicas)
	t.Run("outage", c.testOutage)
}

// make creates the ledger of a budget, as the manager does.
func (c cluster) make(t *testing.T, budget string, labels map[string]string) string {
	t.Helper()
	name := ledger.Name(budget)
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	if _, err := c.admin.CoreV1().ConfigMaps(namespace).Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return name
}

func (c cluster) get(t *testing.T, name string) *corev1.ConfigMap {
	t.Helper()
	object, err := c.admin.CoreV1().ConfigMaps(namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return object
}

func (c cluster) store() *Store {
	return New(c.admin.CoreV1(), namespace, slog.New(slog.DiscardHandler))
}

func load(t *testing.T, store *Store, name string) ledger.Stored {
	t.Helper()
	stored, err := store.Load(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// with returns what was stored with one more entry.
func with(stored ledger.Stored, owner ledger.Owner, nano, seq int64) ledger.Stored {
	stored.Record = stored.Record.Clone()
	entry := ledger.Entry{Totals: ledger.Totals{Spent: nano, Requests: seq}, Seq: seq, Updated: time.Unix(1_800_000_000, 0).UTC()}
	stored.Record.Put(ledger.Key{Period: "Total", TimeZone: "UTC"}, time.Time{}, owner, entry)
	return stored
}

func total(record ledger.Record) ledger.Totals {
	count, _ := record.Find(ledger.Key{Period: "Total", TimeZone: "UTC"})
	return count.Total()
}

func (c cluster) testSaveAndLoad(t *testing.T) {
	name, store := c.make(t, "saved", Labels("saved")), c.store()
	empty := load(t, store, name)
	if len(empty.Record.Windows) != 0 {
		t.Errorf("new ledger holds %+v", empty.Record)
	}
	saved, err := store.Save(t.Context(), name, with(empty, "a/1", math.MaxInt64, 1))
	if err != nil {
		t.Fatal(err)
	}
	if saved.Order <= empty.Order || saved.Version == empty.Version || saved.Identity != empty.Identity {
		t.Errorf("saved as %s, order %d, after %s, order %d", saved.Version, saved.Order, empty.Version, empty.Order)
	}
	if diff := cmp.Diff(saved, load(t, c.store(), name)); diff != "" {
		t.Errorf("loaded (-saved +loaded):\n%s", diff)
	}
}

func (c cluster) testSaveKeepsTheRest(t *testing.T) {
	name := c.make(t, "kept", Labels("kept"))
	object := c.get(t, name)
	object.Annotations = map[string]string{"team": "a"}
	object.Data = map[string]string{"note": "mine"}
	if _, err := c.admin.CoreV1().ConfigMaps(namespace).Update(t.Context(), object, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	store := c.store()
	if _, err := store.Save(t.Context(), name, with(load(t, store, name), "a/1", 5, 1)); err != nil {
		t.Fatal(err)
	}
	after := c.get(t, name)
	if after.Annotations["team"] != "a" || after.Data["note"] != "mine" || after.Data[ledger.DataKey] == "" || !Owned(after.Labels) {
		t.Errorf("saved as labels %v, annotations %v, data %v", after.Labels, after.Annotations, after.Data)
	}
}

func (c cluster) testConflict(t *testing.T) {
	name, one, two := c.make(t, "conflict", Labels("conflict")), c.store(), c.store()
	first, second := load(t, one, name), load(t, two, name)
	if _, err := one.Save(t.Context(), name, with(first, "a/1", 5, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := two.Save(t.Context(), name, with(second, "b/1", 7, 1)); !errors.Is(err, ledger.ErrConflict) {
		t.Errorf("second save from its own copy: %v; want a conflict", err)
	}
	if _, err := one.Save(t.Context(), name, with(first, "a/1", 6, 2)); !errors.Is(err, ledger.ErrConflict) {
		t.Errorf("save of an old version: %v; want a conflict", err)
	}
	if got := total(load(t, two, name).Record).Spent; got != 5 {
		t.Errorf("stored %d; want 5", got)
	}
}

func (c cluster) testNoLedger(t *testing.T) {
	if _, err := c.store().Load(t.Context(), "signalbox-ledger-none"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("Load = %v; want ErrNotFound", err)
	}
	if _, err := c.store().Save(t.Context(), "signalbox-ledger-none", ledger.Stored{Version: "1"}); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("Save = %v; want ErrNotFound", err)
	}
}

func (c cluster) testLedgers(t *testing.T) {
	b, a := c.make(t, "list-b", Labels("list-b")), c.make(t, "list-a", Labels("list-a"))
	c.make(t, "list-c", map[string]string{"app": "other"})
	names, err := c.store().Ledgers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, name := range names {
		if strings.Contains(name, "list-") {
			listed = append(listed, name)
		}
	}
	if diff := cmp.Diff([]string{a, b}, listed); diff != "" {
		t.Errorf("ledgers (-want +got):\n%s", diff)
	}
}

func (c cluster) testForeign(t *testing.T) {
	name, store := c.make(t, "foreign", map[string]string{"app": "other"}), c.store()
	if _, err := store.Load(t.Context(), name); !errors.Is(err, ErrNotOwned) {
		t.Errorf("Load = %v; want ErrNotOwned", err)
	}
	object := c.get(t, name)
	stored := ledger.Stored{Version: object.ResourceVersion, Identity: string(object.UID)}
	if _, err := store.Save(t.Context(), name, with(stored, "a/1", 5, 1)); !errors.Is(err, ErrNotOwned) {
		t.Errorf("Save = %v; want ErrNotOwned", err)
	}
	if after := c.get(t, name); after.ResourceVersion != object.ResourceVersion {
		t.Error("a foreign ConfigMap was written")
	}
}

func (c cluster) testUnreadable(t *testing.T) {
	name := c.make(t, "unreadable", Labels("unreadable"))
	object := c.get(t, name)
	object.Data = map[string]string{ledger.DataKey: `{"format":99}`}
	if _, err := c.admin.CoreV1().ConfigMaps(namespace).Update(t.Context(), object, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if stored, err := c.store().Load(t.Context(), name); err == nil {
		t.Errorf("Load = %+v; want an error", stored)
	}
}

// eventually waits for something that a watch brings.
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

func (c cluster) testWatch(t *testing.T) {
	var mu sync.Mutex
	var last ledger.Stored
	seen := func() ledger.Stored {
		mu.Lock()
		defer mu.Unlock()
		return last
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	watcher := c.store()
	running.Go(func() {
		watcher.Watch(ctx, ledger.Name("watched"), func(stored ledger.Stored) {
			mu.Lock()
			defer mu.Unlock()
			last = stored
		})
	})
	defer running.Wait()
	defer cancel()

	name := c.make(t, "watched", Labels("watched"))
	eventually(t, "the new ledger", func() bool { return seen().Identity != "" })
	first := seen().Identity
	writer := c.store()
	if _, err := writer.Save(t.Context(), name, with(load(t, writer, name), "a/1", 5, 1)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the change", func() bool { return total(seen().Record).Spent == 5 })
	if err := c.admin.CoreV1().ConfigMaps(namespace).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	c.make(t, "watched", Labels("watched"))
	eventually(t, "the ledger that was made anew", func() bool { return seen().Identity != first })
	if len(seen().Record.Windows) != 0 {
		t.Errorf("the new ledger holds %+v", seen().Record)
	}
}

// proxyConfig returns the configuration of a user with the rights of a proxy to one ledger, and no others.
func (c cluster) proxyConfig(t *testing.T, name string) *rest.Config {
	t.Helper()
	user, err := c.env.AddUser(envtest.User{Name: "proxy-" + name}, nil)
	if err != nil {
		t.Fatal(err)
	}
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{name}, Verbs: []string{"get", "list", "watch", "update"},
	}}}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "proxy-" + name}},
	}
	if _, err := c.admin.RbacV1().Roles(namespace).Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.admin.RbacV1().RoleBindings(namespace).Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return user.Config()
}

// replica is a book with a keeper that runs until the test ends.
type replica struct {
	book    *ledger.Book
	keeper  *ledger.Keeper
	budgets []*ledger.Budget
}

func start(t *testing.T, pod string, config *rest.Config, budget *table.Budget) replica {
	t.Helper()
	client, err := clientset.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	book := ledger.NewBook(ledger.NewOwner(pod, time.Now()))
	keeper := ledger.NewKeeper(book, New(client.CoreV1(), namespace, log), ledger.KeeperOptions{Logger: log})
	budgets := book.Use([]table.Budget{*budget}, time.Now())
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { keeper.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return replica{book: book, keeper: keeper, budgets: budgets}
}

// spend admits and settles one call.
func (r replica) spend(t *testing.T, nano int64) {
	t.Helper()
	var reservation ledger.Reservation
	if refusal := r.book.Reserve(t.Context(), time.Now(), r.budgets, &ledger.Claimant{}, ledger.Ask{}, &reservation); refusal != nil {
		t.Errorf("refused: %+v", refusal)
	}
	reservation.Settle(ledger.Charge{Nano: nano}, nil)
}

// refusesAt tells whether a call is refused because so much is spent.
func (r replica) refusesAt(t *testing.T, spent int64) bool {
	t.Helper()
	var reservation ledger.Reservation
	refusal := r.book.Reserve(t.Context(), time.Now(), r.budgets, &ledger.Claimant{}, ledger.Ask{}, &reservation)
	reservation.Release()
	return refusal != nil && refusal.Spent == spent
}

func (c cluster) testReplicas(t *testing.T) {
	name := c.make(t, "shared", Labels("shared"))
	config := c.proxyConfig(t, name)
	budget := &table.Budget{Object: table.Object{Name: "shared"}, Limit: 1_000_000, Period: "Total", TimeZone: "UTC", Enforcement: table.Soft, Ledger: name}
	replicas := []replica{start(t, "a", config, budget), start(t, "b", config, budget), start(t, "c", config, budget)}
	var running sync.WaitGroup
	for _, r := range replicas {
		for range 20 {
			running.Go(func() {
				for nano := range int64(100) {
					r.spend(t, nano)
				}
			})
		}
	}
	running.Wait()
	for _, r := range replicas {
		if err := r.keeper.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want := ledger.Totals{Spent: 3 * 20 * 99 * 100 / 2, Requests: 3 * 20 * 100}
	if got := total(load(t, c.store(), name).Record); got != want {
		t.Errorf("stored %+v; want %+v", got, want)
	}
	replicas[0].spend(t, 1_000_000)
	eventually(t, "refusal by another replica", func() bool {
		return replicas[2].refusesAt(t, want.Spent+1_000_000)
	})
}

// link is a network to the API server that can be cut.
type link struct {
	away  atomic.Bool
	mu    sync.Mutex
	conns []net.Conn
}

func (l *link) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if l.away.Load() {
		return nil, errors.New("the network is cut")
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = append(l.conns, conn)
	return conn, nil
}

// cut ends all connections and lets no new one through.
func (l *link) cut() {
	l.away.Store(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.conns {
		_ = conn.Close()
	}
}

// testOutage cuts a replica off while it and another one count: once the network is back the ledger and both replicas know all of it.
func (c cluster) testOutage(t *testing.T) {
	name := c.make(t, "outage", Labels("outage"))
	config := c.proxyConfig(t, name)
	budget := &table.Budget{Object: table.Object{Name: "outage"}, Limit: 1000, Period: "Total", TimeZone: "UTC", Enforcement: table.Soft, Ledger: name}
	network := &link{}
	cutOff := rest.CopyConfig(config)
	cutOff.Dial = network.dial
	away, here := start(t, "away", cutOff, budget), start(t, "here", config, budget)
	away.spend(t, 1)
	eventually(t, "the first write", func() bool { return total(load(t, c.store(), name).Record).Spent == 1 })

	network.cut()
	for range 100 {
		away.spend(t, 4)
		here.spend(t, 6)
	}
	eventually(t, "the write of the replica that is not cut off", func() bool { return total(load(t, c.store(), name).Record).Spent == 601 })

	network.away.Store(false)
	want := ledger.Totals{Spent: 1001, Requests: 201}
	eventually(t, "the write after the outage", func() bool { return total(load(t, c.store(), name).Record) == want })
	for pod, r := range map[string]replica{"away": away, "here": here} {
		eventually(t, "refusal by "+pod, func() bool {
			return r.refusesAt(t, 1001)
		})
	}
}
