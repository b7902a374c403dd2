package limit

import (
	"encoding/json"
	"slices"
	"time"
)

// Say is what a peer is to be told now; nil for nothing.
func (s *Set) Say(to string) json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.elapsed()
	s.ripen(now)
	p := s.peers[to]
	if p == nil || p.ghost {
		return nil
	}
	s.number++
	m := message{To: to, Number: s.number, Ghosts: s.ghosts(to), Gone: s.goneOf(p.asks), Active: s.active, Complete: !s.owed()}
	if !p.active {
		m.Others = s.others(p)
	}
	size := 0
	for i, c := range s.candidates(p, now) {
		raw := c.route.word(c.limiter, p, now)
		size += len(raw) + 1
		if len(raw) == 0 || i >= maxEntries || size > maxEntryBytes {
			m.Complete = m.Complete && !c.claimed
			continue
		}
		m.Entries = append(m.Entries, raw)
	}
	said, err := json.Marshal(m)
	if err != nil {
		return nil
	}
	return said
}

// ghosts are those that this replica would let go of.
func (s *Set) ghosts(told string) []ghost {
	var ghosts []ghost
	for id, p := range s.peers {
		if p.ghost && len(ghosts) < maxNames {
			ghosts = append(ghosts, ghost{ID: id, part: p.partFor(told)})
		}
	}
	return ghosts
}

// others are all that this replica shares with, but for the one that it tells.
func (s *Set) others(told *peer) []string {
	var ids []string
	for id, p := range s.peers {
		if p != told && len(ids) < maxNames {
			ids = append(ids, id)
		}
	}
	return ids
}

// owed tells whether a ghost still held some of this replica's share. As long as that may be in use, nothing of it can be a joiner's either.
func (s *Set) owed() bool {
	for _, p := range s.peers {
		if p.ghost && !p.settled {
			return true
		}
	}
	return false
}

// goneOf are those of another's ghosts that this replica has done with.
func (s *Set) goneOf(asks []string) []string {
	var gone []string
	for _, id := range asks {
		if p := s.peers[id]; p == nil || p.ghost && (p.clean || p.stranger) {
			gone = append(gone, id)
		}
	}
	return gone
}

// candidate is a limiter of which there is something to say.
type candidate struct {
	route   *route
	limiter *limiter
	claimed bool
	waiting int
}

// candidates are the limiters to speak of, what a joiner waits for first, then those with the longest queues.
func (s *Set) candidates(p *peer, now time.Duration) []candidate {
	var found []candidate
	for _, r := range s.routes {
		r.mu.Lock()
		for l := range r.talk {
			if c, ok := r.candidate(l, p, now); ok {
				found = append(found, c)
			}
		}
		r.mu.Unlock()
	}
	slices.SortStableFunc(found, func(a, b candidate) int {
		switch {
		case a.claimed == b.claimed:
			return b.waiting - a.waiting
		case a.claimed:
			return -1
		}
		return 1
	})
	return found
}

func (r *route) candidate(l *limiter, p *peer, now time.Duration) (candidate, bool) {
	r.tidy(l, tickOf(now))
	r.settle(l)
	c := candidate{route: r, limiter: l, waiting: l.queue.Len()}
	for _, claim := range l.claims {
		c.claimed = c.claimed || claim.peer == p
	}
	q := l.pairOf(p)
	return c, c.claimed || l.wants() != (amounts{}) || q != nil && l.speaks(q, now)
}

// speaks tells whether there is something to give, to answer, or to say again because it may have been lost.
func (l *limiter) speaks(q *pair, now time.Duration) bool {
	if q.reply || q.given != q.acked {
		return true
	}
	for k := range kind(kinds) {
		if q.theirs != 0 && l.limit[k] > 0 && l.gives(q, k, now) > 0 {
			return true
		}
	}
	return false
}

// word is what there is to say of a limiter. What is given is deducted before it is said.
func (r *route) word(l *limiter, p *peer, now time.Duration) json.RawMessage {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !l.sayable(r.name) {
		return nil
	}
	e := entry{Route: r.name, Per: l.per, Caller: l.caller, Want: l.wants(), Freed: l.freedFor(p)}
	q := l.pairOf(p)
	if q == nil && e.Want != (amounts{}) {
		q = r.pairWith(l, p)
	}
	if q != nil {
		r.give(l, q, now)
		q.reply = false
		e.Mine, e.Theirs, e.Given, e.Received = q.mine, q.theirs, q.given, q.received
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return nil
	}
	return raw
}

// freedFor is what a peer that joined may use so far; nil when all of it is settled.
func (l *limiter) freedFor(p *peer) *amounts {
	for _, c := range l.claims {
		if c.peer != p {
			continue
		}
		freed := c.freed
		for k, open := range c.open {
			if !open {
				freed[k] = settledKind
			}
		}
		return &freed
	}
	return nil
}
