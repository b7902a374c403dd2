package stores

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/controllers/report"
	"signalbox.dev/signalbox/proxy/table"
)

var errAway = errors.New("the server is away")

func noon() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) }

// directory keeps users in memory.
type directory struct {
	mutex    sync.Mutex
	users    map[string]string
	away     error
	ensured  int
	tended   int
	advice   []string
	troubled error
}

func newDirectory() *directory { return &directory{users: map[string]string{}} }

func (d *directory) Ensure(_ context.Context, namespace, password string) error {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.ensured++
	if d.away == nil {
		d.users[namespace] = password
	}
	return d.away
}

func (d *directory) Remove(_ context.Context, namespace string) error {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.away == nil {
		delete(d.users, namespace)
	}
	return d.away
}

func (d *directory) Namespaces(context.Context) ([]string, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return slices.Sorted(maps.Keys(d.users)), d.away
}

func (d *directory) Maintain(context.Context) ([]string, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.tended++
	return d.advice, d.troubled
}

func (d *directory) names() []string {
	names, _ := d.Namespaces(context.Background())
	return names
}

func (d *directory) rounds() int {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.tended
}

// tableSecret is the Secret of a namespace whose table has these passwords; empty for a store that is not used.
func tableSecret(t *testing.T, namespace, ledgers, records string) *corev1.Secret {
	t.Helper()
	made := table.Table{Format: table.Format, Namespace: namespace}
	if ledgers != "" {
		made.Ledgers.Valkey = &table.Valkey{Addresses: []string{"a:1"}, Password: ledgers}
	}
	if records != "" {
		made.Usage.Postgres = &table.Postgres{URL: "postgres://role:" + records + "@db/usage"}
	}
	encoded, err := table.Encode(made)
	if err != nil {
		t.Fatal(err)
	}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: platform.TableSecret, UID: "uid", Labels: map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue},
		},
		Data: map[string][]byte{platform.TableKey: encoded},
	}
}

func proxyPod(namespace, name string, phase corev1.PodPhase) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: platform.ProxyLabels()}, Status: corev1.PodStatus{Phase: phase},
	}
}

// world is a reconciler with two stores.
type world struct {
	*Reconciler
	t       *testing.T
	objects client.Client
	clock   *clocktesting.FakeClock
	ledgers *directory
	records *directory
	events  *events.FakeRecorder
}

func newWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	made := fake.NewClientBuilder().WithScheme(controllertest.Scheme()).WithObjects(objects...).Build()
	w := &world{
		t: t, objects: made, clock: clocktesting.NewFakeClock(noon()), ledgers: newDirectory(), records: newDirectory(), events: events.NewFakeRecorder(100),
	}
	w.Reconciler = &Reconciler{
		Client: made, Tables: report.NewReader(made), Standing: NewStanding(), Events: w.events, Clock: w.clock,
		Stores: []Store{{Use: ForLedgers, Directory: w.ledgers}, {Use: ForRecords, Directory: w.records}},
	}
	return w
}

func (w *world) reconcile(namespace string) time.Duration {
	w.t.Helper()
	result, err := w.Reconcile(w.t.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Name: namespace}})
	if err != nil {
		w.t.Fatal(err)
	}
	return result.RequeueAfter
}

// told returns the events so far.
func (w *world) told() []string {
	var list []string
	for {
		select {
		case event := <-w.events.Events:
			list = append(list, event)
		default:
			return list
		}
	}
}

