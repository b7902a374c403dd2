package apiserver

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"signalbox.dev/signalbox/controllers/broadcast"
)

const (
	// refreshInterval is how often the API server is asked.
	refreshInterval = 30 * time.Second
	// retryInterval is how soon it is asked again when it did not answer.
	retryInterval = 2 * time.Second
	// nudgeGap is the shortest time between two rounds of questions, however often somebody asks for one.
	nudgeGap = time.Second
	// askTimeout bounds one round of questions.
	askTimeout = 10 * time.Second
)

// Watcher keeps Facts up to date. What was once known stays known while the API server does not answer.
type Watcher struct {
	asker Asker
	clock clock.Clock
	log   logr.Logger
	// nudges holds a token when there is reason to ask at once.
	nudges chan struct{}

	changes broadcast.Broadcaster[struct{}]

	mutex sync.Mutex
	facts Facts
	known bool
}

// NewWatcher returns a Watcher that asks once it is started.
func NewWatcher(asker Asker, clock clock.Clock, log logr.Logger) *Watcher {
	return &Watcher{asker: asker, clock: clock, log: log, nudges: make(chan struct{}, 1)}
}

// Facts returns what is known; ok is false before the first answer.
func (w *Watcher) Facts() (facts Facts, ok bool) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.facts, w.known
}

// Source is a controller's source of requests at every change of the facts.
func (w *Watcher) Source(requests func(ctx context.Context) []reconcile.Request) source.Source {
	return w.changes.Source(func(ctx context.Context, _ struct{}) []reconcile.Request { return requests(ctx) })
}

// NeedLeaderElection tells the manager to run the watcher also before it leads, so that a new leader knows the facts at once.
func (w *Watcher) NeedLeaderElection() bool { return false }

// KeysWanted has the API server asked at once, or as soon as the last time is nudgeGap ago, when the issuer is the cluster's: a token has come that was
// signed with a key that was not among its keys. It does not wait.
func (w *Watcher) KeysWanted(issuer string) {
	if facts, _ := w.Facts(); facts.Issuer != issuer {
		return
	}
	select {
	case w.nudges <- struct{}{}:
	default:
	}
}

// Start asks at an interval, and when it is nudged, until the context ends.
func (w *Watcher) Start(ctx context.Context) error {
	for {
		wait, asked := refreshInterval, w.clock.Now()
		if err := w.Refresh(ctx); err != nil {
			w.log.Error(err, "asking the API server about itself")
			wait = retryInterval
		}
		select {
		case <-ctx.Done():
			return nil
		case <-w.clock.After(wait):
			continue
		case <-w.nudges:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-w.clock.After(max(0, nudgeGap-w.clock.Since(asked))):
		}
	}
}

// Refresh asks once. The addresses are enough to begin with: tokens cannot be checked while the issuer is not known, but access keys can.
func (w *Watcher) Refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	addresses, err := w.asker.addresses(ctx)
	if err != nil {
		return err
	}
	issuer, keys, err := w.asker.issuer(ctx)
	old, _ := w.Facts()
	fresh := Facts{Issuer: issuer, JWKS: keys, Addresses: addresses}
	if err != nil {
		fresh.Issuer, fresh.JWKS = old.Issuer, old.JWKS
	}
	w.set(fresh)
	return err
}

// set stores facts and tells of a change.
func (w *Watcher) set(fresh Facts) {
	w.mutex.Lock()
	changed := !w.known || !w.facts.equal(fresh)
	w.facts, w.known = fresh, true
	w.mutex.Unlock()
	if !changed {
		return
	}
	w.changes.Send(struct{}{})
}
