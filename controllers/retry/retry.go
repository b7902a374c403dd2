// Package retry says how soon controllers try again.
package retry

import (
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Soon is when to look again after a cache that had not yet seen what was written, or a write that lost against another.
const Soon = 20 * time.Millisecond

const (
	firstDelay = 20 * time.Millisecond
	maxDelay   = 30 * time.Second
)

// Limiter delays what failed, each request by itself: twice as long every time, never longer than 30 seconds, so that after an outage of the API server
// everything is back soon.
func Limiter() workqueue.TypedRateLimiter[reconcile.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstDelay, maxDelay)
}