// TestUsersAreMade: with the passwords of the table, and again after a while, for a server may have forgotten them, but not at every change of a table.
func TestUsersAreMade(t *testing.T) {
	w := newWorld(t, tableSecret(t, "team-a", "one", "two"), tableSecret(t, "team-b", "three", ""))
	if next := w.reconcile("team-a"); next != refresh {
		t.Errorf("the next look is after %v", next)
	}
	w.reconcile("team-b")
	if diff := cmp.Diff(map[string]string{"team-a": "one", "team-b": "three"}, w.ledgers.users); diff != "" {
		t.Errorf("ledger users (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"team-a": "two"}, w.records.users); diff != "" {
		t.Errorf("record users (-want +got):\n%s", diff)
	}
	w.clock.Step(refresh / 2)
	if next := w.reconcile("team-a"); next != refresh/2 || w.ledgers.ensured != 2 {
		t.Errorf("made %d users, the next look is after %v", w.ledgers.ensured, next)
	}
	delete(w.ledgers.users, "team-a")
	w.clock.Step(refresh / 2)
	w.reconcile("team-a")
	if w.ledgers.users["team-a"] != "one" {
		t.Error("a user that the server forgot was not made again")
	}
}

// TestChangedPasswordIsSetAtOnce: a table that was made anew has another one.
func TestChangedPasswordIsSetAtOnce(t *testing.T) {
	w := newWorld(t, tableSecret(t, "team-a", "one", ""))
	w.reconcile("team-a")
	if err := w.objects.Update(t.Context(), tableSecret(t, "team-a", "other", "")); err != nil {
		t.Fatal(err)
	}
	w.reconcile("team-a")
	if got := w.ledgers.users["team-a"]; got != "other" {
		t.Errorf("the password is %q", got)
	}
}

// TestTroubleIsToldOnce: a store that is away is told of once, for the namespace whose proxies it keeps from their ledgers, and keeps nobody else from theirs.
func TestTroubleIsToldOnce(t *testing.T) {
	w := newWorld(t, tableSecret(t, "team-a", "one", "two"))
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer queue.ShutDown()
	source := w.Standing.LedgerSource(func(_ context.Context, namespace string) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: namespace}}}
	})
	if err := source.Start(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	w.ledgers.away = errAway
	for i := range 3 {
		if i > 0 {
			// What is told stays the same, though the server's words may not.
			w.ledgers.away = errors.New("the server is still away")
		}
		if next := w.reconcile("team-a"); next != again {
			t.Errorf("the next look is after %v", next)
		}
		w.clock.Step(again)
	}
	const message = "the user of this namespace in the store of ledgers cannot be made: the server is away"
	if got := w.Standing.LedgerTrouble("team-a"); got != message {
		t.Errorf("the trouble is %q", got)
	}
	if got := w.Standing.LedgerTrouble("team-b"); got != "" {
		t.Errorf("another namespace has the trouble %q", got)
	}
	if diff := cmp.Diff([]string{"Warning LedgerUnavailable " + message}, w.told()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if w.records.users["team-a"] != "two" {
		t.Error("the other store was given up with it")
	}
	if queue.Len() != 1 {
		t.Errorf("%d requests wait for those who follow", queue.Len())
	}
	w.ledgers.away = nil
	w.reconcile("team-a")
	if got := w.Standing.LedgerTrouble("team-a"); got != "" || w.ledgers.users["team-a"] != "one" {
		t.Errorf("afterwards the trouble is %q", got)
	}
}

// TestRecordsTroubleIsNoLedgerTrouble: budgets go on while usage records have to wait.
func TestRecordsTroubleIsNoLedgerTrouble(t *testing.T) {
	w := newWorld(t, tableSecret(t, "team-a", "one", "two"))
	w.records.away = errAway
	w.reconcile("team-a")
	if got := w.Standing.LedgerTrouble("team-a"); got != "" {
		t.Errorf("the trouble is %q", got)
	}
	want := []string{"Warning UsageStoreUnavailable the user of this namespace in the store of usage records cannot be made: the server is away"}
	if diff := cmp.Diff(want, w.told()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestUsersGoWithTheLastProxy: what draining proxies spent is written down before their user is gone.
func TestUsersGoWithTheLastProxy(t *testing.T) {
	secret, pod := tableSecret(t, "team-a", "one", "two"), proxyPod("team-a", "signalbox-1", corev1.PodRunning)
	w := newWorld(t, secret, pod, proxyPod("team-a", "signalbox-2", corev1.PodFailed), proxyPod("team-b", "signalbox-3", corev1.PodRunning))
	w.reconcile("team-a")
	if err := w.objects.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	if next := w.reconcile("team-a"); next != drainRecheck || len(w.ledgers.users) != 1 || len(w.records.users) != 1 {
		t.Errorf("while a proxy drains: next look after %v, users %v and %v", next, w.ledgers.users, w.records.users)
	}
	if err := w.objects.Delete(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	w.ledgers.away = errAway
	_, err := w.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Name: "team-a"}})
	if !errors.Is(err, errAway) || len(w.records.users) != 0 {
		t.Errorf("with one store away: %v, users %v", err, w.records.users)
	}
	w.ledgers.away = nil
	if next := w.reconcile("team-a"); next != 0 || len(w.ledgers.users) != 0 {
		t.Errorf("at the end: next look after %v, users %v", next, w.ledgers.users)
	}
	if got := w.Standing.get(user{"team-a", ForLedgers}); got != (state{}) {
		t.Error("the user is still remembered")
	}
}

func TestWait(t *testing.T) {
	cases := map[string]struct {
		known state
		want  time.Duration
	}{
		"nothing known":       {state{}, 0},
		"just made":           {state{password: "p", made: noon()}, refresh},
		"made some time ago":  {state{password: "p", made: noon().Add(-refresh + time.Second)}, time.Second},
		"made long ago":       {state{password: "p", made: noon().Add(-time.Hour)}, 0},
		"another password":    {state{password: "q", made: noon()}, 0},
		"failed a second ago": {state{password: "p", made: noon().Add(-time.Second), trouble: "x"}, again - time.Second},
		"a clock set back":    {state{password: "p", made: noon().Add(time.Hour)}, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.known.wait("p", noon()); got != tc.want {
				t.Errorf("waits %v, want %v", got, tc.want)
			}
		})
	}
}

