package limit

import (
	"encoding/json"
	"slices"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// tellingKey names a limiter of a route.
type tellingKey struct {
	per    table.LimitScope
	caller string
}

// Hear takes in what a peer said. What cannot be read is ignored and is an error.
func (s *Set) Hear(from string, said json.RawMessage) error {
	m, entries, err := read(said)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.peers[from]
	if p == nil || p.ghost || m.Number <= p.heard {
		return nil
	}
	p.heard = m.Number
	now := s.elapsed()
	s.hearHead(p, m, now)
	if !p.settled {
		s.hearTold(p, m, entries)
	}
	for i := range entries {
		if r := s.routes[entries[i].Route]; r != nil {
			r.hear(p, &entries[i], now)
		}
	}
	s.ripen(now)
	return nil
}

// hearHead takes in what is no limiter's: who this replica is, that the peer counts it, and which ghosts can go.
func (s *Set) hearHead(p *peer, m *message, now time.Duration) {
	changed := s.self == "" || !p.confirmed
	if s.self == "" {
		s.self = m.To
	}
	p.confirmed = true
	p.active, p.asks = m.Active, nil
	for _, g := range m.Ghosts {
		p.asks = append(p.asks, g.ID)
		changed = s.adopt(g, now) || changed
	}
	if !s.active {
		// One that shares already but is not known yet may go before it is: it made no room for this one.
		for _, id := range m.Others {
			changed = s.adopt(ghost{ID: id}, now) || changed
		}
	}
	for _, id := range m.Gone {
		if ghost := s.peers[id]; ghost != nil && ghost.ghost {
			ghost.goneFor[p] = true
		}
	}
	if changed {
		s.activate()
		s.reshare(nil)
	}
}

// adopt takes over a ghost that this replica never met: what it admitted still counts. One of which no part is known holds up this replica's own.
func (s *Set) adopt(g ghost, now time.Duration) bool {
	p := s.peers[g.ID]
	known := g.Size > 0
	switch {
	case p == nil && len(s.peers) >= maxDeparted, p != nil && (!p.stranger || !known):
		return false
	}
	if g.ID == s.self || slices.Contains(s.departed, g.ID) {
		return false
	}
	s.peers[g.ID] = &peer{
		id: g.ID, rank: -1, confirmed: true, complete: known, settled: true, ghost: true, since: now,
		part: g.part, stranger: !known, released: known, clean: known, goneFor: map[*peer]bool{},
	}
	return true
}

// hearTold takes in what a peer still holds of this replica's share. A message replaces the one before.
func (s *Set) hearTold(p *peer, m *message, entries []entry) {
	s.forgetTold(p)
	told := false
	for i := range entries {
		e := &entries[i]
		r := s.routes[e.Route]
		if e.Freed == nil {
			continue
		}
		told = true
		if r == nil {
			continue
		}
		r.mu.Lock()
		key := tellingKey{e.Per, e.Caller}
		if r.told[key] == nil {
			r.told[key] = telling{}
		}
		r.told[key][p] = *e.Freed
		r.mu.Unlock()
	}
	p.complete = m.Complete
	p.settled = m.Complete && !told
	s.reshare(nil)
}

// forgetTold forgets what a peer holds.
func (s *Set) forgetTold(p *peer) {
	for _, r := range s.routes {
		r.mu.Lock()
		for key, t := range r.told {
			if delete(t, p); len(t) == 0 {
				delete(r.told, key)
			}
		}
		r.mu.Unlock()
	}
}

// hear takes in an entry.
func (r *route) hear(p *peer, e *entry, now time.Duration) {
	if e.Mine == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.find(e, now)
	if l == nil {
		return
	}
	q := r.pairWith(l, p)
	if e.Mine < q.theirs {
		return
	}
	if e.Mine > q.theirs {
		q.theirs, q.given, q.acked, q.received = e.Mine, amounts{}, amounts{}, amounts{}
	}
	q.want, q.asked = e.Want, now
	if e.Theirs == q.mine {
		q.hear(l, e, now)
	} else {
		q.reply = true
	}
	r.recount(l)
	l.recall(now)
	r.settle(l)
	r.pump(now)
}

// hear takes in the sums of an entry that is about these very counts.
func (p *pair) hear(l *limiter, e *entry, now time.Duration) {
	for k := range p.received {
		if e.Given[k] > p.received[k] {
			p.received[k] = e.Given[k]
			p.reply = true
			l.gainedAt = now
		}
		p.acked[k] = min(p.given[k], max(p.acked[k], e.Received[k]))
	}
}

// find is the limiter of an entry; nil when this replica has none and no room for it.
func (r *route) find(e *entry, now time.Duration) *limiter {
	switch {
	case e.Per == table.PerRoute:
		return r.all
	case e.Per != table.PerCaller || !r.perCaller:
		return nil
	case e.Caller == crowdName:
		return r.crowdLimiter()
	}
	if l := r.callerLimiter(e.Caller, now); l != r.crowd {
		return l
	}
	return nil
}
