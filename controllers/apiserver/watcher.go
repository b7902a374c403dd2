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
	"signalbox.dev/signalbox/controllers/refresh"
	"signalbox.dev/signalbox/proxy/identity"
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
	log   logr.Logger
	loop  refresh.Loop

	changes broadcast.Broadcaster[struct{}]

	mutex sync.Mutex
	facts Facts
	known bool
}

// NewWatcher returns a Watcher that asks once it is started.
func NewWatcher(asker Asker, clock clock.Clock, log logr.Logger) *Watcher {
	w := &Watcher{asker: asker, log: log}
	w.loop = refresh.Loop{Ask: w.ask, Interval: refreshInterval, FirstRetry: retryInterval, MaxRetry: retryInterval, Gap: nudgeGap, Clock: clock}
	return w
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
// signed with a key that was not among its keys. Once it has been asked, found is called with the digest of its keys. It is false for any other issuer.
func (w *Watcher) KeysWanted(issuer string, found func(digest string)) bool {
	if facts, _ := w.Facts(); facts.Issuer != issuer {
		return false
	}
	w.loop.Want(func() {
		facts, _ := w.Facts()
		found(identity.KeysDigest(facts.JWKS))
	})
	return true
}

// Start asks at an interval, and when keys are wanted, until the context ends.
func (w *Watcher) Start(ctx context.Context) error {
	w.loop.Run(ctx)
	return nil
}

func (w *Watcher) ask(ctx context.Context) bool {
	err := w.Refresh(ctx)
	if err != nil {
		w.log.Error(err, "asking the API server about itself")
	}
	return err == nil
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
