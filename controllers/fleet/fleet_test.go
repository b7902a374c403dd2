package fleet

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/proxy/control"
)

// stream is one that a fleet has opened. The test reports through handle and ends it through broken.
type stream struct {
	addr   string
	handle func(control.Report)
	broken chan error
	ended  <-chan struct{}
}

// turnstile is a clock that tells when somebody begins to wait.
type turnstile struct {
	*testclock.FakeClock
	waits chan time.Duration
}

func (c turnstile) After(d time.Duration) <-chan time.Time {
	fires := c.FakeClock.After(d)
	c.waits <- d
	return fires
}

// world is a fleet whose streams the test plays.
type world struct {
	*Fleet
	clock   turnstile
	streams chan *stream
	changed chan string // namespaces
	routes  workqueue.TypedRateLimitingInterface[reconcile.Request]
	// credentials are the requests for those.
	credentials workqueue.TypedRateLimitingInterface[reconcile.Request]
	// identities answers what certificate there is.
	identities Identities
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{streams: make(chan *stream, 100), changed: make(chan string, 100)}
	w.clock = turnstile{testclock.NewFakeClock(time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)), make(chan time.Duration, 100)}
	w.identities = func(context.Context, string) (*control.Identity, error) { return &control.Identity{}, nil }
	w.Fleet = New(Options{
		Identities: func(ctx context.Context, namespace string) (*control.Identity, error) {
			return w.identities(ctx, namespace)
		},
		Stream: func(ctx context.Context, addr string, _ *control.Identity, handle func(control.Report)) error {
			opened := &stream{addr: addr, handle: handle, broken: make(chan error, 1), ended: ctx.Done()}
			w.streams <- opened
			select {
			case err := <-opened.broken:
				return err
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		},
		Clock: w.clock, Log: logr.Discard(),
	})
	ctx, cancel := context.WithCancel(context.Background())
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	source := w.Source(func(_ context.Context, namespace string) []reconcile.Request {
		w.changed <- namespace
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: namespace}}}
	})
	if err := source.Start(ctx, queue); err != nil {
		t.Fatal(err)
	}
	w.routes = workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	if err := w.RouteSource().Start(ctx, w.routes); err != nil {
		t.Fatal(err)
	}
	w.credentials = workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	if err := w.CredentialSource().Start(ctx, w.credentials); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() { _ = w.Start(ctx) })
	t.Cleanup(func() {
		cancel()
		group.Wait()
		queue.ShutDown()
		w.routes.ShutDown()
		w.credentials.ShutDown()
	})
	return w
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func podName(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "team-a", Name: name}
}

func ready(uid types.UID, addr string) observation {
	return observation{uid: uid, addr: addr, ready: true}
}

// reconnect lets the clock run until the fleet has called again.
func (w *world) reconnect(t *testing.T) *stream {
	t.Helper()
	w.advance(t)
	return receive(t, w.streams)
}

// advance waits until the fleet waits, and lets that time pass.
func (w *world) advance(t *testing.T) {
	t.Helper()
	if wait := receive(t, w.clock.waits); wait > maxWait+maxWait/2 {
		t.Errorf("the fleet waits %s", wait)
	}
	w.clock.Step(2 * maxWait)
}

func (w *world) expect(t *testing.T, since int64, ready, behind int) {
	t.Helper()
	gotReady, gotBehind := w.Acknowledged("team-a", since)
	if gotReady != ready || gotBehind != behind {
		t.Errorf("since %d: %d ready, %d behind; want %d and %d", since, gotReady, gotBehind, ready, behind)
	}
}

