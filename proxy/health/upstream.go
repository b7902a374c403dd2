package health

import (
	"sync"
	"sync/atomic"
	"time"

	"signalbox.dev/signalbox/proxy/window"
)

// touchEvery is how exactly the last use of an upstream is noted; more would have every reader write.
const touchEvery = instant(time.Second)

// Upstream is the state of one model behind one key, or of the key as a whole. Its methods may be called by any number of goroutines.
type Upstream struct {
	subject  Subject
	registry *Registry
	// key is the state of the key as a whole; nil if this is that.
	key *Upstream

	// used is about when it was last used, and gone tells that it was dropped to make room.
	used atomic.Int64
	gone atomic.Bool

	inFlight atomic.Int64
	requests allowance
	tokens   allowance

	// mu guards what is not atomic and keeps changes apart. That of the key is taken after that of the model.
	mu         sync.Mutex
	gate       gate
	statistics statistics
	retries    budget
	// window is the last minute; nil before the first attempt that says something.
	window *window.Window
}

func newUpstream(r *Registry, s Subject, key *Upstream) *Upstream {
	u := &Upstream{subject: s, registry: r, key: key, retries: newBudget()}
	u.gate.init()
	u.requests.init()
	u.tokens.init()
	return u
}

// View returns the state. It allocates nothing and waits for nobody.
func (u *Upstream) View(now time.Time) (v View) {
	u.Look(now, &v)
	return v
}

// Look is View into a view of the caller's, which must be the zero View.
func (u *Upstream) Look(now time.Time, v *View) {
	t := u.registry.at(now)
	u.touch(t)
	u.read(v, t)
}

// read puts all that is known into an empty view.
func (u *Upstream) read(v *View, now instant) {
	v.Ramp = rampFull
	v.InFlight = u.inFlight.Load()
	u.gate.read(v, now)
	of := &u.gate
	if u.key != nil {
		of = &u.key.gate
		of.read(v, now)
	}
	v.KeyBlock, _ = of.all.load()
	if v.Block == KeyRefused && u.key != nil && u.gate.passable(now) {
		v.LastTry = of.lastTry(now)
	}
	if v.Block != Open {
		// Single attempts have to wait for the other of the two.
		v.Probe, v.Busy = false, false
	}
	u.statistics.read(v, now)
	v.Headroom.Requests, v.Headroom.RequestsReset = u.requests.read(now)
	v.Headroom.Tokens, v.Headroom.TokensReset = u.tokens.read(now)
}

// read adds a gate to a view: the longer of the blocks, under the name of one that cannot be passed over if there is such a one.
func (g *gate) read(v *View, now instant) {
	block, until := g.all.load()
	if block == Open {
		v.Ramp = min(v.Ramp, g.ramp(now))
		return
	}
	v.Ramp = rampStart
	left := time.Duration(until - now)
	if left <= 0 {
		v.Probe, v.Was = true, block
		v.Busy = v.Busy || g.busy(now)
		return
	}
	if v.Block == Open || v.Block == ErrorRate || left > v.For && block != ErrorRate {
		v.Block = block
	}
	v.For = max(v.For, left)
}

// passable tells whether an attempt would be let through.
func (g *gate) passable(now instant) bool {
	block, until := g.all.load()
	return block == Open || until <= now && !g.busy(now)
}

// Tried tells whether a single attempt is under way that finds out whether the upstream, or its key, is back. When one ends, Registry.Vacancy tells.
func (u *Upstream) Tried(now time.Time) bool {
	t := u.registry.at(now)
	return u.gate.tried(t) || u.key != nil && u.key.gate.tried(t)
}

// Begin asks for an attempt of about so many tokens. It is refused when the upstream is left alone by now, or somebody else's single attempt is under way.
// lastResort asks for an upstream that is left alone for ErrorRate or NoHeadroom all the same, or of which somebody else is finding out whether its rate limit is
// over. An attempt that was given must End.
func (u *Upstream) Begin(now time.Time, tokens int64, lastResort bool) (Attempt, bool) {
	return u.begin(now, tokens, plea{lastResort: lastResort})
}

// Insist is Begin as a last resort, for a call that no other key and no other upstream is left for. It is also let through where the provider refuses the key,
// as View.LastTry tells: one at a time, and one a second. An answer then lets everybody in; a key that is refused once more is left alone as long as before.
func (u *Upstream) Insist(now time.Time, tokens int64) (Attempt, bool) {
	return u.begin(now, tokens, plea{lastResort: true, insists: true})
}

