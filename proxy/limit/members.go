package limit

import (
	"slices"
	"time"
)

const (
	// history is how long what a replica admitted counts, and with it how long its part stays out of use once it is gone.
	history = time.Duration(span) * tickLength
	// maxDeparted bounds the names of those that are gone which are remembered.
	maxDeparted = 256
)

// peer is another replica.
type peer struct {
	id string
	// rank is its place in the order of names, below 0 while this replica does not know its own name.
	rank int64
	// heard is the number of the last message that counted.
	heard int64
	// confirmed tells that the peer counts this replica as one that shares the limits.
	confirmed bool
	// complete tells that it has told all of its limiters that are not settled; settled that there are none any more.
	complete, settled bool
	// active tells that the peer has a part in the limits.
	active bool
	// asks are the ghosts that it wants to be rid of.
	asks []string

	// ghost tells that the peer is gone. Its share stays with it until nothing of it can be in use: since then for the minute, and until every other replica
	// has let go of what it had borrowed from it.
	ghost bool
	since time.Duration
	// part is what the ghost owned at most when it went; it did not make room for any that joined later.
	part part
	// sharers are the names behind the part, where they are known.
	sharers []string
	// stranger tells that a peer shares with it but this replica never met it, so that it did not make room for this one and its part is not known.
	stranger bool
	// released tells that this replica counts no more on what the ghost gave; clean that it uses nothing of it either.
	released, clean bool
	// lent are the limiters in which the ghost had given more than it got.
	lent map[*limiter]*route
	// goneFor has the peers that are done with the ghost.
	goneFor map[*peer]bool
}

// Members tells who the other live replicas are. settled tells that this replica knows all of them and has exchanged with each; before that, a replica that
// is new admits nothing from a limit.
func (s *Set) Members(peers []string, settled bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.elapsed()
	if !s.meshed {
		s.meshed = true
		s.active = settled && len(peers) == 0
	}
	s.settled = s.settled || settled
	var joined []*peer
	listed := map[string]bool{}
	for _, id := range peers {
		listed[id] = true
		if p := s.join(id); p != nil {
			joined = append(joined, p)
		}
	}
	for id, p := range s.peers {
		if !listed[id] && !p.ghost {
			s.part(p, now)
		}
	}
	s.activate()
	s.reshare(joined)
	s.ripen(now)
}

// join adds a peer; nil when it is none or known.
func (s *Set) join(id string) *peer {
	if id == "" || id == s.self {
		return nil
	}
	if p := s.peers[id]; p != nil && !p.ghost {
		return nil
	}
	if old := s.peers[id]; old != nil {
		s.bury(old)
	}
	s.departed = slices.DeleteFunc(s.departed, func(gone string) bool { return gone == id })
	// What joins after this replica has its part has none of it.
	p := &peer{id: id, rank: -1, complete: s.active, settled: s.active}
	s.peers[id] = p
	return p
}

// part makes a ghost of a peer.
func (s *Set) part(p *peer, now time.Duration) {
	p.sharers = s.sharers(p)
	p.part = partOf(p.id, p.sharers)
	p.ghost, p.since, p.goneFor, p.asks = true, now, map[*peer]bool{}, nil
	s.eachLimiter(func(_ *route, l *limiter) { l.disclaim(p) })
}

// sharers are those that a peer shared with at least when it went: all that live and have a part.
func (s *Set) sharers(gone *peer) []string {
	var ids []string
	if s.active && s.self != "" {
		ids = append(ids, s.self)
	}
	for id, p := range s.peers {
		if p != gone && !p.ghost && p.active {
			ids = append(ids, id)
		}
	}
	return ids
}

// partFor is the most that a ghost owned as far as a peer is concerned. One that never met the ghost cannot count on any room that it made.
func (p *peer) partFor(told string) part {
	owned := p.part
	if !slices.Contains(p.sharers, told) {
		return owned
	}
	owned.Size--
	if told < p.id {
		owned.Rank--
	}
	return owned
}

// partOf is what a peer owned that shared with others.
func partOf(id string, sharers []string) part {
	owned := part{Size: int64(len(sharers)) + 1}
	for _, other := range sharers {
		if other < id {
			owned.Rank++
		}
	}
	return owned
}

// activate lets the replica take part once every peer has confirmed it.
func (s *Set) activate() {
	if s.active || !s.settled {
		return
	}
	for _, p := range s.peers {
		if !p.ghost && !p.confirmed {
			return
		}
	}
	s.active = true
}