func TestFleetCountsAcknowledgements(t *testing.T) {
	w := newWorld(t)
	w.expect(t, 1, 0, 0)
	w.observe(podName("one"), ready("uid-1", "10.0.0.1:8443"))
	receive(t, w.changed)
	first := receive(t, w.streams)
	w.expect(t, 5, 1, 1)
	first.handle(control.Report{PodUID: "uid-1", Sequence: 5})
	if got := receive(t, w.changed); got != "team-a" || first.addr != "10.0.0.1:8443" {
		t.Errorf("namespace %s changed, pod %s was called", got, first.addr)
	}
	w.expect(t, 5, 1, 0)
	w.expect(t, 6, 1, 1)

	w.observe(podName("two"), observation{uid: "uid-2", addr: "10.0.0.2:8443"})
	receive(t, w.changed)
	second := receive(t, w.streams)
	w.expect(t, 5, 1, 0) // a pod that is not ready does not count
	second.handle(control.Report{PodUID: "uid-2", Sequence: 4})
	receive(t, w.changed)
	w.observe(podName("two"), ready("uid-2", "10.0.0.2:8443"))
	receive(t, w.changed)
	w.expect(t, 5, 2, 1)
	if len(w.streams) > 0 {
		t.Error("becoming ready opens another stream")
	}
	if other, _ := w.Acknowledged("team-b", 0); other != 0 {
		t.Error("another namespace has pods")
	}
	w.forget(podName("two"))
	receive(t, w.changed)
	receive(t, second.ended)
	w.expect(t, 5, 1, 0)
}

func TestFleetTellsOfNothingTwice(t *testing.T) {
	w := newWorld(t)
	w.observe(podName("one"), ready("uid-1", "10.0.0.1:8443"))
	receive(t, w.changed)
	opened := receive(t, w.streams)
	opened.handle(control.Report{PodUID: "uid-1", Sequence: 5})
	receive(t, w.changed)
	opened.handle(control.Report{PodUID: "uid-1", Sequence: 5, Stats: control.Stats{InFlight: 3}})
	w.observe(podName("one"), ready("uid-1", "10.0.0.1:8443"))
	w.forget(podName("nobody"))
	if len(w.changed) > 0 {
		t.Error("what did not change is told")
	}
}

func TestFleetCallsAgain(t *testing.T) {
	w := newWorld(t)
	w.observe(podName("one"), ready("uid-1", "10.0.0.1:8443"))
	opened := receive(t, w.streams)
	opened.handle(control.Report{PodUID: "uid-1", Sequence: 5})
	opened.broken <- errors.New("reset")
	again := w.reconnect(t)
	w.expect(t, 5, 1, 0) // a short interruption changes nothing
	again.handle(control.Report{PodUID: "uid-1", Sequence: 6})
	w.expect(t, 6, 1, 0)
}

// TestFleetCallsAPodThatBecomesReadyAtOnce tells of a pod whose control port was called before it listened: its route was Programmed seconds after the
// pod was ready.
func TestFleetCallsAPodThatBecomesReadyAtOnce(t *testing.T) {
	w := newWorld(t)
	w.observe(podName("one"), observation{uid: "uid-1", addr: "10.0.0.1:8443"})
	receive(t, w.streams).broken <- errors.New("refused")
	receive(t, w.clock.waits)
	w.observe(podName("one"), ready("uid-1", "10.0.0.1:8443"))
	receive(t, w.streams).handle(control.Report{PodUID: "uid-1", Sequence: 5})
	w.expect(t, 5, 1, 0)
}

func TestFleetForgetsAnAcknowledgementThatItCannotConfirm(t *testing.T) {
	w := newWorld(t)
	w.observe(podName("one"), ready("uid-1", "10.0.0.1:8443"))
	opened := receive(t, w.streams)
	opened.handle(control.Report{PodUID: "uid-1", Sequence: 5})
	opened.broken <- errors.New("reset")
	w.reconnect(t).broken <- errors.New("refused")
	w.advance(t)
	last := receive(t, w.streams)
	w.expect(t, 5, 1, 1)
	last.handle(control.Report{PodUID: "uid-1", Sequence: 5})
	w.expect(t, 5, 1, 0)
}

func TestFleetIgnoresAnotherPodAtTheAddress(t *testing.T) {
	w := newWorld(t)
	w.observe(podName("one"), ready("uid-1", "10.0.0.1:8443"))
	opened := receive(t, w.streams)
	opened.handle(control.Report{PodUID: "uid-9", Sequence: 5})
	receive(t, opened.ended)
	w.expect(t, 5, 1, 1)
}

