package limit

import "slices"

// view is which replicas share the limits, as this one sees it.
type view struct {
	// size is how many they are, and rank how many of them come before this one in the order of their names.
	size, rank int64
	// frozen are the parts of those that are gone, which stay with them for a while.
	frozen []part
	// active tells that this replica has a part in the limits.
	active bool
	// open tells that every other one has told which of its limiters still hold more than their smaller share.
	open bool
}

// part is what a replica owned at its end: it shared with so many, itself included, of which rank come before it.
type part struct {
	Size int64 `json:"size"`
	Rank int64 `json:"rank"`
}

// share is what the replica of a rank owns of a limit.
func (v *view) share(limit, rank int64) int64 {
	left := limit
	for _, p := range v.frozen {
		left -= share(limit, p.Size, p.Rank)
	}
	return share(max(0, left), v.size, rank)
}

// share is the part of a limit that the replica of a rank owns. It never grows when more replicas join.
func share(limit, size, rank int64) int64 { return max(0, (limit-rank+size-1)/size) }

// claim is what a limiter that has more under way than its smaller share lets a replica have that joined: no more than was freed so far.
type claim struct {
	peer *peer
	// open are the kinds that are not settled yet, and freed what the joiner may use of them.
	open  [kinds]bool
	freed amounts
}

// telling is what a peer told a joiner of one limiter: what it may use so far, below 0 for a kind that is settled.
type telling map[*peer]amounts

// base is what this replica owns of a kind of a limit.
func (r *route) base(l *limiter, k kind) int64 {
	if !r.view.active {
		return 0
	}
	own := r.view.share(l.limit[k], r.view.rank)
	told, unsettled := int64(0), false
	for _, freed := range r.told[tellingKey{l.per, l.caller}] {
		if freed[k] >= 0 {
			told, unsettled = told+freed[k], true
		}
	}
	switch {
	case unsettled:
		return min(own, told)
	case !r.view.open:
		return 0
	}
	return own
}

// recount works out what this replica may admit: what it owns, what it was given, without what it gave.
func (r *route) recount(l *limiter) {
	for k := range kind(kinds) {
		if l.limit[k] == 0 {
			l.owned[k], l.cap[k] = 0, 0
			continue
		}
		l.owned[k] = r.base(l, k)
		l.cap[k] = l.owned[k]
		for _, p := range l.pairs {
			l.cap[k] += p.received[k] - p.given[k]
		}
	}
}

// reshare recounts after the replicas have changed. What the limiter loses goes to those that joined, but only once it is not in use any more.
func (r *route) reshare(l *limiter, joined []*peer, tick int64) {
	before := l.owned
	l.window.roll(tick)
	r.recount(l)
	for k := range kind(kinds) {
		l.ceded[k] = max(0, l.ceded[k]+before[k]-l.owned[k])
		if l.excess(k) > 0 && l.ceded[k] > 0 {
			for _, p := range joined {
				l.claimOf(p).open[k] = true
			}
		}
	}
	r.settle(l)
}

// excess is how much of a limited kind is in use beyond what this replica may admit.
func (l *limiter) excess(k kind) int64 {
	if l.limit[k] == 0 {
		return 0
	}
	return max(0, l.used(k)-l.cap[k])
}

// owes is the excess without what was given to ghosts: they use nothing, and what they lent on is for those to return who have it.
func (l *limiter) owes(k kind) int64 {
	owed := l.excess(k)
	for _, p := range l.pairs {
		if p.peer.ghost {
			owed -= p.given[k] - p.received[k]
		}
	}
	return max(0, owed)
}

func (l *limiter) claimOf(p *peer) *claim {
	for _, c := range l.claims {
		if c.peer == p {
			return c
		}
	}
	c := &claim{peer: p}
	l.claims = append(l.claims, c)
	return c
}

// disclaim ends the claim of a joiner that is gone. What was to be its is the ghost's now: nothing more of what was ceded so far is handed on.
func (l *limiter) disclaim(p *peer) {
	i := slices.IndexFunc(l.claims, func(c *claim) bool { return c.peer == p })
	if i < 0 {
		return
	}
	l.claims = slices.Delete(l.claims, i, i+1)
	l.ceded = amounts{}
	for _, c := range l.claims {
		for k, freed := range c.freed {
			l.ceded[k] += freed
		}
	}
}

// settle hands what has come free of the ceded part to those that joined, and ends the claims of kinds without excess.
func (r *route) settle(l *limiter) {
	for k := range kind(kinds) {
		if l.excess(k) > 0 {
			r.cede(l, k)
			continue
		}
		l.ceded[k] = 0
		for _, c := range l.claims {
			c.open[k], c.freed[k] = false, 0
		}
	}
	l.claims = slices.DeleteFunc(l.claims, func(c *claim) bool { return c.open == [kinds]bool{} })
	if len(l.claims) > 0 {
		r.talk[l] = struct{}{}
	}
}

// cede divides what has come free of a kind evenly, to each joiner at most its share.
func (r *route) cede(l *limiter, k kind) {
	left := l.ceded[k] - l.excess(k)
	var open []*claim
	for _, c := range l.claims {
		if c.open[k] {
			left -= c.freed[k]
			open = append(open, c)
		}
	}
	for i, c := range open {
		part := min(left/int64(len(open)-i), r.view.share(l.limit[k], r.rankOf(c.peer))-c.freed[k])
		if part > 0 {
			c.freed[k] += part
			left -= part
		}
	}
}

// rankOf is where a peer stands in the order of names; the last place while that is not known.
func (r *route) rankOf(p *peer) int64 {
	if p.rank < 0 {
		return r.view.size - 1
	}
	return p.rank
}
