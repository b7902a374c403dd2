package providercredential

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/table"
)

// Subject is what a probe asks about; another one is another question.
type Subject struct {
	// Provider is the provider's name.
	Provider string
	// Account has the base URL and where behind it calls go.
	provider.Account
	// Fingerprint of the key; empty without one.
	Fingerprint string
}

// Request asks for a probe.
type Request struct {
	Subject
	// Timeout of the probe.
	Timeout time.Duration
	// List asks for the list of models too, where that takes a call of its own.
	List bool

	// key is nil for endpoints that take none.
	key *table.Key
}

// Result says how a probe ended.
type Result string

// The results.
const (
	// Answered means that the provider sent an HTTP answer.
	Answered Result = "Answered"
	// NoAnswer means that none came.
	NoAnswer Result = "NoAnswer"
	// NotPermitted means that the endpoint is not one that the manager may call.
	NotPermitted Result = "NotPermitted"
)

// Outcome is what a probe found.
type Outcome struct {
	// Subject that was asked about.
	Subject Subject
	// At is when the probe began.
	At time.Time
	// Result says how it ended.
	Result Result
	// Latency until the answer's headers.
	Latency time.Duration
	// HTTPStatus of the answer; 0 without one.
	HTTPStatus int32
	// Verdict is what the answer means.
	Verdict provider.Verdict
	// Message tells a user what happened. It holds no key.
	Message string
	// Balance is what the account still has, in US dollars, where the provider tells.
	Balance string
	// List is what the provider offered when it was last asked with success for the same account; nil when it never told.
	List *provider.ModelList
	// ListAsked is when it was last asked for; zero if never.
	ListAsked time.Time
}

// keep takes over the list of an earlier outcome, if this one has none and speaks of the same account.
func (o *Outcome) keep(earlier Outcome) {
	if o.Subject.Provider != earlier.Subject.Provider || o.Subject.Account != earlier.Subject.Account {
		return
	}
	if o.List == nil {
		o.List = earlier.List
	}
	if o.ListAsked.IsZero() {
		o.ListAsked = earlier.ListAsked
	}
}

// Ask makes one probe. The context carries its timeout.
type Ask func(ctx context.Context, namespace string, request Request) Outcome

// Prober makes probes, each in a goroutine of its own with a timeout, and remembers what they found. At most one runs for a credential, so their number
// is bounded by that of the credentials.
type Prober struct {
	ask Ask

	mutex     sync.Mutex
	running   map[types.NamespacedName]*probe
	outcomes  map[types.NamespacedName]Outcome
	listeners []func(types.NamespacedName)
	// followers hear of lists of models that changed.
	followers []func(namespace string)
	probes    sync.WaitGroup
	closed    bool
}

// probe is one that runs.
type probe struct {
	subject Subject
	cancel  context.CancelFunc
}

// NewProber returns a Prober that asks by ask.
func NewProber(ask Ask) *Prober {
	return &Prober{ask: ask, running: map[types.NamespacedName]*probe{}, outcomes: map[types.NamespacedName]Outcome{}}
}

// Start waits for the context to end and then ends all probes.
func (p *Prober) Start(ctx context.Context) error {
	<-ctx.Done()
	p.mutex.Lock()
	p.closed = true
	for _, probe := range p.running {
		probe.cancel()
	}
	p.mutex.Unlock()
	p.probes.Wait()
	return nil
}

// Source is a source of requests for every credential whose probe has ended.
func (p *Prober) Source() source.Source {
	return source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		p.mutex.Lock()
		defer p.mutex.Unlock()
		p.listeners = append(p.listeners, func(name types.NamespacedName) { queue.Add(reconcile.Request{NamespacedName: name}) })
		return nil
	})
}

// ListSource is a source of requests at every change of a list of models: for what request makes of the namespace that its credential is in.
func (p *Prober) ListSource(request func(namespace string) reconcile.Request) source.Source {
	return source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		p.mutex.Lock()
		defer p.mutex.Unlock()
		p.followers = append(p.followers, func(namespace string) { queue.Add(request(namespace)) })
		return nil
	})
}

// Lists returns the models that the providers of a namespace's credentials offer, by the name of the credential.
func (p *Prober) Lists(namespace string) map[string]provider.ModelList {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	lists := map[string]provider.ModelList{}
	for name, outcome := range p.outcomes {
		if name.Namespace == namespace && outcome.List != nil {
			lists[name.Name] = *outcome.List
		}
	}
	return lists
}

// Outcome returns what the last probe of a credential found.
func (p *Prober) Outcome(name types.NamespacedName) (Outcome, bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	outcome, ok := p.outcomes[name]
	return outcome, ok
}

// Forget drops what is known of a credential that is gone.
func (p *Prober) Forget(name types.NamespacedName) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.stop(name)
	delete(p.outcomes, name)
}

// stop needs the mutex to be held.
func (p *Prober) stop(name types.NamespacedName) {
	if running := p.running[name]; running != nil {
		running.cancel()
		delete(p.running, name)
	}
}

// Probe starts a probe, unless one with the same question is running. One with another question is given up.
func (p *Prober) Probe(name types.NamespacedName, request Request) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if running := p.running[name]; p.closed || running != nil && running.subject == request.Subject {
		return
	}
	p.stop(name)
	ctx, cancel := context.WithTimeout(context.Background(), request.Timeout)
	started := &probe{subject: request.Subject, cancel: cancel}
	p.running[name] = started
	p.probes.Go(func() {
		defer cancel()
		p.finish(name, started, p.ask(ctx, name.Namespace, request))
	})
}

// finish keeps an outcome, unless the probe was given up in the meantime.
func (p *Prober) finish(name types.NamespacedName, done *probe, outcome Outcome) {
	p.mutex.Lock()
	if p.running[name] != done {
		p.mutex.Unlock()
		return
	}
	delete(p.running, name)
	earlier := p.outcomes[name]
	outcome.keep(earlier)
	p.outcomes[name] = outcome
	listeners, followers := p.listeners, p.followers
	p.mutex.Unlock()
	if outcome.List.Equal(earlier.List) {
		followers = nil
	}
	for _, follower := range followers {
		follower(name.Namespace)
	}
	for _, listener := range listeners {
		listener(name)
	}
}
