// Package fleet knows what the proxy pods serve and how their targets do. It keeps one stream to the control port of every running proxy pod and remembers
// which table each acknowledged, so that a status can say that a generation is in force because it was observed, and what each says of its targets.
package fleet

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"signalbox.dev/signalbox/controllers/broadcast"
	"signalbox.dev/signalbox/proxy/control"
)

// settling is how long after its start a manager waits to hear the proxies that were ready before.
const settling = 5 * time.Second

// Identities gives the certificate with which a namespace's proxies are called; nil while the namespace has no table.
type Identities func(ctx context.Context, namespace string) (*control.Identity, error)

// Stream reads the reports of one proxy until the context ends or the stream breaks; control.Client.Stream is one.
type Stream func(ctx context.Context, addr string, identity *control.Identity, handle func(control.Report)) error

// TellKeys tells the proxy at an address what an issuer of tokens published.
type TellKeys func(ctx context.Context, addr string, identity *control.Identity, found control.KeysFound) error

// Options configure a Fleet.
type Options struct {
	// Identities is required.
	Identities Identities
	// Stream is required.
	Stream Stream
	// Clock paces new attempts.
	Clock clock.Clock
	// KeysWanted is told the URL of an issuer of tokens for whose newest keys requests wait at a proxy. It must not wait, and calls found, from any goroutine,
	// with the digest of what the issuer publishes once it was asked after that; false means that nobody here asks that issuer. nil asks none.
	KeysWanted func(issuer string, found func(digest string)) bool
	// TellKeys tells a proxy what an issuer published; control.Client.TellKeys is one. Required with KeysWanted.
	TellKeys TellKeys
	// Log takes broken streams.
	Log logr.Logger
}

// Fleet is the state of all proxy pods. It is safe for concurrent use.
type Fleet struct {
	options Options
	// namespaces are told of whole, routes and credentials one by one.
	namespaces          broadcast.Broadcaster[string]
	routes, credentials broadcast.Broadcaster[types.NamespacedName]

	mutex   sync.Mutex
	pods    map[string]map[string]*pod // by namespace and name
	notices map[string]*notices        // what listeners of routes were told, by namespace

	streams sync.WaitGroup
	closed  bool
	begun   time.Time                         // when it was known which pods there are; zero before
	awaited map[types.NamespacedName]struct{} // those of them that were not observed yet
}

// pod is what is known of one pod.
type pod struct {
	observation
	stop context.CancelFunc // ends the stream; nil without one
	wake chan struct{}      // holds a token when there is reason to call at once

	sequence int64     // of the table that it acknowledged; 0 is none
	lostAt   time.Time // since when it has not been heard; zero while it is
	claims   claims    // of its targets; nil before its first report
	accounts accounts  // what it says of credentials
}

// observation is what the Pod object says.
type observation struct {
	uid   types.UID
	addr  string // of the control port; empty while the pod does not run
	ready bool
}

// New returns a fleet without pods.
func New(options Options) *Fleet {
	return &Fleet{options: options, pods: map[string]map[string]*pod{}, notices: map[string]*notices{}}
}

// Acknowledged counts the ready proxy pods of a namespace, and those of them whose table is older than the sequence since.
func (f *Fleet) Acknowledged(namespace string, since int64) (ready, behind int) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for _, pod := range f.pods[namespace] {
		if !pod.ready {
			continue
		}
		ready++
		if pod.sequence < since {
			behind++
		}
	}
	return ready, behind
}

// Settled tells whether what is known of a namespace's proxies can be relied on. A manager that has just started knows no pods, and then of some not yet what
// they serve; nothing should be told from that. Proxies that cannot be heard are not waited for without end.
func (f *Fleet) Settled(namespace string) bool {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.begun.IsZero() {
		return false
	}
	if f.options.Clock.Since(f.begun) >= settling {
		return true
	}
	for name := range f.awaited {
		if name.Namespace == namespace {
			return false
		}
	}
	for _, pod := range f.pods[namespace] {
		if pod.ready && pod.sequence == 0 {
			return false
		}
	}
	return true
}

// begin says which pods there are at the manager's start.
func (f *Fleet) begin(names []types.NamespacedName) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.begun, f.awaited = f.options.Clock.Now(), map[types.NamespacedName]struct{}{}
	for _, name := range names {
		if f.pods[name.Namespace][name.Name] == nil {
			f.awaited[name] = struct{}{}
		}
	}
}

// Source is a controller's source of requests at every change of readiness or acknowledgement in a namespace.
func (f *Fleet) Source(requests broadcast.Requests[string]) source.Source {
	return f.namespaces.Source(requests)
}

// Start waits for the context to end and then ends all streams.
func (f *Fleet) Start(ctx context.Context) error {
	<-ctx.Done()
	f.mutex.Lock()
	f.closed = true
	for _, pods := range f.pods {
		for _, pod := range pods {
			pod.halt()
		}
	}
	f.mutex.Unlock()
	f.streams.Wait()
	return nil
}

func (p *pod) halt() {
	if p.stop != nil {
		p.stop()
		p.stop = nil
	}
}

// observe takes over what a Pod object says.
func (f *Fleet) observe(name types.NamespacedName, seen observation) {
	f.mutex.Lock()
	delete(f.awaited, name)
	known := f.pods[name.Namespace][name.Name]
	if known != nil && known.observation == seen {
		f.mutex.Unlock()
		return
	}
	if known == nil || known.uid != seen.uid {
		if known != nil {
			known.halt()
		}
		known = &pod{wake: make(chan struct{}, 1)}
	}
	moved, becameReady := known.addr != seen.addr, seen.ready && !known.ready
	known.observation = seen
	f.put(name, known)
	if moved {
		known.halt()
		f.open(name, known)
	}
	if becameReady {
		known.alert()
	}
	f.mutex.Unlock()
	f.notify(name.Namespace)
}

// alert ends the pause before the next call.
func (p *pod) alert() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// forget drops a pod that is gone.
func (f *Fleet) forget(name types.NamespacedName) {
	f.mutex.Lock()
	delete(f.awaited, name)
	known := f.pods[name.Namespace][name.Name]
	if known == nil {
		f.mutex.Unlock()
		return
	}
	known.halt()
	delete(f.pods[name.Namespace], name.Name)
	if len(f.pods[name.Namespace]) == 0 {
		delete(f.pods, name.Namespace)
	}
	f.mutex.Unlock()
	f.notify(name.Namespace)
}

// put needs the mutex to be held.
func (f *Fleet) put(name types.NamespacedName, known *pod) {
	if f.pods[name.Namespace] == nil {
		f.pods[name.Namespace] = map[string]*pod{}
	}
	f.pods[name.Namespace][name.Name] = known
}

// open starts the stream of a pod that has an address. It needs the mutex to be held.
func (f *Fleet) open(name types.NamespacedName, known *pod) {
	if known.addr == "" || f.closed {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	known.stop = cancel
	follower := &follower{fleet: f, name: name, pod: known, uid: string(known.uid), addr: known.addr}
	follower.keys = newMessenger(follower)
	f.streams.Go(func() { follower.run(ctx) })
	f.streams.Go(func() { follower.keys.run(ctx) })
}

// notify tells of a namespace, without the mutex.
func (f *Fleet) notify(namespace string) {
	f.mutex.Lock()
	f.retell(namespace)
	f.mutex.Unlock()
	f.namespaces.Send(namespace)
}