// keeping runs an upkeep in a bubble of time until stop.
func keeping(t *testing.T, u *Upkeep) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	u.Clock, u.Log = clock.RealClock{}, logr.Discard()
	go func() { ended <- u.Start(ctx) }()
	synctest.Wait()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// TestOrphansAreRemoved: users of namespaces with neither a table nor a proxy go, seen so twice, and no others.
func TestOrphansAreRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		objects := fake.NewClientBuilder().WithScheme(controllertest.Scheme()).WithObjects(
			tableSecret(t, "served", "p", ""), proxyPod("draining", "signalbox-1", corev1.PodRunning),
		).Build()
		users := newDirectory()
		for _, namespace := range []string{"served", "draining", "orphan", "returning"} {
			users.users[namespace] = "p"
		}
		stop := keeping(t, &Upkeep{Stores: []Store{{Use: ForLedgers, Directory: users}}, Client: objects, Live: objects})
		defer stop()
		if got := len(users.names()); got != 4 {
			t.Errorf("after the first look there are %d users", got)
		}
		if err := objects.Create(t.Context(), tableSecret(t, "returning", "p", "")); err != nil {
			t.Fatal(err)
		}
		pass(maintainEvery)
		if diff := cmp.Diff([]string{"draining", "returning", "served"}, users.names()); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
	})
}

// TestUsersOfOthersAreLeftAlone: a manager that looks after some namespaces knows nothing of the rest.
func TestUsersOfOthersAreLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		objects := fake.NewClientBuilder().WithScheme(controllertest.Scheme()).Build()
		users := newDirectory()
		users.users["ours"], users.users["theirs"] = "p", "p"
		stop := keeping(t, &Upkeep{Stores: []Store{{Use: ForLedgers, Directory: users}}, Client: objects, Live: objects, Namespaces: []string{"ours"}})
		defer stop()
		pass(3 * maintainEvery)
		if diff := cmp.Diff([]string{"theirs"}, users.names()); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
	})
}

// deaf is an API server that does not answer lists.
type deaf struct{ client.Reader }

func (deaf) List(context.Context, client.ObjectList, ...client.ListOption) error { return errAway }

// TestNothingIsRemovedBlindly: while the API server does not say which namespaces have a table, no user goes.
func TestNothingIsRemovedBlindly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		objects := fake.NewClientBuilder().WithScheme(controllertest.Scheme()).Build()
		users := newDirectory()
		users.users["team-a"] = "p"
		for name, u := range map[string]*Upkeep{
			"no tables": {Client: objects, Live: deaf{objects}},
			"no pods":   {Client: deaf{objects}, Live: objects},
		} {
			u.Stores = []Store{{Use: ForLedgers, Directory: users}}
			stop := keeping(t, u)
			pass(5 * maintainEvery)
			stop()
			if len(users.names()) != 1 {
				t.Errorf("%s: the user is gone", name)
			}
		}
	})
}

// TestMaintenanceIsTriedAgain: soon after a failure and seldom after a success, each store by itself.
func TestMaintenanceIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		objects := fake.NewClientBuilder().WithScheme(controllertest.Scheme()).Build()
		well, badly := newDirectory(), newDirectory()
		badly.troubled = errAway
		stop := keeping(t, &Upkeep{
			Stores: []Store{{Use: ForLedgers, Directory: well}, {Use: ForRecords, Directory: badly}}, Client: objects, Live: objects,
		})
		defer stop()
		pass(10 * maintainAgain)
		if well.rounds() != 1 || badly.rounds() != 11 {
			t.Errorf("maintained %d and %d times", well.rounds(), badly.rounds())
		}
	})
}

// pass lets time pass until nothing moves any more.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