func TestFleetFollowsAPodThatIsReplacedOrMoves(t *testing.T) {
	w := newWorld(t)
	w.observe(podName("one"), ready("uid-1", "10.0.0.1:8443"))
	first := receive(t, w.streams)
	first.handle(control.Report{PodUID: "uid-1", Sequence: 5})
	w.observe(podName("one"), ready("uid-2", "10.0.0.1:8443"))
	receive(t, first.ended)
	w.expect(t, 5, 1, 1)
	second := receive(t, w.streams)
	w.observe(podName("one"), ready("uid-2", "10.0.0.7:8443"))
	receive(t, second.ended)
	if third := receive(t, w.streams); third.addr != "10.0.0.7:8443" {
		t.Errorf("pod %s was called", third.addr)
	}
	w.observe(podName("one"), observation{uid: "uid-2"})
	w.expect(t, 5, 0, 0)
}

func TestFleetWaitsForACertificate(t *testing.T) {
	w := newWorld(t)
	answers := make(chan *control.Identity, 2)
	answers <- nil
	answers <- &control.Identity{}
	w.identities = func(context.Context, string) (*control.Identity, error) { return <-answers, nil }
	w.observe(podName("one"), ready("uid-1", "10.0.0.1:8443"))
	w.reconnect(t)
	if len(answers) > 0 {
		t.Error("the pod was called without a certificate")
	}
}

func TestFleetEndsItsStreams(t *testing.T) {
	fleet := New(Options{
		Identities: func(context.Context, string) (*control.Identity, error) { return &control.Identity{}, nil },
		Stream: func(ctx context.Context, _ string, _ *control.Identity, _ func(control.Report)) error {
			<-ctx.Done()
			return ctx.Err()
		},
		Clock: testclock.NewFakeClock(time.Now()), Log: logr.Discard(),
	})
	fleet.observe(podName("one"), ready("uid-1", "10.0.0.1:8443"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := fleet.Start(ctx); err != nil {
		t.Fatal(err)
	}
	fleet.observe(podName("two"), ready("uid-2", "10.0.0.2:8443"))
	if fleet.pods["team-a"]["two"].stop != nil {
		t.Error("a stream was opened after the end")
	}
}

// newPod is a running, ready proxy pod.
func newPod(changes ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "one", UID: "uid-1", Labels: platform.ProxyLabels()},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Ports: []corev1.ContainerPort{
			{Name: platform.DataPortName, ContainerPort: 8080}, {Name: platform.ControlPortName, ContainerPort: 9443},
		}}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: "fd00::1", Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
	for _, change := range changes {
		change(pod)
	}
	return pod
}

func TestReadPod(t *testing.T) {
	cases := map[string]struct {
		pod  *corev1.Pod
		want observation
	}{
		"ready":       {pod: newPod(), want: observation{uid: "uid-1", addr: "[fd00::1]:9443", ready: true}},
		"not ready":   {pod: newPod(func(pod *corev1.Pod) { pod.Status.Conditions[0].Status = corev1.ConditionFalse }), want: observation{uid: "uid-1", addr: "[fd00::1]:9443"}},
		"terminating": {pod: newPod(func(pod *corev1.Pod) { pod.DeletionTimestamp = &metav1.Time{Time: time.Now()} }), want: observation{uid: "uid-1", addr: "[fd00::1]:9443"}},
		"pending":     {pod: newPod(func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodPending }), want: observation{uid: "uid-1"}},
		"done":        {pod: newPod(func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodFailed }), want: observation{uid: "uid-1"}},
		"no address":  {pod: newPod(func(pod *corev1.Pod) { pod.Status.PodIP = "" }), want: observation{uid: "uid-1"}},
		"no port":     {pod: newPod(func(pod *corev1.Pod) { pod.Spec.Containers[0].Ports = nil }), want: observation{uid: "uid-1", ready: true}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, read(tc.pod), cmp.AllowUnexported(observation{})); diff != "" {
				t.Errorf("read (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReconcile(t *testing.T) {
	w := newWorld(t)
	pods := fake.NewClientBuilder().WithScheme(controllertest.Scheme()).WithObjects(newPod()).Build()
	reconciler := &Reconciler{Client: pods, Fleet: w.Fleet}
	request := reconcile.Request{NamespacedName: podName("one")}
	if _, err := reconciler.Reconcile(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	w.expect(t, 1, 1, 1)
	if err := pods.Delete(t.Context(), newPod()); err != nil {
		t.Fatal(err)
	}
	if _, err := reconciler.Reconcile(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	w.expect(t, 1, 0, 0)
}