// reshare works out the shares of all limiters anew. A replica that does not know its own name yet takes the smallest share.
func (s *Set) reshare(joined []*peer) {
	ids := make([]string, 0, len(s.peers))
	v := view{active: s.active, open: true, size: 1}
	for id, p := range s.peers {
		// What a ghost held of this replica's share may be in use where it lent it; only when it is buried it cannot.
		if !p.complete {
			v.open = false
		}
		switch {
		case !p.ghost:
			ids = append(ids, id)
			v.size++
		case !p.stranger:
			v.frozen = append(v.frozen, p.part)
		}
	}
	if s.self != "" {
		ids = append(ids, s.self)
	}
	slices.Sort(ids)
	v.rank = v.size - 1
	for i, id := range ids {
		if id == s.self {
			v.rank = int64(i)
		} else if s.self != "" {
			s.peers[id].rank = int64(i)
		}
	}
	s.view = v
	for _, r := range s.routes {
		r.share(v, joined)
	}
}

// share takes over a view.
func (r *route) share(v view, joined []*peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.view = v
	now := r.set.elapsed()
	for l := range r.every {
		r.reshare(l, joined, tickOf(now))
	}
	r.pump(now)
}

// eachLimiter goes over all limiters, each under its route's lock.
func (s *Set) eachLimiter(do func(*route, *limiter)) {
	for _, r := range s.routes {
		r.mu.Lock()
		for l := range r.every {
			do(r, l)
		}
		r.mu.Unlock()
	}
}

// ripen lets ghosts go whose time has come.
func (s *Set) ripen(now time.Duration) {
	var ready []*peer
	for _, p := range s.peers {
		if !p.ghost || !p.stranger && now-p.since < history {
			continue
		}
		if s.doneWith(p, now) && s.goneForAll(p) {
			ready = append(ready, p)
		}
	}
	ready = s.unheld(ready)
	for _, p := range ready {
		s.bury(p)
	}
	if len(ready) > 0 {
		s.reshare(nil)
	}
	s.remind(now)
}

// unheld leaves out ghosts of whose part another ghost may have held something, and lent it on, unless that one is to be buried as well.
func (s *Set) unheld(ready []*peer) []*peer {
	for {
		left := slices.DeleteFunc(slices.Clone(ready), func(p *peer) bool {
			for _, other := range s.peers {
				if other.ghost && other != p && !p.goneFor[other] && !slices.Contains(ready, other) {
					return true
				}
			}
			return false
		})
		if len(left) == len(ready) {
			return ready
		}
		ready = left
	}
}

// doneWith tells whether nothing here depends on a ghost whose time has come.
func (s *Set) doneWith(p *peer, now time.Duration) bool {
	if p.stranger {
		return true
	}
	if !p.released {
		s.release(p)
	}
	p.clean = p.clean || s.cleanOf(p, now)
	return p.clean
}

// release stops counting on what a ghost gave.
func (s *Set) release(p *peer) {
	p.released, p.lent = true, map[*limiter]*route{}
	s.eachLimiter(func(r *route, l *limiter) {
		q := l.pairOf(p)
		if q == nil {
			return
		}
		for k := range q.received {
			if q.received[k] > q.given[k] {
				q.received[k] = q.given[k]
				p.lent[l] = r
			}
		}
		r.recount(l)
	})
	s.reshare(nil)
}

// cleanOf tells whether nothing that a ghost gave is in use.
func (s *Set) cleanOf(p *peer, now time.Duration) bool {
	for l, r := range p.lent {
		r.mu.Lock()
		l.window.roll(tickOf(now))
		if l.owes(requests) == 0 && l.owes(tokens) == 0 && l.owes(concurrency) == 0 {
			delete(p.lent, l)
		}
		r.mu.Unlock()
	}
	return len(p.lent) == 0
}

// goneForAll tells whether all the others are done with a ghost.
func (s *Set) goneForAll(ghost *peer) bool {
	for _, p := range s.peers {
		if !p.ghost && !ghost.goneFor[p] {
			return false
		}
	}
	return true
}

// bury forgets a ghost.
func (s *Set) bury(p *peer) {
	delete(s.peers, p.id)
	s.departed = append(s.departed, p.id)
	if len(s.departed) > maxDeparted {
		s.departed = s.departed[1:]
	}
	s.eachLimiter(func(r *route, l *limiter) {
		l.pairs = slices.DeleteFunc(l.pairs, func(q *pair) bool { return q.peer == p })
		r.recount(l)
	})
	s.forgetTold(p)
}

// remind says when ghosts have to be looked at again though nobody may talk to this replica.
func (s *Set) remind(now time.Duration) {
	next := never
	for _, p := range s.peers {
		if p.ghost {
			next = min(next, max(p.since+history, now+tickLength))
		}
	}
	s.ripe.Store(int64(next))
}
