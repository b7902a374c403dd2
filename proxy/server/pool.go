package server

import (
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/keyring"
)

// pool is one upstream model behind all keys of a credential.
type pool struct {
	ring              *keyring.Ring
	registry          *health.Registry
	credential, model string
	// states by place in the ring; nil where they are looked up, for models that depend on the call.
	states []*health.Upstream
}

// newPool returns a pool that has its states at hand.
func newPool(ring *keyring.Ring, registry *health.Registry, credential, model string) *pool {
	p := &pool{ring: ring, registry: registry, credential: credential, model: model}
	states := make([]*health.Upstream, ring.Len())
	for place := range states {
		states[place] = p.state(place)
	}
	p.states = states
	return p
}

// under is the pool with the keys of another ring of the same credential.
func (p pool) under(ring *keyring.Ring) pool {
	if ring != p.ring {
		p.ring, p.states = ring, nil
	}
	return p
}

// state is the state of the model behind the key at a place.
func (p *pool) state(place int) *health.Upstream {
	if p.states != nil {
		return p.states[place]
	}
	return p.registry.Upstream(health.Subject{Credential: p.credential, Key: p.ring.Key(place).Fingerprint, Model: p.model})
}

// view is how the model is doing behind all keys together.
func (p *pool) view(now time.Time) health.View {
	return p.ring.View(now, func(place int) health.View { return p.state(place).View(now) })
}

// live are the states behind the keys that calls are made with now.
func (p *pool) live(now time.Time) []*health.Upstream {
	var states []*health.Upstream
	for _, place := range p.ring.Live(now, func(place int) health.View { return p.state(place).Peek(now) }) {
		states = append(states, p.state(place))
	}
	return states
}

// withdrawn tells whether the provider was found not to offer the model, with any of the keys; a single call at a time finds out whether it does again.
func (p *pool) withdrawn(now time.Time) bool {
	for place := range p.ring.Len() {
		view := p.state(place).View(now)
		if view.Block == health.Withdrawn || view.Probe && view.Busy && view.Was == health.Withdrawn {
			return true
		}
	}
	return false
}

// allowRetry takes one retry of the budget of a key that has one left.
func (p *pool) allowRetry(now time.Time) bool {
	for place := range p.ring.Len() {
		if p.state(place).AllowRetry(now) {
			return true
		}
	}
	return false
}

// tried tells whether another call is finding out whether the model is back behind one of the keys.
func (p *pool) tried(now time.Time) bool {
	for place := range p.ring.Len() {
		if p.state(place).Tried(now) {
			return true
		}
	}
	return false
}

// choosing is what the choice of a key for a call depends on.
type choosing struct {
	now        time.Time
	tokens     int64
	lastResort bool
	// insist admits a last try with a key that the provider refuses.
	insist bool
	tried  keyring.Tried
	random func(int64) int64
}

func (p *pool) query(c choosing) keyring.Query {
	return keyring.Query{
		Now: c.now, Tokens: c.tokens, LastResort: c.lastResort, Insist: c.insist, Tried: c.tried, Random: c.random,
		Look: func(place int) health.View { return p.state(place).View(c.now) },
	}
}

// lastTry is how long ago the key was refused or tried last that a last try would be made with; 0 when none may be made.
func (p *pool) lastTry(c choosing) time.Duration {
	c.insist = true
	q := p.query(c)
	place, found := p.ring.Peek(&q)
	if !found {
		return 0
	}
	view := p.state(place).View(c.now)
	return view.LastTry
}

// begin chooses a key and begins an attempt with it; false when none can be used. A key that another call has just taken for its single attempt is passed over.
func (p *pool) begin(c choosing) (chosen, bool) {
	for !c.tried.Full() {
		q := p.query(c)
		place, may := p.ring.Pick(&q)
		if !may {
			return chosen{}, false
		}
		if begun, may := p.beginAt(place, c); may {
			return begun, true
		}
		c.tried.Add(p.ring.Key(place).Fingerprint, false)
	}
	return chosen{}, false
}

// chosen is a key with the attempt that has begun with it.
type chosen struct {
	place   int
	attempt health.Attempt
	// lastTry tells that the provider refused the key of late.
	lastTry bool
}

func (p *pool) beginAt(place int, c choosing) (chosen, bool) {
	state := p.state(place)
	if !c.insist {
		begun, may := state.Begin(c.now, c.tokens, c.lastResort)
		return chosen{place: place, attempt: begun}, may
	}
	view := state.View(c.now)
	begun, may := state.Insist(c.now, c.tokens)
	return chosen{place: place, attempt: begun, lastTry: view.LastTry > 0}, may
}
