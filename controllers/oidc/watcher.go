package oidc

import (
	"bytes"
	"context"
	"maps"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"signalbox.dev/signalbox/controllers/broadcast"
	"signalbox.dev/signalbox/controllers/platform"
)

const (
	// refreshInterval is how often an issuer is asked.
	refreshInterval = 5 * time.Minute
	// firstRetry and maxRetry bound how soon it is asked again when it did not answer.
	firstRetry = 5 * time.Second
	maxRetry   = time.Minute
	// nudgeGap is the shortest time between two questions, however often somebody asks for one.
	nudgeGap = 15 * time.Second
	// askTimeout bounds one round of questions.
	askTimeout = 10 * time.Second
)

// Ask asks an issuer for its keys; Asker.Keys is one.
type Ask func(ctx context.Context, issuer *platform.OIDCIssuer) ([]byte, error)

// Watcher keeps the keys of all issuers up to date. What was once known stays known while an issuer does not answer.
type Watcher struct {
	issuers []platform.OIDCIssuer
	ask     Ask
	facts   Facts
	clock   clock.Clock
	log     logr.Logger
	// nudges hold a token when there is reason to ask at once, by the URL of the issuer.
	nudges map[string]chan struct{}

	changes broadcast.Broadcaster[struct{}]

	mutex sync.Mutex
	keys  map[string][]byte // by the name of the issuer
}

// Options configure a Watcher.
type Options struct {
	// Issuers of the platform's configuration.
	Issuers []platform.OIDCIssuer
	// Ask asks one of them.
	Ask Ask
	// Facts tell who issues the cluster's own tokens.
	Facts Facts
	// Clock paces the questions.
	Clock clock.Clock
	// Log takes what goes wrong.
	Log logr.Logger
}

// NewWatcher returns a Watcher that asks once it is started.
func NewWatcher(options Options) *Watcher {
	w := &Watcher{
		issuers: options.Issuers, ask: options.Ask, facts: options.Facts, clock: options.Clock, log: options.Log,
		keys: map[string][]byte{}, nudges: make(map[string]chan struct{}, len(options.Issuers)),
	}
	for i := range options.Issuers {
		w.nudges[options.Issuers[i].URL] = make(chan struct{}, 1)
	}
	return w
}

// Keys returns the key sets that are known, by the name of the issuer.
func (w *Watcher) Keys() map[string][]byte {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return maps.Clone(w.keys)
}

// Source is a controller's source of requests at every change of the keys.
func (w *Watcher) Source(requests func(ctx context.Context) []reconcile.Request) source.Source {
	return w.changes.Source(func(ctx context.Context, _ struct{}) []reconcile.Request { return requests(ctx) })
}

// KeysWanted has an issuer asked at once, or as soon as the last time is nudgeGap ago: a token has come that was signed with a key that was not among its
// keys. It does not wait.
func (w *Watcher) KeysWanted(issuer string) {
	nudge, known := w.nudges[issuer]
	if !known {
		return
	}
	select {
	case nudge <- struct{}{}:
	default:
	}
}

// NeedLeaderElection tells the manager to run the watcher also before it leads, so that a new leader knows the keys at once.
func (w *Watcher) NeedLeaderElection() bool { return false }

// Start asks all issuers, each by itself so that a stuck one delays no other, until the context ends.
func (w *Watcher) Start(ctx context.Context) error {
	var followers sync.WaitGroup
	for i := range w.issuers {
		followers.Go(func() { w.follow(ctx, &w.issuers[i]) })
	}
	followers.Wait()
	return nil
}

// follow asks one issuer at an interval, and when it is nudged.
func (w *Watcher) follow(ctx context.Context, issuer *platform.OIDCIssuer) {
	retry := firstRetry
	for {
		wait, asked := refreshInterval, w.clock.Now()
		if w.refresh(ctx, issuer) {
			retry = firstRetry
		} else {
			wait, retry = retry, min(2*retry, maxRetry)
		}
		select {
		case <-ctx.Done():
			return
		case <-w.clock.After(wait):
			continue
		case <-w.nudges[issuer.URL]:
		}
		select {
		case <-ctx.Done():
			return
		case <-w.clock.After(max(0, nudgeGap-w.clock.Since(asked))):
		}
	}
}

// refresh asks an issuer once, and tells whether it answered. The cluster's own issuer is not asked, for nobody else vouches for its ServiceAccounts.
func (w *Watcher) refresh(ctx context.Context, issuer *platform.OIDCIssuer) bool {
	log := w.log.WithValues("issuer", issuer.Name, "url", issuer.URL)
	if facts, _ := w.facts.Facts(); facts.Issuer == issuer.URL {
		log.Info("an issuer of tokens.issuers is the cluster itself and is left out; remove it from the configuration")
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	keys, err := w.ask(ctx, issuer)
	if err != nil {
		log.Error(err, "the keys of an OIDC issuer cannot be read; those that are known stay in force")
		return false
	}
	w.set(issuer.Name, keys)
	return true
}

// set stores keys and tells of a change.
func (w *Watcher) set(name string, keys []byte) {
	w.mutex.Lock()
	before, known := w.keys[name]
	w.keys[name] = keys
	w.mutex.Unlock()
	if known && bytes.Equal(before, keys) {
		return
	}
	w.changes.Send(struct{}{})
}
