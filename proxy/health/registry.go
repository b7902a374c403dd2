package health

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxUpstreams bounds the models that are remembered, for the names of some come from clients.
	maxUpstreams = 4096
	// maxKeys bounds the keys that other replicas can make known.
	maxKeys = 4096
)

// Options of a Registry.
type Options struct {
	// Random returns a number in [0, n); nil means the system's random numbers.
	Random func(n int64) int64
	// Changed is called, without locks, when an upstream begins to be left alone or is to be for longer, so that the other replicas can be told at once;
	// may be nil. What other replicas said is no reason for it.
	Changed func()
	// Ended is called, without locks, when an upstream that was left alone is found to be back, or when the first of its attempts does not get through; may be nil.
	Ended func()
}

// Registry holds the states of all upstreams, over all tables. Its methods may be called by any number of goroutines.
type Registry struct {
	options Options
	random  func(n int64) int64
	// start is the first moment that the registry was told of. All others are counted from it, by the monotonic clock where they have it.
	start atomic.Pointer[time.Time]
	// latest is about when any upstream was last used.
	latest atomic.Int64
	// vacancy tells when a single attempt has ended.
	vacancy vacancy

	mu     sync.RWMutex
	models map[Subject]*Upstream
	// keys are not dropped to make room: those of a table are few, and models hold on to theirs.
	keys map[Subject]*Upstream
}

// NewRegistry returns an empty registry.
func NewRegistry(o Options) *Registry {
	random := o.Random
	if random == nil {
		random = rand.Int64N
	}
	return &Registry{options: o, random: random, models: map[Subject]*Upstream{}, keys: map[Subject]*Upstream{}}
}

// at makes an instant of a time.
func (r *Registry) at(now time.Time) instant {
	start := r.start.Load()
	if start == nil {
		start = r.begin(now)
	}
	return instant(now.Sub(*start))
}

// begin sets the first moment. It is apart from at because its parameter is kept.
func (r *Registry) begin(now time.Time) *time.Time {
	r.start.CompareAndSwap(nil, &now)
	return r.start.Load()
}

// Upstream returns the state of a subject, always the same until Retain drops it. Of more than 4096 models, those that have not been used for the longest
// time and have no attempt under way are forgotten.
func (r *Registry) Upstream(s Subject) *Upstream {
	r.mu.RLock()
	u := r.find(s)
	r.mu.RUnlock()
	if u != nil {
		return u
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.add(s)
}

// find returns what there is of a subject, or nil. It needs the lock.
func (r *Registry) find(s Subject) *Upstream {
	if s.Model == "" {
		return r.keys[s]
	}
	return r.models[s]
}

// add returns the state of a subject and makes it if need be. It needs the lock.
func (r *Registry) add(s Subject) *Upstream {
	if u := r.find(s); u != nil {
		return u
	}
	if s.Model == "" {
		u := newUpstream(r, s, nil)
		r.keys[s] = u
		return u
	}
	u := newUpstream(r, s, r.add(Subject{Credential: s.Credential, Key: s.Key}))
	u.used.Store(r.latest.Load())
	r.makeRoom()
	r.models[s] = u
	return u
}

// makeRoom drops the model that was not used for the longest time, if there are as many as there may be.
func (r *Registry) makeRoom() {
	if len(r.models) < maxUpstreams {
		return
	}
	var oldest *Upstream
	for _, u := range r.models {
		if u.inFlight.Load() == 0 && (oldest == nil || u.used.Load() < oldest.used.Load()) {
			oldest = u
		}
	}
	if oldest != nil {
		delete(r.models, oldest.subject)
		oldest.gone.Store(true)
	}
}

// restore takes back a model that was dropped to make room but is still in use, unless there is a new state of it.
func (r *Registry) restore(u *Upstream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !u.gone.Load() || r.models[u.subject] != nil {
		return
	}
	r.makeRoom()
	u.gone.Store(false)
	r.models[u.subject] = u
}

// Retain drops the states of all credentials and keys that are not live. Requests that still use one of them do no harm.
func (r *Registry) Retain(live func(credential, key string) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, states := range []map[Subject]*Upstream{r.models, r.keys} {
		for s := range states {
			if !live(s.Credential, s.Key) {
				delete(states, s)
			}
		}
	}
}

// Vacancy is closed when the next single attempt at any upstream has ended. Who wants to know of one takes it first, and looks at Upstream.Tried then.
func (r *Registry) Vacancy() <-chan struct{} { return r.vacancy.next() }

// Pardon lets all calls be made with a key again that the provider has refused, for somebody has seen since that it takes the key. Other replicas that have not
// heard of that do not change it back.
func (r *Registry) Pardon(credential, key string, now time.Time) {
	r.mu.RLock()
	u := r.find(Subject{Credential: credential, Key: key})
	r.mu.RUnlock()
	if u == nil {
		return
	}
	t := r.at(now)
	u.mu.Lock()
	u.gate.pardon(t)
	u.mu.Unlock()
	r.vacancy.announce()
}

// Each visits all states, those of keys too, whose Model is empty. What it visits may change meanwhile.
func (r *Registry) Each(now time.Time, visit func(Subject, View)) {
	for _, u := range r.Upstreams() {
		visit(u.subject, u.Peek(now))
	}
}

// Upstreams are all states, those of keys too, whose Model is empty.
func (r *Registry) Upstreams() []*Upstream {
	r.mu.RLock()
	defer r.mu.RUnlock()
	states := make([]*Upstream, 0, len(r.models)+len(r.keys))
	for _, u := range r.keys {
		states = append(states, u)
	}
	for _, u := range r.models {
		states = append(states, u)
	}
	return states
}

// publish tells what changed. No lock is held.
func (r *Registry) publish(n news) {
	if n.vacant {
		r.vacancy.announce()
	}
	if n.began && r.options.Changed != nil {
		r.options.Changed()
	}
	if n.ended && r.options.Ended != nil {
		r.options.Ended()
	}
}
