package providercredential

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"signalbox.dev/signalbox/controllers/broadcast"
	"signalbox.dev/signalbox/proxy/compile"
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
	// Standing is what is known of the key by this and earlier answers.
	Standing Standing
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

const (
	// probesOfCredential and probesOfAll bound how many probes run at a time.
	probesOfCredential = 4
	probesOfAll        = 512
)

// Prober makes probes, each in a goroutine of its own with a timeout, and remembers what they found of each key. At most one runs for a key, and a few for
// a credential, so a provider that is slow for one delays nobody else's.
type Prober struct {
	ask Ask
	// news are of credentials, findings of namespaces in which a list of models or a verdict changed.
	news     broadcast.Broadcaster[types.NamespacedName]
	findings broadcast.Broadcaster[string]

	mutex       sync.Mutex
	credentials map[types.NamespacedName]*knowledge
	running     int
	probes      sync.WaitGroup
	closed      bool
}

// knowledge is what is known of one credential.
type knowledge struct {
	// running are the probes that run, and outcomes what the last ones found, by fingerprint.
	running  map[string]*probe
	outcomes map[string]Outcome
	// latest is the outcome of the last probe that ended; it has the list of models.
	latest Outcome
}

// probe is one that runs.
type probe struct {
	subject Subject
	timeout time.Duration
	cancel  context.CancelFunc
}

// NewProber returns a Prober that asks by ask.
func NewProber(ask Ask) *Prober {
	return &Prober{ask: ask, credentials: map[types.NamespacedName]*knowledge{}}
}

// Start waits for the context to end and then ends all probes.
func (p *Prober) Start(ctx context.Context) error {
	<-ctx.Done()
	p.mutex.Lock()
	p.closed = true
	for _, known := range p.credentials {
		for _, probe := range known.running {
			probe.cancel()
		}
	}
	p.mutex.Unlock()
	p.probes.Wait()
	return nil
}

// Source is a source of requests for every credential whose probe has ended.
func (p *Prober) Source() source.Source { return p.news.Source(broadcast.Itself) }

// ChangeSource is a source of requests at every change of a list of models or of what is known of a key, by the namespace of its credential.
func (p *Prober) ChangeSource(requests broadcast.Requests[string]) source.Source {
	return p.findings.Source(requests)
}

// Lists returns the models that the providers of a namespace's credentials offer, by the name of the credential.
func (p *Prober) Lists(namespace string) map[string]provider.ModelList {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	lists := map[string]provider.ModelList{}
	for name, known := range p.credentials {
		if name.Namespace == namespace && known.latest.List != nil {
			lists[name.Name] = *known.latest.List
		}
	}
	return lists
}

// Verdicts returns what is known of the keys of a namespace's credentials, by the name of the credential and the key's fingerprint.
func (p *Prober) Verdicts(namespace string) map[string]map[string]compile.KeyVerdict {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	verdicts := map[string]map[string]compile.KeyVerdict{}
	for name, known := range p.credentials {
		if name.Namespace != namespace {
			continue
		}
		verdicts[name.Name] = make(map[string]compile.KeyVerdict, len(known.outcomes))
		for fingerprint, outcome := range known.outcomes {
			verdicts[name.Name][fingerprint] = outcome.verdict()
		}
	}
	return verdicts
}

// Outcomes returns what the last probes of a credential's keys found, by fingerprint, and what the last one of all did.
func (p *Prober) Outcomes(name types.NamespacedName) (byKey map[string]Outcome, latest Outcome) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	known := p.credentials[name]
	if known == nil {
		return nil, Outcome{}
	}
	return maps.Clone(known.outcomes), known.latest
}

// Forget drops what is known of a credential that is gone.
func (p *Prober) Forget(name types.NamespacedName) {
	p.Retain(name, nil)
	p.mutex.Lock()
	defer p.mutex.Unlock()
	delete(p.credentials, name)
}

// Retain drops what is known of keys that are not asked about any more, so that one that comes back is asked about anew.
func (p *Prober) Retain(name types.NamespacedName, subjects []Subject) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	known := p.credentials[name]
	if known == nil {
		return
	}
	for fingerprint, running := range known.running {
		if !slices.Contains(subjects, running.subject) {
			p.stop(known, fingerprint)
		}
	}
	maps.DeleteFunc(known.outcomes, func(_ string, outcome Outcome) bool { return !slices.Contains(subjects, outcome.Subject) })
}

// stop needs the mutex to be held.
func (p *Prober) stop(known *knowledge, fingerprint string) {
	if running := known.running[fingerprint]; running != nil {
		running.cancel()
		delete(known.running, fingerprint)
		p.running--
	}
}

// Probe starts a probe, unless one with the same question is running. One with another question about the same key is given up, and so is one with more time:
// who is in a hurry would otherwise have to wait for it. It returns false if too
// many are running.
func (p *Prober) Probe(name types.NamespacedName, request Request) bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.closed {
		return true
	}
	known := p.credentials[name]
	if known == nil {
		known = &knowledge{running: map[string]*probe{}, outcomes: map[string]Outcome{}}
		p.credentials[name] = known
	}
	if running := known.running[request.Fingerprint]; running != nil && running.subject == request.Subject && running.timeout <= request.Timeout {
		return true
	}
	p.stop(known, request.Fingerprint)
	if p.running >= probesOfAll || len(known.running) >= probesOfCredential {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), request.Timeout)
	started := &probe{subject: request.Subject, timeout: request.Timeout, cancel: cancel}
	known.running[request.Fingerprint] = started
	p.running++
	p.probes.Go(func() {
		defer cancel()
		p.finish(name, started, p.ask(ctx, name.Namespace, request))
	})
	return true
}

// finish keeps an outcome, unless the probe was given up in the meantime.
func (p *Prober) finish(name types.NamespacedName, done *probe, outcome Outcome) {
	p.mutex.Lock()
	known := p.credentials[name]
	fingerprint := done.subject.Fingerprint
	if known == nil || known.running[fingerprint] != done {
		p.mutex.Unlock()
		return
	}
	delete(known.running, fingerprint)
	p.running--
	before, list := known.outcomes[fingerprint], known.latest.List
	outcome.follow(before)
	outcome.keep(known.latest)
	known.outcomes[fingerprint], known.latest = outcome, outcome
	changed := !outcome.List.Equal(list) || !outcome.verdict().Same(before.verdict())
	p.mutex.Unlock()
	if changed {
		p.findings.Send(name.Namespace)
	}
	p.news.Send(name)
}

// Refuse notes that the provider refuses a key in calls, as if a probe had said so. It holds until a probe says that the key is good, and for a while even
// then: a key that may read lists of models, and call none, would go to and fro otherwise.
func (p *Prober) Refuse(name types.NamespacedName, subject Subject, now time.Time) {
	p.mutex.Lock()
	known := p.credentials[name]
	if known == nil || known.outcomes[subject.Fingerprint].Subject != subject || known.outcomes[subject.Fingerprint].Standing.State == provider.KeyInvalid {
		p.mutex.Unlock()
		return
	}
	p.stop(known, subject.Fingerprint)
	outcome := known.outcomes[subject.Fingerprint]
	outcome.Standing.refuseCalls(now)
	known.outcomes[subject.Fingerprint] = outcome
	p.mutex.Unlock()
	p.findings.Send(name.Namespace)
	p.news.Send(name)
}
