// Package broadcast tells controllers of changes that no API object shows: what probes found, what proxies acknowledged, which keys sign tokens.
package broadcast

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Requests are what a controller makes of a change. T says what changed: a namespace, the name of an object.
type Requests[T any] func(ctx context.Context, changed T) []reconcile.Request

// Source gives a controller its requests at every change; Broadcaster.Source is one.
type Source[T any] func(requests Requests[T]) source.Source

// Broadcaster tells all controllers that started one of its sources. Its zero value has none; it is safe for concurrent use.
type Broadcaster[T any] struct {
	mutex     sync.Mutex
	listeners []func(changed T)
}

// Source is a controller's source of requests at every change from its start on.
func (b *Broadcaster[T]) Source(requests Requests[T]) source.Source {
	return source.Func(func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		b.mutex.Lock()
		defer b.mutex.Unlock()
		b.listeners = append(b.listeners, func(changed T) {
			for _, request := range requests(ctx, changed) {
				queue.Add(request)
			}
		})
		return nil
	})
}

// Send tells of a change. Controllers look at it at once, in this goroutine: whoever sends holds no lock that they need, and has stored what changed before.
func (b *Broadcaster[T]) Send(changed T) {
	b.mutex.Lock()
	listeners := b.listeners
	b.mutex.Unlock()
	for _, listener := range listeners {
		listener(changed)
	}
}

// Itself is what a controller makes of the change of an object of its own kind.
func Itself(_ context.Context, name types.NamespacedName) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: name}}
}
