package modelroute

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/controllers/fleet"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/controllers/report"
	"signalbox.dev/signalbox/controllers/retry"
	"signalbox.dev/signalbox/controllers/status"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/traffic"
)

// readyFleet has that many ready proxies, all up to date, which know so much of the route chat.
type readyFleet struct {
	ready     int
	traffic   []fleet.Traffic
	unsettled bool
	source.Source
}

func (f *readyFleet) Acknowledged(string, int64) (ready, behind int) { return f.ready, 0 }

func (f *readyFleet) Settled(string) bool { return !f.unsettled }

func (f *readyFleet) Traffic(namespace, route string) []fleet.Traffic {
	if namespace != "team-a" || route != "chat" {
		return nil
	}
	return f.traffic
}

func (f *readyFleet) RouteSource() source.Source { return f.Source }

// storedRoute is a route of generation 3.
func storedRoute() *v1alpha1.ModelRoute {
	return controllertest.Route("team-a", "chat", func(route *v1alpha1.ModelRoute) { route.UID, route.Generation = "uid-1", 3 })
}

// tableSecret holds a report that says that generation 3 of the route with that UID is served.
func tableSecret(t *testing.T, uid string) *corev1.Secret {
	t.Helper()
	packed, err := compile.EncodeReport(compile.Report{Sequence: 5, Objects: []compile.ObjectReport{{
		Kind: compile.KindModelRoute, Name: "chat", UID: uid, Generation: 3, Served: 3, Since: 5,
		Targets: []compile.TargetReport{{Name: "first", State: v1alpha1.TargetAvailable}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: platform.TableSecret, Labels: platform.ProxyLabels()},
		Data:       map[string][]byte{platform.ReportKey: packed},
	}
}

// world is a reconciler over stored objects; it counts the statuses that are written.
type world struct {
	client     client.WithWatch
	reconciler *Reconciler
	fleet      *readyFleet
	clock      *testclock.FakeClock
	events     *events.FakeRecorder
	writes     int
}

func newWorld(objects ...client.Object) *world {
	w := &world{fleet: &readyFleet{ready: 1}, clock: testclock.NewFakeClock(noon()), events: events.NewFakeRecorder(100)}
	w.client = fake.NewClientBuilder().WithScheme(controllertest.Scheme()).WithObjects(objects...).WithStatusSubresource(&v1alpha1.ModelRoute{}).
		WithInterceptorFuncs(interceptor.Funcs{
			SubResourcePatch: func(ctx context.Context, next client.Client, sub string, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
				w.writes++
				return next.SubResource(sub).Patch(ctx, object, patch, options...)
			},
		}).Build()
	labelled := controllertest.Labelled{Reader: w.client, Label: v1alpha1.LabelManagedBy, Value: v1alpha1.ManagedByValue}
	w.reconciler = &Reconciler{
		Client: w.client, Live: w.client, Reports: report.NewReader(labelled), Fleet: w.fleet,
		Status: status.Writer{Client: w.client, Events: w.events, Cause: Cause}, Clock: w.clock, Config: &platform.Config{},
	}
	return w
}

func (w *world) reconcile(t *testing.T) reconcile.Result {
	t.Helper()
	name := types.NamespacedName{Namespace: "team-a", Name: "chat"}
	result, err := w.reconciler.Reconcile(t.Context(), reconcile.Request{NamespacedName: name})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func (w *world) programmed(t *testing.T) string {
	t.Helper()
	var route v1alpha1.ModelRoute
	if err := w.client.Get(t.Context(), types.NamespacedName{Namespace: "team-a", Name: "chat"}, &route); err != nil {
		t.Fatal(err)
	}
	found := meta.FindStatusCondition(route.Status.Conditions, v1alpha1.ConditionProgrammed)
	if found == nil {
		return "absent"
	}
	return string(found.Status) + " " + found.Reason
}

func TestReconcileWritesOnce(t *testing.T) {
	w := newWorld(storedRoute(), tableSecret(t, "uid-1"), controllertest.Credential("team-a", "provider"))
	w.reconcile(t)
	if got := w.programmed(t); got != "True Programmed" || w.writes != 1 {
		t.Errorf("Programmed is %s after %d writes", got, w.writes)
	}
	w.reconcile(t)
	if w.writes != 1 {
		t.Error("the same status is written again")
	}
}

// TestReconcilePacesFigures: what turns is written at once, what drifts when its time has come.
func TestReconcilePacesFigures(t *testing.T) {
	credential := controllertest.Credential("team-a", "provider")
	credential.Status.Health = &v1alpha1.ProviderHealth{State: v1alpha1.HealthHealthy}
	w := newWorld(storedRoute(), tableSecret(t, "uid-1"), credential)
	figures := func(errors int64) {
		w.fleet.traffic = []fleet.Traffic{{Target: "first", Proxies: 1, Figures: fleet.Figures{ErrorPermille: errors, FirstTokenMS: 100, TokensPerSecond: 50}}}
	}
	expect := func(when string, result reconcile.Result, again time.Duration, writes int) {
		t.Helper()
		if result.RequeueAfter != again || w.writes != writes {
			t.Errorf("%s: %d writes, again after %s; want %d and %s", when, w.writes, result.RequeueAfter, writes, again)
		}
	}
	expect("at first", w.reconcile(t), 0, 1)
	figures(0)
	w.clock.Step(driftInterval - time.Second)
	expect("a drift too early", w.reconcile(t), time.Second, 1)
	w.clock.Step(time.Second)
	expect("a drift in its turn", w.reconcile(t), 0, 2)
	expect("nothing new", w.reconcile(t), 0, 2)
	figures(9)
	expect("a drift that does not matter", w.reconcile(t), 0, 2)
	w.fleet.traffic[0].Blocked, w.fleet.traffic[0].Block = 1, traffic.CircuitOpen
	expect("a target that goes down", w.reconcile(t), 0, 3)
	w.fleet.traffic[0].Proxies = 2
	expect("and comes back at one of two proxies, too soon", w.reconcile(t), driftInterval, 3)
	w.clock.Step(driftInterval)
	expect("and in its turn", w.reconcile(t), 0, 4)
	w.fleet.traffic[0].Proxies = 3
	expect("another share of proxies", w.reconcile(t), driftInterval, 4)
	w.fleet.traffic[0].Successor, w.fleet.traffic[0].Blocked = "new-model", 0
	w.clock.Step(driftInterval)
	expect("a successor", w.reconcile(t), 0, 5)
	if err := w.client.Delete(t.Context(), storedRoute()); err != nil {
		t.Fatal(err)
	}
	w.reconcile(t)
	if wait := w.reconciler.pace.Wait(types.NamespacedName{Namespace: "team-a", Name: "chat"}, driftInterval, w.clock.Now()); wait != 0 {
		t.Errorf("a route that is gone waits %s", wait)
	}
}

// TestReconcileTellsOfWhatTurnsInEvents: once when no target is left, and once when one is again.
func TestReconcileTellsOfWhatTurnsInEvents(t *testing.T) {
	credential := controllertest.Credential("team-a", "provider")
	credential.Status.Conditions = health(v1alpha1.ConditionHealthy, metav1.ConditionTrue, v1alpha1.ReasonProbeSucceeded).Status.Conditions
	w := newWorld(storedRoute(), tableSecret(t, "uid-1"), credential)
	w.reconcile(t)
	w.told()
	w.fleet.traffic = []fleet.Traffic{{Target: "first", Proxies: 1, Blocked: 1, Block: traffic.Withdrawn, Figures: fleet.NoFigures()}}
	w.reconcile(t)
	want := `Warning NoTargetAvailable Healthy: no target can be used; first: ModelWithdrawn
Warning ModelWithdrawn ModelsAvailable: target first: provider OpenAICompatible answers that it does not offer "upstream-model", any more or to this account; ` +
		"name one that it offers in model, or a successor"
	if diff := cmp.Diff(want, w.told()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	w.fleet.traffic[0].Figures = fleet.Figures{ErrorPermille: 1000, FirstTokenMS: fleet.Unknown, TokensPerSecond: fleet.Unknown}
	w.clock.Step(driftInterval)
	w.reconcile(t)
	if got := w.told(); got != "" || w.writes != 3 {
		t.Errorf("after %d writes, figures that drift are told: %s", w.writes, got)
	}
	w.fleet.traffic = nil
	w.reconcile(t)
	if got := w.told(); got != "Normal Ready Ready: calls to its models are served" {
		t.Errorf("events are %q", got)
	}
}

func TestReconcileWaitsForTheFleet(t *testing.T) {
	w := newWorld(storedRoute(), tableSecret(t, "uid-1"))
	w.fleet.unsettled = true
	if result := w.reconcile(t); result.RequeueAfter != unsettled || w.writes != 0 {
		t.Errorf("the result is %+v after %d writes", result, w.writes)
	}
	w.fleet.unsettled = false
	w.reconcile(t)
	if w.writes != 1 {
		t.Errorf("then there are %d writes", w.writes)
	}
}

func TestReconcileDoesNotTakeAnotherObjectsReport(t *testing.T) {
	w := newWorld(storedRoute(), tableSecret(t, "uid of a route of that name that is gone"))
	w.reconcile(t)
	if got := w.programmed(t); got != "False Pending" {
		t.Errorf("Programmed is %s", got)
	}
}

func TestReconcileLooksAgainWhileTheTableIsBlocked(t *testing.T) {
	foreign := tableSecret(t, "uid-1")
	foreign.Labels = nil
	w := newWorld(storedRoute(), foreign)
	if result := w.reconcile(t); result.RequeueAfter != recheckBlocked {
		t.Errorf("the result is %+v", result)
	}
	if got := w.programmed(t); got != "False Conflict" {
		t.Errorf("Programmed is %s", got)
	}
}

func TestReconcileIgnoresWhatIsGoneOrGoing(t *testing.T) {
	newWorld().reconcile(t)
	going := storedRoute()
	going.Finalizers = []string{"example.com/theirs"}
	w := newWorld(going, tableSecret(t, "uid-1"))
	if err := w.client.Delete(t.Context(), going); err != nil {
		t.Fatal(err)
	}
	w.reconcile(t)
	if w.writes != 0 {
		t.Error("a route that is being deleted got a status")
	}
}

func TestReconcileTriesAgainAfterAConflict(t *testing.T) {
	w := newWorld(storedRoute(), tableSecret(t, "uid-1"))
	// The reconciler reads a version that is older than what is stored, as from a cache that is behind.
	var stale v1alpha1.ModelRoute
	name := types.NamespacedName{Namespace: "team-a", Name: "chat"}
	if err := w.client.Get(t.Context(), name, &stale); err != nil {
		t.Fatal(err)
	}
	newer := stale.DeepCopy()
	newer.Annotations = map[string]string{"changed": "since"}
	if err := w.client.Update(t.Context(), newer); err != nil {
		t.Fatal(err)
	}
	w.reconciler.Client = interceptor.NewClient(w.client, interceptor.Funcs{
		Get: func(ctx context.Context, next client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			if route, ok := object.(*v1alpha1.ModelRoute); ok {
				stale.DeepCopyInto(route)
				return nil
			}
			return next.Get(ctx, key, object, options...)
		},
	})
	if result := w.reconcile(t); result.RequeueAfter != retry.Soon {
		t.Errorf("the result is %+v", result)
	}
}

func TestRequestsFindTheRoutesOfACredential(t *testing.T) {
	other := controllertest.Route("team-a", "other", func(route *v1alpha1.ModelRoute) { route.Spec.Targets[0].CredentialRef.Name = "another" })
	elsewhere := controllertest.Route("team-b", "chat")
	w := newWorld(storedRoute(), other, elsewhere)
	var users, all []string
	for _, request := range w.reconciler.requestUsers(t.Context(), controllertest.Credential("team-a", "provider")) {
		users = append(users, request.String())
	}
	for _, request := range w.reconciler.requestNamespace(t.Context(), "team-a") {
		all = append(all, request.String())
	}
	if got := strings.Join(users, ","); got != "team-a/chat" {
		t.Errorf("users are %s", got)
	}
	if got := strings.Join(all, ","); got != "team-a/chat,team-a/other" {
		t.Errorf("all are %s", got)
	}
}
