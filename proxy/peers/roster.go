package peers

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"
)

const (
	// silence is how long a replica may be quiet before it is asked whether its pod is still there.
	silence = 3 * time.Second
	// patience is how long exactness may cost availability: a replica that has not found all others by then goes on without them, and one that was never
	// listed is believed to be there for as long.
	patience = 15 * time.Second
	// memory is how long a replica that is gone is remembered, so that others who still know it do not bring it back.
	memory = 10 * time.Minute
	// maxMembers bounds the replicas that are known, and those that are remembered.
	maxMembers = 1024
	// strangerPause is the time between two calls of an address at which no replica is known, once this replica is settled.
	strangerPause = 2 * time.Second
)

// member is another replica.
type member struct {
	ID   string         `json:"id"`
	Addr netip.AddrPort `json:"addr"`
	// met tells that it answered, or spoke to this replica by its name.
	met bool
	// heard is when it last did anything, at first when it was told of.
	heard time.Time
	// listed tells that the Service listed its address once.
	listed bool
}

// farewell is the memory of a replica that is gone.
type farewell struct {
	at time.Time
	// final tells that it cannot come back: it said so, or another process has its address.
	final bool
}

// place is what is known of an address.
type place struct {
	// listed tells that the newest answer of the Service has it.
	listed bool
	// called is when it was last called by this replica.
	called time.Time
	// answered tells that somebody answered there, and self that it was this replica.
	answered, self bool
	// refused is since when nobody listens there; zero if somebody does, or it is not known.
	refused time.Time
}

// roster knows who the replicas are. It is a plain value: it does nothing by itself, and time comes in from outside.
type roster struct {
	self    member
	members map[string]*member
	gone    map[string]farewell
	places  map[netip.AddrPort]*place
	// began is when this replica could first talk to others; zero before.
	began time.Time
	// listing tells that the newest answer of the Service lists this replica, and missing since when answers do not; zero if they do.
	listing bool
	missing time.Time
	// proof is when the newest answer was asked for, if it proves that what is not in it is gone; else zero.
	proof time.Time
	// settled tells that all others are known, or were waited for long enough; once true it stays.
	settled bool
}

func newRoster(self string, addr netip.AddrPort) *roster {
	return &roster{
		self: member{ID: self, Addr: addr}, members: map[string]*member{}, gone: map[string]farewell{}, places: map[netip.AddrPort]*place{},
	}
}

// begin starts the time that others are waited for.
func (r *roster) begin(now time.Time) {
	if r.began.IsZero() {
		r.began = now
	}
}

// heard takes note of a replica that spoke. It returns false for one that is gone for good, or does not fit.
func (r *roster) heard(from member, now time.Time) bool {
	if r.gone[from.ID].final || from.Addr == r.self.Addr {
		return false
	}
	known := r.members[from.ID]
	if known == nil {
		if len(r.members) >= maxMembers {
			return false
		}
		delete(r.gone, from.ID)
		known = &member{ID: from.ID, listed: r.lists(from.Addr)}
		r.members[from.ID] = known
	}
	known.Addr, known.heard, known.met = from.Addr, now, known.met || from.met
	return true
}

// answered takes note of the replica that answered at an address. Whoever was there before is gone.
func (r *roster) answered(addr netip.AddrPort, id string, now time.Time) {
	at := r.place(addr)
	at.answered, at.self, at.refused = true, id == r.self.ID, time.Time{}
	for other, m := range r.members {
		if m.Addr == addr && other != id {
			r.forget(other, farewell{at: now, final: true})
		}
	}
}

// unanswered takes note of a call that had no answer.
func (r *roster) unanswered(addr netip.AddrPort) { r.place(addr).refused = time.Time{} }

// refused takes note of a call of an address at which nobody listens.
func (r *roster) refused(addr netip.AddrPort, now time.Time) {
	if at := r.place(addr); at.refused.IsZero() {
		at.refused = now
	}
}

// told takes in the replicas that another one knows. What this replica found out itself counts for more.
func (r *roster) told(others []member, now time.Time) {
	for _, other := range others {
		_, remembered := r.gone[other.ID]
		_, known := r.members[other.ID]
		if remembered || known || other.ID == r.self.ID || other.Addr == r.self.Addr || r.metAt(other.Addr) || len(r.members) >= maxMembers {
			continue
		}
		r.members[other.ID] = &member{ID: other.ID, Addr: other.Addr, heard: now, listed: r.lists(other.Addr)}
	}
}

// left takes note of a replica that says that it ends.
func (r *roster) left(id string, now time.Time) { r.forget(id, farewell{at: now, final: true}) }

func (r *roster) forget(id string, how farewell) {
	delete(r.members, id)
	r.gone[id] = how
}

// listed takes in an answer of the Service that was asked for at a time. An answer without any address says nothing: this replica at least is there. One
// that lacks this replica may lack others, too, so it proves nothing until that has lasted for too long to be a delay.
func (r *roster) listed(addrs []netip.AddrPort, asked, now time.Time) {
	if len(addrs) == 0 {
		return
	}
	for _, at := range r.places {
		at.listed = false
	}
	for _, addr := range addrs[:min(len(addrs), maxMembers)] {
		r.place(addr).listed = true
	}
	for _, m := range r.members {
		m.listed = m.listed || r.lists(m.Addr)
	}
	r.listing, r.proof = slices.Contains(addrs, r.self.Addr), time.Time{}
	switch {
	case r.listing:
		r.missing = time.Time{}
	case r.missing.IsZero():
		r.missing = now
	}
	if r.listing || now.Sub(r.missing) >= patience {
		r.proof = asked
	}
}

