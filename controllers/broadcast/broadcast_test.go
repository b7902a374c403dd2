package broadcast

import (
	"context"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// start starts a source with a queue of its own.
func start[T any](t *testing.T, from *Broadcaster[T], requests Requests[T]) workqueue.TypedRateLimitingInterface[reconcile.Request] {
	t.Helper()
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	t.Cleanup(queue.ShutDown)
	if err := from.Source(requests).Start(t.Context(), queue); err != nil {
		t.Error(err)
	}
	return queue
}

// take empties a queue.
func take(queue workqueue.TypedRateLimitingInterface[reconcile.Request]) []string {
	var taken []string
	for queue.Len() > 0 {
		request, _ := queue.Get()
		queue.Done(request)
		taken = append(taken, request.String())
	}
	return taken
}

func TestEveryControllerMakesItsOwnRequests(t *testing.T) {
	var b Broadcaster[types.NamespacedName]
	b.Send(types.NamespacedName{Namespace: "team-a", Name: "early"})
	objects := start(t, &b, Itself)
	namespaces := start(t, &b, func(_ context.Context, changed types.NamespacedName) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: changed.Namespace}}, {NamespacedName: types.NamespacedName{Name: "all"}}}
	})
	nothing := start(t, &b, func(context.Context, types.NamespacedName) []reconcile.Request { return nil })
	b.Send(types.NamespacedName{Namespace: "team-a", Name: "one"})
	b.Send(types.NamespacedName{Namespace: "team-b", Name: "two"})
	got := [][]string{take(objects), take(namespaces), take(nothing)}
	want := [][]string{{"team-a/one", "team-b/two"}, {"/team-a", "/all", "/team-b"}, nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// TestControllersAreAskedWithTheirContext: what they read to make requests ends with them.
func TestControllersAreAskedWithTheirContext(t *testing.T) {
	var b Broadcaster[string]
	var asked context.Context
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer queue.ShutDown()
	ctx, cancel := context.WithCancel(t.Context())
	err := b.Source(func(ctx context.Context, _ string) []reconcile.Request { asked = ctx; return nil }).Start(ctx, queue)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	b.Send("team-a")
	if asked == nil || asked.Err() == nil {
		t.Error("the controller was asked with another context than its own")
	}
}

// TestListenersMaySendAndStart: the lock is not held while controllers make their requests.
func TestListenersMaySendAndStart(t *testing.T) {
	var b Broadcaster[int]
	var inner workqueue.TypedRateLimitingInterface[reconcile.Request]
	start(t, &b, func(_ context.Context, changed int) []reconcile.Request {
		if changed == 1 {
			inner = start(t, &b, func(context.Context, int) []reconcile.Request { return []reconcile.Request{{}} })
			b.Send(2)
		}
		return nil
	})
	b.Send(1)
	if inner == nil || inner.Len() != 1 {
		t.Error("a source that was started by a listener heard nothing of what was sent afterwards")
	}
}

func TestConcurrentUse(t *testing.T) {
	const senders, changes = 4, 100
	var b Broadcaster[types.NamespacedName]
	first := start(t, &b, Itself)
	var all sync.WaitGroup
	for sender := range senders {
		all.Go(func() {
			for change := range changes {
				b.Send(types.NamespacedName{Namespace: string(rune('a' + sender)), Name: string(rune('a' + change))})
			}
		})
		all.Go(func() { start(t, &b, Itself) })
	}
	all.Wait()
	if got := len(take(first)); got != senders*changes {
		t.Errorf("%d requests arrived of %d", got, senders*changes)
	}
}
