package oidc

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"signalbox.dev/signalbox/controllers/broadcast"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/controllers/refresh"
	"signalbox.dev/signalbox/proxy/identity"
)

const (
	// refreshInterval is how often an issuer is asked.
	refreshInterval = 5 * time.Minute
	// firstRetry and maxRetry bound how soon it is asked again when it did not answer.
	firstRetry = 5 * time.Second
	maxRetry   = time.Minute
	// nudgeGap is the shortest time between two questions, however often somebody asks for one.
	nudgeGap = 5 * time.Second
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
	log     logr.Logger
	loops   []*refresh.Loop // one for each issuer

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
	w := &Watcher{issuers: options.Issuers, ask: options.Ask, facts: options.Facts, log: options.Log, keys: map[string][]byte{}}
	for i := range options.Issuers {
		issuer := &options.Issuers[i]
		w.loops = append(w.loops, &refresh.Loop{
			Ask:      func(ctx context.Context) bool { return w.refresh(ctx, issuer) },
			Interval: refreshInterval, FirstRetry: firstRetry, MaxRetry: maxRetry, Gap: nudgeGap, Clock: options.Clock,
		})
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
// keys. Once it has been asked, found is called with the digest of its keys. It is false for an issuer that is not asked here.
func (w *Watcher) KeysWanted(issuer string, found func(digest string)) bool {
	at := slices.IndexFunc(w.issuers, func(i platform.OIDCIssuer) bool { return i.URL == issuer })
	if at < 0 {
		return false
	}
	w.loops[at].Want(func() { found(identity.KeysDigest(w.Keys()[w.issuers[at].Name])) })
	return true
}

// NeedLeaderElection tells the manager to run the watcher also before it leads, so that a new leader knows the keys at once.
func (w *Watcher) NeedLeaderElection() bool { return false }

// Start asks all issuers, each by itself so that a stuck one delays no other, until the context ends.
func (w *Watcher) Start(ctx context.Context) error {
	var loops sync.WaitGroup
	for _, loop := range w.loops {
		loops.Go(func() { loop.Run(ctx) })
	}
	loops.Wait()
	return nil
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