// sweep drops the replicas that were quiet for too long and that the Service, asked after that, does not list. It forgets what is no longer needed.
func (r *roster) sweep(now time.Time) {
	for id, m := range r.members {
		enough := silence
		if !m.listed {
			enough = patience
		}
		quiet := m.heard.Add(enough)
		if !r.proof.IsZero() && !r.proof.Before(quiet) && !r.lists(m.Addr) {
			r.forget(id, farewell{at: now})
		}
	}
	maps.DeleteFunc(r.gone, func(_ string, f farewell) bool { return now.Sub(f.at) > memory })
	for len(r.gone) > maxMembers {
		delete(r.gone, r.longestGone())
	}
	maps.DeleteFunc(r.places, func(addr netip.AddrPort, at *place) bool { return !at.listed && len(r.at(addr)) == 0 })
}

func (r *roster) longestGone() string {
	return slices.MinFunc(slices.Collect(maps.Keys(r.gone)), func(a, b string) int { return r.gone[a].at.Compare(r.gone[b].at) })
}

// quiet tells whether any replica was silent for too long.
func (r *roster) quiet(now time.Time) bool {
	for _, m := range r.members {
		if now.Sub(m.heard) >= silence {
			return true
		}
	}
	return false
}

// settle finds out whether all others are known, or were waited for long enough. It returns true when they were waited for in vain just now.
func (r *roster) settle(now time.Time) (vain bool) {
	if r.settled || r.began.IsZero() {
		return false
	}
	complete := r.listing && !r.misses(now)
	r.settled = complete || now.Sub(r.began) >= patience
	return r.settled && !complete
}

// misses tells whether there is somebody, or may be, with whom nothing was exchanged yet. Where nobody has listened for a while there is no replica, and
// one that starts there later will find this one.
func (r *roster) misses(now time.Time) bool {
	for addr, at := range r.places {
		if at.listed && addr != r.self.Addr && !at.answered && !at.empty(now) && !r.metAt(addr) {
			return true
		}
	}
	for _, m := range r.members {
		if at := r.places[m.Addr]; !m.met && (at == nil || !at.empty(now)) {
			return true
		}
	}
	return false
}

// empty tells that nobody has listened at the place for a while.
func (p *place) empty(now time.Time) bool {
	return !p.refused.IsZero() && now.Sub(p.refused) >= silence
}

// call is an address to call.
type call struct {
	addr netip.AddrPort
	// to is the replica that is expected there; empty if it is not known.
	to string
	// news tells that there is something new to say.
	news bool
}

// due lists who is to be called. Of two replicas the one with the lower id calls, unless the other one has not heard of it for two intervals.
func (r *roster) due(now time.Time, interval time.Duration) []call {
	var calls []call
	for addr, expected := range r.addresses() {
		at := r.place(addr)
		switch {
		case len(expected) == 1:
			m := expected[0]
			if m.met && r.self.ID > m.ID && now.Sub(m.heard) < 2*interval {
				continue
			}
			calls = append(calls, call{addr: addr, to: m.ID})
		case len(expected) == 0 && (at.self || r.settled && now.Sub(at.called) < strangerPause):
			continue
		default:
			calls = append(calls, call{addr: addr})
		}
		at.called = now
	}
	return calls
}

// all lists every replica, for news.
func (r *roster) all() []call {
	calls := make([]call, 0, len(r.members))
	for _, m := range r.members {
		calls = append(calls, call{addr: m.Addr, to: m.ID, news: true})
	}
	return calls
}

// callAt is a call of whoever is at an address.
func (r *roster) callAt(addr netip.AddrPort) call {
	if there := r.at(addr); len(there) == 1 {
		return call{addr: addr, to: there[0].ID}
	}
	return call{addr: addr}
}

// addresses are those that are listed and those of the members, with the members who should be there.
func (r *roster) addresses() map[netip.AddrPort][]*member {
	found := make(map[netip.AddrPort][]*member, len(r.members))
	for addr, at := range r.places {
		if at.listed && addr != r.self.Addr {
			found[addr] = nil
		}
	}
	for _, m := range r.members {
		found[m.Addr] = append(found[m.Addr], m)
	}
	return found
}

// known lists the other replicas, ordered by id.
func (r *roster) known() []member {
	list := make([]member, 0, len(r.members))
	for _, m := range r.members {
		list = append(list, *m)
	}
	slices.SortFunc(list, func(a, b member) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

func (r *roster) place(addr netip.AddrPort) *place {
	at := r.places[addr]
	if at == nil {
		at = &place{}
		r.places[addr] = at
	}
	return at
}

func (r *roster) lists(addr netip.AddrPort) bool {
	at := r.places[addr]
	return at != nil && at.listed
}

// at lists the members at an address.
func (r *roster) at(addr netip.AddrPort) []*member {
	var found []*member
	for _, m := range r.members {
		if m.Addr == addr {
			found = append(found, m)
		}
	}
	return found
}

func (r *roster) metAt(addr netip.AddrPort) bool {
	return slices.ContainsFunc(r.at(addr), func(m *member) bool { return m.met })
}
