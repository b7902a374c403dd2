package peers

import (
	"context"
	"slices"
	"time"
)

const (
	// kickPause is the shortest time between two rounds of news, and kickPauseEach what each replica adds to it: a storm of news must not take the CPU.
	kickPause     = 20 * time.Millisecond
	kickPauseEach = 4 * time.Millisecond
	// askOften and askSeldom are the times between two questions to the Service: while somebody is missing, and else.
	askOften  = time.Second
	askSeldom = 5 * time.Second
	// askLimit is how long an answer may take.
	askLimit = 2 * time.Second
)

// line is what goes on with an address: one exchange at a time.
type line struct {
	// again tells that another exchange is to follow, for there is news.
	again bool
}

// Run exchanges messages until the context ends.
func (m *Mesh) Run(ctx context.Context) {
	defer m.caller.Close()
	defer m.running.Wait()
	ticker := time.NewTicker(m.options.Interval)
	defer ticker.Stop()
	var news <-chan time.Time
	var next time.Time
	m.tick(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			m.tick(ctx)
		case <-m.found:
			m.tick(ctx)
		case <-m.kick:
			if news == nil {
				news = time.After(time.Until(next))
			}
		case <-news:
			news = nil
			calls := m.everybody()
			next = time.Now().Add(max(kickPause, time.Duration(len(calls))*kickPauseEach))
			m.start(ctx, calls)
		}
	}
}

// tick does what time asks for.
func (m *Mesh) tick(ctx context.Context) {
	now, reachable := time.Now(), m.options.Identity() != nil
	m.mutex.Lock()
	if reachable {
		m.roster.begin(now)
	}
	m.roster.sweep(now)
	m.forget()
	ask := !m.asking && now.Sub(m.asked) >= m.askPause(now)
	if ask {
		m.asking, m.asked = true, now
	}
	var calls []call
	if reachable && !m.leaving {
		calls = m.roster.due(now, m.options.Interval)
	}
	m.mutex.Unlock()
	if ask {
		m.running.Go(func() { m.ask(ctx, now) })
	}
	m.announce()
	m.start(ctx, calls)
}

// askPause needs the mutex to be held.
func (m *Mesh) askPause(now time.Time) time.Duration {
	if !m.roster.settled || m.roster.quiet(now) {
		return askOften
	}
	return askSeldom
}

// ask asks the Service who is there.
func (m *Mesh) ask(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	addrs, err := m.options.Lookup(ctx)
	if err != nil {
		m.options.Log.Debug("the replicas cannot be looked up", "error", err)
	}
	m.mutex.Lock()
	m.asking = false
	if err == nil {
		m.roster.listed(addrs, now, time.Now())
	}
	m.mutex.Unlock()
	m.announce()
	select {
	case m.found <- struct{}{}:
	default:
	}
}

// everybody lists the calls that bring news to all.
func (m *Mesh) everybody() []call {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.leaving {
		return nil
	}
	return m.roster.all()
}

// start begins exchanges. Where one is under way, news makes another follow it.
func (m *Mesh) start(ctx context.Context, calls []call) {
	identity := m.options.Identity()
	if identity == nil {
		return
	}
	for _, next := range calls {
		m.mutex.Lock()
		busy := m.lines[next.addr]
		if busy == nil {
			m.lines[next.addr] = &line{}
		} else {
			busy.again = busy.again || next.news
		}
		m.mutex.Unlock()
		if busy == nil {
			m.running.Go(func() { m.talk(ctx, next) })
		}
	}
}

// talk exchanges messages with an address until there is nothing new. Somebody who was not expected there is called once more, by name; once only, for
// behind a wrong address there may be somebody else each time.
func (m *Mesh) talk(ctx context.Context, to call) {
	for first := true; ; first = false {
		other := m.exchange(ctx, to)
		m.mutex.Lock()
		at := m.lines[to.addr]
		more := at.again || first && other
		if !more || ctx.Err() != nil || m.leaving {
			delete(m.lines, to.addr)
			m.mutex.Unlock()
			return
		}
		at.again = false
		to = m.roster.callAt(to.addr)
		m.mutex.Unlock()
	}
}

// announcement is what parts were told of members.
type announcement struct {
	peers   []string
	settled bool
	// vain tells that it is settled for having waited in vain; the parts are not told.
	vain bool
}

// announce tells the parts who the replicas are, if that changed.
func (m *Mesh) announce() {
	m.telling.Lock()
	defer m.telling.Unlock()
	m.mutex.Lock()
	now := announcement{vain: m.roster.settle(time.Now()), settled: m.roster.settled}
	for _, other := range m.roster.known() {
		now.peers = append(now.peers, other.ID)
	}
	m.mutex.Unlock()
	if slices.Equal(now.peers, m.told.peers) && now.settled == m.told.settled {
		return
	}
	before := m.told
	m.told = now
	for _, part := range m.options.Parts {
		part.Members(slices.Clone(now.peers), now.settled)
	}
	m.report(before, now)
}

// report logs and counts what changed.
func (m *Mesh) report(before, now announcement) {
	m.options.Observer.Known(len(now.peers))
	for _, id := range now.peers {
		if !slices.Contains(before.peers, id) {
			m.options.Log.Info("a replica joined", "peer", id, "peers", len(now.peers))
		}
	}
	for _, id := range before.peers {
		if !slices.Contains(now.peers, id) {
			m.options.Log.Info("a replica is gone", "peer", id, "peers", len(now.peers))
		}
	}
	if now.settled == before.settled {
		return
	}
	if now.vain {
		m.options.Observer.GaveUp()
		m.options.Log.Warn("not all replicas were found in time; limits may be exceeded by those that are out of reach", "peers", len(now.peers))
		return
	}
	m.options.Observer.Settled()
	m.options.Log.Info("all replicas are known", "peers", len(now.peers))
}

// forget drops what was kept for replicas that are gone. It needs the mutex to be held.
func (m *Mesh) forget() {
	for id := range m.views {
		if m.roster.members[id] == nil {
			delete(m.views, id)
		}
	}
	for h := range m.deaf {
		if m.roster.members[h.peer] == nil {
			delete(m.deaf, h)
		}
	}
}