func (u *Upstream) begin(now time.Time, tokens int64, what plea) (Attempt, bool) {
	t := u.registry.at(now)
	u.touch(t)
	u.mu.Lock()
	defer u.mu.Unlock()
	own, ok := u.gate.admit(t, what)
	if !ok {
		return Attempt{}, false
	}
	var ofKey pass
	if u.key != nil {
		if ofKey, ok = u.key.admit(t, what); !ok {
			if u.gate.leave(own) {
				u.registry.vacancy.announce()
			}
			return Attempt{}, false
		}
	}
	u.inFlight.Add(1)
	u.requests.take(1)
	u.tokens.take(tokens)
	u.retries.deposit()
	return Attempt{&attempt{upstream: u, own: own, key: ofKey, began: t}}, true
}

// admit lets an attempt through to what is behind a key. Without a block, which is nearly always, no lock is taken.
func (u *Upstream) admit(now instant, what plea) (pass, bool) {
	// The epoch comes first: if a block begins after that, the attempt is one from before it.
	p := pass{epoch: u.gate.epoch.Load()}
	if block, _ := u.gate.all.load(); block == Open {
		return p, true
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.gate.admit(now, what)
}

// AllowRetry takes one retry of the upstream's budget of them, a tenth of its attempts; false when it is used up.
func (u *Upstream) AllowRetry(now time.Time) bool {
	u.touch(u.registry.at(now))
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.retries.withdraw()
}

// touch notes that the upstream is used. One that was dropped to make room, but is still held by a table, comes back.
func (u *Upstream) touch(now instant) {
	if last := instant(u.used.Load()); now-last < touchEvery && last-now < touchEvery {
		return
	}
	u.used.Store(int64(now))
	u.registry.latest.Store(int64(now))
	if u.gone.Load() {
		u.registry.restore(u)
	}
}

// Attempt is one that was begun. The zero Attempt does nothing.
type Attempt struct{ *attempt }

// attempt is guarded by the lock of its upstream.
type attempt struct {
	upstream *Upstream
	own, key pass
	began    instant
	// answered tells that the rate limits are known already, spoke that its first token was, lost that it does not get through, and ended that End was called.
	answered, spoke, lost, ended bool
	// lostAt is when it was found not to get through.
	lostAt instant
}

// Answered tells what the head of the answer says, before its end.
func (a Attempt) Answered(now time.Time, limits RateLimits) {
	if a.attempt == nil {
		return
	}
	u := a.upstream
	t := u.registry.at(now)
	u.mu.Lock()
	defer u.mu.Unlock()
	if !a.ended {
		a.tell(limits, t)
	}
}

// tell notes the rate limits of the first of Answered and End: by the end of a long answer what its head said is old.
func (a *attempt) tell(limits RateLimits, now instant) {
	if a.answered || limits.RequestsLeft < 0 && limits.TokensLeft < 0 {
		return
	}
	a.answered = true
	a.upstream.requests.tell(limits.RequestsLeft, limits.RequestsReset, now)
	a.upstream.tokens.tell(limits.TokensLeft, limits.TokensReset, now)
}

// FirstToken tells that the answer has begun to come. Only the first one counts. It lets others in where this attempt was the single one that finds out whether the upstream is back,
// for the answer's end can be minutes away.
func (a Attempt) FirstToken(now time.Time) {
	if a.attempt == nil {
		return
	}
	u := a.upstream
	t := u.registry.at(now)
	var told news
	u.mu.Lock()
	if !a.ended && !a.spoke {
		// Not when the answer ends, which can be minutes later: whoever looks for slow providers wants to know now.
		a.spoke = true
		u.minute().FirstToken(time.Duration(t), t.since(a.began))
	}
	if !a.ended && (a.own.ticket != 0 || a.own.beside || a.key.ticket != 0) {
		told = a.judge(verdict{good: true}, verdict{good: true}, t)
		a.own.ticket, a.own.beside, a.key.ticket = 0, false, 0
	}
	u.mu.Unlock()
	u.registry.publish(told)
}

// End ends the attempt. Only the first End counts.
func (a Attempt) End(now time.Time, o Outcome) {
	if a.attempt == nil {
		return
	}
	u := a.upstream
	t := u.registry.at(now)
	u.mu.Lock()
	if a.ended {
		u.mu.Unlock()
		return
	}
	a.ended = true
	u.inFlight.Add(-1)
	a.tell(o.Limits, t)
	own, key := verdicts(&o)
	told := a.judge(own, key, t)
	if !o.Neutral {
		u.statistics.add(&o, u.gate.failed.mean, t)
	}
	a.record(&o, t)
	u.mu.Unlock()
	u.registry.publish(told)
}

// judge tells both gates how the attempt went. That of the key hears of what changes it only, for all of its models share its lock.
func (a *attempt) judge(own, key verdict, now instant) news {
	u := a.upstream
	told := u.gate.judge(a.own, own, now, u.registry.random)
	if u.key == nil || key.block == Open && a.key.ticket == 0 {
		return told
	}
	u.key.mu.Lock()
	defer u.key.mu.Unlock()
	return told.and(u.key.gate.judge(a.key, key, now, u.registry.random))
}
